-- onset-all-late.lua: reset twice, and the key of before the first failure is gone
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:boot "2004-11-02T22:46:31Z"
log:failure "2004-11-02T22:47:22Z"

return {
  title = "the only old key was made when the failures began: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
