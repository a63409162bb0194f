-- timeline.lua: what happened when: the dated facts of a diagnosis as one list, and its picture for a terminal
--
-- An item:
--   time, ticks   Unix seconds; FILETIME as decimal digits (may be nil)
--   kind          "key", "guid", "backup", "event", "success", "onset", "transaction", "master-key"
--   class         of a key: "current", "foreign", "regenerated", "stray"; of an onset: "chosen", "other"; of a
--                 transaction: its state; of an event: its type
--   label, text   a few words; the whole sentence
--   name          the key file, backup hive, master key or transaction that it is about (may be nil)
--   container     its key container (may be nil)
--   plan          "retire" or "adopt" (may be nil)
--   certain       whether the time is evidence; why_not: why it is none
--   count, last, last_ticks    of a row of events: how many it stands for, and the time of the newest
-- Nothing here is escaped; whoever prints does that.

local core = require "keymend.core"
local facts = require "keymend.facts"
local rules = require "keymend.rules"

local M = {}

-- Rows that a picture shows of one kind; what is more is counted.
M.MAX_KEYS = 24
M.MAX_EVENTS = 12

-- What stands first where times are equal: causes before what follows from them.
local RANK = { backup = 1, ["master-key"] = 2, success = 3, guid = 4, key = 5, onset = 6, event = 7, transaction = 8 }

-- ---- Order ----

local function before_ticks(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function earlier(a, b)
  if a.ticks and b.ticks and a.ticks ~= b.ticks then return before_ticks(a.ticks, b.ticks) end
  if a.time ~= b.time then return a.time < b.time end
  if RANK[a.kind] ~= RANK[b.kind] then return RANK[a.kind] < RANK[b.kind] end
  if (a.container or "") ~= (b.container or "") then return (a.container or "") < (b.container or "") end
  if (a.name or "") ~= (b.name or "") then return (a.name or "") < (b.name or "") end
  return a.place < b.place
end

-- ---- What goes in ----

-- Whether Windows made a key file anew after a reset.
local function is_regenerated(case, key)
  local verdict = case.verdict or {}
  if key == verdict.adopt or verdict.healthy and key == case.current then return false end
  if key.regenerated or key == verdict.retire and verdict.adopt and not verdict.chosen then return true end
  for _, onset in ipairs(case.onsets or {}) do
    for _, name in ipairs(onset.chosen and onset.keys or {}) do
      if name:lower() == key.name:lower() then return true end
    end
  end
  return false
end

local SOURCE = { ntfs = "time kept by NTFS", ["times-file"] = "time from the times file", birth = "time of the copy" }

-- What the plan does with a key file.
M.PLAN = { adopt = "The plan adopts it.", retire = "The plan retires it." }

-- "current", "foreign", "regenerated" or "stray".
function M.class_of(case, key)
  return is_regenerated(case, key) and "regenerated" or key.class
end

local function key_item(case, key)
  local verdict = case.verdict or {}
  local class = M.class_of(case, key)
  local plan = key == verdict.adopt and "adopt" or key == verdict.retire and "retire" or nil
  local role = not plan and (key.candidate and not verdict.healthy and "a candidate"
    or class == "current" and "the one Windows finds") or nil
  return {
    kind = "key", class = class, time = key.created, ticks = key.created_ticks, name = key.name,
    container = case.container, plan = plan, certain = key.created ~= nil and not key.time_problem,
    why_not = key.time_problem, label = class .. " key file", key = key,
    text = ("%s key file of \"%s\" was made%s%s"):format(class, case.container,
      SOURCE[key.created_source] and " (" .. SOURCE[key.created_source] .. ")" or "", (role and "; " .. role or "")
      .. (key.proved and "; proved" or key.refuted and "; disproved" or "")),
  }
end

local function add_keys(list, diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    for _, key in ipairs(case.keys) do
      local item = key_item(case, key)
      if item.time then
        list[#list + 1] = item
      else
        list.undated[#list.undated + 1] = item
      end
    end
  end
end

-- Whether the key files speak of a reset of the machine GUID.
function M.is_reset(diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    if case.verdict and not case.verdict.healthy and #(case.foreign or {}) > 0 then return true end
  end
  return false
end

local function add_guid(list, diagnosis)
  local info = diagnosis.info
  if info.guid_written then
    local reset = M.is_reset(diagnosis)
    list[#list + 1] = {
      kind = "guid", time = info.guid_written, ticks = info.guid_written_ticks, certain = true,
      name = info.guid, label = reset and "machine GUID reset by then" or "machine GUID written", reset = reset,
      text = "the registry key that holds the machine GUID was last written"
        .. (reset and "; the reset was no later" or ""),
    }
  end
  for _, old in ipairs(info.old_guids or {}) do
    local time, ticks = old.saved, old.saved_ticks
    if not time then time, ticks = old.written, old.written_ticks end
    local item = {
      kind = "backup", time = time, ticks = ticks, certain = true, name = old.path, guid = old.guid,
      label = ("%s: GUID %s"):format(old.before_logs and "before the logs" or "backup", (old.guid or ""):sub(1, 8)),
      text = ("%s, holds the machine GUID %s"):format(rules.old_hive(old), old.guid or ""),
    }
    local into = time and list or list.undated
    into[#into + 1] = item
  end
end

local function add_events(list, diagnosis)
  local events = require "keymend.events"
  for _, one in ipairs(diagnosis.events or {}) do
    if one.time then
      list[#list + 1] = {
        kind = "event", class = one.type, time = one.time, ticks = one.ticks, certain = true,
        label = ("%s %d%s"):format(one.source, one.id, one.service and " " .. one.service or ""),
        text = events.line(one),
      }
    end
  end
end

local function add_success(list, case, onset)
  for _, row in ipairs(onset.pro or {}) do
    if row.kind == "success" and row.time then
      list[#list + 1] = { kind = "success", time = row.time, ticks = row.ticks, certain = true,
        container = case.container, label = "last known success", text = row.text }
    end
  end
end

-- The chosen onset with the success before it, and those of other resets.
local function add_onsets(list, diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    for _, onset in ipairs(case.onsets or {}) do
      if onset.chosen then add_success(list, case, onset) end
      if onset.time then
        list[#list + 1] = {
          kind = "onset", class = onset.chosen and "chosen" or "other", time = onset.time, ticks = onset.ticks,
          certain = true, container = case.container, label = onset.chosen and "the problem began" or "another onset",
          text = (onset.chosen and "the problem began (onset): " or "another onset: ") .. (onset.reason or ""),
        }
      end
    end
  end
end

local function count_files(txn)
  local retired, adopted, granted = 0, 0, 0
  if txn.guid_after then return ("machine GUID %s put in place of %s"):format(txn.guid_after, txn.guid_before or "") end
  for _, file in ipairs(txn.files or {}) do
    if file.added then
      granted = granted + 1
    elseif file.after then
      adopted = adopted + 1
    else
      retired = retired + 1
    end
  end
  if granted > 0 then return ("%d granted"):format(granted) end
  return ("%d retired, %d adopted"):format(retired, adopted)
end

local function add_transactions(list, diagnosis)
  for _, txn in ipairs(diagnosis.facts.history or {}) do
    local time, ticks = txn.begun, txn.begun_ticks
    if not time then time, ticks = txn.ended, txn.ended_ticks end
    local item = {
      kind = "transaction", class = txn.state, time = time, ticks = ticks, certain = true, name = txn.id,
      label = "keymend: " .. txn.state,
      text = ("transaction of keymend: %s; %s"):format(count_files(txn),
        require("keymend.report").STATES[txn.state] or txn.state),
    }
    local into = time and list or list.undated
    into[#into + 1] = item
  end
end

-- The DPAPI master keys that key files name, each once, where there are several, so that they order the files.
local function add_master_keys(list, diagnosis)
  local seen = {}
  for _, case in ipairs(diagnosis.cases) do
    for _, era in ipairs(#(case.eras or {}) > 1 and case.eras or {}) do
      local guid = era.master_key
      if era.time and not seen[guid] then
        seen[guid] = true
        list[#list + 1] = {
          kind = "master-key", time = era.time, ticks = era.ticks, certain = true, name = guid,
          label = "master key " .. guid:sub(1, 8), text = ("the DPAPI master key %s of %s was %s"):format(guid,
            #era.keys == 1 and "1 key file" or ("%d key files"):format(#era.keys),
            era.source == "created" and "made" or "last written"),
        }
      end
    end
  end
end

-- The timeline of a diagnosis: items, oldest first. undated: those without a time; more_events: events that the
-- diagnosis counted and left out; log_problem: why the event log tells nothing or not all (nil: it tells).
function M.of(diagnosis)
  local events = diagnosis.events or {}
  local list = { undated = {}, more_events = events.more or 0, log_problem = events.problem }
  for _, add in ipairs { add_keys, add_guid, add_events, add_onsets, add_transactions, add_master_keys } do
    add(list, diagnosis)
  end
  for index, item in ipairs(list) do item.place = index end
  table.sort(list, earlier)
  return list
end

-- ---- Fewer rows ----

-- Events that follow one another with nothing else between become one row for each kind of event.
local function bundle_run(out, run)
  local by_label, order = {}, {}
  for _, item in ipairs(run) do
    local bundle = by_label[item.label]
    if bundle then
      bundle.count, bundle.last, bundle.last_ticks = bundle.count + 1, item.time, item.ticks
    else
      bundle = {}
      for name, value in pairs(item) do bundle[name] = value end
      bundle.count, bundle.last, bundle.last_ticks = 1, item.time, item.ticks
      by_label[item.label] = bundle
      order[#order + 1] = bundle
    end
  end
  for _, bundle in ipairs(order) do out[#out + 1] = bundle end
end

local function events_in(list)
  local count = 0
  for _, item in ipairs(list) do
    if item.kind == "event" then count = count + 1 end
  end
  return count
end

-- The event rows beyond the limit become one row, where the first of them stood.
local function cut_events(list, most)
  if events_in(list) <= most then return list end
  local out, rest, seen = {}, nil, 0
  for _, item in ipairs(list) do
    if item.kind == "event" then seen = seen + 1 end
    if item.kind ~= "event" or seen < most then
      out[#out + 1] = item
    elseif not rest then
      rest = {
        kind = "event", certain = true, time = item.time, ticks = item.ticks, count = item.count, last = item.last,
        last_ticks = item.last_ticks, label = "more events", text = "more events, of several kinds",
      }
      out[#out + 1] = rest
    else
      rest.count = rest.count + item.count
      if item.last > rest.last then rest.last, rest.last_ticks = item.last, item.last_ticks end
    end
  end
  return out
end

-- The key files worth a row: what the plan touches, then what Windows finds, candidates, the others.
local function key_weight(item)
  return item.plan and 1 or item.class == "current" and 2 or item.key.candidate and 3 or 4
end

local function cut_keys(list, most)
  local keys, keep, out = {}, {}, {}
  for _, item in ipairs(list) do
    if item.kind == "key" then keys[#keys + 1] = item end
  end
  if #keys <= most then return list, 0 end
  table.sort(keys, function(a, b)
    local left, right = key_weight(a), key_weight(b)
    if left ~= right then return left < right end
    return a.place < b.place
  end)
  for index = 1, most do keep[keys[index]] = true end
  for _, item in ipairs(list) do
    if item.kind ~= "key" or keep[item] then out[#out + 1] = item end
  end
  return out, #keys - most
end

-- The list with events bundled and both kinds limited: rows that a person can look through. left_keys: key files
-- that have no row.
function M.rows(list)
  local out, run = {}, {}
  local few, left = cut_keys(list, M.MAX_KEYS)
  for _, item in ipairs(few) do
    if item.kind == "event" then
      run[#run + 1] = item
    else
      bundle_run(out, run)
      out[#out + 1], run = item, {}
    end
  end
  bundle_run(out, run)
  out = cut_events(out, M.MAX_EVENTS)
  out.left_keys, out.more_events, out.undated, out.log_problem = left, list.more_events, list.undated, list.log_problem
  return out
end

-- ---- Words ----

local UNITS = {
  { 31557600, "year" }, { 2629800, "month" }, { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" },
}

-- "3 years, 6 months": the two largest units, rounded down.
function M.duration(seconds)
  seconds = math.floor(math.abs(seconds))
  for index, unit in ipairs(UNITS) do
    local count = math.floor(seconds / unit[1])
    if count > 0 then
      local text = ("%d %s%s"):format(count, unit[2], count == 1 and "" or "s")
      local next_unit = UNITS[index + 1]
      local rest = next_unit and math.floor((seconds - count * unit[1]) / next_unit[1]) or 0
      if rest > 0 then text = text .. (", %d %s%s"):format(rest, next_unit[2], rest == 1 and "" or "s") end
      return text
    end
  end
  return "less than a second"
end

-- The sentence of a row; of a bundle with how many and until when.
function M.row_text(item)
  if (item.count or 1) < 2 then return item.text end
  return ("%s (%d times, last %s)"):format(item.text, item.count, facts.time(item.last, item.last_ticks))
end

-- ---- The picture for a terminal ----

-- What tells the marks apart without colour; the words beside them say it too.
local MARK = {
  current = "(O)", foreign = "( )", regenerated = "(X)", stray = "(?)", guid = "[#]", backup = "[=]", event = " ! ",
  onset = ">>>", transaction = "[k]", ["master-key"] = "[*]", success = " + ",
}
local STYLE = { regenerated = "warning", event = "error", onset = "strong", current = "good", success = "good" }
local RAIL = " |"
local DAY = 86400

local function print_row(page, item)
  local look = item.kind == "key" and item.class or item.kind
  local when = core.time_text(item.ticks or item.time)
  page:item((MARK[look] or " - ") .. " " .. when .. (item.certain and "" or "?"),
    M.row_text(item) .. (item.plan and ". " .. M.PLAN[item.plan] or ""), { indent = 26, style = STYLE[look],
      rail = RAIL, text_style = item.plan and "strong" or nil })
  if item.kind == "key" then page:line(RAIL .. "  " .. item.name) end
  if item.why_not then
    page:item(RAIL, "the time proves nothing: " .. item.why_not, { indent = 4, rail = RAIL })
  end
end

local function print_undated(page, undated)
  if #undated == 0 then return end
  page:line "    without a time:"
  for index, item in ipairs(undated) do
    if index > M.MAX_KEYS then
      page:line(("    and %d more"):format(#undated - M.MAX_KEYS))
      break
    end
    local look = item.kind == "key" and item.class or item.kind
    page:item(MARK[look] or " - ", item.label .. (item.plan and ". " .. M.PLAN[item.plan] or ""),
      { indent = 4, style = STYLE[look] })
    if item.name then page:line("    " .. item.name) end
  end
end

-- Draws the list; oldest first, since a story is told that way.
function M.print(page, list)
  page:heading "Timeline, oldest first"
  local rows, former = M.rows(list), nil
  if #rows == 0 then page:text_block("nothing that has a time is known", 4) end
  for _, item in ipairs(rows) do
    local gap = former and item.time - former or 0
    if former then page:line(RAIL) end
    if gap >= DAY then
      page:line(" :  " .. M.duration(gap) .. " later")
      page:line(RAIL)
    end
    print_row(page, item)
    former = item.time
  end
  if rows.more_events > 0 then page:line(("    and %d older events"):format(rows.more_events)) end
  if rows.left_keys > 0 then page:line(("    and %d more key files"):format(rows.left_keys)) end
  print_undated(page, rows.undated)
  if rows.log_problem then page:text_block("the System log: " .. rows.log_problem, 4, "warning") end
end

return M
