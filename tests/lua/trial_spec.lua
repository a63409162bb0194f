-- trial_spec.lua: policies check, test and new: problems by line, golden volumes, a template that is in order

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local core = require "keymend.core"
local lint = require "keymend.lint"
local policy = require "keymend.policy"
local trial = require "keymend.trial"

local path = os.tmpname() .. ".lua"

local function load(text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return assert(policy.load(path))
end

local function with(fields)
  return load('return policy { name = "test", applies = has_service "IISADMIN",\n'
    .. 'containers = { "Microsoft Internet Information Server" },\n' .. fields .. "\n}\n")
end

local function problems(fields)
  local loaded, lines = with(fields), {}
  for index, one in ipairs(lint.problems(loaded)) do lines[index] = one.line .. ": " .. one.text end
  policy.close { loaded }
  return table.concat(lines, "\n")
end

local function results(loaded, names)
  local list = {}
  local cases = assert(trial.cases(names))
  assert(trial.run({ loaded }, cases, function(result) list[#list + 1] = result end))
  policy.close { loaded }
  return list
end

describe("lint", function()
  after_each(function() os.remove(path) end)

  it("finds nothing in the shipped policies and the template", function()
    for _, name in ipairs(policy.names()) do
      local loaded = assert(policy.load(name))
      assert.same({}, lint.problems(loaded))
      policy.close { loaded }
    end
    local loaded = load(require "keymend.template" "mine")
    assert.equal("mine", loaded.name)
    assert.same({}, lint.problems(loaded))
    policy.close { loaded }
  end)

  it("names what does not exist in functions that are not called, with line and hint", function()
    assert.equal('4: there is no "ipiars" in a policy; did you mean "ipairs"?',
      problems "adopt = function(keys)\nfor _, key in ipiars(keys) do return key end\nend")
    assert.equal('4: there is no "string.gfind" in a policy; did you mean "find"?',
      problems "adopt = function(keys)\nreturn string.gfind(keys[1].name, 'x')\nend")
    assert.equal('3: there is no "os" in a policy; a policy does not reach the system',
      problems "adopt = function(keys) return keys[os.time()] end")
    assert.equal('4: "found" is set as a global: write "local found"',
      problems "adopt = function(keys)\nfound = keys[1] return keys[1]\nend")
  end)

  it("takes locals, upvalues, parameters and the builders for what they are", function()
    assert.equal("", problems [[
      adopt = function(keys, case)
        local best
        local function take(key) best = best or key end
        for _, key in pairs(keys) do take(key) end
        return best, string.format("%s of %d", case.container, math.floor(1.5))
      end, retire = regenerated]])
  end)

  it("looks into nested functions and tells each line once", function()
    assert.equal('5: there is no "nope" in a policy\n6: there is no "nope" in a policy', problems [[
      checks = { function(keys)
        local function inner()
          nope(); nope()
          return nope
        end
        inner()
      end }]])
  end)
end)

describe("trial", function()
  after_each(function() os.remove(path) end)

  it("tells what a policy would do and why", function()
    local kb = results(with "", { "kb" })[1]
    assert.equal("repair", kb.verdict)
    assert.equal("the KB's case: one regenerated key, one orphan", kb.title)
    local one = kb.containers[1]
    assert.equal("c2319c42033a5ca7f44e731bfd3fa2b5_4cbde50a-570f-47f5-8cc1-f6e151231826", one.adopt)
    assert.equal("c2319c42033a5ca7f44e731bfd3fa2b5_1b2162a0-ed5a-4d56-bd8a-8f2f65406b82", one.retire)
    assert.equal(one.retire, one.as)
    assert.truthy(one.why_adopt:find("backup hive", 1, true))
    assert.truthy(one.why_retire:find("Windows made it", 1, true))
    assert.is_false(kb.differs)
  end)

  it("says where a policy decides otherwise than the shipped ones", function()
    local list = results(with [[adopt = function(keys)
      for _, key in ipairs(keys) do if key.class == "foreign" then return key, "it is the first" end end
    end]], { "kb", "twice-none" })
    assert.is_false(list[1].differs)
    assert.equal("it is the first", list[2].containers[1].why_adopt)
    assert.is_true(list[2].differs)
    assert.same({}, list[2].expected)
  end)

  it("tells other services and those that are not there", function()
    local function of(services)
      local text = 'return policy { extends "iis5", name = "own", services = ' .. services .. " }"
      return results(load(text), { "kb" })[1]
    end
    local same = of "{}"
    assert.is_false(same.services_differ)
    assert.same({}, same.not_here)
    local more = of '{ also = { "SMS_*", "CcmExec", "Spooler", "AcmeGateway" } }'
    assert.is_false(more.differs)
    assert.is_true(more.services_differ)
    assert.same({ "AcmeGateway" }, more.not_here)
    local expected = {}
    for _, name in ipairs(more.start) do if name ~= "Spooler" then expected[#expected + 1] = name end end
    assert.same(expected, more.expected_start)
    assert.is_true(of('{ order = { "W3SVC", "CcmExec" } }').services_differ)
  end)

  it("tells where a policy does not apply, refuses, and fails", function()
    local list = results(with 'applies = has_service "Nope"', { "kb" })
    assert.equal("none", list[1].verdict)
    list = results(with "", { "twice-none" })
    assert.equal("refused", list[1].verdict)
    assert.truthy(list[1].containers[1].refused)
    list = results(with 'adopt = function() error "no way" end', { "kb" })
    assert.equal("failed", list[1].verdict)
    assert.truthy(list[1].problem:find("no way", 1, true))
  end)

  it("decides with the shipped policies as the golden cases expect, on every volume", function()
    local loaded = assert(policy.load_all())
    local cases, seen = trial.cases(), 0
    assert.is_true(#cases >= 60)
    assert(trial.run(loaded, cases, function(result)
      seen = seen + 1
      assert.is_false(result.differs, result.name)
      assert.are_not.equal("failed", result.verdict, result.name .. ": " .. tostring(result.problem))
    end))
    policy.close(loaded)
    assert.equal(#cases, seen)
  end)

  it("names the nearest volume, and leaves out what it cannot make", function()
    local list, message = trial.cases { "twice-non" }
    assert.is_nil(list)
    assert.truthy(message:find('did you mean "twice-none"', 1, true))
    assert.is_nil((trial.cases { "forged-owner" }))
  end)

  it("leaves nothing behind, also after an error", function()
    local base = core.scratch_begin
    local folder
    core.scratch_begin = function() folder = base() return folder end
    local loaded = with ""
    local ran, message = trial.run({ loaded }, trial.cases { "kb" }, function() error "stop here" end)
    core.scratch_begin = base
    policy.close { loaded }
    assert.is_nil(ran)
    assert.truthy(message:find("stop here", 1, true))
    assert.is_nil(io.open(folder .. "/kb.times"))
    assert.is_nil((os.rename(folder, folder .. ".there")))
  end)

  it("never writes over a file", function()
    load "return policy { name = 'x', containers = { 'SMS' } }"
    local made, message, code = core.new_file(path, "other")
    assert.is_nil(made)
    assert.equal("exists", code)
    assert.truthy(message:find(path, 1, true))
  end)
end)
