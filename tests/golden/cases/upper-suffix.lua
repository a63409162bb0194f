-- upper-suffix.lua: the old key's name has upper-case digits
local volume = ...

return {
  title = "an upper-case unique name",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        name = volume.c23(volume.OLD):upper() },
    },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.OLD):upper(), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
