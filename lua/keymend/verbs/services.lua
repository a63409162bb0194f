-- services.lua: the verb services: who needs whom, and in which order they stop and start

local cli = require "keymend.cli"
local graph = require "keymend.graph"
local report = require "keymend.report"

local EXIT = cli.exit
local M = {}

-- The patterns asked for: the words, or those of the policies that apply.
local function patterns_of(context, handle)
  if #context.arguments > 0 then return context.arguments, true end
  local loaded, status = context:policies()
  if not loaded then return nil, status end
  local rules = require "keymend.rules"
  local facts = { info = context.opened:info(), services = function() return handle end }
  local patterns, dependents = {}, false
  for _, policy in ipairs(loaded) do
    if rules.applies(policy.applies, facts) then
      for _, pattern in ipairs(policy.service_patterns) do patterns[#patterns + 1] = pattern end
      dependents = dependents or policy.services.dependents
    end
  end
  return patterns, dependents
end

function M.services(context)
  local target, status = context:open()
  if not target then return status end
  local open = context:report_open()
  local services, message, code, native = target:services()
  if not services then return context:fail(message, code, native) end
  local whole = graph.new(services:list())
  local patterns, dependents = patterns_of(context, { handle = services, graph = whole })
  if not patterns then return dependents end
  local order
  order, message, code, native = services:order(patterns, dependents)
  if not order then return context:fail(message, code, native) end
  local chosen = whole:reach(whole:fitting(patterns), dependents)
  if context.options.json then
    local document = require "keymend.document"
    return context:document {
      exit = 0, services = document.services(whole, chosen, order), findings = document.findings(open),
    }
  end
  local page = context:page()
  if #patterns == 0 then
    page:text_block("No policy that applies here names services. Name them: keymend services NAME... (* and ? are "
      .. "patterns).")
    return EXIT.done
  end
  report.services(page, whole, chosen, order, patterns)
  return EXIT.done
end

return M
