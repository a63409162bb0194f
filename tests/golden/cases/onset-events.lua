-- onset-events.lua: KB 884872 with its events: the log tells by itself when the problem began
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-08-30T05:01:10Z"
log:other "2004-09-02T11:20:00Z"
log:shutdown "2004-09-13T06:12:55Z"
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:failure "2004-09-13T09:02:44Z"
log:boot "2004-09-14T06:10:00Z"
log:failure "2004-09-14T06:10:51Z"
log:other "2004-09-14T08:00:00Z"

return {
  title = "the events of the KB give the onset",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
