-- keep.lua: which key containers of a target must keep their key files, whatever their age
--
--   local keep = assert(target:keep_set())
--   if #keep.missing == 0 then print(keep:why(hash)) end       -- a reason, or nil: nothing is known to need it
--
-- Kept are the containers that Windows and its services are known to use, those of the policies (shipped and own), and
-- those that a certificate (of the machine, a service or a user), IIS's configuration or its metabase names. `missing`
-- tells what could not be looked at: as long as something stands there, the set is not complete and nothing may be
-- pruned.

local core = require "keymend.core"

local M = {}

local Keep = {}
Keep.__index = Keep
Keep.__name = "keymend.keep"
M.metatable = Keep

-- Containers that are known by their hash alone.
local KNOWN_HASHES = { ["4f692a7dc1b824e1f679f93fadd08a3b"] = "the failover cluster uses it" }

local function add(keep, container, why)
  local hash = core.hash(container)
  if hash and not keep.hashes[hash] then
    keep.hashes[hash] = why
    keep.count = keep.count + 1
  end
end

-- Why a container's key files are kept, or nil.
function Keep:why(hash)
  return self.hashes[hash] or KNOWN_HASHES[hash] or core.known_container(hash) and "Windows uses this key container"
    or nil
end

-- Keeps one more container, by its name.
function Keep:add(container, why)
  local hash, message, code = core.hash(container)
  if not hash then return nil, message, code end
  add(self, container, why or "it was asked for")
  return true
end

function Keep:__tostring()
  return ("keymend.keep (%d containers, %d not looked at)"):format(self.count, #self.missing)
end

local function miss(keep, text)
  keep.missing[#keep.missing + 1] = text
end

local function hives(keep, info)
  for _, hive in ipairs(info.hives or {}) do
    if hive.dirty and not hive.replayed then
      miss(keep, ("the hive %s was not closed cleanly, so certificates may be missing in it"):format(hive.name))
    end
  end
end

local function policies(keep)
  local policy = require "keymend.policy"
  local names, message = policy.own_names()
  if not names then return miss(keep, message) end
  for _, name in ipairs(policy.names()) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    local loaded, why = policy.load(name)
    if not loaded then
      miss(keep, why)
    else
      for _, one in ipairs(loaded.containers or {}) do
        if one.name then add(keep, one.name, ("the policy %s names it"):format(name)) end
      end
      policy.close { loaded }
    end
  end
end

local function identities(keep, target)
  local set, message = target:identities()
  if not set then return miss(keep, message) end
  for _, one in ipairs(set:list()) do
    if not one.cng then add(keep, one.container, ("%s names it"):format(one.what or one.where)) end
  end
  for line in (set:problem() or ""):gmatch "[^\n]+" do miss(keep, line) end
  set:close()
end

local function references(keep, target)
  local list, message = target:references()
  if not list then return miss(keep, message) end
  for _, one in ipairs(list) do
    if one.container then
      add(keep, one.container, ("the certificate %s names it"):format(one.where))
    else
      miss(keep, ("%s: %s"):format(one.where, one.problem))
    end
  end
end

-- The keep-set of an open target: hashes (of containers, each with why), count, missing (texts).
function M.of(target)
  local keep = setmetatable({ hashes = {}, count = 0, missing = {} }, Keep)
  hives(keep, target:info())
  policies(keep)
  identities(keep, target)
  references(keep, target)
  return keep
end

return M
