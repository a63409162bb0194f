-- events.lua: the events that tell of machine keys that do not work, and what they say
--
-- Signals are data: the field knowledge of KB 884872 and of later Windows. A signal:
--   log, sources, ids  where it stands; a source may be called several ways, by Windows version
--   service            it speaks of a service (key name in the data, display name in the first string): only those of
--                      interest count
--   code               where its error code may stand: numbers of strings, "data"
--   means              what it says, where its code says no more
-- Events are matched by numbers and names, never by words, since their texts are localized.

local core = require "keymend.core"
local codes = require "keymend.codes"

local M = {}

local SCM = { "Service Control Manager" }
local WAS = { "WAS", "Microsoft-Windows-WAS" }
local TERMINAL = { "TermService", "TerminalServices-RemoteConnectionManager",
  "Microsoft-Windows-TerminalServices-RemoteConnectionManager" }

M.signals = {
  { log = "System", sources = { "W3SVC" }, ids = { 116 }, code = { "data" },
    means = "IIS could not open its metabase (KB 884872)" },
  { log = "System", sources = SCM, ids = { 7023 }, service = true, code = { 2 },
    means = "the service ended with an error" },
  { log = "System", sources = SCM, ids = { 7024 }, service = true, code = { 2 },
    means = "the service ended with an error code of its own" },
  { log = "System", sources = WAS, ids = { 5005, 5189 }, code = { "data" },
    means = "IIS could not start its worker processes; the code tells whether a key is to blame" },
  { log = "System", sources = TERMINAL, ids = { 1057, 1058 }, code = { 1, "data" },
    means = "Remote Desktop could not make or replace its certificate, which needs its machine key" },
  { log = "System", sources = { "Schannel" }, ids = { 36870 },
    means = "the private key of a certificate could not be used" },
}

M.LOGS = { "System", "Application" } -- read when a filter but no log is given
M.COUNT = 50

local MAX_SHOWN = 400 -- characters of an event's own texts

-- ---- What an event says ----

local function has(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

-- The signal that an event is, whatever its service; nil when it is none.
function M.signal_of(event)
  local source = event.source:lower()
  for _, signal in ipairs(M.signals) do
    if signal.log:lower() == event.log:lower() and has(signal.ids, event.id) then
      for _, name in ipairs(signal.sources) do
        if name:lower() == source then return signal end
      end
    end
  end
end

-- UTF-16LE as text, up to its first NUL; nil for what is not plain ASCII, as the key names of services are.
local function ascii_of(data)
  local text = {}
  for at = 1, #data - 1, 2 do
    local low, high = data:byte(at, at + 1)
    if low == 0 and high == 0 then break end
    if high ~= 0 or low < 32 or low > 126 then return nil end
    text[#text + 1] = string.char(low)
  end
  return #text > 0 and table.concat(text) or nil
end

-- The service that an event of the Service Control Manager speaks of: names[lower-case key or display name] = key name.
local function service_of(event, names)
  local display, key = event.strings[1], ascii_of(event.data)
  if not names then return display or key end
  return key and names[key:lower()] or display and names[display:lower()]
end

-- The first code that stands where the signal says; data of another size holds something else. 0 is none.
local function code_of(event, places)
  for _, place in ipairs(places or {}) do
    local text, code = event.strings[place], nil
    if text then code = codes.of_text(text) end
    if place == "data" and #event.data == 4 then code = codes.of_data(event.data) end
    if code and code ~= 0 then return code end
  end
end

-- What people read of an event: { time, ticks, log, source, id, record, type, service?, code?, words?, means?, text,
-- strings, recovered }; nil when it is a signal about a service that is not among `names`.
function M.describe(event, names)
  local signal = M.signal_of(event)
  local service = signal and signal.service and service_of(event, names)
  if signal and signal.service and names and not service then return nil end
  local code = signal and code_of(event, signal.code) or nil
  local texts = {}
  for _, text in ipairs(event.strings) do
    if text ~= "" then texts[#texts + 1] = text end
  end
  local text = table.concat(texts, "; ")
  if #text > MAX_SHOWN then
    text = text:sub(1, MAX_SHOWN):gsub("[\192-\255]?[\128-\191]*$", "") .. " ..."
  end
  return {
    time = event.generated, ticks = event.generated_ticks, log = event.log, source = event.source, id = event.id,
    record = event.record, type = event.type, service = service or nil, code = code, text = text,
    words = code and codes.words(code), means = code and codes.means(code) or signal and signal.means or nil,
    strings = event.strings, recovered = event.recovered,
  }
end

-- ---- Reading logs ----

-- The ids of all signals of a log.
local function signal_ids(log)
  local ids = {}
  for _, signal in ipairs(M.signals) do
    if signal.log:lower() == log:lower() then
      for _, id in ipairs(signal.ids) do ids[#ids + 1] = id end
    end
  end
  return ids
end

-- Newest first: by time, within a second by number.
local function newer(a, b)
  if a.time ~= b.time then return (a.time or 0) > (b.time or 0) end
  if a.log ~= b.log then return a.log < b.log end
  return a.record > b.record
end

-- Takes at most `count` events of a log; { log, found = {...}, damaged, problem?, more } or nil, message, code, native.
local function read_log(target, log, query)
  local filter = { source = query.source, ids = query.ids, from = query.from, to = query.to, text = query.text }
  if query.signals then filter.ids = signal_ids(log) end
  local events, message, code, native = target:events(log, filter)
  if not events then return nil, message, code, native end
  local read = { log = log, found = {}, more = false }
  local ok, problem = pcall(function()
    for event in events do
      if not query.signals or M.signal_of(event) then
        local one = M.describe(event, query.signals and query.names or nil)
        if one and #read.found == query.count then
          read.more = true
          return
        end
        read.found[#read.found + 1] = one
      end
    end
  end)
  read.damaged, read.problem = events:damaged(), events:problem()
  events:close()
  if not ok then return nil, problem, "io" end
  return read
end

-- Reads logs, newest first. query: logs, source, ids, from, to (ticks), text, count; names: the services of interest
-- (see M.names); without source, ids, text and logs the signals are looked for. -> { found, logs = { {log, damaged,
-- problem?} }, more, signals }, or nil, message, code, native.
function M.read(target, query)
  query.count = query.count or M.COUNT
  query.signals = not (query.source or query.ids or query.text or query.logs)
  local logs = query.logs or query.signals and { "System" } or M.LOGS
  local result = { found = {}, logs = {}, more = false, signals = query.signals }
  for index, log in ipairs(logs) do
    local read, message, code, native = read_log(target, log, query)
    if not read then return nil, message, code, native end
    result.logs[index] = { log = log, damaged = read.damaged, problem = read.problem }
    result.more = result.more or read.more
    for _, one in ipairs(read.found) do result.found[#result.found + 1] = one end
  end
  table.sort(result.found, newer)
  for index = #result.found, query.count + 1, -1 do
    result.found[index], result.more = nil, true
  end
  return result
end

-- The names of services as events tell them: lower-case key and display names -> key name.
function M.names(services)
  local names = {}
  for _, service in ipairs(services) do
    names[service.name:lower()] = service.name
    local display = service.display or ""
    if display ~= "" then names[display:lower()] = service.name end
  end
  return names
end

-- One line for an event, as findings show evidence: "W3SVC 116 (System): ...".
function M.line(one)
  local parts = { one.words or one.text, one.means }
  return ("%s %d (%s)%s: %s"):format(one.source, one.id, one.log, one.service and ", " .. one.service or "",
    table.concat(parts, "; "))
end

-- The time of an event as text.
function M.time(one)
  return (one.ticks or one.time) and core.time_text(one.ticks or one.time) or "at an unknown time"
end

return M
