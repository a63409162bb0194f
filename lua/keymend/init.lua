-- init.lua: the module keymend: targets that can be diagnosed and repaired, from Lua
--
--   local keymend = require "keymend"
--   local target = assert(keymend.open { root = "/mnt/c" })
--   local diagnosis = assert(target:diagnose())
--   print(diagnosis:text())
--   local plan = target:plan()              -- nil, message, "refused", nil, diagnosis when keymend would guess
--   print(plan:apply())                     -- needs keymend.open { ..., write = true }
--
-- Failure that can happen: nil, message, code, native. Misuse raises. Modules are loaded when they are first used.

local core = require "keymend.core"

local keymend = { version = core.version, hash = core.hash, cng_hash = core.cng_hash }

-- keymend.findings, keymend.policies, keymend.cli ...
local MODULES = {
  cli = "keymend.cli", diagnosis = "keymend.diagnosis", findings = "keymend.findings", plans = "keymend.plan",
  core = "keymend.core", repl = "keymend.repl", progress = "keymend.progress",
  policies = "keymend.policy", -- names(), load(name), find(name)
}

local function names_to_load(options)
  local names = options.policies or options.policy
  return type(names) == "string" and { names } or names
end

-- Loads what options.policies names (names or paths; default: the shipped ones). options.trust_file: a path or list
-- of paths of files to use although ordinary users may change them.
local function load_policies(options)
  local files = options.trust_file
  for _, path in ipairs(type(files) == "string" and { files } or files or {}) do
    require("keymend.trust").accept(path)
  end
  return require("keymend.policy").load_all(names_to_load(options))
end

-- Judging options as the command line has them: onset (RFC 3339 or seconds), adopt, retire, no_services, ...
local function judging_of(options)
  local judging = {}
  for name, value in pairs(options) do judging[name] = value end
  for _, name in ipairs { "adopt", "retire" } do
    if type(judging[name]) == "string" then judging[name] = { judging[name] } end
  end
  local ok, why = require("keymend.restore").check(judging)
  if not ok then return nil, why, "option" end
  if type(options.onset) == "string" then
    judging.onset_text = options.onset
    judging.onset, judging.onset_ticks = core.time_parse(options.onset)
    if not judging.onset then return nil, "onset: " .. judging.onset_ticks, "option" end
  elseif options.onset then
    judging.onset_text = core.time_text(options.onset)
  end
  return judging
end

local methods = {}

-- target:diagnose(options) -> diagnosis. options: policies, onset, adopt, retire, restore_guid, force_disproved,
-- accept_dirty_hive, no_services.
function methods.diagnose(target, options)
  options = options or {}
  local judging, message, code = judging_of(options)
  if not judging then return nil, message, code end
  local loaded
  loaded, message, code = load_policies(options)
  if not loaded then return nil, message, code end
  local results = { pcall(require("keymend.diagnosis").run, target, loaded, judging) }
  require("keymend.policy").close(loaded)
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2, 5)
end

-- target:plan(options) -> plan (without steps when there is nothing to do), or nil, message, "refused", nil, diagnosis
function methods.plan(target, options)
  local diagnosis, message, code, native = methods.diagnose(target, options)
  if not diagnosis then return nil, message, code, native end
  return require("keymend.plan").make(diagnosis)
end

-- target:keep_set() -> which key containers must keep their key files, and what could not be looked at (keep.lua)
function methods.keep_set(target)
  return require("keymend.keep").of(target)
end

-- target:prune_plan(names, reason) -> a plan that moves these key files into the vault, or nil, message, code
function methods.prune_plan(target, names, reason, keep)
  return require("keymend.plan").prune(target, names, reason, keep)
end

-- Gives the core's targets the methods above, and makes the transactions that they hand out objects.
local function extend(target)
  local meta = getmetatable(target)
  local index = type(meta) == "table" and meta.__index
  if type(index) ~= "table" then error("keymend: targets of this core cannot be extended", 0) end
  for name, method in pairs(methods) do index[name] = method end
  for _, name in ipairs { "apply", "undo" } do
    local change = index[name]
    index[name] = function(self, ...)
      local txn, second, code, native, outcome, begun = change(self, ...)
      if not txn then return nil, second, code, native, outcome, begun end
      return require("keymend.transaction").wrap(txn, self), second
    end
  end
  local history = index.history
  function index.history(self)
    local list, message, code, native = history(self)
    if not list then return nil, message, code, native end
    for _, txn in ipairs(list) do require("keymend.transaction").wrap(txn, self) end
    return list
  end
end

-- Opens a target: { root, volumes = { D = "dir" }, windows, times, write }. nil, message, code, native.
function keymend.open(options)
  local target, message, code, native = core.open(options or {})
  if not target then return nil, message, code, native end
  if not target.diagnose then extend(target) end
  return target
end

-- Reads a plan that plan:save wrote; plan:fit(target) before plan:apply().
function keymend.load_plan(path)
  return require("keymend.plan").load(path)
end

return setmetatable(keymend, {
  __index = function(self, name)
    local module = MODULES[name]
    if not module then return nil end
    local value = require(module)
    rawset(self, name, value)
    return value
  end,
})
