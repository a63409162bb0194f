-- events.lua: the events that tell of machine keys that do not work, and what they say
--
-- Signals are data: the field knowledge of KB 884872 and of later Windows. A signal:
--   log, sources, ids  where it stands; a source may be called several ways, by Windows version
--   service            it speaks of a service (key name in the data, display name in the first string): only those of
--                      interest count
--   code               where its error code may stand: numbers of strings, "data"
--   means              what it says, where its code says no more
-- Events are matched by numbers and names, never by words, since their texts are localized.
--
-- A policy's own events (its onset rule) are data too: { rule = "event", source, ids, service?, data?, codes? }; see
-- M.fits. M.survey reads all that a diagnosis wants of the System log in one pass.

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
M.MAX_TOLD = 100    -- signals that a diagnosis tells
M.MAX_KEPT = 10000  -- events of one kind that a survey keeps
M.MAX_READ = 500000 -- events that a survey looks at

-- Service Control Manager 7036: a service entered a state. Since Windows Vista its data tells key name and state
-- ("W3SVC/4"); on XP and Server 2003 the strings tell display name and state, in words of the system's language;
-- Windows 2000 writes no such event. EventLog 6005: Windows was started.
local STATE, STARTED = 7036, 6005
-- Service Control Manager: a service did not start, or ended by itself; one of the first strings names it.
local TROUBLE = { [7000] = true, [7001] = true, [7009] = true, [7022] = true, [7031] = true, [7034] = true }
local RUNNING = "4" -- SERVICE_RUNNING
local MAX_IDS = 1000 -- of one filter

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
  local code = code_of(event, signal and signal.code)
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

-- ---- Reading for a diagnosis ----

-- The service that an event names is the one called `wanted` (a key name).
local function is_of(event, wanted, names)
  local service = service_of(event, names)
  if service and service:lower() == wanted:lower() then return true end
  local key = ascii_of(event.data)
  return not names and key ~= nil and key:lower() == wanted:lower()
end

-- Whether an event is what an event of a policy asks for: source and id, and what else it names: the service, the data
-- (all its bytes) and the error code.
function M.fits(wanted, event, names)
  if event.source:lower() ~= wanted.source:lower() or not has(wanted.ids, event.id) then return false end
  if wanted.service and not is_of(event, wanted.service, names) then return false end
  if wanted.data and event.data ~= wanted.data then return false end
  if not wanted.codes then return true end
  local signal = M.signal_of(event)
  local code = code_of(event, signal and signal.code or { "data", 2 })
  return code ~= nil and has(wanted.codes, code)
end

local function stamp(event, more)
  more.time, more.ticks, more.record = event.generated, event.generated_ticks, event.record
  return more
end

-- The service and state of an event 7036: key name (nil: none of `names`), whether it runs (nil: the word tells).
local function state_of(event, names)
  local key, state = (ascii_of(event.data) or ""):match "^(.-)/(%d+)$"
  if key then return names[key:lower()], state == RUNNING end
  return names[(event.strings[1] or ""):lower()], nil
end

-- The words of a log without data for states are learnt from it: the first that it says of a service after Windows was
-- started is the one for "running". Events come newest first.
local function learn(words, event)
  if event.id == STARTED then
    for _, word in pairs(words.first) do words.count[word] = (words.count[word] or 0) + 1 end
    words.first = {}
  elseif event.strings[1] and event.strings[2] then
    words.first[event.strings[1]:lower()] = event.strings[2]
  end
end

local function running_word(words)
  local best, most, tie = nil, 0, false
  for word, count in pairs(words.count) do
    if count > most then best, most, tie = word, count, false elseif count == most then tie = true end
  end
  return not tie and best or nil
end

-- Keeps one thing in a list of the reading while there is room.
local function keep(reading, list, one)
  if #list < M.MAX_KEPT then list[#list + 1] = one else reading.cut = true end
end

local function take_state(reading, event, names, words)
  if event.source:lower() ~= SCM[1]:lower() or not names then return end
  if event.data == "" then learn(words, event) end
  local service, running = state_of(event, names)
  if service then
    keep(reading, reading.states, stamp(event, { service = service, running = running, word = event.strings[2] }))
  end
end

local function take(reading, event, query, words)
  if event.id == STATE then return take_state(reading, event, query.names, words) end
  if event.id == STARTED and event.source:lower() == "eventlog" then
    learn(words, event)
    return keep(reading, reading.starts, stamp(event, {}))
  end
  if TROUBLE[event.id] and event.source:lower() == SCM[1]:lower() and query.names then
    local one = query.names[(event.strings[1] or ""):lower()] or query.names[(event.strings[2] or ""):lower()]
    if one then keep(reading, reading.troubles, stamp(event, { service = one })) end
  end
  local told = M.signal_of(event) and M.describe(event, query.names)
  if told then
    keep(reading, reading.troubles, stamp(event, { service = told.service }))
    if #reading.signals < M.MAX_TOLD then
      reading.signals[#reading.signals + 1] = told
    else
      reading.signals.more = reading.signals.more + 1
    end
  end
  for _, wanted in ipairs(query.wanted or {}) do
    if M.fits(wanted, event, query.names) then
      told = told or M.describe(event)
      keep(reading, reading.matches, { event = told, wanted = wanted })
    end
  end
end

-- The time of the newest or oldest event of a log, whatever it is: { time, ticks }, or nil.
local function edge(target, oldest)
  local walk = target:events("System", { oldest_first = oldest })
  local ok, event = pcall(function() return walk and walk() end)
  if walk then walk:close() end
  return ok and event and event.generated and stamp(event, {}) or nil
end

-- nil where there are more than the reader takes: then every event is looked at.
local function survey_ids(wanted)
  local ids, seen = { STATE, STARTED }, {}
  for id in pairs(TROUBLE) do ids[#ids + 1] = id end
  for _, id in ipairs(signal_ids "System") do ids[#ids + 1] = id end
  for _, one in ipairs(wanted or {}) do
    for _, id in ipairs(one.ids) do ids[#ids + 1] = id end
  end
  local unique = {}
  for _, id in ipairs(ids) do
    if not seen[id] then unique[#unique + 1] = id end
    seen[id] = true
  end
  return #unique <= MAX_IDS and unique or nil
end

-- States whose word is not known say nothing.
local function settle_states(reading, words)
  local running, known = running_word(words), {}
  for _, state in ipairs(reading.states) do
    if state.running == nil and running then state.running = state.word == running end
    state.word = nil
    if state.running ~= nil then known[#known + 1] = state end
  end
  reading.states = known
end

-- Reads what a diagnosis wants of the System log, in one pass. query: names (see M.names; nil: services are not
-- known), wanted (events of policies). All lists newest first:
--   signals   described signals, MAX_TOLD of them, and in .more how many are left
--   matches   { event = described, wanted = the policy's event }
--   states    { time, ticks, record, service, running }: services of `names` that entered a state
--   starts    { time, ticks, record }: when Windows was started
--   troubles  { time, ticks, record, service }: such services that did not start or ended by themselves, and signals
--   newest, oldest { time, ticks } of all events; damaged, problem as the log's reader tells; cut: there were more
-- events than are looked at, and the oldest are left out. nil, message, code, native when the log cannot be read.
function M.survey(target, query)
  local walk, message, code, native = target:events("System", { ids = survey_ids(query.wanted) })
  if not walk then return nil, message, code, native end
  local reading = { signals = { more = 0 }, matches = {}, states = {}, starts = {}, troubles = {},
    cut = false }
  local words, seen = { first = {}, count = {} }, 0
  local ok, problem = pcall(function()
    for event in walk do
      seen = seen + 1
      if seen > M.MAX_READ then
        reading.cut = true
        return
      end
      take(reading, event, query, words)
    end
  end)
  reading.damaged, reading.problem = walk:damaged(), walk:problem()
  walk:close()
  if not ok then return nil, tostring(problem), "io" end
  settle_states(reading, words)
  reading.newest, reading.oldest = edge(target, false), edge(target, true)
  return reading
end

-- One line for an event, as findings show evidence: "W3SVC 116 (System): ...".
function M.line(one)
  local parts = { one.words or one.text, one.means }
  return ("%s %d (%s)%s: %s"):format(one.source, one.id, one.log, one.service and ", " .. one.service or "",
    table.concat(parts, "; "))
end

-- The same in a few words: source, id, service, name of the code.
function M.short(one)
  return ("%s %d%s%s"):format(one.source, one.id, one.service and ", " .. one.service or "",
    one.words and ": " .. one.words:match "^[^:]*" or "")
end

-- The time of an event as text.
function M.time(one)
  return (one.ticks or one.time) and core.time_text(one.ticks or one.time) or "at an unknown time"
end

return M
