-- services-missing.lua: the SYSTEM hive has no Services key: nobody can tell whether IIS is there
local volume = ...

return {
  title = "no services at all: never in order",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    services = false,
  },
  diagnose = { exit = 4, findings = { "error service.unreadable" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
