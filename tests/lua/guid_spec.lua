-- guid_spec.lua: the machine GUID of a real SOFTWARE hive: what is written, byte by byte, and what is refused

local core = require "keymend.core"
local lfs = require "lfs"
local shell = require "shell"
local volume = require "volume"

local WORK = "build/tests/guid"
local CONFIG = WORK .. "/WINNT/system32/config"
local HIVE = CONFIG .. "/software"

-- A fresh volume with a key file under the old GUID.
local function make(fields)
  lfs.mkdir "build"
  lfs.mkdir "build/tests"
  os.execute("rm -rf " .. WORK .. " " .. WORK .. ".times")
  local described = { keys = {
    { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
    { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
  } }
  for name, value in pairs(fields or {}) do described[name] = value end
  volume.make(WORK, described)
  return assert(core.open { root = WORK, write = true })
end

local function apply(target, guid)
  local info = target:info()
  return target:apply { machine_guid = info.machine_guid, key_store = info.key_store, accept_dirty_hive = true,
    steps = { { kind = "restore-guid", name = info.machine_guid, to = guid or volume.OLD, reason = "a test" } } }
end

local function names()
  local list = {}
  for name in lfs.dir(CONFIG) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, " ")
end

local function refused(target, code, words, guid)
  local hive, listed = shell.read(HIVE), names()
  local txn, message, found, _, outcome = apply(target, guid)
  target:close()
  assert.is_nil(txn)
  assert.equal(code, found)
  assert.equal("untouched", outcome)
  assert.matches(words, message, 1, true)
  assert.is_true(hive == shell.read(HIVE), "the hive is as before")
  assert.equal(listed, names())
end

describe("restore-guid on a hive", function()
  it("changes the text alone, and undo gives the same bytes back", function()
    local target = make()
    local before, listed, written = shell.read(HIVE), names(), lfs.attributes(HIVE, "modification")
    local txn = assert(apply(target))
    assert.equal(volume.NEW, txn.guid_before)
    assert.equal(volume.OLD, txn.guid_after)
    assert.same({}, txn.files)
    assert.equal(volume.OLD, target:info().guid)
    local after = shell.read(HIVE)
    local at = before:find((volume.NEW:gsub(".", "%0\0")), 1, true)
    assert.is_true(before:sub(1, at - 1) .. volume.OLD:gsub(".", "%0\0") .. before:sub(at + 72) == after)
    assert.equal(listed, names())
    assert.equal(written, lfs.attributes(HIVE, "modification"))
    local told = shell.must("hivexget " .. HIVE .. " '\\Microsoft\\Cryptography' MachineGuid")
    assert.equal(volume.OLD .. "\n", told)
    assert(target:undo(txn.id))
    assert.equal(volume.NEW, target:info().guid)
    assert.is_true(shell.read(HIVE) == before)
    assert(target:purge(txn.id))
    target:close()
  end)

  it("refuses a hive that has a second name", function()
    local target = make()
    assert(lfs.link(HIVE, WORK .. "/second"))
    refused(target, "refused", "hard links")
  end)

  it("refuses a dirty hive, replayed or not", function()
    refused(make { dirty = { SOFTWARE = true } }, "refused", "--accept-dirty-hive does not help")
    refused(make { dirty = { SOFTWARE = { guid = volume.OLD, written = "2001-03-14T10:20:00Z", log = "old" } } },
      "refused", "dirty")
  end)

  it("leaves a value of another size to regedit", function()
    refused(make { guid = volume.NEW .. "\0x" }, "unsupported", "regedit")
  end)

  it("refuses a GUID that no key file carries", function()
    refused(make(), "refused", "no key file", "00000000-1111-2222-3333-444444444444")
  end)
end)
