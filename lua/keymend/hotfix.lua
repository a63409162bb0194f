-- hotfix.lua: the hotfix of KB 884872 as data, and whether a Windows has it
--
-- It keeps the crypto subsystem from resetting MachineGuid again; what was reset it does not repair. Sources: KB 884872
-- ("Hotfix information"); KB 142660 for the files that Windows has in two variants.

local M = {}

M.kb = "884872"
M.version = "5.0" -- of Windows 2000, the only one it is for
M.service_pack = 3 -- needed before it; a later one serves as well
M.restart = true -- Windows has to be restarted after it

-- Every row of the KB's table, in its order: file name, version, date and time (UTC), size in bytes (of the English
-- file; other languages differ). A later version serves as well. folder: below System32, where it is not there itself.
-- some: not every Windows 2000 has it (servers alone, or by its encryption or service pack), so that its absence says
-- nothing. Kernel32.dll, Win32k.sys and Winsrv.dll stand twice: Windows has one for computers with a single processor
-- and one for those with several; both have one version, and setup puts the right one at the same place.
M.rows = {
  { "Advapi32.dll", "5.0.2195.6968", "2004-09-14T07:08:00Z", 382224 },
  { "Basesrv.dll", "5.0.2195.6824", "2004-03-24T02:17:00Z", 42256 },
  { "Browser.dll", "5.0.2195.6866", "2004-03-24T02:17:00Z", 69904 },
  { "Cmd.exe", "5.0.2195.6824", "2003-09-21T00:45:00Z", 236304 },
  { "Crypt32.dll", "5.131.2195.6926", "2004-09-14T07:08:00Z", 533776 },
  { "Cryptnet.dll", "5.131.2195.6926", "2004-09-14T07:08:00Z", 62736 },
  { "Cryptsvc.dll", "5.0.2195.6868", "2004-03-24T02:17:00Z", 76048 },
  { "Dnsapi.dll", "5.0.2195.6824", "2004-03-24T02:17:00Z", 134928 },
  { "Dnsrslvr.dll", "5.0.2195.6876", "2004-03-24T02:17:00Z", 92432 },
  { "Dssbase.dll", "5.0.2195.6972", "2004-09-04T00:29:00Z", 145680 },
  { "Dssenh.dll", "5.0.2195.6972", "2004-09-04T00:29:00Z", 147728, some = true },
  { "Eventlog.dll", "5.0.2195.6883", "2004-03-24T02:17:00Z", 47888 },
  { "Gdi32.dll", "5.0.2195.6660", "2003-06-19T20:05:00Z", 233744 },
  { "Kdcsvc.dll", "5.0.2195.6890", "2004-03-24T02:17:00Z", 143632, some = true },
  { "Kerberos.dll", "5.0.2195.6903", "2004-03-11T02:37:00Z", 210192 },
  { "Kernel32.dll", "5.0.2195.6897", "2004-03-24T02:17:00Z", 742160 },
  { "Ksecdd.sys", "5.0.2195.6824", "2003-09-21T00:32:00Z", 71888, folder = "drivers" },
  { "Lsasrv.dll", "5.0.2195.6902", "2004-03-11T02:37:00Z", 520976 },
  { "Lsass.exe", "5.0.2195.6902", "2004-02-25T23:59:00Z", 33552 },
  { "Mpr.dll", "5.0.2195.6824", "2004-03-24T02:17:00Z", 54544 },
  { "Msgina.dll", "5.0.2195.6974", "2004-09-14T07:08:00Z", 335120 },
  { "Msv1_0.dll", "5.0.2195.6680", "2003-06-19T20:05:00Z", 117520 },
  { "Netapi32.dll", "5.0.2195.6897", "2004-03-24T02:17:00Z", 312592 },
  { "Netlogon.dll", "5.0.2195.6695", "2003-06-19T20:05:00Z", 371984 },
  { "Ntdsa.dll", "5.0.2195.6896", "2004-03-24T02:17:00Z", 1028880, some = true },
  { "Psbase.dll", "5.0.2195.6824", "2004-03-24T02:17:00Z", 115984 },
  { "Rdpwd.sys", "5.0.2195.6892", "2004-03-24T02:17:00Z", 90264, folder = "drivers", some = true },
  { "Rsabase.dll", "5.0.2195.6972", "2004-09-04T00:29:00Z", 132368 },
  { "Rsaenh.dll", "5.0.2195.6972", "2004-09-04T00:29:00Z", 134928, some = true },
  { "Samsrv.dll", "5.0.2195.6897", "2004-03-24T02:17:00Z", 388368 },
  { "Scecli.dll", "5.0.2195.6893", "2004-03-24T02:17:00Z", 111376 },
  { "Scesrv.dll", "5.0.2195.6903", "2004-03-24T02:17:00Z", 253200 },
  { "Sp3res.dll", "5.0.2195.6974", "2004-09-13T19:27:00Z", 5898752, some = true },
  { "User32.dll", "5.0.2195.6897", "2004-03-24T02:17:00Z", 403216 },
  { "Userenv.dll", "5.0.2195.6972", "2004-09-14T07:08:00Z", 393488 },
  { "W32time.dll", "5.0.2195.6824", "2004-03-24T02:17:00Z", 50960 },
  { "W32tm.exe", "5.0.2195.6824", "2003-09-21T00:32:00Z", 57104 },
  { "Win32k.sys", "5.0.2195.6966", "2004-08-10T00:51:00Z", 1632624 },
  { "Winhttp.dll", "5.1.2600.1327", "2003-12-12T21:38:00Z", 311296, some = true },
  { "Winlogon.exe", "5.0.2195.6898", "2004-03-11T02:37:00Z", 181520 },
  { "Winsrv.dll", "5.0.2195.6826", "2003-09-25T18:08:00Z", 243984 },
  { "Wintrust.dll", "5.131.2195.6824", "2004-03-24T02:17:00Z", 167184 },
  { "Kernel32.dll", "5.0.2195.6897", "2004-03-24T02:17:00Z", 742160 },
  { "Win32k.sys", "5.0.2195.6966", "2004-08-10T00:51:00Z", 1632624 },
  { "Winsrv.dll", "5.0.2195.6826", "2003-09-25T18:08:00Z", 243984 },
}

-- ---- Versions ----

local function parts_of(version)
  local parts = {}
  for part in version:gmatch "%d+" do parts[#parts + 1] = tonumber(part) end
  return parts
end

-- Below 0: `one` is older than `other`; 0: the same; above: it is newer. Four-part versions as texts.
function M.compare(one, other)
  local left, right = parts_of(one), parts_of(other)
  for at = 1, 4 do
    local difference = (left[at] or 0) - (right[at] or 0)
    if difference ~= 0 then return difference end
  end
  return 0
end

-- ---- The files of a target ----

-- Windows 2000 keeps these names in lower case; looking up another spelling means reading the folder.
local function path_of(info, row)
  local folder = row.folder and row.folder .. "\\" or ""
  return ("%s\\system32\\%s%s"):format(info.windows or "", folder, row[1]:lower())
end

local function look(target, info, row)
  local file = { name = row[1], needed = row[2], path = path_of(info, row), some = row.some or false }
  local found, message, code = target:file_version(file.path)
  if not found then
    file.state = code == "not-found" and "absent" or "unreadable"
    if file.state == "unreadable" then file.problem, file.code = message, code end
    return file
  end
  file.version, file.size, file.written, file.written_ticks = found.version, found.size, found.written,
    found.written_ticks
  file.state = M.compare(file.version, file.needed) < 0 and "older" or "in-place"
  return file
end

-- The files of the hotfix in the order of the table, each once.
local function files_of(target, info)
  local list, seen = {}, {}
  for _, row in ipairs(M.rows) do
    if not seen[row[1]] then
      seen[row[1]] = true
      list[#list + 1] = look(target, info, row)
    end
  end
  return list
end

-- The names of the files in a state; with `needed` without those that not every Windows 2000 has.
local function names_of(files, state, needed)
  local names = {}
  for _, file in ipairs(files) do
    if file.state == state and not (needed and file.some) then names[#names + 1] = file.name end
  end
  return names
end

-- ---- The judgement ----

-- Why nobody can tell whether the files are in place; nil when all that count were seen.
local function doubt(result)
  local absent, unreadable = names_of(result.files, "absent", true), names_of(result.files, "unreadable")
  if result.read == 0 then
    return #unreadable == 0 and "none of its files is in the Windows folder" or "none of its files can be read"
  end
  local parts = {}
  if #unreadable > 0 then parts[1] = "the version of " .. table.concat(unreadable, ", ") .. " cannot be read" end
  if #absent > 0 then
    parts[#parts + 1] = table.concat(absent, ", ") .. (#absent == 1 and " is" or " are") .. " not here"
  end
  return #parts > 0 and table.concat(parts, "; ") or nil
end

local function verdict_of(result)
  if result.service_pack < M.service_pack then return "service-pack" end
  if result.older > 0 then return "older" end
  result.problem = doubt(result)
  return result.problem and "unknown" or "in-place"
end

-- Judges an open target. The result: verdict "not-applicable" (another Windows), "service-pack" (it is missing),
-- "older" (files are), "in-place" or "unknown" (problem says why); service_pack (number, 0: none), files (name, path,
-- needed, version, state "older", "in-place", "absent" or "unreadable", problem, size, written), older and read (how
-- many).
function M.judge(target)
  local info = target:info()
  local result = { info = info, files = {}, older = 0, read = 0 }
  result.service_pack = tonumber((info.service_pack or ""):match "%d+") or 0
  if (info.version or "") == "" then
    result.verdict, result.problem = "unknown", "the registry does not tell which Windows this is"
    return result
  end
  if info.version ~= M.version then
    result.verdict = "not-applicable"
    return result
  end
  result.files = files_of(target, info)
  for _, file in ipairs(result.files) do
    if file.version then result.read = result.read + 1 end
    if file.state == "older" then result.older = result.older + 1 end
  end
  result.verdict = verdict_of(result)
  return result
end

-- ---- Findings ----

local SHOWN = 4

local function evidence_of(result)
  local list, more = {}, 0
  for _, file in ipairs(result.files) do
    if file.state == "older" and #list < SHOWN then
      list[#list + 1] = { kind = "file", time = file.written, ticks = file.written_ticks,
        text = ("%s is %s; the hotfix has %s"):format(file.name, file.version, file.needed) }
    elseif file.state == "older" then
      more = more + 1
    end
  end
  if more > 0 then list[#list + 1] = { kind = "file", text = ("and %d more"):format(more) } end
  return list
end

-- "no service pack" or "Service Pack 2", of the target.
function M.service_pack_text(result)
  return result.service_pack == 0 and "no service pack" or "Service Pack " .. result.service_pack
end

local WORDING = { ["service-pack"] = "prerequisite", unknown = "unknown" }

-- The finding hotfix.missing of a judgement, or nil when there is nothing to say. extra: of finding.make.
function M.finding(result, extra)
  if result.verdict == "in-place" or result.verdict == "not-applicable" then return nil end
  local fields = {
    count = result.older, all = #result.files, service_pack = M.service_pack_text(result),
    problem = result.problem or "",
  }
  local given = { wording = WORDING[result.verdict], evidence = evidence_of(result) }
  for name, value in pairs(extra or {}) do given[name] = value end
  return require("keymend.finding").make("hotfix.missing", fields, given)
end

-- After a repair: the finding that says how to prevent the next one. nil where nothing tells that it is missing.
function M.prevention(diagnosis)
  local adopted = false
  for _, case in ipairs(diagnosis.cases) do adopted = adopted or case.verdict.adopted or false end
  if not adopted or diagnosis.verdict ~= "healthy" then return nil end
  local result = M.judge(diagnosis.target)
  if result.verdict == "unknown" and result.read == 0 then return nil end
  local make = diagnosis.facts.options.command
  return M.finding(result, { commands = { make and make "hotfix" or "keymend hotfix" } })
end

return M
