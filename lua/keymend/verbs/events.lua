-- events.lua: the verb events: dated evidence from the event logs, newest first

local core = require "keymend.core"
local cli = require "keymend.cli"
local events = require "keymend.events"
local report = require "keymend.report"

local EXIT = cli.exit
local MAX_COUNT = 100000
local M = {}

-- ---- What is asked for ----

local function time_option(context, name)
  local text = context.options[name]
  if not text then return nil end
  local seconds, ticks = core.time_parse(text)
  if seconds then return ticks end
  return nil, context:fail(("--%s: %s"):format(name, ticks), "usage")
end

local function whole_number(text, least, most)
  local number = text:find "^%d+$" and tonumber(text)
  return number and number >= least and number <= most and number or nil
end

-- The query of the options, or nil and the exit status.
local function query_of(context)
  local given = context.options
  local query = { logs = given.log, source = given.source }
  for _, name in ipairs { "since", "until" } do
    local ticks, status = time_option(context, name)
    if status then return nil, status end
    query[name == "since" and "from" or "to"] = ticks
  end
  for _, text in ipairs(given.id or {}) do
    local id = whole_number(text, 0, 65535)
    if not id then
      return nil, context:fail(("--id %s: an event id is a number from 0 to 65535"):format(text), "usage")
    end
    query.ids = query.ids or {}
    table.insert(query.ids, id)
  end
  if given.count then
    query.count = whole_number(given.count, 1, MAX_COUNT)
    if not query.count then
      return nil, context:fail(("--count %s: give a number from 1 to %d"):format(given.count, MAX_COUNT), "usage")
    end
  end
  return query
end

-- The services of the policies that apply, as events name them; nil when they cannot be known, so that all count.
local function names_of(context)
  local loaded, status = context:policies()
  if not loaded then return nil, status end
  local handle = context.opened:services()
  if not handle then return nil end
  local rules, graph = require "keymend.rules", require("keymend.graph").new(handle:list())
  local facts = { info = context.opened:info(), services = function() return { handle = handle, graph = graph } end }
  local chosen = {}
  for _, policy in ipairs(loaded) do
    if rules.applies(policy.applies, facts) then
      for _, service in ipairs(graph:reach(graph:fitting(policy.service_patterns), policy.services.dependents)) do
        chosen[#chosen + 1] = service
      end
    end
  end
  return #chosen > 0 and events.names(chosen) or nil
end

-- ---- Output ----

local STYLE = { error = "error", warning = "warning", ["audit-failure"] = "warning" }

local function print_event(page, one)
  local of = one.service and ", " .. one.service or ""
  local recovered = one.recovered and ", recovered" or ""
  page:item(events.time(one), ("%s %d%s (%s, %s%s)"):format(one.source, one.id, of, one.log, one.type, recovered),
    { style = STYLE[one.type], text_style = "strong" })
  for _, text in ipairs { one.text, one.words or "", one.means or "" } do
    if text ~= "" then page:text_block(text, 4) end
  end
end

local function logs_text(result)
  local names = {}
  for index, one in ipairs(result.logs) do names[index] = one.log end
  return #names == 1 and "the log " .. names[1] or "the logs " .. table.concat(names, ", ")
end

local function print_events(context, result)
  local page = context:page()
  if not context.options.quiet then
    page:heading(result.signals and "Events that tell of machine keys, newest first" or "Events, newest first")
  end
  for _, one in ipairs(result.found) do print_event(page, one) end
  if #result.found == 0 then
    page:text_block("there is no such event in " .. logs_text(result), 2)
    if result.signals then
      page:text_block("A log may have been cleared, or have overwritten its old events. --source and --id look for "
        .. "others.", 2, "faint")
    end
  end
  if result.more then
    page:text_block(("there are more; --count shows more than %s"):format(report.plural(#result.found, "event")), 2)
  end
  for _, one in ipairs(result.logs) do
    if one.problem then
      page:text_block(("the log %s: %s"):format(one.log, one.problem), 2, "warning")
    end
  end
end

function M.events(context)
  local query, target, status
  query, status = query_of(context)
  if not query then return status end
  target, status = context:open()
  if not target then return status end
  local open = context:report_open()
  query.names, status = names_of(context)
  if status then return status end
  local result, message, code, native = events.read(target, query)
  if not result then return context:fail(message, code, native) end
  if context.options.json then
    local document = require "keymend.document"
    return context:document {
      exit = EXIT.done, events = document.events(result), findings = document.findings(open),
    }
  end
  print_events(context, result)
  return EXIT.done
end

return M
