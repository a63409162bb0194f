-- twice-quiet.lua: a quiet start between failures, and a backup that names the second GUID
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-08-30T05:01:10Z"; log:other "2004-08-30T09:01:10Z"
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:boot "2004-10-04T05:11:00Z"
log:failure "2004-10-04T05:12:10Z"
log:boot "2004-10-30T05:11:00Z"; log:other "2004-10-30T05:50:00Z"
log:boot "2004-11-02T22:46:31Z"
log:failure "2004-11-02T22:47:22Z"
log:other "2004-11-03T08:00:00Z"

return {
  title = "one quiet start between failures: two readings, refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD, guid_written = "2004-11-02T22:45:10Z",
    backups = { { guid = volume.NEW, saved = "2004-10-20T10:58:03Z", written = "2004-09-13T06:12:00Z" } },
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
