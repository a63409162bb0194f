-- trial.lua: tries a policy on the golden volumes, which are made in a temporary folder and removed again; writes
-- one out
--
-- The golden cases (tests/golden/cases) are in the program. Those that need more than their volume's description, such
-- as another owner of a file, a transaction in between, or an option that overrules, are left out.
--
--   local trial = require "keymend.trial"
--   for _, case in ipairs(trial.cases()) do print(case.name, case.title) end
--   trial.run(policies, cases, function(result) ... end)       -- true, or nil, message, code, native
--   trial.write(case, "win")                                 -- { root, times, drives }, or nil, message, code, native
--
-- A result: name, title, verdict ("repair", "healthy", "refused", "broken", "none": the policy does not apply,
-- "failed"), problem ("failed": why), containers = { { container, retire, adopt, as, why_retire, why_adopt, refused,
-- healthy } }, stop, start (services), findings (of the diagnosis), expected (the steps of the shipped policies for
-- these containers), differs (true: the steps are others), other_steps = { { text, reason } }: of no container.
-- services_differ: the steps are the same, and the shipped policies would stop expected_stop and start expected_start.
-- not_here: the services that the policies name and the volume has not (nil: it has no list of services).

local core = require "keymend.core"

local M = {}

-- What a golden case may ask for with require.
local BUILDERS = { bytes = true, hive = true, keyfile = true, evt = true, evtx = true, iislog = true }

local function builder()
  local volume = require "keymend.volume"
  volume.system = volume.system or M.system
  return volume
end

local environment = setmetatable({
  require = function(name)
    if BUILDERS[name] then return require("keymend.volume." .. name) end
    error("a module of the tests: " .. name, 0)
  end,
}, { __index = _G })

-- ---- Cases ----

-- Options of a case that choose policies and overrule nothing.
local function only_policies(words)
  for index = 1, #(words or {}), 2 do
    if words[index] ~= "--policy" then return false end
  end
  return true
end

local function plain_files(list)
  for _, file in ipairs(list or {}) do
    if file.owner or file.symlink or file.hardlink then return false end
  end
  return true
end

local function is_usable(case)
  local more = case.prepare or case.script or case.needs or case.before or case.args
    or case.plan and case.plan.args or case.apply and case.apply.args
  return not more and case.diagnose ~= nil and only_policies(case.policy) and plain_files(case.volume.keys)
    and plain_files(case.volume.files)
end

-- The key files that a volume is about: those under its machine GUID, and those under others. The usual other key files
-- are not counted, and stray names neither.
local function count_keys(spec)
  local current, foreign = 0, 0
  for _, key in ipairs(spec.keys or {}) do
    local guid = key.guid or spec.guid or builder().NEW
    local own = guid:lower() == tostring(spec.guid or builder().NEW):lower():gsub("[{}]", "")
    if not key.name and own then current = current + 1 elseif not key.name then foreign = foreign + 1 end
  end
  return current, foreign
end

local function load_case(name, text)
  local chunk = assert(loadstring(text, "=golden case " .. name))
  setfenv(chunk, environment)
  local ok, case = pcall(chunk, builder())
  if ok and is_usable(case) then
    local current, foreign = count_keys(case.volume)
    return { name = name, title = case.title, volume = case.volume, times = case.times ~= false,
      policy = case.policy, steps = case.plan and case.plan.steps or {}, current = current, foreign = foreign }
  end
end

-- The golden cases whose volumes can be made here, by name. names: these alone; nil, message when one is not there.
function M.cases(names)
  local texts, found, list = core.embedded_cases(), {}, {}
  for name, text in pairs(texts) do
    local case = load_case(name, text)
    found[name] = case
    if case and not names then list[#list + 1] = case end
  end
  for index, name in ipairs(names or {}) do
    if not found[name] then
      local known = {}
      for one in pairs(found) do known[#known + 1] = one end
      local spelling = require "keymend.spelling"
      return nil, spelling.see(('there is no golden volume "%s"%s'):format(name, spelling.hint(name, known)),
        "keymend policies volume")
    end
    list[index] = found[name]
  end
  if not names then table.sort(list, function(a, b) return a.name < b.name end) end
  return list
end

-- ---- Volumes ----

local made, is_there = {}, {} -- what is to be removed, in the order in which it was made
local given -- an empty folder that was there before, and stays

local function remember(path)
  made[#made + 1], is_there[path] = path, true
end

M.system = {}

function M.system.exists(path)
  return is_there[path] or false
end

function M.system.make_folder(path)
  if path == given then
    is_there[path] = true
    return true
  end
  remember(path)
  return core.scratch_folder(path)
end

function M.system.write(path, data, written)
  remember(path)
  return core.new_file(path, data, written)
end

function M.system.link()
  return nil, "links are left out"
end

M.system.own, M.system.hash, M.system.cng_hash = M.system.link, core.hash, core.cng_hash

-- Removes what was made, but the first `kept`.
local function remove_made(kept)
  for index = #made, kept + 1, -1 do
    core.scratch_remove(made[index])
    is_there[made[index]] = nil
    made[index] = nil
  end
end

-- ---- Judging ----

local function step_text(step)
  return ("%s %s %s"):format(step.kind or step[1], tostring(step.name or step[2]), tostring(step.to or step[3] or ""))
end

local function steps_differ(steps, expected)
  if #steps ~= #expected then return true end
  for index, step in ipairs(steps) do
    if step_text(step) ~= step_text(expected[index]) then return true end
  end
  return false
end

-- Those of the steps that are of the containers judged here, or of no container.
local function expected_of(diagnosis, steps)
  local own, list = {}, {}
  for _, case in ipairs(diagnosis.cases) do own[case.hash] = true end
  for _, step in ipairs(steps) do
    local of_file = step[1] == "retire" or step[1] == "adopt"
    if not of_file or own[(step[3] or step[2]):sub(1, 32):lower()] then list[#list + 1] = step end
  end
  return list
end

local function containers_of(diagnosis)
  local list = {}
  for index, case in ipairs(diagnosis.cases) do
    local verdict = case.verdict
    list[index] = {
      container = case.container, healthy = verdict.healthy or false, refused = verdict.refused,
      retire = verdict.retire and verdict.retire.name, why_retire = verdict.retire and verdict.why_retire,
      adopt = verdict.adopt and verdict.adopt.name, why_adopt = verdict.adopt and verdict.reason,
      as = verdict.adopt and case.hash .. "_" .. diagnosis.info.guid or nil,
    }
  end
  return list
end

local function judge(target, policies, case)
  local result = { name = case.name, title = case.title, containers = {}, stop = {}, start = {}, findings = {},
    expected = case.steps, differs = false, other_steps = {} }
  local diagnosis, message = require("keymend.diagnosis").run(target, policies, {})
  if not diagnosis then
    result.verdict, result.problem = "failed", message
    return result
  end
  result.findings = diagnosis.findings
  for _, one in ipairs(diagnosis.findings) do
    if one.id == "policy.failed" then result.verdict, result.problem = "failed", one.text end
  end
  if #diagnosis.policies == 0 then
    result.verdict = result.verdict or "none"
    return result
  end
  local plan = require("keymend.plan").from_diagnosis(diagnosis)
  result.verdict = result.verdict or diagnosis.verdict
  result.containers, result.stop, result.start = containers_of(diagnosis), plan.stop, plan.start
  for _, one in ipairs(diagnosis.cases) do result.has_keys = result.has_keys or #one.keys > 0 end
  for _, step in ipairs(plan.steps) do
    if step.kind ~= "retire" and step.kind ~= "adopt" then
      result.other_steps[#result.other_steps + 1] = { text = step_text(step), reason = step.reason }
    end
  end
  result.expected = expected_of(diagnosis, case.steps)
  result.differs = steps_differ(plan.steps, result.expected)
  if diagnosis.facts.services() then
    result.not_here = require("keymend.plan").not_here(diagnosis, policies)
    for index, text in ipairs(result.not_here) do result.not_here[index] = text:match "^(.-) %(policy " or text end
  end
  return result, plan
end

-- Whether two lists of services have the same names in the same order.
local function same_names(one, other)
  return table.concat(one, "\n"):lower() == table.concat(other, "\n"):lower()
end

local shipped = {} -- loaded: the shipped policies, and those that a case names, by their names

local function shipped_policies(case)
  local names = {}
  for index = 2, #(case.policy or {}), 2 do names[#names + 1] = case.policy[index] end
  local key = table.concat(names, ",")
  shipped[key] = shipped[key] or assert(require("keymend.policy").load_shipped(names))
  return shipped[key]
end

local function close_shipped()
  for _, loaded in pairs(shipped) do require("keymend.policy").close(loaded) end
  shipped = {}
end

-- Adds the services that the shipped policies stop and start on the volume, where they do the same steps.
local function compare_services(target, case, result, plan)
  local diagnosis = require("keymend.diagnosis").run(target, shipped_policies(case), {})
  local other = diagnosis and require("keymend.plan").from_diagnosis(diagnosis)
  if not other or steps_differ(plan.steps, other.steps) then return end
  result.services_differ = not (same_names(plan.stop, other.stop) and same_names(plan.start, other.start))
  result.expected_stop, result.expected_start = other.stop, other.start
  return result
end

local function try(policies, case, folder)
  local volume = builder()
  local root = folder .. "/" .. case.name
  local place = volume.make(root, case.volume)
  local volumes = place.drive_root and { [case.volume.drive] = place.drive_root } or nil
  local target, message, code, native = require("keymend").open {
    root = root, times = case.times and place.times or nil, volumes = volumes,
  }
  if not target then return nil, message, code, native end
  local ok, result = pcall(function()
    local result, plan = judge(target, policies, case)
    if plan and #plan.steps > 0 then compare_services(target, case, result, plan) end
    return result
  end)
  target:close()
  if not ok then error(result, 0) end
  return result
end

-- Tries loaded policies on cases, one after the other; each(result). The volumes are removed in any case.
function M.run(policies, cases, each)
  local folder, message, code, native = core.scratch_begin()
  if not folder then return nil, message, code, native end
  remember(folder)
  local ok, problem = pcall(function()
    for _, case in ipairs(cases) do
      local result, why = try(policies, case, folder)
      remove_made(1)
      each(result or { name = case.name, title = case.title, verdict = "failed", problem = why, containers = {},
        stop = {}, start = {}, findings = {}, expected = case.steps, differs = false, other_steps = {} })
    end
  end)
  remove_made(0)
  close_shipped()
  if not ok then return nil, "the golden volumes: " .. tostring(problem), "failed" end
  return true
end

-- ---- Writing one out ----

local WINDOWS = package.config:sub(1, 1) == "\\"

-- Whether the golden volume may be made as `root` with its neighbours: true, or nil, message, code, native.
local function is_free(root, case)
  local state, message, code, native = core.scratch_look(root)
  if not state then return nil, message, code, native end
  if state == "taken" then
    return nil, ('"%s" is there already and is no empty folder; it is left as it is. Give another folder'):format(root),
      "refused"
  end
  given = state == "empty" and root or nil
  for _, path in ipairs { root .. ".times", case.volume.drive and root .. "." .. case.volume.drive } do
    state, message, code, native = core.scratch_look(path)
    if not state then return nil, message, code, native end
    if state ~= "free" then
      return nil, ('"%s" is there already, and is left as it is; the volume has it too. Give another folder')
        :format(path), "refused"
    end
  end
  return true
end

-- Makes the volume of a case as the folder `dir` (new, or empty), its times as DIR.times and its further drive as
-- DIR.D: { root, times (nil where the case goes without), drives = { D = path } }; or nil, message, code, native.
-- What was made is removed again when it cannot be made whole.
function M.write(case, dir)
  local root = (WINDOWS and dir:gsub("\\", "/") or dir):gsub("(.)/+$", "%1")
  local free, message, code, native = is_free(root, case)
  if not free then return nil, message, code, native end
  local above = root:match "^(.+)/[^/]*$"
  if above then is_there[above] = true end
  local ok, place = pcall(builder().make, root, case.volume)
  if not ok then remove_made(0) end
  made, is_there, given = {}, {}, nil
  if not ok then return nil, "the golden volume cannot be made: " .. tostring(place), "failed" end
  return { root = place.root, times = case.times and place.times or nil,
    drives = place.drive_root and { [case.volume.drive] = place.drive_root } or {} }
end

return M
