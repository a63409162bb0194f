-- tag.lua: elements of a page as Lua calls: tag.p { class = "note", "text", tag.b { name } }
--
-- Every text is escaped: first as for a terminal (control and bidi characters become visible), then for HTML; so
-- nothing that comes from a target can be taken for markup. Only nodes, which these calls make, go in as they are.
-- Attributes stand in alphabetic order, and true is an attribute without a value; false and nil are left out.

local core = require "keymend.core"

local M = {}

local Node = {}
Node.__index = Node
Node.__tostring = function(node) return node.text end

local ENTITY = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escape(text)
  return (core.escape(tostring(text)):gsub("[&<>\"']", ENTITY))
end

-- Elements that have no end.
local VOID = { meta = true, link = true, wbr = true, br = true }

local function attributes(given)
  local names, parts = {}, {}
  for name, value in pairs(given) do
    if type(name) == "string" and value then names[#names + 1] = name end
  end
  table.sort(names)
  for index, name in ipairs(names) do
    local value = given[name]
    parts[index] = value == true and " " .. name or (' %s="%s"'):format(name, escape(value))
  end
  return table.concat(parts)
end

-- A list of texts, nodes, lists, nil and false, as one text.
local function content(parts, list)
  for index = 1, table.maxn(list) do
    local one = list[index]
    if getmetatable(one) == Node then
      parts[#parts + 1] = one.text
    elseif type(one) == "table" then
      content(parts, one)
    elseif one then
      parts[#parts + 1] = escape(one)
    end
  end
  return parts
end

local function element(name, given)
  local open = "<" .. name .. attributes(given) .. ">"
  if VOID[name] then return setmetatable({ text = open }, Node) end
  return setmetatable({ text = open .. table.concat(content({}, given)) .. "</" .. name .. ">" }, Node)
end

-- Text of this program itself that goes in unescaped (the style sheet).
function M.raw(text)
  return setmetatable({ text = text }, Node)
end

-- Texts with a line break between them, for pre.
function M.lines(list)
  local out = {}
  for index, text in ipairs(list) do
    if index > 1 then out[#out + 1] = M.raw "\n" end
    out[#out + 1] = text
  end
  return out
end

-- Nodes and texts one after the other.
function M.list(parts)
  return setmetatable({ text = table.concat(content({}, parts)) }, Node)
end

-- Text of at most `most` characters, escaped as for a terminal; what is cut off becomes an ellipsis.
function M.cut(text, most)
  text = core.escape(text)
  local count, keep = 0, nil
  for at in text:gmatch "()[%z\1-\127\192-\255][\128-\191]*" do
    count = count + 1
    if count == most then keep = at end
  end
  return count <= most and text or text:sub(1, keep - 1) .. "\226\128\166"
end

-- Characters, not bytes.
function M.length(text)
  return #text:gsub("[\128-\191]", "")
end

-- A number as SVG takes it: at most one digit behind the point, and never "-0".
function M.number(value)
  local text = ("%.1f"):format(value):gsub("%.0$", "")
  return text == "-0" and "0" or text
end

return setmetatable(M, {
  __index = function(self, name)
    local function make(given) return element(name, given) end
    rawset(self, name, make)
    return make
  end,
})
