-- twice-backup.lua: failures seen again with the second key, whose GUID a backup names
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-08-30T05:01:10Z"; log:other "2004-08-30T09:01:10Z"
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:boot "2004-10-04T05:11:00Z"
log:failure "2004-10-04T05:12:10Z"
log:boot "2004-11-02T22:46:31Z"
log:failure "2004-11-02T22:47:22Z"
log:other "2004-11-03T08:00:00Z"

return {
  title = "seen to fail with the second key, so the backup of its GUID is no evidence for it",
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
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.THIRD) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.THIRD) },
    },
  },
  apply = { exit = 0 },
}
