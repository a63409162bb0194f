-- plan_spec.lua: plans: steps, services, saving, loading, fitting, applying

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"
local plans = require "keymend.plan"

local OLD, NEW, DAY, RESET = fake.OLD, fake.NEW, fake.DAY, fake.RESET
local path

local function kb()
  return { fake.key(OLD, { made = RESET - 1000 * DAY }), fake.key(NEW, { made = RESET + 82 }) }
end

local function plan_of(keys, more, options, policies)
  local target = fake.target(keys, more)
  local found = assert(diagnosis.run(target, policies or { fake.policy() }, options))
  local plan, message, code = plans.make(found)
  return plan, message, code, target
end

local function text_of(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- Saves the KB's plan, changes the text of the file, and loads it.
local function load_changed(from, to)
  assert(plan_of(kb()):save(path))
  local text, count = text_of(path):gsub(from, to)
  assert(count > 0, from)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return plans.load(path)
end

describe("a plan", function()
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("retires before it adopts, with what was seen", function()
    local plan = plan_of(kb())
    assert.equal(2, #plan.steps)
    local retire, adopt = plan.steps[1], plan.steps[2]
    assert.equal("retire", retire.kind)
    assert.equal(fake.name(NEW), retire.name)
    assert.is_nil(retire.to)
    assert.equal("adopt", adopt.kind)
    assert.equal(fake.name(OLD), adopt.name)
    assert.equal(fake.name(NEW), adopt.to)
    assert.equal(2658, adopt.size)
    assert.equal("100", adopt.identity)
    assert.equal(fake.ticks(RESET - 1000 * DAY), adopt.created_ticks)
    assert.equal(64, #adopt.sha256)
    assert.truthy(#adopt.reason > 0)
    assert.equal(NEW, plan.machine_guid)
    assert.equal("iis5", plan.policies)
  end)

  it("stops all and starts what is automatic", function()
    local plan = plan_of(kb())
    assert.same({ "MSFTPSVC", "SMS_EXECUTIVE", "W3SVC", "IISADMIN" }, plan.stop)
    assert.same({ "IISADMIN", "W3SVC", "SMS_EXECUTIVE" }, plan.start)
  end)

  it("leaves services alone with no_services, and starts none with start none", function()
    local plan = plan_of(kb(), nil, { no_services = true })
    assert.same({}, plan.stop)
    assert.equal("--no-services", plan.overrides)
    plan = plan_of(kb(), nil, nil, { fake.policy { services = { dependents = true, start = "none" } } })
    assert.equal(4, #plan.stop)
    assert.same({}, plan.start)
  end)

  it("has no steps when all is well", function()
    local plan = plan_of { fake.key(NEW, { made = RESET - DAY }) }
    assert.same({}, plan.steps)
    local done, message, code, _, outcome = plan:apply()
    assert.is_nil(done)
    assert.truthy(message:find "nothing to do")
    assert.equal("refused", code)
    assert.equal("untouched", outcome)
  end)

  it("is refused where keymend would guess", function()
    local third = fake.key(fake.THIRD, { made = RESET - 9 })
    local plan, message, code = plan_of { fake.key(OLD, { made = RESET - DAY }), third }
    assert.is_nil(plan)
    assert.equal("refused", code)
    assert.truthy(message:find(fake.IIS, 1, true))
  end)

  it("names what was overruled", function()
    local plan = plan_of(kb(), nil, { onset = RESET, onset_text = "2004-09-13T06:12:40Z", accept_dirty_hive = true,
      times = "t.body", adopt = { fake.name(OLD) } })
    assert.equal("--onset 2004-09-13T06:12:40Z --adopt " .. fake.name(OLD) .. " --times t.body --accept-dirty-hive",
      plan.overrides)
  end)

  it("is handed to the core whole", function()
    local plan, _, _, target = plan_of(kb())
    local stages = {}
    local txn, outcome = plan:apply { progress = function(stage) stages[#stages + 1] = stage end }
    assert.equal("done", outcome)
    assert.equal("committed", txn.state)
    assert.same({ "commit" }, stages)
    assert.equal(2, #target.applied.steps)
    assert.equal(NEW, target.applied.machine_guid)
  end)

  it("of a dirty SOFTWARE hive is made but not applied", function()
    local hives = { { name = "SOFTWARE", path = "C:\\x", sequence1 = 2, sequence2 = 1, dirty = true } }
    local plan, _, _, target = plan_of(kb(), { info = { hives = hives } })
    assert.equal(2, #plan.steps)
    assert.truthy(plan.notes[1]:find("dirty", 1, true))
    local done, message, code = plan:apply()
    assert.is_nil(done)
    assert.equal("refused", code)
    assert.truthy(message:find("--accept-dirty-hive", 1, true))
    assert.is_nil(target.applied)
    plan = plan_of(kb(), { info = { hives = hives } }, { accept_dirty_hive = true })
    assert.truthy(plan:apply())
  end)

  it("is saved and loaded unchanged", function()
    local plan, _, _, target = plan_of(kb())
    assert(plan:save(path))
    local loaded = assert(plans.load(path))
    assert.same(plan:data(), loaded:data())
    assert.is_true(loaded:fit(target))
    assert.truthy(loaded:apply())
    assert.same(plan:data().steps, target.applied.steps)
  end)

  it("is saved the same way each time", function()
    local plan = plan_of(kb())
    assert(plan:save(path))
    local first = text_of(path)
    assert(plan:save(path))
    assert.equal((first:gsub('"made":"[^"]*"', "")), (text_of(path):gsub('"made":"[^"]*"', "")))
  end)

  it("replaces a saved plan or an empty file, and nothing else", function()
    local plan = plan_of(kb())
    assert(plan:save(path))
    assert(plan:save(path))
    for _, text in ipairs { "0|c:/x|1|r|0|0|1|1|1|1|1\n", '{"document":"keymend plan"', '{"schema":1}', "\0" } do
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
      local done, message, code = plan:save(path)
      assert.is_nil(done, text)
      assert.equal("refused", code)
      assert.truthy(message:find(path, 1, true) and message:find("no saved plan", 1, true), message)
      assert.equal(text, text_of(path))
    end
  end)

  it("is not saved where the target is only read", function()
    local facts = require "keymend.facts"
    assert.same({ "/mnt" }, facts.closed_folders { backend = "offline", root = "/mnt", key_store = "C:\\keys" })
    assert.same({ "C:\\keys", "C:\\ProgramData\\keymend" },
      facts.closed_folders { backend = "live", key_store = "C:\\keys", app_data = "C:\\ProgramData" })
    assert.same({}, facts.closed_folders { backend = "live", key_store = "" })
  end)

  it("tells which services it does not start, and which are not here", function()
    local policy = fake.policy { service_patterns = { "IISADMIN", "Nosuchsvc", "nosuchSVC", "SMS_*" } }
    local notes = table.concat(plan_of(kb(), nil, nil, { policy }).notes, "\n")
    assert.truthy(notes:find("does not start it by itself: MSFTPSVC (manual).", 1, true), notes)
    assert.truthy(notes:find("no such service here: Nosuchsvc (policy iis5).", 1, true), notes)
    assert.same({}, plan_of(kb(), nil, { no_services = true }, { policy }).notes)
  end)

  it("that cannot be written says why", function()
    local done, message = plan_of(kb()):save "/nonexistent/plan"
    assert.is_nil(done)
    assert.truthy(message:find("/nonexistent/plan", 1, true))
  end)

  it("file with a wrong field is refused, and the field is named", function()
    local CHANGES = {
      { '"kind":"retire"', '"kind":"delete"', "steps[1].kind" },
      { '"size":%d+', '"size":-1', "steps[1].size" },
      { '"size":%d+', '"size":"1"', "steps[1].size" },
      { '"sha256":"%x+"', '"sha256":"xyz"', "sha256" },
      { '"name":"c2319', '"name":"../c2319', "steps[1].name" },
      { '"to":"c2319%x+', '"to":"evil', "steps[2].to" },
      { '"identity":"%d+"', '"identity":"-1"', "identity" },
      { '"machine_guid":"[^"]+"', '"machine_guid":5', "machine_guid" },
      { '"accept_dirty_hive":false', '"accept_dirty_hive":"yes"', "accept_dirty_hive" },
      { '"stop":%[', '"stop":[5,', "stop" },
      { '"schema":1', '"schema":2', "schema" },
      { "^{", "[", "" },
    }
    for _, change in ipairs(CHANGES) do
      local loaded, message, code = load_changed(change[1], change[2])
      assert.is_nil(loaded, change[2])
      assert.equal("damaged", code, change[2])
      assert.truthy(message:find(change[3], 1, true), message)
      assert.truthy(message:find(path, 1, true), message)
    end
  end)

  it("file without or with too many steps is refused", function()
    local plan = plan_of(kb())
    for _ = 1, 70 do plan.steps[#plan.steps + 1] = plan.steps[2] end
    assert(plan:save(path))
    local loaded, message = plans.load(path)
    assert.is_nil(loaded)
    assert.truthy(message:find("1 to 64 steps", 1, true))
  end)

  it("file that is not there is told", function()
    local loaded, message, code = plans.load "/nonexistent/plan"
    assert.is_nil(loaded)
    assert.equal("not-found", code)
    assert.truthy(message:find("/nonexistent/plan", 1, true))
  end)

  it("does not fit a store that has changed", function()
    assert(plan_of(kb()):save(path))
    local CHANGES = {
      { "machine GUID", function(target) target.facts.machine_guid = OLD end },
      { "key store", function(target) target.facts.key_store = "D:\\elsewhere" end },
      { "content", function(target) target.store[1].sha256 = ("0"):rep(64) end },
      { "content", function(target) target.store[2].size = 1 end },
      { "written", function(target) target.store[1].written_ticks = "5" end },
      { "no such file", function(target) table.remove(target.store, 1) end },
    }
    for _, change in ipairs(CHANGES) do
      local target = fake.target(kb())
      change[2](target)
      local fits, message, code = assert(plans.load(path)):fit(target)
      assert.is_nil(fits, change[1])
      assert.equal("stale", code)
      assert.truthy(message:find(change[1], 1, true), message)
    end
  end)

  it("keeps identities on the same device only", function()
    assert(plan_of(kb()):save(path))
    local loaded = plans.load(path)
    assert.is_true(loaded:fit(fake.target(kb())))
    assert.equal("100", loaded.steps[1].identity)
    local target = fake.target(kb())
    for _, key in ipairs(target.store) do key.device = "8" end
    assert.is_true(loaded:fit(target))
    assert.equal("0", loaded.steps[1].identity)
  end)

  it("must be fitted before it is applied", function()
    assert(plan_of(kb()):save(path))
    assert.has_error(function() plans.load(path):apply() end)
  end)

  it("prints its steps and its hands-on version with real names and paths", function()
    local plan, _, _, target = plan_of(kb())
    local text = plan:text()
    local parts = { "1. retire", "2. adopt", fake.name(OLD), fake.name(NEW), target.facts.key_store, "W3SVC" }
    for _, part in ipairs(parts) do
      assert.truthy(text:find(part, 1, true), part)
    end
    local page = require("keymend.page").buffer()
    require("keymend.manual").print(page, plan)
    text = page:text()
    local del = text:find('del /f /a "' .. fake.name(NEW), 1, true)
    local copy = text:find('xcopy /h /k /o "' .. fake.name(NEW), 1, true)
    local ren = text:find('ren "' .. fake.name(OLD) .. '" ' .. fake.name(NEW), 1, true)
    assert.truthy(copy and del and ren and copy < del and del < ren)
    assert.truthy(text:find('cd /d "' .. target.facts.key_store, 1, true))
    assert.truthy(text:find("net stop", 1, true) < del)
    assert.truthy(text:find("net start", 1, true) > ren)
  end)
end)

describe("the services of a plan", function()
  it("are refused when the journal cannot hold them, and may be left alone", function()
    local plan = plan_of(kb())
    local many = {}
    for index = 1, 1025 do many[index] = "S" .. index end
    for _, what in ipairs { "stop", "start" } do
      plan.stop, plan.start = {}, {}
      plan[what] = many
      assert.truthy(plan:obstacle():find("1025 services to " .. what, 1, true))
      assert.truthy(plan:obstacle():find("--no-services", 1, true))
      plan[what] = { "a", ("x"):rep(1024) }
      assert.truthy(plan:obstacle():find("service 2 to " .. what .. " is 1024 bytes", 1, true))
      local done, _, code, _, outcome = plan:apply()
      assert.same({ "refused", "untouched" }, { code, outcome })
      assert.is_nil(done)
    end
    plan:without_services()
    assert.is_nil(plan:obstacle())
    assert.same({ {}, {} }, { plan.stop, plan.start })
    assert.equal("--no-services", plan.overrides)
    plan:overrule "--accept-dirty-hive"
    plan:without_services()
    assert.equal("--no-services --accept-dirty-hive", plan.overrides)
  end)
end)

describe("a plan for hands", function()
  local function manual(plan)
    local page = require("keymend.page").buffer()
    require("keymend.manual").print(page, plan)
    return page:text()
  end

  it("has no name in a command that cmd would read as commands", function()
    for _, name in ipairs { "x&calc&y", 'a" & calc "', "100%PATH%", "a^b", "a|b", "a<b", "a>b", "a*",
      "a\226\128\174b" } do
      local plan = plan_of(kb())
      plan.stop, plan.start = { "W3SVC", name }, { name }
      plan.steps[2].name = name
      local text = manual(plan)
      for _, command in ipairs { "net stop", "net start", "xcopy", "ren ", "attrib" } do
        for line in text:gmatch "[^\n]+" do
          local bad = line:find("      " .. command, 1, true) == 1 and line:find(name, 1, true)
          assert.is_falsy(bad, line)
        end
      end
      assert.truthy(text:find('net stop "W3SVC"', 1, true))
      assert.is_nil(text:find "net start")
      assert.truthy(text:find("no command line here", 1, true))
    end
  end)

  it("lists by the container's hash, whatever a file is called", function()
    local plan = plan_of(kb())
    plan.steps = { plan.steps[2] }
    plan.steps[1].name = "renamed.OLD"
    local text = manual(plan)
    assert.truthy(text:find('dir /a /tc "' .. fake.HASH .. '*"', 1, true))
    assert.is_nil(text:find("underscore", 1, true))
    assert.truthy(text:find('ren "renamed.OLD" ' .. fake.name(NEW), 1, true))
  end)
end)

describe("the order of a policy", function()
  local graph = require("keymend.graph").new {
    { name = "IISADMIN", depends = { "RpcSs" } }, { name = "W3SVC", depends = { "IISADMIN" } }, { name = "Acme" },
    { name = "SMTPSVC", depends = { "IISADMIN" } }, { name = "CcmExec" }, { name = "RpcSs", group = "Base" },
    { name = "Net", depends_groups = { "Base" } },
  }
  local START = { "Acme", "CcmExec", "IISADMIN", "W3SVC", "SMTPSVC", "Net" }

  local function ordered(order, list)
    local result, against = plans.in_order(list or START, order, graph)
    local pairs_of = {}
    for index, one in ipairs(against) do pairs_of[index] = one.first .. "<" .. one.then_ end
    return table.concat(result, " "), table.concat(pairs_of, " ")
  end

  it("starts a listed service after those before it, and what it needs just before it", function()
    assert.equal("IISADMIN W3SVC Acme CcmExec SMTPSVC Net", (ordered { "W3SVC", "Acme" }))
    assert.equal("Acme IISADMIN SMTPSVC CcmExec W3SVC Net", (ordered { "SMTPSVC", "CcmExec" }))
    assert.equal("Acme IISADMIN SMTPSVC W3SVC CcmExec Net", (ordered { "smtpsvc", "w3*", "CcmExec", "nothing" }))
    assert.equal(table.concat(START, " "), (ordered { "nothing" }))
    assert.equal("RpcSs Net Acme", (ordered({ "Net", "Acme" }, { "Acme", "RpcSs", "Net" })))
  end)

  it("keeps Windows' dependencies, and tells where they contradict", function()
    local result, against = ordered { "W3SVC", "Acme", "IISADMIN" }
    assert.equal("IISADMIN W3SVC Acme CcmExec SMTPSVC Net", result)
    assert.equal("IISADMIN<W3SVC", against)
    result, against = ordered { "SMTPSVC", "W3SVC" }
    assert.equal("Acme CcmExec IISADMIN SMTPSVC W3SVC Net", result)
    assert.equal("", against)
  end)

  it("loses and doubles none, whatever is listed", function()
    for _, order in ipairs { { "*" }, { "Net", "*" }, { "S*", "?cme", "W3SVC" }, { "IISADMIN", "Net", "Acme" } } do
      local result = plans.in_order(START, order, graph)
      local place, sorted = {}, { unpack(result) }
      for index, name in ipairs(result) do place[name] = index end
      assert.is_true(place.IISADMIN < place.W3SVC and place.IISADMIN < place.SMTPSVC)
      local expected = { unpack(START) }
      table.sort(sorted)
      table.sort(expected)
      assert.same(expected, sorted)
    end
  end)
end)
