-- hard-link-adopt.lua: --adopt of a key file with two names is refused
local volume = ...

return {
  title = "--adopt of a file with two names: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        hardlink = "copy-of-c23.bak" },
    },
  },
  args = { "--adopt", volume.c23(volume.OLD) },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.hard-link" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
