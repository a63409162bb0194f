-- report.lua: the verb report: the whole case on one page, with the timeline; it changes nothing

local core = require "keymend.core"
local facts = require "keymend.facts"
local judge = require "keymend.verbs.judge"
local timeline = require "keymend.timeline"

local M = {}

-- No page of keymend is larger; a file that is may not be replaced.
local MAX_PAGE = 64 * 1024 * 1024
local BEGINNING = 2048
local EACCES = 13

-- Why the file at `path` may not be replaced, or nil: when there is none, it is empty, or it is a page of keymend's.
-- Opened for writing too, so that a FIFO does not wait; what is no ordinary file the core refuses.
local function in_the_way(path)
  local file, _, errno = io.open(path, "r+b")
  if not file then
    if errno ~= EACCES then return nil end
    file = io.open(path, "rb")
    if file then file:close() end
    return file and "it is there and may not be written" or nil
  end
  local size = file:seek "end"
  local text = size and size > 0 and size <= MAX_PAGE and file:seek "set" and file:read(BEGINNING)
  file:close()
  if not size or size == 0 then return nil end
  local mark = ('content="%s" name="generator"'):format(require("keymend.html").GENERATOR)
  if text and text:find(mark, 1, true) then return nil end
  return "it is there and is no report of keymend"
end

-- Writes the page, as a whole or not at all: nil, or the exit status.
local function save(context, diagnosis, path)
  local why = in_the_way(path)
  if why then
    return context:fail(('refused: the report cannot be saved: "%s": %s; give another name, or remove it first'):format(
      path, why), "refused")
  end
  local saved, message, code, native = core.save_file(path, require("keymend.html").page(diagnosis), context:folders())
  if saved then return nil end
  return context:fail((code == "refused" and "refused: " or "") .. "the report cannot be saved: " .. message, code,
    native)
end

-- ---- Text ----

local function print_plan(page, plan)
  if #plan.steps == 0 then return end
  page:blank()
  page:heading "Plan"
  require("keymend.plan").print_steps(page, plan)
  require("keymend.plan").print_services(page, plan)
end

local function transactions(page, diagnosis)
  local history = diagnosis.facts.history or {}
  if #history == 0 then return end
  page:blank()
  page:heading "Transactions, oldest first"
  for _, txn in ipairs(history) do require("keymend.report").transaction(page, txn) end
end

local function print_text(context, diagnosis)
  local page = context:page()
  require("keymend.report").diagnosis(page, diagnosis, {
    quiet = context.options.quiet,
    picture = function() timeline.print(page, timeline.of(diagnosis)) end,
  })
  if context.options.quiet then return end
  print_plan(page, require("keymend.plan").from_diagnosis(diagnosis))
  transactions(page, diagnosis)
end

-- ---- JSON ----

local function document_part(diagnosis)
  local null = require("keymend.document").null
  local list, of = {}, timeline.of(diagnosis)
  for _, part in ipairs { of, of.undated } do
    for _, item in ipairs(part) do
      local row = {
        time = (item.time or item.ticks) and facts.time(item.time, item.ticks) or null, time_ticks = item.ticks,
        kind = item.kind, class = item.class or null, text = item.text, name = item.name or null,
        container = item.container or null, plan = item.plan or null, certain = item.certain or false,
        why_not = item.why_not or null,
      }
      list[#list + 1] = row
    end
  end
  return { list = list, more_events = of.more_events }
end

function M.report(context)
  local path = context.options.html
  local diagnosis, status = context:diagnose()
  if not diagnosis then return status end
  if path then
    local failed = save(context, diagnosis, path)
    if failed then return failed end
  end
  status = judge.left(diagnosis)
  if context.options.json then
    return context:document(context:diagnosis_parts(diagnosis, {
      exit = status, timeline = document_part(diagnosis), saved = path,
    }))
  end
  if not path or context.options.text then print_text(context, diagnosis) end
  if path and not context.options.quiet then
    if context.options.text then context:page():blank() end
    context:page():line(("The report is in %s. Nothing has been changed."):format(path))
  end
  return status
end

return M
