-- verify_spec.lua: tests of what verify makes of a trial and of a key file

local codes = require "keymend.codes"
local fake = require "fake"
local proof = require "keymend.proof"
local verify = require "keymend.verbs.verify"

local CONTAINER = { name = fake.IIS, hash = fake.HASH }
local NO_KEY, BAD_KEYSET, BAD_KEY_STATE = 0x8009000D, 0x80090016, 0x8009000B
local GOOD = { open = 0, signature = 0, exchange = 0, sign = 0, encrypt = 0, signed = true, encrypted = true,
  unique_name = fake.name(fake.NEW), provider = "Test Provider" }

local function trial_of(fields)
  local trial = {}
  for name, value in pairs(GOOD) do trial[name] = value end
  for name, value in pairs(fields or {}) do trial[name] = value end
  return trial
end

-- What verify says of a container; trial: of CryptoAPI, nil for an offline target.
local function judge(keys, trial, more)
  local target = fake.target(keys, more)
  target.test_container = function()
    if trial == nil then return nil, "only a running Windows", "unsupported", 0 end
    return trial
  end
  return assert(verify.trial(target, CONTAINER, proof.open(target)))
end

describe("verify, live", function()
  local current, foreign = fake.key(fake.NEW), fake.key(fake.OLD)

  it("believes CryptoAPI", function()
    local row = judge({ current }, trial_of())
    assert.equal("yes", row.works)
    assert.equal("CryptoAPI", row.by)
    assert.equal("opened, signed and verified, encrypted and decrypted", row.text)
    assert.equal(fake.name(fake.NEW), row.file)
    assert.equal(0, row.foreign)
  end)

  it("needs one of the two keys", function()
    local row = judge({ current }, trial_of { exchange = NO_KEY, encrypted = false })
    assert.equal("yes", row.works)
    assert.equal("opened, signed and verified", row.text)
    row = judge({ current }, trial_of { exchange = NO_KEY, signature = NO_KEY, signed = false, encrypted = false })
    assert.equal("no", row.works)
    assert.equal(NO_KEY, row.code)
  end)

  it("names what a container that cannot be opened lacks", function()
    local row = judge({ foreign }, trial_of { open = BAD_KEYSET })
    assert.equal("no", row.works)
    assert.equal("it cannot be opened: " .. codes.words(BAD_KEYSET), row.text)
    assert.equal("none of its key files has the machine GUID", row.means)
    assert.equal(1, row.foreign)
    assert.matches("may not read it", judge({ current }, trial_of { open = BAD_KEYSET }).means)
    assert.matches("no key file of it at all", judge({}, trial_of { open = BAD_KEYSET }).means)
  end)

  it("tells a key that cannot be used from one that was not tried", function()
    local row = judge({ current }, trial_of { sign = BAD_KEY_STATE, signed = false })
    assert.equal("no", row.works)
    assert.equal(BAD_KEY_STATE, row.code)
    assert.matches("DPAPI", row.means)
    row = judge({ current }, trial_of { sign = 0x80090008, signed = false, exchange = NO_KEY, encrypted = false })
    assert.equal("unknown", row.works)
    assert.matches("NTE_BAD_ALGID", row.text)
  end)

  it("does not take missing rights for a broken key", function()
    local row = judge({ current }, trial_of { open = 5 })
    assert.equal("unknown", row.works)
    assert.matches("ERROR_ACCESS_DENIED", row.text)
  end)

  it("hands on why CryptoAPI must not be asked", function()
    local target = fake.target { current }
    target.test_container = function() return nil, "no machine GUID", "refused", 0 end
    local row, message, code = verify.trial(target, CONTAINER)
    assert.same({ false, "no machine GUID", "refused" }, { row or false, message, code })
  end)
end)

describe("verify, offline", function()
  it("never proves", function()
    local row = judge { fake.key(fake.NEW), fake.key(fake.OLD) }
    assert.equal("unknown", row.works)
    assert.is_nil(row.by)
    assert.matches("nothing is proved", row.text)
    assert.equal(1, row.foreign)
  end)

  it("disproves by the key file", function()
    local function says(key, text, more, by)
      local row = judge({ key }, nil, more)
      assert.equal("no", row.works)
      assert.equal(by or "its key file", row.by)
      assert.matches(text, row.text)
    end
    says(fake.key(fake.OLD), "no key file of it has the machine GUID", nil, "the names in the key store")
    says(fake.key(fake.NEW, { status = "damaged", damage = "sizes do not add up" }), "damaged: sizes do not add up")
    says(fake.key(fake.NEW, { keyless = true }), "holds no key")
    says(fake.key(fake.NEW), "master key 9f6a3c52.* is not here", { master_keys = {} })
    says(fake.key(fake.NEW), "no plain machine GUID", { info = { guid = "" } }, "the registry")
  end)

  it("doubts a hive that was not closed, and a name that does not fit", function()
    local row = judge({ fake.key(fake.OLD) }, nil,
      { info = { hives = { { name = "SOFTWARE", path = "C:\\x", dirty = true } } } })
    assert.equal("unknown", row.works)
    assert.matches("not closed cleanly", row.text)
    row = judge { fake.key(fake.NEW, { container = "SMS", container_hash = "19c5cf9c7b5dc9de3e548adb70398402" }) }
    assert.equal("unknown", row.works)
    assert.matches('belongs to "SMS"', row.text)
  end)
end)

describe("verify of CNG", function()
  local core = require "keymend.core"
  local NAMED, ASKED = "iisCngWasKey", "Another key"

  -- A target whose store "cng" has these files; `tries` by file name: what a session finds.
  local function rows_of(files, asked, tries, sources)
    local target = { keys = function(_, kind)
      if kind ~= "cng" then return nil, "there is no such folder", "not-found" end
      local at = 0
      return setmetatable({ close = function() end }, { __call = function()
        at = at + 1
        if files[at] then return files[at].name, files[at].class, files[at].name:sub(1, 32) end
      end })
    end }
    local session = {
      sources = function()
        return sources or { { container = NAMED, cng = true }, { container = "rsa", cng = false } }
      end,
      try = function(_, kind, name)
        assert.equal("cng", kind)
        local found = { rows = {}, verdict = "unknown" }
        for field, value in pairs(tries[name] or {}) do found[field] = value end
        return found
      end,
      problem = function() end,
    }
    return verify.cng_trials(target, asked, session)
  end
  local function file(container, guid, class)
    return { name = core.cng_hash(container) .. "_" .. guid, class = class }
  end
  local YES = { proof = { decryptable = "yes", text = "it decrypts" } }
  local NO = { proof = { decryptable = "missing" }, refuted = { why = "its master key is gone" } }

  it("tells those that the configuration names, also one without a file", function()
    local rows = rows_of({}, nil, {})
    assert.equal(1, #rows)
    assert.same({ NAMED, "cng", "unknown" }, { rows[1].container, rows[1].store, rows[1].works })
    assert.matches("no key file", rows[1].text)
    assert.equal(0, #rows_of({}, nil, {}, {}))
  end)

  it("tells one that decrypts as working, whatever GUID it has", function()
    local old, new = file(NAMED, fake.OLD, "foreign"), file(NAMED, fake.NEW, "current")
    local row = rows_of({ new, old }, nil, { [old.name] = YES, [new.name] = NO })[1]
    assert.same({ "yes", 1, new.name, 2 }, { row.works, row.foreign, row.file, #row.keys })
    row = rows_of({ new, old }, nil, { [old.name] = NO, [new.name] = NO })[1]
    assert.same({ "unknown", "its master key is gone" }, { row.works, row.text })
    row = rows_of({ new }, nil, { [new.name] = NO })[1]
    assert.same({ "no", "its master key is gone" }, { row.works, row.text })
  end)

  it("tells of those that were asked for no others", function()
    local one = file(ASKED, fake.NEW, "current")
    assert.equal(0, #rows_of({ one }, nil, { [one.name] = YES }, {}))
    local rows = rows_of({ one, file(NAMED, fake.NEW, "current") }, { ASKED }, { [one.name] = YES })
    assert.equal(1, #rows)
    assert.same({ ASKED, "yes" }, { rows[1].container, rows[1].works })
    assert.equal(0, #rows_of({ one }, { "SMS" }, {}))
  end)
end)
