-- repl_spec.lua: the session behind the prompt: help that leaves nothing out, printing, completion, chunks

local keymend = require "keymend"
local core = require "keymend.core"
local reference = require "keymend.reference"
local repl = require "keymend.repl"

-- Metatables of all types of the module, by name.
local function types()
  local found = {}
  for name, meta in pairs(debug.getregistry()) do
    if type(name) == "string" and name:match "^keymend%.%l+$" and type(meta) == "table" and rawget(meta, "__index") then
      found[name] = meta
    end
  end
  for _, name in ipairs { "diagnosis", "plan", "transaction", "keep" } do
    found["keymend." .. name] = require("keymend." .. name).metatable
  end
  found["keymend.meter"] = require("keymend.progress").metatable
  return found
end

local function has_row(of_type, method)
  for _, row in ipairs(of_type) do
    if (row[1] .. " "):match "^%w+[:%.]([%w_]+)" == method then return true end
  end
end

describe("help", function()
  setup(function()
    -- A target's methods from keymend are there once one was opened.
    os.execute "mkdir -p build/tests"
    local volume = require "volume"
    volume.cases = "tests/golden/cases"
    os.execute "rm -rf build/tests/repl"
    volume.make("build/tests/repl", volume.case("kb").volume)
    assert(keymend.open { root = "build/tests/repl", times = "build/tests/repl.times" }):close()
  end)

  it("knows every type and every method of each", function()
    local count = 0
    for name, meta in pairs(types()) do
      if name ~= "keymend.owned" then
        count = count + 1
        assert.is_table(reference[name], "no help on the type " .. name)
        for method, value in pairs(meta.__index) do
          if type(value) == "function" and not method:find "^__" then
            assert.is_true(has_row(reference[name], method), ("no help on %s of %s"):format(method, name))
          end
        end
      end
    end
    assert.is_true(count >= 8)
    for name, value in pairs(keymend) do
      if type(value) == "function" then
        assert.is_true(has_row(reference.keymend, name), "no help on keymend." .. name)
      end
    end
  end)

  it("speaks of nothing that is not there", function()
    local known = types()
    for name, rows in pairs(reference) do
      for _, row in ipairs(rows) do
        local method = row[1]:match "^%w+:([%w_]+)"
        if method then
          assert.is_function(known[name].__index[method], row[1])
        end
      end
    end
  end)

  it("knows what the shipped scripts use of the module's parts, and no more than there is", function()
    local parts = { core = core, plans = keymend.plans, progress = keymend.progress, policies = keymend.policies }
    local seen = 0
    for name, part in pairs(parts) do
      local listed = {}
      for _, row in ipairs(reference["keymend." .. name]) do
        local field = row[1]:match("^" .. name .. "%.([%w_]+)")
        listed[field] = true
        assert.is_not_nil(part[field], row[1])
      end
      local pipe = assert(io.popen("cat scripts/repair/*.lua"))
      for field in (" " .. pipe:read "*a"):gmatch("[^%w_]" .. name .. "%.([%w_]+)") do
        seen = seen + 1
        assert.is_true(listed[field], ("no help on %s.%s"):format(name, field))
      end
      pipe:close()
    end
    assert.is_true(seen > 20, tostring(seen))
  end)

  it("is given for types, objects, functions and names", function()
    assert.has.match("help%(target%)", repl.help())
    local target = assert(keymend.open { root = "build/tests/repl", times = "build/tests/repl.times" })
    assert.has.match("target:diagnose%(%)", repl.help(target))
    local text = repl.help(target.keys)
    assert.has.match("target:keys%(KIND%)", text)
    assert.has.match("keys:close%(%)", text)
    assert.is_nil(text:find("target:survey", 1, true))
    assert.has.match("for name, class", repl.help "keys")
    assert.has.match("target:inspect", repl.help "inspect")
    local services = target:services()
    assert.has.match("services:find%(NAME%)", repl.help(services.find))
    assert.has.match("services:order", repl.help(services))
    assert.has.match("diagnosis:text", repl.help(target:diagnose()))
    assert.has.match("plan:apply", repl.help(target:plan().apply))
    assert.has.match("keymend.open", repl.help(keymend.open))
    assert.has.match("keymend.findings", repl.help(keymend))
    assert.equal('There is no help on "nothing\\u{001B}". help() tells how to begin.', repl.help "nothing\27")
    assert.has.match("no help on this function", repl.help(print))
    assert.has.match("no help on this number", repl.help(1))
    assert.has.match("is nil.*misspelt", repl.help(target.inspct))
    assert.has.match("everything a diagnosis can say", repl.help(keymend.findings))
    assert.has.match("policies.load%(NAME%)", repl.help(keymend.policies))
    assert.has.match("core.escape", repl.help(keymend.core))
    assert.has.match("meter:add", repl.help(keymend.progress.new {}))
    assert.has.match("keep:why", repl.help(target:keep_set()))
    target:close()
  end)
end)

describe("the prompt prints", function()
  it("objects by their type, never by an address", function()
    local target = assert(keymend.open { root = "build/tests/repl", times = "build/tests/repl.times" })
    assert.has.match("^keymend.target %(offline", repl.show(target))
    assert.equal("keymend.services", repl.show(target:services()):match "^[%w.]+")
    assert.has.match("adopt", repl.show(target:plan()))
    assert.has.match("^Cause: ", repl.show(target:diagnose()))
    assert.equal("{keymend.policy, function, thread}",
      repl.show { core.policy_new {}, print, coroutine.create(function() end) })
    local bare = newproxy(true)
    assert.equal("userdata", repl.show(bare))
    getmetatable(bare).__name = "some.type"
    assert.equal("some.type", repl.show(bare))
    for _, value in ipairs { target, target:services(), target:info(), target:diagnose().facts, {} } do
      assert.is_nil(repl.show(value):find "0x%x%x%x%x%x%x")
    end
    target:close()
  end)
end)

describe("a session", function()
  local session = repl.session {}

  it("completes globals, fields, methods and what was made before", function()
    session.eval "mine = { field_one = 1, field_two = {}, method = function() end, ['no name'] = 1 }"
    assert.same({ "mine" }, select(2, session.complete "x = min"))
    assert.same({ "mine.field_one", "mine.field_two" }, select(2, session.complete "mine.fi"))
    assert.same({ "mine:method" }, select(2, session.complete "mine:"))
    assert.same({ "keymend.findings" }, select(2, session.complete "print(keymend.find"))
    assert.same({ "string.gsub" }, select(2, session.complete "string.gs"))
    assert.same({}, select(2, session.complete "mine.field_one.x"))
    assert.same({}, select(2, session.complete "f().x"))
  end)

  it("tells finished chunks from unfinished ones, and errors with their place", function()
    assert.equal("incomplete", (session.eval "for i = 1, 2 do"))
    assert.same({ "ok", "" }, { session.eval "end" })
    assert.same({ "ok", "2" }, { session.eval "1 + 1" })
    assert.same({ "ok", "2" }, { session.eval "=1 + 1" })
    assert.equal("incomplete", (session.eval "x = [["))
    session.eval "text]]"
    assert.same({ "ok", '"text"' }, { session.eval "x" })
    local status, text = session.eval "local function inner() error 'oops' end inner()"
    assert.equal("error", status)
    assert.has.match("^prompt:1: oops\nstack traceback:\n", text)
    assert.has.match("in function 'inner'", text)
    assert.is_nil(text:find "repl.lua")
    status, text = session.eval "x = = 1"
    assert.equal("error", status)
    assert.has.match("prompt:1: unexpected symbol", text)
  end)
end)
