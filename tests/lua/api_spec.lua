-- api_spec.lua: the module keymend as a script uses it, on a real volume

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local fake = require "fake"
local keymend = require "keymend"
local lfs = require "lfs"
local volume = require "volume"

local WORK = "build/tests/api"

local function open(case, write)
  lfs.mkdir "build"
  lfs.mkdir "build/tests"
  os.execute("rm -rf " .. WORK .. " " .. WORK .. ".times")
  volume.cases = "tests/golden/cases"
  volume.make(WORK, volume.case(case).volume)
  return assert(keymend.open { root = WORK, times = WORK .. ".times", write = write })
end

local function policy_file(text)
  local file = assert(io.open(WORK .. ".lua", "wb"))
  file:write('return policy { name = "own", containers = { "Microsoft Internet Information Server" },\n' .. text .. "}")
  file:close()
  return WORK .. ".lua"
end

describe("keymend", function()
  local target
  after_each(function()
    if target then target:close() end
    os.remove(WORK .. ".lua")
  end)

  it("repairs, tells of it, and undoes", function()
    target = open("kb", true)
    local found = assert(target:diagnose())
    assert.equal("repair", found.verdict)
    assert.truthy(tostring(found.findings[1]):find("^error key.regenerated: "))
    assert.truthy(found:text():find("^Cause:"))
    local plan = assert(target:plan())
    local txn, outcome = plan:apply()
    assert.equal("done", outcome)
    assert.equal("keymend.transaction (" .. txn.id .. ", committed)", tostring(txn))
    assert.equal("healthy", target:diagnose().verdict)
    assert.equal(txn.id, target:history()[1].id)
    assert.truthy(target:history()[1]:text():find("retired", 1, true))
    local undone = assert(txn:undo())
    assert.equal("undone", undone.state)
    assert.equal("repair", target:diagnose().verdict)
    assert.is_true(txn:purge())
  end)

  it("tells of the transaction when one was begun and failed", function()
    target = open("kb", true)
    local plan = assert(target:plan())
    local store = WORK .. "/Documents and Settings/All Users/Application Data/Microsoft/Crypto/RSA/MachineKeys/"
    local old = store .. plan.steps[#plan.steps].name
    local txn, _, _, _, outcome, begun = plan:apply { progress = function(stage)
      if stage == "vault" then
        local file = assert(io.open(old, "ab"))
        file:write "more"
        file:close()
      end
    end }
    assert.is_nil(txn)
    assert.equal("rolled-back", outcome)
    assert.equal("string", type(begun.id))
    assert.same({}, begun.services)
  end)

  it("applies a saved plan once", function()
    target = open("kb", true)
    local path = WORK .. ".plan"
    assert(assert(target:plan()):save(path))
    local plan = assert(keymend.load_plan(path))
    assert.is_true(plan:fit(target))
    assert.truthy(plan:apply())
    local fits, _, code = keymend.load_plan(path):fit(target)
    assert.is_nil(fits)
    assert.equal("stale", code)
    os.remove(path)
  end)

  it("changes nothing without write", function()
    target = open "kb"
    local done, _, code = assert(target:plan()):apply()
    assert.is_nil(done)
    assert.equal("read-only-target", code)
  end)

  it("refuses to guess, and takes a choice", function()
    target = open "twice-none"
    local plan, message, code, _, found = target:plan()
    assert.is_nil(plan)
    assert.equal("refused", code)
    assert.truthy(#message > 0)
    assert.equal("key.ambiguous", found.findings[1].id)
    plan = assert(target:plan { adopt = fake.name(fake.OLD) })
    assert.equal(2, #plan.steps)
    assert.truthy(plan.overrides:find("--adopt", 1, true))
  end)

  it("takes an onset as text, and refuses one without a zone", function()
    target = open "kb"
    assert.equal("repair", target:diagnose({ onset = "2004-09-13T06:14:02Z" }).verdict)
    local found, message, code = target:diagnose { onset = "2004-09-13" }
    assert.is_nil(found)
    assert.equal("option", code)
    assert.truthy(message:find("zone", 1, true))
  end)

  it("runs the functions of a policy", function()
    target = open "twice-none"
    local path = policy_file [[
      adopt = function(keys, case)
        for _, key in ipairs(keys) do
          if key.signature.bits == 1024 and key.time_usable and key.created < case.guid_written - 1e8 then
            return key, "made long before the reset of " .. case.machine_guid
          end
        end
        return nil, "none is old enough"
      end ]]
    local plan = assert(target:plan { policies = path })
    assert.equal(fake.name(fake.OLD), plan.steps[2].name)
    assert.equal("made long before the reset of " .. fake.THIRD, plan.steps[2].reason)
    assert.equal("own", plan.policies)
  end)

  it("names the line when a policy's function fails", function()
    target = open "kb"
    local path = policy_file "adopt = function(keys)\n  return keys.nothing.at_all\nend"
    local plan, message, code = target:plan { policies = path }
    assert.is_nil(plan)
    assert.equal("refused", code)
    assert.truthy(message:find(path .. ":3:", 1, true), message)
  end)

  it("takes the onset of a policy's function", function()
    target = open "kb"
    local path = policy_file [[onset = function() return "2001-04-01T00:00:00Z" end]]
    local found = assert(target:diagnose { policies = path })
    assert.equal("key.onset-mismatch", found.findings[1].id)
  end)
end)
