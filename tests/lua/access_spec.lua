-- access_spec.lua: who may use a key file, against what a policy grants

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local access = require "keymend.access"

local SYSTEM, LOCAL, READ, FULL = "S-1-5-18", "S-1-5-19", 0x120089, 0x1F01FF

local function entry(kind, sid, mask, flags)
  return { type = kind, sid = sid, mask = mask, flags = flags or 0 }
end

local function of(...)
  return { entries = { ... } }
end

describe("a descriptor", function()
  it("allows what its entries add up to", function()
    assert.is_true(access.allows(of(entry("allow", LOCAL, READ)), LOCAL, READ))
    assert.is_true(access.allows(of(entry("allow", LOCAL, 0x120000), entry("allow", LOCAL, 0x89)), LOCAL, READ))
    assert.is_true(access.allows(of(entry("allow", SYSTEM, FULL)), SYSTEM, READ))
    assert.is_false((access.allows(of(entry("allow", LOCAL, READ)), LOCAL, FULL)))
    assert.is_false((access.allows(of(entry("allow", SYSTEM, FULL)), LOCAL, READ)))
    assert.is_true(access.allows({ open = true, entries = {} }, LOCAL, FULL))
  end)

  it("knows generic rights and groups that hold everybody", function()
    assert.is_true(access.allows(of(entry("allow", LOCAL, 0x80000000)), LOCAL, READ))
    assert.is_true(access.allows(of(entry("allow", SYSTEM, 0x10000000)), SYSTEM, FULL))
    assert.is_true(access.allows(of(entry("allow", "S-1-1-0", READ)), LOCAL, READ))
  end)

  it("denies before it allows; what is only inherited does not count", function()
    local may, denied = access.allows(of(entry("allow", LOCAL, READ), entry("deny", "S-1-1-0", 1)), LOCAL, READ)
    assert.is_false(may)
    assert.equal("S-1-1-0", denied.sid)
    assert.is_false((access.allows(of(entry("allow", LOCAL, READ, 8)), LOCAL, READ)))
  end)
end)

describe("a judgement", function()
  local function judge(descriptor, version, problem, moving)
    local grants = {
      { hash = "h", who = "SYSTEM", sid = SYSTEM, mask = FULL, right = "full" },
      { hash = "h", who = "LOCAL SERVICE", sid = LOCAL, mask = READ, right = "read" },
      { hash = "other", who = "SYSTEM", sid = SYSTEM, mask = FULL, right = "full" },
    }
    local target = { access = function(_, name)
      assert.equal("h_guid", name)
      if not descriptor then return nil, "no descriptors", "unsupported" end
      return descriptor
    end, grantable = function(_, name, entries)
      assert.equal("h_guid", name)
      assert.same({ { sid = LOCAL, mask = READ } }, entries)
      if problem then return nil, problem, "refused" end
      return true
    end }
    local case = { verdict = {}, container = "iisWasKey", hash = "h", current = { name = "h_guid" },
      facts = { target = target },
      info = { key_store = "C:\\K", version = version or "10.0" }, policy = { access = grants, findings = {} } }
    local made, message = access.judge(case, moving)
    return made, message, case.verdict.grant
  end

  it("tells the missing entry and the command that adds it", function()
    local made = judge(of(entry("allow", SYSTEM, FULL)))
    assert.equal("key.access-missing", made.id)
    assert.truthy(made.text:find("LOCAL SERVICE (read)", 1, true))
    assert.same({ 'icacls "C:\\K\\h_guid" /grant *S-1-5-19:R' }, made.commands)
    assert.equal("missing: allow LOCAL SERVICE (S-1-5-19) 0x120089", made.evidence[1].text)
    made = judge(of(entry("allow", SYSTEM, FULL)), "5.0")
    assert.same({ 'cacls "C:\\K\\h_guid" /E /G "LOCAL SERVICE":R' }, made.commands)
  end)

  it("plans what can be added, and says why nothing is", function()
    local lacking = of(entry("allow", SYSTEM, FULL))
    lacking.sha256 = "seen"
    local made, _, grant = judge(lacking)
    assert.is_true(made.fixable)
    assert.same({ { sid = LOCAL, mask = READ } }, grant.entries)
    assert.equal("seen", grant.sha256)
    assert.equal("its program needs LOCAL SERVICE (read)", grant.reason)
    assert.truthy(made.remedy:find("keymend apply", 1, true))
    made, _, grant = judge(lacking, nil, "an entry denies S-1-5-19.")
    assert.is_nil(grant)
    assert.is_false(made.fixable)
    assert.truthy(made.remedy:find("keymend does not add them: an entry denies S-1-5-19. Add", 1, true))
    made, _, grant = judge(lacking, nil, nil, true)
    assert.is_nil(grant)
    assert.truthy(made.remedy:find("changes which key files", 1, true))
  end)

  it("says nothing where all is there, and why where nothing can be told", function()
    assert.is_nil(judge(of(entry("allow", SYSTEM, FULL), entry("allow", LOCAL, READ))))
    local made, message = judge(nil)
    assert.is_nil(made)
    assert.equal("no descriptors", message)
  end)
end)
