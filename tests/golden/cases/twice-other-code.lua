-- twice-other-code.lua: W3SVC failed with a code that is not of a key when a key file was made
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-10T06:13:20Z"; log:other "2004-09-10T08:00:00Z"
log:add { source = "Service Control Manager", id = 7023, time = "2004-09-13T06:08:05Z",
  strings = { "World Wide Web Publishing Service", "%%10048" } }
log:other "2004-10-20T08:00:00Z"
log:boot "2004-11-02T22:46:31Z"
log:failure "2004-11-02T22:47:22Z"
log:other "2004-11-03T08:00:00Z"

return {
  title = "a failure of another cause is no onset: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" }, },
    guid = volume.THIRD, guid_written = "2004-11-02T22:45:10Z",
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
