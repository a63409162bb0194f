-- use.lua: how the services that use a key container stand, and what that says of its current key file
--
-- Only where the target tells the states of its services (a running Windows); else M.of gives nil and nothing here has
-- a say. The users of a container are the services that its policy names itself and, with `dependents`, all that need
-- them; those under `also` are restarted with them but tell nothing of the key.
--
-- What is known, and what is not. The core tells for a running service when the process that it runs in was made: the
-- service was started then or later. So a service that works in a process younger than the key file and than the
-- machine GUID (the last write of its registry key, which is no earlier than its last change) was started with that
-- key: the key is in use (certain). A service in an older process may have been started before the key file was made,
-- and then it holds the key of before in memory; or it has been restarted since in the same process (IISADMIN and
-- W3SVC share one on Windows 2000), or has made the key file itself. Nothing tells these apart, so the key may be in
-- use (possible); possible too while a user that should run is stopped and has not failed. A key that may be in use is
-- not retired by rule, one that is in use never. Where a user has failed with a code that points at the key, none of
-- that holds, whatever else runs: in the case of KB 884872 IISADMIN may run while W3SVC fails. Another code tells
-- nothing of the key, so one that was started with it and runs may use it (possible).

local codes = require "keymend.codes"
local core = require "keymend.core"

local M = {}

-- A process made within this many seconds after the key file may be the one that made it, and clocks are coarse.
M.SAME_TIME = 2

-- What a state of the core means here.
local STATE = {
  running = "running", paused = "running", ["pause-pending"] = "running", ["continue-pending"] = "running",
  ["start-pending"] = "changing", ["stop-pending"] = "changing", stopped = "stopped",
}

-- Codes with which a service says that the key it found is not the right one, or that it found none.
local REFUTES = {
  [6] = true, [1008] = true, [0x80090003] = true, [0x80090005] = true, [0x80090006] = true, [0x8009000B] = true,
  [0x8009000D] = true, [0x80090016] = true, [0x8009001A] = true,
}

-- One that has other causes too, but in KB 884872 it is how the system log tells of W3SVC: the metabase cannot be
-- opened. It is enough to doubt that a key is in use, and too little to call it wrong.
local SUGGESTS = { [3] = true }

-- Whether a state is known of any of them.
local function any_state(services)
  for _, service in ipairs(services) do
    if service.state then return true end
  end
  return false
end

-- Whether a service is stopped since it failed. A disabled one is a finding of its own.
function M.is_failed(service)
  return STATE[service.state] == "stopped" and not service.driver and service.start ~= "disabled"
    and codes.is_failure(service.exit_code)
end

function M.is_running(service)
  return STATE[service.state] == "running"
end

-- "W3SVC failed: ERROR_NO_TOKEN (1008): ..."
function M.failure_text(service)
  return ("%s failed: %s"):format(service.name, codes.exit_words(service.exit_code, service.specific_code))
end

local function code_of(service)
  return codes.exit_code(service.exit_code, service.specific_code) or 0
end

-- Whether it failed with a code that says that the key is wrong.
function M.is_refuting(service)
  return REFUTES[code_of(service)] or false
end

-- Whether it failed with a code that points at the key.
local function is_doubting(service)
  return REFUTES[code_of(service)] or SUGGESTS[code_of(service)] or false
end

local function sort_user(use, service)
  local kind = STATE[service.state]
  if service.driver then return end
  if M.is_failed(service) then
    table.insert(use.failed, service)
  elseif kind == "running" then
    table.insert(use.running, service)
  elseif service.start == "automatic" or kind == "changing" then
    use.complete = false -- stopped by somebody, on its way, or not known
  end
end

-- The users of the containers of `policy`: { running, failed = { services }, good }; nil when their states are not
-- known. known: facts.services(). good: all that Windows starts by itself run, and none has failed.
function M.of(known, policy)
  if not known or #policy.service_patterns == 0 then return nil end
  local graph = known.graph
  local users = graph:reach(graph:fitting(policy.user_patterns or policy.service_patterns), policy.services.dependents)
  if not any_state(users) then return nil end
  local use = { running = {}, failed = {}, complete = true }
  for _, service in ipairs(users) do sort_user(use, service) end
  use.good = use.complete and #use.running > 0 and #use.failed == 0
  return use
end

-- The services that failed of all that `policy` restarts, `also` included; in the order of the list.
function M.failed_of(known, policy)
  local graph, failed = known.graph, {}
  for _, service in ipairs(graph:reach(graph:fitting(policy.service_patterns), policy.services.dependents)) do
    if M.is_failed(service) then failed[#failed + 1] = service end
  end
  return failed
end

local function any_failed(use, test)
  for _, service in ipairs(use and use.failed or {}) do
    if test(service) then return true end
  end
  return false
end

-- Whether an error code points at the key; no code does not.
function M.points_at_key(code)
  return code ~= nil and (REFUTES[code] or SUGGESTS[code] or false)
end

-- Whether a user has failed with a code that points at the key.
function M.doubts(use)
  return any_failed(use, is_doubting)
end

-- Whether a user has failed with a code that says that the key is wrong.
function M.refutes(use)
  return any_failed(use, M.is_refuting)
end

-- The running user that was started after `key` was made (key.usable_time: see container.lua) and after the machine
-- GUID was written, or nil.
local function started_since(use, key, guid_written)
  if not key.usable_time or not guid_written then return nil end
  local both = math.max(key.usable_time, guid_written) + M.SAME_TIME
  for _, service in ipairs(use.running) do
    if service.started and service.started > both then return service end
  end
end

-- Whether the services use the current key: "certain" and the service that shows it, "possible", or nil; where others
-- failed, "possible" and the service that runs with it. guid_written: as the target tells it.
function M.of_key(use, key, guid_written)
  if not use or #use.running == 0 or any_failed(use, is_doubting) then return nil end
  local service = started_since(use, key, guid_written)
  if #use.failed > 0 then return service and "possible" or nil, service end
  if use.good and service then return "certain", service end
  return "possible"
end

-- The users whose failure tells most: those that point at the key, else all that failed.
function M.telling(use)
  local list = {}
  for _, service in ipairs(use.failed) do
    if is_doubting(service) then list[#list + 1] = service end
  end
  return #list > 0 and list or use.failed
end

function M.names(services)
  local names = {}
  for index, service in ipairs(services) do names[index] = service.name end
  return table.concat(names, ", ")
end

-- ---- What became of the services that a change stopped and started ----

-- results: as the core tells them: { name, action = "stop" or "start", status, state, exit_code, specific_code,
-- message }.

local function of_results(results, action, is_told)
  local list = {}
  for _, one in ipairs(results or {}) do
    if one.action == action and is_told(one.status or "ok") then list[#list + 1] = one end
  end
  return list
end

-- Those that were to be started and are not running.
function M.not_started(results)
  return of_results(results, "start", function(status) return status ~= "ok" end)
end

-- Those that take no stop: only a restart of Windows makes them look for their key anew.
function M.not_stopped(results)
  return of_results(results, "stop", function(status) return status == "unsupported" end)
end

function M.restart_due(results)
  return #M.not_stopped(results) > 0
end

-- What the core says of it.
local function said(one)
  local message = (one.message or ""):gsub("%.%s*$", "")
  return message ~= "" and message or ("%s: %s"):format(one.name, core.status_text(one.status) or one.status)
end

-- Why a service did not start, in words: by the codes of its end, else as the core says it.
local function why(one)
  if not codes.is_failure(one.exit_code) then return said(one) end
  local means = codes.means(codes.exit_code(one.exit_code, one.specific_code))
  return M.failure_text(one) .. (means and "; " .. means or "")
end

-- The findings of a change's results. undo: the command that takes the change back, or nil.
function M.findings(results, undo)
  local finding = require "keymend.finding"
  local list, failed, due = {}, M.not_started(results), M.not_stopped(results)
  if #failed > 0 then
    local evidence = {}
    for index, one in ipairs(failed) do evidence[index] = { kind = "service", text = why(one) } end
    list[1] = finding.make("service.start-failed", { names = M.names(failed) },
      { evidence = evidence, commands = undo and { undo } or nil, wording = not undo and "after" or nil })
  end
  if #due > 0 then
    local evidence = {}
    for index, one in ipairs(due) do evidence[index] = { kind = "service", text = said(one) } end
    list[#list + 1] = finding.make("service.restart-due", { names = M.names(due) }, { evidence = evidence })
  end
  return list
end

return M
