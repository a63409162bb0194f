-- restore.lua: the second remedy: instead of renaming key files put the former machine GUID back into the registry
--
-- Where most of a key store stands under one former machine GUID, putting that one back makes all these files current
-- at once, and those made under the present one foreign. Both consequences are counted (sides) and told
-- (guid.restorable) before one is chosen: by the administrator with --restore-guid, or by a policy whose remedy is
-- restore_guid. What speaks against it refuses it (obstacles): a key that is proved or in use is never taken away from
-- its program.
--
-- diagnosis.restore, where it is chosen: { guid, from (as stored), reason, chooser, sides }; case.verdict.restore: the
-- key file that becomes the current one of its container.

local core = require "keymend.core"
local facts = require "keymend.facts"
local proof = require "keymend.proof"
local use = require "keymend.use"

local M = {}

-- Of a store that most of which stands under one GUID is spoken from so many key files on.
M.LEAST = 2
-- Key containers that are told apart when both sides are counted, and those that are named.
M.MAX_CONTAINERS = 200000
M.NAMED = 8

-- Checks the option restore_guid of `options` and makes it plain: true, or nil, message.
function M.check(options)
  local given = options.restore_guid
  if given == nil then return true end
  local guid = type(given) == "string" and core.guid(given) or ""
  if guid == "" then
    return nil, ('--restore-guid "%s" is no GUID; give the 36 characters at the end of a key file\'s name'):format(
      tostring(given))
  end
  for _, name in ipairs { "adopt", "retire" } do
    if options[name] and #options[name] > 0 then
      return nil, ("--restore-guid does not go with --%s: a plan renames key files or puts the machine GUID back, not "
        .. "both"):format(name)
    end
  end
  options.restore_guid = guid
  return true
end

-- ---- Both sides ----

-- What a machine GUID would bring back and take away, in one walk over the store: { guid, all (key files with a GUID),
-- files, containers (under it), lost (files under the present one), without (hashes of these that have none under it,
-- sorted), counted = false where there are too many containers to tell them apart }; nil, message, code.
function M.sides(target, info, guid)
  local names, message, code, native = target:keys()
  if not names then return nil, message, code, native end
  local back, present, known = {}, {}, 0
  local sides = { guid = guid, all = 0, files = 0, containers = 0, lost = 0, without = {}, counted = true }
  for _, class, hash, suffix in names do
    if class == "current" or class == "foreign" then
      sides.all = sides.all + 1
      local set = class == "current" and present or suffix == guid and back or nil
      if set == present then sides.lost = sides.lost + 1 elseif set then sides.files = sides.files + 1 end
      if set and not set[hash] and sides.counted then
        set[hash], known = true, known + 1
        sides.counted = known <= M.MAX_CONTAINERS
      end
    end
  end
  if guid == info.guid then sides.files, back = sides.lost, present end
  for _ in pairs(back) do sides.containers = sides.containers + 1 end
  for hash in pairs(present) do
    if not back[hash] then sides.without[#sides.without + 1] = hash end
  end
  table.sort(sides.without)
  return sides
end

local function plural(count, word)
  return ("%d %s%s"):format(count, word, count == 1 and "" or "s")
end

-- The container of a hash as people call it; its key file under the present machine GUID may tell.
local function container_text(target, info, hash)
  local known = core.known_container(hash)
  local key = not known and target:inspect(hash .. "_" .. info.guid)
  known = known or key and key.container_hash == hash and (key.container or "") ~= "" and key.container
  return known and '"' .. known .. '"' or "hash " .. hash
end

local function without_text(target, info, sides)
  local names = {}
  for index = 1, math.min(#sides.without, M.NAMED) do
    names[index] = container_text(target, info, sides.without[index])
  end
  if #sides.without > M.NAMED then names[#names + 1] = ("and %d more"):format(#sides.without - M.NAMED) end
  return table.concat(names, ", ")
end

-- Both consequences as texts: what is found again, what is no longer found.
function M.consequences(target, info, sides)
  local of = sides.counted and " of " .. plural(sides.containers, "key container") or ""
  local back = ("%s%s under %s"):format(plural(sides.files, "key file"), of, sides.guid)
  local lost = sides.lost == 0 and "none" or ("%s under the present machine GUID"):format(
    plural(sides.lost, "key file"))
  if sides.lost > 0 and sides.counted then
    lost = lost .. (#sides.without == 0 and "; every container of these has a key file under the former one"
      or ("; lost to their programs, since there is none under the former one, are those of %s: %s"):format(
        plural(#sides.without, "key container"), without_text(target, info, sides)))
  end
  return back, lost
end

-- ---- What speaks against it ----

-- The key file of a case under a GUID, or nil.
local function file_under(case, guid)
  for _, key in ipairs(case.keys) do
    if key.guid == guid and key.class == "foreign" then return key end
  end
end

local function is_same(key, other)
  local sum = key.sha256 or ""
  return sum ~= "" and sum == other.sha256 or proof.is_same_key(key, other)
end

local function is_unread(key)
  return key.status ~= "ok" and key.status ~= "damaged"
end

-- Whether a container has a key that works or could work.
local function has_key(case)
  local current = case.current
  if current and (is_unread(current) or current.sound and not current.disproved) then return true end
  return #case.candidates > 0
end

-- Why the file under the former machine GUID is none to go by, or nil.
local function unfit(key)
  if not key then return "has no key file under it" end
  if key.candidate then return nil end
  local fault = key.faults[1]
  return ("has %s under it, but %s"):format(key.name, fault and fault.why or "it is not sound")
end

-- Why the current key file may not be taken away from its program, or nil.
local function kept(case, key)
  local current = case.current
  if not current or key and is_same(key, current) then return nil end
  local how, service = use.of_key(case.use, current, case.info.guid_written)
  if how == "certain" then return ("%s was started with %s and runs"):format(service.name, current.name) end
  if current.proved and not current.disproved then
    return ("%s is proved by the %s"):format(current.name, proof.row_text(current.proved))
  end
end

-- Of a case that is judged already: why a policy does not put the machine GUID back for it, or nil.
local function disagrees(case, key)
  local verdict = case.verdict
  if verdict.refused then return "is undecided: " .. verdict.refused end
  local same = key and case.current and is_same(key, case.current)
  if verdict.healthy and case.current and not same then return "is in order with its present key file" end
  if verdict.adopt and not (key and is_same(key, verdict.adopt)) then
    return ("needs %s, which is another key"):format(verdict.adopt.name)
  end
end

local function case_obstacle(case, guid, by_policy)
  local key = file_under(case, guid)
  if case.too_many then return "has too many key files to be looked at" end
  local stays = kept(case, key)
  if stays then return "would lose the key that is in use: " .. stays end
  local why = by_policy and disagrees(case, key)
  if why then return why end
  if not key and (not has_key(case) or case.policy.remakes) then return nil end
  return unfit(key)
end

-- Of the containers that are not judged: what is in use and was made with a current key, and would lose it. skip:
-- container hashes that are not asked for.
local function proved_elsewhere(target, info, guid, session, skip)
  local list, seen = {}, {}
  for hash in pairs(skip) do seen[hash] = true end
  for _, source in ipairs(session:sources()) do
    local hash = not source.cng and source.use and not source.history and core.hash(source.container) or nil
    local current = hash and not seen[hash] and target:inspect(hash .. "_" .. info.guid)
    if hash then seen[hash] = true end
    local found = current and session:try("rsa", current.name, source.container)
    if found and found.proved and not found.refuted and proof.is_in_use(found) then
      local former = target:inspect(hash .. "_" .. guid)
      if not former or not is_same(former, current) then
        list[#list + 1] = ('"%s" would lose the key that is in use: %s is proved by the %s'):format(source.container,
          current.name, proof.row_text(found.proved))
      end
    end
  end
  return list
end

local function is_dirty(info)
  for _, hive in ipairs(info.hives or {}) do
    if hive.dirty and hive.name:upper() == "SOFTWARE" then return true end
  end
  return false
end

local DIRTY = "the SOFTWARE hive was not closed cleanly, so Windows would bring the present machine GUID back from its "
  .. "logs at the next boot. Start this Windows once and shut it down cleanly"

-- What keymend says of the target alone, without a diagnosis: texts, gravest first. sides: M.sides of the GUID;
-- session: of proof.lua; skip: hashes of the containers that are judged.
function M.target_obstacles(target, info, sides, session, skip)
  if sides.guid == info.guid then return { ("%s is the machine GUID already"):format(sides.guid) } end
  if sides.files == 0 then
    return { ("no key file of this key store carries %s"):format(sides.guid) }
  end
  local list = is_dirty(info) and { DIRTY } or {}
  for _, text in ipairs(session and proved_elsewhere(target, info, sides.guid, session, skip or {}) or {}) do
    list[#list + 1] = text
  end
  return list
end

-- Why the former machine GUID may not be put back: texts, none where it may. by_policy: nobody chose it by hand, so
-- that every case has to agree. session: nil where the containers that are not judged were asked before.
function M.obstacles(diagnosis, sides, session, by_policy)
  local skip = {}
  for _, case in ipairs(diagnosis.cases) do skip[case.hash] = true end
  local list = M.target_obstacles(diagnosis.target, diagnosis.info, sides, session, skip)
  if sides.guid == diagnosis.info.guid or sides.files == 0 then return list end
  for _, case in ipairs(diagnosis.cases) do
    local why = case_obstacle(case, sides.guid, by_policy)
    if why then list[#list + 1] = ('"%s" %s'):format(case.container, why) end
  end
  return list
end

-- ---- Choosing it ----

-- The transaction that put the present machine GUID in place, where it still stands, or nil.
function M.standing(history, info)
  for index = #history, 1, -1 do
    local txn = history[index]
    if txn.guid_after and facts.stands(txn) then
      return core.guid(txn.guid_after) == info.guid and txn or nil
    end
  end
end

-- Both consequences, and what speaks against it but for the first, which the finding's text tells.
local function evidence_of(diagnosis, sides, against)
  if sides.files == 0 or sides.guid == diagnosis.info.guid then return {} end
  local back, lost = M.consequences(diagnosis.target, diagnosis.info, sides)
  local list = {
    { kind = "consequence", text = "found again: " .. back },
    { kind = "consequence", text = "no longer found: " .. lost },
  }
  for index = 2, #(against or {}) do list[index + 1] = { kind = "against", text = against[index] } end
  return list
end

local function refuse(diagnosis, add, sides, chooser, list)
  diagnosis.restore_refused = true
  add(diagnosis, "guid.restore-refused", { guid = sides.guid, chooser = chooser, why = list[1] },
    { evidence = evidence_of(diagnosis, sides, list) })
end

local function choose(diagnosis, sides, chooser, reason)
  diagnosis.restore = {
    guid = sides.guid, from = diagnosis.info.machine_guid, chooser = chooser, reason = reason, sides = sides,
  }
end

local function share(sides)
  return ("%d of the %d key files here (%d %%) stand under it"):format(sides.files, sides.all,
    math.floor(100 * sides.files / math.max(sides.all, 1)))
end

-- The key file that becomes current in each case; none where the present one is the same key.
local function each_change(diagnosis, guid, take)
  for _, case in ipairs(diagnosis.cases) do
    local key = file_under(case, guid)
    if key and not (case.current and is_same(key, case.current)) then take(case, key) end
  end
end

-- --restore-guid: before the cases are judged, after they were studied. true, or nil, message, code, native.
function M.by_option(diagnosis, add)
  local guid, found = diagnosis.facts.options.restore_guid, diagnosis.facts
  if not guid or not found.survey or not facts.judgeable(found) then return true end
  if guid == diagnosis.info.guid and M.standing(found.history, diagnosis.info) then return true end
  local sides, message, code, native = M.sides(diagnosis.target, diagnosis.info, guid)
  if not sides then return nil, message, code, native end
  local list = M.obstacles(diagnosis, sides, found.proof())
  if #list > 0 then
    refuse(diagnosis, add, sides, "--restore-guid", list)
    return true
  end
  choose(diagnosis, sides, "--restore-guid", "named with --restore-guid; " .. share(sides))
  each_change(diagnosis, guid, function(case, key) case.restore = key end)
  return true
end

-- The former machine GUID of the keys that the policies would adopt, and the policy that wants it back; nil: none does.
local function wanted(diagnosis, survey)
  for _, case in ipairs(diagnosis.cases) do
    local remedy, verdict = case.policy.remedy, case.verdict
    if verdict.chosen then return nil end
    local guid = remedy and remedy.rule == "restore_guid" and verdict.adopt and verdict.adopt.guid
    for _, row in ipairs(guid and survey.guids or {}) do
      if row.guid == guid and row.files * 100 > remedy.above * (survey.current + survey.foreign) then
        return guid, case.policy
      end
    end
  end
end

local RESTORED = { ["key.orphaned"] = true, ["key.regenerated"] = true }

-- The policies' remedy, when all cases are judged. true, or nil, message, code, native.
function M.by_policy(diagnosis, add)
  local survey = diagnosis.facts.survey
  if diagnosis.restore or diagnosis.blocked or not survey then return true end
  local guid, policy = wanted(diagnosis, survey)
  if not guid then return true end
  local sides, message, code, native = M.sides(diagnosis.target, diagnosis.info, guid)
  if not sides then return nil, message, code, native end
  local chooser = ('policy "%s"'):format(policy.name)
  local list = M.obstacles(diagnosis, sides, diagnosis.facts.proof(), true)
  if #list > 0 then
    refuse(diagnosis, add, sides, chooser, list)
    return true
  end
  choose(diagnosis, sides, chooser, ("%s: %s, more than %s %%"):format(chooser, share(sides), policy.remedy.above))
  local table_of_findings = require "keymend.findings"
  each_change(diagnosis, guid, function(case, key)
    case.verdict = { restore = key, reason = case.verdict.reason }
    for _, made in ipairs(case.findings) do
      if RESTORED[made.id] then made.remedy = table_of_findings[made.id].restored.remedy end
    end
  end)
  return true
end

-- ---- Telling of it ----

-- The former machine GUID under which most of the key store stands, or nil.
local function most(survey)
  local row = survey and survey.guids and survey.guids[1]
  if not row or row.files < M.LEAST or row.files * 2 <= survey.current + survey.foreign then return nil end
  return row.guid
end

-- Whether all that is judged is in order for sure: then nothing needs a remedy.
local function all_settled(diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    if not case.verdict.healthy or case.verdict.undecided then return false end
  end
  return #diagnosis.cases > 0
end

local function is_repair(diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    if case.verdict.adopt or case.verdict.retire then return not diagnosis.blocked end
  end
  return false
end

local function tell_offer(diagnosis, add, guid)
  if all_settled(diagnosis) then return true end
  local sides, message, code, native = M.sides(diagnosis.target, diagnosis.info, guid)
  if not sides then return nil, message, code, native end
  local list = M.obstacles(diagnosis, sides, diagnosis.facts.proof())
  local make, commands = diagnosis.facts.options.command, {}
  make = make or function(...) return "keymend " .. table.concat({ ... }, " ") end
  local both = #list == 0 and is_repair(diagnosis)
  if both then commands[1] = make "plan" end
  if #list == 0 then commands[#commands + 1] = make("plan", "--restore-guid", guid) end
  add(diagnosis, "guid.restorable", { files = sides.files, all = sides.all, guid = guid, why = list[1] }, {
    evidence = evidence_of(diagnosis, sides, list), commands = commands,
    wording = #list > 0 and "refused" or both and "both" or nil })
  return true
end

-- The finding that tells both consequences. true, or nil, message, code, native.
function M.tell(diagnosis, add)
  local chosen = diagnosis.restore
  if chosen then
    local sides = chosen.sides
    add(diagnosis, "guid.restorable", { files = sides.files, all = sides.all, guid = sides.guid,
      chooser = chosen.chooser }, { severity = "warning", fixable = true, wording = "chosen",
      evidence = evidence_of(diagnosis, sides) })
    return true
  end
  local guid = not diagnosis.restore_refused and facts.judgeable(diagnosis.facts) and most(diagnosis.facts.survey)
  return not guid or tell_offer(diagnosis, add, guid)
end

-- ---- Its plan ----

-- The one step of a plan that puts the former machine GUID back.
function M.step(restore)
  return { kind = "restore-guid", name = restore.from, to = restore.guid, reason = restore.reason }
end

-- What a plan has to say of it.
function M.notes(diagnosis)
  local back, lost = M.consequences(diagnosis.target, diagnosis.info, diagnosis.restore.sides)
  local notes = { "Found again: " .. back .. ".", "No longer found: " .. lost .. ".",
    require("keymend.findings")["guid.restorable"].chosen.remedy }
  if not facts.services_deferred(diagnosis.info) then
    notes[4] = "Afterwards: Restart Windows, since programs keep the machine GUID that they have read."
  end
  return notes
end

-- The counts for the document.
function M.data(diagnosis)
  local sides = diagnosis.restore.sides
  return {
    files_back = sides.files, containers_back = sides.counted and sides.containers or nil, files_lost = sides.lost,
    containers_lost = sides.counted and #sides.without or nil, files = sides.all,
  }
end

-- Whether an open target takes this step of a saved plan: nil, or why not.
function M.misfit(target, step)
  local info = target:info()
  local sides, message = M.sides(target, info, step.to)
  if not sides then return message end
  local session = proof.open(target)
  local ran, list = pcall(M.target_obstacles, target, info, sides, session)
  session:close()
  if not ran then error(list, 0) end
  return list[1]
end

return M
