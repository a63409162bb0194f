-- onset-ran-other-code.lua: W3SVC ran with the current key, then failed with a code that is not of a key
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-12T06:10:00Z"; log:state("2004-09-12T06:10:20Z", "RpcSs", "running")
log:state("2004-09-20T06:10:40Z", "W3SVC", "running")
log:state("2004-09-20T19:00:00Z", "W3SVC", "stopped")
log:state("2004-09-21T06:10:40Z", "W3SVC", "running")
log:state("2004-09-21T19:00:00Z", "W3SVC", "stopped")
log:add { source = "Service Control Manager", id = 7023, time = "2004-09-22T06:14:05Z",
  strings = { "World Wide Web Publishing Service", "%%10048" } }
log:other "2004-09-22T08:00:00Z"

return {
  title = "ran with the current key, then failed for another reason: refused",
  volume = {
    layout = "xp",
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2002-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" }, },
    guid_written = "2004-09-13T06:12:00Z",
    files = { log:file "WINDOWS" },
  },
  diagnose = { exit = 4, findings = { "warning key.in-use" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
