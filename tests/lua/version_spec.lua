-- version_spec.lua: versions of files through the module, on a real volume

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local core = require "keymend.core"
local lfs = require "lfs"
local pe = require "pe"
local volume = require "volume"

local WORK = "build/tests/version"
local FOLDER = "C:\\WINNT\\system32\\"

describe("the version of a file", function()
  local target

  setup(function()
    lfs.mkdir "build"
    lfs.mkdir "build/tests"
    os.execute("rm -rf " .. WORK .. " " .. WORK .. ".times")
    local function file(name, data)
      return { path = FOLDER .. name, data = data, written = "2004-09-14T07:08:00Z" }
    end
    volume.make(WORK, { files = {
      file("Old.dll", pe.compose { version = "5.0.2195.6968" }),
      file("plus.dll", pe.compose { version = "65535.0.1.65535", plus = true }),
      file("none.dll", pe.compose {}), file("text.dll", "text"), file("twice.dll", ""), file("TWICE.DLL", ""),
      { path = FOLDER .. "link.dll", symlink = "Old.dll" },
    } })
    target = assert(core.open { root = WORK })
  end)

  teardown(function() target:close() end)

  it("is told in four parts, with size and last write", function()
    local found = assert(target:file_version(FOLDER .. "OLD.DLL"))
    assert.equal("5.0.2195.6968", found.version)
    assert.same({ 5, 0, 2195, 6968 }, found.parts)
    assert.equal(#pe.compose { version = "5.0.2195.6968" }, found.size)
    assert.equal("2004-09-14T07:08:00Z", core.time_text(found.written))
    assert.equal("2004-09-14T07:08:00Z", core.time_text(found.written_ticks))
    assert.equal("65535.0.1.65535", target:file_version(FOLDER .. "plus.dll").version)
  end)

  it("has a reason where there is none", function()
    for name, code in pairs { ["absent.dll"] = "not-found", ["none.dll"] = "damaged", ["text.dll"] = "damaged",
      ["link.dll"] = "outside", ["twice.dll\\x"] = "not-found", ["drivers"] = "not-found", ["config"] = "damaged",
      ["..\\x.dll"] = "outside" } do
      local found, message, status = target:file_version(FOLDER .. name)
      assert.is_nil(found)
      assert.equal(code, status, name .. ": " .. tostring(message))
      assert.truthy(message:find(FOLDER, 1, true), message)
    end
    assert.equal("refused", select(3, target:file_version(FOLDER .. "Twice.dll")))
    assert.equal("not-found", select(3, target:file_version "D:\\x.dll"))
    assert.equal("misuse", select(3, target:file_version ""))
    assert.equal("misuse", select(3, target:file_version "x.dll"))
  end)

  it("takes a path and an open target", function()
    assert.has_error(function() target:file_version() end)
    assert.has_error(function() target:file_version {} end)
    assert.has_error(function() target:file_version "C:\\a\0b" end)
    local other = assert(core.open { root = WORK })
    other:close()
    assert.has_error(function() other:file_version "C:\\x" end, "the target is closed")
  end)
end)
