-- choice_spec.lua: rules that choose by time, era and name, rules together, and policies that extend others

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local policy = require "keymend.policy"
local rules = require "keymend.rules"

local ONSET = 1000000
local function key(name, made, more)
  local one = { name = name, guid = name, usable_time = made, created_ticks = nil }
  for field, value in pairs(more or {}) do one[field] = value end
  return one
end

local function rule(name, more)
  local one = { rule = name }
  for field, value in pairs(more or {}) do one[field] = value end
  return one
end

local function choose(one, keys, case)
  case = case or { onset = ONSET, info = {}, foreign = {} }
  local chosen, reason = rules.adopt(one, keys, case)
  return chosen and chosen.name, reason
end

describe("a rule by time", function()
  local old, middle, late = key("old", 100), key("middle", 5000), key("late", ONSET + 5)

  it("looks at what was made before the onset alone", function()
    local name, reason = choose(rule "newest_before_onset", { old, late, middle })
    assert.equal("middle", name)
    assert.equal("it is the newest of 2 made before the onset, 1970-01-12T13:46:40Z", reason)
    assert.equal("old", (choose(rule "oldest_before_onset", { late, middle, old })))
  end)

  it("names none where one time is no evidence, or the onset is not known", function()
    local copy = key("copy", nil, { time_problem = "it is a copy" })
    local name, reason = choose(rule "newest_before_onset", { old, copy })
    assert.is_nil(name)
    assert.equal("the creation time of copy is no evidence: it is a copy", reason)
    assert.is_nil((choose(rule "newest_before_onset", { old }, { info = {} })))
    assert.is_nil((choose(rule "oldest_before_onset", { late })))
  end)
end)

describe("master_key_era", function()
  local function of(name, time) return key(name, nil, { era = { time = time, source = "created" } }) end

  it("takes the newest master key from before the onset", function()
    assert.equal("b", (choose(rule "master_key_era", { of("a", 1000), of("b", 500000), of("c", ONSET + 1) })))
  end)

  it("names none where two are too near, or one has no age", function()
    local name, reason = choose(rule "master_key_era", { of("a", 1000), of("b", 2000) })
    assert.is_nil(name)
    assert.truthy(reason:find("do not tell which is the newer", 1, true))
    assert.is_nil((choose(rule "master_key_era", { of("a", 1000), key("b") })))
  end)
end)

describe("by_guid and ask", function()
  it("name by the GUID, also that of a file with the same bytes", function()
    local twin = key("a", 1, { twins = { key "t" } })
    assert.equal("a", (choose(rule("by_guid", { guid = "t" }), { twin, key "b" })))
    assert.is_nil((choose(rule("by_guid", { guid = "x" }), { twin })))
  end)

  it("end a search", function()
    local name, reason = choose({ rule = "first_of", rule "ask", rule "sole_candidate" }, { key "a" })
    assert.is_nil(name)
    assert.equal("the policy leaves the choice to you: name one with --adopt", reason)
  end)
end)

describe("rules together", function()
  local old, new = key("old", 100), key("new", 200)

  it("must agree", function()
    local both = { rule = "all_of", rule "newest_before_onset", rule("by_guid", { guid = "new" }) }
    local name, reason = choose(both, { old, new })
    assert.equal("new", name)
    assert.truthy(reason:find("; and the policy names the GUID new", 1, true), reason)
    both[2].guid = "old"
    name, reason = choose(both, { old, new })
    assert.is_nil(name)
    assert.truthy(reason:find("the rules do not agree", 1, true))
  end)

  it("may be tried one after the other", function()
    local list = { rule = "first_of", rule "sole_candidate", rule "oldest_before_onset" }
    assert.equal("old", (choose(list, { old, new })))
  end)
end)

describe("a retire rule", function()
  local current, old = key("current", ONSET + 600), key("old", 100)
  local case = { current = current, keys = { current, old }, onset = ONSET,
    chosen_onset = { kind = "events", time = ONSET } }
  local function retire(one)
    local chosen, reason = rules.retire(one, case)
    return chosen and chosen.name, reason
  end

  it("counts the minutes from the onset", function()
    local name, reason = retire(rule("within", { minutes = 15 }))
    assert.equal("current", name)
    assert.equal("it was made 10 minutes after the onset, 1970-01-12T13:46:40Z", reason)
    assert.is_nil((retire(rule("within", { minutes = 5 }))))
  end)

  it("does not measure a file by itself", function()
    case.chosen_onset.kind = "regeneration"
    local within = rule("within", { minutes = 15 })
    local name, reason, fault, unjudged = rules.retire(within, case)
    assert.is_nil(name)
    assert.equal("nothing but the current key file itself tells the onset (tell it with --onset)", reason)
    assert.is_nil(fault)
    assert.is_true(unjudged)
    -- What joins it goes on where another rule decides, and says no more than it knows where none does.
    assert.equal("current", (retire { rule = "first_of", within, rule "regenerated" }))
    for _, join in ipairs { "first_of", "all_of" } do
      assert.is_true((select(4, rules.retire({ rule = join, within, within }, case))))
    end
    assert.is_true((select(4, rules.retire({ rule = "all_of", rule "regenerated", within }, case))))
    case.keys[3] = key("newer", ONSET + 700)
    local results = { rules.retire({ rule = "all_of", within, rule "newest_near_onset" }, case) }
    assert.truthy(results[2]:find("newer is newer", 1, true), results[2])
    assert.is_nil(results[4])
    case.keys[3] = nil
    case.chosen_onset.kind = "events"
    assert.is_nil((select(4, rules.retire(rule("within", { minutes = 5 }), case))))
  end)

  it("wants the newest, nearest to the onset", function()
    assert.equal("current", (retire(rule "newest_near_onset")))
    case.keys[3] = key("newer", ONSET + 700)
    local name, reason = retire(rule "newest_near_onset")
    assert.is_nil(name)
    assert.truthy(reason:find("newer is newer", 1, true))
    case.keys[3] = nil
  end)

  it("may be several that agree", function()
    assert.equal("current", (retire { rule = "all_of", rule "regenerated", rule("within", { minutes = 15 }) }))
    assert.is_nil((retire { rule = "all_of", rule "regenerated", rule("within", { minutes = 1 }) }))
  end)
end)

describe("a policy that extends another", function()
  local base, site = os.tmpname() .. ".lua", os.tmpname() .. ".lua"

  local function write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return path
  end

  local function load(text)
    return policy.load(write(site, text))
  end

  after_each(function()
    os.remove(base)
    os.remove(site)
  end)

  it("changes one rule in five lines", function()
    local one = assert(load('return policy {\n  extends = "iis5",\n  name = "iis5-site",\n  adopt = ask,\n}\n'))
    assert.equal("iis5-site", one.name)
    assert.equal("ask", one.adopt.rule)
    assert.equal("884872", one.kb)
    assert.equal("first_failure", one.onset.rule)
    assert.same({ "IISADMIN", "SMS_*", "CcmExec" }, one.service_patterns)
    assert.equal("iis5", one.bases[1].name)
    assert.are_not.equal(require("keymend.core").sha256(one.text), one.sha256)
    policy.close { one }
  end)

  it("may say so as a call", function()
    local one = assert(load 'return policy { extends "iis5", title = "Ours" }')
    assert.equal("iis5", one.name)
    assert.equal("Ours", one.title)
    policy.close { one }
  end)

  it("inherits services part by part, and functions", function()
    write(base, [[return policy { name = "base", containers = "SMS",
      adopt = function(keys) return keys[1], "the first" end,
      services = { "CcmExec", dependents = true } }]])
    local text = 'return policy { extends = %q, services = { also = "W3SVC", order = { "A", "B" } } }'
    local one = assert(load(text:format(base)))
    assert.same({ "CcmExec", "W3SVC" }, one.service_patterns)
    assert.same({ "CcmExec" }, one.user_patterns)
    assert.same({ "A", "B" }, one.order)
    assert.is_true(one.services.dependents)
    assert.equal("the first", one.state:call(one.adopt["function"], { { name = "a" } }, {}).reason)
    policy.close { one }
  end)

  it("names the file and line of a field at fault", function()
    write(base, 'return policy { name = "base",\n  containers = "SMS",\n  kb = 7,\n}\n')
    local one, message = load(('return policy { extends = %q }'):format(base))
    assert.is_nil(one)
    assert.equal(base .. ":3: kb: text was expected, found the number 7", message)
    one, message = load 'return policy {\n  extends = "iis5",\n  services = {\n    order = true,\n  },\n}'
    assert.is_nil(one)
    assert.equal(site .. ":4: services.order: a list of service names was expected, found a boolean", message)
  end)

  it("does not go in circles, and names what is not there", function()
    write(base, ('return policy { extends = %q, containers = "SMS" }'):format(site))
    local one, message = load(('return policy { extends = %q, name = "x" }'):format(base))
    assert.is_nil(one)
    assert.truthy(message:find("extends itself", 1, true), message)
    one, message = load 'return policy { extends = "iis55" }'
    assert.is_nil(one)
    assert.truthy(message:find('there is no policy "iis55"', 1, true), message)
    one, message = load "return policy {\n  extends = 7,\n}"
    assert.is_nil(one)
    assert.equal(site .. ":2: extends: the name of a policy, or a path was expected, found the number 7", message)
  end)
end)

describe("a rule in the wrong field", function()
  it("is told, with those that may stand there", function()
    local path = os.tmpname() .. ".lua"
    local file = assert(io.open(path, "wb"))
    file:write 'return policy { name = "x", containers = "SMS",\n  adopt = within(5),\n}\n'
    file:close()
    local one, message = policy.load(path)
    os.remove(path)
    assert.is_nil(one)
    assert.equal(path .. ":2: adopt: one of all_of, ask, by_guid, first_of, guid_history, master_key_era, "
      .. 'newest_before_onset, oldest_before_onset, proved, sole_candidate or a function was expected, found "within"',
      message)
  end)
end)
