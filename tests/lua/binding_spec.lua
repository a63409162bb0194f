-- binding_spec.lua: keymend.core, the C side of the Lua module, on real volumes

local core = require "keymend.core"
local lfs = require "lfs"
local volume = require "volume"

local IIS = "Microsoft Internet Information Server"
local IIS_HASH = "c2319c42033a5ca7f44e731bfd3fa2b5"
local WORK = "build/tests/binding"

-- A fresh copy of the KB's case; returns the options that open it.
local function kb_volume()
  lfs.mkdir "build"
  lfs.mkdir "build/tests"
  os.execute("rm -rf " .. WORK .. " " .. WORK .. ".times")
  volume.cases = "tests/golden/cases"
  volume.make(WORK, volume.case("kb").volume)
  return { root = WORK, times = WORK .. ".times" }
end

local function open(more)
  local options = kb_volume()
  for key, value in pairs(more or {}) do options[key] = value end
  return assert(core.open(options))
end

-- The plan of the KB: retire the current file, adopt the foreign one.
local function kb_plan(target)
  local info = target:info()
  local plan = {
    machine_guid = info.machine_guid, key_store = info.key_store, policies = "iis5", overrides = "",
    steps = {}, stop = { "W3SVC", "IISADMIN" }, start = { "IISADMIN", "W3SVC" },
  }
  for _, match in ipairs(target:survey({ IIS_HASH }).matches) do
    local key = target:inspect(match.name)
    table.insert(plan.steps, {
      kind = match.class == "current" and "retire" or "adopt", container = key.container, name = key.name,
      to = match.class ~= "current" and IIS_HASH .. "_" .. info.guid or nil, reason = "a test",
      size = key.size, identity = key.identity, created_ticks = key.created_ticks,
      created_source = key.created_source, written_ticks = key.written_ticks, sha256 = key.sha256,
    })
  end
  table.sort(plan.steps, function(a, b) return a.kind > b.kind end)
  return plan
end

-- Names and contents of the key store, as one text.
local function store_text(target)
  local lines = {}
  for name in target:keys() do
    table.insert(lines, name .. " " .. (target:inspect(name).sha256 or "-"))
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

describe("pure functions", function()
  it("hash container names", function()
    assert.equal(IIS_HASH, core.hash(IIS))
    assert.equal(IIS_HASH, core.hash(IIS:upper()))
    assert.equal(IIS, core.known_container(IIS_HASH))
    assert.is_nil(core.known_container(("0"):rep(32)))
    assert.equal(32, #core.cng_hash "iisCngWasKey")
    assert.are_not.equal(core.hash "iisCngWasKey", core.cng_hash "iisCngWasKey")
    local hash, message, code = core.hash("\226\130\172x" .. ("\230\151\165"):rep(3)) -- no Windows-1252 form
    assert.is_nil(hash)
    assert.is_string(message)
    assert.equal("misuse", code)
  end)

  it("take unique names apart", function()
    local parts = core.unique_name(IIS_HASH:upper() .. "_4CBDE50A-570F-47F5-8CC1-F6E151231826")
    assert.same({ hash = IIS_HASH, guid = "4cbde50a-570f-47f5-8cc1-f6e151231826", upper = true }, parts)
    assert.is_nil(core.unique_name "something.OLD")
    assert.is_nil(core.unique_name(IIS_HASH .. "_4cbde50a-570f-47f5-8cc1-f6e151231826\0x"))
  end)

  it("tell the form of a machine GUID", function()
    local guid = "4cbde50a-570f-47f5-8cc1-f6e151231826"
    assert.same({ guid, "plain" }, { core.guid(guid) })
    assert.same({ guid, "case" }, { core.guid(guid:upper()) })
    assert.same({ guid, "braces" }, { core.guid("{" .. guid .. "}") })
    assert.same({ "", "malformed" }, { core.guid "nonsense" })
    assert.same({ "", "absent" }, { core.guid(nil) })
  end)

  it("escape what could harm a terminal, at any length", function()
    assert.equal("plain", core.escape "plain")
    assert.is_nil(core.escape("a\27[31mb\226\128\174c"):find("[\27\226]"))
    local long = ("\27"):rep(1000)
    local escaped = core.escape(long)
    assert.is_nil(escaped:find "\27")
    assert.equal(core.escape("\27"):rep(1000), escaped)
  end)

  it("keep times exact", function()
    local seconds, ticks = core.time_parse "2004-09-14T07:08:00.5Z"
    assert.equal(1095145680.5, seconds)
    assert.equal("127396192805000000", ticks)
    assert.equal("2004-09-14T07:08:00Z", core.time_text(ticks))
    assert.equal("2004-09-14T07:08:00Z", core.time_text(1095145680.5))
    assert.equal("1969-12-31T23:59:59Z", core.time_text(-0.5))
    local none, message = core.time_parse "2004-09-14 07:08"
    assert.is_nil(none)
    assert.is_truthy(message:find "2004%-09%-14 07:08")
    local now = core.time_now()
    assert.is_true(math.abs(now - os.time()) < 5)
  end)

  it("raise when they are called wrongly", function()
    for _, call in ipairs {
      function() core.hash() end, function() core.hash {} end, function() core.hash "a\0b" end,
      function() core.time_text {} end, function() core.time_text "12x" end, function() core.time_text(1e300) end,
      function() core.time_text "99999999999999999999999" end, function() core.escape(nil) end,
      function() core.open { root = 1 } end, function() core.open { root = "a\0b" } end,
      function() core.open { root = ".", volumes = "D" } end,
      function() core.open { root = ".", volumes = { DD = "." } } end,
      function() core.open { root = ".", volumes = { D = 1 } } end,
      function() core.policy_new { memory = -1 } end,
    } do
      assert.has_error(call)
    end
  end)

  it("know what is embedded", function()
    local modules = table.concat(core.embedded_modules(), " ")
    assert.is_truthy(modules:find "keymend.repl")
    assert.is_truthy(modules:find "dkjson")
    assert.is_truthy(core.embedded_module "keymend.repl":find("repl.lua", 1, true))
    assert.is_nil(core.embedded_module "no such module")
    assert.is_table(core.embedded_policies())
  end)
end)

describe("a target", function()
  it("that cannot be opened is nil, message, code, native", function()
    local target, message, code, native = core.open { root = "/nonexistent/volume" }
    assert.is_nil(target)
    assert.is_truthy(message:find("/nonexistent/volume", 1, true))
    assert.equal("not-found", code)
    assert.is_number(native)
  end)

  it("tells its facts", function()
    local target = open()
    local info = target:info()
    assert.equal("offline", info.backend)
    assert.equal("C:\\WINNT", info.windows)
    assert.equal("5.0", info.version)
    assert.equal("plain", info.guid_form)
    assert.equal(volume.NEW, info.guid)
    assert.is_true(info.key_store_found)
    assert.is_true(info.can["creation-times"])
    assert.is_nil(info.can.services)
    assert.equal("SOFTWARE", info.hives[1].name)
    assert.equal(volume.OLD, info.old_guids[1].guid)
    assert.is_string(info.guid_written_ticks)
    assert.equal(core.time_text(info.guid_written), core.time_text(info.guid_written_ticks))
    target:close()
  end)

  it("prints without addresses and closes more than once", function()
    local target = open()
    assert.equal("keymend.target (offline, C:\\WINNT)", tostring(target))
    local keys, services = target:keys(), target:services()
    assert.equal("keymend.keys", tostring(keys))
    assert.is_truthy(tostring(services):match "^keymend%.services %(%d+%)$")
    target:close()
    target:close()
    keys:close()
    keys:close()
    assert.equal("keymend.target (closed)", tostring(target))
    assert.equal("keymend.keys (closed)", tostring(keys))
    assert.equal("keymend.services (closed)", tostring(services))
    assert.has_error(function() target:info() end, "the target is closed")
    assert.has_error(function() keys() end, "the target of these keys is closed")
    assert.has_error(function() services:list() end, "the target of these services is closed")
    services:close()
  end)

  it("lives as long as its children", function()
    local keys = open():keys()
    collectgarbage()
    collectgarbage()
    local count = 0
    for _ in keys do count = count + 1 end
    assert.equal(6, count)
    assert.has_error(function() keys() end)
    collectgarbage()
    collectgarbage()
  end)

  it("does not take one object for another", function()
    local target = open()
    local services = target:services()
    assert.has_error(function() target.info(services) end)
    assert.has_error(function() target.info(io.stdout) end)
    assert.has_error(function() services.list(target) end)
    assert.has_error(function() getmetatable(target).__gc(services) end)
    assert.has_error(function() target:keys "other" end)
    assert.has_error(function() target:inspect() end)
    assert.has_error(function() target:survey { 1 } end)
    assert.has_error(function() services:order({ {} }) end)
    target:close()
  end)

  it("walks its key store", function()
    local target = open()
    local classes = { current = 0, foreign = 0, stray = 0 }
    for name, class, hash, guid in target:keys() do
      classes[class] = classes[class] + 1
      assert.equal(name, hash .. "_" .. guid)
    end
    assert.same({ current = 1, foreign = 5, stray = 0 }, classes)
    local none, message, code = target:keys "cng"
    assert.is_nil(none)
    assert.is_string(message)
    assert.equal("not-found", code)
    target:close()
  end)

  it("surveys and inspects", function()
    local target = open()
    local survey = target:survey { IIS_HASH:upper() }
    assert.equal(6, survey.files)
    assert.equal(2, #survey.matches)
    assert.equal(IIS_HASH, survey.matches[1].hash)
    assert.is_false(survey.truncated)
    assert.same({ { guid = volume.OLD, files = 5 } }, survey.guids)
    local key = target:inspect(survey.matches[1].name)
    assert.equal("ok", key.status)
    assert.equal("current", key.class)
    assert.equal(IIS, key.container)
    assert.equal(IIS_HASH, key.container_hash)
    assert.equal(1024, key.signature.bits)
    assert.equal(256, #key.exchange.modulus)
    assert.is_truthy(key.identity:match "^%d+$")
    assert.equal("times-file", key.created_source)
    assert.equal(64, #key.sha256)
    local none, message, code = target:inspect "no such file"
    assert.is_nil(none)
    assert.is_truthy(message:find "no such file")
    assert.equal("not-found", code)
    assert.is_true(target:master_key_present(volume.MASTER_KEY))
    assert.is_false(target:master_key_present(volume.THIRD))
    local master_key = target:master_key(volume.MASTER_KEY)
    assert.is_true(master_key.size > 0 and master_key.written > 0)
    assert.is_string(master_key.created_source)
    none, message, code = target:master_key(volume.THIRD)
    assert.is_nil(none)
    assert.is_truthy(message:find(volume.THIRD, 1, true))
    assert.equal("not-found", code)
    target:close()
  end)

  it("reads the registry", function()
    local target = open()
    assert.same({ volume.NEW, "REG_SZ" }, { target:registry("SOFTWARE\\Microsoft\\Cryptography", "MachineGuid") })
    local needs, kind = target:registry("SYSTEM\\CurrentControlSet\\Services\\W3SVC", "DependOnService")
    assert.same({ "IISADMIN" }, needs)
    assert.equal("REG_MULTI_SZ", kind)
    assert.same({ 2, "REG_DWORD" }, { target:registry("SYSTEM\\CurrentControlSet\\Services\\W3SVC", "Start") })
    local none, _, code = target:registry("SOFTWARE\\No such key", "x")
    assert.is_nil(none)
    assert.equal("not-found", code)
    for _, key in ipairs { "SECURITY", "\\security\\Policy", "Security\\" } do
      local nothing, message, refused = target:registry(key, "x")
      assert.is_nil(nothing)
      assert.is_truthy(message:find "secrets")
      assert.equal("refused", refused)
    end
    local names = {}
    for _, key in ipairs(target:registry_keys "SOFTWARE\\Microsoft") do names[key.name] = key.written_ticks end
    assert.is_string(names.Cryptography)
    target:close()
  end)

  it("knows the service graph", function()
    local target = open()
    local services = target:services()
    assert.equal("automatic", services:find("w3svc").start)
    assert.same({ "IISADMIN" }, services:find("W3SVC").depends)
    assert.is_false(services:find("W3SVC").driver)
    assert.is_nil(services:find("W3SVC").state) -- this Windows does not run
    assert.is_nil(services:find "NoSuchService")
    assert.same({ "SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER" }, services:match "sms_*")
    local order = services:order({ "IISADMIN" }, true)
    assert.equal("IISADMIN", order.stop[#order.stop])
    assert.equal("IISADMIN", order.start[1])
    assert.same({}, order.cycles)
    target:close()
  end)

  it("tells that a volume has no such event log, and that it has no CryptoAPI", function()
    local target = open()
    local events, message, code = target:events("System", { source = "W3SVC", ids = { 116, 7023 }, from = 0x40000000,
      to = "127395295600000000", text = "x", oldest_first = true })
    assert.is_nil(events)
    assert.is_truthy(message:find("System", 1, true))
    assert.equal("not-found", code)
    assert.equal("not-found", (select(3, target:events "System")))
    assert.equal("unsupported", (select(3, target:test_container(IIS))))
    assert.equal("misuse", (select(3, target:test_container "")))
    assert.equal("misuse", (select(3, target:events "")))
    target:close()
  end)

  it("takes no wrong filter of events", function()
    local target = open()
    for _, wrong in ipairs {
      { source = 1 }, { source = "a\0b" }, { text = {} }, { ids = 116 }, { ids = { "116" } }, { ids = { -1 } },
      { ids = { 65536 } }, { ids = { 0 / 0 } }, { from = "yesterday" }, { from = 0 / 0 }, { to = 1e300 }, { to = {} },
      { from = "0" },
    } do
      assert.has_error(function() target:events("System", wrong) end)
    end
    assert.has_error(function() target:events("System", "W3SVC") end)
    assert.has_error(function() target:events() end)
    assert.has_error(function() target:events "a\0b" end)
    assert.has_error(function() target:test_container() end)
    target:close()
    assert.has_error(function() target:events "System" end, "the target is closed")
  end)

  it("leaves a refused write untouched", function()
    local target = open()
    local before = store_text(target)
    for _, call in ipairs {
      function() return target:apply(kb_plan(target)) end, function() return target:undo "x" end,
      function() return target:recover() end,
    } do
      local none, message, code, native, outcome = call()
      assert.is_nil(none)
      assert.is_truthy(message:find "read%-only")
      assert.same({ "read-only-target", 0, "untouched" }, { code, native, outcome })
    end
    assert.equal("read-only-target", (select(3, target:purge "x")))
    assert.equal(before, store_text(target))
    assert.same({}, target:history())
    target:close()
  end)
end)

describe("a transaction", function()
  it("is applied and undone, and its plan may not change under it", function()
    local target = open { write = true }
    local before, plan, stages = store_text(target), kb_plan(target), {}
    local txn, outcome = target:apply(plan, {
      progress = function(stage, text)
        stages[stage] = text
        plan.machine_guid, plan.steps, plan.stop, plan.start = nil, nil, nil, nil
        collectgarbage()
        assert.has_error(function() target:info() end)
      end,
    })
    assert.is_table(txn)
    assert.equal("done", outcome)
    assert.is_string(stages.commit)
    assert.same({ "W3SVC", "IISADMIN" }, txn.stop)
    assert.same({}, txn.services) -- all deferred
    assert.equal("committed", txn.state)
    assert.equal("iis5", txn.policies)
    assert.equal(2, #txn.files)
    assert.are_not.equal(before, store_text(target))
    local undone
    undone, outcome = target:undo(txn.id)
    assert.equal("undone", undone.state)
    assert.equal("done", outcome)
    assert.equal(before, store_text(target))
    local none, message, code, _, untouched = target:undo(txn.id)
    assert.is_nil(none)
    assert.is_truthy(message:find(txn.id, 1, true))
    assert.same({ "refused", "untouched" }, { code, untouched })
    assert.equal(1, #target:history())
    assert.same({ 0, "untouched", {} }, { target:recover() })
    assert.is_true(target:purge(txn.id))
    assert.equal("purged", target:history()[1].state)
    target:close()
  end)

  it("tells by a code why a journal cannot be read", function()
    local target = open { write = true }
    local txn = assert(target:apply(kb_plan(target)))
    assert.is_nil(target:history()[1].problem_code)
    local path = WORK .. txn.vault:gsub("^%a:", ""):gsub("\\", "/") .. "/journal"
    local file = assert(io.open(path, "r+b"))
    file:write "something else"
    file:close()
    local row = target:history()[1]
    assert.same({ "unreadable", "damaged" }, { row.state, row.problem_code })
    target:close()
  end)

  it("lets no policy run meanwhile", function()
    local target, policy, answers = open { write = true }, core.policy_new {}, {}
    assert(target:apply(kb_plan(target), {
      progress = function() answers[#answers + 1] = select(2, policy:run "return 1") end,
    }))
    assert.is_true(#answers > 0)
    for _, answer in ipairs(answers) do
      assert.equal("a policy does not run while a target is changed", answer)
    end
    assert.equal(1, policy:run "return 1")
    target:close()
  end)

  it("is rolled back when the progress function fails", function()
    local target = open { write = true }
    local before, calls = store_text(target), 0
    local ok, message = pcall(target.apply, target, kb_plan(target), {
      progress = function(stage)
        calls = calls + 1
        if stage == "vault" then error "oops" end
      end,
    })
    assert.is_false(ok)
    assert.is_truthy(message:find "oops" and message:find "rolled back")
    assert.equal(before, store_text(target))
    assert.equal("rolled-back", target:history()[1].state)
    assert.is_table(target:apply(kb_plan(target)))
    target:close()
  end)

  it("is refused when the store is not as the plan saw it", function()
    local target = open { write = true }
    local before, plan = store_text(target), kb_plan(target)
    plan.steps[2].sha256 = ("0"):rep(64)
    local none, message, code, _, outcome = target:apply(plan)
    assert.is_nil(none)
    assert.is_string(message)
    assert.same({ "stale", "untouched" }, { code, outcome })
    assert.equal(before, store_text(target))
    target:close()
  end)

  it("raises for a plan that is none, naming the field", function()
    local target = open { write = true }
    local function try(field, change)
      local plan = kb_plan(target)
      change(plan)
      local ok, message = pcall(target.apply, target, plan)
      assert.is_false(ok)
      assert.is_truthy(message:find(field, 1, true), message)
    end
    try("plan.machine_guid", function(plan) plan.machine_guid = nil end)
    try("plan.key_store", function(plan) plan.key_store = {} end)
    try("plan.steps", function(plan) plan.steps = {} end)
    try("plan.steps", function(plan) for i = 1, 100 do plan.steps[i] = plan.steps[1] end end)
    try("plan.steps[2]", function(plan) plan.steps[2] = 5 end)
    try("plan.steps[1].kind", function(plan) plan.steps[1].kind = "delete" end)
    try("plan.steps[2].to", function(plan) plan.steps[2].to = nil end)
    try("plan.steps[1].name", function(plan) plan.steps[1].name = "a\0b" end)
    try("plan.steps[1].size", function(plan) plan.steps[1].size = 0.5 end)
    try("plan.steps[1].identity", function(plan) plan.steps[1].identity = "0x10" end)
    try("plan.steps[1].identity", function(plan) plan.steps[1].identity = "18446744073709551616" end)
    try("plan.steps[1].written_ticks", function(plan) plan.steps[1].written_ticks = "18446744073709551615" end)
    try("plan.steps[1].created_source", function(plan) plan.steps[1].created_source = "guess" end)
    try("plan.steps[1].sha256", function(plan) plan.steps[1].sha256 = "00" end)
    try("plan.stop[2]", function(plan) plan.stop = { "a", false } end)
    assert.has_error(function() target:apply() end)
    assert.has_error(function() target:apply(kb_plan(target), { progress = 1 }) end)
    assert.same({}, target:history())
    target:close()
  end)

  it("is interrupted by SIGINT, SIGTERM and SIGHUP, which then mean again what they meant", function()
    local killer = "kill -%s $PPID"
    for _, signal in ipairs { "INT", "TERM", "HUP" } do
      local target = open { write = true }
      local before = store_text(target)
      local none, message, code, _, outcome = target:apply(kb_plan(target), {
        progress = function(stage)
          if stage == "vault" then io.popen(killer:format(signal)):close() end -- os.execute would block SIGINT
        end,
      })
      assert.is_nil(none)
      assert.is_string(message)
      assert.same({ "interrupted", "rolled-back" }, { code, outcome })
      assert.equal(before, store_text(target))
      target:close()
    end
  end)

  it("cannot be begun once writing is forbidden", function()
    -- In another process, since there is no way back.
    local script = ([[LUA_CPATH=%q lua5.1 -e '
      local core = require "keymend.core"
      core.forbid_writing()
      print(select(3, core.open{root = "x", write = true}))' 2>&1]]):format(package.cpath)
    local pipe = io.popen(script)
    assert.equal("read-only-target\n", pipe:read "*a")
    pipe:close()
  end)
end)

describe("a policy's state", function()
  local policy

  before_each(function() policy = assert(core.policy_new {}) end)
  after_each(function() policy:close() end)

  it("hands plain data over both ways", function()
    local data = policy:run [[return { 1, "two", { three = 3.5, [true] = false }, ["a\0b"] = "\0" }]]
    assert.same({ 1, "two", { three = 3.5, [true] = false }, ["a\0b"] = "\0" }, data)
    assert.same({ nil, 2, "x" }, { policy:run "return nil, 2, 'x'" })
    assert.equal(0, select("#", policy:run ""))
    local rule = policy:run "return function(keys, case) return keys[#keys], case.name, nil end"
    assert.is_number(rule["function"])
    assert.same({ { 7 }, "x" }, { policy:call(rule["function"], { 1, { 7 } }, { name = "x" }) })
    assert.equal("keymend.policy", tostring(policy))
  end)

  it("gives one number to one function", function()
    local data = policy:run "local f = function() return 1 end return { f, f, { print = tostring } }"
    assert.equal(data[1]["function"], data[2]["function"])
    assert.are_not.equal(data[1]["function"], data[3].print["function"])
    assert.equal("5", policy:call(data[3].print["function"], 5))
    assert.is_nil((policy:call(99)))
    assert.has_error(function() policy:call(0) end)
  end)

  it("keeps globals from run to run, and from other states", function()
    policy:run "x = 5"
    assert.equal(5, policy:run "return x")
    local other = core.policy_new {}
    assert.is_nil((other:run "return x"))
    assert.is_nil(rawget(_G, "x"))
    other:close()
  end)

  it("refuses what is no plain data", function()
    for _, source in ipairs {
      "local t = {} t.t = t return t", "return { [{}] = 1 }",
      "local t = {} local top = t for i = 1, 40 do t.x = {} t = t.x end return top",
      "local t = {} for i = 1, 30 do t = { t, t } end return t",
      "return ('x'):rep(17 * 1024 * 1024)",
    } do
      local data, message = policy:run(source)
      assert.is_nil(data)
      assert.is_truthy(message:find "handed over")
    end
    local n = policy:run("return function() end")["function"]
    assert.has_error(function() policy:call(n, print) end)
    assert.has_error(function() policy:call(n, io.stdout) end)
    assert.has_error(function() policy:call(n, { [{}] = 1 }) end)
    assert.equal(1, policy:run "return 1")
  end)

  it("has only the safe parts of Lua", function()
    for _, name in ipairs {
      "io", "os", "package", "debug", "require", "module", "dofile", "loadfile", "load", "loadstring", "getfenv",
      "setfenv", "newproxy", "collectgarbage", "gcinfo", "print", "string.dump", "string.gfind",
      "math.random", "math.randomseed", "table.foreach",
    } do
      assert.is_nil((policy:run("return " .. name)), name)
    end
    assert.equal("a1", policy:run [[return ("a%d"):format(1)]])
    local ok = policy:run "local names = {} for k in pairs(_G) do names[#names + 1] = k end return #names"
    assert.equal(23, ok)
  end)

  it("refuses bytecode", function()
    local data, message = policy:run(string.dump(function() return 1 end))
    assert.is_nil(data)
    assert.is_truthy(message:find "bytecode")
  end)

  it("tells errors with file and line", function()
    local _, message = policy:run("\nlocal x = = 1", "@my/policy.lua")
    assert.is_truthy(message:find "my/policy.lua:2:")
    _, message = policy:run("\n\nerror 'wrong'", "@my/policy.lua")
    assert.equal("my/policy.lua:3: wrong", message)
    _, message = policy:run "error { 1 }"
    assert.is_truthy(message:find "a table")
  end)

  it("is stopped when it uses up its instructions, whatever it catches", function()
    for _, source in ipairs {
      "while true do end", "while true do pcall(function() while true do end end) end",
      "local function f() return xpcall(f, f) end while true do f() end",
      "while true do xpcall(error, function() while true do end end) end",
    } do
      local small = core.policy_new { instructions = 1e6 }
      local data, message = small:run(source)
      assert.is_nil(data)
      assert.is_truthy(message:find "instructions", message)
      small:close()
    end
  end)

  it("is stopped when it uses up its memory, whatever it catches", function()
    for _, source in ipairs {
      "local t = {} for i = 1, 1e9 do t[i] = { i } end", "return ('x'):rep(1e8)",
      "while true do pcall(string.rep, 'x', 1e8) end",
      "local s = 'x' while true do s = s .. s end",
    } do
      local small = core.policy_new { memory = 4e6 }
      local data, message = small:run(source)
      assert.is_nil(data)
      assert.is_truthy(message:find "memory", message)
      small:close()
    end
    local data, message, code = core.policy_new { memory = 1000 }
    assert.is_nil(data)
    assert.is_string(message)
    assert.equal("memory", code)
  end)

  it("is freed by close and by the collector", function()
    policy:close()
    policy:close()
    assert.equal("keymend.policy (closed)", tostring(policy))
    assert.has_error(function() policy:run "return 1" end)
    for _ = 1, 100 do core.policy_new {} end
    collectgarbage()
    collectgarbage()
  end)
end)
