-- plan.lua: makes plans from diagnoses, prints, saves and loads them, and hands them to the core
--
-- A plan is data until it is applied: machine_guid (as stored), key_store, policies (names, comma-separated),
-- policy_list = { { name, source, sha256 } }, overrides, accept_dirty_hive, steps, stop, start, notes, blocked (false,
-- or why apply refuses: the keymend folder), no_order (nil, or why: the services), running (the names in stop that run
-- now; nil where that is not known), restores (counts, where a step puts the machine GUID back; restore.lua). A step:
-- kind "retire", "adopt", "prune" or "grant" (then grants = { { sid, mask } } and descriptor_sha256; a plan of these
-- has no others), container, name, to (adopt), reason, and what was seen: size, identity, device,
-- created_ticks, created_source, written_ticks, sha256. apply checks all that again under the lock, so that a stale
-- plan is refused. Or kind "restore-guid": name (the machine GUID as stored), to (the former one), reason; then it is
-- the only step.

local core = require "keymend.core"
local facts = require "keymend.facts"
local proof = require "keymend.proof"
local restore = require "keymend.restore"

local M = {}

local Plan = {}
Plan.__index = Plan
Plan.__name = "keymend.plan"
M.metatable = Plan

-- Limits for plan files; the core has the same for steps (KM_MAX_STEPS).
M.MAX_STEPS = 64
M.MAX_BYTES = 4 * 1024 * 1024
-- Services to stop or to start (KM_MAX_JOURNAL_SERVICES), and the bytes of a name (KM_MAX_NAME with its NUL). A plan
-- file may hold more, so that it can be told what is wrong with it.
M.MAX_SERVICES = 1024
M.MAX_NAME = 1023
M.MAX_LISTED = 20000

-- ---- Making ----

local function step_of(kind, case, key, reason)
  return {
    kind = kind, container = case.container, name = key.name, reason = reason,
    size = key.size, identity = key.identity or "0", device = key.device or "0",
    created_ticks = key.created_ticks or "0", created_source = key.created_source or "none",
    written_ticks = key.written_ticks or "0", sha256 = key.sha256,
  }
end

-- Retire before adopt, container by container.
local function steps_of(diagnosis)
  local steps = {}
  if diagnosis.restore then return { restore.step(diagnosis.restore) } end
  for _, case in ipairs(diagnosis.cases) do
    local verdict = case.verdict
    if verdict.retire then
      steps[#steps + 1] = step_of("retire", case, verdict.retire, verdict.why_retire or "")
    end
    if verdict.adopt then
      local step = step_of("adopt", case, verdict.adopt, verdict.reason or "")
      step.to = case.hash .. "_" .. diagnosis.info.guid
      steps[#steps + 1] = step
    end
    if verdict.grant then
      local step = step_of("grant", case, verdict.grant.key, verdict.grant.reason)
      step.grants, step.descriptor_sha256 = verdict.grant.entries, verdict.grant.sha256
      steps[#steps + 1] = step
    end
  end
  return steps
end

-- The policies whose containers the plan changes.
function M.acting(diagnosis)
  local seen, list = {}, {}
  for _, case in ipairs(diagnosis.cases) do
    local policy, verdict = case.policy, case.verdict
    if (verdict.adopt or verdict.retire or verdict.restore or verdict.grant) and not seen[policy] then
      seen[policy] = true
      list[#list + 1] = policy
    end
  end
  return list
end

-- The services that `name` needs, itself or over others and over groups, that are not in `seen`; they are put into it.
local function new_needs(graph, name, seen)
  local queue, groups, at = { name }, {}, 1
  local function add(one)
    if not seen[one:lower()] then
      seen[one:lower()] = true
      queue[#queue + 1] = one
    end
  end
  while queue[at] do
    local service = graph:find(queue[at])
    for _, one in ipairs(service and graph:needs(service) or {}) do add(one) end
    for _, group in ipairs(service and graph:needs_groups(service) or {}) do
      local members = not groups[group:lower()] and graph:group(group)
      groups[group:lower()] = true
      for _, one in ipairs(members and members.members or {}) do add(one) end
    end
    at = at + 1
  end
  return queue
end

-- The names of `list` that `order` lists, as { name, rank }, in its order.
local function ranked(list, order)
  local rank, named = {}, {}
  for index, name in ipairs(list) do
    for place, pattern in ipairs(order) do
      if core.match(pattern, name) then
        rank[name:lower()] = place
        named[#named + 1] = { name = name, rank = place, index = index }
        break
      end
    end
  end
  table.sort(named, function(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.index < b.index
  end)
  return named, rank
end

-- `list`, an order to start in that Windows' dependencies allow, so that each service that `order` lists starts after
-- those that it lists before. What such a service needs comes just before it. Windows' dependencies stay kept: where
-- they contradict `order`, second result has { first, then_ }: the one needed, and the one before which it starts.
function M.in_order(list, order, graph)
  local index, seen, placed, ordered, against = {}, {}, {}, {}, {}
  for at, name in ipairs(list) do index[name:lower()] = at end
  local named, rank = ranked(list, order)
  for _, one in ipairs(named) do
    local places = {}
    seen[one.name:lower()] = true
    for _, needed in ipairs(new_needs(graph, one.name, seen)) do
      local key = needed:lower()
      if index[key] and not placed[key] then
        placed[key] = true
        places[#places + 1] = index[key]
        if (rank[key] or 0) > one.rank then against[#against + 1] = { first = list[index[key]], then_ = one.name } end
      end
    end
    table.sort(places)
    for _, at in ipairs(places) do ordered[#ordered + 1] = list[at] end
  end
  -- The rest stays where it is: what it needs of `ordered` stands before it in the list, so it is out by then.
  local result, next_one, done = {}, 1, {}
  for _, name in ipairs(list) do
    while placed[name:lower()] and not done[name:lower()] do
      result[#result + 1], done[ordered[next_one]:lower()] = ordered[next_one], true
      next_one = next_one + 1
    end
    if not placed[name:lower()] then result[#result + 1] = name end
  end
  return result, against
end

local function reversed(list)
  local result = {}
  for index = #list, 1, -1 do result[#result + 1] = list[index] end
  return result
end

-- What the policies' own order makes of stop and start; third: the notes about what Windows does not allow.
local function in_policies_order(policies, stop, start, graph)
  local notes, told = {}, {}
  for _, policy in ipairs(policies) do
    if policy.order and #policy.order > 0 then
      local lists = { start, reversed(stop) }
      for index, list in ipairs(lists) do
        local result, against = M.in_order(list, policy.order, graph)
        lists[index] = result
        for _, pair in ipairs(against) do
          local text = ("Windows' dependencies come before the order of policy %s: %s starts before %s, which needs "
            .. "it."):format(policy.name, pair.first, pair.then_)
          if not told[text] then notes[#notes + 1], told[text] = text, true end
        end
      end
      start, stop = lists[1], reversed(lists[2])
    end
  end
  return stop, start, notes
end

-- stop, start, why they cannot be told (nil when they can), and notes about their order. Automatic services only are
-- started: what else runs is started again by the core, which knows what it stopped.
local function services_of(diagnosis, policies)
  local stop, start = {}, {}
  if diagnosis.facts.options.no_services then return stop, start end
  local patterns, start_patterns, dependents, start_dependents = {}, {}, false, false
  for _, policy in ipairs(policies) do
    for _, pattern in ipairs(policy.service_patterns) do
      patterns[#patterns + 1] = pattern
      if policy.services.start == "auto" then start_patterns[#start_patterns + 1] = pattern end
    end
    dependents = dependents or policy.services.dependents
    start_dependents = start_dependents or (policy.services.dependents and policy.services.start == "auto")
  end
  local known = #patterns > 0 and diagnosis.facts.services()
  if not known then return stop, start end
  local order, problem = known.handle:order(patterns, dependents)
  if order then stop = order.stop end
  if order and #start_patterns > 0 then order, problem = known.handle:order(start_patterns, start_dependents) end
  if not order then return {}, {}, problem or "unknown reason" end
  for _, name in ipairs(#start_patterns > 0 and order.start or {}) do
    local service = known.graph:find(name)
    if service and service.start == "automatic" and not service.driver then start[#start + 1] = name end
  end
  local notes
  stop, start, notes = in_policies_order(policies, stop, start, known.graph)
  return stop, start, nil, notes
end

local LEAVE_SERVICES = "--no-services leaves services alone"

-- Why the journal cannot hold these services, or nil.
local function services_obstacle(plan)
  if plan.no_order then
    return ("the order in which services stop and start cannot be told: %s. %s"):format(
      plan.no_order:gsub("%.%s*$", ""), LEAVE_SERVICES)
  end
  for _, what in ipairs { "stop", "start" } do
    local list = plan[what]
    if #list > M.MAX_SERVICES then
      return ("the plan has %d services to %s, and keymend takes %d at most. Narrow the services of the policy; %s")
        :format(#list, what, M.MAX_SERVICES, LEAVE_SERVICES)
    end
    for index, name in ipairs(list) do
      if name == "" or #name > M.MAX_NAME then
        return ("the name of service %d to %s is %d bytes long, and keymend takes 1 to %d. Narrow the services of the "
          .. "policy; %s"):format(index, what, #name, M.MAX_NAME, LEAVE_SERVICES)
      end
    end
  end
end

local function overrides_of(options)
  local parts = {}
  if options.onset_text then parts[#parts + 1] = "--onset " .. options.onset_text end
  for _, name in ipairs(options.adopt or {}) do parts[#parts + 1] = "--adopt " .. name end
  for _, name in ipairs(options.retire or {}) do parts[#parts + 1] = "--retire " .. name end
  if options.restore_guid then parts[#parts + 1] = "--restore-guid " .. options.restore_guid end
  if options.times then parts[#parts + 1] = "--times " .. options.times end
  if options.force_disproved then parts[#parts + 1] = "--force-disproved" end
  if options.accept_dirty_hive then parts[#parts + 1] = "--accept-dirty-hive" end
  if options.no_services then parts[#parts + 1] = "--no-services" end
  for _, path in ipairs(require("keymend.trust").needed()) do parts[#parts + 1] = "--trust-file " .. path end
  return table.concat(parts, " ")
end

local function software_dirty(info)
  for _, hive in ipairs(info.hives or {}) do
    if hive.dirty and not hive.replayed and hive.name:upper() == "SOFTWARE" then return true end
  end
  return false
end

-- The services that policies name without * and ? and that are not here, each with its policy.
function M.not_here(diagnosis, policies)
  local names, seen = {}, {}
  local known = not diagnosis.facts.options.no_services and diagnosis.facts.services()
  for _, policy in ipairs(known and policies or {}) do
    for _, name in ipairs(policy.service_patterns) do
      if not seen[name:lower()] and not name:find "[*?]" and not known.graph:find(name) then
        names[#names + 1], seen[name:lower()] = ("%s (policy %s)"):format(name, policy.name), true
      end
    end
  end
  return names
end

-- Of the names to stop, those that run now; nil where no state is known.
function M.running_of(diagnosis, stop)
  local known, running, told = #stop > 0 and diagnosis.facts.services(), {}, false
  for _, name in ipairs(known and stop or {}) do
    local service = known.graph:find(name)
    told = told or service ~= nil and service.state ~= nil
    -- One whose state cannot be had may run.
    if service and service.state ~= "stopped" then running[#running + 1] = name end
  end
  return told and running or nil
end

-- The services that run and take no stop, which the core tells beforehand.
function M.unstoppable(diagnosis, plan)
  local names = {}
  local known = #plan.stop > 0 and diagnosis.facts.services()
  for _, name in ipairs(known and plan.stop or {}) do
    local service = known.graph:find(name)
    if service and service.state == "running" and service.stoppable == false then names[#names + 1] = name end
  end
  return names
end

-- The services to stop that are not among those to start, each with why; none where the policy starts none.
local function not_started(diagnosis, plan)
  local names, starts = {}, {}
  for _, name in ipairs(plan.start) do starts[name] = true end
  local known = #plan.start > 0 and diagnosis.facts.services()
  for _, name in ipairs(known and plan.stop or {}) do
    local service = not starts[name] and known.graph:find(name)
    if service then
      names[#names + 1] = ("%s (%s)"):format(name, service.driver and "driver" or service.start)
    end
  end
  return names
end

local function service_notes(notes, diagnosis, policies, plan)
  local left = not_started(diagnosis, plan)
  if #left > 0 then
    notes[#notes + 1] = ("Not in Start, since Windows does not start %s by itself: %s.%s"):format(
      #left == 1 and "it" or "them", table.concat(left, ", "), facts.services_deferred(diagnosis.info) and ""
      or " What keymend has stopped of these it starts again.")
  end
  local stuck = M.unstoppable(diagnosis, plan)
  if #stuck > 0 then
    notes[#notes + 1] = ("Windows does not stop %s while it runs, so a restart of Windows will be due: %s."):format(
      #stuck == 1 and "this service" or "these services", table.concat(stuck, ", "))
  end
  for _, text in ipairs(plan.order_notes or {}) do notes[#notes + 1] = text end
  local missing = M.not_here(diagnosis, policies)
  if #missing > 0 then
    notes[#notes + 1] = ("Named, but there is no such service here: %s."):format(table.concat(missing, ", "))
  end
end

local function notes_of(diagnosis, policies, plan, obstacle)
  local notes = diagnosis.restore and not diagnosis.blocked and restore.notes(diagnosis) or {}
  if software_dirty(diagnosis.info) and not diagnosis.facts.options.accept_dirty_hive then
    notes[#notes + 1] = "apply refuses this plan as long as the SOFTWARE hive is dirty: the machine GUID may be stale. "
      .. "--accept-dirty-hive overrules that."
  end
  for _, one in ipairs(diagnosis.findings) do
    if one.id == "hive.dirty" and one.wording == "replayed" then notes[#notes + 1] = one.text end
    if one.blocks then notes[#notes + 1] = "apply refuses this plan: " .. one.text end
  end
  if obstacle then notes[#notes + 1] = "apply refuses this plan: " .. obstacle .. "." end
  service_notes(notes, diagnosis, policies, plan)
  for _, policy in ipairs(policies) do
    for _, text in ipairs(policy.after) do notes[#notes + 1] = "Afterwards: " .. text end
  end
  return notes
end

-- The plan of a diagnosis, without steps when there is nothing to do. It is not yet refused or allowed.
function M.from_diagnosis(diagnosis)
  if diagnosis.made_plan then return diagnosis.made_plan end
  local options, info = diagnosis.facts.options, diagnosis.info
  local policies = M.acting(diagnosis)
  local names, list, blocked = {}, {}, false
  for index, policy in ipairs(policies) do
    names[index] = policy.name
    list[index] = { name = policy.name, source = policy.source, sha256 = policy.sha256 }
  end
  for _, one in ipairs(diagnosis.findings) do
    blocked = blocked or one.blocks and one.text:gsub("%.?$", ". ", 1) .. one.remedy
  end
  local stop, start, no_order, order_notes = services_of(diagnosis, policies)
  local services = { stop = stop, start = start, no_order = no_order, order_notes = order_notes }
  local obstacle = services_obstacle(services)
  local plan = setmetatable({
    machine_guid = info.machine_guid, key_store = info.key_store, policies = table.concat(names, ","),
    policy_list = list, overrides = overrides_of(options), accept_dirty_hive = options.accept_dirty_hive or false,
    steps = diagnosis.blocked and {} or steps_of(diagnosis), stop = stop, start = start, no_order = no_order,
    running = M.running_of(diagnosis, stop), notes = notes_of(diagnosis, policies, services, obstacle),
    blocked = blocked, target = diagnosis.target, info = info,
    restores = diagnosis.restore and not diagnosis.blocked and restore.data(diagnosis) or nil,
  }, Plan)
  diagnosis.made_plan = plan
  return plan
end

-- target:plan: plan, or nil, message, "refused", nil, diagnosis.
function M.make(diagnosis)
  local plan = M.from_diagnosis(diagnosis)
  if #plan.steps == 0 and #diagnosis.refusals > 0 then
    return nil, table.concat(diagnosis.refusals, " "), "refused", nil, diagnosis
  end
  return plan
end

-- ---- Pruning ----

-- Why a key file may not be pruned, or nil.
local function kept_because(key, keep)
  local parts = core.unique_name(key.name)
  if not parts then return "its name is not <container hash>_<GUID>" end
  if key.status ~= "ok" then return (key.damage or "") ~= "" and key.damage or key.status end
  if key.regular == false or key.reparse or (key.links or 1) > 1 then return "it is no ordinary file with one name" end
  if key.container_hash ~= parts.hash then return "the file says that it is of another key container" end
  return keep:why(parts.hash)
end

-- A plan that moves the key files `names` of the open target into the vault, at most M.MAX_STEPS, because of `reason`.
-- Nothing is stopped or started. keep: target:keep_set(), made anew when it is nil. It refuses when the keep-set is not
-- complete, and files that it keeps: nil, message, "refused".
function M.prune(target, names, reason, keep)
  local info, steps = target:info(), {}
  keep = keep or target:keep_set()
  if #keep.missing > 0 then
    return nil, "it cannot be told which key files are needed: " .. keep.missing[1], "refused"
  end
  if #names > M.MAX_STEPS then
    return nil, ("%d files in one plan, and %d are the most"):format(#names, M.MAX_STEPS), "limit"
  end
  for index, name in ipairs(names) do
    local key, message, code, native = target:inspect(name)
    if not key then return nil, message, code, native end
    local why = kept_because(key, keep)
    if why then return nil, ('"%s" is not pruned: %s'):format(name, why), "refused" end
    steps[index] = step_of("prune", { container = key.container }, key, reason or "nothing is known to need it")
  end
  return setmetatable({
    machine_guid = info.machine_guid, key_store = info.key_store, policies = "", policy_list = {}, overrides = "",
    accept_dirty_hive = false, steps = steps, stop = {}, start = {}, notes = {}, blocked = false, target = target,
    info = info,
  }, Plan)
end

-- Why one key file would be refused by M.prune, or nil.
M.kept_because = kept_because

-- ---- Saving and loading ----

local STEP_FIELDS = {
  { "kind", "string" }, { "container", "string" }, { "name", "string" }, { "reason", "string" }, { "size", "number" },
  { "identity", "string" }, { "device", "string" }, { "created_ticks", "string" }, { "created_source", "string" },
  { "written_ticks", "string" }, { "sha256", "string" },
}
local RESTORE_FIELDS = { { "kind", "string" }, { "name", "string" }, { "to", "string" }, { "reason", "string" } }

local function fields_of(step)
  return step.kind == "restore-guid" and RESTORE_FIELDS or STEP_FIELDS
end

-- What the plan file holds.
function Plan:data()
  local steps = {}
  for index, step in ipairs(self.steps) do
    local copy = { to = step.to, descriptor_sha256 = step.descriptor_sha256 }
    for at, entry in ipairs(step.grants or {}) do
      copy.grants = copy.grants or {}
      copy.grants[at] = { sid = entry.sid, mask = entry.mask }
    end
    for _, field in ipairs(fields_of(step)) do copy[field[1]] = step[field[1]] end
    steps[index] = copy
  end
  return {
    machine_guid = self.machine_guid, key_store = self.key_store, policies = self.policies,
    policy_list = self.policy_list, overrides = self.overrides, accept_dirty_hive = self.accept_dirty_hive,
    steps = steps, stop = self.stop, start = self.start, notes = self.notes,
  }
end

-- What the file is that a plan would replace: nil when there is none, it is empty, or it is a saved plan. Opened for
-- writing too, so that a FIFO does not wait; what is no ordinary file is left to the core, which refuses it.
local EACCES = 13

local function in_the_way(path)
  local file, _, errno = io.open(path, "r+b")
  if not file then
    if errno ~= EACCES then return nil end
    file = io.open(path, "rb")
    if file then file:close() end
    return file and "it is there and may not be written" or nil
  end
  local size = file:seek "end"
  local text = size and size > 0 and size <= M.MAX_BYTES and file:seek "set" and file:read(M.MAX_BYTES)
  file:close()
  if not size or size == 0 then return nil end
  local data = text and text:find '"keymend plan"'
    and select(2, pcall(require("dkjson").decode, text, 1, nil, nil, nil))
  if type(data) == "table" and data.document == "keymend plan" then return nil end
  return "it is there and is no saved plan of keymend"
end

-- Writes the plan for a later apply, as a whole or not at all; true, or nil, message, code, native. Only a saved plan
-- is replaced. folders: those in which nothing may be saved (default: facts.closed_folders of the target).
function Plan:save(path, folders)
  local document = require "keymend.document"
  local why = in_the_way(path)
  if why then
    return nil, ('the plan cannot be saved: "%s": %s; give another name, or remove it first'):format(path, why),
      "refused"
  end
  local saved, message, code, native = core.save_file(path, document.encode({
    schema = 1, document = "keymend plan", keymend = core.version, host = core.host(),
    made = core.time_text((core.time_now())), plan = self:data(),
  }) .. "\n", folders or facts.closed_folders(self.info or {}))
  if saved then return true end
  return nil, "the plan cannot be saved: " .. message, code, native
end

-- Leaves services alone, whatever the plan says.
function Plan:without_services()
  self.stop, self.start, self.running, self.no_order = {}, {}, nil, nil
  self:overrule "--no-services"
end

-- Names one more option that overruled, for the journal.
function Plan:overrule(option)
  if (" " .. self.overrides .. " "):find(" " .. option .. " ", 1, true) then return end
  self.overrides = self.overrides == "" and option or self.overrides .. " " .. option
end

local function bad(path, field, wanted)
  return nil, ('the plan file "%s" is not usable: %s: %s was expected; make it anew with keymend plan --save'):format(
    path, field, wanted), "damaged"
end

local function names_ok(list)
  if type(list) ~= "table" or #list > M.MAX_LISTED then return false end
  for index = 1, #list do
    if type(list[index]) ~= "string" or list[index]:find "%z" then return false end
  end
  return true
end

local function grant_problem(step)
  local most = require("keymend.access").MAX_GRANTS
  if type(step.descriptor_sha256) ~= "string" or not step.descriptor_sha256:find("^" .. ("%x"):rep(64) .. "$") then
    return ".descriptor_sha256", "64 hexadecimal digits"
  end
  if type(step.grants) ~= "table" or #step.grants == 0 or #step.grants > most then
    return ".grants", ("1 to %d entries"):format(most)
  end
  for index, entry in ipairs(step.grants) do
    local good = type(entry) == "table" and type(entry.sid) == "string" and entry.sid:find "^S%-1%-[%d%-]+$"
      and #entry.sid < 184 and type(entry.mask) == "number" and entry.mask >= 0 and entry.mask < 2 ^ 32
      and entry.mask == math.floor(entry.mask)
    if not good then return (".grants[%d]"):format(index), "a SID and a mask" end
  end
end

local function step_problem(step)
  if type(step) ~= "table" then return "", "a step" end
  for _, field in ipairs(fields_of(step)) do
    if type(step[field[1]]) ~= field[2] then return "." .. field[1], field[2] == "string" and "text" or "a number" end
  end
  if step.kind == "restore-guid" then
    if core.guid(step.name) == "" then return ".name", "a GUID" end
    if core.guid(step.to) ~= step.to then return ".to", "a GUID in lower case" end
    return nil
  end
  if step.kind ~= "retire" and step.kind ~= "adopt" and step.kind ~= "grant" then
    return ".kind", '"retire", "adopt", "grant" or "restore-guid"'
  end
  if step.kind == "adopt" and (type(step.to) ~= "string" or not core.unique_name(step.to)) then
    return ".to", "a unique name"
  end
  if step.name == "" or step.name:find "[/\\%z]" then return ".name", "a file name" end
  if not step.sha256:find("^" .. ("%x"):rep(64) .. "$") then return ".sha256", "64 hexadecimal digits" end
  for _, field in ipairs { "identity", "device", "created_ticks", "written_ticks" } do
    if not step[field]:find "^%d+$" or #step[field] > 20 then return "." .. field, "decimal digits" end
  end
  if step.size < 0 or step.size ~= math.floor(step.size) or step.size > 2 ^ 53 then return ".size", "a whole number" end
  if step.kind == "grant" then return grant_problem(step) end
end

local function check_plan(path, plan)
  if type(plan) ~= "table" then return bad(path, "plan", "a plan") end
  for _, field in ipairs { "machine_guid", "key_store", "policies", "overrides" } do
    if type(plan[field]) ~= "string" then return bad(path, field, "text") end
  end
  if type(plan.accept_dirty_hive) ~= "boolean" then return bad(path, "accept_dirty_hive", "true or false") end
  if type(plan.steps) ~= "table" or #plan.steps == 0 or #plan.steps > M.MAX_STEPS then
    return bad(path, "steps", ("1 to %d steps"):format(M.MAX_STEPS))
  end
  for index, step in ipairs(plan.steps) do
    local field, wanted = step_problem(step)
    if field then return bad(path, ("steps[%d]%s"):format(index, field), wanted) end
    if step.kind == "restore-guid" and #plan.steps > 1 then
      return bad(path, ("steps[%d]"):format(index), "restore-guid as the only step")
    end
  end
  for _, field in ipairs { "stop", "start", "notes" } do
    if not names_ok(plan[field]) then return bad(path, field, "a list of texts") end
  end
  if type(plan.policy_list) ~= "table" then return bad(path, "policy_list", "a list") end
  return plan
end

-- Reads a plan file; its form is checked here, its fit to a target by Plan:fit.
function M.load(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, ("the plan cannot be read: %s"):format(message), "not-found" end
  local text, why = file:read(M.MAX_BYTES + 1)
  file:close()
  if not text and why then return nil, ("the plan cannot be read: %s: %s"):format(path, why), "not-found" end
  text = text or ""
  if #text > M.MAX_BYTES then return bad(path, "size", "less than 4 MB") end
  local ok, data, _, problem = pcall(require("dkjson").decode, text, 1, nil, nil, nil) -- it may nest too deeply
  if not ok or type(data) ~= "table" then return bad(path, ok and problem or "content", "JSON") end
  if data.document ~= "keymend plan" then return bad(path, "document", '"keymend plan"') end
  if data.schema ~= 1 then return bad(path, "schema", "the number 1") end
  local plan, fault, code = check_plan(path, data.plan)
  if not plan then return nil, fault, code end
  local clean = { made = data.made, made_on = data.host, loaded_from = path }
  for _, field in ipairs {
    "machine_guid", "key_store", "policies", "policy_list", "overrides", "accept_dirty_hive", "steps", "stop",
    "start", "notes",
  } do
    clean[field] = plan[field]
  end
  return setmetatable(clean, Plan)
end

local function overruled(plan, option, name)
  return (" " .. plan.overrides .. " "):find((" --%s %s "):format(option, name), 1, true) ~= nil
end

local function is_forced(plan)
  return (" " .. plan.overrides .. " "):find(" --force-disproved ", 1, true) ~= nil
end

local function misfit_adopt(plan, step, key, parts)
  if key.container_hash ~= parts.hash then return "it is of another key container than its new name" end
  if key.status ~= "ok" or key.keyless then return "it holds no sound key" end
  local own = core.unique_name(step.name)
  if overruled(plan, "adopt", step.name) then return nil end
  if key.owner_trusted == false then return "it is owned by a user, and the plan does not say --adopt of it" end
  if not own or own.hash ~= parts.hash then return "it was renamed by hand, and the plan does not say --adopt of it" end
end

local function misfit_retire(plan, step)
  if overruled(plan, "retire", step.name) then return nil end
  for _, other in ipairs(plan.steps) do
    if other.kind == "adopt" and other.to:lower() == step.name:lower() then return nil end
  end
  return "nothing is adopted in its place, and the plan does not say --retire of it"
end

-- Why a file cannot be what the step says, whoever wrote the plan file; nil when it can.
local function misfit(plan, info, step, key)
  local adopt = step.kind == "adopt"
  local parts = core.unique_name(adopt and step.to or step.name)
  if not parts or parts.guid ~= info.guid then
    return (adopt and "its new name" or "its name") .. " does not end in the machine GUID"
  end
  if core.hash(step.container) ~= parts.hash then return "it is not of the key container that the plan names" end
  if step.kind == "grant" then return nil end
  if adopt then return misfit_adopt(plan, step, key, parts) end
  return misfit_retire(plan, step)
end

-- What proof says against a step now, whatever it said when the plan was made; nil when nothing.
local function disproof(plan, session, step)
  local found = session:try("rsa", step.name, step.container)
  if step.kind == "adopt" and found.refuted and not is_forced(plan) then
    return ("it is disproved: %s; the plan does not say --force-disproved"):format(found.refuted.why)
  end
  if step.kind == "retire" and found.proved and not found.refuted then
    return ("it is proved by the %s, so it is never retired"):format(proof.row_text(found.proved))
  end
end

-- What is against adding the entries now: change, why (see step_change).
local function grant_change(target, step)
  local access, message = target:access(step.name)
  if not access then return nil, message end
  if access.sha256 ~= step.descriptor_sha256 then return "its security descriptor is another" end
  local good, why = target:grantable(step.name, step.grants)
  if not good then return nil, why end
end

-- change: what of the file is not as the plan saw it; nil, why: it cannot be what the step says.
local function step_change(plan, target, step, session)
  local key, message = target:inspect(step.name)
  if not key then return message or "it is gone" end
  if key.sha256 ~= step.sha256 or key.size ~= step.size then return "its content is another" end
  if (key.written_ticks or "0") ~= step.written_ticks then return "it was written since" end
  local why = misfit(plan, target:info(), step, key) or disproof(plan, session, step)
  if why then return nil, why end
  if step.kind == "grant" then
    local change
    change, why = grant_change(target, step)
    if change or why then return change, why end
  end
  -- Identities mean something on the device alone where they were seen.
  if (key.device or "0") ~= step.device then step.identity = "0" end
end

local function steps_fit(plan, target, session)
  local back = plan:restored()
  if back then
    local why = restore.misfit(target, back)
    return why and ("the plan file does not fit: restore-guid %s: %s; make a new plan"):format(back.to, why)
  end
  for _, step in ipairs(plan.steps) do
    local change, why = step_change(plan, target, step, session)
    if why then
      return ('the plan file does not fit: %s "%s": %s; make a new plan'):format(step.kind, step.name, why)
    end
    if change then
      return ('the key store has changed since the plan was made: "%s": %s; make a new plan'):format(step.name, change)
    end
  end
end

-- The step that puts the machine GUID back, or nil.
function Plan:restored()
  local step = self.steps[1]
  return step and step.kind == "restore-guid" and step or nil
end

-- Whether a loaded plan fits an open target as it is now: true, or nil, message, "stale". Its keys are tried anew.
function Plan:fit(target)
  local info = target:info()
  if (info.machine_guid or "") ~= self.machine_guid then
    return nil, ("the plan was made for the machine GUID %s, but now it is %s; make a new plan"):format(
      self.machine_guid, info.machine_guid or "absent"), "stale"
  end
  if (info.key_store or "") ~= self.key_store then
    return nil, ('the plan was made for the key store "%s", but here it is "%s"; make a new plan'):format(
      self.key_store, info.key_store or ""), "stale"
  end
  local session = proof.open(target)
  local ran, problem = pcall(steps_fit, self, target, session)
  session:close()
  if not ran then error(problem, 0) end
  if problem then return nil, problem, "stale" end
  self.target, self.info = target, info
  return true
end

-- ---- Applying ----

-- Why the services of the plan cannot be taken, or nil.
Plan.services_obstacle = services_obstacle

-- Why apply would refuse the plan before it touches anything, or nil.
function Plan:obstacle()
  if #self.steps == 0 then return "there is nothing to do in this plan" end
  if self.blocked then return self.blocked end
  local services = services_obstacle(self)
  if services then return services end
  if software_dirty(self.target:info()) and not self.accept_dirty_hive then
    return "the SOFTWARE hive is dirty, so the machine GUID may be stale. Start this Windows once and shut it down "
      .. "cleanly, or overrule with --accept-dirty-hive"
  end
end

-- Applies the plan: transaction, outcome, or nil, message, code, native, outcome. options: progress(stage, text).
function Plan:apply(options)
  if not self.target then error("plan:apply: a loaded plan needs plan:fit(target) first", 2) end
  local obstacle = self:obstacle()
  if obstacle then return nil, obstacle, "refused", nil, "untouched" end
  return self.target:apply(self:data(), { progress = options and options.progress })
end

-- ---- Printing ----

local function print_restore(page, step)
  page:item("1. restore", "the machine GUID in HKLM\\SOFTWARE\\Microsoft\\Cryptography, MachineGuid",
    { indent = 11, style = "strong" })
  page:line("      from " .. step.name)
  page:line("        to " .. step.to)
  if step.reason ~= "" then page:item("          ", "because " .. step.reason, { indent = 11 }) end
end

function M.print_steps(page, plan)
  if plan:restored() then return print_restore(page, plan:restored()) end
  for index, step in ipairs(plan.steps) do
    page:item(("%d. %s"):format(index, step.kind), '"' .. step.container .. '"', { indent = 11, style = "strong" })
    page:line("           " .. step.name)
    if step.to then page:line("        as " .. step.to) end
    for _, entry in ipairs(step.grants or {}) do
      page:line("        to " .. require("keymend.access").entry_text(entry))
    end
    page:item("          ", ("made %s%s, %d bytes, SHA-256 %s..."):format(
      step.created_ticks ~= "0" and facts.time(nil, step.created_ticks) or "at an unknown time",
      step.created_source == "birth" and " (of the copy)" or "", step.size, step.sha256:sub(1, 16)), { indent = 11 })
    if step.reason ~= "" then page:item("          ", "because " .. step.reason, { indent = 11 }) end
  end
end

-- The names of `list` that are in `running` (wanted) or not.
local function among(list, running, wanted)
  local is_running, names = {}, {}
  for _, name in ipairs(running) do is_running[name] = true end
  for _, name in ipairs(list) do
    if (is_running[name] or false) == wanted then names[#names + 1] = name end
  end
  return names
end

-- What happens to services as they are now: stop (what runs; it is started again), start (what does not run); nil where
-- no state is known.
function Plan:effect()
  if not self.running then return nil end
  return { stop = self.running, start = among(self.start, self.running, false) }
end

function M.print_services(page, plan)
  local deferred = not plan.info or facts.services_deferred(plan.info)
  page:item("Stop:", #plan.stop > 0 and table.concat(plan.stop, ", ") or "no service",
    { indent = 11, style = "strong" })
  page:item("Start:", #plan.start > 0 and table.concat(plan.start, ", ") or "no service",
    { indent = 11, style = "strong" })
  local effect = plan:effect()
  if effect and #effect.stop < #plan.stop then
    page:text_block("Running now: " .. (#effect.stop > 0 and table.concat(effect.stop, ", ") or "none of those to stop")
      .. ". Only what runs is stopped, and it is started again.", 11)
  end
  if deferred and #plan.stop + #plan.start > 0 then
    page:text_block("Deferred: this Windows is not running, so nothing has to be stopped; it starts them at its next "
      .. "boot.", 11)
  end
end

-- The whole plan for people.
function M.print(page, plan)
  local computer = plan.info and (plan.info.computer or "") ~= "" and ", computer " .. plan.info.computer or ""
  page:item("Plan:", (plan.info and require("keymend.report").system_text(plan.info) or "") .. computer,
    { indent = 11, style = "strong" })
  page:item("GUID:", plan.machine_guid or "absent", { indent = 11, style = "strong" })
  page:item("Store:", '"' .. (plan.key_store or "") .. '"', { indent = 11, style = "strong" })
  if plan.policies ~= "" then page:item("Policy:", plan.policies, { indent = 11, style = "strong" }) end
  if plan.overrides ~= "" then page:item("Overruled:", plan.overrides, { indent = 11, style = "strong" }) end
  page:blank()
  M.print_steps(page, plan)
  page:blank()
  M.print_services(page, plan)
  for _, note in ipairs(plan.notes) do
    local after = note:match "^Afterwards: (.*)$"
    page:blank()
    page:item(after and "After:" or "Note:", after or note, { indent = 11, style = after and "strong" or "warning" })
  end
end

function Plan:text()
  local page = require("keymend.page").buffer()
  M.print(page, self)
  return page:text()
end

function Plan:__tostring()
  return ("keymend.plan (%d steps)"):format(#self.steps)
end

return M
