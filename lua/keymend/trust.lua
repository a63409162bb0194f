-- trust.lua: files that keymend acts on: policies, scripts and what scripts require
--
-- A process with all rights (root, an elevated administrator) does not act on what ordinary users may change: the core
-- refuses such a file (core.read_trusted), unless the user vouches for it with --trust-file. What was refused and
-- vouched for is named in the journal.

local core = require "keymend.core"

local M = {}

-- Text of a script or module; what is larger is none.
M.MAX_BYTES = 16 * 1024 * 1024

local accepted = {} -- paths that the user vouches for
local needed, is_needed = {}, {}

-- Vouches for one more file.
function M.accept(path)
  accepted[#accepted + 1] = path
end

-- Those of the accepted files without which a file would have been refused so far.
function M.needed()
  return needed
end

local function remember(index)
  local path = accepted[index or 0]
  if not path or is_needed[path] then return end
  is_needed[path] = true
  needed[#needed + 1] = path
end

-- Reads a file whose text is acted on, at most `max` bytes; nil, message, code ("refused", "not-found", ...), native.
function M.read(path, max)
  local text, second, code, native = core.read_trusted(path, max, accepted)
  if not text then return nil, second, code, native end
  remember(second)
  return text
end

-- The same for a file that the system's loader reads: true, or nil, message, code, native.
function M.check(path)
  local fine, second, code, native = core.read_trusted(path, nil, accepted)
  if not fine then return nil, second, code, native end
  remember(second)
  return true
end

-- A text without the byte order mark that some editors put before it.
function M.without_mark(text)
  return (text:gsub("^\239\187\191", ""))
end

-- A Lua text as a function; bytecode, which can break out of everything, is refused.
function M.compile(text, path)
  text = M.without_mark(text)
  if text:byte(1) == 27 then return nil, path .. ": this is Lua bytecode; a script must be text" end
  return loadstring((text:gsub("^#[^\n]*", "")), "@" .. path)
end

-- ---- require ----

local SEPARATOR = package.config:sub(1, 1)
-- A name that is no path on this system is not there either.
local ABSENT = { ["not-found"] = true, misuse = true }

-- Goes through the templates of a search path: open(path) is called for the first file that is there. Without one,
-- the text that tells require what was tried.
local function search(name, templates, open)
  local tried = {}
  for template in templates:gmatch "[^;]+" do
    local path = template:gsub("%?", (name:gsub("%.", SEPARATOR):gsub("%%", "%%%%")))
    local found, message, code = open(path)
    if found then return found end
    if not ABSENT[code] then error(("module '%s': %s"):format(name, message), 0) end
    tried[#tried + 1] = ("\n\tno file '%s'"):format(path)
  end
  return table.concat(tried)
end

local function load_lua(name)
  return search(name, package.path, function(path)
    local text, message, code = M.read(path, M.MAX_BYTES)
    if not text then return nil, message, code end
    local chunk, problem = M.compile(text, path)
    return chunk, problem, "script"
  end)
end

-- `file`: the name that the library is looked for by; of a.b also a, which may hold both.
local function load_library(name, file)
  return search(file, package.cpath, function(path)
    local fine, message, code = M.check(path)
    if not fine then return nil, message, code end
    local opener, problem = package.loadlib(path, "luaopen_" .. name:gsub("^.*%-", ""):gsub("%.", "_"))
    return opener, problem, "script"
  end)
end

-- From now on require reads files by package.path and package.cpath as this module does.
function M.guard_require()
  package.loaders[2] = load_lua
  package.loaders[3] = function(name) return load_library(name, name) end
  package.loaders[4] = function(name)
    local root = name:match "^([^%.]+)%."
    return root and load_library(name, root) or nil
  end
end

return M
