-- onset-ran.lua: a log of XP in German tells that the service started after the current key was made
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
local RUNNING, STOPPED = "Ausgeführt", "Beendet"
for _, day in ipairs { "2004-09-12", "2004-09-14" } do
  log:boot(day .. "T06:10:00Z")
  log:state(day .. "T06:10:20Z", "RpcSs", RUNNING)
  log:state(day .. "T06:10:40Z", "W3SVC", RUNNING)
  log:state(day .. "T06:11:00Z", "Spooler", RUNNING)
  log:state(day .. "T19:00:00Z", "W3SVC", STOPPED)
  log:shutdown(day .. "T19:01:00Z")
end

return {
  title = "W3SVC ran after the current key was made: refused",
  volume = {
    layout = "xp",
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2002-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    files = { log:file "WINDOWS" },
  },
  diagnose = { exit = 4, findings = { "warning key.in-use" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
