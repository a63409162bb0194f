-- compare.lua: what differs between two key stores, or between a store and a saved inventory
--
--   keymend run --root DIR compare.lua OTHER                 OTHER: where another volume is mounted
--   keymend run --root DIR compare.lua store.json            made by inventory.lua --json
--
-- On Windows leave --root out. Nothing is changed. "-" is only in OTHER, "+" only in the target, "*" in both with other
-- bytes, "t" with the same bytes but another last-write time. The exit status is 4 when something differs. Stores of
-- any size are compared part by part, with PART files in memory; a hash of the names says of which part they are.

local core = keymend.core
local json = require "dkjson"

local PART = 100000

local other = arg[1]
if not other or arg[2] then error("usage: keymend run --root DIR compare.lua DIR|FILE.json", 0) end
if not target then error("there is no target: keymend run --root DIR compare.lua " .. other, 0) end

-- ---- The two sides: functions that call take(name, content, written) for the files of one part ----
-- name: as it is shown, since an inventory has no other; content: the SHA-256, or why there is none.

local parts = 1
local function is_of(name, part)
  return parts == 1 or tonumber(core.sha256(name):sub(1, 8), 16) % parts == part
end

local function store_side(store)
  local survey, why = store:survey {}
  if not survey then error(why, 0) end
  return function(part, take)
    for name in assert(store:keys()) do
      local shown = core.escape(name)
      if is_of(shown, part) then
        local key, problem = store:inspect(name)
        take(shown, key and (key.sha256 or key.status) or problem, key and key.written and core.time_text(key.written))
      end
    end
  end, survey.files
end

-- One line of an inventory, or nil.
local function key_in(line)
  if not line:find '^{"name":' then return nil end
  local key = json.decode((line:gsub(",%s*$", "")))
  if type(key) ~= "table" or type(key.name) ~= "string" then error(other .. ": this line is damaged: " .. line, 0) end
  return key
end

local function file_side(path)
  local file, why = io.open(path)
  if not file then error(why, 0) end
  local first = file:read "*l"
  file:close()
  if not (first or ""):find('"document":"keymend inventory","schema":1,', 1, true) then
    error(path .. ": it is no inventory; make one with inventory.lua --json", 0)
  end
  local count = 0
  for line in io.lines(path) do if line:find '^{"name":' then count = count + 1 end end
  return function(part, take)
    for line in io.lines(path) do
      local key = key_in(line)
      local shown = key and core.escape(key.name)
      if key and is_of(shown, part) then take(shown, key.sha256 or key.status, key.written) end
    end
  end, count
end

local function side_of(path)
  if path:find "%.json$" then return file_side(path) end
  local store, why = keymend.open { root = path }
  return store_side(store or error(why, 0))
end

-- ---- Comparing ----

local before, before_count = side_of(other)
local now, now_count = store_side(target)
parts = math.max(1, math.ceil(math.max(before_count, now_count) / PART))
local meter = keymend.progress.new { what = "files", total = before_count + now_count }
local counts = { ["+"] = 0, ["-"] = 0, ["*"] = 0, t = 0 }

local function tell(mark, name)
  counts[mark] = counts[mark] + 1
  meter:clear()
  print(mark .. " " .. name)
end

for part = 0, parts - 1 do
  local seen = {}
  before(part, function(name, content, written)
    seen[name] = (content or "") .. " " .. (written or "")
    meter:add(1)
  end)
  now(part, function(name, content, written)
    local old = seen[name]
    seen[name] = nil
    if not old then tell("+", name)
    elseif old:match "^%S*" ~= (content or ""):match "^%S*" then tell("*", name)
    elseif old:match "%S*$" ~= (written or "") then tell("t", name) end
    meter:add(1)
  end)
  local gone = {}
  for name in pairs(seen) do gone[#gone + 1] = name end
  table.sort(gone)
  for _, name in ipairs(gone) do tell("-", name) end
end
meter:finish()
print(("%d files there, %d here: %d only there, %d only here, %d with other bytes, %d with another time"):format(
  before_count, now_count, counts["-"], counts["+"], counts["*"], counts.t))
return counts["-"] + counts["+"] + counts["*"] + counts.t > 0 and 4 or 0
