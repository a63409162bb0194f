-- cases.lua: the golden cases of the offline tests on a running Windows: the same judgement, repair and undo
--
-- The store, the master keys, the backup hives, MachineGuid and the last write of its key are made as the case says,
-- the paths being those of Wine; the services of the case are there and stopped. What must be the same: exit status,
-- findings (those of services aside, which offline cannot have), the steps, the store after apply and after undo.

local check = require "check"
local json = require "dkjson"
local scene = require "scene"
local shell = require "shell"
local volume = require "volume"

local cases = {}

local quote = shell.quote

-- The fields of a volume's description that a running Windows can be given.
local FIELDS = { keys = true, backups = true, guid = true, guid_written = true, others = true, master_keys = true }
-- Cases that make no sense here, though they need nothing special.
local NOT_LIVE = {
  ["no-store"] = "a running Windows has a store",
  ["hard-link"] = "names of a link are told by the volume's driver", ["hard-link-adopt"] = "the same",
  ["guid-absent"] = "Wine makes a MachineGuid when it boots without one",
}
-- The 64-bit Windows is 6.1 and gets a policy of its own, so it runs those that show one thing each.
local BOTH = {
  kb = true, orphan = true, healthy = true, ["two-orphans"] = true, ["twice-first"] = true, ["damaged-orphan"] = true,
  ["guid-restored"] = true, ["times-equal"] = true, retire = true, disproved = true, keyless = true,
}

-- Why a case is not run; nil when it is.
local function unfit(name, case)
  if NOT_LIVE[name] then return NOT_LIVE[name] end
  if case.needs or case.prepare or case.script or case.birth_time or case.times == false then
    return "it is about a volume that is not running"
  end
  if not case.diagnose or case.policy then return "it is about offline options" end
  for field in pairs(case.volume) do
    if not FIELDS[field] then return "a running Windows is not " .. field end
  end
  for _, key in ipairs(case.volume.keys) do
    if key.symlink or key.hardlink or key.owner then return "links and owners are the volume's" end
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
  s.windows:must { s.tests .. "service.exe", "install", "SMS_SITE_COMPONENT_MANAGER" }
  return s
end

-- MachineGuid of a case, and when it was written.
local function machine_guid(case)
  local guid = case.volume.guid
  if guid == nil then guid = volume.NEW end
  return guid, case.volume.guid_written or "2004-09-13T06:12:40Z"
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
  s:stop_services()
end

-- ---- Comparing ----

local SEVERITY = { info = 0, warning = 1, error = 2 }

local function is_of_service(id)
  return id:match "^service%." ~= nil
end

local function findings_text(found, expected)
  local wanted, list = {}, {}
  for _, line in ipairs(expected) do wanted[line] = true end
  for _, finding in ipairs(found.findings or {}) do
    local line = tostring(finding.severity) .. " " .. tostring(finding.id)
    if ((SEVERITY[finding.severity] or 3) > 0 or wanted[line]) and not is_of_service(finding.id) then
      list[#list + 1] = line
    end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

local function expected_text(expected)
  local list = {}
  for _, line in ipairs(expected) do
    if not is_of_service(line:match " (.*)$") then list[#list + 1] = line end
  end
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

local function words(verb, args)
  local list = { verb }
  for _, word in ipairs(args or {}) do list[#list + 1] = word end
  return list
end

local function diagnose(s, case, what)
  local line = words("diagnose", case.args)
  line[#line + 1] = "--json"
  local result = s:keymend(line)
  local found = json.decode(result.out, 1, nil)
  check.ok(type(found) == "table", what .. " prints a document", result.out .. result.err)
  return result, type(found) == "table" and found or {}
end

local function run_case(s, kind, name, case)
  check.group(("%s: live %s: %s"):format(kind, name, case.title))
  arrange(s, name, case)
  local original = s:files()
  local result, found = diagnose(s, case, "diagnose")
  check.equal(result.exit, case.diagnose.exit, "exit status of diagnose")
  check.same_text(findings_text(found, case.diagnose.findings or {}), expected_text(case.diagnose.findings or {}),
    "findings")
  if not case.apply then return end
  local plan = case.plan or {}
  local line = words("apply", case.args)
  for _, word in ipairs(case.apply.args or plan.args or {}) do line[#line + 1] = word end
  line[#line + 1] = "--yes"
  local done = s:keymend(line)
  check.ok(done.exit == case.apply.exit, "exit status of apply: " .. case.apply.exit,
    ("found: %d\n%s%s"):format(done.exit, done.out, done.err))
  local steps = (case.apply.exit % 16 >= 8 or case.apply.exit >= 32) and {} or plan.steps or {}
  check.same_text(s:listing(), shell.listing(after_steps(original, steps)), "the store after apply")
  if #steps == 0 then return end
  local undone = s:keymend { "undo" }
  check.ok(undone.exit % 8 == 0 or undone.exit == 4, "undo", undone.out .. undone.err)
  check.same_text(s:listing(), shell.listing(original), "the store after undo is that before apply")
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
      left_out[#left_out + 1] = name
    elseif options.kind ~= "win64" or BOTH[name] or #options.names == 1 then
      local ok, problem = xpcall(function() run_case(s, options.kind, name, case) end, debug.traceback)
      check.ok(ok, "the case runs to its end", not ok and problem or "")
    end
  end
  s:stop()
  if options.kind ~= "win64" then
    print("golden cases that are about volumes, not run live: " .. table.concat(left_out, " "))
  end
end

return cases
