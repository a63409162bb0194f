-- script.lua: the verbs run and repl: Lua with the globals keymend and target

local cli = require "keymend.cli"
local core = require "keymend.core"
local options = require "keymend.options"
local trust = require "keymend.trust"

local EXIT = cli.exit
local WINDOWS = package.config:sub(1, 1) == "\\"
local M = {}

-- Opens the target given on the command line, if any; true, or nil and the exit status.
local function open_target(context)
  if not context.options.root and not WINDOWS then return true end
  local target, status = context:open(context.options.write)
  if not target then return nil, status end
  context:report_open()
  return true
end

-- A script as a function; nil, message, code.
local function load_script(path)
  local text, message, code = trust.read(path, trust.MAX_BYTES)
  if not text then
    return nil, (code == "refused" and "refused: " or "the script cannot be used: ") .. message,
      code == "refused" and code or "script"
  end
  local chunk, problem = trust.compile(text, path)
  return chunk, problem, "script"
end

-- The usual mistakes: an option of keymend behind the script, and no target.
local function hint(message, context)
  for _, word in ipairs(context.arguments) do
    if not context.opened and options.is_option(context.verb, word) then
      return ("There is no target, and %s stands behind the script, so the script got it. Options stand before the "
        .. "script: keymend run --root DIR SCRIPT"):format(word)
    end
  end
  if not context.opened and message:find("global 'target'", 1, true) then
    return "There is no target. Options stand before the script: keymend run --root DIR SCRIPT"
  end
end

-- error(message, 0): a script that says so itself, such as how it is used, needs no frames.
local function plain_error(message)
  local first, frame = message:match "^([^\n]*)\nstack traceback:\n%s*%[C%]: in function '([%w_]+)'"
  return frame == "error" and not first:find "^[^\n]-:%d+: " and first or nil
end

-- What went wrong in a script: its own frames alone, and what may help.
local function explain(message, context)
  message = plain_error(message) or message:gsub("\n%s*%[C%]: in function 'xpcall'.*$", "")
  local help = hint(message, context)
  return help and message:gsub("\n", function() return "\n" .. help .. "\n" end, 1) or message
end

-- Runs a script; its number (0 to 255) is the exit status, an error gives 8.
function M.run(context)
  local path = table.remove(context.arguments, 1)
  if not path then return context:fail("run needs a script: keymend run [options] SCRIPT", "usage") end
  local chunk, message, code = load_script(path)
  if not chunk then return context:fail(message, code) end
  local opened, status = open_target(context)
  if not opened then return status end
  if not context.options.write and core.forbid_writing then core.forbid_writing() end
  local words = { [0] = path }
  for index, word in ipairs(context.arguments) do words[index] = word end
  local folder = path:match(WINDOWS and "^(.*[/\\:])" or "^(.*/)") or "./"
  package.path = folder .. "?.lua"
  -- On Windows a library would bring a second Lua (lua51.dll) beside the one in the program.
  package.cpath = WINDOWS and "" or folder .. "?.so"
  trust.guard_require()
  rawset(_G, "arg", words)
  rawset(_G, "keymend", require "keymend")
  rawset(_G, "target", context.opened)
  local ok, result = xpcall(function() return chunk(unpack(words)) end, cli.traceback)
  if not ok then return context:fail(explain(result, context), "script") end
  if type(result) == "number" and result >= 0 and result <= 255 and result == math.floor(result) then return result end
  return EXIT.done
end

-- The interactive prompt; keymend.repl forbids writing unless --write is given.
function M.repl(context)
  trust.guard_require()
  local opened, status = open_target(context)
  if not opened then return status end
  return require("keymend.repl").start {
    target = context.opened, write = context.options.write or false, history = not context.options["no-history"],
  }
end

return M
