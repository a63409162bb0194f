-- change.lua: the verbs that change a target (apply, undo, recover) and the history of what they did

local cli = require "keymend.cli"
local core = require "keymend.core"
local facts = require "keymend.facts"
local restore = require "keymend.restore"
local judge = require "keymend.verbs.judge"
local page_of = require "keymend.page"
local report = require "keymend.report"
local use = require "keymend.use"

local EXIT = cli.exit
local M = {}

-- At most `width` characters.
local function cut(text, width)
  local at, count = 1, 0
  for stop in text:gmatch "[%z\1-\127\192-\255][\128-\191]*()" do
    if count == width then break end
    at, count = stop, count + 1
  end
  return text:sub(1, at - 1)
end

-- Prints what is waited for: on a terminal in one line that the next one replaces; elsewhere the first for each
-- service. The second function takes the line away.
local function waiting_on(page)
  local is_terminal, shown, service = core.is_terminal(1), 0, nil
  local function clear()
    if shown > 0 then io.stdout:write("\r", (" "):rep(shown), "\r") end
    shown = 0
  end
  return function(text)
    if is_terminal then
      clear()
      text = cut("  wait    " .. core.escape(text), page.width - 1)
      shown = page_of.length(text)
      io.stdout:write(text)
      io.stdout:flush()
    elseif text:match "^[^:]+" ~= service then
      service = text:match "^[^:]+"
      page:item("  wait   ", text, { indent = 10, style = "faint" })
    end
  end, clear
end

-- Prints `title`, then the stages of a transaction as they are done: progress, and a function that ends it. Where
-- services are deferred nothing is waited for, so lines that say the same of several services become one.
local function progress_on(context, title)
  if context.options.json or context.options.quiet then return nil, function() end end
  local page, together = context:page(), facts.services_deferred(context.opened:info())
  if title then page:line(title, "strong") end
  local wait, clear = waiting_on(page)
  local last
  local function flush()
    clear()
    if not last then return end
    local text = last.names and table.concat(last.names, ", ") .. ": " .. last.text or last.text
    if text:find(":\\", 1, true) then -- paths are not wrapped
      page:line(("  %-7s %s"):format(last.stage, text))
    else
      page:item(("  %-7s"):format(last.stage), text, { indent = 10, style = "faint" })
    end
    io.stdout:flush()
    last = nil
  end
  return function(stage, text)
    if stage == "wait" then return wait(text) end
    local name, rest = text:match "^([^%s:]+): (.*)$"
    if together and name and last and last.names and last.stage == stage and last.text == rest then
      table.insert(last.names, name)
      return
    end
    flush()
    last = { stage = stage, text = name and together and rest or text, names = name and together and { name } or nil }
    if not together then flush() end
  end, flush
end

-- ---- apply ----

-- Shows what will be done (show(page)) and asks; true, or nil and the exit status.
local function confirm(context, question, show, parts)
  local page = context:page()
  if context.options.yes then return true end
  if context.options.json or not (core.is_terminal(0) and core.is_terminal(1)) then
    parts.exit = parts.exit or 0
    return nil, context:fail("refused: not confirmed. There is no terminal to ask on; look at " .. question.look
      .. " and give --yes", "refused", nil, "untouched", parts)
  end
  show(page)
  page:blank()
  io.stdout:write(question.text, " [y/N] ")
  io.stdout:flush()
  local answer = (io.stdin:read "*l" or ""):lower():gsub("%s", "")
  page:blank()
  if answer == "y" or answer == "yes" then return true end
  return nil, context:fail("refused: not confirmed; nothing was changed", "refused", nil, "untouched", parts)
end

-- Why a saved plan would take a key away that is in use now, or nil.
local function in_use(diagnosis, plan)
  local back = plan:restored()
  if back then
    local sides, message = restore.sides(diagnosis.target, diagnosis.info, back.to)
    return message or restore.obstacles(diagnosis, sides)[1]
  end
  for _, step in ipairs(plan.steps) do
    for _, case in ipairs(diagnosis.cases) do
      local current = step.kind == "retire" and case.current
      local how, service = use.of_key(case.use, current or {}, diagnosis.info.guid_written)
      if current and current.name == step.name and how == "certain" then
        return ('"%s" cannot be retired: %s was started with it since and runs; stop it first if you are sure that the '
          .. "key is wrong"):format(step.name, service.name)
      end
    end
  end
end

-- The plan of --plan FILE, fitted to the target; or nil and the exit status.
local function saved_plan(context, diagnosis, parts)
  local plan, message, code = require("keymend.plan").load(context.options.plan)
  if not plan then
    return nil, context:fail(message, code == "not-found" and "usage" or code, nil, "untouched", parts)
  end
  if context.options["force-disproved"] then plan:overrule "--force-disproved" end
  local fits, why, stale = plan:fit(context.opened)
  if not fits then
    parts.exit = judge.left(diagnosis)
    return nil, context:fail("refused: " .. why, stale, nil, "untouched", parts)
  end
  local busy = in_use(diagnosis, plan)
  if busy then
    parts.exit = judge.left(diagnosis)
    return nil, context:fail("refused: " .. busy, "stale", nil, "untouched", parts)
  end
  plan.blocked = require("keymend.plan").from_diagnosis(diagnosis).blocked
  plan.running = require("keymend.plan").running_of(diagnosis, plan.stop)
  if context.options["accept-dirty-hive"] then
    plan.accept_dirty_hive = true
    plan:overrule "--accept-dirty-hive"
  end
  if context.options["no-services"] then plan:without_services() end
  for _, path in ipairs(require("keymend.trust").needed()) do plan:overrule("--trust-file " .. path) end
  return plan
end

local function plan_to_apply(context, diagnosis, parts)
  if context.options.plan then
    if #diagnosis.refusals > 0 and diagnosis.blocked then
      return nil, judge.refuse(context, diagnosis, table.concat(diagnosis.refusals, " "), parts)
    end
    return saved_plan(context, diagnosis, parts)
  end
  local plan, message = require("keymend.plan").make(diagnosis)
  if not plan then return nil, judge.refuse(context, diagnosis, message, parts) end
  if #plan.steps == 0 then return nil, judge.nothing(context, diagnosis) end
  return plan
end

-- The diagnosis of the target after a change that is committed; nil and an error for the document when there is none,
-- which takes nothing away from the change.
local function judge_after(context, judging)
  local ok, after, message, code, native
  ok, after, message, code, native = xpcall(function()
    return require("keymend.diagnosis").run(context.opened, context.loaded, judging)
  end, cli.traceback)
  if ok and after then return after end
  local document = require "keymend.document"
  return nil, document.object {
    code = ok and code or "internal", native = ok and native ~= 0 and native or document.null,
    message = "the change is done and stands, but the target cannot be diagnosed after it: "
      .. (ok and message or after),
  }
end

-- The outcome in people's words.
local OUTCOME = {
  untouched = "Nothing was changed.", ["rolled-back"] = "It failed, and everything is as it was before.",
  attention = "It failed and could not be put back. The key files stand in the store or in the vault named above: "
    .. "touch neither, mend the cause (see the message), then run keymend recover.",
}

-- Tells of services that did not start or stop, for changes that are not judged afterwards: the status they give, and
-- their findings.
local function tell_services(context, results)
  local list = use.findings(results)
  if #list > 0 and not context.options.json then
    local page = context:page()
    page:blank()
    report.findings(page, list)
  end
  return #list > 0 and EXIT.findings or 0, list
end

-- The findings for the document, behind those that are there.
local function add_findings(parts, list)
  parts.findings = parts.findings or {}
  for _, one in ipairs(require("keymend.document").findings(list)) do table.insert(parts.findings, one) end
end

-- A failed change: prints what became of the target; the exit status. became: in other words than OUTCOME.
local function failed(context, result, parts, left, became)
  local message, code, native, outcome = result[2], result[3], result[4], result[5] or "untouched"
  local results = type(result[6]) == "table" and result[6].services or nil
  became = became or OUTCOME[outcome]
  if not context.options.json and became then context:page():text_block(became) end
  -- A service that took no stop has the key that is in the store again.
  local status, list = tell_services(context, use.not_started(results))
  if context.options.json then
    parts.service_results = require("keymend.document").service_results(results)
    add_findings(parts, list)
  end
  parts.exit = outcome == "attention" and 0 or left
  if outcome ~= "attention" and status > 0 then parts.exit = status end
  if code == "not-found" and outcome == "untouched" then code = "refused" end
  if cli.status_of(code, outcome) == EXIT.refused then message = "refused: " .. message end
  return context:fail(message, code, native, outcome, parts)
end

local function deferred(context, names)
  return facts.services_deferred(context.opened:info()) and names and #names > 0 or false
end

-- Whether a running Windows holds another machine GUID in memory than the registry, since this transaction changed it.
local function is_stale(context, txn)
  return txn ~= nil and txn.guid_after ~= nil and not facts.services_deferred(context.opened:info())
end

-- Whether a restart of Windows or a deferred start of services is due.
local function restart_due(context, txn)
  return deferred(context, txn.start) or use.restart_due(txn.services) or is_stale(context, txn)
end

-- What is left to do for the services: a line of its own.
local function print_next(context, page, start, results, stale)
  if stale then
    page:item("Next:", "restart Windows: programs keep the machine GUID that they have read.",
      { indent = 7, style = "warning" })
  elseif context.options["no-services"] and not facts.services_deferred(context.opened:info()) then
    page:item("Next:", "restart the services that use the key; they were left alone.", { indent = 7 })
  elseif deferred(context, start) then
    page:item("Next:", "start this Windows; at its boot it starts " .. report.listed(start) .. ".", { indent = 7 })
  elseif use.restart_due(results) then
    page:item("Next:", ("restart Windows: %s cannot be stopped while it runs."):format(
      use.names(use.not_stopped(results))), { indent = 7, style = "warning" })
  end
end

-- after: the diagnosis, or nil.
local function print_done(context, txn, after)
  local page = context:page()
  if not context.options.quiet then page:blank() end
  page:line(("Done: transaction %s."):format(txn.id), "good")
  print_next(context, page, txn.start, txn.services, is_stale(context, txn))
  page:item("Undo:", "", { indent = 7 })
  page:line("  " .. context:command("undo", txn.id))
  if not after then
    tell_services(context, txn.services)
    return
  end
  page:blank()
  page:heading "The target now"
  report.diagnosis(page, after, { quiet = true })
end

-- Why the plan would cut the administrator's own session, or nil. Windows names the session of a Remote Desktop
-- "RDP-Tcp#N".
local function cuts_session(context, plan)
  local session = os.getenv "SESSIONNAME" or ""
  if context.opened:info().backend ~= "live" or not session:upper():find "^RDP%-" then return nil end
  for _, name in ipairs(plan.stop) do
    if name:lower() == "termservice" then
      if context.options.disconnect then return plan:overrule "--disconnect" end
      return ("the plan stops TermService, and this session (%s) comes over Remote Desktop: it would be cut, perhaps "
        .. "for good. Work at the console, or give --disconnect"):format(core.escape(session))
    end
  end
end

function M.apply(context)
  local diagnosis, status = context:diagnose(true)
  if not diagnosis then return status end
  local parts = context.options.json and context:diagnosis_parts(diagnosis) or {}
  local plan
  plan, status = plan_to_apply(context, diagnosis, parts)
  if not plan then return status end
  if context.options.json then parts.plan = require("keymend.document").plan(plan) end
  local obstacle = plan:obstacle() or cuts_session(context, plan)
  if obstacle then
    parts.exit = judge.left(diagnosis)
    return context:fail("refused: " .. obstacle, "refused", nil, "untouched", parts)
  end
  local agreed
  agreed, status = confirm(context, { text = "Apply this plan?", look = "the plan" },
    function(page) require("keymend.plan").print(page, plan) end, parts)
  if not agreed then return status end
  local progress, flush = progress_on(context, ("Applying %s"):format(report.plural(#plan.steps, "step")))
  local result = { plan:apply { progress = progress } }
  flush()
  if not result[1] then return failed(context, result, parts, judge.left(diagnosis)) end
  context.changed = true
  local txn = result[1]
  local after, problem = judge_after(context, {
    command = diagnosis.facts.options.command, service_results = txn.services, undo = context:command("undo", txn.id),
  })
  status = after and judge.left(after) or EXIT.findings
  if context.options.json then
    parts = after and context:diagnosis_parts(after, { plan = parts.plan }) or { plan = parts.plan }
    parts.transaction, parts.error = require("keymend.document").transaction(txn), problem
    parts.service_results = require("keymend.document").service_results(txn.services)
    if not after then add_findings(parts, use.findings(txn.services)) end
    parts.changed, parts.restart_due, parts.exit = true, restart_due(context, txn), status
    return context:document(parts)
  end
  print_done(context, txn, after)
  if problem then context:say(problem.message, true) end
  return context:status(status, { changed = true, restart_due = restart_due(context, txn) })
end

-- ---- undo ----

-- The transactions of `history` in this state.
local function states(history, state)
  local list = {}
  for _, txn in ipairs(history or {}) do
    if txn.state == state then list[#list + 1] = txn end
  end
  return list
end

-- The newest transaction that can be undone.
local function newest_committed(history)
  for index = #history, 1, -1 do
    if history[index].state == "committed" then return history[index].id end
  end
end

local function history_of(context)
  local history, message, code, native = context.opened:history()
  if not history then
    if code == "forged" then message = "refused: " .. message end
    return nil, context:fail(message, code, native)
  end
  return history
end

function M.undo(context)
  local target, status = context:open(true)
  if not target then return status end
  local history
  history, status = history_of(context)
  if not history then return status end
  local parts = context.options.json
    and { findings = require("keymend.document").findings(context:report_open(history)) } or {}
  if not context.options.json then context:report_open(history) end
  local id = context.arguments[1] or newest_committed(history)
  if not id then
    return context:fail("refused: there is no transaction to undo on this target; see keymend history", "refused", nil,
      "untouched", parts)
  end
  local known = false
  for _, txn in ipairs(history) do known = known or txn.id == id end
  if not known then
    return context:fail(("refused: there is no transaction %s on this target; see keymend history"):format(id),
      "refused", nil, "untouched", parts)
  end
  local progress, flush = progress_on(context, #states(history, "unreadable") == 0 and "Undoing " .. id or nil)
  local result = { target:undo(id, { progress = progress }) }
  flush()
  if not result[1] then return failed(context, result, parts, 0) end
  context.changed = true
  local txn, page = result[1], not context.options.json and context:page()
  if page then
    if not context.options.quiet then page:blank() end
    page:text_block(("Undone: transaction %s; the %s as %s before it."):format(id,
      txn.guid_after and "machine GUID is" or "key files are", txn.guid_after and "it was" or "they were"), 0, "good")
    local stale = is_stale(context, txn)
    if stale or use.restart_due(txn.services) then
      print_next(context, page, txn.start, txn.services, stale)
    end
  end
  local list
  status, list = tell_services(context, txn.services)
  parts.changed, parts.restart_due, parts.exit = true, restart_due(context, txn), status
  if page then return context:status(status, parts) end
  add_findings(parts, list)
  parts.transaction = require("keymend.document").transaction(txn)
  parts.service_results = require("keymend.document").service_results(txn.services)
  return context:document(parts)
end

-- ---- recover ----

function M.recover(context)
  local target, status = context:open(true)
  if not target then return status end
  local history = target:history()
  local progress, flush = progress_on(context)
  local result = { target:recover { progress = progress } }
  flush()
  local parts = {}
  if not result[1] then
    local untried = #states(history, "unreadable") > 0 and #states(history, "open") == 0
    return failed(context, result, parts, 0, untried and "Nothing was tried, and nothing was changed." or nil)
  end
  local count, results = result[1], result[3]
  context.changed = count > 0
  local stale
  for _, txn in ipairs(count > 0 and states(history, "open") or {}) do stale = stale or is_stale(context, txn) end
  parts.recovered, parts.changed, parts.restart_due = count, count > 0, use.restart_due(results) or stale or false
  if context.options.json then
    local list
    parts.exit, list = tell_services(context, results)
    add_findings(parts, list)
    parts.service_results = require("keymend.document").service_results(results)
    return context:document(parts)
  end
  local page = context:page()
  if count == 0 then
    page:line "Nothing to recover: no transaction was interrupted."
  else
    page:line(("Recovered: %s."):format(report.plural(count, "transaction")), "good")
    page:line "See what the target is like now:"
    page:line("  " .. context:command "diagnose")
    print_next(context, page, nil, results, stale)
  end
  return context:status(tell_services(context, results), parts)
end

-- ---- history ----

-- The transaction `id` as history has it; nil where history cannot be read or does not know it.
local function transaction_of(context, id)
  local history = context.opened:history()
  context.reported = context:report_open(history or {})
  for _, txn in ipairs(history or {}) do
    if txn.id == id then return txn end
  end
end

local function purge(context, id)
  local before = transaction_of(context, id)
  local parts = { findings = require("keymend.document").findings(context.reported) }
  if before and before.state ~= "purged" then
    local agreed, status = confirm(context, {
      text = "Empty its vault? It cannot be undone after that.", look = "keymend history",
    }, function(page) report.transaction(page, before) end, parts)
    if not agreed then return status end
  end
  local ok, message, code, native = context.opened:purge(id)
  if not ok then
    if code == "not-found" then code = "refused" end
    if cli.status_of(code) == EXIT.refused then message = "refused: " .. message end
    return context:fail(message, code, native, nil, parts)
  end
  local changed = not before or before.state ~= "purged"
  context.changed = changed
  parts.exit, parts.changed = 0, changed
  if context.options.json then return context:document(parts) end
  context:page():line((changed and "Purged: the vault of transaction %s is empty; it cannot be undone any more."
    or "Transaction %s was purged before: its vault is empty."):format(id))
  return context:status(0, { changed = changed })
end

function M.history(context)
  local target, status = context:open(context.options.purge ~= nil)
  if not target then return status end
  if context.options.purge then return purge(context, context.options.purge) end
  local history, message, code, native = target:history()
  if not history then
    if code ~= "forged" then return context:fail(message, code, native) end
    context:say(message)
    if not context.options.json then
      context:page():line "Whether there are transactions is not known (see the message)."
      return context:status(EXIT.findings, {})
    end
    history = {}
  end
  local open = context:report_open(history)
  if context.options.json then
    local document = require "keymend.document"
    local list = {}
    for index, txn in ipairs(history) do list[index] = document.transaction(txn) end
    local problem = message and document.object { code = code, message = message } or nil
    return context:document {
      exit = problem and EXIT.findings or 0, history = list, findings = document.findings(open), error = problem,
    }
  end
  local page = context:page()
  if #history == 0 then page:line "No transaction of keymend on this target." end
  for index, txn in ipairs(history) do
    if index > 1 and not context.options.quiet then page:blank() end
    report.transaction(page, txn, { quiet = context.options.quiet })
  end
  return EXIT.done
end

return M
