-- hotfix.lua: the verb hotfix: the KB's file table against this Windows

local cli = require "keymend.cli"
local hotfix = require "keymend.hotfix"
local report = require "keymend.report"

local EXIT = cli.exit
local M = {}

local LABEL = 10 -- columns of "Downtime: "
local NAME, VERSION = 14, 17 -- of a file and its version in the table

local NAMED = "KB " .. hotfix.kb
local PREVENTS = "it prevents, it does not repair."

-- What is so, and what to do.
local LINES = {
  ["not-applicable"] = function(result)
    return ("%s is for Windows 2000 alone, and this is %s."):format(NAMED, report.system_text(result.info)),
      "nothing to do."
  end,
  ["in-place"] = function()
    return NAMED .. " is in place: none of its files is older here.", "nothing to do."
  end,
  ["service-pack"] = function(result)
    return ("%s needs Service Pack %d; this Windows has %s."):format(NAMED, hotfix.service_pack,
      hotfix.service_pack_text(result)), "install Service Pack 4, then it; " .. PREVENTS
  end,
  older = function(result)
    return ("%s is not in place: %d of its %d files %s older."):format(NAMED, result.older, #result.files,
      result.older == 1 and "is" or "are"), "install it or a later update; " .. PREVENTS
  end,
  unknown = function(result)
    return "whether " .. NAMED .. " is in place cannot be told.", "see below: " .. result.problem .. "."
  end,
}

local GOOD = { ["not-applicable"] = true, ["in-place"] = true }

local function first_lines(page, result)
  local cause, action = LINES[result.verdict](result)
  local good = GOOD[result.verdict]
  local function line(label, text, style)
    page:item(label, text, { indent = LABEL, style = "strong", text_style = style })
  end
  line("Hotfix:", cause, good and "good" or "warning")
  line("Action:", action)
  line("Downtime:", (good or result.verdict == "unknown") and "none." or "that of a restart of Windows.")
end

-- ---- The files ----

local STYLE = { older = "warning", unreadable = "warning", ["in-place"] = "good" }

local function state_text(file)
  if file.state == "older" then return "older than " .. file.needed end
  if file.state == "in-place" then
    return hotfix.compare(file.version, file.needed) == 0 and "the same" or "newer than " .. file.needed
  end
  if file.state == "absent" then
    return file.some and "not every Windows 2000 has it" or "every Windows 2000 should have it"
  end
  return "needed: " .. file.needed
end

local WORDS = { absent = "absent", unreadable = "unreadable" }

local function file_lines(page, file)
  local version = file.version or WORDS[file.state]
  page:item(("  %-" .. NAME .. "s%-" .. VERSION .. "s"):format(file.name, version), state_text(file),
    { indent = 2 + NAME + VERSION, text_style = STYLE[file.state] })
  if file.problem then page:text_block(file.problem, 4) end
end

local function print_result(context, result)
  local page, info = context:page(), result.info
  first_lines(page, result)
  if context.options.quiet then return end
  page:blank()
  page:item("Target:", report.system_text(info), { indent = LABEL, style = "strong" })
  page:line(("%s%s, %s"):format((" "):rep(LABEL), info.windows or "", info.root and "offline at " .. info.root
    or info.backend or ""))
  if #result.files == 0 then return end
  page:blank()
  page:heading "Files of the hotfix, and their versions here"
  for _, file in ipairs(result.files) do file_lines(page, file) end
end

-- ---- The document ----

local function document_part(result)
  local document = require "keymend.document"
  local core = require "keymend.core"
  local files = {}
  local function or_null(value)
    if value == nil then return document.null end
    return value
  end
  for index, file in ipairs(result.files) do
    local written = file.written_ticks or file.written
    files[index] = {
      name = file.name, path = file.path, needed = file.needed, version = or_null(file.version), state = file.state,
      problem = or_null(file.problem), size = or_null(file.size),
      written = written and core.time_text(written) or document.null, written_ticks = file.written_ticks,
    }
  end
  return {
    kb = hotfix.kb, verdict = result.verdict, problem = or_null(result.problem), files = files,
    service_pack = result.service_pack, service_pack_needed = hotfix.service_pack,
    restart_needed = hotfix.restart and not GOOD[result.verdict],
  }
end

function M.hotfix(context)
  local target, status = context:open()
  if not target then return status end
  local list = context:report_open()
  local result = hotfix.judge(target)
  local exit = GOOD[result.verdict] and EXIT.done or EXIT.findings
  if context.options.json then
    list[#list + 1] = hotfix.finding(result, { severity = "warning" })
    return context:document {
      exit = exit, hotfix = document_part(result), findings = require("keymend.document").findings(list),
    }
  end
  print_result(context, result)
  return context:status(exit, {})
end

return M
