-- rules_spec.lua: conditions of policies, how narrow they are, and versions of Windows

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local fake = require "fake"
local graph = require "keymend.graph"
local rules = require "keymend.rules"
local spelling = require "keymend.spelling"

local function applies(rule, version)
  local target = fake.target {}
  local facts = {
    info = { version = version or "5.0" },
    services = function() return { graph = graph.new(target.service_list) } end,
  }
  return rules.applies(rule, facts)
end

describe("versions of Windows", function()
  it("compare by numbers", function()
    assert.equal(-1, rules.compare_versions("5.2", "5.10"))
    assert.equal(1, rules.compare_versions("10.0", "6.3"))
    assert.equal(0, rules.compare_versions("5", "5.0"))
  end)

  it("are bounded by windows", function()
    local rule = { rule = "windows", from = "5.0", below = "5.2" }
    assert.is_true(applies(rule, "5.0"))
    assert.is_true(applies(rule, "5.1"))
    assert.is_false(applies(rule, "5.2"))
    assert.is_false(applies(rule, "4.0"))
    assert.is_false(applies(rule, ""))
  end)
end)

describe("conditions", function()
  local yes, no = { rule = "has_service", name = "iisadmin" }, { rule = "has_service", name = "TermService" }

  it("find services ignoring case", function()
    assert.is_true(applies(yes))
    assert.is_false(applies(no))
  end)

  it("combine", function()
    assert.is_false(applies { rule = "all_of", yes, no })
    assert.is_true(applies { rule = "any_of", no, yes })
    assert.is_true(applies { rule = "not_", no })
    assert.is_true(applies { rule = "always" })
  end)

  it("are unknown when the services cannot be read", function()
    local facts = { info = { version = "5.0" }, services = function() return nil, "damaged" end }
    local win, other = { rule = "windows", from = "5.0" }, { rule = "windows", from = "6.0" }
    local function answer(rule) return rules.applies(rule, facts) end
    assert.is_nil(answer(yes))
    assert.is_nil(answer { rule = "not_", yes })
    assert.is_nil(answer { rule = "all_of", yes, win })
    assert.is_false(answer { rule = "all_of", yes, other })
    assert.is_nil(answer { rule = "any_of", yes, other })
    assert.is_true(answer { rule = "any_of", yes, win })
  end)

  it("say how narrow they are", function()
    local windows = { rule = "windows", from = "5.0", below = "5.2" }
    assert.equal(3, rules.specificity { rule = "all_of", windows, yes })
    assert.equal(1, rules.specificity { rule = "any_of", windows, yes })
    assert.equal(0, rules.specificity { rule = "always" })
  end)
end)

describe("the service graph", function()
  local made = graph.new(fake.target({}).service_list)
  local function names(list)
    local out = {}
    for index, service in ipairs(list) do out[index] = service.name end
    return out
  end

  it("reaches dependents of dependents", function()
    assert.same({ "IISADMIN", "MSFTPSVC", "SMS_EXECUTIVE", "W3SVC" }, names(made:reach({ "iisadmin" }, true)))
    assert.same({ "IISADMIN" }, names(made:reach({ "IISADMIN" }, false)))
  end)

  it("fits patterns", function()
    assert.same({ "SMS_EXECUTIVE" }, made:fitting { "SMS_*" })
  end)

  it("goes through groups and ends in circles", function()
    local circle = graph.new {
      { name = "A", group = "g", depends = { "B" }, depends_groups = {} },
      { name = "B", group = "", depends = {}, depends_groups = { "G" } },
    }
    assert.same({}, circle:needs(circle:find "b"))
    assert.same({ "G" }, circle:needs_groups(circle:find "b"))
    assert.same({ { name = "g", members = { "A" }, needed_by = { "B" } } }, circle:groups_of { circle:find "a" })
    assert.same({ "A", "B" }, names(circle:reach({ "A" }, true)))
  end)

  it("keeps a large group that many need as one node", function()
    local list = {}
    for index = 1, 9000 do
      list[#list + 1] = { name = "M" .. index, group = "Big", depends = {}, depends_groups = {} }
      list[#list + 1] = { name = "D" .. index, group = "", depends = {}, depends_groups = { "big" } }
    end
    local began = os.clock()
    local large = graph.new(list)
    assert.equal(9001, #large:reach({ "M1" }, true))
    assert.equal(9000, #large:groups_of({ large:find "D7" })[1].members)
    assert.is_true(os.clock() - began < 5)
  end)
end)

describe("an onset rule of a policy", function()
  local function onset(answer, reason)
    local policy = fake.policy { onset = { rule = "own", ["function"] = function() return answer, reason end } }
    local case = { options = {}, policy = policy, info = {}, keys = {}, current = { created = 1 } }
    return rules.onset(policy.onset, case)
  end

  it("gives a time, or nothing at all", function()
    assert.equal(1095055960, (onset(1095055960)))
    assert.equal(1095055960, (onset "2004-09-13T06:12:40Z"))
    for _, garbage in ipairs { 1e300, 0 / 0, -1, 0, 1 / 0, true, "yesterday" } do
      local seconds, _, why, fault = onset(garbage)
      assert.is_nil(seconds, tostring(garbage))
      assert.truthy(why:find("^the function returned"), why)
      assert.equal("onset", fault)
    end
    assert.same({ nil, nil, "no event log" }, { onset(nil, "no event log") })
    assert.truthy(select(3, onset(nil)):find("neither a time nor a reason", 1, true))
  end)
end)

describe("spelling", function()
  it("finds the nearest word, and none when none is near", function()
    local words = { "diagnose", "plan", "apply", "recover" }
    assert.equal("diagnose", spelling.nearest("diagnoze", words))
    assert.equal("apply", spelling.nearest("aplpy", words))
    assert.equal("diagnose", spelling.nearest("diag", words))
    assert.is_nil(spelling.nearest("xyzzy", words))
    assert.equal("", spelling.hint("xyzzy", words))
  end)
end)
