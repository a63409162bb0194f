-- document_spec.lua: the JSON document: stable, with lists that are lists

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local document = require "keymend.document"
local fake = require "fake"
local json = require "dkjson"

describe("the document", function()
  it("keeps the order of keys, and empty lists are lists", function()
    local text = document.encode { b = 1, a = {}, schema = 1, c = { z = 1, y = { 1, 2 } } }
    local order = {}
    for key in text:gmatch '"(%l+)":' do order[#order + 1] = key end
    assert.same({ "schema", "a", "b", "c", "y", "z" }, order)
    assert.truthy(text:find '"a":%[%]')
  end)

  it("escapes control and bidi characters", function()
    local text = document.encode { "a\27\127\226\128\174\216\156\194\155" }
    assert.is_nil(text:find "[\27\127]")
    assert.is_nil(text:find "\226\128\174")
    assert.is_nil(text:find "\216\156")
    assert.is_nil(text:find "\194\155")
    assert.equal("a\27\127\226\128\174\216\156\194\155", json.decode(text)[1])
  end)

  it("is valid UTF-8 whatever a name holds", function()
    local text = document.encode { "a\255\192\128", "\237\130" }
    assert.is_nil(text:find "[\192\193\245-\255]")
    for _, broken in ipairs {
      "\237\160\128", "\244\144\128\128", "\224\128\128", "\240\128\128\128", "\194", "\128", "\226\130",
    } do
      assert.is_nil(document.encode({ "a" .. broken .. "b" }):find "[\128-\255]", broken)
      assert.is_nil(document.quote("a" .. broken):find "[\128-\255]", broken)
    end
    for _, whole in ipairs {
      "\195\164", "\224\164\132", "\237\159\191", "\238\128\160", "\240\159\152\128", "\244\128\128\128",
      "\239\188\161",
    } do
      assert.equal(whole, json.decode(document.encode { whole })[1])
    end
  end)

  it("has every field of a run, null where there is nothing", function()
    local made = json.decode(document.encode(document.frame("keys", {})), 1, "null")
    for _, field in ipairs { "target", "plan", "transaction", "error" } do assert.equal("null", made[field]) end
    assert.equal(1, made.schema)
    assert.equal("keys", made.verb)
    assert.is_false(made.changed)
    assert.equal(0, made.exit)
    assert.truthy(made.time:find "^%d+%-%d+%-%d+T%d+:%d+:%d+Z$")
  end)

  it("tells a diagnosis with all its evidence", function()
    local target = fake.target {
      fake.key(fake.OLD, { made = fake.RESET - fake.DAY }), fake.key(fake.NEW, { made = fake.RESET + 82 }),
    }
    local found = assert(diagnosis.run(target, { fake.policy() }))
    local made = json.decode(document.encode {
      findings = document.findings(found.findings), cases = document.cases(found.cases),
      target = document.target(found.info), plan = document.plan(require("keymend.plan").make(found)),
    }, 1, "null")
    assert.equal("key.regenerated", made.findings[1].id)
    assert.equal("2004-09-13T06:12:40Z", made.findings[1].evidence[2].time)
    assert.equal(fake.name(fake.OLD), made.cases[1].adopt)
    assert.equal("2004-09-13T06:14:02Z", made.cases[1].keys[1].created)
    assert.equal(fake.ticks(fake.RESET + 82), made.cases[1].keys[1].created_ticks)
    assert.same({}, made.cases[1].keys[1].faults)
    assert.same({}, made.target.old_guids)
    assert.equal("retire", made.plan.steps[1].kind)
    assert.equal("null", made.plan.steps[1].to)
  end)

  it("tells onsets, master keys and events with their times", function()
    local rule = { rule = "first_failure", { rule = "event", source = "W3SVC", ids = { 116 } } }
    local at = fake.RESET + 90
    local failure = { log = "System", record = 1, source = "W3SVC", id = 116, type = "error", strings = {},
      data = "\3\0\0\0", generated = at, generated_ticks = fake.ticks(at), recovered = false }
    local target = fake.target({
      fake.key(fake.OLD, { made = fake.RESET - fake.DAY }), fake.key(fake.NEW, { made = fake.RESET + 82 }),
    }, { log = { failure } })
    local found = assert(diagnosis.run(target, { fake.policy { onset = rule } }))
    local made = json.decode(document.encode {
      cases = document.cases(found.cases), events = document.diagnosed_events(found.events),
    }, 1, "null")
    local onset = made.cases[1].onsets[1]
    assert.equal("2004-09-13T06:14:10Z", onset.time)
    assert.equal(fake.ticks(at), onset.time_ticks)
    assert.is_true(onset.chosen)
    assert.same({ fake.name(fake.NEW) }, onset.keys)
    assert.equal("guid-written", onset["for"][1].kind)
    assert.equal("log", onset.against[1].kind)
    assert.equal("null", made.cases[1].eras[1].time)
    assert.equal("2004-09-13T06:14:10Z", made.events.list[1].time)
    assert.equal("ERROR_PATH_NOT_FOUND", made.events.list[1].code_name)
    assert.same({ { log = "System", damaged = 0, problem = "null" } }, made.events.logs)
    target = fake.target {}
    assert.same({}, document.diagnosed_events(assert(diagnosis.run(target, {})).events).logs)
  end)
end)
