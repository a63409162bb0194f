-- choice.lua: the rules of a policy that choose by time, era and name, and those that join others
--
-- M.adopt[rule](rule, candidates, case) -> key, reason; or nil, why none. M.retire[rule](rule, case) -> the same of the
-- current key file. Every reason is a clause that plan and diagnose print after "because". Creation times count only
-- where they are evidence (usable_time, container.lua); where that of one candidate is not known, a rule that compares
-- times names none, since that one might be the right one. A rule of retire that cannot be judged, since a time that it
-- needs is not known, gives true as a fourth result: it does not say that the current key file is good.

local core = require "keymend.core"

local M = { adopt = {}, retire = {} }

-- Two master keys are some 90 days apart; nearer than this nobody tells which was first (eras.lua).
local APART = 86400

local function time_text(key)
  return core.time_text(key.created_ticks or key.usable_time)
end

-- ---- adopt: by time ----

-- The candidates made before the onset, oldest first; nil, why they cannot be told.
local function before_onset(candidates, case)
  if not case.onset then return nil, "the onset is not known, so nobody can tell what was made before it" end
  local list = {}
  for _, key in ipairs(candidates) do
    if not key.usable_time then
      return nil, ("the creation time of %s is no evidence: %s"):format(key.name, key.time_problem or "it is not known")
    end
    if key.usable_time < case.onset then list[#list + 1] = key end
  end
  if #list == 0 then return nil, "none of them was made before the onset, " .. core.time_text(case.onset) end
  table.sort(list, function(a, b) return a.usable_time < b.usable_time end)
  return list
end

local function by_time(word, pick)
  return function(_, candidates, case)
    local list, why = before_onset(candidates, case)
    if not list then return nil, why end
    local key = pick(list)
    return key, ("it is the %s of %d made before the onset, %s"):format(word, #list, core.time_text(case.onset))
  end
end

M.adopt.newest_before_onset = by_time("newest", function(list) return list[#list] end)
M.adopt.oldest_before_onset = by_time("oldest", function(list) return list[1] end)

-- The candidate that was encrypted last before the onset: the master key that it names is the newest, by a day at
-- least, of those made before. Master keys tell the order where files were copied or their times tunnelled.
function M.adopt.master_key_era(_, candidates, case)
  local best, second
  for _, key in ipairs(candidates) do
    local era = key.era
    if not era or not era.time then
      return nil, ("nothing tells the age of the DPAPI master key of %s"):format(key.name)
    end
    if not case.onset or era.time < case.onset then
      if not best or era.time > best.era.time then
        best, second = key, best
      elseif not second or era.time > second.era.time then
        second = key
      end
    end
  end
  if not best then return nil, "the DPAPI master keys of all of them are newer than the onset" end
  if second and best.era.time - second.era.time < APART then
    return nil, ("the DPAPI master keys of %s and %s do not tell which is the newer"):format(best.name, second.name)
  end
  return best, ("its DPAPI master key, %s %s, is the newest%s"):format(
    best.era.source == "created" and "made" or "last written", core.time_text(best.era.ticks or best.era.time),
    case.onset and " from before the onset" or "")
end

-- ---- adopt: by name, and by nobody ----

function M.adopt.by_guid(rule, candidates)
  for _, key in ipairs(candidates) do
    if key.guid == rule.guid then return key, "the policy names the GUID " .. rule.guid end
    for _, twin in ipairs(key.twins or {}) do
      if twin.guid == rule.guid then
        return key, ("it has the bytes of %s, whose GUID the policy names"):format(twin.name)
      end
    end
  end
  return nil, ("none of them has the GUID %s, which the policy names"):format(rule.guid)
end

function M.adopt.ask()
  return nil, "the policy leaves the choice to you: name one with --adopt"
end

-- ---- Joining: evaluate(rule) -> key, reason, fault, unjudged ----

-- The first rule that names a key. `ask` ends the search. Where one cannot be judged and none names a key, nothing is.
function M.first_of(rule, evaluate)
  local reasons, unjudged = {}, nil
  for _, inner in ipairs(rule) do
    local key, reason, fault, open = evaluate(inner)
    if key or fault then return key, reason, fault end
    reasons[#reasons + 1], unjudged = reason, unjudged or open
    if inner.rule == "ask" then break end
  end
  return nil, table.concat(reasons, "; "), nil, unjudged
end

-- The key that every rule names. One that says no outweighs those that cannot be judged.
function M.all_of(rule, evaluate)
  local chosen, reasons, unjudged = nil, {}, nil
  for _, inner in ipairs(rule) do
    local key, reason, fault, open = evaluate(inner)
    if not key and not open then return nil, reason, fault end
    if chosen and key and key ~= chosen then
      return nil, ("the rules do not agree: %s, %s; but %s, %s"):format(chosen.name, table.concat(reasons, ", and "),
        key.name, reason)
    end
    if key then
      chosen, reasons[#reasons + 1] = key, reason
    else
      unjudged = unjudged or reason
    end
  end
  if unjudged then return nil, unjudged, nil, true end
  return chosen, table.concat(reasons, "; and ")
end

-- ---- retire ----

local UNDATED = "the creation time of the current key file is no evidence"

function M.retire.regenerated(_, case)
  return case.current, "Windows made it after the machine GUID had changed"
end

local function span(seconds)
  local minutes = math.abs(seconds) / 60
  return minutes < 2 and ("%.0f seconds"):format(math.abs(seconds)) or ("%.0f minutes"):format(math.floor(minutes))
end

-- The onset, where it does not come from the time of the current key file itself.
local function known_onset(case)
  local chosen = case.chosen_onset
  if chosen and chosen.kind == "events" then return chosen.time end
  if case.onset and not (chosen and chosen.kind == "regeneration") then return case.onset end
  return nil, "nothing but the current key file itself tells the onset (tell it with --onset)"
end

function M.retire.within(rule, case)
  local onset, why = known_onset(case)
  local made = case.current.usable_time
  if not onset then return nil, why, nil, true end
  if not made then return nil, UNDATED, nil, true end
  local far = made - onset
  local text = ("it was made %s %s the onset, %s"):format(span(far), far < 0 and "before" or "after",
    core.time_text(onset))
  if math.abs(far) > rule.minutes * 60 then
    return nil, ("%s: more than the %.0f minutes of the policy"):format(text, rule.minutes)
  end
  return case.current, text
end

-- KB 884872, step 6: the newest key file, whose time is nearest to the onset.
function M.retire.newest_near_onset(_, case)
  local onset, current = case.onset or case.chosen_onset and case.chosen_onset.time, case.current
  if not current.usable_time then return nil, UNDATED, nil, true end
  for _, key in ipairs(case.keys) do
    if key ~= current and key.usable_time then
      if key.usable_time > current.usable_time then
        return nil, ("%s is newer (%s)"):format(key.name, time_text(key))
      end
      if onset and math.abs(key.usable_time - onset) < math.abs(current.usable_time - onset) then
        return nil, ("%s was made nearer to the onset"):format(key.name)
      end
    end
  end
  return current, "it is the newest key file" .. (onset and ", and none was made nearer to the onset" or "")
end

return M
