-- container.lua: the judges of one key container: a chain, the first that decides ends it
--
-- A case: container, hash, policy, info, options, history, keys (inspected files), chosen_adopt, chosen_retire,
-- too_many, use (how its services stand, or nil; use.lua), restore (the key file that --restore-guid makes the current
-- one; restore.lua). study() sorts the keys into current, foreign, strays,
-- candidates and says of each what speaks against it; proof.lua tries them, onset.lua says when the problem began,
-- eras.lua what the master keys tell. Each judge gets the case and returns a verdict or nil ("not mine"):
--   { healthy = true, undecided = true? } | { adopt = key?, retire = key?, reason = text, why_retire = text }
--   | { restore = key, reason = text } | { refused = text } | {}
-- The findings stand in case.findings.

local finding = require "keymend.finding"
local rules = require "keymend.rules"
local eras = require "keymend.eras"
local facts = require "keymend.facts"
local onset = require "keymend.onset"
local proof = require "keymend.proof"
local restore = require "keymend.restore"
local use = require "keymend.use"

local M = {}

-- Two creation times within this many seconds count as the same: copied together, or tunnelled by NTFS.
M.SAME_TIME = 2
-- No key file is larger (KM_MAX_KEY_FILE).
M.MAX_KEY_FILE = 65536
-- Findings name this many files in their text; the evidence and the list below name them all.
local NAMED = 3
-- Rows of evidence of one finding; whoever fills a key store with names does not fill the report.
M.MAX_EVIDENCE = 30

-- ---- What speaks against one key file; the first of a kind is enough ----

local function quoted_container(key)
  return (key.container or "") ~= "" and ('"%s"'):format(key.container) or "an unnamed key container"
end

local function odd(key)
  return key.regular == false or key.reparse
end

local function oversized(key)
  return key.status == "limit" and (key.size or 0) > M.MAX_KEY_FILE
end

-- id: the finding; unsound: the file cannot work or is not safe, so nothing adopts it; says(key, case): why, or nil;
-- second: the wording of the finding
local FAULTS = {
  { id = "key.reparse", unsound = true, says = function(key)
    if key.reparse then return "it is a symbolic link or reparse point" end
    if key.regular == false then return "it is not an ordinary file but a folder or a device" end
  end },
  { id = "key.hard-link", unsound = true, says = function(key)
    if (key.links or 1) > 1 and not odd(key) then return ("it has %d hard links"):format(key.links) end
  end },
  { id = "key.unreadable", unsound = true, says = function(key)
    if odd(key) or oversized(key) then return nil end
    if key.status ~= "ok" and key.status ~= "damaged" then
      return (key.damage or "") ~= "" and key.damage or ("it cannot be read (%s)"):format(key.status)
    end
  end },
  { id = "key.damaged", unsound = true, says = function(key)
    if oversized(key) then return ("it has %.0f bytes, more than any key file"):format(key.size) end
    if key.status == "damaged" then
      return (key.damage or "") ~= "" and key.damage or "its lengths do not add up"
    end
  end },
  { id = "key.name-mismatch", unsound = true, says = function(key, case)
    if key.status == "ok" and key.container_hash ~= case.hash then
      return "the file says that it is of " .. quoted_container(key)
    end
  end },
  { id = "key.keyless", unsound = true, says = function(key)
    if key.status == "ok" and key.keyless then return "it holds no key" end
  end },
  { id = "key.disproved", disproves = true, says = function(key)
    if key.refuted then return key.refuted.why, key.refuted.wording end
  end },
  { id = "key.foreign-owner", says = function(key)
    if key.owner_trusted == false then return ("its owner is %s"):format(key.owner or "unknown") end
  end },
}

local function study_key(case, key)
  key.faults, key.told = {}, {}
  key.sound = true
  key.disproved = false
  for _, fault in ipairs(FAULTS) do
    if fault.disproves then proof.study(case, key) end
    local why, wording = fault.says(key, case)
    if why then
      key.faults[#key.faults + 1] = { id = fault.id, why = why, wording = wording }
      if fault.unsound then key.sound = false end
      if fault.disproves then key.disproved = true end
    end
  end
  if key.class == "stray" then
    key.faults[#key.faults + 1] = { id = "key.stray", why = "its name is not <container hash>_<GUID>" }
  end
  key.candidate = key.class == "foreign" and key.sound and not key.disproved and key.owner_trusted ~= false
end

local function has_fault(key, id)
  for _, fault in ipairs(key.faults) do
    if fault.id == id then return fault.why end
  end
end

-- ---- Creation times ----

local function near(a, b)
  return math.abs(a - b) <= M.SAME_TIME
end

-- A times file tells times by name, and perhaps from before keymend gave a file this name. Only a transaction that
-- gave it these bytes can say that the time is theirs.
local function time_of_former(case, key)
  for index = #case.history, 1, -1 do
    local txn = case.history[index]
    for _, file in ipairs(facts.stands(txn) and txn.files or {}) do
      if file.before and file.after and file.after:lower() == key.name:lower() then
        return file.sha256 ~= key.sha256 or not file.created or not near(file.created, key.created)
      end
    end
  end
end

-- Why a creation time is no evidence, or nil. Times of two sources are never compared: with a times file it alone
-- counts.
local function time_problem(case, key)
  local source = key.created_source
  if key.owner_trusted == false then return "its owner may set its times, so they prove nothing" end
  if case.times_file and source ~= "times-file" then return "--times does not tell its creation time" end
  if not key.created or source == "none" then return "its creation time is not known" end
  if source ~= "ntfs" and source ~= "times-file" then
    return "this file system keeps no creation time of Windows, only that of the copy"
  end
  if key.written and key.created > key.written + M.SAME_TIME then
    return "it was created after its last write, so it is a copy"
  end
  key.time_of_former = source == "times-file" and time_of_former(case, key) or nil
  if key.time_of_former then
    return "keymend gave it this name, and the time given for the name may be that of the file before it"
  end
end

-- Sets usable_time, or time_problem.
local function study_time(case, key)
  key.time_problem = time_problem(case, key)
  if key.time_problem then return end
  key.usable_time = key.created
  for _, other in ipairs(case.keys) do
    local comparable = other ~= key and other.owner_trusted ~= false and other.created
      and other.created_source == key.created_source and not M.same_bytes(key, other)
    if comparable and near(key.created, other.created) then
      key.usable_time = nil
      key.time_problem = ("it was created at the same time as %s (copied together, or a time inherited from the "
        .. "name)"):format(other.name)
    end
  end
end

function M.same_bytes(key, other)
  return (key.sha256 or "") ~= "" and key.sha256 == other.sha256
end

local function better_twin(key, other)
  local time, other_time = key.usable_time or math.huge, other.usable_time or math.huge
  if time ~= other_time then return time < other_time end
  return key.name < other.name
end

-- Candidates with the same bytes are one key: the oldest file stands for it, the others are its twins.
local function join_twins(case)
  local by_sum, joined = {}, {}
  table.sort(case.candidates, better_twin)
  for _, key in ipairs(case.candidates) do
    local sum = (key.sha256 or "") ~= "" and key.sha256 or key.name
    if by_sum[sum] then
      table.insert(by_sum[sum].twins, key)
    else
      by_sum[sum], key.twins = key, {}
      joined[#joined + 1] = key
    end
  end
  table.sort(joined, function(a, b) return a.name < b.name end)
  case.candidates = joined
end

-- Sorts the keys and says what is known of each.
function M.study(case)
  table.sort(case.keys, function(a, b) return a.name < b.name end)
  case.foreign, case.strays, case.currents, case.candidates = {}, {}, {}, {}
  local lists = { current = case.currents, foreign = case.foreign, stray = case.strays }
  for _, key in ipairs(case.keys) do
    study_key(case, key)
    table.insert(lists[key.class], key)
    if key.candidate then table.insert(case.candidates, key) end
  end
  case.current = case.currents[1]
  case.times_file = case.options.times ~= nil
  for _, key in ipairs(case.keys) do case.times_file = case.times_file or key.created_source == "times-file" end
  for _, key in ipairs(case.keys) do study_time(case, key) end
  eras.study(case)
  join_twins(case)
  onset.study(case)
end

-- ---- Findings and evidence ----

local function evidence(list, kind, text, seconds, ticks)
  list[#list + 1] = { kind = kind, text = text, time = seconds, ticks = ticks }
  return list
end

local function names_of(keys)
  local names = {}
  for index, key in ipairs(keys) do names[index] = key.name end
  return names
end

local function files(keys)
  return #keys == 1 and "1 key file" or ("%d key files"):format(#keys)
end

local function some_names(keys)
  local names = {}
  for index = 1, math.min(#keys, NAMED) do names[index] = keys[index].name end
  if #keys > NAMED then names[#names + 1] = ("and %d more"):format(#keys - NAMED) end
  return table.concat(names, ", ")
end

local function cut(list)
  local more = #list - M.MAX_EVIDENCE
  if more <= 1 then return end
  for index = #list, M.MAX_EVIDENCE + 1, -1 do list[index] = nil end
  evidence(list, "more", ("and %d more"):format(more))
end

-- Adds a finding to the case. `about`: the key file whose fault it is, so that it is told once.
local function find(case, id, fields, extra, about)
  fields, extra = fields or {}, extra or {}
  if about then about.told[id] = true end
  if extra.evidence then cut(extra.evidence) end
  fields.container = case.container
  extra.container, extra.hash = case.container, case.hash
  local made = finding.make(id, fields, extra, case.policy)
  case.findings[#case.findings + 1] = made
  return made
end

local SOURCES = { ntfs = "stored by NTFS", ["times-file"] = "--times" }

local function source_text(case, key)
  if not SOURCES[key.created_source] then return "no evidence: the time of a copy" end
  if case.times_file and key.created_source ~= "times-file" then return "no evidence: not told by --times" end
  if key.owner_trusted == false then return "no evidence: its owner may set it" end
  return SOURCES[key.created_source]
end

local function made_evidence(list, case, key, what)
  if not key.created then return end
  evidence(list, "created", ("%s was made (%s): %s"):format(what, source_text(case, key), key.name),
    key.created, key.created_ticks)
end

local function guid_evidence(list, case, doubted)
  if case.info.guid_written then
    evidence(list, "guid-written", "the registry key that holds the machine GUID was last written"
      .. (doubted and "" or "; the reset was no later"), case.info.guid_written, case.info.guid_written_ticks)
  end
end

-- What the services say, one line for all that run and one for each whose failure tells.
local function use_evidence(list, case)
  if not case.use then return list end
  if #case.use.running > 0 then
    evidence(list, "service", "its services run: " .. use.names(case.use.running))
  end
  for _, service in ipairs(use.telling(case.use)) do evidence(list, "service", use.failure_text(service)) end
  return list
end

local function command(case, ...)
  local make = case.options.command
  return make and make(...) or "keymend " .. table.concat({ ... }, " ")
end

-- The commands that choose one of `keys`, while they are few enough to be read.
local function adopt_commands(case, keys)
  if #keys > NAMED then return { command(case, "plan", "--adopt", "NAME") } end
  local commands = {}
  for index, key in ipairs(keys) do commands[index] = command(case, "plan", "--adopt", key.name) end
  return commands
end

-- ---- Choosing among candidates ----

local function repair_findings(case, key, retire, why)
  local list = {}
  made_evidence(list, case, key, "the old key file")
  for _, twin in ipairs(key.twins or {}) do
    evidence(list, "content", ("%s has the same bytes, so it is the same key"):format(twin.name))
  end
  guid_evidence(list, case)
  if retire then made_evidence(list, case, retire, "the current key file") end
  onset.evidence(list, case)
  eras.evidence(list, case)
  proof.evidence(list, case, { key })
  evidence(list, "choice", "the old key file was chosen because " .. why)
  use_evidence(list, case)
  find(case, retire and "key.regenerated" or "key.orphaned", { old_guid = key.guid },
    { evidence = list, keys = names_of(retire and { retire, key } or { key }) })
end

local function ambiguous(case, among, reason, by_hand)
  local list = {}
  guid_evidence(list, case)
  for _, key in ipairs(among) do made_evidence(list, case, key, "a candidate") end
  if #case.currents < 2 then
    onset.evidence(list, case)
    eras.evidence(list, case)
    proof.evidence(list, case, among)
  end
  use_evidence(list, case)
  find(case, "key.ambiguous", { count = files(among), reason = reason },
    { evidence = list, keys = names_of(among), remedy = by_hand,
      commands = not by_hand and adopt_commands(case, among) or nil })
  return { refused = ("%s could be the right one: %s"):format(files(among), reason) }
end

-- A function of the policy is at fault, so nothing is decided.
local function policy_failed(case, field, message)
  find(case, "policy.failed", { policy = case.policy.name, field = field, message = message:gsub("%.%s*$", "") },
    { keys = names_of(case.candidates), commands = adopt_commands(case, case.candidates),
      evidence = evidence({}, "policy", "the policy: " .. case.policy.source) })
  return { refused = ("the function %s of its policy failed: %s"):format(field, message) }
end

-- Lets the policy choose among `among`; with `retire` the current file goes.
local function choose(case, among, retire, why_retire)
  local key, reason, fault = rules.adopt(case.policy.adopt, among, case)
  if fault then return policy_failed(case, fault, reason) end
  if not key then return ambiguous(case, among, reason) end
  local proved = not key.proved and proof.proved_of(among)[1]
  if proved then
    return ambiguous(case, among, ("of %s, %s; but %s is proved by the %s"):format(key.name, reason, proved.name,
      proof.source_text(proved.proved)))
  end
  if case.only_late and not key.proved then
    return ambiguous(case, among, "nothing older than the first failure is left; Windows may have regenerated it too")
  end
  if key.doubted and not key.proved and not case.chosen_retire then
    return ambiguous(case, among, ("%s, but the System log speaks against it: %s"):format(reason, key.doubted))
  end
  repair_findings(case, key, retire, reason)
  return { adopt = key, retire = retire, reason = reason, why_retire = why_retire }
end

-- ---- The judges ----

local function too_many(case)
  if not case.too_many then return nil end
  find(case, "key.too-many", { limit = facts.MAX_MATCHES }, { commands = { command(case, "plan", "--adopt", "NAME") } })
  return { refused = "too many key files" }
end

-- NTFS never shows two names that differ by case alone; a copy on another file system may.
local function two_currents(case)
  if #case.currents < 2 then return nil end
  return ambiguous(case, case.currents, "their names differ by case alone, and Windows sees only one of them",
    "Compare them, and move all but the right one away by hand; no option chooses between them.")
end

-- Why the core would not touch a file whatever the administrator says, or nil.
local HARMLESS = { ["key.stray"] = true, ["key.foreign-owner"] = true, ["key.disproved"] = true }

local function no_adopt(case, key)
  if key.class == "current" then return ('--adopt: "%s" is the current key file already'):format(key.name) end
  for _, fault in ipairs(key.faults) do
    if not HARMLESS[fault.id] then
      return ('--adopt: "%s" cannot be adopted: %s'):format(key.name, fault.why)
    end
  end
  if key.disproved and not case.options.force_disproved then
    return ('--adopt: "%s" is disproved: %s. If you are sure all the same, add --force-disproved'):format(key.name,
      has_fault(key, "key.disproved"))
  end
end

local function no_retire(case, key)
  if key ~= case.current then
    return ('--retire: "%s" is not the current key file of "%s"; only that one stands in the way'):format(
      key.name, case.container)
  end
  local how, service = use.of_key(case.use, key, case.info.guid_written)
  local why = has_fault(key, "key.hard-link") or has_fault(key, "key.reparse") or has_fault(key, "key.unreadable")
    or ((key.sha256 or "") == "" and "its content was not read")
    or how == "certain" and ("%s was started with it and runs; stop it first if you are sure that it is wrong"):format(
      service.name)
    or key.proved and not key.disproved and "it is proved by the " .. proof.row_text(key.proved)
  return why and ('"%s" cannot be retired: %s'):format(key.name, why)
end

-- --adopt and --retire overrule the rules, not what cannot work: then the choice is refused and the case is judged
-- as if nobody had chosen.
local function overruled(case)
  local adopt = case.chosen_adopt
  local retire = case.chosen_retire or (adopt and case.current)
  if not adopt and not retire then return nil end
  if case.too_many and not adopt then return nil end
  case.refused_choice = adopt and no_adopt(case, adopt) or retire and no_retire(case, retire) or nil
  if case.refused_choice then return nil end
  if not adopt and #case.candidates > 0 then return choose(case, case.candidates, retire, "named with --retire") end
  local list = evidence({}, "option", adopt and "named with --adopt" or "named with --retire")
  for _, fault in ipairs(adopt and adopt.faults or {}) do
    evidence(list, "against", ("%s: %s"):format(adopt.name, fault.why))
  end
  if adopt then made_evidence(list, case, adopt, "the chosen key file") end
  if retire then made_evidence(list, case, retire, "the current key file") end
  if adopt then proof.evidence(list, case, { adopt }) end
  use_evidence(list, case)
  find(case, retire and "key.regenerated" or "key.orphaned",
    { name = adopt and adopt.name or "", retired = retire and retire.name or "" },
    { evidence = list, keys = names_of { adopt or retire, adopt and retire },
      wording = adopt and "chosen" or "retired" })
  return {
    adopt = adopt, retire = retire, reason = "named with --adopt", chosen = true,
    why_retire = case.chosen_retire and "named with --retire" or "the chosen key file needs its name",
  }
end

-- --restore-guid, which nothing speaks against: the file under the former machine GUID is the one that counts.
local function restored(case)
  local key, current = case.restore, case.current
  if not key then return nil end
  local list = evidence({}, "option", "its machine GUID was named with --restore-guid")
  made_evidence(list, case, key, "the former key file")
  if current then made_evidence(list, case, current, "the current key file") end
  proof.evidence(list, case, { key })
  use_evidence(list, case)
  find(case, current and "key.regenerated" or "key.orphaned",
    { name = key.name, retired = current and current.name or "", old_guid = key.guid },
    { evidence = list, keys = names_of { key, current }, wording = "restored" })
  return { restore = key, chosen = true, reason = "its machine GUID was named with --restore-guid" }
end

-- A file that counts and that keymend may not read leaves everything open. What a user or a renaming hand made does
-- not count, whatever is in it; of a file whose owner is not known nobody can tell that.
local function counts(key)
  return key.class ~= "stray" and (key.owner_trusted ~= false or (key.owner or "") == "")
end

local function unreadable(case)
  local blocked, list = {}, {}
  for _, key in ipairs(case.keys) do
    local why = counts(key) and has_fault(key, "key.unreadable")
    if why then
      blocked[#blocked + 1] = key
      evidence(list, "content", ("%s: %s"):format(key.name, why))
    end
  end
  if #blocked == 0 then return nil end
  find(case, "key.unreadable", { names = some_names(blocked) }, { evidence = list, keys = names_of(blocked) })
  return { refused = "key files could not be read" }
end

-- Whether the administrator insisted on a disproved key when a transaction was made.
local function is_forced(txn)
  return (" " .. (txn.overrides or "") .. " "):find(" --force-disproved ", 1, true) ~= nil
end

-- The newest transaction that stands and whose adopted file is the current one, byte for byte. One that is disproved
-- since then is judged anew, unless somebody insisted on it.
local function adopted_before(case)
  local current = case.current
  if not current or not current.sound or (current.sha256 or "") == "" then return nil end
  for index = #case.history, 1, -1 do
    local txn = case.history[index]
    for _, file in ipairs(facts.stands(txn) and txn.files or {}) do
      if file.before and file.after and file.after:lower() == current.name:lower()
        and file.sha256 == current.sha256 and not (current.disproved and not is_forced(txn)) then
        local list = evidence({}, "transaction", ("it was %s before"):format(file.before), txn.ended, txn.ended_ticks)
        find(case, "key.adopted", { id = txn.id, ended = facts.time(txn.ended, txn.ended_ticks) },
          { evidence = list, keys = { current.name } })
        return { healthy = true, adopted = true }
      end
    end
  end
end

-- keymend put the present machine GUID back, and the current key file stood there already then.
local function restored_before(case)
  local current, txn = case.current, restore.standing(case.history, case.info)
  if not txn or not current or not current.sound or current.disproved then return nil end
  local made = current.created or current.written
  if not made or not txn.ended or made > txn.ended then return nil end
  local list = evidence({}, "transaction", ("the machine GUID was %s before"):format(txn.guid_before or "another"),
    txn.ended, txn.ended_ticks)
  find(case, "key.adopted", { id = txn.id, ended = facts.time(txn.ended, txn.ended_ticks) },
    { evidence = list, keys = { current.name }, wording = "restored" })
  return { healthy = true, adopted = true }
end

-- Somebody copied the old key file to the current name: the right key is in place.
local function same_key(case)
  local current = case.current
  if not current or not current.sound or current.disproved or current.owner_trusted == false then return nil end
  local list, same = {}, {}
  for _, key in ipairs(case.foreign) do
    if key.candidate and M.same_bytes(key, current) then
      key.same_key = true
      same[#same + 1] = key
      evidence(list, "content", ("it has the same bytes as %s, so it is the same key"):format(key.name))
    end
  end
  if #same == 0 then return nil end
  find(case, "key.healthy", {}, { evidence = list, keys = { current.name, same[1].name } })
  return { healthy = true }
end

local function nothing_there(case)
  if #case.keys > 0 then return nil end
  find(case, "key.absent", {})
  return {}
end

local function lost_remedy(case, choices)
  local only_disproved, other = #case.foreign > 0, false
  for _, key in ipairs(case.foreign) do
    only_disproved = only_disproved and key.disproved
    other = other or proof.is_other(key)
  end
  if only_disproved and other then
    return "Adopting cannot help: each of them is disproved (see above). Restore the key file from a backup, or use a "
      .. "backup of the whole system."
  end
  if only_disproved then
    return "Adopting cannot help: none of them can be decrypted here. Use a backup of the whole system, or the "
      .. "program's own way to make a new key."
  end
  if #choices == 0 then return "Restore the key file from a backup." end
  return "Restore the key file from a backup. If you know that a file renamed by hand or owned by a user is the right "
    .. "one, name it:"
end

-- Nothing is missed where the program makes its key itself, unless an old one is the right one.
local function is_made_anew(case)
  if not case.policy.remakes then return nil end
  if #case.candidates > 0 and rules.adopt(case.policy.adopt, case.candidates, case) then return nil end
  find(case, "key.absent", {}, { severity = "info", wording = "remade" })
  return { healthy = true }
end

local function current_missing(case)
  if case.current then return nil end
  local anew = is_made_anew(case)
  if anew then return anew end
  if #case.candidates > 0 then return choose(case, case.candidates) end
  local list = {}
  for _, key in ipairs(case.keys) do
    for _, fault in ipairs(key.faults) do evidence(list, "against", ("%s: %s"):format(key.name, fault.why)) end
  end
  local choices = {}
  for _, key in ipairs(case.keys) do
    if key.sound and not key.disproved then choices[#choices + 1] = key end
  end
  find(case, "key.lost", { remedy = lost_remedy(case, choices) },
    { evidence = list, keys = names_of(case.keys), commands = adopt_commands(case, choices) })
  return {}
end

local function current_unsound(case)
  local current = case.current
  if current.sound or (current.keyless and not has_fault(current, "key.name-mismatch")
    and not has_fault(current, "key.hard-link")) then return nil end
  local stuck = no_retire(case, current) -- then no key file can be adopted either
  local choices = stuck and {} or case.candidates
  for _, fault in ipairs(current.faults) do
    find(case, fault.id, { names = current.name }, { severity = "error", keys = { current.name }, wording = "current",
      remedy = choices[1] and "Restore it from a backup. If you know that another key file is the right one, "
        .. "name it; the current one then goes into the vault:" or nil,
      evidence = evidence({}, "content", fault.why), commands = adopt_commands(case, choices) }, current)
  end
  return {}
end

-- The services say that the only key is not the one they need.
local function current_wrong(case)
  local choices = {}
  for _, key in ipairs(case.keys) do
    if key ~= case.current and key.sound and not key.disproved then choices[#choices + 1] = key end
  end
  local list = {}
  made_evidence(list, case, case.current, "the current key file")
  if case.current.proved then proof.evidence(list, case, { case.current }, true) end
  use_evidence(list, case)
  find(case, "key.current-wrong", {}, { evidence = list, keys = { case.current.name },
    commands = adopt_commands(case, choices), wording = #choices > 0 and "choices" or nil })
  return {}
end

local PROVED_REMEDY = "keymend retires no key file that is proved. If you are sure that another one is the right one, "
  .. "move the current one out of the key store by hand, keep it, and run keymend again."

-- What proves the current key is of the past, or nothing is known to use it, and the services say that the key is
-- wrong: then the proof does not say that this is the key they need.
local function proved_yet_wrong(case)
  if #case.candidates == 0 then return current_wrong(case) end
  local why = ("%s is proved, but by nothing that is known to be in use, and its services fail with a code that says "
    .. "that the key is wrong"):format(case.current.name)
  return ambiguous(case, { case.current, unpack(case.candidates) }, why, PROVED_REMEDY)
end

-- Rule: a key that is proved is never retired, whatever the times say. Another may be proved too, by something else
-- that nothing is known to use; then only a person can tell which one is needed.
local function current_proved(case)
  local current = case.current
  if not current.sound or not current.proved then return nil end
  local rivals = { current }
  for _, key in ipairs(proof.proved_of(case.candidates)) do
    if not M.same_bytes(key, current) and not proof.is_same_key(key, current) then rivals[#rivals + 1] = key end
  end
  if #rivals > 1 and not proof.is_in_use(current) then
    return ambiguous(case, rivals, "each of them is proved, by something else", PROVED_REMEDY)
  end
  if not proof.is_in_use(current) and use.refutes(case.use) then return proved_yet_wrong(case) end
  local list = {}
  made_evidence(list, case, current, "it")
  proof.evidence(list, case, { current }, true)
  use_evidence(list, case)
  find(case, "key.healthy", {}, { evidence = list, keys = { current.name } })
  return { healthy = true }
end

-- Rule: a key whose service was started with it and runs is never retired.
local function in_use(case)
  local current = case.current
  if not current.sound or current.disproved then return nil end
  local how, service = use.of_key(case.use, current, case.info.guid_written)
  if how ~= "certain" then return nil end
  local list = {}
  made_evidence(list, case, current, "it")
  evidence(list, "service", ("%s, which runs, was started then or later, so with this key file"):format(service.name),
    service.started, service.started_ticks)
  find(case, "key.healthy", {}, { evidence = list, keys = { current.name } })
  return { healthy = true }
end

local function healthy(case)
  local current = case.current
  local list = {}
  made_evidence(list, case, current, "it")
  use_evidence(list, case)
  find(case, "key.healthy", {}, { evidence = list, keys = { current.name } })
  return { healthy = true }
end

-- A program that makes its key and all that hangs on it anew needs no key that is not its own: one that is disproved
-- goes, where there is none to adopt.
local function remade(case)
  if not case.policy.remakes or not case.current.disproved then return nil end
  if #case.candidates > 0 and rules.adopt(case.policy.adopt, case.candidates, case) then return nil end
  local how = use.of_key(case.use, case.current, case.info.guid_written)
  if how == "certain" then return nil end
  local list = {}
  made_evidence(list, case, case.current, "the current key file")
  proof.evidence(list, case, { case.current })
  use_evidence(list, case)
  find(case, "key.regenerated", { retired = case.current.name },
    { evidence = list, keys = names_of { case.current }, wording = "remade" })
  return { retire = case.current,
    why_retire = "it is disproved, none is proved, and the program makes a new one itself" }
end

local function no_candidate(case)
  if #case.candidates > 0 then return nil end
  local current = case.current
  if current.keyless then
    find(case, "key.keyless", { names = current.name }, { severity = "error", keys = { current.name },
      wording = "current", evidence = evidence({}, "content", "there is no other key file to adopt") }, current)
    return {}
  end
  if current.disproved then return {} end
  if use.refutes(case.use) then return current_wrong(case) end
  return healthy(case)
end

-- Rule: a key whose service was started with it and runs is never retired, whatever disproves it.
local function runs_disproved(case)
  local how, service = use.of_key(case.use, case.current, case.info.guid_written)
  if how ~= "certain" then return nil end
  local list = {}
  made_evidence(list, case, case.current, "the current key file")
  evidence(list, "service", ("%s, which runs, was started then or later"):format(service.name), service.started,
    service.started_ticks)
  proof.evidence(list, case, case.candidates)
  find(case, "key.in-use", { names = service.name }, { evidence = list, wording = "disproved",
    keys = names_of { case.current, unpack(case.candidates) } })
  return { refused = ("the current key file is disproved, but %s was started with it and runs"):format(service.name) }
end

-- What is in use proves a candidate, and the current key file is not known to be another key: the candidate, or nil.
local function proved_in_use(case)
  if case.current.identity_verdict == "contradictory" then return nil end
  for _, key in ipairs(case.candidates) do
    if proof.is_in_use(key) then return key end
  end
end

-- A current file without a key, or one that cannot be decrypted here, serves nobody, whatever the times say; nor does
-- one that is not the key of what is in use.
local function current_useless(case)
  local current = case.current
  local why = has_fault(current, "key.keyless") or has_fault(current, "key.disproved")
  local other = why == nil and proved_in_use(case)
  if other then why = "it is not the key of the " .. proof.source_text(other.proved) end
  if not why then return nil end
  return not current.keyless and runs_disproved(case) or choose(case, case.candidates, current, why)
end

local function times_useless(case)
  local list = {}
  local keys = { case.current }
  for _, key in ipairs(case.candidates) do keys[#keys + 1] = key end
  for _, key in ipairs(keys) do
    if not key.usable_time then
      evidence(list, "against", ("%s: %s"):format(key.name, key.time_problem), key.created, key.created_ticks)
    end
  end
  if #list == 0 then return nil end
  eras.evidence(list, case)
  find(case, "key.times-useless", {}, { evidence = list, keys = names_of(keys),
    commands = adopt_commands(case, case.candidates) })
  return { refused = "the creation times do not tell which key file is the older" }
end

-- How many files of the whole key store stand under a GUID.
local function stored_under(case, guid)
  for _, row in ipairs((case.facts.survey or {}).guids or {}) do
    if row.guid == guid then return row.files end
  end
  return 0
end

-- The services fail with the old key: either the machine GUID is the wrong one, or the key is; both remedies, and how
-- many key files of the store each would serve.
local function newer_and_failing(case, newer, list)
  local guid = newer[1].guid or ""
  for _, key in ipairs(newer) do
    if key.usable_time > newer[1].usable_time then guid = key.guid or guid end
  end
  local commands = adopt_commands(case, newer)
  table.insert(commands, 1, command(case, "plan", "--restore-guid", guid))
  find(case, "key.newer-foreign", { count = files(newer), guid = guid, stored = stored_under(case, guid),
    current_guid = case.info.guid, current_stored = stored_under(case, case.info.guid) },
    { severity = "error", evidence = list, keys = names_of(newer), commands = commands, wording = "failing" })
  return { refused = "an older key file is in place and its services fail" }
end

local function newer_foreign(case)
  local newer, list = {}, {}
  for _, key in ipairs(case.candidates) do
    if key.usable_time > case.current.usable_time then
      newer[#newer + 1] = key
      made_evidence(list, case, key, "a newer key file")
    end
  end
  if #newer == 0 then return nil end
  made_evidence(list, case, case.current, "the current key file")
  use_evidence(list, case)
  if case.use and #case.use.failed > 0 then return newer_and_failing(case, newer, list) end
  local works = case.use and case.use.good or false
  find(case, "key.newer-foreign", { count = files(newer) }, { evidence = list, keys = names_of(newer),
    commands = adopt_commands(case, newer), wording = works and "works" or nil })
  return { healthy = true, undecided = not works }
end

-- A candidate older than the current file, but made after the machine GUID was last written, should not be: then the
-- time of the registry key is wrong (a restored hive, a tool that does not set it, a clock), or the file is not of
-- this Windows. Neither is proof of anything.
local function guid_time_contradicts(case)
  local late, list, bound = {}, {}, case.info.guid_written
  for _, key in ipairs(case.candidates) do
    if bound and key.usable_time > bound + M.SAME_TIME then
      late[#late + 1] = key
      made_evidence(list, case, key, "an older key file")
    end
  end
  if #late == 0 then return nil end
  guid_evidence(list, case, true)
  made_evidence(list, case, case.current, "the current key file")
  find(case, "key.times-useless", { count = files(late) }, { evidence = list, wording = "contradiction",
    keys = names_of { case.current, unpack(case.candidates) }, commands = adopt_commands(case, case.candidates) })
  return { refused = "the time of the machine GUID's registry key contradicts the key files" }
end

-- KB 884872: the file made nearest to the onset is the one that Windows regenerated. What the events tell is no point
-- that somebody remembers: there onset.lua has looked for the key file that was made then.
local function onset_elsewhere(case)
  local chosen, reason, fault = onset.decide(case)
  if fault then return policy_failed(case, fault, reason) end
  if not chosen then return ambiguous(case, case.candidates, "the onset is not known: " .. reason) end
  case.onset = onset.reset_of(case, chosen)
  if chosen.kind == "events" then return nil end
  local nearest
  for _, key in ipairs(case.keys) do
    local distance = key.usable_time and math.abs(key.usable_time - chosen.time)
    if distance and (not nearest or distance < math.abs(nearest.usable_time - chosen.time)) then nearest = key end
  end
  if nearest == case.current or nearest.regenerated then return nil end
  local list = evidence({}, "onset", "the onset, " .. chosen.reason, chosen.time, chosen.ticks)
  for _, key in ipairs(case.keys) do made_evidence(list, case, key, key.class == "current" and "the current key file"
    or "another key file") end
  find(case, "key.onset-mismatch", { onset = facts.time(chosen.time, chosen.ticks), nearest = nearest.name },
    { evidence = list, keys = { nearest.name, case.current.name } })
  return { refused = "the key file made nearest to the onset is not the current one" }
end

-- The services run, and nothing tells whether with the current key or with the one of before.
local function maybe_in_use(case)
  local how, with_it = use.of_key(case.use, case.current, case.info.guid_written)
  if how ~= "possible" then return nil end
  local list = {}
  guid_evidence(list, case)
  made_evidence(list, case, case.current, "the current key file")
  for _, key in ipairs(case.candidates) do made_evidence(list, case, key, "an older key file") end
  for _, service in ipairs(case.use.running) do
    evidence(list, "service", service.started and ("%s runs; it was started then or later"):format(service.name)
      or ("%s runs; since when is not known"):format(service.name), service.started, service.started_ticks)
  end
  for _, service in ipairs(case.use.failed) do evidence(list, "service", use.failure_text(service)) end
  find(case, "key.in-use", { names = with_it and with_it.name or use.names(case.use.running) }, { evidence = list,
    wording = with_it and "failing" or nil, keys = names_of { case.current, unpack(case.candidates) },
    commands = adopt_commands(case, case.candidates) })
  return { refused = with_it and with_it.name .. " was started with the current key file and runs"
    or "its services run, and it is not known whether with the current key file" }
end

-- Rule: a key whose service ran after it was made is never retired; here the System log tells that it did.
local function ran_with_it(case)
  if use.refutes(case.use) then return nil end
  local ran, start = onset.ran_since(case)
  if not ran or ran.kind == "start" and use.doubts(case.use) then return nil end
  local list = {}
  guid_evidence(list, case)
  made_evidence(list, case, case.current, "the current key file")
  for _, key in ipairs(case.candidates) do made_evidence(list, case, key, "an older key file") end
  if start then evidence(list, "start", "Windows was started", start.time, start.ticks) end
  evidence(list, "success", ran.text, ran.time, ran.ticks)
  case.ran_since = true
  local quiet = ran.kind == "start"
  find(case, "key.in-use", { names = ran.service }, { evidence = list, wording = quiet and "quiet" or "logged",
    keys = names_of { case.current, unpack(case.candidates) }, commands = adopt_commands(case, case.candidates) })
  return { refused = quiet and ("Windows was started after the current key file was made, and %s logged no failure")
    :format(ran.service) or ran.service .. " started after the current key file was made" }
end

-- The failures began when the current key file had been there for long: it is none that was made because of them.
local function failed_later(case)
  if not onset.began_late(case) then return nil end
  local chosen, list = case.chosen_onset, {}
  guid_evidence(list, case)
  made_evidence(list, case, case.current, "the current key file")
  for _, key in ipairs(case.candidates) do made_evidence(list, case, key, "an older key file") end
  onset.evidence(list, case)
  find(case, "key.onset-mismatch", { onset = facts.time(chosen.time, chosen.ticks),
    nearest = facts.time(case.current.created, case.current.created_ticks) }, { evidence = list, wording = "later",
    keys = names_of { case.current, unpack(case.candidates) }, commands = adopt_commands(case, case.candidates) })
  case.ran_since = true
  return { refused = "the failures began long after the current key file was made" }
end

local function regenerated(case)
  local key, reason, fault, unjudged = rules.retire(case.policy.retire, case)
  if not key then
    if fault then return policy_failed(case, fault, reason) end
    if unjudged then
      return ambiguous(case, case.candidates, "whether the current key file is to be retired cannot be judged: "
        .. reason)
    end
    find(case, "key.healthy", {}, { keys = { case.current.name },
      evidence = evidence({}, "policy", "the policy keeps the current key file: " .. reason) })
    return { healthy = true }
  end
  return maybe_in_use(case) or ran_with_it(case) or failed_later(case)
    or choose(case, case.candidates, case.current, reason)
end

-- Where times tell nothing, a policy may trust the master keys: the current key file goes when its own is newer than
-- those of all candidates, which are no younger than the reset, and no service worked with it.
local function newer_by_era(case)
  local bound, current = case.info.guid_written, case.current
  if not rules.names(case.policy.adopt, "master_key_era") then return nil end
  if not eras.is_last(current, case.candidates) then return nil end
  local undated = current.usable_time == nil
  for _, key in ipairs(case.candidates) do
    undated = undated or key.usable_time == nil
    if bound and key.era.time > bound + M.SAME_TIME then return nil end
  end
  if not undated or onset.worked_after(case, current.era.time) then return nil end
  return regenerated(case)
end

-- The order is the rule: proof of history beats times, times beat names.
M.chain = {
  two_currents, overruled, restored, unreadable, adopted_before, restored_before, too_many, nothing_there, same_key,
  current_missing,
  current_unsound, current_proved, in_use,
  remade, no_candidate, current_useless, newer_by_era, times_useless, newer_foreign, guid_time_contradicts,
  onset_elsewhere, regenerated,
}

-- ---- What is told of the other files ----

-- How the finding of a kind of fault is worded: { id, keys, wording, current, chosen }.
local function wording_of(kind)
  local role = #kind.keys == 1 and (kind.current and "current" or kind.chosen and "chosen") or nil
  if role == "current" and kind.wording == "identity" then return "other" end
  return role or kind.wording
end

-- Of the current key file, by what is wrong with it.
local function remedy_of(kind)
  local entry = require("keymend.findings")[kind.id]
  return (entry[wording_of(kind) == "other" and "other" or kind.wording] or entry).remedy
end

-- One finding for each kind of fault among the files that the verdict leaves where they are.
local function tell_faults(case, verdict)
  local kinds, order = {}, {}
  local settled = verdict.healthy and case.current and case.current.proved -- then leftovers tell which keys are others
  for _, key in ipairs(case.keys) do
    for _, fault in ipairs(key == verdict.retire and {} or key.faults) do
      if settled and fault.wording == "identity" then key.told[fault.id] = true end
      if not key.told[fault.id] and fault.id ~= "key.unreadable" then
        local of = ("%s %s%s"):format(fault.id, fault.wording or "", key == case.current and " current" or "")
        if not kinds[of] then -- told apart: other words, graver
          kinds[of] = { id = fault.id, keys = {}, whys = {}, wording = fault.wording }
          order[#order + 1] = of
        end
        local kind = kinds[of]
        kind.keys[#kind.keys + 1] = key
        kind.whys[#kind.keys] = fault.why
        kind.current = kind.current or key == case.current
        kind.chosen = kind.chosen or key == verdict.adopt
      end
    end
  end
  for _, of in ipairs(order) do
    local kind = kinds[of]
    local list = {}
    if kind.id == "key.stray" and (case.matches.stray or 0) >= facts.MAX_MATCHES then
      evidence(list, "limit", ("of all such names only %d were looked at"):format(facts.MAX_MATCHES))
    end
    for index, key in ipairs(kind.keys) do
      evidence(list, "content", (#kind.keys > 1 and key.name .. ": " or "") .. kind.whys[index])
      if key.proved then
        evidence(list, "identity", ("%s is proved by the %s"):format(key.name, proof.row_text(key.proved)))
      end
    end
    find(case, kind.id, { names = some_names(kind.keys) }, { evidence = list, keys = names_of(kind.keys),
      severity = kind.current and not verdict.adopted and "error" or verdict.healthy and "info" or nil,
      wording = wording_of(kind), remedy = kind.current and kind.wording and remedy_of(kind) or nil })
  end
end

-- A service that runs keeps the key that it opened. One that was started after the reset does without.
local function tell_running(case, verdict)
  if case.current or verdict.healthy or #case.keys == 0 or not case.use or #case.use.failed > 0 then return end
  local running, reset = {}, case.info.guid_written
  for _, service in ipairs(case.use.running) do
    if not (service.started and reset and service.started > reset) then running[#running + 1] = service end
  end
  if #running > 0 then find(case, "service.running-orphaned", { names = use.names(running) }) end
end

local function why_left(key)
  if key.proved then return "proved by the " .. proof.row_text(key.proved) end
  if key.faults[1] then return key.faults[1].why end
  if key.regenerated then return key.regenerated end
  if key.same_key then return "the same key as the current one, byte for byte" end
  if key.usable_time then return "sound; made " .. facts.time(key.created, key.created_ticks) end
  return "sound; " .. (key.time_problem or "its creation time is not known")
end

local function tell_leftovers(case, verdict)
  if not verdict.healthy or #case.foreign == 0 then return end
  for _, made in ipairs(case.findings) do
    if made.id == "key.newer-foreign" then return end
  end
  local list = {}
  for _, key in ipairs(case.foreign) do evidence(list, "content", ("%s: %s"):format(key.name, why_left(key))) end
  find(case, "key.leftover", { count = files(case.foreign) }, { evidence = list, keys = names_of(case.foreign) })
end

local function tell_upper_case(case)
  local upper = {}
  for _, key in ipairs(case.keys) do
    if key.upper then upper[#upper + 1] = key end
  end
  if #upper > 0 then find(case, "key.upper-case", { names = some_names(upper) }, { keys = names_of(upper) }) end
end

-- What can hardly be true together with the onset, where something is decided by it.
local function tell_contradictions(case, verdict)
  if verdict.healthy or case.ran_since or #case.contradictions == 0 then return end
  local chosen, list = case.chosen_onset, {}
  evidence(list, "onset", "the problem began (onset): " .. chosen.reason, chosen.time, chosen.ticks)
  for _, one in ipairs(case.contradictions) do evidence(list, "against", one.text, one.time, one.ticks) end
  find(case, "onset.contradiction", { onset = facts.time(chosen.time, chosen.ticks) }, { evidence = list })
end

local function tell_eras(case, verdict)
  if verdict.healthy or #case.era_rows == 0 then return end
  find(case, "key.era-contradiction", {}, { evidence = { unpack(case.era_rows) } })
end

-- Where the container is in order, its key file's making is no onset of anything.
local function settle_onsets(case, verdict)
  if verdict.healthy and case.chosen_onset and case.chosen_onset.kind == "regeneration" then
    case.onsets, case.chosen_onset = {}, nil
  end
end

-- Judges one case: fills case.findings and returns (and keeps) its verdict.
function M.judge(case)
  if not case.candidates then M.study(case) end
  local verdict
  for _, judge in ipairs(M.chain) do
    verdict = judge(case)
    if verdict then break end
  end
  if case.refused_choice then verdict = { refused = case.refused_choice } end
  case.verdict = verdict or {}
  settle_onsets(case, case.verdict)
  tell_contradictions(case, case.verdict)
  tell_eras(case, case.verdict)
  tell_running(case, case.verdict)
  tell_leftovers(case, case.verdict)
  tell_faults(case, case.verdict)
  tell_upper_case(case)
  return case.verdict
end

return M
