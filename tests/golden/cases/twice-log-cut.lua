-- twice-log-cut.lua: the record of a start between two failures is damaged
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:boot "2004-10-04T05:11:00Z"
log:other "2004-10-09T08:00:00Z"
log:boot "2004-11-02T22:46:31Z"
log:failure "2004-11-02T22:47:22Z"
log:other "2004-11-03T08:00:00Z"

-- The signature of the fourth record, the start of Windows in October, is damaged.
local file = log:file()
local at = 49
for _ = 1, 3 do
  local a, b, c = file.data:byte(at, at + 2)
  at = at + a + b * 256 + c * 65536
end
file.data = file.data:sub(1, at + 3) .. "XXXX" .. file.data:sub(at + 8)

return {
  title = "a damaged log decides nothing: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD, guid_written = "2004-11-02T22:45:10Z",
    files = { file },
  },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
