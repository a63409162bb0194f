-- rules.lua: what the builders of a policy mean: whether it applies, which key to retire and which to adopt
--
-- In a policy a rule is data ({ rule = "windows", from = "5.0" }) or a Lua function. Here it is evaluated; functions
-- run in the policy's own state with plain copies of the facts.

local choice = require "keymend.choice"
local core = require "keymend.core"
local proof = require "keymend.proof"

local M = {}

-- "5.2" < "5.10": compares by numbers; a missing part counts as 0.
function M.compare_versions(a, b)
  local left, right = a:gmatch "%d+", b:gmatch "%d+"
  while true do
    local x, y = left(), right()
    if not x and not y then return 0 end
    x, y = tonumber(x or 0), tonumber(y or 0)
    if x ~= y then return x < y and -1 or 1 end
  end
end

-- ---- applies ----

local holds = {}

function holds.windows(rule, facts)
  local version = facts.info.version or ""
  if version == "" then return false end
  return (not rule.from or M.compare_versions(version, rule.from) >= 0)
    and (not rule.below or M.compare_versions(version, rule.below) < 0)
end

-- Services that cannot be read do not tell that one is absent.
function holds.has_service(rule, facts)
  local services = facts.services()
  if not services then return nil end
  return services.graph:find(rule.name) ~= nil
end

-- `stop` when one part is that, else unknown when one part is, else the contrary.
local function combine(rule, facts, stop)
  local answer = not stop
  for _, inner in ipairs(rule) do
    local one = M.applies(inner, facts)
    if one == stop then return stop end
    if one == nil then answer = nil end
  end
  return answer
end

function holds.all_of(rule, facts)
  return combine(rule, facts, false)
end

function holds.any_of(rule, facts)
  return combine(rule, facts, true)
end

function holds.not_(rule, facts)
  local inner = M.applies(rule[1], facts)
  if inner == nil then return nil end
  return not inner
end

function holds.always()
  return true
end

-- Whether a condition holds for the target of `facts`: true, false, or nil when that cannot be known.
function M.applies(rule, facts)
  return holds[rule.rule](rule, facts)
end

-- How narrow a condition is: the number of its parts; of alternatives, the widest counts.
function M.specificity(rule)
  if rule.rule == "always" then return 0 end
  if rule.rule == "windows" then return (rule.from and 1 or 0) + (rule.below and 1 or 0) end
  if rule.rule == "has_service" then return 1 end
  local sum, least = 0, nil
  for _, inner in ipairs(rule) do
    local one = M.specificity(inner)
    sum, least = sum + one, math.min(least or one, one)
  end
  return rule.rule == "any_of" and (least or 0) or sum
end

-- ---- adopt: (candidates, case) -> key or nil, reason ----

local adopt = {}

-- Of two files of one key, whether the first is the better: it is known to decrypt, or it is the newer.
local function better_copy(key, other)
  local yes, other_yes = proof.decrypts(key), proof.decrypts(other)
  if yes ~= other_yes then return yes end
  local time, other_time = key.usable_time or -math.huge, other.usable_time or -math.huge
  if time ~= other_time then return time > other_time end
  return key.name < other.name
end

-- The only key that a certificate, a configuration or a metabase proves; several files that hold it count as one. That
-- a key can be decrypted is no proof.
function adopt.proved(_, candidates, case)
  local found, best, others = proof.proved_of(candidates), nil, {}
  if #found == 0 then return nil, "none of them is proved by the data it protects" end
  for _, key in ipairs(found) do
    if not proof.is_same_key(key, found[1]) then
      return nil, ("%d of them are proved, %s"):format(#found, #found == 2 and "each by something else"
        or "and they are not one key")
    end
    if not best or better_copy(key, best) then best = key end
  end
  for _, key in ipairs(found) do
    if key ~= best then others[#others + 1] = key.name end
  end
  local unchecked = proof.unchecked(case, best)
  return best, "it is proved by the " .. proof.source_text(best.proved)
    .. (#others > 0 and (", and %s %s the same key"):format(table.concat(others, ", "), #others == 1 and "holds"
      or "hold") or "") .. (unchecked and "; " .. unchecked or "")
end

-- Which hive names an old GUID, and when it did.
function M.old_hive(old)
  local text = old.before_logs and 'the hive "%s" before its logs were replayed, its key written %s'
    or 'the backup hive "%s", saved %s'
  return text:format(old.path or "", old.saved_ticks and core.time_text(old.saved_ticks) or "at an unknown time")
end

-- A backup saved before other candidates were made cannot have named them: "" or a clause that says so.
local function too_early(old, chosen, candidates)
  local later = {}
  for _, key in ipairs(candidates) do
    if key ~= chosen and old.saved and key.usable_time and key.usable_time > old.saved then
      later[#later + 1] = ("%s (%s)"):format(key.name, core.time_text(key.created_ticks or key.usable_time))
    end
  end
  if #later == 0 then return "" end
  return ("; it was saved before %s was made, so it could not have named %s"):format(table.concat(later, ", "),
    #later == 1 and "that GUID" or "those GUIDs")
end

-- The GUIDs that a candidate stands for: its own, and those of files with the same bytes.
local function named_by(named, key)
  if named[key.guid] then return named[key.guid] end
  for _, twin in ipairs(key.twins or {}) do
    if named[twin.guid] then return named[twin.guid] end
  end
end

-- The only candidate whose GUID a backup of the registry names. A backup saved after the problem began that still
-- names the old GUID contradicts itself, so it does not count.
function adopt.guid_history(_, candidates, case)
  local found, named = {}, {}
  for _, old in ipairs(case.info.old_guids or {}) do
    local late = case.onset and old.saved and old.saved > case.onset
    if not late then named[old.guid] = named[old.guid] or old end
  end
  for _, key in ipairs(candidates) do
    if named_by(named, key) then found[#found + 1] = key end
  end
  if #found == 1 then
    local old = named_by(named, found[1])
    return found[1], ("%s, names its GUID as machine GUID, and that of no other candidate"):format(M.old_hive(old))
      .. too_early(old, found[1], candidates)
  end
  return nil, #found == 0 and "no backup of the registry names one of their GUIDs"
    or "backups of the registry name the GUIDs of several"
end

function adopt.sole_candidate(_, candidates, case)
  local late, disproved = false, false
  for _, key in ipairs(case.foreign or {}) do
    late = late or key.regenerated ~= nil
    disproved = disproved or key.refuted ~= nil
  end
  if #candidates == 1 then
    return candidates[1], "it is the only candidate" .. (late and " that was made before the problem began" or "")
      .. (disproved and (late and " and is not disproved" or " that is not disproved") or "")
  end
  return nil, "more than one is left"
end

for name, rule in pairs(choice.adopt) do adopt[name] = rule end
for _, name in ipairs { "first_of", "all_of" } do
  adopt[name] = function(rule, candidates, case)
    return choice[name](rule, function(inner) return M.adopt(inner, candidates, case) end)
  end
end

-- The key a policy's function named, found again among `keys`.
local function same_key(answer, keys)
  if type(answer) == "string" then answer = { name = answer } end
  if type(answer) ~= "table" or type(answer.name) ~= "string" then
    return nil, "the function must return one of the keys it was given, or nil and a reason"
  end
  for _, key in ipairs(keys) do
    if key.name == answer.name then return key end
  end
  return nil, ('the function returned "%s", which is not one of the keys it was given'):format(answer.name)
end

local PLAIN = {
  "name", "class", "hash", "guid", "size", "created", "created_source", "written", "links", "owner",
  "owner_trusted", "sha256", "status", "damage", "container", "container_hash", "keyless", "sound", "candidate",
}

local function plain_key(key)
  if not key then return nil end
  local copy = {
    time_usable = key.usable_time ~= nil, regenerated = key.regenerated ~= nil, proved = key.proved ~= nil,
    disproved = key.disproved, decryptable = key.proof and key.proof.decryptable or "unknown", identity = {},
  }
  for index, row in ipairs(key.identities or {}) do
    copy.identity[index] = {
      kind = row.kind, verdict = row.verdict, where = row.where, what = row.what, use = row.use, text = row.text,
      history = row.history, dated = row.dated,
    }
  end
  for _, field in ipairs(PLAIN) do copy[field] = key[field] end
  for _, part in ipairs { "signature", "exchange" } do
    local public = key[part]
    if public then
      copy[part] = {
        bits = public.bits, exponent = public.exponent, modulus = public.modulus, master_key = public.master_key,
      }
    end
  end
  return copy
end

local function plain_keys(keys)
  local copies = {}
  for index, key in ipairs(keys) do copies[index] = plain_key(key) end
  return copies
end

-- The services that use the container, where their states are known: { name, state = "running" or "failed", exit_code,
-- specific_code }.
local function plain_services(use)
  if not use then return nil end
  local copies = {}
  for state, list in pairs { running = use.running, failed = use.failed } do
    for _, one in ipairs(list) do
      copies[#copies + 1] = {
        name = one.name, state = state, exit_code = one.exit_code, specific_code = one.specific_code,
      }
    end
  end
  table.sort(copies, function(a, b) return a.name < b.name end)
  return copies
end

-- The case as a policy's function sees it: plain data.
local function plain_case(case)
  local old = {}
  for index, one in ipairs(case.info.old_guids or {}) do
    old[index] = { guid = one.guid, path = one.path, written = one.written, saved = one.saved }
  end
  return {
    container = case.container, hash = case.hash, machine_guid = case.info.guid, guid_written = case.info.guid_written,
    onset = case.onset, version = case.info.version, old_guids = old, current = plain_key(case.current),
    keys = plain_keys(case.keys), services = plain_services(case.use),
  }
end

-- A reason stands in plans and journals, which have their limits.
local MAX_REASON = 1000

local function reason_of(answer)
  local text = answer.reason and tostring(answer.reason)
  return text and #text > MAX_REASON and text:sub(1, MAX_REASON) .. " ..." or text
end

-- Calls a function of a policy: its key among `keys` or nil, reason; third: the field, when the function is at fault
-- and the reason says how.
function M.call(rule, keys, case, what)
  local policy = case.policy
  local answer, message = policy.state:call(rule["function"], plain_keys(keys), plain_case(case))
  if type(answer) ~= "table" then return nil, tostring(message), what end
  if answer.key == nil then
    return nil, reason_of(answer) or ("the %s rule of the policy gave no reason"):format(what)
  end
  local key, fault = same_key(answer.key, keys)
  if not key then return nil, fault, what end
  return key, reason_of(answer) or ('the %s rule of policy "%s" chose it'):format(what, policy.name)
end

-- Which candidate to adopt: key, reason; or nil, why none, and as M.call.
function M.adopt(rule, candidates, case)
  if rule["function"] then return M.call(rule, candidates, case, "adopt") end
  return adopt[rule.rule](rule, candidates, case)
end

-- Whether a rule is, or joins, one of this name.
function M.names(rule, name)
  if rule.rule == name then return true end
  for _, inner in ipairs(rule) do
    if M.names(inner, name) then return true end
  end
  return false
end

-- ---- retire: which current key file goes: key, reason; or nil, why none, and as M.call ----

function M.retire(rule, case)
  if rule["function"] then return M.call(rule, { case.current }, case, "retire") end
  local join = choice.retire[rule.rule] == nil and choice[rule.rule]
  if join then return join(rule, function(inner) return M.retire(inner, case) end) end
  return choice.retire[rule.rule](rule, case)
end

-- ---- onset: when the problem began: seconds, ticks, reason ----

local LATEST = 4e11 -- seconds; beyond what a FILETIME holds

-- What a policy's function says: seconds since 1970 or a time as text; nil, nil, why, and "onset" when it is at fault.
local function own_onset(rule, case)
  local answer, message = case.policy.state:call(rule["function"], plain_keys(case.keys), plain_case(case))
  if type(answer) ~= "table" then return nil, nil, tostring(message), "onset" end
  local given, why = answer.key
  if type(given) == "number" then
    if given > 0 and given < LATEST then return given, nil, "from the policy's onset rule" end
    why = "the function returned a number that is no time: seconds since 1970 were expected"
  elseif type(given) == "string" then
    local seconds, ticks = core.time_parse(given)
    if seconds then return seconds, ticks, "from the policy's onset rule" end
    why = "the function returned a text that is no time: " .. ticks
  elseif given == nil then
    if answer.reason then return nil, nil, reason_of(answer) end
    why = "the function gave neither a time nor a reason"
  else
    why = ("the function returned a %s, not seconds since 1970 or a time as text"):format(type(given))
  end
  return nil, nil, why, "onset"
end

-- "regeneration": the regenerated key file was made when a program first missed the old one. "first_failure" is that
-- too, where the events tell nothing (see onset.lua).
function M.onset(rule, case)
  if case.options.onset then
    return case.options.onset, case.options.onset_ticks, "given with --onset"
  end
  if rule["function"] then return own_onset(rule, case) end
  local current = case.current
  return current.created, current.created_ticks, "when the current key file was made"
end

-- ---- checks: findings of the policy's own ----

-- The finding of a check that is at fault: it tells nothing, and keymend goes on.
local function check_failed(case, message)
  return require("keymend.finding").make("policy.failed", { policy = case.policy.name, field = "checks",
    container = case.container, message = tostring(message):gsub("%.%s*$", "") },
    { container = case.container, hash = case.hash, wording = "check",
      evidence = { { kind = "policy", text = "the policy: " .. case.policy.source } } })
end

-- Calls one check: a finding, or nil for none.
function M.check(rule, case)
  local policy = case.policy
  local answer, message = policy.state:call(rule["function"], plain_keys(case.keys), plain_case(case))
  if type(answer) ~= "table" then return check_failed(case, message) end
  if answer.key == nil then return nil end
  if not policy.findings[answer.key] or not policy.findings[answer.key].severity then
    return check_failed(case, ('the function returned "%s", which is not in the findings of the policy'):format(
      tostring(answer.key)))
  end
  local fields = type(answer.reason) == "table" and answer.reason or {}
  fields.container = case.container
  local ok, made = pcall(require("keymend.finding").make, answer.key, fields,
    { container = case.container, hash = case.hash }, policy)
  return ok and made or check_failed(case, made)
end

-- The rules that a policy may name, by field: for the checks in policy.lua.
M.known = {
  applies = { windows = true, has_service = true, all_of = true, any_of = true, not_ = true, always = true },
  adopt = {
    proved = true, guid_history = true, sole_candidate = true, newest_before_onset = true, oldest_before_onset = true,
    master_key_era = true, by_guid = true, ask = true, first_of = true, all_of = true,
  },
  retire = { regenerated = true, newest_near_onset = true, within = true, first_of = true, all_of = true },
  onset = { regeneration = true, first_failure = true },
  remedy = { adopt_file = true, restore_guid = true },
}

return M
