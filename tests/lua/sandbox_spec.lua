-- sandbox_spec.lua: the known ways out of a sandbox, and around its limits, tried on a policy's own Lua state
--
-- Whatever would hang here without the protection that it tries is ended by the state's watchdog, with this suite.

require "keymend"
local core = require "keymend.core"
local lfs = require "lfs"
local policy = require "keymend.policy"

-- Runs a source in a state with small limits; what it gave, and the seconds it took.
local function run(source, limits)
  local state = assert(core.policy_new(limits or { instructions = 5e6, memory = 32e6, seconds = 10 }))
  local started = os.clock()
  local data, message = state:run(source, "=policy")
  local seconds = os.clock() - started
  state:close()
  return data, message, seconds
end

-- Every one of the sources is stopped with a message that fits, in the time of a small limit.
local function stopped(wanted, sources, limits)
  for _, source in ipairs(sources) do
    local data, message, seconds = run(source, limits)
    assert.is_nil(data, source)
    assert.is_truthy(message:find(wanted), source .. ": " .. message)
    assert.is_true(seconds < 5, ("%s: %.1f s"):format(source, seconds))
  end
end

describe("a policy reaches", function()
  -- All that can be reached from the globals without calling anything: paths of functions, sorted.
  local WALK = [[
    local found, seen = {}, {}
    local function walk(value, path)
      if type(value) == "function" then found[#found + 1] = path end
      if type(value) ~= "table" or seen[value] then return end
      seen[value] = true
      for key, inner in next, value do walk(inner, path == "" and key or path .. "." .. tostring(key)) end
      walk(getmetatable(value), path .. " meta")
    end
    walk(_G, "")
    for _, value in ipairs { "", 1, true, print or false, coroutine.create(function() end) } do
      walk(getmetatable(value), type(value) .. " meta")
    end
    table.sort(found)
    return table.concat(found, " ")
  ]]

  it("the functions of the allow-list and no other", function()
    assert.equal("assert coroutine.create coroutine.resume coroutine.running coroutine.status coroutine.wrap "
      .. "coroutine.yield error getmetatable ipairs math.abs math.ceil math.floor math.fmod math.max math.min "
      .. "math.modf next pairs pcall rawequal rawget rawset select setmetatable string.byte string.char string.find "
      .. "string.format string.gmatch string.gsub string.len string.lower string.match string.rep string.reverse "
      .. "string.sub string.upper table.concat table.insert table.maxn table.remove table.sort tonumber tostring type "
      .. "unpack xpcall", (run(WALK)))
  end)

  it("no environment, loader, proxy, library or debugger", function()
    for _, name in ipairs {
      "getfenv", "setfenv", "load", "loadstring", "loadfile", "dofile", "require", "module", "package", "newproxy",
      "collectgarbage", "gcinfo", "print", "io", "os", "debug", "keymend", "arg", "string.dump", "string.gfind",
      "math.random", "math.randomseed", "table.foreach", "table.foreachi", "table.getn", "table.setn",
    } do
      assert.equal("nil", (run(("return type(%s)"):format(name))), name)
      assert.is_truthy(select(2, run(("return (%s)()"):format(name))):find "attempt to call", name)
    end
  end)

  it("only its own strings' metatable", function()
    local state, other = core.policy_new {}, core.policy_new {}
    assert.is_true(state:run [[
      string.upper = function() return "mine" end
      getmetatable("").__index = function() return string.upper end
      getmetatable("").__call = string.upper
      return ("a"):anything() == "mine"
    ]])
    assert.equal("A", ("a"):upper())
    assert.equal("A", other:run [[return ("a"):upper()]])
    assert.is_nil(getmetatable("").__call)
    assert.is_false(pcall(function() return ("a")() end))
    state:close()
    other:close()
    -- Methods of texts are the counted ones too.
    stopped("instructions", { [[("a"):rep(3000):find(("a*"):rep(3) .. "b")]] })
  end)

  it("no bytecode", function()
    local code = string.dump(function() return 1 end)
    for _, source in ipairs { code, "\27", "\27Lua", code:sub(1, 20) } do
      local data, message = run(source)
      assert.is_nil(data)
      assert.is_truthy(message:find "bytecode", message)
    end
    assert.is_truthy(select(2, run("#!x\n" .. code)):find "unexpected symbol")
    assert.equal("nil nil", (run "return type(loadstring) .. ' ' .. type(string.dump)"))
  end)

  it("no addresses", function()
    assert.equal("table function thread", (run [[return tostring {} .. " " .. tostring(next) .. " "
      .. tostring(coroutine.create(function() end))]]))
    assert.equal("nil true 1.5 x mine", (run [[return table.concat({ tostring(nil), tostring(true), tostring(1.5),
      tostring "x", tostring(setmetatable({}, { __tostring = function() return "mine" end })) }, " ")]]))
  end)

  it("no field that would pass for a function of its own", function()
    local data, message = run "return { adopt = { ['function'] = -1 } }"
    assert.is_nil(data)
    assert.is_truthy(message:find 'field "function"')
  end)
end)

describe("a policy's instructions are used up", function()
  it("through pcall and xpcall", function()
    stopped("instructions", {
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      "while true do pcall(pcall, pcall, function() while true do end end) end",
      "while true do xpcall(function() while true do end end, function() while true do end end) end",
      "while true do xpcall(error, function() while true do end end) end",
      "local function f() return xpcall(f, f) end while true do f() end",
      "local function f() pcall(f) pcall(f) end f() while true do f() end",
    })
  end)

  it("through coroutines", function()
    stopped("instructions", {
      "coroutine.wrap(function() while true do end end)()",
      "while true do pcall(coroutine.wrap(function() while true do end end)) end",
      "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
      "local w = coroutine.wrap(function() while true do coroutine.yield() end end) while true do w() end",
      "while true do coroutine.wrap(function() for i = 1, 20 do end end)() end",
      "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
      "while true do coroutine.resume(coroutine.create(function() error {} end)) end",
      [[local function deep(n)
          return coroutine.wrap(function() if n > 0 then pcall(deep(n - 1)) end while true do end end)
        end
        while true do pcall(deep(6)) end]],
    })
    -- What was caught inside is not told as an ordinary end.
    local state = core.policy_new { instructions = 1e6 }
    local data = state:run "ok = coroutine.resume(coroutine.create(function() while true do end end)) return 'went on'"
    assert.is_nil(data)
    state:close()
  end)

  it("in short coroutines, whose own count begins anew", function()
    -- Without a charge for each resumption, 1e6 of these would run on 5e6 counted instructions.
    local state = core.policy_new { instructions = 5e6 }
    local _, message = state:run "for i = 1, 200000 do coroutine.wrap(function() for j = 1, 40 do end end)() end"
    assert.is_truthy(message and message:find "instructions")
    state:close()
  end)

  it("through error objects and metamethods", function()
    stopped("instructions", {
      [[local e = setmetatable({}, { __tostring = function() while true do end end })
        while true do pcall(tostring, e) end]],
      [[local e = setmetatable({}, { __tostring = function() while true do end end })
        while true do pcall(error, e) end]],
      "while true do pcall(error, setmetatable({}, { __index = function() while true do end end })) end",
    })
    for _, event in ipairs {
      "__index = loop} _ = t.x", "__newindex = loop} t.x = 1", "__call = loop} t()", "__concat = loop} _ = t .. ''",
      "__unm = loop} _ = -t", "__lt = loop} _ = t < t", "__eq = loop} _ = t == setmetatable({}, getmetatable(t))",
      "__add = loop} _ = t + 1",
    } do
      stopped("instructions", { ([[local t, _
        local function loop() while true do end end
        while true do pcall(function() t = setmetatable({}, {%s end) end]]):format((event:gsub("}", "})", 1))) })
    end
    local data, message = run "error(setmetatable({}, { __tostring = function() while true do end end }))"
    assert.is_nil(data)
    assert.is_truthy(message:find "an error that is a table", message)
  end)

  it("never in a finalizer, since there are none", function()
    assert.equal("none", (run [[
      local ran = "none"
      for i = 1, 1e5 do setmetatable({}, { __gc = function() ran = "one" while true do end end }) end
      return ran
    ]]))
    assert.equal("nil", (run "return type(newproxy)"))
  end)

  it("once and for all", function()
    local state = core.policy_new { instructions = 1e6 }
    assert.is_nil((state:run "while true do end"))
    local data, message = state:run "return 1"
    assert.is_nil(data)
    assert.is_truthy(message:find "instructions")
    state:close()
  end)
end)

describe("all calls into a policy together", function()
  it("are bounded too", function()
    local state = core.policy_new { instructions = 1e6, seconds = 10 }
    local number = state:run("return function() for i = 1, 8e5 do end return 1 end")["function"]
    local calls, answer, message = 0
    repeat
      calls = calls + 1
      answer, message = state:call(number)
    until answer ~= 1 or calls == 1000
    assert.is_true(calls > 8 and calls < 20, calls)
    assert.is_truthy(message:find "instructions")
    state:close()
    state = core.policy_new { instructions = 1e12, seconds = 0.05 }
    number = state:run("return function() for i = 1, 2e6 do end return 1 end")["function"]
    calls = 0
    repeat
      calls = calls + 1
      answer, message = state:call(number)
    until answer ~= 1 or calls == 1000
    assert.is_true(calls < 1000)
    assert.is_truthy(message:find "time")
    state:close()
  end)
end)

describe("what C functions do for one instruction is work:", function()
  it("string.rep", function()
    assert.equal("", (run [[return ("").rep("", 2^29)]]))
    stopped("instructions", { "while true do ('x'):rep(1e6) end", "while true do pcall(string.rep, 'ab', 1e5) end" })
    stopped("memory", { "('x'):rep(2^31 - 1)", "while true do pcall(string.rep, 'x', 2^31 - 1) end" },
      { memory = 32e6, instructions = 1e9, seconds = 10 })
    for _, n in ipairs { "2^31", "2^52", "2^63", "2^64", "1e308", "1/0", "-1/0", "0/0" } do
      local length, message = run(("return #('xy'):rep(%s)"):format(n))
      assert.is_true(length == 0 or message:find "used up" ~= nil, n)
    end
  end)

  it("patterns that go back and back", function()
    stopped("instructions", {
      [[("a"):rep(3000):find(("a*"):rep(3) .. "b")]],
      [[("a"):rep(1e5):match ".-.-.-b"]],
      [[("a"):rep(1e5):match "(.*)(.*)(.*)b"]],
      [[for _ in ("a"):rep(1e5):gmatch "a*a*b" do end]],
      [[("a"):rep(1e5):gsub("a*a*b", "")]],
      [[("a"):rep(1e5):gsub("[a-b]+[a-c]+b", "")]],
      [[("("):rep(1e5):gsub("%b()", "")]],
      [[("a"):rep(1e5):find "(.*)%1b"]],
      [[("x"):rep(1e5):find("[" .. ("a"):rep(1e5) .. "]")]],
      [[("x"):rep(1e5):find("%f[" .. ("a"):rep(1e5) .. "]")]],
      [[("a"):rep(1e6):find(("a"):rep(5e5) .. "b", 1, true)]],
      [[("a"):rep(1e6):find(("a"):rep(5e5) .. "b")]],
      [[while true do pcall(string.find, ("a"):rep(3000), ("a*"):rep(3) .. "b") end]],
      [[while true do ("x"):rep(1e5):find "y" end]],
    })
  end)

  it("patterns that would use up the C stack", function()
    for _, source in ipairs {
      [[return ("a"):rep(5e5):find(("a?"):rep(5e5))]], [[return ("a"):rep(1e5):find(("a-"):rep(1e5))]],
      [[return ("a"):match(("a*"):rep(300))]],
    } do
      local data, message = run(source)
      assert.is_nil(data)
      assert.is_truthy(message:find "pattern too complex", message)
    end
    assert.equal(100, (run [[return #("a"):rep(100):match(("a?"):rep(150))]]))
  end)

  it("gsub that makes more and more", function()
    stopped("memory", { "local s = 'xx' while true do s = s:gsub('.', '%0%0') end" },
      { memory = 32e6, instructions = 1e9, seconds = 10 })
    stopped("instructions", { "local s = ('x'):rep(1e5) while true do s:gsub('.', '%0') end",
      "local s = ('x'):rep(1e5) while true do s:gsub('', {}) end" })
  end)

  it("functions that call back, inside one another", function()
    for _, source in ipairs {
      "local function f(s) return (s:gsub('.', f)) end return f 'x'",
      "local t = {} local function f() table.sort({ 1, 2, 3 }, f) end return f()",
      "local function f() return coroutine.wrap(f)() end return f()",
      "local function f() local ok, m = coroutine.resume(coroutine.create(f)) if not ok then error(m, 0) end end f()",
      [[local t = setmetatable({}, {})
        getmetatable(t).__index = function(_, k) return ('x'):gsub('.', t) end
        return t.x]],
    } do
      local data, message = run(source)
      assert.is_nil(data, source)
      assert.is_truthy(message:find "deeper than" or message:find "overflow" or message:find "instructions",
        source .. ": " .. message)
    end
    assert.equal("deep", (run [[
      local function f(n) if n == 0 then return "deep" end local _, r = pcall(f, n - 1) return r end
      return f(100)
    ]]))
    -- Depth is given back when an error passes.
    assert.equal(1000, (run [[
      local count = 0
      for i = 1, 1000 do
        pcall(string.gsub, "x", ".", error)
        pcall(table.sort, { 1, 2, 3 }, error)
        pcall(coroutine.wrap(function() ("x"):gsub(".", error) end))
        count = count + 1
      end
      return count
    ]]))
  end)

  it("table.concat, insert, remove, sort, maxn", function()
    stopped("instructions", {
      "local t = {} for i = 1, 1e4 do t[i] = '' end while true do table.concat(t) end",
      "local s, t = ('x'):rep(1e5), {} for i = 1, 50 do t[i] = s end while true do pcall(table.concat, t) end",
      "table.insert({ 1, 2, 3 }, -2^30, 1)", "table.insert({}, -2^31, 1)",
      -- The stock functions read the place as an int: what is beyond it is another place.
      "table.insert({}, 2^31, 1)", "local t = { 1, 2 } t[2^20] = 1 table.insert(t, 2^32 - 2^30, 1)",
      "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1000 do table.insert(t, 2^32 + 1, 0) end",
      "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1000 do table.insert(t, '1', 0) end",
      "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1000 do table.remove(t, 2^32 + 1) end",
      "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
      "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1000 do table.remove(t, 1) end",
      "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.maxn(t) end",
      "local t = {} for i = 1, 1e4 do t[i] = i % 7 end while true do table.sort(t) end",
      [[local t = {} for i = 1, 20 do t[i] = ("x"):rep(1e5) .. i end
        for i = 21, 1e5 do t[i] = t[i % 20 + 1] end table.sort(t)]],
      "local t = {} for i = 1, 1e6 do t[i] = i end table.sort(t, rawequal)",
    })
    -- A value that is appended is no place.
    assert.same({ -2147024891, 5 }, (run "local t = {} table.insert(t, -2147024891) table.insert(t, 5) return t"))
    -- What contradicts itself is an error or an odd order, never more.
    run "local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() return true end)"
  end)

  -- A table that was emptied keeps its slots, and each walk passes all of them in one step.
  it("walks over emptied tables, by the time", function()
    local emptied = "local t = {} for i = 1, 2^18 do t[i] = true end for i = 1, 2^18 do t[i] = nil end "
    stopped("used up its time", {
      emptied .. "local list = {} for i = 1, 6e4 do list[i] = t end return list",
      emptied .. "while true do next(t) end",
      emptied .. "while true do for _ in pairs(t) do end end",
      emptied .. "local list = {} for i = 1, 1e4 do list[i] = t end table.sort(list, function(a) next(a) end)",
      emptied .. "local l = {} for i = 1, 1e5 do l[i] = t end while true do pcall(table.sort, l, table.maxn) end",
    }, { seconds = 1, instructions = 1e9, memory = 32e6 })
  end)

  it("unpack, select, byte, format, tonumber and the rest", function()
    -- Each loop ends within the instructions when what is called counts as one. A result that is kept is found again,
    -- so that making it takes no memory, which would be counted too.
    stopped("instructions", {
      "local t = {} for i = 1, 5000 do t[i] = i end for i = 1, 1e5 do unpack(t) end",
      "local s = ('x'):rep(5000) for i = 1, 1e5 do s:byte(1, -1) end",
      "local s = ('x'):rep(1e6) local kept = s:upper() for i = 1, 2000 do s:upper() end",
      "local s = ('X'):rep(1e6) local kept = s:lower() for i = 1, 2000 do s:lower() end",
      "local s = ('x'):rep(1e6) local kept = s:reverse() for i = 1, 2000 do s:reverse() end",
      "local s = ('x'):rep(1e6) local kept = s:sub(1, -2) for i = 1, 5000 do s:sub(1, -2) end",
      "local s = ('x'):rep(1e6) for i = 1, 5000 do ('%s'):format(s) end",
      "local s = ('x'):rep(1e6) local kept = s:rep(2) for i = 1, 1000 do s:rep(2) end",
      "local s = ('1'):rep(1e5) for i = 1, 1000 do tonumber(s) end",
      "local s = ('1'):rep(1e5) for i = 1, 1000 do tonumber(s, 2) end",
    })
    assert.is_truthy(select(2, run "return unpack({}, 1, 1e8)"):find "too many results")
    assert.is_truthy(select(2, run "return unpack({}, -2^31, 2^31 - 1)"):find "too many results")
    assert.is_truthy(select(2, run "return ('%99999d'):format(1)"):find "too long")
  end)

  it("and long texts are still read character by character", function()
    assert.equal(2e5, (run([[
      local s, n = ("ab"):rep(1e5), 0
      for i = 1, #s do if s:sub(i, i):find "%a" then n = n + 1 end end
      return n
    ]], { instructions = 20e6 })))
  end)
end)

describe("a policy's memory is used up", function()
  it("whatever it catches", function()
    stopped("memory", {
      "local t = {} for i = 1, 1e9 do t[i] = { i } end", "local s = 'x' while true do s = s .. s end",
      "local t = {} while true do pcall(function() for i = 1, 1e9 do t[i] = {} end end) end",
      "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
      "while true do coroutine.wrap(function() local s = ('x'):rep(1000) while true do s = s .. s end end)() end",
      "local t = {} for i = 1, 1e6 do t['k' .. i] = i end",
    }, { memory = 8e6, instructions = 1e9, seconds = 10 })
  end)

  it("and all of it is given back", function()
    for _ = 1, 20 do run("local t = {} for i = 1, 1e9 do t[i] = { i } end", { memory = 8e6 }) end
  end)
end)

describe("a policy's time is used up", function()
  local SHORT = { instructions = 1e15, memory = 200e6, seconds = 0.5 }

  it("by operators that do much for one instruction", function()
    stopped("time", {
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      [[local a, b = ("x"):rep(5e6) .. "a", ("x"):rep(5e6) .. "b" while true do local _ = a < b end]],
      [[local a = ("x"):rep(5e6) while true do local _ = a .. "b" end]],
      "local t = {} for i = 1, 1e5 do t[i] = i end for i = 1, 1e5 do t[i] = nil end while true do next(t) end",
      [[local s = ("1"):rep(1e5) while true do local _ = s + 0 end]],
      [[("a"):rep(1e5):match ".-.-.-b"]],
    }, SHORT)
  end)

  it("by texts that take long to compile", function()
    local breaks = "while true do " .. ("if x then break end "):rep(40000) .. "end"
    local names = ("local function f() local a" .. (", b"):rep(150) .. " "):rep(50) .. ("x = x "):rep(50000)
      .. ("end "):rep(50)
    for _, source in ipairs { breaks, names } do
      local data, message, seconds = run(source, { instructions = 1e15, seconds = 0.2 })
      assert.is_nil(data)
      assert.is_true(seconds < 1, ("%.1f s: %s"):format(seconds, message))
      data, message, seconds = run(source, { instructions = 1e5 })
      assert.is_nil(data)
      assert.is_truthy(message:find "instructions", message)
      assert.is_true(seconds < 1)
    end
  end)

  it("not by long brackets and deep nesting, which are errors", function()
    local n = 500000
    for _, source in ipairs {
      "[" .. ("="):rep(n), "[" .. ("="):rep(n) .. "[", "return [" .. ("="):rep(n) .. "[" .. ("]="):rep(n),
      "--[" .. ("="):rep(n) .. "[", "return [==[" .. ("]="):rep(n), "return " .. ("[["):rep(n), ("[=["):rep(n),
      "return " .. ("("):rep(n), "return " .. ("{"):rep(n), "return " .. ("- "):rep(n), "return " .. ("not "):rep(n),
      "return " .. ("a."):rep(n), ("do "):rep(n), ("function f() "):rep(n), "return '" .. ("\\"):rep(n),
      ("x"):rep(n), "return 1" .. ("0"):rep(n) .. "x", "return a" .. ("^a"):rep(n), "return a" .. ("..a"):rep(n),
    } do
      local data, message, seconds = run(source)
      assert.is_nil(data, source:sub(1, 40))
      assert.is_string(message, source:sub(1, 40))
      assert.is_true(#message < 2100)
      assert.is_true(seconds < 2, ("%s: %.1f s"):format(source:sub(1, 40), seconds))
    end
    assert.equal(2 * n, (run("return #[" .. ("="):rep(n) .. "[" .. ("]="):rep(n) .. "]" .. ("="):rep(n) .. "]")))
  end)

  -- A step that takes longer than twice the time: a text of 400 MB is made at once.
  it("in one step that does not end: the watchdog ends the process, with a message", function()
    local script, out = "build/tests/watchdog.lua", "build/tests/watchdog.out"
    lfs.mkdir "build"
    lfs.mkdir "build/tests"
    local function try(seconds)
      local file = assert(io.open(script, "w"))
      file:write(([[
        local core = require "keymend.core"
        local state = core.policy_new { memory = 9e8, instructions = 1e15, seconds = %g }
        print(state:run "return #('x'):rep(4e8)")
        os.exit(3)
      ]]):format(seconds))
      file:close()
      local status = os.execute(("LUA_PATH=%q LUA_CPATH=%q lua5.1 %s > %s 2>&1"):format(package.path, package.cpath,
        script, out))
      file = assert(io.open(out))
      local text = file:read "*a"
      file:close()
      return status / 256, text
    end
    local status, text
    for attempt = 1, 20 do -- on a busy machine the time may be over before the step begins
      status, text = try(0.02 * attempt)
      if status == 8 then break end
      assert.is_truthy(text:find "used up its time", text)
    end
    assert.equal(8, status, text)
    assert.equal("keymend: a policy did not end and could not be stopped, so keymend ends; no target was being "
      .. "changed\n", text)
    status, text = try(60)
    assert.equal(3, status, text)
    assert.equal("400000000\n", text)
  end)
end)

describe("patterns of a policy", function()
  -- Runs in both worlds: what find, match, gmatch and gsub give, or their messages.
  local TRY = [[
    local results = {}
    for index, case in ipairs((...)) do
      local text, pattern, replacement = case[1], case[2], case[3]
      local row = {}
      local function add(...)
        for i = 1, select("#", ...) do row[#row + 1] = tostring((select(i, ...))) end
        row[#row + 1] = "|"
      end
      add(pcall(string.find, text, pattern))
      add(pcall(string.find, text, pattern, case[4]))
      add(pcall(string.find, text, pattern, case[4], true))
      add(pcall(string.match, text, pattern, case[4]))
      add(pcall(string.gsub, text, pattern, replacement))
      add(pcall(string.gsub, text, pattern, replacement, case[4]))
      add(pcall(string.gsub, text, pattern, { a = "1", b = 2, [""] = "e" }))
      add(pcall(string.gsub, text, pattern, function(...)
        local got = {}
        for i = 1, select("#", ...) do got[i] = tostring((select(i, ...))) end
        return #got > 1 and "<" .. table.concat(got, ",") .. ">" or nil
      end))
      local ok, message = pcall(function()
        local count = 0
        for a, b in string.gmatch(text, pattern) do
          add(a, b)
          count = count + 1
          if count == 20 then break end
        end
      end)
      -- Where the message came from differs: the chunk's name.
      add(ok, message and message:gsub("^.-:%d+: ", ""))
      results[index] = table.concat(row, " ")
    end
    return results
  ]]

  -- The same numbers each time.
  local seed = 20001
  local function random(n)
    seed = (seed * 16807) % 2147483647
    return seed % n + 1
  end

  local PIECES = {
    "a", "b", "c", ".", "%a", "%d", "%S", "%w", "%x", "%p", "%z", "%c", "%L", "%u", "%%", "%]", "(", ")", "()", "(a)",
    "(.*)", "(.-)", "*", "+", "-", "?", "^", "$", "[ab]", "[^a]", "[a-c]", "[%a_]", "[]]", "[^]a]", "[a-]", "[%]]", "[",
    "]", "%", "%1", "%2", "%0", "%b()", "%bab", "%b", "%f[a]", "%f[%w]", "%f", "\0", "\200", "\t", "1", "_", "a*", "b-",
    ".+", "[ab]*", "%s*",
  }
  local LETTERS = { "a", "b", "c", "(", ")", "1", " ", "_", "\0", "\200", "\n", "A", "]", "%", "-" }
  local REPLACEMENTS = { "", "x", "%0", "%1", "%2", "<%0%1>", "%%", "%", "%a", "%9", "\0" }

  local function text_of(pieces, most)
    local text = {}
    for index = 1, random(most) - 1 do text[index] = pieces[random(#pieces)] end
    return table.concat(text)
  end

  it("mean what they mean to the stock functions", function()
    local state = core.policy_new { instructions = 1e9 }
    local number = state:run("return function(...) " .. TRY .. " end")["function"]
    local stock = loadstring(TRY)
    for _ = 1, 300 do
      local cases = {}
      for index = 1, 100 do
        cases[index] = {
          text_of(LETTERS, 14), text_of(PIECES, 7), REPLACEMENTS[random(#REPLACEMENTS)], random(20) - 8,
        }
      end
      local wanted, found = stock(cases), assert(state:call(number, cases))
      for index, case in ipairs(cases) do
        if wanted[index] ~= found[index] then
          assert.equal(wanted[index], found[index], ("%q with %q and %q, %d"):format(unpack(case)))
        end
      end
    end
    state:close()
  end)

  it("take the same arguments", function()
    local TRY_ARGUMENTS = [[
      local results = {}
      for _, name in ipairs { "find", "match", "gmatch", "gsub", "rep" } do
        for _, given in ipairs {
          {}, { {} }, { "a" }, { "a", {} }, { "a", "a" }, { "a", "a", {} }, { "a", "a", "b", {} }, { "a", "a", true },
          { 12, 1 }, { 12, 1, 3 }, { 12, 1, 3, 0 }, { "abc", "", 10 }, { "abc", "", -10 }, { "abc", "b", 2.7 },
          { "abc", 2 }, { "abc", "(b)()", 1 }, { "aa", -1 }, { "", 5 }, { "abc", "b", "%1%1", 1 },
          { "abc", "b", function() return {} end },
        } do
          local ok, a, b, c, d = pcall(string[name], unpack(given))
          a = type(a) == "function" and "function" or a
          local row = { tostring(ok), tostring(a), tostring(b), tostring(c), tostring(d) }
          results[#results + 1] = name .. " " .. table.concat(row, " ")
        end
      end
      for _, given in ipairs {
        {}, { 1 }, { {} }, { { "a", 1, 2.5 } }, { { "a", "b" }, "," }, { { "a", "b", "c" }, "-", 2 },
        { { "a", "b" }, "", 2, 1 }, { { "a" }, "", 1, 2 }, { { "a", {} } }, { { "a" }, {} }, { { "a" }, 1 },
        { { "a", "b" }, ", ", 1, 1 },
      } do
        local ok, text = pcall(table.concat, unpack(given))
        results[#results + 1] = tostring(ok) .. " " .. tostring(text)
      end
      return results
    ]]
    assert.same(loadstring(TRY_ARGUMENTS)(), (run(TRY_ARGUMENTS)))
  end)

  it("as do tables", function()
    local TABLES = [[
      local t, results = { 5, 3, 9, 1 }, {}
      local function note(...)
        results[#results + 1] = table.concat({ ... }, " ") .. ": " .. table.concat(t, " ")
      end
      table.sort(t) note "sort"
      table.sort(t, function(a, b) return a > b end) note "sort down"
      table.insert(t, 7) note "insert"
      table.insert(t, 2, 8) note "insert at"
      for key, value in pairs { "a" } do note(key, value) end
      note(tostring(next({})), next({ "a" }), select(2, pcall(next, {}, 1)), select(2, pcall(next)))
      note(select(2, pcall(pairs)), select(2, pcall(pairs, 1)), select(2, pcall(next, 1)))
      note(select(2, pcall(table.insert, t, "x", 1)), select(2, pcall(table.insert, 1, 1)))
      note(select(2, pcall(table.remove, t, "x")), select(2, pcall(table.remove, 1, 1)), tostring(table.remove(t, nil)))
      note(table.remove(t)) note(table.remove(t, 1)) note(tostring((table.remove(t, 99))))
      note(table.maxn { 1, 2, [7.5] = 1, x = 1 }, table.maxn {})
      note(tostring(pcall(table.insert, t)), select(2, pcall(table.insert, t, 1, 2, 3)))
      note(select(2, pcall(table.sort, { 1, "x" })), select(2, pcall(table.sort, 1)))
      note(select(2, pcall(table.sort, {}, 1)))
      note(tostring(tonumber "0x10"), tostring(tonumber("zz", 36)), tostring(tonumber "x"), select("#", nil, nil))
      note(("%5.2f|%q|%s|%x"):format(1.234, "a\n", "s", 255), ("abc"):byte(2), string.char(65, 66))
      local w = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
      note(w(1), w(10), tostring(pcall(w)))
      local co = coroutine.create(function() error("oops", 0) end)
      note(tostring(coroutine.resume(co)), coroutine.status(co), select(2, coroutine.resume(co)))
      note(tostring(pcall(coroutine.wrap(function() error "wrapped" end))))
      return results
    ]]
    assert.same(loadstring(TABLES)(), (run(TABLES)))
  end)
end)

describe("a policy's globals", function()
  -- Loads a policy whose adopt rule has the given body.
  local function load_rule(body, above)
    lfs.mkdir "build"
    lfs.mkdir "build/tests"
    local path = "build/tests/globals.lua"
    local file = assert(io.open(path, "w"))
    file:write((above or "") .. '\nreturn policy { name = "globals", containers = { "SMS" }, '
      .. "adopt = function(keys, case) " .. body .. " end }\n")
    file:close()
    local trusted = require "keymend.trust"
    trusted.files = trusted.files or {}
    return policy.load(path)
  end

  local function call(body, above)
    local loaded = assert(load_rule(body, above))
    local data, message = loaded.state:call(loaded.adopt["function"], {}, {})
    policy.close { loaded }
    return data, message
  end

  it("are those that its file declares", function()
    assert.equal("yes", call("return helper()", "function helper() return 'yes' end").key)
    assert.equal(1, call("count = count + 1 return count", "count = 0").key)
    local loaded, message = load_rule("return nil", "local x = misspelt")
    assert.is_nil(loaded)
    assert.is_truthy(message:find "globals.lua:1: misspelt: ", message)
  end)

  it("raise when a rule reads or sets others", function()
    local data, message = call "return misspelt"
    assert.is_nil(data)
    assert.is_truthy(message:find "globals.lua:2: misspelt: ", message)
    data, message = call "forgotten = 1"
    assert.is_nil(data)
    assert.is_truthy(message:find 'globals.lua:2: forgotten: ', message)
    assert.is_truthy(message:find "local", message)
    data, message = call "setmetatable(_G, nil) return 'open'"
    assert.is_nil(data)
    assert.is_truthy(message:find "protected metatable", message)
  end)
end)
