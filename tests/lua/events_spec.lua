-- events_spec.lua: tests of the signals in event logs, and of the verb events

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local core = require "keymend.core"
local events = require "keymend.events"
local fake = require "fake"

local START = fake.RESET + 600

local function utf16(text)
  return (text:gsub(".", "%0\0")) .. "\0\0"
end

local function event(fields)
  local one = { log = "System", record = 1, source = "W3SVC", id = 116, type = "error", strings = {}, data = "",
    generated = START }
  for name, value in pairs(fields) do one[name] = value end
  one.generated_ticks = fake.ticks(one.generated)
  return one
end

local KB = event { record = 11, strings = { "/LM/W3SVC/" }, data = "\3\0\0\0" }
local SCM = event { record = 12, source = "Service Control Manager", id = 7023, generated = START + 1,
  strings = { "World Wide Web Publishing", "%%1008" } }
local ADMIN = event { record = 13, source = "Service Control Manager", id = 7024, generated = START + 2,
  strings = { "Verwaltung", "2148073478" }, data = utf16 "IISADMIN" }
local SPOOLER = event { record = 14, source = "Service Control Manager", id = 7023, generated = START + 3,
  strings = { "Druckwarteschlange", "%%2147942414" }, data = utf16 "Spooler" }
local OTHER = event { record = 15, source = "W3SVC", id = 100, generated = START + 4, strings = { "nothing" } }

-- A target whose logs are tables, newest last; a filter is kept for the tests and applied as the core does.
local function target_with(logs, damaged, problem)
  local target = { asked = {} }
  function target:events(log, filter)
    self.asked[#self.asked + 1] = { log = log, filter = filter }
    if not logs[log] then return nil, "no such log", "not-found", 2 end
    local list = logs[log]
    local at, step = filter.oldest_first and 0 or #list + 1, filter.oldest_first and 1 or -1
    local walk = {
      damaged = function() return damaged or 0 end, problem = function() return problem end,
      close = function() self.closed = true end,
    }
    return setmetatable(walk, { __call = function()
      while list[at + step] do
        at = at + step
        local one, fits = list[at], not filter.ids
        if one == "fault" then error("the log is gone", 0) end
        for _, id in ipairs(filter.ids or {}) do fits = fits or id == one.id end
        if fits and (not filter.source or filter.source:lower() == one.source:lower()) then return one end
      end
    end })
  end
  return target
end

local NAMES = events.names {
  { name = "IISADMIN", display = "IIS Admin Service" }, { name = "W3SVC", display = "World Wide Web Publishing" },
}

describe("signals", function()
  it("are known by source and id, whatever the case", function()
    assert.is_table(events.signal_of(KB))
    assert.is_table(events.signal_of(event { source = "w3svc" }))
    assert.is_nil(events.signal_of(OTHER))
    assert.is_nil(events.signal_of(event { log = "Application" }))
    assert.is_table(events.signal_of(event { source = "Microsoft-Windows-WAS", id = 5005 }))
  end)

  it("tell the KB's words", function()
    local one = events.describe(KB, NAMES)
    assert.equal(3, one.code)
    assert.equal("ERROR_PATH_NOT_FOUND (3): The system cannot find the path specified", one.words)
    assert.equal("/LM/W3SVC/", one.text)
    assert.matches("KB 884872", one.means)
    assert.matches("^W3SVC 116 %(System%): ERROR_PATH_NOT_FOUND", events.line(one))
  end)

  it("know the service by its display name, or by its key name where Windows tells it", function()
    assert.equal("W3SVC", events.describe(SCM, NAMES).service)
    assert.equal(1008, events.describe(SCM, NAMES).code)
    local admin = events.describe(ADMIN, NAMES)
    assert.equal("IISADMIN", admin.service)
    assert.equal("NTE_BAD_SIGNATURE (0x80090006): Invalid Signature", admin.words)
    assert.is_nil(events.describe(SPOOLER, NAMES))
    assert.equal("Druckwarteschlange", events.describe(SPOOLER).service)
    assert.equal(0x8007000E, events.describe(SPOOLER).code)
  end)

  it("take no other data for a code", function()
    local one = events.describe(event { data = "\3\0\0\0more" }, NAMES)
    assert.is_nil(one.code)
    assert.matches("KB 884872", one.means)
    assert.is_nil(events.describe(event { data = "\0\0\0\0" }, NAMES).code)
  end)

  it("cut long texts, not characters", function()
    local one = events.describe(event { id = 1, strings = { ("\195\164"):rep(300) } })
    assert.matches(" %.%.%.$", one.text)
    assert.equal(one.text, core.escape(one.text))
  end)
end)

describe("reading logs", function()
  it("finds the signals, newest first, and leaves the rest out", function()
    local target = target_with { System = { KB, SCM, ADMIN, SPOOLER, OTHER } }
    local result = assert(events.read(target, { names = NAMES }))
    local ids = {}
    for index, one in ipairs(result.found) do ids[index] = one.id end
    assert.same({ 7024, 7023, 116 }, ids)
    assert.is_true(result.signals)
    assert.is_false(result.more)
    assert.is_true(target.closed)
    assert.equal(1, #target.asked)
  end)

  it("takes any event when one is asked for by source, id or log", function()
    local target = target_with { System = { KB, OTHER }, Application = {} }
    local result = assert(events.read(target, { source = "w3svc", names = NAMES }))
    assert.equal(2, #result.found)
    assert.equal("System", target.asked[1].log)
    assert.equal("Application", target.asked[2].log)
    assert.equal(1, #assert(events.read(target, { ids = { 100 } })).found)
    assert.equal(2, #assert(events.read(target, { logs = { "System" } })).found)
  end)

  it("keeps to the count over all logs", function()
    local late = event { log = "Application", record = 1, id = 5, source = "X", generated = START + 100 }
    local target = target_with { System = { KB, SCM, ADMIN }, Application = { late } }
    local result = assert(events.read(target, { logs = { "System", "Application" }, count = 2 }))
    assert.same({ 5, 7024 }, { result.found[1].id, result.found[2].id })
    assert.equal(2, #result.found)
    assert.is_true(result.more)
  end)

  it("hands failures on", function()
    local target = target_with({ System = { KB, "fault", SCM } }, 3)
    local result, message, code = events.read(target, { names = NAMES })
    assert.is_nil(result)
    assert.equal("the log is gone", message)
    assert.equal("io", code)
    assert.is_true(target.closed)
    result, message, code = events.read(target, { logs = { "Nowhere" } })
    assert.same({ false, "no such log", "not-found" }, { result or false, message, code })
  end)

  it("tells how many records were damaged, and what could not be read", function()
    local result = assert(events.read(target_with({ System = {} }, 3, "3 records are damaged"), {}))
    assert.same({ { log = "System", damaged = 3, problem = "3 records are damaged" } }, result.logs)
  end)
end)

describe("a survey of the System log", function()
  local function wanted(fields)
    local one = { rule = "event", source = "Service Control Manager", ids = { 7023 } }
    for name, value in pairs(fields or {}) do one[name] = value end
    return one
  end

  it("finds signals, and what policies ask for", function()
    local own = wanted { source = "w3svc", ids = { 100 } }
    local target = target_with { System = { KB, SCM, ADMIN, SPOOLER, OTHER } }
    local reading = assert(events.survey(target, { names = NAMES, wanted = { own } }))
    assert.equal(3, #reading.signals)
    assert.equal(1, #reading.matches)
    assert.equal(own, reading.matches[1].wanted)
    assert.equal(100, reading.matches[1].event.id)
    assert.equal(START, reading.oldest.time)
    assert.equal(START + 4, reading.newest.time)
  end)

  it("tells services apart by key name and display name", function()
    assert.is_true(events.fits(wanted { service = "w3svc" }, SCM, NAMES))
    assert.is_false(events.fits(wanted { service = "IISADMIN" }, SCM, NAMES))
    assert.is_true(events.fits(wanted { service = "Spooler" }, SPOOLER)) -- names are not known: the data tells
    assert.is_false(events.fits(wanted { service = "Spooler" }, SPOOLER, NAMES))
  end)

  it("compares codes and data", function()
    assert.is_true(events.fits(wanted { codes = { 5, 1008 } }, SCM, NAMES))
    assert.is_false(events.fits(wanted { codes = { 5 } }, SCM, NAMES))
    local kb = wanted { source = "W3SVC", ids = { 116 }, data = "\3\0\0\0" }
    assert.is_true(events.fits(kb, KB, NAMES))
    kb.data = "\3\0"
    assert.is_false(events.fits(kb, KB, NAMES))
  end)

  it("asks for all events when there are more ids than a filter takes", function()
    local many = wanted { ids = {} }
    for id = 1, 2000 do many.ids[id] = id end
    local target = target_with { System = { KB } }
    assert(events.survey(target, { names = NAMES, wanted = { many } }))
    assert.is_nil(target.asked[1].filter.ids)
  end)
end)
