-- policy_spec.lua: loading and checking policies; each error names the file, the line and the field

package.path = "tests/lua/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path

local policy = require "keymend.policy"

local path = os.tmpname() .. ".lua"

local function load(text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return policy.load(path)
end

-- A policy with these fields after the necessary ones.
local function with(fields)
  return 'return policy {\n  name = "test",\n  containers = { "SMS" },\n  ' .. fields .. "\n}\n"
end

local function refused(text, ...)
  local loaded, message, code = load(text)
  assert.is_nil(loaded)
  assert.equal("policy", code)
  for _, part in ipairs { ... } do assert.truthy(message:find(part, 1, true), message) end
end

describe("a policy", function()
  after_each(function() os.remove(path) end)

  it("has defaults for all but name and containers", function()
    local loaded = assert(load(with ""))
    assert.equal("test", loaded.title)
    assert.equal("always", loaded.applies.rule)
    assert.equal("regenerated", loaded.retire.rule)
    assert.equal("first_of", loaded.adopt.rule)
    assert.equal("regeneration", loaded.onset.rule)
    assert.equal("adopt_file", loaded.remedy.rule)
    assert.same({}, loaded.service_patterns)
    assert.same({ { name = "SMS", hash = "19c5cf9c7b5dc9de3e548adb70398402" } }, loaded.containers)
    assert.equal(64, #loaded.sha256)
    loaded.state:close()
  end)

  it("that is shipped loads, as KB 884872", function()
    local loaded = assert(policy.load "iis5")
    assert.equal("884872", loaded.kb)
    assert.equal("c2319c42033a5ca7f44e731bfd3fa2b5", loaded.containers[1].hash)
    assert.same({ "IISADMIN", "SMS_*", "CcmExec" }, loaded.service_patterns)
    assert.same({ "IISADMIN" }, loaded.user_patterns)
    assert.is_true(loaded.services.dependents)
    assert.equal("shipped", loaded.source)
    loaded.state:close()
  end)

  it("may put the machine GUID back, above half of the key files or more", function()
    for text, above in pairs { ["restore_guid {}"] = 50, ["restore_guid { above = 75 }"] = 75 } do
      local loaded = assert(load(with("remedy = " .. text)))
      assert.same({ rule = "restore_guid", above = above }, loaded.remedy)
      loaded.state:close()
    end
    local wanted = "a number of per cent from 50 to less than 100"
    refused(with "remedy = restore_guid { above = 49 }", ":4:", "restore_guid: above: " .. wanted, 'found "49"')
    refused(with "remedy = restore_guid { above = 100 }", ":4:", wanted)
    refused(with "remedy = restore_guid { below = 60 }", ":4:", "restore_guid: above was expected", '"below"')
    refused(with "remedy = restore_guid(60)", ":4:", "a table such as { above = 50 }")
    refused(with 'remedy = { rule = "restore_guid", above = 10 }', ":4: remedy: restore_guid: above: " .. wanted)
    refused(with 'remedy = "restore_guid"', ":4: remedy: one of adopt_file, restore_guid was expected")
    refused(with "remedy = function() end", ":4: remedy: adopt_file or restore_guid { above = 50 } was expected")
    refused(with "remedy = sole_candidate", ":4: remedy: one of adopt_file, restore_guid was expected")
  end)

  it("may give functions, which run in its own state", function()
    local loaded = assert(load(with 'adopt = function(keys, case) return keys[1], "the first of " .. #keys end'))
    local answer = loaded.state:call(loaded.adopt["function"], { { name = "a" }, { name = "b" } }, {})
    assert.equal("a", answer.key.name)
    assert.equal("the first of 2", answer.reason)
    loaded.state:close()
  end)

  it("answers nil with a reason, which is not a failure", function()
    local loaded = assert(load(with 'adopt = function() return nil, "ask" end'))
    local answer = loaded.state:call(loaded.adopt["function"], {}, {})
    assert.is_nil(answer.key)
    assert.equal("ask", answer.reason)
    loaded.state:close()
  end)

  it("finds nothing of the system", function()
    for _, name in ipairs { "io", "os", "require", "package", "loadstring", "dofile", "debug", "load", "loadfile" } do
      refused("local x = " .. name .. ".x\n" .. with "", "x")
    end
  end)

  it("with a misspelt rule is refused, not given the default", function()
    refused(with "adopt = sole_candidat", ":4:", "sole_candidat")
    refused(with "retire = regenerate", "regenerate")
  end)

  it("with a builder that lacks its argument is refused with its line", function()
    refused(with "retire = within", ":4: retire:", "a builder without its argument; write within(30)")
    refused(with "adopt = by_guid", ":4: adopt:", "write by_guid")
    refused(with "adopt = first_of", ":4: adopt:", "write first_of")
    refused(with "adopt = first_of { proved, by_guid }", ":4: adopt:", "write by_guid")
    refused(with "checks = { within }", ":4: checks, entry 1:", "write within(30)")
  end)

  it("with a list of rules that has a gap or a name is refused with its line", function()
    refused(with "adopt = first_of { proved, nil, sole_candidate }", ":4:", "first_of: entry 2", "a rule")
    refused(with "adopt = first_of { proved, x = 1 }", ":4:", "a list of rules alone", "the field x")
  end)

  it("may begin with a byte order mark", function()
    assert(load("\239\187\191" .. with "")).state:close()
  end)

  it("with an event written by hand is refused when its numbers are none of an event", function()
    for _, ids in ipairs { "70000", "-1", "1.5", "0/0" } do
      refused(with('onset = { rule = "first_failure", { rule = "event", source = "x", ids = { ' .. ids .. " } } }"),
        ":4: onset:", "first_failure")
    end
  end)

  it("is refused as bytecode", function()
    refused(string.dump(function() end), "bytecode")
  end)

  it("must return policy { ... }", function()
    refused("return { name = 'x' }", "return policy { ... }", path)
    refused("", "return policy { ... }")
  end)

  it("with a fault of Lua is refused with its line", function()
    refused("return policy {\n  name = \n}", ":3:")
  end)

  it("names the events of its onset", function()
    local loaded = assert(load(with [[onset = first_failure {
      event { source = "W3SVC", id = 116, data = "03 00 00 00" },
      event { source = "Service Control Manager", ids = { 7023, 7024 }, service = "W3SVC", code = 0x80090006 },
    }]]))
    assert.equal("first_failure", loaded.onset.rule)
    assert.same({ rule = "event", source = "W3SVC", ids = { 116 }, data = "\3\0\0\0" }, loaded.onset[1])
    assert.same({ 7023, 7024 }, loaded.onset[2].ids)
    assert.same({ 0x80090006 }, loaded.onset[2].codes)
    loaded.state:close()
  end)

  it("with a wrong event is told its line", function()
    refused(with "onset = first_failure {}", ":4:", "at least one event")
    refused(with "onset = first_failure { 116 }", ":4:", "entry 1", "an event")
    refused(with "onset = first_failure { regeneration }", ":4:", "entry 1", "an event")
    refused(with 'onset = event { source = "W3SVC", id = 1 }', ":4", "one of first_failure, regeneration or a function")
    for wrong, what in pairs {
      ["id = 116"] = "event: source", ['source = "", id = 1'] = "event: source", ['source = "A"'] = "id or ids",
      ['source = "A", id = 1, ids = { 2 }'] = "id or ids", ['source = "A", id = 65536'] = "from 0 to 65535",
      ['source = "A", id = "1"'] = "event: id", ['source = "A", ids = {}'] = "event: id",
      ['source = "A", id = 1, service = 5'] = "event: service", ['source = "A", id = 1, data = "3"'] = "hexadecimal",
      ['source = "A", id = 1, data = ""'] = "hexadecimal", ['source = "A", id = 1, code = -1'] = "an error code",
      ['source = "A", id = 1, sevice = "B"'] = "sevice",
    } do refused(with("onset = first_failure { event { " .. wrong .. " } }"), ":4:", what) end
  end)

  it("with rules written out by hand is told what they lack", function()
    refused(with 'onset = { rule = "first_failure" }', ":4:", "first_failure: at least one event")
    refused(with 'onset = { rule = "first_failure", { rule = "event", source = "A" } }', ":4:",
      "first_failure: events, made by event")
    refused(with 'applies = { rule = "windows", from = 5 }', ":4:", "windows: versions as text")
    refused(with 'applies = { rule = "has_service" }', "has_service: the name of a service")
    refused(with 'applies = { rule = "not_" }', "not_: one condition")
    refused(with 'applies = { rule = "all_of", { rule = "any_of" } }', "any_of: at least one rule")
    refused(with 'adopt = { rule = "first_of" }', "first_of: at least one rule")
  end)

  it("with a field in a text that keymend does not fill is told which there are", function()
    refused(with 'findings = { ["key.orphaned"] = { text = "%{nosuch}" } }', "%{nosuch}", "%{container}, %{old_guid}")
    refused(with 'findings = { ["key.lost"] = { remedy = "%{name}" } }', "%{name}", "%{container}")
    local loaded = assert(load(with [[findings = { ["key.orphaned"] = { text = "%{container} %{old_guid}" },
      ["test.own"] = { severity = "info", text = "%{anything}" } }]]))
    loaded.state:close()
  end)

  it("with a field of any name is told so", function()
    refused(with '["["] = 1', 'there is no field "["')
    refused(with '["a%"] = 1', 'there is no field "a%"')
  end)

  it("with lists beyond measure is refused", function()
    refused('local t = {} for i = 1, 1001 do t[i] = "x" .. i end return policy { name = "x", containers = t }',
      "containers: a list of at most 1000 entries", "1001")
    refused('local t = {} for i = 1, 1001 do t[i] = "x" .. i end return policy { name = "x", containers = "x", '
      .. "services = t }", "services: a list of at most 1000 entries")
  end)

  it("with a misspelt field is told which was meant", function()
    refused(with 'contaners = { "x" }', ":4", "contaners", 'did you mean "containers"?')
  end)

  it("with a wrong field is told the line, the field, what was expected and what was found", function()
    refused(with "title = 5", ":4", "title", "text was expected", "the number 5")
    refused(with "api = 2", "api", "api: the number 1")
    refused(with 'adopt = "guid_history"', "adopt", "guid_history", "first_of")
    refused(with "retire = sole_candidate", "retire", "regenerated")
    refused(with "applies = function() end", "applies", "condition")
    refused(with "services = 7", "services", "the number 7")
    refused(with 'services = { "A", start = "always" }', "services.start", '"auto" or "none"')
    refused(with 'services = { "A", dependants = true }', "services", "dependants")
    refused('return policy { containers = { "SMS" } }', "name")
    refused('return policy { name = "a b", containers = { "SMS" } }', "name")
    refused('return policy { name = "x" }', "containers")
    refused('return policy { name = "x", containers = {} }', "containers")
    refused(with 'findings = { ["other.x"] = { severity = "info", text = "x" } }', 'begins with "test."')
    refused(with 'findings = { ["key.lost"] = { severity = "info" } }', "key.lost")
    refused(with "checks = { 5 }", "checks")
  end)

  it("with a wrong builder is told its line", function()
    refused(with "applies = windows { from = 5.0 }", ":4:", "version as text")
    refused(with "applies = windows { since = '5.0' }", ":4:", "from or below")
    refused(with "applies = has_service {}", ":4:", "name of a service")
    refused(with "adopt = first_of { 5 }", ":4:", "entry 1")
    refused(with "adopt = first_of {}", ":4:", "at least one")
  end)

  it("that is not there is told the ones that are", function()
    local loaded, message, code = policy.load "iis"
    assert.is_nil(loaded)
    assert.equal("not-found", code)
    assert.truthy(message:find('did you mean "iis5"?', 1, true))
    loaded, message, code = policy.load "./no-such.lua"
    assert.is_nil(loaded)
    assert.equal("not-found", code)
    assert.truthy(message:find("./no-such.lua", 1, true))
  end)

  it("of one name may be loaded once only", function()
    assert(load(with "")).state:close()
    local loaded, message = policy.load_all { path, path }
    assert.is_nil(loaded)
    assert.truthy(message:find("two policies", 1, true))
  end)

  it("that runs in a circle is stopped", function()
    refused("while true do end\n" .. with "", "instructions")
  end)
end)

describe("a folder of own policies", function()
  local cli, folder, standard = require "keymend.cli", nil, policy.folder
  local function write(name, text)
    local file = assert(io.open(folder .. name, "wb"))
    file:write(text)
    file:close()
  end
  local function list(...)
    local parts, out, err = {}, io.stdout, io.stderr
    local stream = { write = function(_, ...) parts[#parts + 1] = table.concat { ... } end, flush = function() end }
    io.stdout, io.stderr = stream, stream -- luacheck: ignore 122
    local ok, status = pcall(cli.main, { [0] = "keymend", "policies", "list", ... })
    io.stdout, io.stderr = out, err -- luacheck: ignore 122
    assert(ok, status)
    return status, table.concat(parts)
  end

  before_each(function()
    local name = os.tmpname()
    os.remove(name)
    assert(os.execute("mkdir -m 700 " .. name) == 0)
    folder = name .. "/"
    policy.folder = folder
  end)
  after_each(function()
    os.execute("rm -r " .. folder)
    policy.folder = standard
  end)

  it("is listed, with how they are used", function()
    write("test.lua", with "")
    write("iis5.lua", policy.find "iis5")
    write("notes.txt", "no policy")
    assert.same({ "test" }, policy.own_names())
    local status, text = list()
    assert.equal(0, status)
    local own = "iis5 .*" .. folder:gsub("%p", "%%%0") .. "iis5.lua.*\ntest .*used with %-%-policy test\n"
    assert.truthy(text:find(own), text)
    assert.is_nil(text:find("notes", 1, true))
    status, text = list "--json"
    assert.equal(0, status)
    local document = assert(require("dkjson").decode(text))
    assert.equal("test", document.own_policies[1].name)
    assert.equal("iis5", document.policies[1].name)
    assert.is_nil(select(2, list("--policy", "iis5")):find("test", 1, true))
  end)

  it("tells of one that cannot be used, and of no folder nothing", function()
    write("bad.lua", "return 42")
    local status, text = list()
    assert.equal(4, status)
    assert.truthy(text:find("bad.lua", 1, true), text)
    assert.truthy(text:find("\niis5 ", 1, true), text)
    policy.folder = folder .. "missing/"
    assert.equal(0, (list()))
    policy.folder = nil
    assert.equal(0, (list()))
  end)
end)

describe("a fault", function()
  after_each(function() os.remove(path) end)

  it("is told with its line when fields share one", function()
    refused('return policy {\n  name = "test", containers = { "SMS" }, retire = within,\n}\n', path .. ":2: retire:")
    refused('-- on lines, adopt = x\nreturn policy { name = "test", containers = { "SMS" }, adopt = 5 }\n',
      path .. ":2: adopt:")
  end)
end)

describe("extends with a path", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir -p " .. folder .. "/site") == 0)
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  local function write(name, text)
    local file = assert(io.open(folder .. name, "wb"))
    file:write(text)
    file:close()
  end

  it("counts from the folder of the file that says it", function()
    write("/ours.lua", 'return policy {\n  extends "./site/base.lua",\n  name = "ours",\n}\n')
    write("/site/base.lua", 'return policy { extends "../last.lua", title = "from the base" }\n')
    write("/last.lua", 'return policy { extends "iis5", kb = "1" }\n')
    local loaded = assert(policy.load(folder .. "/ours.lua"))
    assert.equal("from the base", loaded.title)
    assert.equal("1", loaded.kb)
    assert.equal(3, #loaded.bases)
    loaded.state:close()
    write("/ours.lua", 'return policy { extends "./absent.lua", name = "ours" }\n')
    local none, message, code = policy.load(folder .. "/ours.lua")
    assert.is_nil(none)
    assert.equal("policy", code)
    assert.truthy(message:find(folder .. "/./absent.lua", 1, true), message)
  end)
end)

describe("time", function()
  after_each(function() os.remove(path) end)

  -- The seconds that `time` makes of a text, as a finding's text tells them.
  local function seconds(text)
    local loaded = assert(load('return policy { name = "test", containers = { "SMS" }, title = ("%.3f"):format(time "'
      .. text .. '") }'))
    loaded.state:close()
    return tonumber(loaded.title)
  end

  it("reads RFC 3339 into seconds since 1970", function()
    for text, expected in pairs {
      ["1970-01-01T00:00:00Z"] = 0, ["2004-09-01T00:00:00Z"] = 1093996800, ["2004-09-01t02:00:00+02:00"] = 1093996800,
      ["2004-08-31T18:30:00-05:30"] = 1093996800, ["2000-02-29T23:59:59.5z"] = 951868799.5,
      ["1969-12-31T23:59:59Z"] = -1, ["2000-03-01T00:00:00Z"] = 951868800, ["2100-12-31T00:00:00Z"] = 4133894400,
    } do
      assert.equal(expected, seconds(text), text)
    end
  end)

  it("refuses what is none, with the line", function()
    for _, text in ipairs { "2004-09-01", "2004-09-01T00:00:00", "2004-02-30T00:00:00Z", "2100-02-29T00:00:00Z",
      "2004-13-01T00:00:00Z", "2004-00-01T00:00:00Z", "2004-09-01T24:00:00Z", "2004-09-01T00:60:00Z",
      "2004-09-01T00:00:00.Z", "2004-09-01T00:00:00+0200", "2004-09-01T00:00:00+24:00", "2004-09-01T00:00:00Z ",
      "2004-09-01T00:00:005Z" } do
      refused('local day = time "' .. text .. '"', path .. ":1: time: a time with a zone", '"' .. text .. '"')
    end
    refused("local day = time(5)", "found number")
  end)
end)
