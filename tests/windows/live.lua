-- live.lua: the parts of the suite `windows`: what keymend.exe must do on a running Windows
--
-- Each part gets a fresh Windows (scene.lua), unless it says that it goes on with that of the part before.

local check = require "check"
local example = require "example"
local json = require "dkjson"
local scene = require "scene"
local shell = require "shell"
local wine = require "wine"

local live = {}

local quote = shell.quote
local parts = {}
local ADOPT = { "--adopt", scene.OLD }
local ALL_RUN = "IISADMIN running, W3SVC running, SMS_SITE_COMPONENT_MANAGER running"

-- ---- Helpers ----

function live.not_shown(what)
  print("NOT SHOWN: " .. what)
end

local function open(name)
  return scene.new { kind = live.kind, top = live.top, name = name }
end

local function exit_is(result, expected, what)
  return check.ok(result.exit == expected, ("%s: exit status %s"):format(what, expected),
    ("found: %s\n%s%s"):format(result.exit, result.out, result.err))
end

local function states_are(s, expected, what)
  local states, codes, result = s:service "query"
  local found = {}
  for i, name in ipairs(scene.SERVICES) do found[i] = name .. " " .. tostring(states[name]) end
  check.equal(table.concat(found, ", "), expected, what)
  return codes, result
end

local function document(result, what)
  local found, at = json.decode(result.out, 1, nil)
  local whole = type(found) == "table" and result.out:sub(at):match "^%s*$" ~= nil
  check.ok(whole, what .. " prints one document", result.out .. result.err)
  return whole and found or {}
end

local function has_finding(found, id, what)
  local ids = {}
  for _, finding in ipairs(found.findings or {}) do
    if finding.id == id then return check.ok(true, what) end
    ids[#ids + 1] = finding.id
  end
  return check.ok(false, what .. ": finding " .. id, table.concat(ids, "\n"))
end

-- The lines of a log that begin with one of the services and say `act`, in order: "A, B".
local function order_of(log, act)
  local names = {}
  for name, what in log:gmatch "(%S+) (%S+)[^\n]*\n" do
    if what == act then names[#names + 1] = name end
  end
  return table.concat(names, ", ")
end

local function before(list, one, other)
  local a, b = list:find(one, 1, true), list:find(other, 1, true)
  return a ~= nil and b ~= nil and a < b
end

local function applied(s, more, options)
  local words = { "apply", "--yes" }
  for _, word in ipairs(more or {}) do words[#words + 1] = word end
  return s:keymend(words, options)
end

-- ---- The case of the article ----

function parts.repair()
  local s = open "repair"
  check.group(live.kind .. ": the fault")
  local states, codes = s:broken()
  check.equal(states.IISADMIN, "stopped", "IISADMIN fails after MachineGuid was reset")
  check.equal(codes.IISADMIN, "1066 0x80090006", "IISADMIN says NTE_BAD_SIGNATURE")
  check.equal(codes.W3SVC, "1068 0x00000000", "W3SVC misses IISADMIN")
  check.equal(codes.SMS_SITE_COMPONENT_MANAGER, "1008 0x00000000", "the SMS service says 1008")
  local files = s:files()
  check.ok(files[scene.OLD] and files[scene.NEW], "the old key file is there, and a new one", s:listing())
  local original, attributes = s:listing(), s:attributes()

  check.group(live.kind .. ": diagnose and plan change nothing")
  local untouched = s:snapshot()
  local told = s:keymend { "diagnose" }
  exit_is(told, 4, "diagnose")
  check.equal(told.err, "", "diagnose prints nothing on stderr")
  check.has(told.out, "key.regenerated")
  check.has(told.out, live.kind == "win64" and "6.1.7601" or "5.0.2195", "it names the version of Windows")
  local found = document(s:keymend { "diagnose", "--json" }, "diagnose --json")
  has_finding(found, "key.regenerated", "the document")
  exit_is(s:keymend { "plan" }, 0, "plan")
  exit_is(s:keymend { "plan", "--manual" }, 0, "plan --manual")
  exit_is(s:keymend { "plan", "--save", scene.STORE .. "\\plan.json" }, 32, "plan --save into the key store")
  for _, verb in ipairs { "keys", "services", "history", "policies" } do
    local result = s:keymend({ verb }, { bare = verb == "policies" })
    check.ok(result.exit == 0 or result.exit == 4, verb .. " answers", result.out .. result.err)
  end
  check.same_text(s:snapshot(), untouched, "the files are as before")
  check.equal(s:log(), "", "no service was touched")

  check.group(live.kind .. ": apply")
  local done = applied(s)
  exit_is(done, 0, "apply")
  live.keep_output("diagnose", told.out)
  live.keep_output("apply", done.out)
  check.has(done.out, "Undo:\n  keymend undo ")
  local log = s:log()
  check.equal(order_of(log, "started"):match "IISADMIN.*W3SVC" ~= nil, true, "IISADMIN starts before W3SVC")
  check.ok(not log:find "made", "nobody made a third key", log)
  check.ok(not log:find "refused" and not log:find "missed", "no service failed", log)
  states_are(s, ALL_RUN, "all services run")
  local now = s:files()
  check.equal(now[scene.NEW] and now[scene.NEW]:match "|(%x+)$", files[scene.OLD]:match "|(%x+)$",
    "the old key has the name that Windows looks for")
  check.equal(now[scene.OLD], nil, "its old name is gone")
  check.equal(s:attributes()[scene.NEW], attributes[scene.OLD], "its attributes came with it")
  local after = s:keymend { "diagnose" }
  exit_is(after, 0, "diagnose after apply")
  s:stop_services()
  s:service "start"
  states_are(s, ALL_RUN, "they start again by themselves")

  check.group(live.kind .. ": undo and apply again")
  s:log()
  local repaired = s:listing()
  local undone = s:keymend { "undo" }
  check.ok(undone.exit == 0 or undone.exit == 4, "undo", ("exit %d\n%s%s"):format(undone.exit, undone.out, undone.err))
  check.same_text(s:listing(), original, "the store is as before apply: names, bytes, times")
  check.equal(s:attributes()[scene.OLD], attributes[scene.OLD], "and the attributes")
  log = s:log()
  check.ok(before(log, "W3SVC stopped", "IISADMIN stopped"), "undo stops W3SVC before IISADMIN", log)
  live.keep_output("undo", undone.out)
  exit_is(s:keymend { "undo" }, 32, "a second undo")
  check.same_text(s:listing(), original, "a second undo changes nothing")
  exit_is(applied(s), 0, "a second apply")
  check.same_text(s:listing(), repaired, "it repairs the store as the first did")
  states_are(s, ALL_RUN, "all services run again")
  check.has(s:keymend({ "history" }).out, "undone", "history tells of both")
  s:stop()
end

-- ---- Services ----

-- The services still run when MachineGuid is reset: nothing fails until they are restarted.
function parts.running()
  local s = open "running"
  check.group(live.kind .. ": services that run while the key is put right")
  s:healthy()
  s:stop_services()
  s:still_running()
  exit_is(s:keymend { "diagnose" }, 4, "diagnose")
  exit_is(applied(s, ADOPT), 0, "apply")
  local log = s:log()
  check.ok(before(log, "W3SVC stopped", "IISADMIN stopped"), "W3SVC is stopped before IISADMIN", log)
  check.ok(before(log, "IISADMIN stopped", "IISADMIN started"), "IISADMIN is restarted", log)
  check.ok(before(log, "IISADMIN started", "W3SVC started"), "IISADMIN starts before W3SVC", log)
  states_are(s, ALL_RUN, "all services run")
  s:stop()
end

function parts.without_services()
  local s = open "alone"
  check.group(live.kind .. ": --no-services")
  s:broken()
  local done = applied(s, { "--no-services" })
  exit_is(done, 4, "apply --no-services: the services are still down")
  check.has(done.out, "left alone", "it says that the services were left alone")
  check.equal(s:log(), "", "no service was touched")
  check.equal(s:files()[scene.OLD], nil, "the key file was adopted")
  s:stop()
end

-- What services may do instead of stopping and starting as they are told: one that still runs with the old key.
local function unwilling(what, fields)
  local s = open "unwilling"
  check.group(live.kind .. ": a service that " .. what)
  s:healthy()
  s:stop_services()
  s:set("IISADMIN", fields)
  s:still_running()
  return s, s:listing()
end

function parts.slow_stop()
  local s = unwilling("takes long to stop", { ["stop-ms"] = 3000 })
  local done = applied(s, ADOPT)
  exit_is(done, 0, "apply waits for it")
  check.has(done.out, "IISADMIN: %d+ s", "it tells that it waits", true)
  states_are(s, ALL_RUN, "all services run")
  s:stop()
end

function parts.no_stop()
  local s = unwilling("takes no stop", { unstoppable = 1 })
  local done = applied(s, { "--adopt", scene.OLD, "--detailed-exitcode" })
  check.equal(done.exit % 4, 3, "apply goes on: changed, and a restart of Windows is due")
  check.has(done.out, "service.restart-due")
  check.equal(s:files()[scene.OLD], nil, "the repair stands")
  s:stop()
end

function parts.hanging_stop()
  local s, original = unwilling("hangs while it stops", { hang = "stop" })
  local done = applied(s, ADOPT)
  check.ok(done.exit >= 8 and done.exit < 16, "apply fails", ("exit %d\n%s%s"):format(done.exit, done.out, done.err))
  check.has(done.err, "IISADMIN", "it names the service")
  check.same_text(s:listing(), original, "everything is put back")
  s:stop()
end

function parts.hanging_start()
  local s = unwilling("hangs while it starts, after the commit", {})
  s:set("IISADMIN", { hang = "start" })
  local done = applied(s, ADOPT)
  check.equal(done.exit, 4, "apply ends with findings")
  check.has(done.out, "service.start-failed")
  check.equal(s:files()[scene.OLD], nil, "the repair stands")
  s:stop()
end

-- ---- Safety ----

-- A program that opens the key's current name all the time, and a service that is started again and again.
function parts.no_gap()
  local s = open "gap"
  check.group(live.kind .. ": the current name is never free")
  s:broken()
  local stop, out = s.windows.c .. "/stop", s.windows.dir .. "/watch.out"
  s.windows:spawn({ s.tests .. "watch.exe", scene.STORE .. "\\" .. scene.NEW, "C:\\stop" }, out)
  for _ = 1, 100 do
    if shell.read(stop .. ".ready") then break end
    os.execute "sleep 0.05"
  end
  for round = 1, 3 do
    s.windows:spawn({ s.tests .. "service.exe", "start", "IISADMIN", "W3SVC", "IISADMIN", "W3SVC", "IISADMIN" },
      s.windows.dir .. "/start.out")
    local done = applied(s)
    check.ok(done.exit % 8 == 0 or done.exit % 8 == 4, "apply " .. round, done.out .. done.err)
    check.ok(done.exit < 8, "apply succeeds beside them", done.out .. done.err)
    local undone = s:keymend { "undo" }
    check.ok(undone.exit == 0 or undone.exit == 4, "undo " .. round, undone.out .. undone.err)
  end
  shell.write(stop, "")
  for _ = 1, 100 do
    if (shell.read(out) or ""):find "opened" then break end
    os.execute "sleep 0.05"
  end
  local seen = shell.read(out)
  local opened, absent, contents = seen:match "opened (%d+) absent (%d+) .* contents (%d+)"
  check.equal(absent, "0", "the name was there at every look")
  check.ok(tonumber(opened or 0) > 100, "it looked often", seen)
  check.ok(tonumber(contents or 0) >= 6, "it saw each change", seen)
  check.ok(not s:log():find "made", "nobody made a third key")
  s:stop()
end

function parts.not_elevated()
  local s = open "user"
  check.group(live.kind .. ": without an administrator's rights")
  s:broken()
  local untouched = s:snapshot()
  local can = s:keymend({ "--version" }, { as_user = true, bare = true })
  if can.exit == 250 then
    check.skip("without an administrator's rights", can.err:match "[^\n]*")
    s:stop()
    return
  end
  local refused = applied(s, {}, { as_user = true })
  check.equal(refused.exit - refused.exit % 32, 32, "apply is refused: " .. refused.exit)
  check.has(refused.err, "administrator", "it says why")
  check.same_text(s:snapshot(), untouched, "nothing was touched")
  check.equal(s:log(), "", "no service either")
  for _, verb in ipairs { "undo", "recover" } do
    local done = s:keymend({ verb }, { as_user = true })
    check.ok(done.exit >= 32 and done.exit < 64, verb .. " is refused", ("exit %d\n%s%s"):format(done.exit, done.out,
      done.err))
  end
  exit_is(s:keymend({ "diagnose" }, { as_user = true }), 4, "diagnose works")
  live.not_shown "a restricted token without privileges (Wine 8 keeps them), nor what NTFS refuses to it"
  s:stop()
end

-- Nothing is taken from the environment, the current folder or the program's own. The DLLs that the program imports are
-- KnownDLLs of every Windows, which come from the system folder; Wine knows no such list, so they are not planted.
function parts.planted()
  local s = open "planted"
  check.group(live.kind .. ": planted modules and DLLs")
  s:broken()
  local plain = s:keymend { "diagnose" }
  local folder = s.windows.dir .. "/planted"
  shell.must("mkdir " .. quote(folder))
  local trap = ('local f = io.open([[%s]], "w") f:write "x" f:close()'):format(wine.path(folder .. "/sprung"))
  for _, place in ipairs { folder, s.stick } do
    for _, name in ipairs { "keymend", "json", "dkjson", "init", "lua_init", "cli" } do
      shell.write(("%s/%s.lua"):format(place, name), trap)
    end
    for _, name in ipairs { "lua51", "keymend", "version", "shell32", "cryptbase", "secur32" } do
      shell.write(("%s/%s.dll"):format(place, name), "no DLL")
    end
  end
  local path = wine.path(folder) .. "\\?.lua"
  local done = s:keymend({ "diagnose" }, {
    folder = folder, environment = {
      LUA_INIT = trap, LUA_PATH = path, LUA_CPATH = wine.path(folder) .. "\\?.dll", LUA_INIT_5_1 = trap,
    },
  })
  check.equal(done.exit, plain.exit, "the exit status is the same")
  check.same_text(done.out, plain.out, "the diagnosis is the same")
  check.equal(shell.read(folder .. "/sprung"), nil, "no trap was sprung")
  s:stop()
end

-- The 32-bit program on 64-bit Windows.
function parts.wow64()
  if live.kind ~= "win64" then return end
  local s = open "wow64"
  check.group "win64: the 32-bit program refuses, and names the 64-bit one"
  s:broken()
  local untouched = s:snapshot()
  local program = wine.path(live.top .. "/build/win32/keymend.exe")
  for _, words in ipairs { { "diagnose" }, { "apply", "--yes" }, { "undo" }, { "recover" }, { "keys" } } do
    local done = s:keymend(words, { program = program, bare = words[1] ~= "apply" })
    check.ok(done.exit >= 32 and done.exit < 64, words[1] .. " is refused",
      ("exit %d\n%s%s"):format(done.exit, done.out, done.err))
    check.has(done.err, "64%-bit", words[1] .. " names the 64-bit build", true)
  end
  check.same_text(s:snapshot(), untouched, "nothing was touched")
  exit_is(s:keymend({ "--version" }, { program = program, bare = true }), 0, "--version")
  s:stop()
end

-- ---- Ended in the middle ----

local function crash_log(s)
  local path = s.windows.c .. "/crash.log"
  local text = shell.read(path) or ""
  os.remove(path)
  local operations = {}
  for operation in text:gmatch "%d+ (%S+)\n" do operations[#operations + 1] = operation end
  return operations
end

local function crashing(s, words, environment)
  environment.KEYMEND_CRASH_LOG = "C:\\crash.log"
  return s:keymend(words, { program = s.tests .. "crash.exe", environment = environment })
end

-- The store is that of `old` or of `new`; which.
local function whole(s, old, new, where)
  local now = s:listing()
  if now == old then return "old" end
  if now == new then return "new" end
  check.ok(false, where .. ": the store is whole", now)
end

-- Every file of `old` has its bytes in the store or the vault.
local function nothing_lost(s, old, where)
  local sums = shell.must(("find %s %s -type f -print0 2> /dev/null | xargs -0r sha256sum"):format(quote(s.store),
    quote(s.windows.c .. "/ProgramData/keymend")))
  for name, facts in pairs(old) do
    if not sums:find(facts:match "|(%x+)$", 1, true) then
      return check.ok(false, ("%s: the bytes of %s are in the store or the vault"):format(where, name), sums)
    end
  end
  return true
end

-- After the process was ended somewhere: every verb tells of it, recover makes it whole.
local function recovers(s, state, where)
  if not nothing_lost(s, state.files, where) then return end
  local done = s:keymend { "recover" }
  if done.exit ~= 0 and done.exit ~= 4 then
    check.ok(false, where .. ": recover", ("exit %d\n%s%s"):format(done.exit, done.out, done.err))
    return
  end
  return whole(s, state.before, state.after, where)
end

local function ended_at(s, state, words, mode, number, operation)
  local where = ("%s ended %s operation %d (%s)"):format(words[1], mode:lower(), number, operation)
  local done = crashing(s, words, { ["KEYMEND_CRASH_" .. mode] = number })
  if done.exit ~= 99 then
    check.ok(false, where .. ": the process ends there", ("exit %d\n%s%s"):format(done.exit, done.out, done.err))
    return
  end
  crash_log(s)
  s:log()
  return recovers(s, state, where), where
end

-- Ends `words` at every operation. prepare: makes the Windows as it is before; expected: how the store may be after
-- recover, "old", "new" or "both"; services_run: is called with that, when it is given.
local function at_every_operation(s, state, words, prepare, expected, services_run)
  prepare()
  local done = crashing(s, words, {})
  check.ok(done.exit == 0 or done.exit == 4, words[1] .. " with counted operations",
    ("exit %d\n%s%s"):format(done.exit, done.out, done.err))
  local operations = crash_log(s)
  check.ok(#operations > (expected == "both" and 10 or 0), ("%s has %d operations"):format(words[1], #operations))
  local ends = { old = 0, new = 0 }
  for number, operation in ipairs(operations) do
    for _, mode in ipairs { "AT", operation == "journal_write" and "HALF" or nil,
      number == #operations and "AFTER" or nil } do
      prepare()
      local ended, where = ended_at(s, state, words, mode, number, operation)
      if ended then
        ends[ended] = ends[ended] + 1
        check.ok(true, where)
        if services_run then services_run(ended, where) end
      end
    end
  end
  local found = ends.old > 0 and ends.new > 0 and "both" or ends.old > 0 and "old" or "new"
  check.ok(found == expected, ("recover after %s: %s"):format(words[1], expected),
    ("%d are taken back, %d carried through"):format(ends.old, ends.new))
end

-- What the store is before and after the repair; the Windows is broken and its services are stopped.
local function crash_state(s)
  s:keep()
  local state = { files = s:files(), before = s:listing() }
  exit_is(applied(s), 0, "apply")
  state.after = s:listing()
  shell.must(("cp -a %s %s/repaired"):format(quote(s.windows.c .. "/ProgramData"), quote(s.saved)))
  return state
end

local function run_now(s)
  local states = s:service "query"
  local names = {}
  for _, name in ipairs(scene.SERVICES) do
    if states[name] == "running" then names[#names + 1] = name end
  end
  return table.concat(names, ", ")
end

function parts.crash_apply()
  local s = open "crash"
  check.group(live.kind .. ": apply ended at every operation")
  s:broken()
  local state = crash_state(s)
  at_every_operation(s, state, { "apply", "--yes" }, function()
    s:stop_services()
    s:put_back()
  end, "both", function(ended, where)
    if ended == "old" then return end
    local log = s:log()
    local order = order_of(log, "started")
    check.equal(run_now(s), table.concat(scene.SERVICES, ", "), where .. ": all services run after recover")
    check.ok(order == "" or not order:find "W3SVC.*IISADMIN", where .. ": in the right order", log)
  end)
  s:stop()
end

function parts.crash_undo()
  local s = open "crash-undo"
  check.group(live.kind .. ": undo ended at every operation")
  s:broken()
  local state = crash_state(s)
  at_every_operation(s, state, { "undo" }, function()
    s:stop_services()
    local data = quote(s.windows.c .. "/ProgramData")
    shell.must(("rm -rf %s && cp -a %s/repaired %s"):format(data, quote(s.saved), data))
    s:service "start"
  end, "both")
  s:stop()
end

function parts.crash_recover()
  local s = open "crash-recover"
  check.group(live.kind .. ": recover ended at every operation")
  s:broken()
  local state = crash_state(s)
  s:stop_services()
  s:put_back()
  local done, swap = crashing(s, { "apply", "--yes" }, {}), nil
  local operations = crash_log(s)
  check.equal(done.exit, 0, "apply with counted operations")
  local commit
  for number, operation in ipairs(operations) do
    if operation:match "^file_rename" then swap = number end
    if operation == "service_start" and not commit then commit = number - 1 end
  end
  if not check.ok(swap and commit, "apply renames, and starts services", table.concat(operations, "\n")) then return end
  for from, expected in pairs { [swap] = "old", [commit] = "new" } do
    at_every_operation(s, state, { "recover" }, function()
      s:stop_services()
      s:put_back()
      crashing(s, { "apply", "--yes" }, { KEYMEND_CRASH_AFTER = from })
      crash_log(s)
    end, expected)
  end
  s:stop()
end

-- ---- The other remedy ----

local CRYPTOGRAPHY = "HKLM\\Software\\Microsoft\\Cryptography"
local OLD_GUID, NEW_GUID = scene.OLD:match "_(.*)$", scene.NEW:match "_(.*)$"
local RESTORE = [[
local info = target:info()
local txn, message = target:apply { machine_guid = info.machine_guid, key_store = info.key_store,
  steps = { { kind = "restore-guid", name = info.machine_guid, to = "%s", reason = "the test says so" } } }
print(txn and txn.id or message, target:info().machine_guid)
return txn and 0 or 8
]]

-- The machine GUID of this Windows is put back by a script, and by undo made what it was; ended in the middle, recover
-- makes it one of the two.
function parts.machine_guid()
  local s = open "machine-guid"
  check.group(live.kind .. ": the machine GUID put back")
  s:broken()
  s:stop_services()
  shell.write(s.stick .. "/guid.lua", RESTORE:format(OLD_GUID))
  local function apply(environment)
    return s:keymend({ "run", "--write", "D:\\guid.lua" }, { bare = true, environment = environment,
      program = environment and s.tests .. "crash.exe" or nil })
  end
  local function reads(guid, what)
    local told = s.windows:value(CRYPTOGRAPHY, "MachineGuid")
    check.equal(told, guid, what)
  end
  local files = s:listing()
  local done = apply()
  exit_is(done, 0, "restore-guid")
  check.has(done.out, OLD_GUID, "the open target tells the new one")
  reads(OLD_GUID, "the registry holds the old machine GUID")
  check.same_text(s:listing(), files, "no key file was touched")
  check.has(s:keymend({ "history" }).out, "committed")
  local undone = s:keymend { "undo" }
  check.ok(undone.exit == 0 or undone.exit == 4, "undo", ("exit %d\n%s%s"):format(undone.exit, undone.out, undone.err))
  reads(NEW_GUID, "undo puts the value back that it found")

  apply { KEYMEND_CRASH_LOG = "C:\\crash.log" }
  local operations = crash_log(s)
  local write, commit
  for number, operation in ipairs(operations) do
    if operation == "machine_guid_write" then write = number end
    if write and operation == "journal_write" then commit = commit or number end
  end
  check.ok(write and commit, "it is written before it is committed", table.concat(operations, " "))
  s:keymend { "undo" }
  for _, row in ipairs { { "AT", write, NEW_GUID }, { "AFTER", write, NEW_GUID }, { "HALF", commit, NEW_GUID },
    { "AFTER", commit, OLD_GUID } } do
    local where = ("ended %s operation %s"):format(row[1]:lower(), row[2])
    check.equal(apply({ ["KEYMEND_CRASH_" .. row[1]] = row[2] }).exit, 99, where)
    check.has(s:keymend({ "diagnose" }).out, "txn.open", where)
    local mended = s:keymend { "recover" }
    check.ok(mended.exit == 0 or mended.exit == 4, where .. ": recover", mended.out .. mended.err)
    reads(row[3], where .. ": recover judges by the value")
  end
  s:stop()
end

-- ---- The runner ----

-- Each list is run in order, by a process of its own.
live.groups = {
  { "repair", "running", "without_services", "slow_stop", "no_stop", "hanging_stop", "hanging_start", "no_gap",
    "not_elevated", "planted", "wow64", "machine_guid" },
  { "crash_apply", "crash_undo", "crash_recover" },
}

-- What README.md shows of Windows 2000 must be what was printed.
local function check_page(name, text)
  for _, one in ipairs(example.of(live.top .. "/README.md", "D:\\> ")) do
    if one.command:match "^keymend (%l+)" == name then
      local good, line = example.like(text, one.lines)
      check.ok(good, "README.md shows what this printed: " .. one.command, "the first line that differs: "
        .. tostring(line) .. "\n" .. text)
    end
  end
end

-- The outputs of this run, for the pages that show them.
function live.keep_output(name, text)
  if live.kind == "win32-2000" then check_page(name, text) end
  local folder = ("%s/build/wine/output/%s"):format(live.top, live.kind)
  shell.must("mkdir -p " .. quote(folder))
  shell.write(("%s/%s.txt"):format(folder, name), text)
end

function live.tell_limits()
  for _, what in ipairs {
    "creation times of key files on a running Windows (Wine keeps none; --times tells them)",
    "what Windows itself says of dependent services (EnumDependentServices is a stub in Wine 8)",
    "events that keymend writes and reads (Wine 8 keeps no event log)",
    "owners and protected descriptors of key files (Wine 8 stores neither)",
  } do
    live.not_shown(what)
  end
end

function live.run(options)
  live.kind, live.top = options.kind, options.top
  for _, name in ipairs(options.names) do
    local started = os.time()
    local ok, problem = xpcall(parts[name], debug.traceback)
    wine.stop_all()
    check.ok(ok, ("part %s runs to its end"):format(name), not ok and problem or "")
    if os.getenv "KEYMEND_TIMES" then print(("  %s: %d s"):format(name, os.time() - started)) end
  end
end

return live
