-- events.lua: the events of KB 884872 in the system log of a mounted volume
local volume = ...
local bytes = require "bytes"
local evt = require "evt"

local SCM = "Service Control Manager"
local EVENTS = {
  { source = "EventLog", id = 6005, time = "2004-09-14T06:10:00Z", type = "information" },
  { source = "W3SVC", id = 116, time = "2004-09-14T06:20:01Z", strings = { "/LM/W3SVC/" }, data = "\3\0\0\0" },
  { source = SCM, id = 7023, time = "2004-09-14T06:20:02Z", strings = { "World Wide Web Publishing Service", "%%3" },
    data = bytes.utf16 "W3SVC" .. "\0\0" },
  { source = SCM, id = 7024, time = "2004-09-14T06:20:03Z", strings = { "IIS Admin Service", "2148073478" },
    data = bytes.utf16 "IISADMIN" .. "\0\0" },
  { source = SCM, id = 7023, time = "2004-09-14T06:20:04Z", strings = { "Print Spooler", "%%2147942414" },
    data = bytes.utf16 "Spooler" .. "\0\0" },
  { source = "W3SVC", id = 100, time = "2004-09-14T06:20:05Z", type = "warning", strings = { "other" } },
}

local KEYS = {
  { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
  { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
}

return {
  title = "events of KB 884872 in the file of a log",
  volume = {
    keys = KEYS,
    files = { { path = "C:\\WINNT\\system32\\config\\SysEvent.Evt", data = evt.compose(EVENTS) } },
  },
  script = function(t)
    local check = t.check
    t:remember()
    local found = t:keymend "events"
    check.equal(found.exit, 0, "events: " .. found.err)
    t:expect("events.events.txt", found.out .. found.err)
    found = t:keymend("events", { "--log", "System", "--source", "w3svc", "--count", "1" })
    check.equal(found.exit, 0, "one event of a source")
    t:expect("events.source.txt", found.out .. found.err)
    t:expect("events.events.json", t:json("events", { "--id", "6005", "--id", "100", "--log", "System" }).out)
    found = t:keymend("events", { "--log", "System", "--text", "spooler" })
    if found.exit ~= 16 then check.has(found.out, "7023", "a text in the data") end
    found = t:keymend("events", { "--log", "Application" })
    check.equal(found.exit, 8, "a log that is not there")
    t:expect("events.absent.txt", found.out .. found.err)
    check.equal(t:keymend("events", { "--log", "..\\config\\SAM" }).exit, 8, "no log has such a name")
    for _, wrong in ipairs { { "--since", "2004-09-14" }, { "--id", "x" }, { "--id", "65536" }, { "--count", "0" } } do
      check.equal(t:keymend("events", wrong).exit, 16, table.concat(wrong, " ") .. " is wrong usage")
    end
    t:same("events", true)
  end,
}
