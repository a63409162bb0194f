-- proof_spec.lua: keys tried through the module, on a real volume

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local core = require "keymend.core"
local lfs = require "lfs"
local volume = require "volume"

local WORK = "build/tests/proof-spec"

describe("a proof", function()
  local target, name

  setup(function()
    lfs.mkdir "build"
    lfs.mkdir "build/tests"
    os.execute("rm -rf " .. WORK .. " " .. WORK .. ".times")
    volume.make(WORK, { keys = { { container = volume.IIS, guid = volume.OLD, signature = 512, exchange = 512 } } })
    target = assert(core.open { root = WORK })
    name = volume.hash(volume.IIS) .. "_" .. volume.OLD
  end)

  teardown(function() target:close() end)

  it("says why nothing can be decrypted", function()
    local proof = assert(target:proof())
    assert.is_string(proof:problem())
    local key = assert(proof:key("rsa", name))
    assert.equal("unknown", key.decryptable)
    assert.is_false(key.cng)
    assert.equal("unknown", key.exchange.decryptable)
    assert.equal(volume.MASTER_KEY, key.signature.master_key)
    assert.is_nil(key.signature.exportable)
    assert.is_truthy(key.text:find(proof:problem(), 1, true))
    proof:close()
  end)

  it("tells a file that is not there, and a store that is not", function()
    local proof = assert(target:proof())
    assert.equal("not-found", select(3, proof:key("rsa", volume.hash(volume.IIS) .. "_" .. volume.THIRD)))
    assert.equal("not-found", select(3, proof:key("cng", name)))
    assert.has_error(function() proof:key("dsa", name) end)
    assert.has_error(function() proof:key "rsa" end)
    proof:close()
  end)

  it("is closed once, by hand or with its target", function()
    local proof = assert(target:proof())
    proof:close()
    proof:close()
    assert.has_error(function() proof:key("rsa", name) end, "this proof is closed")
    local other = assert(core.open { root = WORK })
    proof = assert(other:proof())
    other:close()
    assert.has_error(function() proof:problem() end, "the target of this proof is closed")
  end)
end)
