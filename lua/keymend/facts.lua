-- facts.lua: gathers from a target what the judges need, once and with bounded work
--
-- One survey of the key store for all containers together, then only their files are inspected. `facts`:
--   target, info, options         as given; options: onset, onset_ticks, adopt = {names}, retire = {names}
--   policies                      those that apply
--   unknown                       those that may apply: they ask for a service, and the services cannot be read
--   history, history_problem      transactions, oldest first, or { code, message }
--   survey                        of the key store; nil when there is none
--   cases                         one for each container of each policy (see container.lua)
--   services()                    { handle, graph } or nil, message; loaded when first asked for
--   events()                      what the System log tells (events.survey), or nil, { code, message }; read when first
--                                 asked for
--   proof()                       the session that keys are tried with (proof.lua); made when first asked for
--   close_proof()                 wipes it; nothing is tried after that
-- A case's `use` tells how the services that use its container stand (see use.lua); nil where that is not known.

local core = require "keymend.core"
local events = require "keymend.events"
local rules = require "keymend.rules"
local use = require "keymend.use"

local M = {}

-- The core keeps this many names of one container, strays counted apart (KM_MAX_MATCHES).
M.MAX_MATCHES = 1000

local function services_of(target)
  local known, problem
  return function()
    if known == nil and problem == nil then
      local handle, message = target:services()
      local list = handle and handle:list()
      if not list then
        problem = message or "unknown reason"
      elseif #list == 0 then -- no Windows runs without any
        problem = "the key Services of the SYSTEM hive is missing or empty"
      else
        known = { handle = handle, graph = require("keymend.graph").new(list) }
      end
    end
    return known, problem
  end
end

-- The services of the policies that apply, as events name them; nil when they cannot be known.
local function service_names(facts)
  local known, chosen = facts.services(), {}
  for _, policy in ipairs(known and facts.policies or {}) do
    for _, service in ipairs(known.graph:reach(known.graph:fitting(policy.service_patterns),
      policy.services.dependents)) do
      chosen[#chosen + 1] = service
    end
  end
  return #chosen > 0 and events.names(chosen) or nil
end

local function events_of(facts)
  local reading, problem
  return function()
    if reading == nil and problem == nil then
      local wanted = {}
      for _, policy in ipairs(facts.policies) do
        for _, one in ipairs(policy.onset.rule == "first_failure" and policy.onset or {}) do
          wanted[#wanted + 1] = one
        end
      end
      local message, code
      reading, message, code = events.survey(facts.target, { names = service_names(facts), wanted = wanted })
      if not reading then problem = { code = code, message = message } end
    end
    return reading, problem
  end
end

local function proof_of(facts)
  local session
  local function proof()
    session = session or require("keymend.proof").open(facts.target)
    return session
  end
  return proof, function() if session then session:close() end end
end

-- Several policies for one container: the most specific one has it; when two are, that is a load error.
local function owners(policies)
  local owner, order = {}, {}
  for _, policy in ipairs(policies) do
    local narrow = rules.specificity(policy.applies)
    for _, container in ipairs(policy.containers) do
      local other = owner[container.hash]
      if not other then order[#order + 1] = container.hash end
      if not other or narrow > other.narrow then
        owner[container.hash] = {
          policy = policy, name = container.name, hash = container.hash, narrow = narrow, optional = container.optional,
        }
      elseif narrow == other.narrow then
        other.rival = other.rival or policy
      end
    end
  end
  local owned = {}
  for _, hash in ipairs(order) do
    local one = owner[hash]
    if one.rival then
      return nil, ('policies "%s" (%s) and "%s" (%s) both claim the key container "%s" and are equally specific; '
        .. "narrow the applies of one of them, or choose one with --policy"):format(
        one.policy.name, one.policy.source, one.rival.name, one.rival.source, one.name), "policy"
    end
    owned[#owned + 1] = one
  end
  return owned
end

-- What every_orphan may name at once (a plan has M.MAX_STEPS of plan.lua), and the names that are remembered for it.
M.MAX_ORPHANS = 32
M.MAX_ORPHAN_NAMES = 200000

-- Container hashes that a shipped policy knows, whether it applies here or not.
local function known_to_policies()
  local policy, known = require "keymend.policy", {}
  for _, name in ipairs(policy.names()) do
    local loaded = policy.load(name)
    for _, container in ipairs(loaded and loaded.containers or {}) do known[container.hash] = name end
    if loaded then policy.close { loaded } end
  end
  return known
end

-- The containers with foreign files and no current one: { { hash, name = a file of it } }, sorted; nil, message, code.
local function orphaned_hashes(facts)
  local current, foreign, list, count = {}, {}, {}, 0
  local names, message, code = facts.target:keys()
  if not names then return nil, message, code end
  for name, class, hash in names do
    count = count + 1
    if count > M.MAX_ORPHAN_NAMES then
      return nil, ("every_orphan: the key store has more than %d files; name the containers in a policy, as "
        .. "keymend run orphans.lua lists them"):format(M.MAX_ORPHAN_NAMES), "limit"
    end
    if class == "current" then current[hash] = true end
    if class == "foreign" then foreign[hash] = foreign[hash] or name end
  end
  for hash, name in pairs(foreign) do
    if not current[hash] then list[#list + 1] = { hash = hash, name = name } end
  end
  table.sort(list, function(a, b) return a.hash < b.hash end)
  return list
end

-- Adds the containers of policies with every_orphan; facts.more_orphans: how many are left out.
local function add_orphans(facts, owned)
  local taker
  for _, policy in ipairs(facts.policies) do taker = taker or policy.orphans and policy end
  if not taker or not facts.info.key_store_found or not M.judgeable(facts) then return true end
  local list, message, code = orphaned_hashes(facts)
  if not list then return nil, message, code end
  local known, taken = known_to_policies(), 0
  for _, one in ipairs(owned) do known[one.hash] = one.policy.name end
  for _, one in ipairs(list) do
    if not known[one.hash] then
      taken = taken + 1
      if taken <= M.MAX_ORPHANS then
        local key = facts.target:inspect(one.name)
        local name = key and key.container_hash == one.hash and key.container or core.known_container(one.hash)
        owned[#owned + 1] = { policy = taker, name = name or "hash " .. one.hash, hash = one.hash, narrow = 0 }
      end
    end
  end
  facts.more_orphans = math.max(0, taken - M.MAX_ORPHANS)
  return true
end

-- Without the containers that need not be there and are not.
local function without_absent(cases)
  local list = {}
  for _, case in ipairs(cases) do
    if not case.optional or #case.keys > 0 or case.too_many then list[#list + 1] = case end
  end
  return list
end

-- Inspects one file of the store; nil when it has gone since the survey.
local function inspect(facts, name, class)
  local key, message, code, native = facts.target:inspect(name)
  if not key then
    if code == "not-found" then return nil end
    return nil, message, code, native
  end
  key.class = class or key.class
  key.status = key.status or "ok"
  return key
end

-- Fills the cases from the survey's matches. Of a container with too many only the current file is read, for what
-- --adopt names.
local function fill(facts, cases)
  local by_hash = {}
  for _, case in ipairs(cases) do by_hash[case.hash] = case end
  for _, match in ipairs(facts.survey.matches) do
    local case = by_hash[match.hash:lower()]
    case.matches[match.class] = (case.matches[match.class] or 0) + 1
    case.too_many = case.too_many
      or facts.survey.truncated and match.class ~= "stray" and case.matches[match.class] >= M.MAX_MATCHES
  end
  for _, match in ipairs(facts.survey.matches) do
    local case = by_hash[match.hash:lower()]
    if not case.too_many or match.class == "current" then
      local key, message, code, native = inspect(facts, match.name, match.class)
      if key then
        case.keys[#case.keys + 1] = key
      elseif message then
        return nil, message, code, native
      end
    end
  end
  return true
end

-- Whether what a transaction did still holds. That its vault was purged later does not matter: the journal still
-- tells the names and the SHA-256, and how it ended.
function M.stands(txn)
  return txn.state == "committed" or txn.state == "purged" and txn.result == "committed"
end

-- Whether a transaction that stands has done to a file what an option asks for once more.
local function done_before(facts, name, option)
  name = name:lower()
  for _, txn in ipairs(facts.history) do
    for _, file in ipairs(M.stands(txn) and txn.files or {}) do
      if file.before and file.before:lower() == name and (option == "adopt") == (file.after ~= nil) then return true end
    end
  end
  return false
end

-- The case and key of this name; of names that differ by case alone the one that is written like it, or none.
local function named(cases, name)
  local found, many
  for _, case in ipairs(cases) do
    for _, key in ipairs(case.keys) do
      if key.name == name then return case, key end
      if key.name:lower() == name:lower() then
        many = many or found ~= nil
        found = { case, key }
      end
    end
  end
  if found and not many then return found[1], found[2] end
end

-- The case and key that a name given with --adopt or --retire means. Any name may be given: the container that
-- the file names inside decides where its own name does not. Nil without a message: it has been done already.
local function resolve(facts, cases, name, option)
  local of, known = named(cases, name)
  if known then return of, known end
  if name:find "[/\\%z]" or name == "." or name == ".." then
    return nil, nil, ('--%s: "%s" is no name of a key file; give the name as keymend diagnose shows it'):format(
      option, name)
  end
  local key, message = inspect(facts, name)
  if not key and not message and done_before(facts, name, option) then return nil end
  if not key then
    return nil, nil, message or ('--%s: there is no file "%s" in the key store "%s"; give the name as '
      .. "keymend diagnose shows it"):format(option, name, facts.info.key_store or "")
  end
  for _, case in ipairs(cases) do
    if case.hash == key.container_hash then
      local parts = core.unique_name(name)
      if not parts or parts.hash ~= case.hash then key.class = "stray" end
      case.keys[#case.keys + 1] = key
      return case, key
    end
  end
  if (key.container or "") == "" then
    return nil, nil, ('--%s: "%s" does not tell its key container, so no policy can be found for it'):format(
      option, name)
  end
  return nil, nil, ('--%s: "%s" belongs to the key container "%s", which no policy that applies here knows; name a '
    .. "policy for it with --policy"):format(option, name, key.container)
end

-- Puts the overruling options on their cases; the names become those of the files, since Windows ignores case.
local function overrule(facts, cases)
  for _, option in ipairs { "adopt", "retire" } do
    local names = facts.options[option] and { unpack(facts.options[option]) } or nil
    facts.options[option] = names
    for index, name in ipairs(names or {}) do
      local case, key, message = resolve(facts, cases, name, option)
      if message then return nil, message, "option" end
      if case and case["chosen_" .. option] and case["chosen_" .. option] ~= key then
        return nil, ('--%s: both "%s" and "%s" belong to "%s"; name one'):format(
          option, case["chosen_" .. option].name, name, case.container), "option"
      end
      if case then
        case["chosen_" .. option] = key
        names[index] = key.name
      end
    end
  end
  return true
end

-- Whether a capability of the target is there, and why or how; nil when the core does not tell of it.
function M.can(info, id)
  for _, capability in ipairs(info.capabilities or {}) do
    if capability.id == id then return capability.available, capability.text end
  end
end

-- Whether services are left to the next boot of the target's Windows, since it does not run.
function M.services_deferred(info)
  return info.backend ~= "live" and M.can(info, "services") ~= true
end

-- The folders of an open target in which nothing may be saved: an offline volume's root; of a running Windows its key
-- store and keymend's own folder.
function M.closed_folders(info)
  if info.backend ~= "live" then return { info.root } end
  local folders = {}
  if (info.key_store or "") ~= "" then folders[1] = info.key_store end
  if (info.app_data or "") ~= "" then folders[#folders + 1] = info.app_data .. "\\keymend" end
  return folders
end

-- Where there is no key store, there is no place for transactions either.
local function read_history(facts)
  local history, message, code = facts.target:history()
  facts.history = history or {}
  if not history and (facts.info.key_store_found or code ~= "not-found") then
    facts.history_problem = { code = code, message = message }
  end
end

local function case_of(facts, owned)
  return {
    container = owned.name, hash = owned.hash, policy = owned.policy, facts = facts, info = facts.info,
    options = facts.options, history = facts.history, keys = {}, matches = {}, findings = {},
    optional = owned.optional,
  }
end

-- Whether the GUID and the store are such that containers can be judged at all.
function M.judgeable(facts)
  local form = facts.info.guid_form
  if form ~= "plain" and form ~= "case" then return false end
  if not facts.info.key_store_found then return false end
  for _, txn in ipairs(facts.history) do
    if txn.state == "open" then return false end
  end
  return true
end

local function copy(options)
  local own = {}
  for name, value in pairs(options) do own[name] = value end
  return own
end

-- Gathers the facts of `target` under `policies`. nil, message, code, native: code "policy" or "option" for what
-- the caller gave, else a status of the core.
function M.gather(target, policies, options)
  local facts = {
    target = target, info = target:info(), options = copy(options or {}), policies = {}, unknown = {}, cases = {},
    services = services_of(target),
  }
  facts.events = events_of(facts)
  facts.proof, facts.close_proof = proof_of(facts)
  read_history(facts)
  for _, policy in ipairs(policies) do
    local holds = rules.applies(policy.applies, facts)
    local list = holds and facts.policies or holds == nil and facts.unknown
    if list then list[#list + 1] = policy end
  end
  local owned, message, code, native = owners(facts.policies)
  if not owned then return nil, message, code, native end
  local ok
  ok, message, code = add_orphans(facts, owned)
  if not ok then return nil, message, code end
  local hashes, cases = {}, {}
  for index, one in ipairs(owned) do
    hashes[index] = one.hash
    cases[index] = case_of(facts, one)
  end
  if facts.info.key_store_found then
    facts.survey, message, code, native = target:survey(hashes)
    if not facts.survey then return nil, message, code, native end
  end
  if not M.judgeable(facts) then return facts end
  ok, message, code, native = fill(facts, cases)
  if not ok then return nil, message, code, native end
  ok, message, code = overrule(facts, cases)
  if not ok then return nil, message, code end
  cases = without_absent(cases)
  for _, case in ipairs(cases) do
    case.use = use.of(#case.policy.service_patterns > 0 and facts.services() or nil, case.policy)
  end
  facts.cases = cases
  return facts
end

-- One line for a time: RFC 3339 in UTC, or "unknown".
function M.time(seconds, ticks)
  if not seconds and not ticks then return "unknown" end
  return core.time_text(ticks or seconds)
end

return M
