-- twice-silence.lua: one failure, then silence until the second reset
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-10T06:13:20Z"; log:other "2004-09-10T08:00:00Z"
log:failure "2004-09-13T06:14:05Z"
log:other "2004-09-20T08:00:00Z"
log:other "2004-10-20T08:00:00Z"
log:boot "2004-11-02T22:46:31Z"
log:failure "2004-11-02T22:47:22Z"
log:other "2004-11-03T08:00:00Z"

return {
  title = "weeks of silence between two failures tell nothing of the second key: refused",
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
