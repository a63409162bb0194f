-- onset-orphan.lua: reset twice, no key was made under the last GUID; the log tells when the failures began
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:boot "2004-10-04T05:11:00Z"
log:failure "2004-10-04T05:12:10Z"
log:failure "2004-11-02T22:47:22Z"

return {
  title = "two orphans, one of them made when the failures began",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = { exit = 0, steps = { { "adopt", volume.c23(volume.OLD), volume.c23(volume.THIRD) } } },
  apply = { exit = 0 },
}
