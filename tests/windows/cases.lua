-- cases.lua: the golden cases of the offline tests on a running Windows: the same judgement, repair and undo
--
-- The store, the master keys, the backup hives, MachineGuid and the last write of its key are made as the case says,
-- the paths being those of Wine; the services of the case are there and stopped. What must be the same: exit status,
-- findings (those of services aside that offline cannot have), the steps, the store after apply and after undo.

local check = require "check"
local json = require "dkjson"
local scene = require "scene"
local shell = require "shell"
local volume = require "volume"

local cases = {}

local quote = shell.quote

-- The fields of a volume's description that a running Windows can be given.
local FIELDS = {
  keys = true, backups = true, guid = true, guid_written = true, others = true, master_keys = true, services = true,
}
-- Cases that do not stand here for a reason of their own.
local NOT_LIVE = {
  ["no-store"] = "a running Windows has a store",
  ["no-iis"] = "the services stay", ["services-missing"] = "the services stay",
  ["guid-absent"] = "Wine makes a MachineGuid when it boots without one",
  ["guid-binary"] = "MachineGuid is written as text here",
  ["hard-link"] = "its link stands on the volume's root", ["hard-link-adopt"] = "its link stands on the volume's root",
  ["forged-link"] = "Wine follows the host's links", ["forged-mode"] = "modes are not Windows'",
  ["forged-journal"] = "its owner is the host's",
  ["hostile-names"] = "Windows has no such names; bidi-names has those it can have",
  ["times-csv"] = "its paths are the volume's", ["two-transactions"] = "it changes hives",
  ["policy-acl"] = "it is about a file system without descriptors",
  killed = "the suite windows ends apply, undo and recover at every operation",
  interrupted = "it sends signals", verify = "the suite windows-events has it", full = "it limits the volume",
}
-- Services that stand here for one case alone.
local MORE_SERVICES = { ["policy-sms"] = { "CcmExec", "SMS_EXECUTIVE" } }
-- The 64-bit Windows is 6.1 and gets a policy of its own, so it runs those that show one thing each.
local BOTH = {
  kb = true, orphan = true, healthy = true, ["two-orphans"] = true, ["twice-first"] = true, ["damaged-orphan"] = true,
  ["guid-restored"] = true, ["times-equal"] = true, retire = true, disproved = true, ["keyless-current"] = true,
  stale = true, disabled = true, ["planted-folder"] = true, ["restore-guid"] = true,
}

-- Why a case is not run; nil when it is.
local function unfit(name, case)
  if NOT_LIVE[name] then return NOT_LIVE[name] end
  if case.needs or case.birth_time or case.times == false or case.release then return "it is about the host" end
  for field in pairs(case.volume) do
    if not FIELDS[field] then return "a running Windows is not told its " .. field end
  end
  for _, key in ipairs(case.volume.keys) do
    if key.symlink or key.hardlink or key.owner then return "links and owners are the host's" end
  end
end

-- ---- Making Windows as the case says ----

-- Text of system.reg with MachineGuid and its key's last write set. FILETIME in 100 ns since 1601.
local function edited(text, guid, written)
  local head = "%[Software\\\\Microsoft\\\\Cryptography%]"
  local at = assert(text:find("\n" .. head, 1), "system.reg has no Cryptography key") + 1
  local stop = text:find("\n\n", at, true)
  local section = text:sub(at, stop)
  local seconds = assert(tonumber(shell.must(("date -u -d %s +%%s"):format(quote(written))):match "%d+"))
  local ticks = shell.must(("printf '%%x' $(( (%d + 11644473600) * 10000000 ))"):format(seconds))
  section = section:gsub("#time=%x+", "#time=" .. ticks, 1)
  section = section:gsub('"MachineGuid"="[^"]*"\n', "")
  if guid then section = section .. ('"MachineGuid"="%s"\n'):format(guid) end
  return text:sub(1, at - 1) .. section .. text:sub(stop + 1)
end

local function open(kind, top)
  local s = scene.new { kind = kind, top = top, name = "cases" }
  s.windows:must { s.tests .. "service.exe", "install", "IISADMIN", "display=IIS Admin Service" }
  s.windows:must { s.tests .. "service.exe", "install", "W3SVC", "depends=IISADMIN",
    "display=World Wide Web Publishing Service" }
  s.windows:must { s.tests .. "service.exe", "install", "SMTPSVC", "depends=IISADMIN" }
  s.windows:must { s.tests .. "service.exe", "install", "SMS_SITE_COMPONENT_MANAGER" }
  return s
end

-- MachineGuid of a case, and when it was written.
local function machine_guid(case)
  local guid = case.volume.guid
  if guid == nil then guid = volume.NEW end
  return guid, case.volume.guid_written or "2004-09-13T06:12:40Z"
end

local function stop_services(s)
  s:service("stop", { "SMS_SITE_COMPONENT_MANAGER", "SMTPSVC", "W3SVC", "IISADMIN" })
end

local function arrange(s, name, case)
  local dir = s.windows.dir .. "/volumes/" .. name
  shell.must("mkdir -p " .. quote(s.windows.dir .. "/volumes"))
  local made = volume.make(dir, case.volume)
  local c = s.windows.c
  shell.must(("rm -rf %s/ProgramData/keymend %s"):format(quote(c), quote(s.store)))
  shell.must(("mkdir -p %s && cp -a %s/. %s"):format(quote(s.store), quote(made.store), quote(s.store)))
  for _, folder in ipairs { "/repair", "/system32/config/RegBack", "/system32/Microsoft/Protect" } do
    local from, to = quote(dir .. "/WINNT" .. folder), quote(c .. "/windows" .. folder)
    shell.must(("rm -rf %s; if [ -d %s ]; then mkdir -p %s && cp -a %s/. %s; fi"):format(to, from, to, from, to))
  end
  local times = shell.read(made.times):gsub("C:/Documents and Settings/All Users/Application Data", "C:/ProgramData")
  shell.write(s.stick .. "/times", (times:gsub("C:/WINNT/", "C:/windows/")))
  local guid, written = machine_guid(case)
  if s.guid ~= guid or s.guid_written ~= written then
    s.windows:edit_registry("system.reg", function(text) return edited(text, guid, written) end)
    s.guid, s.guid_written = guid, written
  end
  stop_services(s)
  return made
end

local SERVICES = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\"

-- Changes services in the registry as the case says: { NAME = { start =, depends = } }; and back.
local function change_services(s, changes)
  for name, change in pairs(changes or {}) do
    if change.start then
      s.windows:must { "reg", "add", SERVICES .. name, "/v", "Start", "/t", "REG_DWORD", "/d", tostring(change.start),
        "/f" }
    end
    if change.depends then
      s.windows:must { "reg", "add", SERVICES .. name, "/v", "DependOnService", "/t", "REG_MULTI_SZ", "/d",
        table.concat(change.depends, "\\0"), "/f" }
    end
  end
end

-- A service that failed meanwhile has to run once, so that it is stopped and no longer failed.
local function restore_services(s, changes)
  for name, change in pairs(changes or {}) do
    if change.start then change_services(s, { [name] = { start = 2 } }) end
    if change.depends then s.windows:run { "reg", "delete", SERVICES .. name, "/v", "DependOnService", "/f" } end
  end
  if changes then s:service("start", { "IISADMIN", "W3SVC", "SMTPSVC", "SMS_SITE_COMPONENT_MANAGER" }) end
end

-- ---- Comparing ----

local SEVERITY = { info = 0, warning = 1, error = 2 }

local function is_of_service(line)
  return line:match " service%." ~= nil
end

-- The findings of warning or worse, and those infos that are expected, sorted. A running Windows has more to say of
-- services: of those only the expected ones count.
local function findings_text(found, expected)
  local wanted, list = {}, {}
  for _, line in ipairs(expected) do wanted[line] = true end
  for _, finding in ipairs(found.findings or {}) do
    local line = tostring(finding.severity) .. " " .. tostring(finding.id)
    if wanted[line] or (SEVERITY[finding.severity] or 3) > 0 and not is_of_service(line) then list[#list + 1] = line end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

local function sorted_text(expected)
  local list = { unpack(expected) }
  table.sort(list)
  return table.concat(list, "\n")
end

local function after_steps(files, steps)
  local out = {}
  for name, facts in pairs(files) do out[name] = facts end
  for _, step in ipairs(steps) do
    if step[1] == "retire" then out[step[2]] = nil end
  end
  for _, step in ipairs(steps) do
    if step[1] == "adopt" then out[step[2]], out[step[3]] = nil, files[step[2]] end
  end
  return out
end

-- ---- A case: what its prepare and script may call (tests/golden/golden.lua) ----

local case_methods = {}
local case_meta = { __index = case_methods }
case_methods.check, case_methods.shell = check, shell

local JUDGING = { diagnose = true, plan = true, apply = true }

function case_methods:keymend(verb, more)
  local words = { verb }
  local judging = JUDGING[verb]
  local args = judging and not self.repaired and self.case.args or {}
  for _, list in ipairs { judging and self.case.policy or {}, args, more or {} } do
    for _, word in ipairs(list) do words[#words + 1] = word end
  end
  local is_judged = self.case.policy ~= nil
  for _, word in ipairs(words) do is_judged = is_judged or word == "--plan" end
  local result = self.windows:keymend(words, { folder = self.dir, own_policy = not is_judged })
  -- These services need no key, so they would go on with the one that was put back; real ones fail.
  if verb == "undo" then stop_services(self.windows) end
  return result
end

function case_methods:json(verb, more)
  local words = { "--json" }
  for _, word in ipairs(more or {}) do words[#words + 1] = word end
  local result = self:keymend(verb, words)
  result.document = json.decode(result.out, 1, json.null)
  check.ok(type(result.document) == "table", verb .. " --json prints one document", result.out .. result.err)
  return result
end

function case_methods:write(name, text)
  shell.write(self.dir .. "/" .. name, text)
end

function case_methods:store()
  return self.windows:files()
end

-- The newest transaction's folder on the host, or nil.
function case_methods:vault()
  return shell.run(("ls -d %s/keymend/*Z-* 2> /dev/null | tail -n 1"):format(quote(self.app_data))).out:match "[^\n]+"
end

-- Texts are compared offline.
function case_methods:expect() end

function case_methods:remember()
  self.before = shell.snapshot(self.app_data)
end

function case_methods:same(what)
  check.same_text(shell.snapshot(self.app_data), self.before, what .. " changes nothing")
end

function case_methods:check_findings(document, expected, what)
  check.same_text(findings_text(document or {}, expected), sorted_text(expected), what)
end

function case_methods:refuses_the_rest()
  for _, verb in ipairs { "undo", "recover" } do
    local done = self:keymend(verb)
    check.ok(done.exit == 32 or done.exit == 36, verb .. " refuses", done.exit .. "\n" .. done.out .. done.err)
    self:same(verb)
  end
end

function case_methods:again(wanted)
  self.repaired = true
  self:remember()
  local machine = self:json "diagnose"
  check.equal(machine.exit, wanted.exit or 0, "exit status of diagnose after the repair")
  self:check_findings(machine.document, wanted.findings or {}, "findings after the repair")
  check.equal(self:keymend("apply", { "--yes" }).exit, wanted.exit or 0, "a second apply finds nothing to do")
  self:same "a second apply"
end

-- Diagnose, plan, apply, again, undo, as the offline runner does them.
function case_methods:standard()
  local case, original = self.case, self:store()
  self:remember()
  if case.diagnose then
    local machine = self:json "diagnose"
    check.equal(machine.exit, case.diagnose.exit, "exit status of diagnose")
    self:check_findings(machine.document, case.diagnose.findings or {}, "findings")
    self:same "diagnose"
  end
  if not case.apply then return end
  local plan, more = case.plan or {}, { "--yes" }
  for _, word in ipairs(case.apply.args or plan.args or {}) do more[#more + 1] = word end
  local done = self:keymend("apply", more)
  check.ok(done.exit == case.apply.exit, "exit status of apply: " .. case.apply.exit,
    ("found: %d\n%s%s"):format(done.exit, done.out, done.err))
  local steps = (case.apply.exit % 16 >= 8 or case.apply.exit >= 32) and {} or plan.steps or {}
  check.same_text(shell.listing(self:store()), shell.listing(after_steps(original, steps)), "the store after apply")
  if #steps == 0 then return self:same "apply" end
  self:again(case.again or {})
  local undone = self:keymend "undo"
  check.ok(undone.exit == 0 or undone.exit == 4, "undo", undone.out .. undone.err)
  check.same_text(shell.listing(self:store()), shell.listing(original), "the store after undo is that before apply")
  self.repaired = false
end

local function run_case(s, kind, name, case)
  check.group(("%s: live %s: %s"):format(kind, name, case.title))
  local made = arrange(s, name, case)
  local app_data = s.windows.c .. "/ProgramData"
  local t = setmetatable({
    name = name, case = case, windows = s, dir = s.stick, root = s.windows.c, app_data = app_data,
    made = { store = s.store, app_data = app_data, times = made.times },
  }, case_meta)
  change_services(s, case.volume.services)
  for _, service in ipairs(MORE_SERVICES[name] or {}) do
    s.windows:must { s.tests .. "service.exe", "install", service }
  end
  local ok, problem = xpcall(function()
    if case.prepare then
      case.prepare(t)
      stop_services(s) -- it may have applied something, which starts them
    end
    t:standard()
    if case.script then case.script(t) end
  end, debug.traceback)
  restore_services(s, case.volume.services)
  if MORE_SERVICES[name] then
    s:service("stop", MORE_SERVICES[name])
    s:service("remove", MORE_SERVICES[name])
  end
  check.ok(ok, "the case runs to its end", not ok and problem or "")
end

-- ---- The runner ----

-- options: kind, top, names (all when empty)
function cases.run(options)
  volume.cases = options.top .. "/tests/golden/cases"
  local names, left_out = options.names, {}
  if #names == 0 then
    for name in shell.must("ls " .. quote(volume.cases)):gmatch "([^\n]+)%.lua\n" do names[#names + 1] = name end
  end
  local s = open(options.kind, options.top)
  -- Windows must be booted anew to change the last write of a registry key: those of one GUID follow one another.
  local groups = {}
  for _, name in ipairs(names) do
    groups[name] = table.concat({ tostring(machine_guid(volume.case(name))), name }, " ")
  end
  table.sort(names, function(one, other) return groups[one] < groups[other] end)
  for _, name in ipairs(names) do
    local case = volume.case(name)
    local why = unfit(name, case)
    if why then
      left_out[why] = left_out[why] or {}
      table.insert(left_out[why], name)
    elseif options.kind ~= "win64" or BOTH[name] or #options.names == 1 then
      run_case(s, options.kind, name, case)
    end
  end
  s:stop()
  if options.kind ~= "win64" then
    local reasons = {}
    for why, list in pairs(left_out) do reasons[#reasons + 1] = ("  %s: %s"):format(why, table.concat(list, " ")) end
    table.sort(reasons)
    if #reasons > 0 then print("golden cases that are not run live:\n" .. table.concat(reasons, "\n")) end
  end
end

return cases
