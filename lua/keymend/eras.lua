-- eras.lua: the DPAPI master keys that key files name, and their order in time
--
-- A key file names, in clear, the master key that its private parts were encrypted under. Windows makes a new one about
-- every 90 days, so master keys order key files even where the times of these were copied or tunnelled. It is evidence;
-- what is decided by it a policy has to say (master_key_era).
--
-- study() fills of a case:
--   eras      the master keys, oldest first, those without a known time last: { master_key, time, ticks, source =
--             "created" or "written", keys = { names } }; of each of the keys: key.era
--   era_rows  what contradicts the creation times: rows of evidence

local facts_of = require "keymend.facts"

local M = {}

-- Two master keys are some 90 days apart; of times nearer than this nobody knows whether they are those of a copy.
local APART = 86400
local SAME_TIME = 2
local MAX_ROWS = 30 -- of contradictions
-- Whose creation times tell anything (see container.lua).
local STORED = { ntfs = true, ["times-file"] = true }

-- The file of a master key: { created, created_ticks, written, written_ticks }, or nil; asked once for each.
local function file_of(facts, guid)
  facts.master_key_files = facts.master_key_files or {}
  local known = facts.master_key_files[guid]
  if known == nil then
    known = facts.target:master_key(guid) or false
    facts.master_key_files[guid] = known
  end
  return known or nil
end

-- The master key of a key file: of its parts the one that is older, since the file was made with the first part.
local function master_key_of(facts, key)
  local best, best_file
  for _, part in ipairs { "signature", "exchange" } do
    local guid = key[part] and key[part].master_key or ""
    if guid ~= "" and guid ~= best then
      local file = file_of(facts, guid)
      local older = file and best_file and file.written and best_file.written and file.written < best_file.written
      if not best or older then best, best_file = guid, file end
    end
  end
  return best, best_file
end

local function has_created(file)
  return file.created ~= nil and STORED[file.created_source] == true
end

-- Creation times where every file has one that is stored, else last writes: times of two kinds are not compared.
local function date(eras)
  local source = "created"
  for _, era in ipairs(eras) do
    if era.file and not has_created(era.file) then source = "written" end
  end
  for _, era in ipairs(eras) do
    if era.file and era.file[source] then
      era.time, era.ticks, era.source = era.file[source], era.file[source .. "_ticks"], source
    end
    era.file = nil
  end
end

local function older(a, b)
  if a.time ~= b.time then return (a.time or math.huge) < (b.time or math.huge) end
  return a.master_key < b.master_key
end

-- Whether two eras are in an order: both dated, and far enough apart.
local function in_order(a, b)
  return a.time ~= nil and b.time ~= nil and b.time - a.time >= APART
end

-- Whether `key` was made after all of `others`: its master key was, of which the creation time is stored. A key file is
-- never older than the master key that it names.
function M.is_last(key, others)
  local own = key.era
  if not own or own.source ~= "created" then return false end
  for _, other in ipairs(others) do
    if not other.era or not in_order(other.era, own) then return false end
  end
  return #others > 0
end

local function row(list, text, time, ticks)
  list[#list + 1] = { kind = "era", text = text, time = time, ticks = ticks }
end

-- What cannot be: a key file made before its master key, or the creation times the other way round.
local function contradict(case, dated)
  local list = case.era_rows
  for at, key in ipairs(dated) do
    local era = key.era
    if #list >= MAX_ROWS then return end
    if era.source == "created" and key.usable_time and key.usable_time + SAME_TIME < era.time then
      row(list, ("%s was made before its own master key"):format(key.name), key.created, key.created_ticks)
    end
    for later = at + 1, #dated do
      local other = dated[later]
      if #list >= MAX_ROWS then return end
      if in_order(era, other.era) and key.usable_time and other.usable_time
        and key.usable_time > other.usable_time + SAME_TIME then
        row(list, ("the master key of %s is older than that of %s, but the file itself is said to be newer"):format(
          key.name, other.name), era.time, era.ticks)
      end
    end
  end
end

-- The keys whose master key has a time, in the order of these times.
local function dated_keys(case)
  local list = {}
  for _, key in ipairs(case.keys) do
    if key.sound and key.era and key.era.time then list[#list + 1] = key end
  end
  table.sort(list, function(a, b)
    if a.era.time ~= b.era.time then return a.era.time < b.era.time end
    return a.name < b.name
  end)
  return list
end

-- Studies a case whose keys are sorted (container.study). One master key for all orders nothing.
function M.study(case)
  case.eras, case.era_rows = {}, {}
  local by_guid = {}
  for _, key in ipairs(case.keys) do
    local guid, file
    if key.status == "ok" then guid, file = master_key_of(case.facts, key) end
    if guid then
      if not by_guid[guid] then
        by_guid[guid] = { master_key = guid, file = file, keys = {} }
        table.insert(case.eras, by_guid[guid])
      end
      table.insert(by_guid[guid].keys, key.name)
      key.era = by_guid[guid]
    end
  end
  date(case.eras)
  table.sort(case.eras, older)
  contradict(case, dated_keys(case))
end

local function what(era)
  return era.source == "created" and "was made" or "was last written"
end

-- Adds the order of the master keys to a finding's evidence, where there is one. What contradicts is a finding.
function M.evidence(list, case)
  local dated, agrees = dated_keys(case), false
  if #dated < 2 or not in_order(dated[1].era, dated[#dated].era) then return end
  for index, key in ipairs(dated) do
    local before = dated[index - 1]
    local text = ("the master key of %s %s"):format(key.name, what(key.era))
    if before and before.era == key.era then
      text = ("%s names the same master key as %s"):format(key.name, before.name)
    elseif before and in_order(before.era, key.era) then
      text = text .. ", after that of " .. before.name
      agrees = agrees or key.usable_time and before.usable_time and key.usable_time > before.usable_time
    end
    row(list, text, key.era.time, key.era.ticks)
  end
  if #case.era_rows == 0 and agrees then row(list, "the order of the master keys is that of the creation times") end
end

-- The time of a key file's master key as text, or nil.
function M.time(key)
  return key.era and key.era.time and facts_of.time(key.era.time, key.era.ticks) or nil
end

return M
