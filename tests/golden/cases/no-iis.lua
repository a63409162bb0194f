-- no-iis.lua: IIS is not installed
local volume = ...

return {
  title = "no IIS: no policy applies",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    services = { IISADMIN = false, W3SVC = false, SMTPSVC = false, MSFTPSVC = false },
  },
  diagnose = { exit = 0, findings = { "info policy.none" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
