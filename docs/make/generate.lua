#!/usr/bin/env lua5.1
-- generate.lua: writes the pages of docs/ that are made from the program's own texts; --check compares them instead
--
-- Run from the top of the tree. What is made from what:
--   docs/keymend.1       docs/make/keymend.1.in, lua/keymend/options.lua
--   docs/c-api.md        core/keymend.h
--   docs/lua-api.md, docs/lua/keymend.lua    lua/keymend/reference.lua, docs/make/types.lua
--   docs/lua/policy.lua  lua/keymend/policy_env.lua: the builders and the comments on them; docs/make/policy_types.lua
--   docs/findings.md     lua/keymend/findings.lua
-- tests/suites/docs runs it with --check.

package.preload["keymend.core"] = function() return {} end
package.path = "lua/?.lua;docs/make/?.lua;" .. package.path

local options = require "keymend.options"
local reference = require "keymend.reference"
local findings = require "keymend.findings"
local types = require "types"
local policy_types = require "policy_types"

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local Writer = {}
Writer.__index = Writer

local function writer()
  return setmetatable({}, Writer)
end

function Writer:line(format, ...)
  self[#self + 1] = select("#", ...) > 0 and format:format(...) or format or ""
end

function Writer:text()
  return (table.concat(self, "\n") .. "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n+$", "\n")
end

-- Breaks words into lines of at most `width` bytes.
local function wrap(text, width)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if line ~= "" and #line + 1 + #word > width then
      lines[#lines + 1], line = line, word
    else
      line = line == "" and word or line .. " " .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function sentence(text)
  return text:sub(1, 1):upper() .. text:sub(2) .. (text:find "[%.%?]$" and "" or ".")
end

local WARNING = "written by docs/make/generate.lua from %s; change it there"

-- ---- The manual page ----

-- Text as mdoc takes it: no line begins with a dot or an apostrophe, hyphens of options are minus signs.
local function mdoc(text)
  text = text:gsub("\\", "\\e"):gsub("%-%-", "\\-\\-")
  return (wrap(text, 78):gsub("\n([%.'])", "\n\\&%1"))
end

local function manual_verbs()
  local out = writer()
  for _, verb in ipairs(options.verbs) do
    out:line(".It Cm %s%s", verb.name, verb.arguments and " Ar " .. verb.arguments:gsub("|", "\\*(Ba") or "")
    out:line("%s", mdoc(sentence(verb.help)))
    out:line ".br"
    local names = {}
    for _, name in ipairs(verb.takes) do
      if name ~= "help" then names[#names + 1] = "\\-\\-" .. name end
    end
    out:line("%s", wrap("Options: " .. table.concat(names, ", ") .. ".", 78))
  end
  return out:text():gsub("\n$", "")
end

local function manual_options()
  local out = writer()
  for _, option in ipairs(options.options) do
    out:line(".It Fl \\-%s%s", option.name, option.value and " Ar " .. option.value:gsub("|", "\\*(Ba") or "")
    out:line("%s", mdoc(sentence(option.help)))
  end
  return out:text():gsub("\n$", "")
end

local function manual_exit()
  local out = writer()
  for _, row in ipairs(options.exit) do
    out:line(".It %s", row[1])
    out:line("%s", mdoc(sentence(row[2])))
  end
  return out:text():gsub("\n$", "")
end

local function manual()
  local parts = { VERBS = manual_verbs(), OPTIONS = manual_options(), EXIT = manual_exit() }
  return (read "docs/make/keymend.1.in":gsub("@(%u+)@", parts):gsub('\\" keymend%.1%.in:[^\n]*',
    '\\" keymend.1: ' .. WARNING:format "docs/make/keymend.1.in and lua/keymend/options.lua"))
end

-- ---- The C API ----

-- The prose of a C comment: one paragraph, or the lines of a list.
local function prose(comment)
  local out = writer()
  local text = comment:gsub("^/%*%s?", ""):gsub("%s*%*/$", "")
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do out:line("%s", (line:gsub("^%s*%* ?", ""):gsub("%s+$", ""))) end
  return (out:text():gsub("%f[%w_]([Kk][Mm]_[%w_]+)", "`%1`"):gsub("``", "`"):gsub("<([%a ]+)>", "&lt;%1&gt;")
    :gsub("\n$", ""))
end

-- The names that a piece of the header declares.
local function declared(code)
  local names, seen = {}, {}
  local function add(name)
    if not seen[name] then names[#names + 1], seen[name] = name, true end
  end
  for name in code:gmatch "KM_API[^;(]-(km_[%w_]+)%s*%(" do add(name) end
  for name in code:gmatch "}%s*(km_[%w_]+);" do add(name) end
  for name in code:gmatch "typedef [%w_ ]+ (km_[%w_]+);" do add(name) end
  for name in code:gmatch "\n?#define (KM_[%w_]+)" do add(name) end
  return names
end

local INTERNAL = { KM_API = true, KM_STATUS_SYMBOL = true }

local function piece_of(out, piece)
  local comment, code = piece:match "^(/%*.-%*/)\n(.*)$"
  if not comment then comment, code = piece:match "^(/%*.-%*/)$", "" end
  if not comment then code = piece end
  local names = {}
  for _, name in ipairs(declared(code)) do
    if not INTERNAL[name] then names[#names + 1] = "`" .. name .. "`" end
  end
  if #names > 0 then
    out:line("### %s", table.concat(names, ", "))
    out:line()
  end
  if comment then
    out:line("%s", prose(comment))
    out:line()
  end
  if #names > 0 then
    out:line "```c"
    out:line("%s", code)
    out:line "```"
    out:line()
  end
end

local function c_api()
  local header = read "core/keymend.h"
  local out = writer()
  out:line "# The C API"
  out:line()
  out:line("<!-- c-api.md: %s -->", WARNING:format "core/keymend.h")
  out:line()
  out:line "On Linux link with `-lkeymend` (`libkeymend.so`), on Windows with `keymend.dll`; the header is"
  out:line "`core/keymend.h`. A program that opens a volume and asks whether IIS has its key:"
  out:line()
  out:line "```c"
  out:line("%s", (read "docs/make/example.c":gsub("\n$", "")))
  out:line "```"
  out:line()
  out:line "## Conventions"
  out:line()
  out:line("%s", prose(header:match "^(/%*.-%*/)"):match "\n\n(.*)$")
  out:line()
  local body = header:match '#ifdef __cplusplus.-\n#endif\n(.*)\n#ifdef __cplusplus'
  for piece in (body .. "\n\n"):gmatch "%s*(.-)\n\n" do
    local title = piece:match "^/%* %-%-%-%- (.-) %-+ %*/$"
    if title then
      out:line("## %s", title)
      out:line()
    elseif not piece:find "^#if defined%(KM_API%)" then
      piece_of(out, piece)
    end
  end
  return out:text()
end

-- ---- The Lua API ----

local TYPE_ORDER = {
  "keymend", "keymend.target", "keymend.diagnosis", "keymend.plan", "keymend.transaction", "keymend.keys",
  "keymend.services", "keymend.events", "keymend.identities", "keymend.proof", "keymend.keep", "keymend.policies",
  "keymend.policy", "keymend.plans", "keymend.progress", "keymend.meter", "keymend.core",
}

local function check_order()
  local listed = {}
  for _, name in ipairs(TYPE_ORDER) do listed[name] = true end
  for name in pairs(reference) do assert(listed[name], "docs/make/generate.lua does not list the type " .. name) end
end

-- "a: x, b?: y -> z, w!" as { { name, type, optional } }, { types }, may fail
local function signature(text)
  local left, right = text:match "^(.-)%->(.*)$"
  local parameters, results = {}, {}
  for name, mark, kind in left:gmatch "([%w_%.]+)(%??): ([^,]+)" do
    parameters[#parameters + 1] = { name = name, optional = mark == "?", type = (kind:gsub("%s+$", "")) }
  end
  local fails = right:find "!" ~= nil
  for kind in right:gsub("!", ""):gmatch "[^,%s]+" do results[#results + 1] = kind end
  return parameters, results, fails
end

local CALLS = "^(%w+)[:%.]([%w_]+)"

local function lua_api()
  local out = writer()
  out:line("%s", (read "docs/make/lua-api.md.in":gsub("@WARNING@",
    WARNING:format "docs/make/lua-api.md.in, lua/keymend/reference.lua and docs/make/types.lua"):gsub("\n$", "")))
  for _, name in ipairs(TYPE_ORDER) do
    out:line()
    out:line("## %s", name)
    out:line()
    out:line "| call | gives | what it does |"
    out:line "| --- | --- | --- |"
    for _, row in ipairs(reference[name]) do
      local gives = ""
      if row[3] then
        local _, results, fails = signature(row[3]:find "%->" and row[3] or "->" .. row[3])
        gives = table.concat(results, ", ") .. (fails and ", or fails" or "")
      end
      out:line("| `%s` | %s | %s |", row[1]:gsub("|", "\\|"), (gives:gsub("|", "\\|")),
        (sentence(row[2]):gsub("|", "\\|")))
    end
  end
  out:line()
  out:line "## Plain tables"
  for _, one in ipairs(types) do
    out:line()
    out:line("### %s", (one[1]:gsub(" :", ", with the fields of")))
    out:line()
    out:line("%s.", one[2])
    out:line()
    out:line "| field | type | what it is |"
    out:line "| --- | --- | --- |"
    for index = 3, #one do
      local field = one[index]
      out:line("| `%s` | %s | %s |", field[1], (field[2]:gsub("|", " or "):gsub("%?$", " or nil")),
        (field[3]:gsub("|", "\\|")))
    end
  end
  return out:text()
end

local function definitions_of(out, name)
  local plain = {}
  out:line("---@class %s", name)
  for _, row in ipairs(reference[name]) do
    local method = row[1]:match "^[%w]+%.([%w_]+)$"
    if method and row[3] and not row[3]:find "%->" then out:line("---@field %s %s %s", method, row[3], row[2]) end
  end
  local variable = name == "keymend" and "keymend" or name:match "[^%.]+$"
  out:line("local %s = {}", variable)
  out:line()
  for _, row in ipairs(reference[name]) do
    local method = row[3] and row[3]:find "%->" and select(2, row[1]:match(CALLS))
    if method and not plain[method] then
      plain[method] = true
      local parameters, results, fails = signature(row[3])
      local names = {}
      out:line("---%s", sentence(row[2]))
      for index, one in ipairs(parameters) do
        names[index] = one.name
        out:line("---@param %s%s %s", one.name, one.optional and "?" or "", one.type)
      end
      for index, one in ipairs(results) do
        out:line("---@return %s%s", one, fails and index == 1 and "|nil" or fails and "|string" or "")
      end
      if fails then
        if #results == 1 then out:line "---@return string? message" end
        out:line "---@return string? code"
        out:line "---@return number? native"
      end
      out:line("function %s%s%s(%s) end", variable, row[1]:match "^%w+([:%.])", method, table.concat(names, ", "))
      out:line()
    end
  end
end

local function definitions()
  local out = writer()
  out:line "-- keymend.lua: LuaLS definitions of the module"
  out:line("-- %s", WARNING:format "lua/keymend/reference.lua and docs/make/types.lua")
  out:line "---@meta keymend"
  out:line "-- luacheck: ignore"
  out:line()
  out:line '---@alias keymend.severity "info"|"warning"|"error"'
  out:line '---@alias keymend.kind "rsa"|"cng"|"cng-system"'
  out:line()
  for _, one in ipairs(types) do
    out:line("---%s.", one[2])
    out:line("---@class %s", one[1])
    for index = 3, #one do
      out:line("%s", (("---@field %s %s %s"):format(unpack(one[index])):gsub(" $", "")))
    end
    out:line()
  end
  for index = #TYPE_ORDER, 1, -1 do definitions_of(out, TYPE_ORDER[index]) end
  out:line "---The target that --root opened; in scripts of `keymend run` and at the prompt."
  out:line "---@type keymend.target"
  out:line "target = nil"
  out:line()
  out:line "return keymend"
  return out:text()
end

-- ---- The builders of policies ----

-- The tables that builders take, as classes.
local function policy_classes(out)
  for _, class in ipairs(policy_types.classes) do
    out:line("---@class %s", class[1])
    for index = 2, #class do out:line("---@field %s %s %s", unpack(class[index])) end
    out:line()
  end
end

-- ---@param lines for what a builder takes.
local function policy_parameters(out, builder, parameters)
  for parameter in parameters:gmatch "[%w_]+" do
    local type_of = policy_types.parameters[builder] or policy_types.parameters[parameter]
    out:line("---@param %s %s", parameter, assert(type_of, builder .. ": docs/make/policy_types.lua lacks its type"))
  end
end

-- The comment lines directly above the line `number`, without "-- ".
local function comment_above(lines, number)
  local first = number
  while lines[first - 1] and lines[first - 1]:find "^%-%- " do first = first - 1 end
  local text = {}
  for index = first, number - 1 do text[#text + 1] = "---" .. lines[index]:sub(4) end
  return text
end

local function policy_definitions()
  local out, lines = writer(), {}
  for line in io.lines "lua/keymend/policy_env.lua" do lines[#lines + 1] = line end
  out:line "-- policy.lua: LuaLS definitions of what a policy file sees; docs/policy-language.md tells what each means"
  out:line("-- %s", WARNING:format "lua/keymend/policy_env.lua and docs/make/policy_types.lua")
  out:line "---@meta"
  out:line "-- luacheck: ignore"
  out:line()
  out:line "---@class keymend.rule"
  out:line()
  policy_classes(out)
  local count = 0
  for number, line in ipairs(lines) do
    local name, parameters = line:match "^function ([%l_]+)%(([%w_, ]*)%)"
    local value, made, comment = line:match "^([%l_]+) = (%S+).-%-%- (.*)$"
    if not value then value, made = line:match "^([%l_]+) = (%S+)" end
    if name then
      for _, text in ipairs(comment_above(lines, number)) do out:line("%s", text) end
      policy_parameters(out, name, parameters)
      out:line("---@return %s", policy_types.returns[name] or "keymend.rule")
      out:line("function %s(%s) end", name, parameters)
    elseif value then
      for _, text in ipairs(comment and {} or comment_above(lines, number)) do out:line("%s", text) end
      if comment then out:line("---%s", comment) end
      if made == "list_of" then
        policy_parameters(out, value, "rules")
        out:line "---@return keymend.rule"
        out:line("function %s(rules) end", value)
      else
        out:line "---@type keymend.rule"
        out:line("%s = nil", value)
      end
    end
    if name or value then
      count = count + 1
      out:line()
    end
  end
  assert(count > 15, "lua/keymend/policy_env.lua is written in another way")
  return out:text()
end

-- ---- Findings ----

local SEVERITIES = { "error", "warning", "info" }

local function ids()
  local list = {}
  for id in pairs(findings) do list[#list + 1] = id end
  table.sort(list)
  return list
end

local function field_marks(text)
  return (text:gsub("%%{([%w_]+)}", "*%1*"):gsub("|", "\\|"))
end

local function wordings(entry)
  local names = {}
  for name, one in pairs(entry) do
    if type(one) == "table" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function finding_page()
  local out = writer()
  out:line("%s", (read "docs/make/findings.md.in":gsub("@WARNING@",
    WARNING:format "docs/make/findings.md.in and lua/keymend/findings.lua"):gsub("\n$", "")))
  out:line()
  out:line "| id | severity | apply |"
  out:line "| --- | --- | --- |"
  for _, severity in ipairs(SEVERITIES) do
    for _, id in ipairs(ids()) do
      local entry = findings[id]
      if entry.severity == severity then
        out:line("| [`%s`](#%s) | %s | %s |", id, (id:gsub("%.", "")), severity,
          entry.fixable and "mends it" or (entry.refuses or entry.blocks) and "refuses" or "")
      end
    end
  end
  for _, id in ipairs(ids()) do
    local entry = findings[id]
    out:line()
    out:line("## %s", id)
    out:line()
    out:line("%s: %s", sentence(entry.severity):gsub("%.$", ""), field_marks(entry.text))
    out:line()
    if entry.remedy ~= "" then
      out:line("**What to do.** %s", field_marks(entry.remedy))
      out:line()
    end
    for _, name in ipairs(wordings(entry)) do
      local one = entry[name]
      out:line("- *%s*:%s%s", name, one.text and " " .. field_marks(one.text) or "",
        one.remedy and one.remedy ~= "" and " **What to do.** " .. field_marks(one.remedy) or "")
    end
  end
  return out:text()
end

-- ---- Main ----

check_order()
local PAGES = {
  { "docs/keymend.1", manual }, { "docs/c-api.md", c_api }, { "docs/lua-api.md", lua_api },
  { "docs/lua/keymend.lua", definitions }, { "docs/lua/policy.lua", policy_definitions },
  { "docs/findings.md", finding_page },
}
local differ = 0
for _, page in ipairs(PAGES) do
  local text = page[2]()
  if arg[1] ~= "--check" then
    local file = assert(io.open(page[1], "wb"))
    file:write(text)
    file:close()
  else
    local file = io.open(page[1], "rb")
    local there = file and file:read "*a"
    if file then file:close() end
    if there ~= text then
      differ = differ + 1
      print(page[1] .. " is not what docs/make/generate.lua writes: run it")
    end
  end
end
os.exit(differ == 0 and 0 or 1)
