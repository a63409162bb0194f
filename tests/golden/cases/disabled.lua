-- disabled.lua: W3SVC is disabled: the repair cannot start it
local volume = ...

return {
  title = "a disabled service is a finding",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    services = { W3SVC = { start = 4 } },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning service.disabled" } },
  plan = {
    exit = 4,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 4 },
  again = { exit = 4, findings = { "warning service.disabled" } },
    -- nobody but an administrator enables it
}
