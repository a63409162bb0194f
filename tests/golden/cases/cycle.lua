-- cycle.lua: two services need each other
local volume = ...

return {
  title = "a cycle of services is named",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    services = { IISADMIN = { depends = { "SMTPSVC" } } },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning service.cycle" } },
  plan = {
    exit = 4,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 4 },
  again = { exit = 4, findings = { "warning service.cycle" } }, -- the registry is as it was
}
