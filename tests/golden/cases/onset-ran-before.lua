-- onset-ran-before.lua: W3SVC ran with the current key; the Cryptography key was written later
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
for _, day in ipairs { "2004-09-12", "2004-09-14", "2004-10-01" } do
  log:boot(day .. "T06:10:00Z")
  log:state(day .. "T06:10:20Z", "RpcSs", "running")
  log:state(day .. "T06:10:40Z", "W3SVC", "running")
  log:state(day .. "T06:11:00Z", "Spooler", "running")
  log:state(day .. "T19:00:00Z", "W3SVC", "stopped")
end
log:other "2004-10-20T08:00:00Z"

return {
  title = "W3SVC ran with the current key before the registry key was written: refused",
  volume = {
    layout = "xp",
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2002-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" }, },
    guid_written = "2004-10-15T10:00:00Z",
    files = { log:file "WINDOWS" },
  },
  diagnose = { exit = 4, findings = { "warning key.in-use" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
