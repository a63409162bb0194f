-- iislog.lua: composes System logs of servers with IIS: starts of Windows, failures of KB 884872, states of services
--
--   local log = iislog.new()
--   log:boot "2004-09-14T06:10:00Z"; log:failure "2004-09-14T06:20:01Z"
--   files = { log:file() }     -- for volume.make: SysEvent.Evt of a volume of layout "2000" or "xp"

local bytes = require "keymend.volume.bytes"
local evt = require "keymend.volume.evt"

local iislog = {}

local SCM = "Service Control Manager"
local DISPLAY = { W3SVC = "World Wide Web Publishing Service", IISADMIN = "IIS Admin Service",
  Spooler = "Print Spooler", RpcSs = "Remote Procedure Call (RPC)" }

local methods = {}
local meta = { __index = methods }

function iislog.new()
  return setmetatable({ events = {} }, meta)
end

function methods:add(event)
  self.events[#self.events + 1] = event
  return self
end

-- Windows was started.
function methods:boot(time)
  return self:add { source = "EventLog", id = 6005, time = time, type = "information" }
end

-- Windows was shut down.
function methods:shutdown(time)
  return self:add { source = "EventLog", id = 6006, time = time, type = "information" }
end

-- What KB 884872 shows when W3SVC does not start.
function methods:failure(time)
  self:add { source = "W3SVC", id = 116, time = time, strings = { "/LM/W3SVC/" }, data = "\3\0\0\0" }
  return self:add { source = SCM, id = 7023, time = time, strings = { DISPLAY.W3SVC, "%%3" },
    data = bytes.utf16 "W3SVC" .. "\0\0" }
end

-- As XP and Server 2003 tell the state of a service, in a word of their language.
function methods:state(time, service, word)
  return self:add { source = SCM, id = 7036, time = time, type = "information",
    strings = { DISPLAY[service] or service, word } }
end

-- Something that has nothing to do with it.
function methods:other(time)
  return self:add { source = "Print", id = 10, time = time, type = "information", strings = { "1", "Report" } }
end

-- An entry for the files of a volume; folder: the Windows folder.
function methods:file(folder)
  local path = ("C:\\%s\\system32\\config\\SysEvent.Evt"):format(folder or "WINNT")
  return { path = path, data = evt.compose(self.events) }
end

return iislog
