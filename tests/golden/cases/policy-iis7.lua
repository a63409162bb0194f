-- policy-iis7.lua: IIS 10: three containers of its configuration, none of IIS 6
local volume = ...

local function name(container, guid)
  return volume.hash(container) .. "_" .. guid
end

local CONFIGURATION, WAS, NET = "iisConfigurationKey", "iisWasKey", "NetFrameworkConfigurationKey"

return {
  title = "iis7: the containers of the configuration; what is not installed is not missed",
  volume = {
    layout = "10",
    guid_written = "2019-09-13T06:12:40Z",
    keys = {
      { container = CONFIGURATION, guid = volume.OLD, made = "2016-11-02T10:22:31Z" },
      { container = CONFIGURATION, guid = volume.NEW, made = "2019-09-13T06:14:02Z" },
      { container = WAS, guid = volume.OLD, made = "2016-11-02T10:22:41Z" },
      { container = NET, guid = volume.NEW, made = "2019-09-13T06:15:00Z" },
    },
    backups = { { guid = volume.OLD, saved = "2019-08-01T10:58:03Z" } },
    more_services = { { "WAS", "Windows Process Activation Service", 3, 0x20, depends = { "RpcSs" } } },
    services = { W3SVC = { depends = { "WAS", "AFD" } }, IISADMIN = false, SMTPSVC = false, MSFTPSVC = false },
    others = false,
  },
  diagnose = {
    exit = 4, findings = { "error key.orphaned", "error key.regenerated", "info key.healthy" },
  },
  plan = {
    exit = 0,
    steps = {
      { "retire", name(CONFIGURATION, volume.NEW) },
      { "adopt", name(CONFIGURATION, volume.OLD), name(CONFIGURATION, volume.NEW) },
      { "adopt", name(WAS, volume.OLD), name(WAS, volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
