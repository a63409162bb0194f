-- orphans.lua: which key files are foreign, grouped by the GUID in their names and by key container
--
--   keymend run --root DIR orphans.lua                 each GUID, with up to 20 of its containers
--   keymend run --root DIR orphans.lua --guid GUID     all containers of one GUID, in the order of the store
--
-- On Windows leave --root out. Nothing is changed. "alone": there is no current file of the container, so whoever opens
-- it finds nothing. "beside": there is a current file too; keymend diagnose tells whether it was regenerated. Whether
-- an orphan should be adopted is for keymend diagnose and plan to say, not for this list.
--
-- The store is walked twice for every PART files, so that memory stays bounded.

local core = keymend.core

local PART = 200000      -- files in one part: so many containers at most are remembered at a time
local MOST_GUIDS = 256   -- counted apart
local SHOWN = 20         -- containers that are shown of each GUID

local only_guid
if arg[1] == "--guid" and arg[2] and not arg[3] then
  only_guid = core.guid(arg[2])
  if only_guid == "" then error("--guid " .. arg[2] .. ": that is no GUID", 0) end
elseif arg[1] then
  error("usage: keymend run --root DIR orphans.lua [--guid GUID]", 0)
end
if not target then error("there is no target: keymend run --root DIR orphans.lua", 0) end

local info = target:info()
local survey, problem = target:survey {}
local files = survey and survey.files or error(problem, 0)
local parts = math.max(1, math.ceil(files / PART))
local meter = keymend.progress.new { what = "names", total = 2 * files * parts }

-- Container hashes are evenly spread, so each part is about the same size.
local function part_of(hash)
  return tonumber(hash:sub(1, 8), 16) % parts
end

local function container_of(name, hash)
  local key = target:inspect(name)
  local known = key and (key.container or "") ~= "" and key.container or core.known_container(hash)
  return known and '"' .. core.escape(known) .. '"' or "unknown, hash " .. hash
end

local groups, order, further = {}, {}, 0

local function group_of(guid)
  if not groups[guid] then
    if #order == MOST_GUIDS then
      further = further + 1
      return nil
    end
    groups[guid] = { guid = guid, alone = 0, beside = 0, shown = {} }
    order[#order + 1] = groups[guid]
  end
  return groups[guid]
end

local function take(name, hash, guid, is_beside)
  local word = is_beside and "beside" or "alone"
  if only_guid then return print(("%-6s  %s  %s"):format(word, name, container_of(name, hash))) end
  local group = group_of(guid)
  if not group then return end
  group[word] = group[word] + 1
  if #group.shown < SHOWN then group.shown[#group.shown + 1] = ("%-6s  %s"):format(word, container_of(name, hash)) end
end

for part = 0, parts - 1 do
  local current = {}
  for _, class, hash in assert(target:keys()) do
    if class == "current" and part_of(hash) == part then current[hash] = true end
    meter:add(1)
  end
  for name, class, hash, guid in assert(target:keys()) do
    if class == "foreign" and part_of(hash) == part and (not only_guid or guid == only_guid) then
      meter:clear()
      take(name, hash, guid, current[hash] or false)
    end
    meter:add(1)
  end
end
meter:finish()
if only_guid then return end

table.sort(order, function(a, b)
  if a.alone + a.beside ~= b.alone + b.beside then return a.alone + a.beside > b.alone + b.beside end
  return a.guid < b.guid
end)
print(("%d files; machine GUID %s; foreign GUIDs: %d"):format(files, info.guid or "absent", #order))
for _, group in ipairs(order) do
  print(("\n%s  %d alone, %d beside a current file"):format(group.guid, group.alone, group.beside))
  table.sort(group.shown)
  for _, line in ipairs(group.shown) do print("  " .. line) end
  local more = group.alone + group.beside - #group.shown
  if more > 0 then print(("  and %d more: orphans.lua --guid %s"):format(more, group.guid)) end
end
if further > 0 then print(("\nand %d files under further GUIDs"):format(further)) end
