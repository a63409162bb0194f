-- trust_spec.lua: what require finds once it is guarded, and what is compiled

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local trust = require "keymend.trust"

local folder = os.tmpname()

local function write(name, text)
  local file = assert(io.open(folder .. name, "wb"))
  file:write(text)
  file:close()
end

describe("a guarded require", function()
  local loaders, path, cpath = { unpack(package.loaders) }, package.path, package.cpath

  setup(function()
    trust.guard_require()
    package.path = folder .. "-?.lua;" .. folder .. "-?-second.lua"
    package.cpath = folder .. "-?.so"
  end)
  teardown(function()
    for index, loader in ipairs(loaders) do package.loaders[index] = loader end
    package.path, package.cpath = path, cpath
    for _, name in ipairs { "", "-plain.lua", "-mark.lua", "-late-second.lua", "-wrong.lua", "-byte.lua", "-no.so" } do
      os.remove(folder .. name)
    end
  end)

  it("loads a module with its name, by the first template that fits", function()
    write("-plain.lua", "#! a first line\nreturn { ... }")
    assert.same({ "plain" }, require "plain")
    write("-mark.lua", "\239\187\191return { ... }") -- a byte order mark
    assert.same({ "mark" }, require "mark")
    write("-late-second.lua", "return 2")
    assert.equal(2, require "late")
  end)

  it("tells what was tried", function()
    local ok, message = pcall(require, "absent")
    assert.is_false(ok)
    for _, tried in ipairs { "-absent.lua'", "-absent-second.lua'", "-absent.so'", "package.preload['absent']" } do
      assert.truthy(message:find(tried, 1, true), message)
    end
    ok, message = pcall(require, "not%there.at.all")
    assert.is_false(ok)
    assert.truthy(message:find("-not%there/at/all.lua'", 1, true), message)
    assert.truthy(message:find("-not%there.so'", 1, true), message)
  end)

  it("refuses bytecode and tells faults of Lua", function()
    write("-byte.lua", string.dump(function() end))
    local _, message = pcall(require, "byte")
    assert.truthy(message:find("bytecode", 1, true), message)
    write("-wrong.lua", "return (")
    _, message = pcall(require, "wrong")
    assert.truthy(message:find("-wrong.lua:1:", 1, true), message)
  end)

  it("tells of a library that is none", function()
    write("-no.so", "no library")
    local ok, message = pcall(require, "no")
    assert.is_false(ok)
    assert.truthy(message:find("module 'no'", 1, true), message)
  end)

  it("still finds what is preloaded", function()
    package.preload["preloaded.one"] = function() return "here" end
    assert.equal("here", require "preloaded.one")
  end)
end)

describe("a file that is acted on", function()
  it("is told as absent or too large by a code", function()
    local text, _, code = trust.read("./no-such-file", 10)
    assert.is_nil(text)
    assert.equal("not-found", code)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(("x"):rep(11))
    file:close()
    text, _, code = trust.read(path, 10)
    os.remove(path)
    assert.is_nil(text)
    assert.equal("limit", code)
    assert.same({}, trust.needed())
  end)
end)
