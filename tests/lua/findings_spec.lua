-- findings_spec.lua: the table of findings and how findings are made of it

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local finding = require "keymend.finding"
local findings = require "keymend.findings"

describe("the table of findings", function()
  it("is complete in every entry", function()
    local count = 0
    for id, entry in pairs(findings) do
      count = count + 1
      assert.truthy(id:find "^%l+%.[%l%-]+$", id)
      assert.truthy(finding.rank[entry.severity], id)
      assert.equal("string", type(entry.text), id)
      assert.equal("string", type(entry.remedy), id)
      for field in pairs(entry) do
        local known = " severity text remedy fixable refuses blocks chosen retired current contradiction unknown "
          .. "choices works failing live repair undecided interrupted adopted after busy logged quiet later replayed "
          .. "restored both refused prerequisite closed forged mismatch identity other disproved remade check "
        assert.truthy(known:find(" " .. field .. " ", 1, true), id .. ": " .. field)
      end
    end
    assert.truthy(count > 30)
  end)

  it("gives every error and warning a remedy", function()
    for id, entry in pairs(findings) do
      if entry.severity ~= "info" then assert.truthy(#entry.remedy > 0, id) end
    end
  end)

  it("fixes only what a plan does", function()
    local fixable = {}
    for id, entry in pairs(findings) do
      if entry.fixable then fixable[#fixable + 1] = id end
    end
    table.sort(fixable)
    assert.same({ "key.orphaned", "key.regenerated" }, fixable)
  end)
end)

describe("a finding", function()
  it("is filled from its fields, whatever they hold", function()
    local made = finding.make("service.cycle", { cycle = "100% -> %{cycle} -> %1" })
    assert.truthy(made.text:find("100% -> %{cycle} -> %1", 1, true))
  end)

  it("raises when a field is missing or the id unknown", function()
    assert.has_error(function() finding.make("service.cycle", {}) end)
    assert.has_error(function() finding.make("key.nonsense", {}) end)
  end)

  it("takes a policy's own wording, but not its severity", function()
    local policy = { findings = { ["key.absent"] = { text = "No key of %{container} yet." } } }
    local made = finding.make("key.absent", { container = "X" }, nil, policy)
    assert.equal("No key of X yet.", made.text)
    assert.equal("warning", made.severity)
    assert.truthy(#made.remedy > 0)
  end)

  it("sorts gravest first and keeps the order among equals", function()
    local list = {}
    for index, severity in ipairs { "info", "error", "warning", "error" } do
      list[index] = { severity = severity, id = tostring(index) }
    end
    finding.sort(list)
    local ids = {}
    for index, one in ipairs(list) do ids[index] = one.id end
    assert.same({ "2", "4", "3", "1" }, ids)
  end)
end)
