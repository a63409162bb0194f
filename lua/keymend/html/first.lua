-- first.lua: the first screen of the page: cause, when, which key is right and why, what is done, which services stop
--
-- Whoever opens the page at night must see these five at once, so each is short; what stands behind them follows below.

local facts = require "keymend.facts"
local finding = require "keymend.finding"
local plans = require "keymend.plan"
local report = require "keymend.report"
local tag = require "keymend.html.tag"
local timeline = require "keymend.timeline"

local M = {}

-- Containers, names and services shown here; the sections below show all.
local SHOWN, SHOWN_SERVICES = 2, 14

-- ---- Words that the whole page uses ----

-- A key file's name with what tells it from others, its GUID, in bold; it may break after the hash.
function M.name(name)
  local hash, guid = name:match "^(%x+_)(.+)$"
  if not hash or #hash ~= 33 then return tag.code { class = "file", name } end
  return tag.code { class = "file", tag.span { class = "hash", hash }, tag.wbr {}, tag.b { guid } }
end

-- The end of a key file's name, which tells it from others of its container.
local function short_name(name)
  return tag.code { class = "file", #name > 40 and { "\226\128\166", name:sub(33) } or name }
end

local FILE = "()" .. ("%x"):rep(32) .. "_[%w%-]+()"

-- Text with the names of key files in it set as such; short: their ends alone.
function M.prose(text, short)
  local out, at = {}, 1
  for from, to in text:gmatch(FILE) do
    out[#out + 1] = text:sub(at, from - 1)
    out[#out + 1] = (short and short_name or M.name)(text:sub(from, to - 1))
    at = to
  end
  out[#out + 1] = text:sub(at)
  return tag.list(out)
end

-- A time as people read it, exact to the second.
function M.time(seconds, ticks)
  if not seconds and not ticks then return "at an unknown time" end
  local text = facts.time(seconds, ticks)
  local date, clock = text:match "^(%d+%-%d+%-%d+)T(%d+:%d+:%d+)"
  if not date then return text end
  return tag.time { datetime = text, tag.span { date }, " ", tag.span { clock, " UTC" } }
end

local function more(count, what)
  return count > 0 and tag.p { class = "faint", ("and %d more %s below"):format(count, what) }
end

local function sentence(text)
  if not text:find "^keymend" then text = text:gsub("^%l", string.upper) end
  return (text:gsub("%.?%s*$", ".", 1))
end
M.sentence = sentence

-- ---- When ----

-- The chosen onsets of all containers, equal ones once.
local function onsets_of(diagnosis)
  local list, seen = {}, {}
  for _, case in ipairs(diagnosis.cases) do
    for _, onset in ipairs(case.onsets or {}) do
      local at = onset.chosen and onset.time and facts.time(onset.time, onset.ticks)
      if at and not seen[at] then
        seen[at] = true
        list[#list + 1] = onset
      end
    end
  end
  return list
end

local function for_and_against(onset)
  local pro, contra = #(onset.pro or {}), #(onset.contra or {})
  if pro + contra == 0 then return nil end
  return tag.p { class = "faint", ("%s for it, %s against it; see "):format(report.plural(pro, "fact"),
    report.plural(contra, "fact")), tag.a { href = "#findings", "the findings" }, "." }
end

local function guid_line(diagnosis)
  local info = diagnosis.info
  if not info.guid_written then return nil end
  return tag.p {
    timeline.is_reset(diagnosis) and "The machine GUID was reset no later than "
      or "The registry key of the machine GUID was last written ",
    M.time(info.guid_written, info.guid_written_ticks), ".",
  }
end

local function is_whole(diagnosis)
  return diagnosis.verdict == "healthy" or diagnosis.verdict == "none"
end

local function when(diagnosis)
  local onsets, out = onsets_of(diagnosis), {}
  for index = 1, math.min(SHOWN, #onsets) do
    local onset = onsets[index]
    out[#out + 1] = tag.p { class = "big", M.time(onset.time, onset.ticks) }
    out[#out + 1] = tag.p { M.prose(sentence(onset.reason or ""), true) }
    out[#out + 1] = for_and_against(onset)
  end
  out[#out + 1] = more(#onsets - SHOWN, "onsets")
  if #onsets == 0 and is_whole(diagnosis) then
    return { tag.p { class = "big", "No problem found" }, tag.p { "So there is no time when one began." } }
  end
  if #onsets == 0 then out[1] = tag.p { class = "big", "Not known" } end
  out[#out + 1] = guid_line(diagnosis)
  return out
end

-- ---- Which key ----

local function made(key)
  return tag.list { key.class, ", ", key.created and { "made ", M.time(key.created, key.created_ticks) }
    or "made at an unknown time" }
end

local function refused(case)
  local out = { tag.p { tag.strong { "Not decided. " }, M.prose(sentence(case.verdict.refused), true) } }
  for index = 1, math.min(3, #(case.candidates or {})) do
    local key = case.candidates[index]
    out[#out + 1] = tag.p { class = "key", M.name(key.name), tag.span { class = "faint", made(key) } }
  end
  out[#out + 1] = more(#(case.candidates or {}) - 3, "candidates")
  return out
end

local function adopted(case)
  local verdict = case.verdict
  return {
    tag.p { class = "key right", M.name(verdict.adopt.name), tag.span { class = "faint", made(verdict.adopt) } },
    tag.p { tag.strong { "Why: " }, M.prose(sentence(verdict.reason or "it is the only one"), true) },
    verdict.retire and tag.p { tag.strong { "Not " }, short_name(verdict.retire.name),
      (" (%s): %s"):format(verdict.retire.class, sentence(verdict.why_retire or "it is in the way")) },
  }
end

local function key_of(case)
  local verdict = case.verdict
  if verdict.adopt then return adopted(case) end
  if verdict.restore then
    return {
      tag.p { class = "key right", M.name(verdict.restore.name), tag.span { class = "faint", made(verdict.restore) } },
      tag.p { "It comes back with the former machine GUID, under the name that it has." },
    }
  end
  if verdict.refused then return refused(case) end
  if verdict.healthy and case.current then
    return {
      tag.p { class = "key right", M.name(case.current.name), tag.span { class = "faint", made(case.current) } },
      tag.p { verdict.undecided and "It is the current one. Whether its services work with it is not known."
        or verdict.adopted and "It is the current one; keymend adopted it." or "It is the current one, and in order." },
    }
  end
  if verdict.retire then
    return tag.p { "None. The current key file has to go: ", sentence(verdict.why_retire or "") }
  end
  return tag.p { "None of the key files can be named; the findings tell why." }
end

-- Containers that need something first.
local function by_need(cases)
  local list = {}
  for pass = 1, 2 do
    for _, case in ipairs(cases) do
      local calm = case.verdict and (case.verdict.healthy
        or not (case.verdict.adopt or case.verdict.restore or case.verdict.refused))
      if case.verdict and (pass == 2) == (calm or false) then list[#list + 1] = case end
    end
  end
  return list
end

local function keys(diagnosis)
  local cases = by_need(diagnosis.cases)
  if #cases == 0 then return tag.p { "No key container was judged." } end
  local out = {}
  for index = 1, math.min(SHOWN, #cases) do
    out[#out + 1] = tag.h3 { cases[index].container }
    out[#out + 1] = key_of(cases[index])
  end
  out[#out + 1] = more(#cases - SHOWN, "key containers")
  return out
end

-- ---- What is done ----

local DOES = {
  adopt = { "Adopt", "under the name Windows looks for" },
  retire = { "Retire", "out of the store, into the vault" },
}

local function step_line(step)
  if step.kind == "restore-guid" then
    return tag.li { tag.strong { class = "adopt", "Put back" }, " the former machine GUID ", tag.code { step.to } }
  end
  local verb, what = unpack(DOES[step.kind])
  return tag.li { tag.strong { class = step.kind, verb }, " ", short_name(step.name), " ", what }
end

local function command(diagnosis, verb)
  local make = diagnosis.facts.options.command
  return make and make(verb) or "keymend " .. verb
end

local function done(diagnosis, three, plan)
  if diagnosis.verdict ~= "repair" then
    local first = diagnosis.findings[1]
    if first and not finding.at_least(first, "warning") then first = nil end
    local remedy, commands = first and first.remedy or "", first and first.commands or {}
    return {
      tag.p { class = "big", sentence(three.action) }, remedy ~= "" and tag.p { M.prose(remedy, true) },
      #commands > 0 and #commands <= 3 and tag.pre { tag.code { tag.lines(commands) } },
      not is_whole(diagnosis) and tag.p { class = "faint", "Nothing is changed as long as this is not settled. ",
        tag.a { href = "#findings", "All findings" }, "." },
    }
  end
  local list, steps = {}, plan.steps
  for index = 1, math.min(4, #steps) do list[index] = step_line(steps[index]) end
  local ready = three.action:find("^keymend apply") ~= nil
  return {
    tag.ol { list }, more(#steps - 4, "steps"), not ready and tag.p { class = "big", sentence(three.action) },
    tag.pre { tag.code { command(diagnosis, ready and "apply" or "plan") } },
    tag.p { class = "faint", "One transaction: all or nothing. ", tag.code { "keymend undo" }, " brings all back." },
  }
end

-- ---- Which services ----

local function chips(names, class)
  local out = {}
  for index = 1, math.min(#names, SHOWN_SERVICES) do out[index] = tag.li { names[index] } end
  if #names > SHOWN_SERVICES then
    out[#out + 1] = tag.li { class = "rest", ("and %d more"):format(#names - SHOWN_SERVICES) }
  end
  return tag.ol { class = "chips " .. class, out }
end

local function services(diagnosis, three, plan)
  local out = { tag.p { class = "big", sentence(three.downtime) } }
  local names = diagnosis.verdict == "repair" and plan.stop or {}
  if #names == 0 then return out end
  local deferred = facts.services_deferred(diagnosis.info)
  local stopped = not deferred and plan.running or names
  if #stopped == 0 then
    out[#out + 1] = tag.p { "None of the services that use the key runs now." }
    return out
  end
  out[#out + 1] = tag.p { deferred and "This Windows is not running, so nothing stops. These use the key, or need one "
    .. "that does:" or "These stop, in this order, and start again:" }
  out[#out + 1] = chips(stopped, "stop")
  return out
end

-- ---- The whole ----

local BADGE = {
  repair = { "warning", "A repair is ready" }, undecided = { "error", "keymend refuses to guess" },
  refused = { "error", "Not in order" },
  broken = { "error", "Not in order" }, healthy = { "good", "In order" }, none = { "info", "Nothing was judged" },
}

local function is_undecided(diagnosis)
  if diagnosis.verdict ~= "refused" then return false end
  for _, case in ipairs(diagnosis.cases) do
    if case.verdict and case.verdict.refused then return true end
  end
  return false
end

local function card(id, class, title, content)
  return tag.section { class = "card " .. class, ["aria-labelledby"] = id, tag.h2 { id = id, title }, content }
end

function M.draw(diagnosis)
  local three, plan = report.three(diagnosis), plans.from_diagnosis(diagnosis)
  local tone, word = unpack(BADGE[is_undecided(diagnosis) and "undecided" or diagnosis.verdict] or BADGE.none)
  if tone == "good" and three.severity ~= "good" then tone, word = three.severity, "Keys in order, see the findings" end
  return tag.list {
    tag.section {
      class = "cause " .. tone, ["aria-labelledby"] = "cause",
      tag.p { class = "verdict", word }, tag.h2 { id = "cause", tag.span { class = "faint", "Cause: " },
        sentence(three.cause) },
    },
    tag.div {
      class = "cards",
      card("when", "when", "When", when(diagnosis)),
      card("key", "which", "Which key is right, and why", keys(diagnosis)),
      card("done", "done", "What will be done", done(diagnosis, three, plan)),
      card("down", "down", "Which services go down", services(diagnosis, three, plan)),
    },
  }
end

return M
