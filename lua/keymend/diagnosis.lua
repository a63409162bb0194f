-- diagnosis.lua: judges a target: gathers the facts, runs the judges, and keeps what they found
--
-- diagnosis: target (as opened), info, policies (those that apply), findings (gravest first), cases, facts,
-- refusals (texts: why no plan is made), blocked (no plan at all), restore (the former machine GUID is put back; see
-- restore.lua), verdict "healthy", "repair", "refused", "broken"
-- or "none", events (described signals of the System log, newest first; .more: how many older ones are left out;
-- .problem: why not all of the log could be read, or nil; none are read where no policy applies). Nothing here writes.

local container = require "keymend.container"
local facts_of = require "keymend.facts"
local finding = require "keymend.finding"
local restore = require "keymend.restore"
local use = require "keymend.use"

local M = {}

local Diagnosis = {}
Diagnosis.__index = Diagnosis
Diagnosis.__name = "keymend.diagnosis"
M.metatable = Diagnosis

local function add(diagnosis, id, fields, extra)
  local made = finding.make(id, fields, extra)
  table.insert(diagnosis.findings, made)
  if made.refuses then
    table.insert(diagnosis.refusals, made.text)
    diagnosis.blocked = true
  end
  return made
end

local function command(diagnosis, verb, ...)
  local make = diagnosis.facts.options.command
  return make and make(verb, ...) or "keymend " .. table.concat({ verb, ... }, " ")
end

-- ---- Judges of the target ----

local function transactions(diagnosis)
  local facts = diagnosis.facts
  for _, txn in ipairs(facts.history) do
    if txn.state == "open" then
      add(diagnosis, "txn.open", { id = txn.id, begun = facts_of.time(txn.begun, txn.begun_ticks) },
        { commands = { command(diagnosis, "recover") } })
    elseif txn.state == "unreadable" then
      add(diagnosis, "txn.unreadable", { id = txn.id, problem = txn.problem or "damaged" },
        { wording = txn.problem_code == "busy" and "busy" or nil })
    end
  end
  local problem = facts.history_problem
  if problem and problem.code == "forged" then
    add(diagnosis, "txn.forged", { problem = problem.message })
  elseif problem then
    add(diagnosis, "txn.unknown", { problem = problem.message })
  end
end

local function old_guid_text(info)
  local old = info.old_guids and info.old_guids[1]
  if not old then return "" end
  return ("T%s, holds %s."):format(require("keymend.rules").old_hive(old):sub(2), old.guid)
end

local function machine_guid(diagnosis)
  local info = diagnosis.info
  if info.guid_form == "absent" then
    add(diagnosis, "guid.absent", { old = old_guid_text(info) })
  elseif info.guid_form == "braces" or info.guid_form == "malformed" then
    add(diagnosis, "guid.malformed", { raw = info.machine_guid or "", old = old_guid_text(info) })
  elseif info.guid_form == "case" then
    add(diagnosis, "guid.case", { raw = info.machine_guid })
  end
end

local function key_store(diagnosis)
  local info = diagnosis.info
  if not info.key_store_found then
    add(diagnosis, "store.absent", {
      store = info.key_store or "", problem = (info.key_store_problem or "it does not exist"):gsub("%.%s*$", ""),
    }, { wording = info.backend == "live" and "live" or nil })
  end
end

-- The finding about a hive that was not closed cleanly; of one whose logs were replayed it only tells.
function M.hive_finding(hive)
  local software = hive.name:upper() == "SOFTWARE"
  return finding.make("hive.dirty", {
    hive = hive.name, path = hive.path, sequence1 = hive.sequence1, sequence2 = hive.sequence2,
    replay = hive.replay or "keymend has not looked for them",
    risk = software and "the machine GUID among them" or "the services among them",
    accept = software and "If you are sure that the machine GUID shown is right, apply takes "
      .. "--accept-dirty-hive." or "",
  }, hive.replayed and { severity = "info", wording = "replayed" } or nil)
end

local function dirty_hives(diagnosis)
  for _, hive in ipairs(diagnosis.info.hives or {}) do
    if hive.dirty then table.insert(diagnosis.findings, M.hive_finding(hive)) end
  end
end

local function creation_times(diagnosis)
  for _, capability in ipairs(diagnosis.info.capabilities or {}) do
    if capability.id == "creation-times" and not capability.available then
      add(diagnosis, "times.unavailable", { why = ((capability.text or "the volume keeps none"):gsub("%.%s*$", "")) })
    end
  end
end

local function policies(diagnosis)
  if #diagnosis.policies > 0 or #diagnosis.facts.unknown > 0 then return end
  local info = diagnosis.info
  add(diagnosis, "policy.none", { version = (info.product or "") ~= "" and info.product or info.version or "unknown" })
end

local function containers(diagnosis)
  local more = diagnosis.facts.more_orphans or 0
  if more > 0 then add(diagnosis, "store.more-orphans", { count = more }) end
  for _, case in ipairs(diagnosis.cases) do container.study(case) end
  local ok, message = restore.by_option(diagnosis, add)
  if not ok then return nil, message end
  for _, case in ipairs(diagnosis.cases) do
    local verdict = container.judge(case)
    for _, made in ipairs(case.findings) do
      table.insert(diagnosis.findings, made)
    end
    if verdict.refused then
      table.insert(diagnosis.refusals, ('"%s": %s'):format(case.container, verdict.refused))
    end
  end
end

-- The old GUIDs that `keys` allow, files with the same bytes included: a set, and a list for people.
local function guids_of(keys)
  local set, list = {}, {}
  local function take(guid)
    if not set[guid] then list[#list + 1] = guid end
    set[guid] = true
  end
  for _, key in ipairs(keys) do
    take(key.guid)
    for _, twin in ipairs(key.twins or {}) do take(twin.guid) end
  end
  return set, table.concat(list, " or ")
end

-- The keys among which a container's old GUID is: the one that is adopted by rule, or the candidates of one that is
-- undecided. Second: it is decided.
local function old_keys(case)
  local verdict = case.verdict
  if verdict.chosen then return nil end
  if verdict.adopt and verdict.adopt.guid then return { verdict.adopt }, true end
  return verdict.refused and #case.candidates > 0 and case.candidates or nil, false
end

-- One reset leaves one old GUID, so what is adopted by rule must agree on it; and what is undecided must allow it.
local function guid_conflict(diagnosis)
  if diagnosis.restore then return end
  local common, list, decided = nil, {}, false
  for _, case in ipairs(diagnosis.cases) do
    local keys, sure = old_keys(case)
    if keys then
      local set, text = guids_of(keys)
      list[#list + 1] = ('"%s": %s'):format(case.container, text)
      decided = decided or sure
      local both = {}
      for guid in pairs(set) do
        if not common or common[guid] then both[guid] = true end
      end
      common = both
    end
  end
  if decided and not next(common) then add(diagnosis, "case.guid-conflict", { list = table.concat(list, ", ") }) end
end

-- The other remedy: the policies may ask for it, else it is told where it would bring most of the key store back.
local function second_remedy(diagnosis)
  local ok, message = restore.by_policy(diagnosis, add)
  if ok then ok, message = restore.tell(diagnosis, add) end
  if not ok then return nil, message end
end

-- Who may use the current key files, where a policy says who must.
local function permissions(diagnosis)
  require("keymend.access").judge_all(diagnosis.cases, function(made) table.insert(diagnosis.findings, made) end,
    diagnosis.restore ~= nil)
end

-- What a policy's own checks find: each a function (keys, case) -> id of its own, fields.
local function own_checks(diagnosis)
  local rules = require "keymend.rules"
  for _, case in ipairs(diagnosis.cases) do
    for _, check in ipairs(case.policy.checks) do
      local made = rules.check(check, case)
      if made then table.insert(diagnosis.findings, made) end
    end
  end
end

local function disabled_names(graph, policy)
  local names = {}
  for _, service in ipairs(graph:reach(graph:fitting(policy.service_patterns), policy.services.dependents)) do
    if service.start == "disabled" and not service.driver then names[#names + 1] = service.name end
  end
  return names
end

-- How the key files of a policy stand, as a wording of service.failed.
local function keys_of(diagnosis, policy)
  local undecided, adopted = false, false
  for _, txn in ipairs(diagnosis.facts.history) do
    if txn.state == "open" then return "interrupted" end
  end
  for _, case in ipairs(diagnosis.cases) do
    if case.policy == policy then
      local verdict = case.verdict
      if verdict.adopt or verdict.retire or verdict.restore or verdict.grant then return "repair" end
      undecided = undecided or not case.verdict.healthy or case.verdict.undecided
      adopted = adopted or case.verdict.adopted
    end
  end
  return undecided and "undecided" or adopted and "adopted" or nil
end

-- The services that failed and that nothing has told yet.
local function failed_services(diagnosis, policy, known, told)
  local list, evidence = {}, {}
  for _, service in ipairs(use.failed_of(known, policy)) do
    if not told[service.name:lower()] then
      told[service.name:lower()] = true
      list[#list + 1] = service
      evidence[#list] = { kind = "service", text = use.failure_text(service) }
    end
  end
  if #list == 0 then return end
  local made = add(diagnosis, "service.failed", { names = use.names(list) },
    { evidence = evidence, wording = keys_of(diagnosis, policy) })
  made.services = {}
  for index, service in ipairs(list) do made.services[index] = service.name end
end

-- What became of the services of the change that was just made: options.service_results, options.undo.
local function changed_services(diagnosis, told)
  local options = diagnosis.facts.options
  for _, made in ipairs(use.findings(options.service_results, options.undo)) do
    table.insert(diagnosis.findings, made)
  end
  for _, one in ipairs(use.not_started(options.service_results)) do told[one.name:lower()] = true end
end

-- Services that cannot be read may hide a broken key container, so that is never in order.
local function unknown_policies(diagnosis)
  local names = {}
  for index, policy in ipairs(diagnosis.facts.unknown) do names[index] = policy.name end
  local _, problem = diagnosis.facts.services()
  add(diagnosis, "service.unreadable", { problem = problem:gsub("%.%s*$", ""), names = table.concat(names, ", ") },
    { severity = "error", wording = "unknown" })
end

-- Of the services that the applying policies name, which cannot start.
local function services(diagnosis)
  local known, problem, unordered
  local told, failed = {}, {}
  changed_services(diagnosis, failed)
  for _, policy in ipairs(diagnosis.policies) do
    if #policy.service_patterns > 0 then known, problem = diagnosis.facts.services() end
    if known and #policy.service_patterns > 0 then
      local names = disabled_names(known.graph, policy)
      if #names > 0 then
        add(diagnosis, "service.disabled", { names = table.concat(names, ", ") })
      end
      failed_services(diagnosis, policy, known, failed)
      local order, why = known.handle:order(policy.service_patterns, policy.services.dependents)
      if not order then unordered = why or "unknown reason" end
      for _, cycle in ipairs(order and order.cycles or {}) do
        if not told[cycle] then add(diagnosis, "service.cycle", { cycle = cycle }) end
        told[cycle] = true
      end
    end
  end
  if #diagnosis.facts.unknown > 0 then return unknown_policies(diagnosis) end
  problem = problem or unordered and "their order: " .. unordered
  if problem then
    add(diagnosis, "service.unreadable", { problem = problem },
      { wording = diagnosis.info.backend == "live" and "live" or nil })
  end
end

M.judges = {
  transactions, machine_guid, key_store, dirty_hives, creation_times, policies, containers, guid_conflict,
  second_remedy, permissions, own_checks, services,
}

local function overall(diagnosis)
  local any, healthy_all = false, true
  if diagnosis.restore and not diagnosis.blocked then return "repair" end
  for _, case in ipairs(diagnosis.cases) do
    any = true
    healthy_all = healthy_all and case.verdict.healthy or false
    local verdict = case.verdict
    if not diagnosis.blocked and (verdict.adopt or verdict.retire or verdict.grant) then return "repair" end
  end
  if #diagnosis.refusals > 0 then return "refused" end
  if diagnosis:grave "error" then return "broken" end
  if not any then return "none" end
  return healthy_all and "healthy" or "broken"
end

-- Whether a finding of at least this severity is there.
function Diagnosis:grave(severity)
  for _, one in ipairs(self.findings) do
    if finding.at_least(one, severity) then return true end
  end
  return false
end

function Diagnosis:text()
  local page = require("keymend.page").buffer()
  require("keymend.report").diagnosis(page, self)
  return page:text()
end

function Diagnosis:__tostring()
  return ("keymend.diagnosis (%s, %d findings)"):format(self.verdict, #self.findings)
end

-- The log's file need not be there; that alone is no problem.
local function log_problem(problem)
  return problem and problem.code ~= "not-found" and problem.code ~= "unsupported" and problem.message or nil
end

local function events_of(facts)
  if #facts.policies == 0 then return { more = 0, read = false } end
  local reading, problem = facts.events()
  if not reading then return { more = 0, read = false, problem = log_problem(problem) } end
  local list = reading.signals
  list.read, list.problem, list.damaged = true, reading.problem, reading.damaged
  return list
end

-- Runs the judges: nil, or why not.
local function judge_all(diagnosis)
  for _, judge in ipairs(M.judges) do
    local ok, why = judge(diagnosis)
    if ok == nil and why then return why end
  end
end

-- Diagnoses an open target under loaded policies. options: onset, onset_ticks, adopt, retire, restore_guid,
-- force_disproved,
-- command (a function (verb, ...) -> command line for remedies), after a change service_results and undo (a command
-- line). nil, message, code, native when facts cannot be had.
function M.run(target, loaded, options)
  local facts, message, code, native = facts_of.gather(target, loaded, options)
  if not facts then return nil, message, code, native end
  local diagnosis = setmetatable({
    target = target, facts = facts, info = facts.info, policies = facts.policies, cases = facts.cases,
    findings = {}, refusals = {}, blocked = false,
  }, Diagnosis)
  local ran, problem = pcall(judge_all, diagnosis)
  facts.close_proof()
  if not ran then error(problem, 0) end
  if problem then return nil, problem, "policy" end
  diagnosis.events = events_of(facts)
  diagnosis.verdict = overall(diagnosis)
  diagnosis.findings[#diagnosis.findings + 1] = require("keymend.hotfix").prevention(diagnosis)
  finding.sort(diagnosis.findings)
  return diagnosis
end

return M
