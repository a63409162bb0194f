-- repl.lua: the session behind the interactive prompt: evaluates, prints, completes, helps
--
-- The host's C prompt (keymend.core.prompt) reads the lines; without it, in stock Lua, start() reads them plainly.
-- Nothing here writes to a target; without --write the core refuses to open one for writing.

local core = require "keymend.core"
local HELP = require "keymend.reference"

local repl = {}

local MAX_DEPTH = 6 -- nested tables
local MAX_ITEMS = 100 -- entries of one table
local MAX_LINES = 500 -- of one value
local MAX_TEXT = 2000 -- bytes of one text
local MAX_CANDIDATES = 200
local MAX_INDEX_CHAIN = 10 -- __index tables behind a value

local GENERAL = [[
Type Lua: a value is printed, and what is not finished goes on in the next line.
Local variables live for one line.
  keymend   the module              help(keymend)
  target    what --root opened      help(target), help(target.keys), help "keys"
  exit      or Ctrl-D leaves; Tab completes names
  Ctrl-C    stops what runs; a second one ends the prompt too, should a call hang]]

---- Printing ----

local function quoted(text)
  local cut = #text > MAX_TEXT and (" ... (%d bytes)"):format(#text) or ""
  text = text:sub(1, MAX_TEXT):gsub("[\"\\]", "\\%0"):gsub("\n", "\\n"):gsub("\t", "\\t")
  return '"' .. core.escape(text) .. '"' .. cut
end

-- Text with its line breaks and tabs kept, everything else that could harm a terminal escaped.
local function safe_lines(text)
  return (text:gsub("[^\n\t]+", core.escape))
end

-- What an object says of itself; nil when it says nothing.
local function own_text(value)
  if io.type(value) then return io.type(value) end -- its own text is an address
  local meta = getmetatable(value)
  if type(meta) ~= "table" or rawget(meta, "__tostring") == nil then return nil end
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or nil
end

local function plain(value)
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "number" or kind == "boolean" or kind == "nil" then return tostring(value) end
  local meta = kind == "userdata" and getmetatable(value)
  local text = own_text(value) or type(meta) == "table" and rawget(meta, "__name")
  return type(text) == "string" and core.escape(text) or kind -- never an address
end

local function key_text(key)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" then return key end
  return "[" .. plain(key) .. "]"
end

-- Keys behind the array part, texts first, in order.
local function other_keys(value, length)
  local keys = {}
  for key in next, value do
    local in_array = type(key) == "number" and key >= 1 and key <= length and key % 1 == 0
    if not in_array then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b)
    local kind_a, kind_b = type(a), type(b)
    if kind_a ~= kind_b then return kind_a > kind_b end -- "string" before "number"
    if kind_a == "string" or kind_a == "number" then return a < b end
    return false
  end)
  return keys
end

-- A time is a number with its exact ticks beside it.
local function time_note(value, key)
  local item = rawget(value, key)
  if type(key) ~= "string" or type(item) ~= "number" or rawget(value, key .. "_ticks") == nil then return "" end
  local ok, text = pcall(core.time_text, item)
  return ok and (" (%s)"):format(text) or ""
end

local render

local function table_parts(value, state, depth)
  local parts, count = {}, 0
  local function add(prefix, item, note)
    count = count + 1
    if count <= MAX_ITEMS then parts[#parts + 1] = prefix .. render(item, state, depth + 1) .. note end
  end
  local length = #value
  for index = 1, length do
    if index > MAX_ITEMS then break end
    add("", rawget(value, index), "")
  end
  count = length
  for _, key in ipairs(other_keys(value, length)) do
    add(key_text(key) .. " = ", rawget(value, key), time_note(value, key))
  end
  if count > MAX_ITEMS then parts[#parts + 1] = ("... %d more"):format(count - MAX_ITEMS) end
  return parts
end

local function lines_in(text)
  local _, count = text:gsub("\n", "")
  return count
end

local function render_table(value, state, depth)
  if state.open[value] then return "{...} (contains itself)" end
  if depth >= MAX_DEPTH then return "{...}" end
  if state.lines > MAX_LINES then return "{...} (cut)" end
  state.open[value] = true
  local parts = table_parts(value, state, depth)
  state.open[value] = nil
  local line = "{" .. table.concat(parts, ", ") .. "}"
  if #line + 2 * depth <= state.width and not line:find "\n" then return line end
  state.lines = state.lines + #parts
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

render = function(value, state, depth)
  if type(value) ~= "table" then return plain(value) end
  local text = depth > 0 and own_text(value)
  if text and lines_in(text) == 0 then return core.escape(text) end
  return render_table(value, state, depth)
end

-- The whole text of a diagnosis or plan, which have it for people.
local function report_text(value)
  local meta = getmetatable(value)
  local name = type(value) == "table" and type(meta) == "table" and rawget(meta, "__name")
  if type(name) ~= "string" or not name:match "^keymend%." then return nil end
  local ok, text = pcall(function() return value:text() end)
  return ok and type(text) == "string" and text or nil
end

-- A value as people read it: bounded in depth and size, without addresses, safe for a terminal.
function repl.show(value)
  local text = report_text(value) or own_text(value)
  if text and type(value) ~= "string" then return safe_lines(text) end
  return render(value, { open = {}, lines = 0, width = core.width() }, 0)
end

-- nil, message, code, native as one sentence.
local function show_failure(message, code, native)
  local notes = {}
  if type(code) == "string" then notes[1] = core.escape(code) end
  if type(native) == "number" and native ~= 0 then notes[#notes + 1] = tostring(native) end
  return "nil: " .. safe_lines(message) .. (#notes > 0 and " (" .. table.concat(notes, ", ") .. ")" or "")
end

-- values[2] to values[count]; some may be nil.
local function show_results(count, values)
  if values[2] == nil and type(values[3]) == "string" then return show_failure(values[3], values[4], values[5]) end
  while count > 2 and values[2] ~= nil and values[count] == nil do count = count - 1 end
  local shown, length = {}, 0
  for index = 2, count do
    local text = repl.show(values[index])
    shown[#shown + 1] = text
    length = length + #text + 2
  end
  local together = table.concat(shown, ", ")
  if length > core.width() or together:find "\n" then return table.concat(shown, "\n") end
  return together
end

---- Help ----

local function help_name(value)
  if value == nil then return nil end
  if value == package.loaded["keymend"] then return "keymend" end
  local meta = getmetatable(value)
  return type(meta) == "table" and rawget(meta, "__name") or nil
end

local function help_lines(rows)
  local lines = {}
  for _, row in ipairs(rows) do
    lines[#lines + 1] = "  " .. row[1]
    lines[#lines + 1] = "      " .. row[2]
  end
  return table.concat(lines, "\n")
end

-- Rows of any type that begin with the method or field `name`, then those of the type of that name.
local function rows_about(name)
  local rows = {}
  for _, of_type in pairs(HELP) do
    for _, row in ipairs(of_type) do
      if (row[1] .. " "):match "^%w+[:%.]([%w_]+)" == name then rows[#rows + 1] = row end
    end
  end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  for _, row in ipairs(HELP[name] or HELP["keymend." .. name] or {}) do rows[#rows + 1] = row end
  return rows
end

-- The tables that hold the functions of the module and the methods of its types, those that were used so far.
local function method_tables()
  local found = { package.loaded["keymend"] }
  local registry = debug.getregistry() -- where the core keeps the metatables of its types
  for name in pairs(HELP) do
    local module = package.loaded[name]
    local meta = registry[name] or type(module) == "table" and rawget(module, "metatable")
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(index) == "table" then found[#found + 1] = index end
  end
  return found
end

-- The name that the module has for the function or the part of it.
local function method_name(wanted)
  for _, methods in ipairs(method_tables()) do
    for name, method in next, methods do
      if rawequal(method, wanted) and type(name) == "string" then return name end
    end
  end
end

-- help(), help(object), help(object.method), help("method") -> text
function repl.help(...)
  local value = ...
  if select("#", ...) == 0 then return GENERAL end
  if value == nil then
    return "This is nil, so there is no help on it: is the name misspelt? help(target) tells the names of a target."
  end
  local rows = HELP[help_name(value)]
  if rows then return help_lines(rows) end
  local named = type(value) == "function" or type(value) == "table"
  local name = named and method_name(value) or value
  rows = type(name) == "string" and rows_about(name) or {}
  if #rows > 0 then return help_lines(rows) end
  if type(value) == "string" then
    return ("There is no help on %s. help() tells how to begin."):format(quoted(value))
  end
  return ("There is no help on this %s. help() tells how to begin."):format(type(value))
end

---- Completion ----

-- Names that may follow a value: its fields and those of the tables behind it by __index.
local function collect_names(value, found)
  for _ = 1, MAX_INDEX_CHAIN do
    if type(value) == "table" then
      for name, item in next, value do
        if type(name) == "string" and name:match "^[%a_][%w_]*$" then found[name] = found[name] or item end
      end
    end
    local meta = getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
    if type(value) ~= "table" then return end
  end
end

-- A field without calling anything.
local function quiet_field(value, name)
  local found = {}
  collect_names(value, found)
  return found[name]
end

-- The candidates for the word at the end of `line`: word, { what it could become }.
local function candidates(line, environment)
  local before, word = line:match "^(.-)([%a_][%w_%.:]*)$"
  if not word then before, word = line, "" end
  if before:match "[%.:]$" then return word, {} end -- of a value that only running the line would tell
  local path, separator, stem = word:match "^(.-)([%.:]?)([%w_]*)$"
  local value = environment
  if separator ~= "" then
    for name in path:gmatch "[%w_]+" do value = quiet_field(value, name) end
  end
  local found, list = {}, {}
  if value ~= nil then collect_names(value, found) end
  for name, item in pairs(found) do
    local fits = name:sub(1, #stem) == stem and (separator ~= ":" or type(item) == "function")
    local shown = name:sub(1, 1) ~= "_" or stem:sub(1, 1) == "_"
    if fits and shown then list[#list + 1] = path .. separator .. name end
  end
  table.sort(list)
  for index = #list, MAX_CANDIDATES + 1, -1 do list[index] = nil end
  return word, list
end

---- Evaluation ----

local function ends_early(message)
  return message:find "'<eof>'$" ~= nil
end

-- A chunk, or "incomplete", or nil and a message. An expression is tried first.
local function compile(source)
  if source:byte(1) == 27 then return nil, "this is Lua bytecode; type text" end
  local expression = source:gsub("^%s*=", "")
  local chunk, message = loadstring("return " .. expression, "=prompt")
  if chunk then return chunk end
  local unfinished = ends_early(message)
  chunk, message = loadstring(source, "=prompt")
  if chunk then return chunk end
  if unfinished or ends_early(message) then return "incomplete" end
  return nil, message
end

-- The traceback without the frames of the prompt itself.
local function trace(message)
  if type(message) ~= "string" then
    message = own_text(message) or ("an error that is a %s, not a text"):format(type(message))
  end
  local text = debug.traceback(message, 2)
  return (text:gsub("\n%s*%[C%]: in function 'xpcall'.*$", ""))
end

local function pack(...)
  return select("#", ...), { ... }
end

local function evaluate(session, source)
  local chunk, message = compile(source)
  if chunk == "incomplete" then return "incomplete", "" end
  session.pending = nil
  if not chunk then return "error", safe_lines(message) end
  setfenv(chunk, session.environment)
  local count, values = pack(xpcall(chunk, trace))
  if not values[1] then return "error", safe_lines(values[2]) end
  return "ok", show_results(count, values)
end

-- A session: { eval(line) -> "ok" | "incomplete" | "error" | "quit", text; complete(line) -> word, candidates;
-- reset() }. options.target becomes the global `target`.
function repl.session(options)
  local session = {}
  local environment = setmetatable({}, { __index = _G })
  session.environment = environment
  environment._G = environment
  environment.keymend = package.loaded["keymend"] or require "keymend"
  for _, name in ipairs { "findings", "policies" } do
    local _ = environment.keymend[name] -- loads it, so that its names can be completed
  end
  environment.target = options.target
  -- Names from a volume must not harm a terminal; a file or pipe gets them as they are.
  environment.print = core.is_terminal(1) and function(...)
    local shown = {}
    for index = 1, select("#", ...) do shown[index] = safe_lines(tostring((select(index, ...)))) end
    print(table.concat(shown, "\t"))
  end or nil
  environment.help = function(...)
    print(repl.help(...))
  end

  function session.eval(line)
    if not session.pending and (line:match "^%s*exit%s*$" or line:match "^%s*quit%s*$") then return "quit", "" end
    session.pending = session.pending and session.pending .. "\n" .. line or line
    local ok, status, text = pcall(evaluate, session, session.pending)
    if ok then return status, text end
    session.pending = nil
    return "error", safe_lines(tostring(status))
  end

  function session.complete(line)
    return candidates(line, environment)
  end

  function session.reset()
    session.pending = nil
  end
  return session
end

---- The prompt ----

-- Reads lines without the host's prompt; returns how many failed.
local function read_plainly(session)
  local failed, status = 0, "ok"
  for line in io.lines() do
    local text
    status, text = session.eval(line)
    if status == "quit" then break end
    if status == "error" then failed = failed + 1 end
    if text ~= "" then (status == "error" and io.stderr or io.stdout):write(text, "\n") end
  end
  if status == "incomplete" then
    io.stderr:write "keymend: the input ended in the middle of a chunk\n"
    failed = failed + 1
  end
  return failed
end

local function greeting(options)
  local target = options.target and safe_lines(tostring(options.target)):match "%((.*)%)$"
  return ("keymend %s, %s.%s help() helps, exit leaves."):format(core.version,
    options.write and "changes are allowed" or "read-only", target and (" Target: %s."):format(target) or "")
end

-- Runs the prompt until its input ends. options: target, write, history (default true; only on a terminal).
-- Returns the exit status: 8 when input that was no terminal had a line that failed, else 0.
function repl.start(options)
  local interactive = core.is_terminal(0) and core.is_terminal(1)
  if not options.write then core.forbid_writing() end
  local session = repl.session(options)
  if interactive then io.write(greeting(options), "\n") end
  io.stdout:flush()
  local failed
  if core.prompt then
    failed = core.prompt(session, {
      prompt = options.write and "keymend (write)> " or "keymend> ",
      more = options.write and "             >> " or "     >> ",
      history = options.history ~= false,
    })
  else
    failed = read_plainly(session)
  end
  return failed > 0 and not interactive and 8 or 0
end

return repl
