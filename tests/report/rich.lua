-- rich.lua: a volume on which much has happened: a decade, two resets, hundreds of events, long and hostile names
local volume = ...
local bytes = require "bytes"
local evt = require "evt"

local SCM = "Service Control Manager"
local FOURTH = "d3b07384-d9a0-4c1e-9f3a-5a0f3b7c2e11"

-- From the first failure on, every start of Windows fails alike: morning after morning.
local function failures()
  local list = {
    { source = "EventLog", id = 6005, time = "2004-09-12T05:58:00Z", type = "information" },
    { source = SCM, id = 7036, time = "2004-09-12T05:59:00Z", type = "information",
      strings = { "World Wide Web Publishing Service", "running" }, data = bytes.utf16 "W3SVC/4" .. "\0\0" },
  }
  for day = 14, 30 do
    for minute = 1, 12 do
      local at = ("2004-09-%02dT06:%02d:"):format(day, minute * 4)
      list[#list + 1] = { source = "W3SVC", id = 116, time = at .. "01Z", strings = { "/LM/W3SVC/" },
        data = "\3\0\0\0" }
      list[#list + 1] = { source = SCM, id = 7023, time = at .. "02Z",
        strings = { "World Wide Web Publishing Service", "%%3" }, data = bytes.utf16 "W3SVC" .. "\0\0" }
      if minute % 4 == 0 then
        list[#list + 1] = { source = SCM, id = 7024, time = at .. "03Z",
          strings = { "IIS Admin Service", "2148073478" }, data = bytes.utf16 "IISADMIN" .. "\0\0" }
      end
    end
  end
  return list
end

return {
  title = "a decade of keys, and hundreds of events",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "1999-12-31T23:59:59Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2002-07-01T08:15:00Z" },
      { container = volume.IIS, guid = FOURTH, made = "2003-02-11T09:30:00Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-14T06:04:00Z" },
    },
    backups = { { guid = volume.OLD, saved = "2001-03-14T10:58:03Z" } },
    files = { { path = "C:\\WINNT\\system32\\config\\SysEvent.Evt", data = evt.compose(failures()) } },
  },
}
