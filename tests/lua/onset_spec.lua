-- onset_spec.lua: when a problem began: failures and successes of logs, key files made because of it, contradictions

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"

local OLD, NEW, THIRD, DAY, RESET = fake.OLD, fake.NEW, fake.THIRD, fake.DAY, fake.RESET
local LONG_AGO = RESET - 1000 * DAY
local SCM = "Service Control Manager"
local W3SVC = "World Wide Web Publishing"

local RULE = { rule = "first_failure",
  { rule = "event", source = "W3SVC", ids = { 116 } },
  { rule = "event", source = SCM, ids = { 7023 }, service = "W3SVC" },
}

local function policy(fields)
  local made = fake.policy(fields)
  made.onset = made.onset.rule == "regeneration" and RULE or made.onset
  return made
end

local function event(id, time, fields)
  local one = { log = "System", source = SCM, id = id, type = "error", strings = {}, data = "", generated = time,
    generated_ticks = fake.ticks(time), recovered = false }
  for name, value in pairs(fields or {}) do one[name] = value end
  return one
end

local function boot(time) return event(6005, time, { source = "EventLog" }) end
local function failure(time) return event(116, time, { source = "W3SVC", data = "\3\0\0\0" }) end
local function other(time) return event(10, time, { source = "Print" }) end
local function state(time, word, name) return event(7036, time, { strings = { name or W3SVC, word } }) end

local function numbered(list)
  for index, one in ipairs(list) do one.record = index end
  return list
end

local function log(...) return numbered { ... } end

local function judge(keys, more, options, own)
  return assert(diagnosis.run(fake.target(keys, more), { own or policy() }, options))
end

local function kb(made)
  return { fake.key(OLD, { made = LONG_AGO }), fake.key(NEW, { made = made or RESET + 82 }) }
end

-- Reset twice: the first reset at RESET, the second 50 days later.
local function twice()
  return { fake.key(OLD, { made = LONG_AGO }), fake.key(NEW, { made = RESET + 82 }),
    fake.key(THIRD, { made = RESET + 50 * DAY + 82 }) }
end

local function twice_more(list)
  return { log = list, info = { guid = THIRD, machine_guid = THIRD, guid_written = RESET + 50 * DAY,
    guid_written_ticks = fake.ticks(RESET + 50 * DAY) } }
end

local function chosen(found)
  for _, one in ipairs(found.cases[1].onsets) do
    if one.chosen then return one end
  end
end

local function kinds(rows)
  local list = {}
  for index, one in ipairs(rows) do list[index] = one.kind end
  return table.concat(list, " ")
end

describe("the onset by events", function()
  it("is the first failure after the last success", function()
    local found = judge(kb(), { log = log(boot(RESET - 9 * DAY), other(RESET - 8 * DAY), boot(RESET + 60),
      failure(RESET + 90), failure(RESET + DAY)) })
    local one = chosen(found)
    assert.equal(RESET + 90, one.time)
    assert.equal(fake.ticks(RESET + 90), one.ticks)
    assert.same({ fake.name(NEW) }, one.keys)
    assert.equal("success event guid-written created", kinds(one.pro))
    assert.same({}, one.contra)
    assert.same({ "error key.regenerated" }, fake.lines(found))
    local rows = {}
    for _, row in ipairs(found.findings[1].evidence) do rows[#rows + 1] = row.kind end
    assert.equal("created guid-written created onset for for for proof choice", table.concat(rows, " "))
  end)

  it("passes over failures that ended", function()
    local early = RESET - 30 * DAY
    local found = judge(kb(), { log = log(failure(early), boot(early + DAY), other(early + 2 * DAY),
      failure(RESET + 90)) })
    assert.equal(RESET + 90, chosen(found).time)
    local former = found.cases[1].onsets[1]
    assert.equal(early, former.time)
    assert.is_false(former.chosen)
    assert.equal("success", kinds(former.contra))
  end)

  it("takes no other service's failure, nor another code's", function()
    local spooler = event(7023, RESET - DAY, { strings = { "Print Spooler", "%%3" } })
    local found = judge(kb(), { log = log(spooler, event(7023, RESET + 95, { strings = { W3SVC, "%%3" } })) })
    assert.equal(RESET + 95, chosen(found).time)
    local strict = policy { onset = { rule = "first_failure",
      { rule = "event", source = SCM, ids = { 7023 }, service = "W3SVC", codes = { 1008 } } } }
    local list = log(event(7023, RESET - DAY, { strings = { W3SVC, "%%3" } }),
      event(7023, RESET + 95, { strings = { W3SVC, "%%1008" } }))
    assert.equal(RESET + 95, chosen(judge(kb(), { log = list }, nil, strict)).time)
    strict.onset = { rule = "first_failure", { rule = "event", source = "w3svc", ids = { 116 }, data = "\3\0\0\0" } }
    list = log(event(116, RESET - DAY, { source = "W3SVC", data = "\5\0\0\0" }), failure(RESET + 95))
    assert.equal(RESET + 95, chosen(judge(kb(), { log = list }, nil, strict)).time)
  end)

  it("falls back on the making of the current key file, and says why", function()
    for why, more in pairs {
      ["there is no System log"] = {},
      ["cannot be read: it is locked"] = { log_error = { "it is locked", "access" } },
      ["tells no failure%)"] = { log = log(other(RESET)) },
      ["no failure after the last known success"] = { log = log(failure(RESET + 90), boot(RESET + DAY),
        other(RESET + 2 * DAY)) },
    } do
      local one = chosen(judge(kb(), more))
      assert.equal(RESET + 82, one.time)
      assert.matches(why, one.reason)
    end
  end)

  it("reads the log once, and none when nothing is wrong or no policy applies", function()
    local target = fake.target(kb(), { log = log(failure(RESET + 90)) })
    assert(diagnosis.run(target, { policy() }))
    assert.equal(3, target.readings) -- the events, the newest, the oldest
    target = fake.target({}, { log = log(failure(RESET + 90)) })
    assert(diagnosis.run(target, {}))
    assert.is_nil(target.readings)
  end)

  it("tells the signals of the log, the newest, and counts the rest", function()
    local events, list = require "keymend.events", {}
    for index = 1, events.MAX_TOLD + 7 do list[index] = failure(RESET + 90 + index) end
    local found = judge(kb(), { log = numbered(list) })
    assert.equal(events.MAX_TOLD, #found.events)
    assert.equal(7, found.events.more)
    assert.equal(RESET + 90 + #list, found.events[1].time)
    assert.equal(events.MAX_TOLD + 6, tonumber(chosen(found).pro[1].text:match "^(%d+) more"))
  end)
end)

describe("two resets", function()
  local first = { boot(RESET + 60), failure(RESET + 90), failure(RESET + 50 * DAY + 90) }
  local again = { first[1], first[2], boot(RESET + 20 * DAY), failure(RESET + 20 * DAY + 50), first[3] }

  it("whose first one began the failures leave the oldest key", function()
    local found = judge(twice(), twice_more(log(unpack(again))))
    local case = found.cases[1]
    assert.equal(fake.name(OLD), case.verdict.adopt.name)
    assert.equal(fake.name(THIRD), case.verdict.retire.name)
    assert.equal(2, #case.onsets)
    assert.is_true(case.onsets[1].chosen)
    assert.same({ fake.name(NEW) }, case.onsets[1].keys)
    assert.same({ fake.name(THIRD) }, case.onsets[2].keys)
    assert.equal(RESET + 50 * DAY + 82, case.onsets[2].time)
    for _, key in ipairs(case.keys) do
      assert.equal(key.name == fake.name(NEW), key.regenerated ~= nil)
      if key.regenerated then assert.is_false(key.candidate) end
    end
  end)

  it("leave both where the failure was not seen again, by another code, or in a log with gaps", function()
    local function with(change)
      local more = twice_more(log(unpack(again)))
      change(more)
      return fake.lines(judge(twice(), more))
    end
    assert.same({ "error key.regenerated" }, with(function() end))
    assert.same({ "error key.ambiguous" }, with(function(more) table.remove(more.log, 4) end))
    assert.same({ "error key.ambiguous" }, with(function(more) table.remove(more.log, 3) end))
    assert.same({ "error key.ambiguous" }, with(function(more)
      more.log[4] = event(116, RESET + 20 * DAY + 50, { source = "W3SVC", data = "\5\0\0\0", record = 4 })
    end))
  end)

  it("leave both where the service was well between", function()
    local between = RESET + 10 * DAY
    local found = judge(twice(), twice_more(log(first[1], first[2], boot(between), other(between + DAY), first[3])))
    assert.same({ "error key.ambiguous" }, fake.lines(found))
    assert.equal(RESET + 50 * DAY + 90, chosen(found).time)
    assert.equal(2, #found.cases[1].candidates)
  end)

  it("leave both where the failures are no reset's", function()
    local found = judge(twice(), twice_more(log(failure(RESET + 20 * DAY), failure(RESET + 50 * DAY + 90))))
    assert.equal("refused", found.verdict)
    assert.equal(2, #found.cases[1].candidates)
  end)

  it("are refused when nothing older than the first failure is left", function()
    local keys = twice()
    table.remove(keys, 1)
    local found = judge(keys, twice_more(log(unpack(first))))
    assert.same({ "error key.ambiguous" }, fake.lines(found))
    assert.matches("nothing older than the first failure", found.refusals[1])
  end)

  it("leave the oldest key when --onset names the first", function()
    local found = judge(twice(), twice_more(), { onset = RESET - 600, onset_ticks = fake.ticks(RESET - 600) })
    assert.equal(fake.name(OLD), found.cases[1].verdict.adopt.name)
  end)

  it("leave a proved key, whenever it was made", function()
    local keys = twice()
    local more = twice_more(log(unpack(first)))
    more.rows = { [keys[2].name] = {
      { kind = "certificate", verdict = "proved", what = "certificate of WEB01", where = "MY", text = "it fits" },
    } }
    local found = judge(keys, more)
    assert.equal(2, #found.cases[1].candidates)
  end)
end)

describe("successes", function()
  local words = { "Ausgef\195\188hrt", "Beendet" }

  it("are known by words that the log itself explains", function()
    local late = RESET + 2 * DAY
    local list = log(boot(RESET - DAY), state(RESET - DAY + 20, words[1], "RPC"), state(RESET - DAY + 30, words[1]),
      state(RESET - 300, words[2]), boot(late), state(late + 20, words[1], "RPC"), state(late + 30, words[1]),
      state(late + 5000, words[2]))
    local found = judge(kb(), { log = list })
    assert.same({ "warning key.in-use" }, fake.lines(found))
    assert.matches("W3SVC started", found.refusals[1])
  end)

  it("are not guessed where the words are not explained", function()
    local found = judge(kb(), { log = log(state(RESET + DAY, words[1]), state(RESET + 2 * DAY, words[2])) })
    assert.same({ "error key.regenerated" }, fake.lines(found))
  end)

  it("are known by the data of later Windows", function()
    local one = state(RESET + DAY, "running")
    one.data = ("W3SVC/4"):gsub(".", "%0\0") .. "\0\0"
    assert.same({ "warning key.in-use" }, fake.lines(judge(kb(), { log = log(one) })))
    one.data = ("W3SVC/1"):gsub(".", "%0\0") .. "\0\0"
    assert.same({ "error key.regenerated" }, fake.lines(judge(kb(), { log = log(one) })))
    one.data = ("IISADMIN/4"):gsub(".", "%0\0") .. "\0\0"
    assert.same({ "error key.regenerated" }, fake.lines(judge(kb(), { log = log(one) })))
  end)

  it("are none when the service fails soon after", function()
    local one = state(RESET + DAY, "running")
    one.data = ("W3SVC/4"):gsub(".", "%0\0") .. "\0\0"
    local found = judge(kb(), { log = log(one, failure(RESET + DAY + 5)) })
    assert.same({ "error key.regenerated" }, fake.lines(found))
    assert.equal(RESET + DAY + 5, chosen(found).time)
  end)

  it("before failures keep the key", function()
    local one = state(RESET + DAY, "running")
    one.data = ("W3SVC/4"):gsub(".", "%0\0") .. "\0\0"
    local fails = failure(RESET + 3 * DAY)
    assert.same({ "error key.onset-mismatch" }, fake.lines(judge(kb(), { log = log(one, fails) })))
    local other_code = event(7023, RESET + 3 * DAY, { strings = { W3SVC, "%%10048" } })
    assert.same({ "warning key.in-use" }, fake.lines(judge(kb(), { log = log(one, other_code) })))
    local found = judge(kb(), { log = log(boot(RESET + DAY - 60), one, fails) })
    assert.same({ "warning key.in-use" }, fake.lines(found))
  end)

  it("are no quiet starts while another service failure or the end of the log is near", function()
    local trouble = event(7001, RESET + DAY + 30, { strings = { W3SVC, "IIS Admin Service" } })
    for _, list in ipairs {
      log(failure(RESET + 90), boot(RESET + DAY), trouble, other(RESET + 2 * DAY)),
      log(failure(RESET + 90), boot(RESET + DAY), other(RESET + DAY + 60)),
      log(failure(RESET + 90), boot(RESET + DAY), boot(RESET + DAY + 60), failure(RESET + DAY + 90)),
    } do
      assert.equal(RESET + 90, chosen(judge(kb(), { log = list })).time)
    end
  end)

  it("are keymend's own repairs", function()
    local txn = { id = "20260101T000000Z-000001", state = "committed", ended = RESET + DAY, ended_ticks =
      fake.ticks(RESET + DAY), files = { { before = fake.name(OLD), after = fake.name(NEW), sha256 = "x" } } }
    local found = judge(kb(), { log = log(failure(RESET + 90), failure(RESET + 2 * DAY)), transactions = { txn } })
    assert.equal(RESET + 2 * DAY, chosen(found).time)
    assert.matches("keymend adopted a key file", chosen(found).pro[1].text)
  end)
end)

describe("contradictions", function()
  local function rows(found)
    local one = fake.finding(found, "onset.contradiction")
    return one and #one.evidence - 1 or 0
  end

  it("are failures long before any key file was made", function()
    assert.equal(1, rows(judge(kb(), { log = log(failure(RESET - 90 * DAY)) })))
    assert.equal(0, rows(judge(kb(), { log = log(failure(RESET + 90)) })))
  end)

  it("are a start without failures since, when --onset is given; else it keeps the key", function()
    local more = { log = log(boot(RESET + DAY), other(RESET + 2 * DAY)) }
    assert.same({ "warning key.in-use" }, fake.lines(judge(kb(), more)))
    assert.equal(1, rows(judge(kb(), more, { onset = RESET, onset_ticks = fake.ticks(RESET) })))
  end)

  it("are an --onset that the log denies", function()
    local given = { onset = RESET, onset_ticks = fake.ticks(RESET) }
    assert.equal(1, rows(judge(kb(), { log = log(failure(RESET - 3 * DAY)) }, given)))
    assert.equal(1, rows(judge(kb(), { log = log(failure(RESET + 3 * DAY)) }, given)))
    assert.equal(0, rows(judge(kb(), { log = log(failure(RESET + 90)) }, given)))
  end)

  it("are a backup that still names the old GUID later", function()
    local function with(saved)
      return { log = log(failure(RESET + 90)), info = { old_guids = { { guid = OLD, path = "repair\\software",
        saved = saved, saved_ticks = fake.ticks(saved) } } } }
    end
    assert.equal(1, rows(judge(kb(), with(RESET + 5 * DAY))))
    local found = judge(kb(), with(RESET - 5 * DAY))
    assert.equal(0, rows(found))
    local pro = chosen(found).pro
    assert.equal("backup", pro[#pro].kind)
    assert.equal(RESET - 5 * DAY, pro[#pro].time)
  end)

  it("leave a backup of before the regeneration its say", function()
    local old = { { guid = OLD, path = "repair\\software", saved = RESET - 10 * DAY } }
    local keys = { fake.key(OLD, { made = LONG_AGO }), fake.key(THIRD, { made = LONG_AGO + DAY }),
      fake.key(NEW, { made = RESET + 82 }) }
    local found = judge(keys, { log = log(failure(RESET - 90 * DAY)), info = { old_guids = old } })
    assert.equal(fake.name(OLD), found.cases[1].verdict.adopt.name)
  end)

  it("do not matter to a container in order", function()
    local found = judge({ fake.key(NEW, { made = LONG_AGO }) }, { log = log(failure(RESET - 90 * DAY)) })
    assert.same({ "info key.healthy" }, fake.lines(found))
    assert.same({}, found.cases[1].onsets)
  end)
end)

describe("a policy's function for the onset", function()
  local function with(answer)
    return policy { onset = { rule = "own", ["function"] = function() return answer end } }
  end

  it("counts, and leaves out what was made later", function()
    local found = judge(twice(), twice_more(), nil, with(RESET + 60))
    assert.equal(fake.name(OLD), found.cases[1].verdict.adopt.name)
    assert.equal("from the policy's onset rule", chosen(found).reason)
  end)

  it("is asked only when it matters", function()
    local asked = false
    local own = policy { onset = { rule = "own", ["function"] = function()
      asked = true
      return RESET
    end } }
    judge({ fake.key(OLD, { made = LONG_AGO }) }, nil, nil, own)
    assert.is_false(asked)
  end)
end)

describe("a hostile log", function()
  it("is read within bounds", function()
    local events, list = require "keymend.events", {}
    for index = 1, events.MAX_KEPT + 50 do list[index] = failure(RESET + 90 + index) end
    local found = judge(kb(), { log = numbered(list) })
    local one = chosen(found)
    assert.equal(RESET + 90 + 51, one.time)
    assert.equal("log", one.contra[1].kind)
  end)

  it("that fails while it is read is no log", function()
    local target = fake.target(kb(), {})
    target.events = function()
      return setmetatable({ close = function() end, damaged = function() return 0 end, problem = function() end },
        { __call = function() error("the log is gone", 0) end })
    end
    local found = assert(diagnosis.run(target, { policy() }))
    assert.matches("cannot be read: the log is gone", chosen(found).reason)
    assert.equal("the log is gone", found.events.problem)
  end)
end)
