-- use_spec.lua: what the services of a running Windows say of a key container, on fake targets

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local diagnosis = require "keymend.diagnosis"
local fake = require "fake"
local plans = require "keymend.plan"
local use = require "keymend.use"

local OLD, NEW, THIRD, DAY, RESET = fake.OLD, fake.NEW, fake.THIRD, fake.DAY, fake.RESET
local LONG_AGO = RESET - 1000 * DAY
local BAD_SIGNATURE = 0x80090006

local FAILING = { IISADMIN = { "stopped", 1066, BAD_SIGNATURE }, W3SVC = { "stopped", 1008 },
  SMS_EXECUTIVE = { "stopped", 1068 } }
local IDLE = { IISADMIN = { "stopped" }, W3SVC = { "stopped" }, SMS_EXECUTIVE = { "stopped" } }

local function since(seconds)
  return {
    IISADMIN = { "running", started = seconds }, W3SVC = { "running", started = seconds },
    SMS_EXECUTIVE = { "running" },
  }
end

local function judge(keys, states, options, more)
  local target = fake.target(keys, fake.live(states, more))
  local found, message, code = diagnosis.run(target, { fake.policy() }, options)
  return found, message, code, target
end

local function verdict(...)
  local found = judge(...)
  return found.cases[1].verdict, found
end

local function lines(...)
  return fake.lines((judge(...)))
end

local function kb()
  return { fake.key(OLD, { made = LONG_AGO }), fake.key(NEW, { made = RESET + 82 }) }
end

local function has_evidence(finding, text)
  for _, one in ipairs(finding.evidence) do
    if one.text:find(text, 1, true) then return true end
  end
  return false
end

describe("the KB's case on a running Windows", function()
  it("is repaired while a service fails, whatever else runs", function()
    for _, states in ipairs { FAILING, { W3SVC = { "stopped", 1008 } } } do
      local made, found = verdict(kb(), states)
      assert.equal(OLD, made.adopt.guid)
      assert.equal(NEW, made.retire.guid)
      assert.same({ "error key.regenerated", "warning service.failed" }, fake.lines(found))
      assert.truthy(has_evidence(found.findings[1], "W3SVC failed: ERROR_NO_TOKEN (1008): An attempt was made"))
      assert.truthy(found.findings[2].remedy:find("apply then starts", 1, true))
    end
  end)

  it("tells the failures that point at the key, else all", function()
    local found = judge(kb(), FAILING)
    assert.is_true(has_evidence(found.findings[1], "IISADMIN failed"))
    assert.is_false(has_evidence(found.findings[1], "SMS_EXECUTIVE failed"))
    assert.is_true(has_evidence(fake.finding(found, "service.failed"), "SMS_EXECUTIVE failed"))
    found = judge(kb(), { W3SVC = { "stopped", 1067 } })
    assert.is_true(has_evidence(found.findings[1], "W3SVC failed: ERROR_PROCESS_ABORTED (1067)"))
  end)

  it("is repaired when W3SVC ends as the system log of the article says, too", function()
    local states = since(RESET + DAY)
    states.W3SVC = { "stopped", 3 }
    assert.equal(OLD, verdict(kb(), states).adopt.guid)
    assert.same({ "warning service.failed", "info key.healthy" }, lines({ fake.key(NEW, { made = LONG_AGO }) }, states))
  end)

  it("takes a disabled service for none that failed", function()
    local options = fake.live { W3SVC = { "stopped", 1008 } }
    options.service_list[5].start = "disabled"
    local found = assert(diagnosis.run(fake.target(kb(), options), { fake.policy() }))
    assert.same({ "warning key.in-use", "warning service.disabled" }, fake.lines(found))
  end)

  it("tells a service that failed once, whoever names it", function()
    local other = fake.policy { name = "other", containers = { { name = "x", hash = ("a"):rep(32) } } }
    local found = assert(diagnosis.run(fake.target(kb(), fake.live(FAILING)), { fake.policy(), other }))
    local count = 0
    for _, one in ipairs(found.findings) do count = count + (one.id == "service.failed" and 1 or 0) end
    assert.equal(1, count)
  end)

  it("says of services that failed beside an interrupted transaction what comes first", function()
    local options = fake.live(FAILING)
    options.transactions = { { id = "20261123T000000Z-000000", state = "open", begun = RESET, files = {} } }
    local found = assert(diagnosis.run(fake.target(kb(), options), { fake.policy() }))
    local remedy = fake.finding(found, "service.failed").remedy
    assert.truthy(remedy:find("Recover the interrupted transaction first", 1, true), remedy)
  end)

  it("names a service's own code", function()
    local found = judge(kb(), FAILING)
    local failed = fake.finding(found, "service.failed")
    assert.truthy(has_evidence(failed, "IISADMIN failed: NTE_BAD_SIGNATURE (0x80090006)"))
  end)

  it("is repaired while nothing runs", function()
    local made, found = verdict(kb(), IDLE)
    assert.equal(OLD, made.adopt.guid)
    assert.same({ "error key.regenerated" }, fake.lines(found))
  end)

  it("never retires a key whose service was started with it", function()
    local made, found = verdict(kb(), since(RESET + DAY))
    assert.is_true(made.healthy)
    assert.is_nil(made.retire)
    assert.same({ "info key.healthy", "info key.leftover" }, fake.lines(found))
    assert.truthy(has_evidence(found.findings[1], "IISADMIN, which runs, was started then or later"))
    assert.equal("healthy", found.verdict)
  end)

  it("asks whether they were started under this machine GUID, too", function()
    local keys = { fake.key(OLD, { made = LONG_AGO }), fake.key(NEW, { made = LONG_AGO + DAY }) }
    assert.same({ "warning key.in-use" }, lines(keys, since(RESET - DAY)))
    assert.same({ "warning key.in-use" }, lines(keys, since(RESET + 2)))
    assert.same({ "info key.healthy", "info key.leftover" }, lines(keys, since(RESET + 3)))
    assert.same({ "warning key.in-use" }, lines(keys, since(RESET + DAY), nil, { none = { "guid_written" } }))
  end)

  it("never does so on --adopt or --retire either", function()
    for _, options in ipairs { { adopt = { fake.name(OLD) } }, { retire = { fake.name(NEW) } } } do
      local made, found = verdict(kb(), since(RESET + DAY), options)
      assert.truthy(made.refused:find("IISADMIN was started with it and runs; stop it first", 1, true))
      assert.is_nil(made.retire)
      assert.equal("refused", found.verdict)
      assert.is_nil((plans.make(found)))
    end
    assert.equal(OLD, verdict(kb(), IDLE, { adopt = { fake.name(OLD) } }).adopt.guid)
  end)

  it("is refused when it is not known since when the services run", function()
    for _, states in ipairs { {}, since(RESET - DAY), since(RESET + 82), since(RESET + 83) } do
      local made, found = verdict(kb(), states)
      assert.truthy(made.refused)
      assert.is_nil(made.retire)
      assert.same({ "warning key.in-use" }, fake.lines(found))
      assert.equal("refused", found.verdict)
      assert.truthy(found.findings[1].commands[1]:find(fake.name(OLD), 1, true))
    end
    assert.equal(OLD, verdict(kb(), {}, { adopt = { fake.name(OLD) } }).adopt.guid)
  end)

  it("is refused when one runs with the current key and others fail for another reason", function()
    for _, code in ipairs { 1067, 1068, 5, 10048 } do
      local states = since(RESET + DAY)
      states.W3SVC = { "stopped", code }
      local made, found = verdict(kb(), states)
      assert.is_nil(made.retire)
      assert.same({ "warning key.in-use", "warning service.failed" }, fake.lines(found))
      assert.truthy(found.findings[1].text:find("IISADMIN was started with the current one", 1, true))
      assert.is_true(has_evidence(found.findings[1], "W3SVC failed: "))
      assert.truthy(found:text():find("\nAction:   look why other services fail", 1, true), found:text())
      assert.equal("refused", found.verdict)
      assert.equal(OLD, verdict(kb(), states, { adopt = { fake.name(OLD) } }).adopt.guid)
    end
    local states = since(RESET + DAY)
    states.W3SVC = { "stopped", 1008 }
    assert.equal(NEW, verdict(kb(), states).retire.guid)
  end)

  it("is refused while a service that should run is stopped and has not failed", function()
    local states = since(RESET + DAY)
    for _, stopped in ipairs { { "stopped", 0 }, { "stopped", 1077 }, { "start-pending" }, {} } do
      states.W3SVC = stopped
      assert.same({ "warning key.in-use" }, lines(kb(), states))
    end
  end)

  it("asks only the services that the policy names itself", function()
    local policy = fake.policy { service_patterns = { "IISADMIN", "RpcSs" }, user_patterns = { "IISADMIN" } }
    local states = { RpcSs = { "running", started = RESET + DAY } }
    for name, state in pairs(IDLE) do states[name] = state end
    local found = assert(diagnosis.run(fake.target(kb(), fake.live(states)), { policy }))
    assert.equal(OLD, found.cases[1].verdict.adopt.guid)
  end)
end)

describe("a policy's function", function()
  it("sees the services that run or failed, where that is known", function()
    local seen
    local policy = fake.policy { adopt = { ["function"] = function(keys, case)
      seen = case.services
      return keys[1]
    end } }
    assert(diagnosis.run(fake.target(kb(), fake.live(FAILING)), { policy }))
    assert.same({
      { name = "IISADMIN", state = "failed", exit_code = 1066, specific_code = BAD_SIGNATURE },
      { name = "SMS_EXECUTIVE", state = "failed", exit_code = 1068, specific_code = 0 },
      { name = "W3SVC", state = "failed", exit_code = 1008, specific_code = 0 },
    }, seen)
    assert(diagnosis.run(fake.target(kb()), { policy }))
    assert.is_nil(seen)
  end)
end)

describe("a key file that its services use", function()
  it("is healthy, and says so", function()
    local found = judge({ fake.key(NEW, { made = LONG_AGO }) }, {})
    assert.same({ "info key.healthy" }, fake.lines(found))
    assert.truthy(has_evidence(found.findings[1], "its services run: IISADMIN, SMS_EXECUTIVE, W3SVC"))
  end)

  it("and that they refuse is wrong when there is no other", function()
    local found = judge({ fake.key(NEW, { made = LONG_AGO }) }, FAILING)
    assert.same({ "error key.current-wrong", "warning service.failed" }, fake.lines(found))
    assert.equal("broken", found.verdict)
    assert.same({}, fake.finding(found, "key.current-wrong").commands)
    local stray = fake.key(OLD, { made = LONG_AGO })
    stray.name = fake.name(OLD) .. ".OLD"
    found = judge({ fake.key(NEW, { made = LONG_AGO }), stray }, FAILING)
    assert.equal(1, #fake.finding(found, "key.current-wrong").commands)
  end)

  it("is not wrong when they fail for other reasons", function()
    for _, code in ipairs { 1067, 1069, 1053 } do
      local found = judge({ fake.key(NEW, { made = LONG_AGO }) }, { W3SVC = { "stopped", code } })
      assert.same({ "warning service.failed", "info key.healthy" }, fake.lines(found))
    end
  end)
end)

describe("an older key in place beside a newer one", function()
  local function newer()
    return { fake.key(NEW, { made = LONG_AGO }), fake.key(OLD, { made = RESET - DAY }), fake.key(THIRD, {
      made = LONG_AGO - DAY, name = "7a436fe806e483969f48a894af2fe9a1_" .. OLD }) }
  end

  it("is healthy while the services run", function()
    local made, found = verdict(newer(), {})
    assert.is_true(made.healthy)
    assert.is_falsy(made.undecided)
    assert.same({ "info key.newer-foreign" }, fake.lines(found))
    assert.truthy(found.findings[1].text:find("The services run.", 1, true))
    assert.truthy(found:text():find("Cause:    none: the key of", 1, true))
  end)

  it("stays undecided while they are stopped", function()
    assert.is_true(verdict(newer(), IDLE).undecided)
  end)

  it("is refused with both remedies when they fail", function()
    local target = fake.target(newer(), fake.live(FAILING))
    local survey = target.survey
    target.survey = function(self, hashes)
      local result = survey(self, hashes)
      result.guids = { { guid = OLD, files = 7 }, { guid = NEW, files = 2 } }
      return result
    end
    local found = assert(diagnosis.run(target, { fake.policy() }))
    assert.same({ "error key.newer-foreign", "warning service.failed", "info guid.restorable" }, fake.lines(found))
    assert.equal("refused", found.verdict)
    local remedy = found.findings[1].remedy
    assert.truthy(remedy:find(NEW .. ", 2 of the key files here are found; with " .. OLD .. " it would be 7", 1, true))
    local commands = found.findings[1].commands
    assert.equal(2, #commands)
    assert.truthy(commands[1]:find("plan --restore-guid " .. OLD, 1, true))
    assert.truthy(commands[2]:find("plan --adopt ", 1, true))
    assert.truthy(found.findings[2].remedy:find("Decide about the key files first", 1, true))
  end)
end)

describe("an orphaned key", function()
  local function alone() return { fake.key(OLD, { made = LONG_AGO }) } end

  it("whose service still runs is told", function()
    local found = judge(alone(), since(RESET - DAY))
    assert.same({ "error key.orphaned", "warning service.running-orphaned" }, fake.lines(found))
    assert.truthy(found.findings[2].text:find("IISADMIN, SMS_EXECUTIVE, W3SVC", 1, true))
    assert.equal("repair", found.verdict)
  end)

  it("is not told of services that were started without it, or that fail", function()
    local states = since(RESET + DAY)
    states.SMS_EXECUTIVE.started = RESET + DAY
    assert.same({ "error key.orphaned" }, lines(alone(), states))
    assert.same({ "error key.orphaned", "warning service.failed" }, lines(alone(), FAILING))
    assert.same({ "error key.orphaned", "warning service.failed" }, lines(alone(), { W3SVC = { "stopped", 1008 } }))
    assert.same({ "error key.orphaned" }, lines(alone(), IDLE))
  end)
end)

describe("a plan for a running Windows", function()
  local function plan_of(states, more)
    local found = judge(kb(), states, nil, more)
    return assert(plans.make(found)), found
  end

  it("tells which services stop and which start", function()
    local plan, found = plan_of { W3SVC = { "stopped", 1008 } }
    assert.same({ stop = { "SMS_EXECUTIVE", "IISADMIN" }, start = { "W3SVC" } }, plan:effect())
    assert.truthy(found:text():find("Downtime: about a minute: SMS_EXECUTIVE and IISADMIN stop and start again; W3SVC\n"
      .. "          starts.", 1, true), found:text())
    local text = plan:text()
    assert.truthy(text:find("Running now: SMS_EXECUTIVE, IISADMIN.", 1, true), text)
    assert.is_nil(text:find("Deferred", 1, true))
    assert.truthy(text:find("What keymend has stopped of these it starts again", 1, true))
    plan, found = plan_of(FAILING)
    assert.same({ stop = {}, start = { "IISADMIN", "W3SVC", "SMS_EXECUTIVE" } }, plan:effect())
    assert.truthy(found:text():find("Downtime: none: nothing that runs is stopped; IISADMIN, W3SVC and", 1, true))
    plan:without_services()
    assert.is_nil(plan:effect())
  end)

  it("tells nothing where no state is known", function()
    local target = fake.target(kb(), { info = { backend = "live" } })
    local found = assert(diagnosis.run(target, { fake.policy() }))
    assert.is_nil(plans.from_diagnosis(found):effect())
    assert.truthy(found:text():find("about a minute: up to 4 services stop and start", 1, true))
  end)

  it("takes a service whose state cannot be had for one that may run", function()
    assert.same({ "SMS_EXECUTIVE", "W3SVC", "IISADMIN" }, plan_of({ W3SVC = {} , SMS_EXECUTIVE = { "running" },
      IISADMIN = { "running" }, MSFTPSVC = { "stopped", 1067 } }):effect().stop)
  end)

  it("says beforehand that a restart will be due", function()
    local plan, found = plan_of { W3SVC = { "stopped", 1008 }, IISADMIN = { "running", stoppable = false } }
    assert.truthy(found:text():find("\nDowntime: that of a restart of Windows: IISADMIN takes no stop.\n", 1, true))
    assert.truthy(plan:text():find("does not stop this service while it runs, so a restart of\n", 1, true), plan:text())
  end)
end)

describe("what became of services", function()
  local RESULTS = {
    { name = "TermService", action = "stop", status = "unsupported", state = "running", message = "it takes no stop" },
    { name = "W3SVC", action = "stop", status = "ok", state = "stopped" },
    { name = "IISADMIN", action = "start", status = "ok", state = "running" },
    { name = "W3SVC", action = "start", status = "io", state = "stopped", exit_code = 1008,
      message = "start W3SVC: no" },
  }

  it("is a finding for each kind", function()
    local list = use.findings(RESULTS, "keymend undo X")
    assert.equal(2, #list)
    assert.equal("service.start-failed", list[1].id)
    assert.equal("error", list[1].severity)
    assert.truthy(list[1].evidence[1].text:find("W3SVC failed: ERROR_NO_TOKEN (1008)", 1, true))
    local late = { name = "A", action = "start", status = "busy", message = "start service A: too late." }
    late = use.findings { late }
    assert.equal("start service A: too late", late[1].evidence[1].text)
    assert.same({ "keymend undo X" }, list[1].commands)
    assert.equal("service.restart-due", list[2].id)
    assert.truthy(list[2].text:find("TermService", 1, true))
    assert.equal("it takes no stop", list[2].evidence[1].text)
    local silent = use.findings { { name = "A", action = "stop", status = "unsupported" } }
    assert.equal("A: not supported here", silent[1].evidence[1].text)
    assert.is_true(use.restart_due(RESULTS))
    assert.is_false(use.restart_due { { name = "A", action = "stop", status = "busy" } })
    assert.same({}, use.findings {})
    assert.same({}, use.findings(nil))
    assert.is_false(use.restart_due(nil))
  end)

  it("stands among the findings afterwards, once", function()
    local found = judge({ fake.key(NEW, { made = LONG_AGO }) }, { W3SVC = { "stopped", 1008 } },
      { service_results = RESULTS, undo = "keymend undo X" })
    assert.same({ "error key.current-wrong", "error service.start-failed", "warning service.restart-due" },
      fake.lines(found))
  end)
end)
