-- judge.lua: the verbs diagnose and plan; they change nothing

local cli = require "keymend.cli"

local EXIT = cli.exit
local M = {}

-- Findings of warning or worse.
function M.left(diagnosis)
  return diagnosis:grave "warning" and EXIT.findings or 0
end

function M.diagnose(context)
  local diagnosis, status = context:diagnose()
  if not diagnosis then return status end
  status = M.left(diagnosis)
  if context.options.json then
    return context:document(context:diagnosis_parts(diagnosis, { exit = status }))
  end
  require("keymend.report").diagnosis(context:page(), diagnosis, { quiet = context.options.quiet })
  return status
end

-- Faults of files in a container that the plan mends are only info once it is mended.
local SETTLED = {
  ["key.damaged"] = true, ["key.name-mismatch"] = true, ["key.keyless"] = true, ["key.disproved"] = true,
  ["key.foreign-owner"] = true, ["key.hard-link"] = true, ["key.reparse"] = true, ["key.stray"] = true,
  ["service.running-orphaned"] = true, ["onset.contradiction"] = true,
  ["key.era-contradiction"] = true,
}

-- Whether the plan starts every service that a finding names.
local function is_restarted(one, plan)
  local starts = {}
  for _, name in ipairs(plan.start) do starts[name:lower()] = true end
  for _, name in ipairs(one.services or {}) do
    if not starts[name:lower()] then return false end
  end
  return one.services ~= nil
end

-- What of warning or worse stays although the plan is applied.
function M.left_by_plan(diagnosis, plan)
  local finding = require "keymend.finding"
  local mended = {}
  for _, case in ipairs(diagnosis.cases) do
    if case.verdict.adopt or case.verdict.restore or case.verdict.grant then mended[case.hash] = true end
  end
  for _, one in ipairs(diagnosis.findings) do
    local settled = mended[one.hash or ""] and (one.fixable or SETTLED[one.id]) or is_restarted(one, plan)
      or one.fixable and plan:restored() and not one.hash
    if finding.at_least(one, "warning") and not settled then return EXIT.findings end
  end
  return 0
end

-- Prints why there is no plan; the exit status.
function M.refuse(context, diagnosis, message, parts)
  if not context.options.json then
    require("keymend.report").diagnosis(context:page(), diagnosis, { quiet = true })
  end
  parts = context:diagnosis_parts(diagnosis, parts)
  parts.exit = M.left(diagnosis)
  return context:fail("refused: " .. message, "refused", nil, "untouched", parts)
end

-- Prints that there is nothing to do; the exit status.
function M.nothing(context, diagnosis)
  local status = M.left(diagnosis)
  local path = context.options.save
  if context.options.json then
    return context:document(context:diagnosis_parts(diagnosis, {
      exit = status, plan = require("keymend.document").plan(require("keymend.plan").from_diagnosis(diagnosis)),
      saved = path and require("keymend.document").null,
    }))
  end
  require("keymend.report").diagnosis(context:page(), diagnosis, { quiet = true })
  if not context.options.quiet then
    context:page():blank()
    context:page():line(#diagnosis.policies == 0 and "Nothing was judged." or status == 0 and "Nothing to do."
      or "There is nothing that apply could mend.")
  end
  if path then context:page():line(("There is no plan to save; %s was not written."):format(path)) end
  return status
end

local function print_plan(context, plan)
  local page = context:page()
  if context.options.manual then
    require("keymend.manual").print(page, plan)
    return
  end
  require("keymend.plan").print(page, plan)
  if context.options.quiet then return end
  page:blank()
  if context.options.save then
    page:line(("Saved as %s. Nothing has been changed. To do it:"):format(context.options.save))
    page:line("  " .. context:command("apply", "--plan", context.options.save))
  elseif not plan.blocked and not plan:services_obstacle() then
    page:line "Nothing has been changed. To do it:"
    page:line("  " .. context:command "apply")
  end
end

function M.plan(context)
  local diagnosis, status = context:diagnose()
  if not diagnosis then return status end
  local plan, message = require("keymend.plan").make(diagnosis)
  if not plan then return M.refuse(context, diagnosis, message) end
  if #plan.steps == 0 then return M.nothing(context, diagnosis) end
  if context.options.save then
    local saved, why, code, native = plan:save(context.options.save, context:folders())
    if not saved then
      if code == "refused" then why = "refused: " .. why end
      return context:fail(why, code, native)
    end
  end
  status = M.left_by_plan(diagnosis, plan) + ((plan.blocked or plan:services_obstacle()) and EXIT.refused or 0)
  if context.options.json then
    return context:document(context:diagnosis_parts(diagnosis, {
      exit = status, plan = require("keymend.document").plan(plan), saved = context.options.save,
    }))
  end
  print_plan(context, plan)
  return status
end

return M
