-- options_spec.lua: the command line: arguments, help, usage errors

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local options = require "keymend.options"
local page = require "keymend.page"

local function parse(...)
  return options.parse { ... }
end

describe("arguments", function()
  it("take both forms of a value", function()
    local one = assert(parse("diagnose", "--root", "/mnt/c", "--policy=iis5", "--policy", "./x.lua"))
    assert.equal("diagnose", one.verb.name)
    assert.equal("/mnt/c", one.options.root)
    assert.same({ "iis5", "./x.lua" }, one.options.policy)
  end)

  it("take options before the verb and values with an equals sign", function()
    local one = assert(parse("--json", "--volume=D:=/mnt/d", "keys"))
    assert.is_true(one.options.json)
    assert.same({ "D:=/mnt/d" }, one.options.volume)
    assert.equal("keys", one.verb.name)
  end)

  it("end at two hyphens", function()
    local one = assert(parse("undo", "--", "--odd"))
    assert.same({ "--odd" }, one.arguments)
  end)

  it("behind a script are the script's", function()
    local one = assert(parse("run", "--root", "/mnt/c", "x.lua", "--root", "y", "--help"))
    assert.same({ "x.lua", "--root", "y", "--help" }, one.arguments)
    assert.equal("/mnt/c", one.options.root)
  end)

  it("that are wrong are told with what was meant", function()
    local WRONG = {
      { { "diagnoze" }, 'there is no verb "diagnoze"; did you mean "diagnose"?' },
      { { "plan", "--rot", "x" }, 'no option --rot; did you mean "--root"?' },
      { { "plan", "--root" }, "--root needs a value" },
      { { "plan", "--root=" }, "empty" },
      { { "plan", "--root", "--json" }, "--root needs a value" },
      { { "plan", "--json=yes" }, "--json takes no value" },
      { { "plan", "--root", "a", "--root", "b" }, "given twice" },
      { { "plan", "-x" }, "no option -x" },
    }
    for _, row in ipairs(WRONG) do
      local parsed, message = options.parse(row[1])
      assert.is_nil(parsed)
      assert.truthy(message:find(row[2], 1, true), message)
    end
  end)

  it("that the verb does not take are refused", function()
    local fits, message = options.check(assert(parse("keys", "--yes")))
    assert.is_nil(fits)
    assert.equal("keys does not take --yes", message)
    for _, verb in ipairs { "run", "repl", "help" } do
      assert.equal(verb .. " does not take --json", select(2, options.check(assert(parse("--json", verb)))))
    end
    fits, message = options.check(assert(parse("diagnose", "extra")))
    assert.is_nil(fits)
    assert.truthy(message:find("one word too many", 1, true))
  end)
end)

describe("a saved plan", function()
  it("does not go with what it was judged by", function()
    for _, name in ipairs { "policy", "onset", "adopt", "retire" } do
      local fits, message = options.check(assert(parse("apply", "--plan", "x", "--" .. name, "y")))
      assert.is_nil(fits)
      assert.truthy(message:find("does not go with --" .. name, 1, true), message)
    end
    assert.is_true(options.check(assert(parse("apply", "--plan", "x", "--no-services", "--accept-dirty-hive"))))
  end)
end)

describe("help", function()
  it("is there for every verb and option", function()
    local all = page.buffer()
    options.help(all)
    for _, verb in ipairs(options.verbs) do
      assert.truthy(all:text():find("  " .. verb.name, 1, true), verb.name)
      local one = page.buffer()
      options.verb_help(one, verb)
      for _, name in ipairs(verb.takes) do assert.truthy(one:text():find("--" .. name, 1, true), name) end
    end
  end)
end)

describe("a page", function()
  it("wraps at the width, keeps names whole and quotes together", function()
    local made = page.buffer(30)
    local name = ("x"):rep(50)
    made:item("Name:", "it is " .. name .. ' and "five words stand together" end')
    local lines = { "Name: it is", name, "and", '"five words stand together"', "end" }
    assert.equal(table.concat(lines, "\n      ") .. "\n", made:text())
  end)

  it("escapes what could harm a terminal", function()
    local made = page.buffer()
    made:line "a\27[2Jb"
    made:item("c\7", "d\226\128\174e")
    assert.is_nil(made:text():find "[%z\1-\9\11-\31\127]")
    assert.is_nil(made:text():find "\226\128\174")
  end)

  it("colours only when told to", function()
    local parts = {}
    local made = page.new { write = function(text) parts[#parts + 1] = text end, colour = true }
    made:line("x", "error")
    assert.equal("\27[31;1mx\27[0m\n", table.concat(parts))
    local plain = page.buffer()
    plain:line("x", "error")
    assert.equal("x\n", plain:text())
  end)
end)
