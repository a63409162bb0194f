-- lint.lua: what can be said of a policy's text without running its functions: names that mean nothing there
--
-- A policy whose functions are not called at once (rules, checks) may hold names that the policy's state does not have;
-- they would raise only on the volume where they matter. Lua's compiler tells every global that a text uses: the text
-- is compiled by this program's own Lua and the result read, never run. The format is that of Lua 5.1's ldump.c.

local spelling = require "keymend.spelling"

local M = {}

local OP_GETGLOBAL, OP_GETTABLE, OP_SETGLOBAL = 5, 6, 7
local CONSTANT = 256 -- an operand from here on is a constant
local KINDS = { [0] = "nil", "boolean", [3] = "number", [4] = "string" }

-- ---- Reading compiled Lua ----

local Reader = {}
Reader.__index = Reader

function Reader:number(size)
  local value = 0
  for index = size - 1, 0, -1 do
    local place = self.big and self.at + size - 1 - index or self.at + index
    value = value * 256 + self.data:byte(place)
  end
  self.at = self.at + size
  return value
end

function Reader:text()
  local length = self:number(self.sizes.pointer)
  local text = self.data:sub(self.at, self.at + length - 2)
  self.at = self.at + length
  return length > 0 and text or nil
end

function Reader:list(read)
  local list = {}
  for index = 0, self:number(self.sizes.int) - 1 do list[index] = read(self) end
  return list
end

local function read_code(reader) return reader:number(reader.sizes.code) end
local function read_int(reader) return reader:number(reader.sizes.int) end

local function read_constant(reader)
  local kind = KINDS[reader:number(1)]
  if kind == "string" then return reader:text() or "" end
  if kind == "boolean" then reader.at = reader.at + 1 end
  if kind == "number" then reader.at = reader.at + reader.sizes.number end
  return false
end

local function read_local(reader)
  reader:text()
  read_int(reader)
  read_int(reader)
end

-- iABC: 6 bits operation, 8 A, 9 C, 9 B; Bx is C and B together.
local function split(code)
  local rest = math.floor(code / 64)
  local a = rest % 256
  local bx = math.floor(rest / 256)
  return code % 64, a, math.floor(bx / 512), bx % 512, bx
end

local read_function

-- The globals of one function, given to take(name, line, "get" or "set", field).
local function globals_of(code, constants, lines, take)
  for index = 0, #code do
    local operation, a, _, _, bx = split(code[index])
    local field
    if operation == OP_GETGLOBAL and code[index + 1] then
      local next_operation, _, b, c = split(code[index + 1])
      if next_operation == OP_GETTABLE and b == a and c >= CONSTANT then field = constants[c - CONSTANT] or nil end
    end
    if operation == OP_GETGLOBAL or operation == OP_SETGLOBAL then
      take(constants[bx], lines[index] or 0, operation == OP_GETGLOBAL and "get" or "set", field)
    end
  end
end

function read_function(reader)
  reader:text()
  read_int(reader)
  read_int(reader)
  reader.at = reader.at + 4 -- upvalues, parameters, varargs, stack
  local code = reader:list(read_code)
  local constants = reader:list(read_constant)
  reader:list(read_function)
  local lines = reader:list(read_int)
  reader:list(read_local)
  reader:list(reader.text)
  if code[0] then globals_of(code, constants, lines, reader.take) end
end

-- Calls take(name, line, how, field) for every use of a global in a text that compiles; how: "get" or "set"; field:
-- the name that is looked up in it at once, or nil.
function M.each_global(text, take)
  local chunk = assert(loadstring(text, "=text"))
  local data = string.dump(chunk)
  local reader = setmetatable({ data = data, at = 13, big = data:byte(7) == 0, take = take, sizes = {
    int = data:byte(8), pointer = data:byte(9), code = data:byte(10), number = data:byte(11),
  } }, Reader)
  read_function(reader)
end

-- ---- What a policy has ----

-- Runs in the policy's state: { name = true, or { field = true } for a table }.
local NAMES = [[
local names = {}
for name, value in pairs(_G) do
  names[name] = true
  if type(value) == "table" and name ~= "_G" then
    names[name] = {}
    for field in pairs(value) do
      if type(field) == "string" then names[name][field] = true end
    end
  end
end
return names
]]

local function keys_of(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- Where else such a name would be found, or "".
local ELSEWHERE = {
  io = "a policy reads no files", os = "a policy does not reach the system", require = "a policy is one file",
  load = "a policy is one file", loadstring = "a policy is one file", dofile = "a policy is one file",
  print = "a policy prints nothing; give reasons in what its functions return",
}

-- What is wrong in the text of a loaded policy: { { line, text } }, in the order of lines.
function M.problems(policy)
  local names, message = policy.state:run(NAMES, "=names")
  if not names then return { { line = 0, text = message } } end
  local list, told = {}, {}
  local function add(line, text)
    if told[line .. text] then return end
    told[line .. text] = true
    list[#list + 1] = { line = line, text = text }
  end
  M.each_global(policy.text, function(name, line, how, field)
    local known = names[name]
    if how == "set" then
      add(line, ('"%s" is set as a global: write "local %s"'):format(name, name))
    elseif not known then
      local hint = ELSEWHERE[name] and "; " .. ELSEWHERE[name] or spelling.hint(name, keys_of(names))
      add(line, ('there is no "%s" in a policy%s'):format(name, hint))
    elseif field and type(known) == "table" and names[name].rule == nil and not known[field] and next(known) then
      add(line, ('there is no "%s.%s" in a policy%s'):format(name, field, spelling.hint(field, keys_of(known))))
    end
  end)
  table.sort(list, function(a, b)
    if a.line ~= b.line then return a.line < b.line end
    return a.text < b.text
  end)
  return list
end

return M
