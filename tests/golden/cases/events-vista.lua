-- events-vista.lua: logs of Windows Vista and later on a mounted volume: by default paths, damaged, made to harm
local volume = ...
local bytes = require "bytes"
local evtx = require "evtx"

local SCM = "Service Control Manager"
local LOGS = "C:\\Windows\\system32\\winevt\\Logs\\"

local SYSTEM = evtx.compose {
  { source = SCM, id = 7036, level = 4, time = "2014-09-14T06:10:00Z", strings = { "IIS Admin Service", "running" },
    data = bytes.utf16 "IISADMIN/4" .. "\0\0" },
  { source = SCM, id = 7024, time = "2014-09-14T06:20:03Z", strings = { "IIS Admin Service", "%%2148073478" },
    qualifiers = 0xC000, data = bytes.utf16 "IISADMIN" .. "\0\0" },
  { source = "Microsoft-Windows-WAS", id = 5005, time = "2014-09-14T06:20:04Z", data = "\22\0\9\128" },
  { source = "TermService", id = 1057, level = 3, time = "2014-09-14T06:20:05Z", strings = { "80090016" } },
}

-- Elements in elements, as deep as a chunk holds them: libevtx would follow them by recursion.
local function deep(at)
  local first, out = at + 4 + 11, ""
  for index = 4500, 1, -1 do
    local name = index == 1 and bytes.u32(0) .. bytes.u16(1) .. bytes.u16(1) .. "a\0\0\0" or ""
    local body = name .. "\2" .. out .. "\4"
    out = "\1\255\255" .. bytes.u32(4 + #body) .. bytes.u32(first) .. body
  end
  return "\15\1\1\0" .. out .. "\0"
end

-- A template that holds a use of itself.
local function endless(at)
  local template = at + 14
  local inner = "\15\1\1\0\12\1" .. bytes.u32(7) .. bytes.u32(template) .. "\0"
  return "\15\1\1\0\12\1" .. bytes.u32(7) .. bytes.u32(template) .. bytes.u32(0) .. bytes.u32(7) .. ("\7"):rep(12)
    .. bytes.u32(#inner) .. inner .. bytes.u32(0)
end

local function record(number, xml)
  return function(at) return evtx.record(at, number, "2014-09-14T06:20:01Z", xml) end
end

local good = evtx.compose({ { source = "W3SVC", id = 9, time = "2014-09-14T06:20:06Z", number = 4 } }):sub(4097)
local HOSTILE = evtx.file({ evtx.chunk { record(1, deep) }, evtx.chunk({ record(2, endless) }, 2),
  ("damaged"):rep(9363):sub(1, 65536), good }, 5)

return {
  title = "events of .evtx files, damaged and made to harm",
  volume = {
    layout = "vista",
    keys = { { container = volume.IIS, guid = volume.NEW, made = "2014-03-14T10:22:31Z" } },
    files = {
      { path = LOGS .. "System.evtx", data = SYSTEM },
      { path = LOGS .. "Application.evtx", data = HOSTILE },
      { path = LOGS .. "Microsoft-Windows-CAPI2%4Operational.evtx", data = evtx.compose {
        { source = "Microsoft-Windows-CAPI2", id = 11, level = 4, time = "2014-09-14T06:20:06Z" } } },
      { path = LOGS .. "Security.evtx", data = "no log at all" },
    },
  },
  script = function(t)
    local check = t.check
    t:remember()
    local found = t:keymend "events"
    check.equal(found.exit, 0, "events: " .. found.err)
    t:expect("events-vista.events.txt", found.out .. found.err)
    t:expect("events-vista.events.json", t:json("events", { "--log", "System", "--id", "7024" }).out)
    found = t:keymend("events", { "--log", "Application" })
    check.equal(found.exit, 0, "a log made to harm: " .. found.err)
    t:expect("events-vista.hostile.txt", found.out .. found.err)
    found = t:keymend("events", { "--log", "Microsoft-Windows-CAPI2/Operational" })
    check.has(found.out, "Microsoft-Windows-CAPI2 11", "a channel with a slash in its name")
    found = t:keymend("events", { "--log", "Security" })
    check.equal(found.exit, 8, "what is no log")
    check.has(found.err, "does not begin as an event log does", "and that is told")
    t:same("events", true)
  end,
}
