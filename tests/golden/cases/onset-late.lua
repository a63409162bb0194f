-- onset-late.lua: failures that began long after the current key was made
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2003-02-01T06:00:00Z"; log:other "2003-02-01T08:00:00Z"
log:boot "2003-08-01T06:00:00Z"; log:other "2003-08-01T08:00:00Z"
log:boot "2004-06-01T06:00:00Z"; log:other "2004-06-01T08:00:00Z"
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:other "2004-09-13T08:00:00Z"

return {
  title = "the failures began long after the current key was made: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2003-01-05T09:14:02Z" }, },
    guid_written = "2003-01-05T09:12:00Z",
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.onset-mismatch" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
