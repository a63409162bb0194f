-- policy-wmsvc.lua: the key of the IIS Web Management Service, orphaned
local volume = ...

local CONTAINER = "WMSvc Certificate Key Container"

return {
  title = "wmsvc: one orphan",
  volume = {
    layout = "10",
    guid_written = "2019-09-13T06:12:40Z",
    keys = { { container = CONTAINER, guid = volume.OLD, made = "2016-11-02T10:22:31Z" } },
    more_services = { { "WMSVC", "Web Management Service", 2, 0x10, depends = { "RpcSs" } } },
    others = false,
  },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = {
    exit = 0,
    steps = { { "adopt", volume.hash(CONTAINER) .. "_" .. volume.OLD, volume.hash(CONTAINER) .. "_" .. volume.NEW } },
  },
  apply = { exit = 0 },
}
