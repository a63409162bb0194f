-- onset-quiet-years.lua: a healthy Windows 2000 with a leftover: two years of quiet starts
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
for year = 2003, 2004 do
  for month = 1, 9 do
    log:boot(("%d-%02d-20T06:00:00Z"):format(year, month))
    log:other(("%d-%02d-20T09:00:00Z"):format(year, month))
  end
end

return {
  title = "years of quiet starts since the current key was made: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2003-01-05T09:14:02Z" }, },
    guid_written = "2003-01-05T09:12:00Z",
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "warning key.in-use" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
