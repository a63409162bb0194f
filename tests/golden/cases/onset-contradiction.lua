-- onset-contradiction.lua: the failures began months before any key file was made
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-03-01T05:01:10Z"
log:failure "2004-03-01T05:02:10Z"
log:failure "2004-09-14T06:10:51Z"

return {
  title = "failures that began before the key was regenerated",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning onset.contradiction" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
