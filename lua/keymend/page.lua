-- page.lua: text for people: wrapped to the terminal's width, coloured where that is wanted, always escaped
--
-- Everything that is printed passes core.escape here, so that a name from a volume cannot harm a terminal. Colour
-- only repeats what a word says. Words are never cut, and what stands in double quotes is kept on one line.

local core = require "keymend.core"

local M = {}

-- Where there is no terminal; and no line of text is longer, since longer ones are hard to read.
M.WIDTH = 80
M.WIDEST = 100

local CODES = { error = "31;1", warning = "33;1", info = "36", good = "32;1", strong = "1", faint = "2" }

local Page = {}
Page.__index = Page

-- options: write (function(text)), width, colour
function M.new(options)
  return setmetatable({
    write = options.write, width = options.width or M.WIDTH, colour = options.colour or false,
  }, Page)
end

-- A page that keeps its text: page:text().
function M.buffer(width)
  local parts = {}
  local page = M.new { width = width, write = function(text) parts[#parts + 1] = text end }
  function page.text() return table.concat(parts) end
  return page
end

-- Text with its line breaks and tabs kept and all else escaped.
function M.lines(text)
  return (text:gsub("[^\n\t]+", core.escape))
end

-- Characters, not bytes; combining and wide ones are counted as one.
function M.length(text)
  return #text:gsub("[\128-\191]", "")
end

function Page:paint(text, style)
  if not self.colour or not style or text == "" then return text end
  return ("\27[%sm%s\27[0m"):format(CODES[style], text)
end

-- Splits at spaces, but not inside double quotes.
local function words(text)
  local list, at = {}, 1
  while true do
    local first = text:find("%S", at)
    if not first then return list end
    local last, quoted = first, false
    while last <= #text do
      local char = text:sub(last, last)
      if char == '"' then quoted = not quoted end
      if char:find "%s" and not (quoted and text:find('"', last, true)) then break end
      last = last + 1
    end
    list[#list + 1] = text:sub(first, last - 1)
    at = last
  end
end

local function wrap(text, width)
  local lines, line = {}, nil
  for _, word in ipairs(words(text)) do
    if line and M.length(line) + 1 + M.length(word) > width then
      lines[#lines + 1], line = line, nil
    end
    line = line and line .. " " .. word or word
  end
  lines[#lines + 1] = line or ""
  return lines
end

-- One line as it stands: commands and paths, which people copy.
function Page:line(text, style)
  self.write(self:paint(core.escape(text or ""), style) .. "\n")
end

function Page:blank()
  self.write "\n"
end

-- `label` and beside it the text, wrapped; its further lines stand under its first. The label is padded to `indent`
-- columns (default: its own length and a space). options: indent, style, text_style, rail (stands before further lines)
function Page:item(label, text, options)
  options = options or {}
  label = core.escape(label)
  local indent = options.indent or M.length(label) + 1
  local gap = (" "):rep(math.max(1, indent - M.length(label)))
  if label == "" then gap = (" "):rep(indent) end
  local width = math.max(30, self.width - indent)
  local rail = options.rail or ""
  for index, line in ipairs(wrap(core.escape(text), width)) do
    local before = index == 1 and self:paint(label, options.style) .. gap or rail .. (" "):rep(indent - #rail)
    self.write((before .. self:paint(line, options.text_style)):gsub("%s+$", "") .. "\n")
  end
end

-- Wrapped text, indented.
function Page:text_block(text, indent, style)
  self:item("", text, { indent = indent or 0, text_style = style })
end

-- A heading.
function Page:heading(text)
  self:line(text, "strong")
end

return M
