-- halfway-old.lua: a fix script renamed the new key to .OLD and stopped
local volume = ...

return {
  title = "KB followed halfway: the new key renamed to .OLD",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z",
        name = volume.c23(volume.NEW) .. ".OLD" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.stray" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
