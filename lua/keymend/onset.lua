-- onset.lua: when the problem of a key container began, and what speaks for and against that
--
-- The onset is the first failure after the container's last known success. Told by --onset, by the events of a policy's
-- first_failure in the System log, by a policy's function, or, where none of these tells, by the creation time of the
-- regenerated key file. The last write of the Cryptography key bounds the last reset, it is no point in time.
--
-- Successes: a service that the events speak of entered the state running and did not fail soon after (sure); keymend
-- adopted a key file (sure); Windows was started and such a service, which starts by itself, logged no failure (likely:
-- all that Windows 2000 tells). They part the failures into episodes; the last one, if no success ended it, is the
-- problem of today.
--
-- Events date and explain. They decide against a key file only where they are strong: the log is whole, the failure's
-- code points at the key, and it was seen again at a later start of Windows with that key file in place. All else they
-- tell is doubt, and with doubt keymend refuses.
--
-- study() fills of a case:
--   chosen_onset   { time, ticks, reason, kind = "option", "events", "function" or "regeneration", pro, contra,
--                  keys }, or nil; case.onset: the time of the reset that goes with it, unless that is only when the
--                  current key file was made
--   onsets         all resets seen, oldest first: { time, ticks, reason, chosen, keys, pro, contra }; keys: the names
--                  of the key files that were made because of it; pro, contra: rows { kind, text, time, ticks }
--   contradictions rows of evidence that can hardly be true together with the chosen onset
--   only_late      every candidate was made when the failures began or later
-- and of its keys: regenerated, why one is a candidate no more; doubted, why one is not adopted by rule unless proved

local core = require "keymend.core"
local facts_of = require "keymend.facts"
local rules = require "keymend.rules"
local use = require "keymend.use"

local M = {}

-- Seconds. A key file made this little before or after the first failure was made by the start that failed; a start of
-- a service was good when it logs no failure for so long.
M.MARGIN = 600
-- Further onsets that are told: failures that ended.
M.MAX_FORMER = 20

local DAY = 86400

-- ---- What the log tells ----

local function before(a, b)
  if a.time ~= b.time then return a.time < b.time end
  return (a.record or 0) < (b.record or 0)
end

-- The services whose state says how the container works: those that the events of the rule name, by service or as
-- source; else all users of the container. lower-case name -> service.
local function witnesses(case)
  local known = case.facts.services()
  local found = {}
  if not known then return found end
  for _, wanted in ipairs(case.policy.onset) do
    local service = known.graph:find(wanted.service or wanted.source)
    if service then found[service.name:lower()] = service end
  end
  if next(found) then return found end
  local policy = case.policy
  for _, service in ipairs(known.graph:reach(known.graph:fitting(policy.user_patterns or policy.service_patterns),
    policy.services.dependents)) do
    found[service.name:lower()] = service
  end
  return found
end

local function failures_of(case, reading)
  local list, own = {}, {}
  for _, wanted in ipairs(case.policy.onset) do own[wanted] = true end
  for _, match in ipairs(reading.matches) do
    local event = match.event
    if own[match.wanted] and event.time and not (list[#list] and list[#list].event == event) then
      list[#list + 1] = { time = event.time, ticks = event.ticks, record = event.record, event = event,
        of_key = use.points_at_key(event.code) }
    end
  end
  table.sort(list, before)
  return list
end

-- Whether one of the sorted `list` stands from `from` to `to` (seconds).
local function any_between(list, from, to)
  for _, one in ipairs(list) do
    if one.time > to then return false end
    if one.time >= from then return true end
  end
  return false
end

local function running_states(list, reading, witness, failures)
  for _, state in ipairs(reading.states) do
    if state.running and state.time and witness[state.service:lower()]
      and not any_between(failures, state.time, state.time + M.MARGIN) then
      list[#list + 1] = { kind = "event", sure = true, service = state.service, time = state.time, ticks = state.ticks,
        record = state.record, text = state.service .. " started and logged no failure" }
    end
  end
end

-- The names of the witnesses that Windows starts by itself, as text; nil: none.
local function automatic(witness)
  local names = {}
  for _, service in pairs(witness) do
    if service.start == "automatic" then names[#names + 1] = service.name end
  end
  table.sort(names)
  return #names > 0 and table.concat(names, ", ") or nil
end

-- Starts of Windows after which nothing of the container's services failed while the log went on.
local function quiet_starts(list, reading, witness, failures)
  local names, last = automatic(witness), reading.newest
  if not names or not last then return end
  local troubles, starts = {}, {}
  for index, one in ipairs(reading.troubles) do troubles[index] = one end
  for index, one in ipairs(reading.starts) do starts[index] = one end
  table.sort(troubles, before)
  table.sort(starts, before)
  for index, start in ipairs(starts) do
    local stop = start.time + M.MARGIN
    local next_start = starts[index + 1]
    if stop <= last.time and not (next_start and next_start.time < stop)
      and not any_between(failures, start.time, stop) and not any_between(troubles, start.time, stop) then
      list[#list + 1] = { kind = "start", sure = false, time = start.time, ticks = start.ticks, record = start.record,
        service = names, text = ("Windows was started, and no failure of %s was logged then"):format(names) }
    end
  end
end

local function repairs(list, case)
  for _, txn in ipairs(case.history) do
    for _, file in ipairs(facts_of.stands(txn) and txn.ended and txn.files or {}) do
      if file.after and file.after:lower():sub(1, #case.hash) == case.hash then
        list[#list + 1] = { kind = "transaction", sure = true, time = txn.ended, ticks = txn.ended_ticks,
          text = ("keymend adopted a key file (transaction %s)"):format(txn.id) }
      end
    end
  end
end

-- Runs of failures without a success between: { first, last, count, of_key, after, ended }; of_key: one points at the
-- key; after, ended: the successes before and after.
local function episodes_of(failures, successes)
  local all, list, open, latest = {}, {}, nil, nil
  for _, one in ipairs(failures) do all[#all + 1] = one end
  for _, one in ipairs(successes) do all[#all + 1] = one end
  table.sort(all, before)
  for _, one in ipairs(all) do
    if not one.event then
      if open then open.ended = one end
      open, latest = nil, one
    elseif open then
      open.last, open.count, open.of_key = one, open.count + 1, open.of_key or one.of_key
    else
      open = { first = one, last = one, count = 1, after = latest, of_key = one.of_key }
      list[#list + 1] = open
    end
  end
  return list
end

-- Whether nothing of the log is known to be missing: only then what it does not tell counts.
local function is_whole(reading)
  return not reading.problem and not reading.cut and (reading.damaged or 0) == 0
end

-- What the log says of a case: { reading, whole, failures, successes, episodes, open = the episode that lasts }, or
-- { problem = why there is nothing }.
local function log_of(case)
  local reading, problem = case.facts.events()
  if not reading then
    return { problem = problem.code == "not-found" and "there is no System log to tell the first failure"
      or "the System log cannot be read: " .. problem.message }
  end
  local witness = witnesses(case)
  local log = { reading = reading, whole = is_whole(reading), failures = failures_of(case, reading), successes = {} }
  running_states(log.successes, reading, witness, log.failures)
  quiet_starts(log.successes, reading, witness, log.failures)
  repairs(log.successes, case)
  table.sort(log.successes, before)
  log.episodes = episodes_of(log.failures, log.successes)
  local last = log.episodes[#log.episodes]
  if last and not last.ended then log.open = last end
  if #log.failures == 0 then
    log.problem = "the System log tells no failure"
  elseif not log.open then
    log.problem = "the System log tells no failure after the last known success, "
      .. core.time_text(last.ended.ticks or last.ended.time)
  end
  return log
end

-- ---- The onset ----

local function row(list, kind, text, time, ticks)
  list[#list + 1] = { kind = kind, text = text, time = time, ticks = ticks }
end

local function event_text(event)
  return require("keymend.events").line(event)
end

-- "3 seconds", "26 hours", "49 days"
local function span(seconds)
  seconds = math.abs(seconds)
  local function of(count, unit) return ("%.0f %s%s"):format(count, unit, count == 1 and "" or "s") end
  if seconds < 120 then return of(seconds, "second") end
  if seconds < 7200 then return of(math.floor(seconds / 60), "minute") end
  if seconds < 2 * DAY then return of(math.floor(seconds / 3600), "hour") end
  return of(math.floor(seconds / DAY), "day")
end

local function beside(seconds)
  return seconds == 0 and "in the same second" or span(seconds) .. (seconds < 0 and " before" or " after")
end

local function from_events(log)
  local open = log.open
  return {
    kind = "events", time = open.first.time, ticks = open.first.ticks, event = open.first.event, log = log,
    reason = ("the first failure that the System log tells%s: %s"):format(
      open.after and " after the last known success" or "", event_text(open.first.event)),
  }
end

local function from_option(case)
  return { kind = "option", time = case.options.onset, ticks = case.options.onset_ticks, reason = "given with --onset" }
end

-- By the creation time of the current key file; nil when there is none that counts.
local function from_regeneration(case, log)
  local current = case.current
  if not current or not current.usable_time then return nil end
  return { kind = "regeneration", time = current.created, ticks = current.created_ticks,
    reason = "when the current key file was made" .. (log and " (" .. log.problem .. ")" or "") }
end

-- ---- Key files that were made because of it ----

local function near(key, time, margin)
  return key.usable_time and math.abs(key.usable_time - time) <= margin
end

-- The sound key file made nearest to a point in time, if that is within `margin` seconds.
local function anchor_at(case, time, margin)
  local nearest
  for _, key in ipairs(case.keys) do
    if key.sound and near(key, time, margin)
      and (not nearest or math.abs(key.usable_time - time) < math.abs(nearest.usable_time - time)) then
      nearest = key
    end
  end
  return nearest
end

-- People remember days.
local function anchor_of(case, chosen)
  return anchor_at(case, chosen.time, chosen.kind == "option" and DAY or M.MARGIN)
end

-- Whether a key file is older than the current one, or there is none to compare with.
local function before_current(case, key)
  local current = case.current
  return not current or not current.sound or not current.usable_time or key.usable_time < current.usable_time
end

-- The candidates that were made at `from` or later.
local function made_since(case, from)
  local late = {}
  for _, key in ipairs(case.candidates) do
    if key.usable_time and not key.proved and key.usable_time >= from and before_current(case, key) then
      late[#late + 1] = key
    end
  end
  return late
end

-- When the next reset after the making of `key` may have been, at the earliest.
local function next_reset(case, key)
  local made, least = key.usable_time, math.huge
  for _, other in ipairs(case.keys) do
    if other ~= key and other.usable_time and other.usable_time > made then
      least = math.min(least, other.usable_time - M.MARGIN)
    end
  end
  local written = case.info.guid_written
  return written and written > made and math.min(least, written) or least
end

-- Whether a start of Windows with this key file in place failed, with a code that points at the key.
local function failed_with(case, key, log)
  local reset = next_reset(case, key)
  for _, start in ipairs(log.reading.starts) do
    if start.time > key.usable_time + M.MARGIN then
      for _, failure in ipairs(log.failures) do
        if failure.of_key and failure.time >= start.time and failure.time <= start.time + M.MARGIN
          and failure.time < reset then return true end
      end
    end
  end
  return false
end

-- The candidates that the chosen onset leaves out. Of a point that events tell it must be certain that it is a reset: a
-- key file was made at that time, and each that is left out was seen to fail.
local function late_ones(case, chosen)
  if chosen.kind == "regeneration" then return {} end
  if chosen.kind ~= "events" then
    return made_since(case, chosen.time - (chosen.kind == "function" and 0 or M.MARGIN))
  end
  local late, log = {}, chosen.log
  if not chosen.anchor or not log.whole or not log.open.first.of_key then return late end
  for _, key in ipairs(made_since(case, chosen.time - M.MARGIN)) do
    if failed_with(case, key, log) then late[#late + 1] = key end
  end
  return late
end

-- Marks the candidates made when failures began or later, and that is too little to leave them out. Failures that only
-- a quiet start ended may not have ended.
local function doubt(case, log)
  local since
  for index = #(log.episodes or {}), 1, -1 do
    local episode = log.episodes[index]
    if episode.ended and episode.ended.sure then break end
    if anchor_at(case, episode.first.time, M.MARGIN) then since = episode.first end
  end
  for _, key in ipairs(since and made_since(case, since.time - M.MARGIN) or {}) do
    key.doubted = ("it was made %s failures began (%s), so Windows may have regenerated it too"):format(
      near(key, since.time, M.MARGIN) and "when" or "after", facts_of.time(since.time, since.ticks))
  end
end

local function exclude(case, chosen, log)
  local events = chosen.kind == "events"
  local since = events and chosen.anchor and made_since(case, chosen.time - M.MARGIN) or {}
  local late = late_ones(case, chosen)
  if events and #since > 0 and #since == #case.candidates then case.only_late = true end
  if #late == 0 or #late == #case.candidates then late = {} end
  local kept, gone = {}, {}
  for _, key in ipairs(late) do
    gone[key] = true
    key.candidate = false
    key.regenerated = ("it was made %s, %s the problem began (%s), so Windows regenerated it too"):format(
      facts_of.time(key.created, key.created_ticks), near(key, chosen.time, M.MARGIN) and "when" or "after",
      facts_of.time(chosen.time, chosen.ticks))
  end
  for _, key in ipairs(case.candidates) do
    if not gone[key] then kept[#kept + 1] = key end
  end
  case.candidates = kept
  if events or chosen.kind == "regeneration" then doubt(case, log) end
  return late
end

-- ---- For and against ----

-- What the times of the registry and of the files say of the chosen onset.
local function weigh_times(case, chosen)
  local info, current, anchor = case.info, case.current, chosen.anchor
  if info.guid_written then
    if info.guid_written <= math.max(chosen.time, anchor and anchor.usable_time or 0) + M.MARGIN then
      row(chosen.pro, "guid-written", "the registry key that holds the machine GUID was last written then; the "
        .. "reset was no later", info.guid_written, info.guid_written_ticks)
    else
      row(chosen.contra, "guid-written", ("the registry key that holds the machine GUID was written again %s after it; "
        .. "perhaps a later reset"):format(span(info.guid_written - chosen.time)), info.guid_written,
        info.guid_written_ticks)
    end
  end
  if anchor and chosen.kind ~= "regeneration" then
    row(chosen.pro, "created", ("a key file was made %s%s: %s"):format(beside(anchor.usable_time - chosen.time),
      anchor.usable_time ~= chosen.time and " it" or "", anchor.name), anchor.created, anchor.created_ticks)
  elseif current and current.usable_time and chosen.kind ~= "regeneration" then
    row(chosen.contra, "created", "the current key file was made " .. beside(current.usable_time - chosen.time)
      .. " it", current.created, current.created_ticks)
  end
end

local function hive_of(old)
  return (old.path or "") .. (old.before_logs and ", before its logs were replayed," or "")
end

-- The hives that tell an earlier machine GUID, with the time at which it was held: no reset from it was earlier. The
-- newest of before the onset speaks for it; what is later cannot be.
local function weigh_history(case, chosen)
  local newest
  for _, old in ipairs(case.info.old_guids or {}) do
    local known, made = false, nil
    for _, key in ipairs(case.foreign) do
      known = known or key.guid == old.guid and (key.candidate or key.regenerated ~= nil)
      if key.guid == old.guid and key.regenerated then made = key end
    end
    if known and made and old.saved and old.saved > chosen.time then
      row(chosen.pro, "backup", ("%s tells that the machine GUID was %s then, that of a key file made after the reset")
        :format(hive_of(old), old.guid), old.saved, old.saved_ticks)
    elseif known and old.saved and old.saved > chosen.time + M.MARGIN then
      local text = ("%s tells that the machine GUID was still %s"):format(hive_of(old), old.guid)
      row(chosen.contra, "backup", text, old.saved, old.saved_ticks)
      row(case.contradictions, "backup", text, old.saved, old.saved_ticks)
    elseif known and old.saved and (not newest or old.saved > newest.saved) then
      newest = old
    end
  end
  if newest then
    row(chosen.pro, "backup", ("%s tells that the machine GUID was %s then"):format(hive_of(newest), newest.guid),
      newest.saved, newest.saved_ticks)
  end
end

local function weigh_log(case, chosen, log)
  local open = log.open
  if open and chosen.kind == "events" then
    if open.after then row(chosen.pro, "success", "the last known success: " .. open.after.text, open.after.time,
      open.after.ticks) end
    if open.count > 1 then
      row(chosen.pro, "event", ("%d more such failure%s since, the last one: %s"):format(open.count - 1,
        open.count > 2 and "s" or "", require("keymend.events").short(open.last.event)), open.last.time,
        open.last.ticks)
    end
  end
  local reading = log.reading
  local oldest = reading and reading.oldest
  if oldest and chosen.kind == "events" and not open.after and not reading.cut then
    row(chosen.contra, "log", "the log tells of no success before it, and begins only here; what was before is not "
      .. "known", oldest.time, oldest.ticks)
  end
  if reading and reading.cut then
    row(chosen.contra, "log", "the log holds more such events than are looked at; the oldest do not count")
  end
  if reading and reading.problem and chosen.kind == "events" then row(chosen.contra, "log", reading.problem) end
  if reading and not reading.problem and (reading.damaged or 0) > 0 and chosen.kind == "events" then
    row(chosen.contra, "log", "events are missing from the log, so what it does not tell proves nothing")
  end
end

-- What cannot be true together.
local function contradict(case, chosen, log)
  local list, current, open = case.contradictions, case.current, log.open
  if chosen.kind == "events" and not chosen.anchor and current and current.usable_time
    and current.usable_time > chosen.time + M.MARGIN then
    row(list, "created", ("the failures began %s before the current key file was made, and no other key file was made "
      .. "then: they had another cause, or the key file of that time is gone"):format(
      span(current.usable_time - chosen.time)), current.created, current.created_ticks)
  end
  if M.began_late(case) then
    row(list, "created", ("the failures began %s after the current key file was made, and no key file was made then")
      :format(span(chosen.time - current.usable_time)), current.created, current.created_ticks)
  end
  if chosen.kind == "option" and open and (open.first.time < chosen.time - M.MARGIN
    or open.first.time > chosen.time + DAY) then
    row(list, "event", ("the first failure that the System log tells is %s --onset: %s"):format(
      beside(open.first.time - chosen.time), event_text(open.first.event)), open.first.time, open.first.ticks)
  end
  for index = #(log.successes or {}), 1, -1 do
    local good = log.successes[index]
    if good.kind == "start" and not open and current and current.usable_time
      and good.time > current.usable_time + M.MARGIN then
      row(list, "success", ("%s, though the current key file was in place"):format(good.text), good.time, good.ticks)
      break
    end
  end
end

-- ---- All onsets ----

local function names_of(keys)
  local names = {}
  for index, key in ipairs(keys) do names[index] = key.name end
  table.sort(names)
  return names
end

-- The current key file, when it is newer than what there is to adopt.
local function is_regenerated(case)
  local current = case.current
  if not current or not current.usable_time or #case.candidates == 0 then return false end
  for _, key in ipairs(case.candidates) do
    if not key.usable_time or key.usable_time >= current.usable_time then return false end
  end
  return true
end

local function later_reset(case, key)
  local made = { time = key.created, ticks = key.created_ticks, chosen = false, keys = { key.name }, pro = {},
    contra = {}, reason = "a later reset: then this key file was made" }
  local info = case.info
  if key == case.current and info.guid_written and info.guid_written <= key.usable_time + M.MARGIN then
    row(made.pro, "guid-written", "the registry key that holds the machine GUID was last written before it",
      info.guid_written, info.guid_written_ticks)
  end
  row(made.contra, "event", "the failures had begun before", case.chosen_onset.time, case.chosen_onset.ticks)
  return made
end

local function former(case, episode)
  local keys = {}
  for _, key in ipairs(case.keys) do
    if near(key, episode.first.time, M.MARGIN) then keys[#keys + 1] = key end
  end
  local made = { time = episode.first.time, ticks = episode.first.ticks, chosen = false, keys = names_of(keys),
    pro = {}, contra = {}, reason = "failures that ended: " .. event_text(episode.first.event) }
  row(made.contra, "success", "after them: " .. episode.ended.text, episode.ended.time, episode.ended.ticks)
  return made
end

local function list_all(case, log, late)
  local chosen, made = case.chosen_onset, {}
  if is_regenerated(case) then late[#late + 1] = case.current end
  for _, key in ipairs(late) do
    if chosen.anchor and key ~= chosen.anchor and key.usable_time > chosen.time + M.MARGIN then
      table.insert(case.onsets, later_reset(case, key))
    else
      made[#made + 1] = key
    end
  end
  chosen.keys = names_of(made)
  table.insert(case.onsets, { time = chosen.time, ticks = chosen.ticks, reason = chosen.reason, chosen = true,
    keys = chosen.keys, pro = chosen.pro, contra = chosen.contra })
  local count = 0
  for index = #(log.episodes or {}), 1, -1 do
    local episode = log.episodes[index]
    if episode.ended and count < M.MAX_FORMER then
      count = count + 1
      table.insert(case.onsets, former(case, episode))
    end
  end
  table.sort(case.onsets, function(a, b)
    if a.time ~= b.time then return a.time < b.time end
    return a.chosen and not b.chosen
  end)
end

-- What a later backup of the registry cannot be about. Failures tell of no reset unless the current key file was made
-- then, or one that is known to be regenerated; without a current key file they must have been seen again.
local function reset_of(case, chosen)
  if chosen.kind ~= "events" then return chosen.time end
  local current, anchor, open = case.current, chosen.anchor, chosen.log.open
  if anchor and (anchor == current or anchor.regenerated) then return chosen.time end
  if current and current.usable_time then return current.usable_time end
  local again = open.first.of_key and open.last.of_key and open.last.time > open.first.time + M.MARGIN
  return not anchor and chosen.log.whole and again and chosen.time or nil
end
M.reset_of = reset_of

local function settle(case, chosen, log)
  chosen.pro, chosen.contra = {}, {}
  chosen.anchor = anchor_of(case, chosen)
  case.chosen_onset = chosen
  local late = exclude(case, chosen, log)
  if chosen.kind ~= "regeneration" then case.onset = reset_of(case, chosen) end
  weigh_log(case, chosen, log)
  weigh_times(case, chosen)
  weigh_history(case, chosen)
  contradict(case, chosen, log)
  list_all(case, log, late)
  return chosen
end

-- Studies a case whose keys are sorted. Where nothing is wrong, there is no onset and no log is read. A policy's
-- function is asked later (M.decide), when it is its turn.
function M.study(case)
  case.onsets, case.contradictions = {}, {}
  if case.options.onset then case.onset = case.options.onset end
  if #case.candidates == 0 or case.too_many then return end
  local rule = case.policy.onset
  local log = rule.rule == "first_failure" and log_of(case) or {}
  case.log = log
  if case.options.onset then return settle(case, from_option(case), log) end
  if rule["function"] then return nil end
  local chosen = log.open and from_events(log) or from_regeneration(case, rule.rule == "first_failure" and log)
  return chosen and settle(case, chosen, log)
end

-- The chosen onset, a policy's function asked by now; nil, why none, and as rules.onset.
function M.decide(case)
  if case.chosen_onset then return case.chosen_onset end
  local time, ticks, reason, fault = rules.onset(case.policy.onset, case)
  if not time then return nil, reason, fault end
  return settle(case, { kind = case.policy.onset["function"] and "function" or "regeneration", time = time,
    ticks = ticks, reason = reason }, case.log or {})
end

-- Whether the service may hold the older key all the same at a success: no start of Windows is known since the current
-- key file was made. That start, or nil.
local function started_before(case, good)
  for _, start in ipairs(case.log.reading.starts) do
    if start.time > case.current.usable_time + M.MARGIN and start.time <= good.time then return start end
  end
end

-- The newest success after the current key file was made: the container's services may use that key file. The registry
-- key of the machine GUID may have been written later; that does not undo it. Quiet starts count while no failure
-- followed and nobody told the onset. Where failures followed that point at the key, a service counts only when Windows
-- was started between, since one in a process of before may have held the older key. success, start; nil: none.
function M.ran_since(case)
  local made, log = case.current.usable_time, case.log or {}
  if not made or not log.successes then return nil end
  local told = case.chosen_onset and case.chosen_onset.kind == "option"
  for index = #log.successes, 1, -1 do
    local good = log.successes[index]
    if good.time <= made + M.MARGIN then return nil end
    if good.kind == "event" then
      local start = started_before(case, good)
      if start or not log.open or not log.open.of_key then return good, start end
      return nil
    end
    if good.kind == "start" and not log.open and not told then return good end
  end
end

-- Whether the log tells a success after `time`, and since then no failure that points at the key.
function M.worked_after(case, time)
  local log = case.log or {}
  local good = log.successes and log.successes[#log.successes]
  return good ~= nil and good.time > time and not (log.open and log.open.of_key)
end

-- Whether the failures that the events tell began when the current key file had been there for long, so that it is none
-- that was made because of them: a success was seen since, or the log reaches back and tells no failure of then.
function M.began_late(case)
  local chosen, current = case.chosen_onset, case.current
  if not chosen or chosen.kind ~= "events" or chosen.anchor or not current or not current.usable_time
    or current.usable_time >= chosen.time - M.MARGIN then return false end
  local after, oldest = chosen.log.open.after, chosen.log.reading.oldest
  return after ~= nil and after.time > current.usable_time or not oldest or oldest.time <= current.usable_time
    or not chosen.log.whole or not chosen.log.open.of_key
end

-- Adds the chosen onset, what speaks for and what against it to a finding's evidence, but for what it tells anyway.
function M.evidence(list, case)
  local chosen = case.chosen_onset
  if not chosen then return end
  row(list, "onset", "the problem began (onset): " .. chosen.reason, chosen.time, chosen.ticks)
  for _, one in ipairs(chosen.pro) do
    if one.kind ~= "guid-written" then row(list, "for", "for this onset: " .. one.text, one.time, one.ticks) end
  end
  for _, one in ipairs(chosen.contra) do
    row(list, "against", "against this onset: " .. one.text, one.time, one.ticks)
  end
  for _, key in ipairs(case.foreign) do
    local why = key.regenerated or key.candidate and key.doubted
    if why then row(list, "against", ("%s: %s"):format(key.name, why)) end
  end
end

return M
