-- identity_spec.lua: tests of target:identities over volumes whose keys can be decrypted
--
-- The volumes are forged from the formats alone (tests/lib/proof.lua); one forged before is kept in build/proof.

local core = require "keymend.core"
local proof = require "proof"
local shell = require "shell"
local volume = require "volume"

local NEW, OLD, THIRD = "1b2162a0-ed5a-4d56-bd8a-8f2f65406b82", "4cbde50a-570f-47f5-8cc1-f6e151231826",
  "7e0d9c1f-53ab-4f0e-a2c6-90b1d4e8f327"
local WAS, RDP, IIS = "iisWasKey", "TSSecKeySet1", "Microsoft Internet Information Server"
local work = shell.work "identity"
local count = 0

describe("identities", function()
  local target, tried, identities

  -- Opens the volume of a description.
  local function open(spec)
    count = count + 1
    local root = work .. "/volume" .. count
    volume.make(root, spec)
    target = assert(core.open { root = root })
    tried, identities = assert(target:proof()), assert(target:identities())
  end

  -- The rows of the key with that GUID suffix; without the secrets when `without` is true.
  local function rows_of(container, guid, without)
    return assert(identities:try(not without and tried or nil, container, "rsa", volume.hash(container) .. "_" .. guid))
  end

  local function verdicts(container, guid, without)
    local list = {}
    for i, row in ipairs(rows_of(container, guid, without)) do list[i] = row.verdict end
    return list
  end

  before_each(function()
    if proof.missing() then
      print("skip: " .. proof.missing())
      pending(proof.missing())
    end
  end)

  after_each(function()
    if target then target:close() end
    target = nil
  end)

  teardown(function() shell.remove_work(work) end)

  it("tell the key of a configuration from others that time cannot tell apart", function()
    open((proof.was { bits = 1024, current = true, history = OLD }))
    assert.is_nil(tried:problem())
    assert.is_nil(identities:problem())
    assert.same({ "proved", "unknown", "unknown" }, verdicts(WAS, THIRD))
    assert.same({ "disproved", "unknown", "proved" }, verdicts(WAS, OLD))
    assert.same({ "disproved", "unknown", "unknown" }, verdicts(WAS, NEW))
    local row = rows_of("IISWASKEY", THIRD:lower())[1]
    assert.equal("configuration", row.kind)
    assert.equal(WAS, row.container)
    assert.equal("IIS", row.use)
    assert.is_false(row.history)
    assert.equal([[C:\Windows\System32\inetsrv\config\applicationHost.config]], row.where)
    assert.equal("provider IISWASOnlyAesProvider (AES-128 session key)", row.what)
    assert.matches("2 of the 2 encrypted values", row.text)
    assert.is_number(row.dated)
    assert.matches("does not open with this key, and IIS uses it", rows_of(WAS, OLD)[1].text)
    local backup = rows_of(WAS, OLD)[3]
    assert.is_true(backup.history)
    assert.matches("CFGHISTORY_0000000001", backup.where)
  end)

  it("prove nothing of a configuration without the private key", function()
    open((proof.was { bits = 1024, current = true, history = OLD }))
    for _, guid in ipairs { NEW, OLD, THIRD } do
      assert.same({ "unknown", "unknown", "unknown" }, verdicts(WAS, guid, true))
    end
    target:close()
    local spec = proof.was { bits = 1024, current = true, history = OLD }
    spec.registry.SECURITY = nil
    open(spec)
    assert.is_string(tried:problem())
    assert.same({ "unknown", "unknown", "unknown" }, verdicts(WAS, THIRD))
    assert.matches("the private key is not to be had: ", rows_of(WAS, THIRD)[1].text)
  end)

  it("tell the key of a certificate without any secret", function()
    open((proof.rdp { bits = 1024, current = true, expired = OLD }))
    for _, without in ipairs { false, true } do
      assert.same({ "proved", "unknown" }, verdicts(RDP, THIRD, without))
      assert.same({ "disproved", "proved" }, verdicts(RDP, OLD, without))
      assert.same({ "disproved", "unknown" }, verdicts(RDP, NEW, without))
    end
    local row = rows_of(RDP, THIRD)[1]
    assert.equal("certificate", row.kind)
    assert.equal("Remote Desktop", row.use)
    assert.matches("Remote Desktop\\Certificates\\%x+$", row.where)
    assert.matches("^certificate of WEB01, ", row.what)
    assert.matches("1024 bits", row.text)
  end)

  it("disprove only by what is in use", function()
    open((proof.rdp { bits = 1024, bound = false }))
    assert.same({ "proved" }, verdicts(RDP, THIRD))
    assert.same({ "unknown" }, verdicts(RDP, OLD))
    assert.is_nil(rows_of(RDP, OLD)[1].use)
    target:close()
    open((proof.rdp { bits = 1024, bound = "assigned" }))
    assert.same({ "proved" }, verdicts(RDP, THIRD))
    assert.same({ "disproved" }, verdicts(RDP, OLD))
    assert.equal("Remote Desktop (RDP-Tcp)", rows_of(RDP, OLD)[1].use)
  end)

  it("call a metabase consistent, and a key of other lengths disproved", function()
    local function key(guid, bits)
      return { id = guid, container = IIS, master_key = "m", signature = bits, exchange = bits, guid = guid }
    end
    open((proof.volume {
      seed = "metabase", generation = "xp", master_keys = { { id = "m" } },
      keys = { key(OLD, 512), key(THIRD, 512), key(NEW, 1024) }, metabases = { { id = "present", key = OLD } },
    }))
    for _, without in ipairs { false, true } do
      assert.same({ "consistent" }, verdicts(IIS, OLD, without))
      assert.same({ "unknown" }, verdicts(IIS, THIRD, without))
      assert.same({ "disproved" }, verdicts(IIS, NEW, without))
    end
    assert.matches("its session key opens", rows_of(IIS, OLD)[1].text)
    assert.not_matches("its session key opens", rows_of(IIS, OLD, true)[1].text)
  end)

  it("name CNG containers where a configuration uses them, and compare CNG keys with certificates", function()
    open((proof.volume {
      seed = "cng", master_keys = { { id = "m" } },
      keys = {
        { id = "k", container = "iisCngWasKey", kind = "cng", exchange = 1024, master_key = "m", guid = OLD },
        { id = "l", container = "iisCngWasKey", kind = "cng", exchange = 1024, master_key = "m", guid = THIRD },
      },
      certificates = {
        { id = "c", key = "k", container = "iisCngWasKey", bound = "assigned",
          provider = "Microsoft Software Key Storage Provider" },
      },
      configurations = {
        { id = "p", providers = { { name = "IISWASOnlyCngProvider", container = "iisCngWasKey", kind = "cng" } } },
      },
    }))
    local list = identities:list()
    assert.equal(2, #list)
    assert.equal("configuration", list[2].kind)
    assert.is_true(list[2].cng)
    local hash = volume.cng_hash "iisCngWasKey"
    local function try(with, guid)
      return assert(identities:try(with, "iisCngWasKey", "cng", hash .. "_" .. guid))
    end
    assert.equal("proved", try(tried, OLD)[1].verdict)
    assert.equal("proved", try(nil, OLD)[1].verdict)
    assert.equal("unknown", try(tried, OLD)[2].verdict)
    assert.matches("no session key", try(tried, OLD)[2].text)
    assert.not_equal("proved", try(tried, THIRD)[1].verdict)
  end)

  it("have manners", function()
    open((proof.rdp { bits = 1024, bound = false }))
    local name = volume.hash(RDP) .. "_" .. OLD
    assert.equal("keymend.identities (1)", tostring(identities))
    assert.same({}, identities:try(tried, "no such container", "rsa", name))
    local result, message, code = identities:try(tried, RDP, "rsa", "no such file")
    assert.is_nil(result)
    assert.matches("no such file", message)
    assert.equal("not-found", code)
    assert.has_error(function() identities:try(42, RDP, "rsa", name) end)
    assert.has_error(function() identities:try(tried, RDP, "dsa", name) end)
    tried:close()
    assert.has_error(function() identities:try(tried, RDP, "rsa", name) end, "this proof is closed")
    identities:close()
    identities:close()
    assert.has_error(function() identities:list() end, "these identities are closed")
    assert.equal("keymend.identities (closed)", tostring(identities))
    local others = assert(target:identities())
    target:close()
    assert.has_error(function() others:list() end, "the target of these identities is closed")
    target = nil
  end)
end)
