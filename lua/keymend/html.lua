-- html.lua: the whole case as one page: what the first screen says, the timeline, and all that stands behind it
--
-- The page is self-contained: one file, its style and pictures inside, no script, nothing fetched; its content security
-- policy forbids both. Everything from the target is escaped by keymend.html.tag.

local core = require "keymend.core"
local facts = require "keymend.facts"
local first = require "keymend.html.first"
local marks = require "keymend.html.marks"
local plans = require "keymend.plan"
local proof = require "keymend.proof"
local report = require "keymend.report"
local tag = require "keymend.html.tag"
local timeline = require "keymend.timeline"

local M = {}

-- How a page of keymend is known again, so that only such a file is replaced.
M.GENERATOR = "keymend report"

local MAX_KEYS, MAX_TRANSACTIONS = 200, 100

local function section(id, title, ...)
  return tag.section { id = id, ["aria-labelledby"] = id .. "-title", tag.h2 { id = id .. "-title", title },
    ... }
end

local function paragraphs(list)
  local out = {}
  for index, text in ipairs(list) do out[index] = tag.p { text } end
  return out
end

-- ---- Timeline ----

local function legend(rows)
  local seen, out = {}, {}
  for _, item in ipairs(rows) do seen[marks.look(item)] = true end
  for _, item in ipairs(rows.undated) do seen[marks.look(item)] = true end
  for _, look in ipairs(marks.ORDER) do
    if seen[look] then out[#out + 1] = tag.li { marks.icon(look), tag.span { marks.WORDS[look] } } end
  end
  return tag.ul { class = "legend", out }
end

local function row_cells(item)
  return {
    tag.td { class = "look", marks.icon(marks.look(item)) },
    tag.td { class = "at", item.time and first.time(item.time, item.ticks) or "no time" },
    tag.td {
      tag.p { first.prose(first.sentence(timeline.row_text(item))), item.plan and " ",
        item.plan and tag.strong { class = item.plan, timeline.PLAN[item.plan] } },
      item.kind == "key" and tag.p { first.name(item.name) },
      item.why_not and tag.p { class = "faint", "The time proves nothing: ", first.prose(item.why_not), "." },
    },
  }
end

local function gap_row(seconds)
  return tag.tr { class = "gap", tag.td { class = "look" },
    tag.td { colspan = 2, timeline.duration(seconds) .. " later" } }
end

local function timeline_table(rows)
  local out, former = {}, nil
  for _, item in ipairs(rows) do
    if former and item.time - former >= 86400 then out[#out + 1] = gap_row(item.time - former) end
    out[#out + 1] = tag.tr { id = "t" .. item.number, row_cells(item) }
    former = item.time
  end
  for index = 1, math.min(#rows.undated, timeline.MAX_KEYS) do
    out[#out + 1] = tag.tr { row_cells(rows.undated[index]) }
  end
  return tag.table {
    tag.caption { "The timeline in words, oldest first" },
    tag.thead { tag.tr { tag.th { scope = "col", tag.span { class = "unseen", "Mark" } },
      tag.th { scope = "col", "When" }, tag.th { scope = "col", "What" } } },
    tag.tbody { out },
  }
end

local function left_out(rows)
  local parts = {}
  if rows.left_keys > 0 then parts[#parts + 1] = report.plural(rows.left_keys, "more key file") end
  if rows.more_events > 0 then parts[#parts + 1] = report.plural(rows.more_events, "older event") end
  local undated = #rows.undated - timeline.MAX_KEYS
  if undated > 0 then parts[#parts + 1] = report.plural(undated, "more key file") .. " without a time" end
  return {
    #parts > 0 and tag.p { class = "note", "Not shown: ", table.concat(parts, ", "), "." },
    rows.log_problem and tag.p { class = "note", "The System log: ", first.sentence(rows.log_problem) },
  }
end

local function timeline_section(diagnosis)
  local rows = timeline.rows(timeline.of(diagnosis))
  for index, item in ipairs(rows) do item.number = index end
  local picture = require("keymend.html.chart").draw(rows)
  if not picture and #rows.undated == 0 then
    return section("timeline", "Timeline", tag.p { "Nothing that has a time is known." })
  end
  return section("timeline", "Timeline",
    picture and tag.figure { picture, tag.figcaption {
      "From left to right in time, not to scale; gaps say how long they are. Thick line: Windows finds the key file "
        .. "by its name (an old one at most so long). Dotted line: it does not. Each mark leads to its row below.",
      legend(rows) } },
    tag.div { class = "wide", timeline_table(rows) }, left_out(rows))
end

-- ---- Findings ----

local SIDE = { ["for"] = "pro", against = "contra" }

local function evidence(list)
  local out = {}
  for index, one in ipairs(list) do
    out[index] = tag.li {
      class = SIDE[one.kind], (one.time or one.ticks) and { first.time(one.time, one.ticks), " " } or nil,
      first.prose(one.text),
    }
  end
  return #out > 0 and tag.ul { class = "evidence", out } or nil
end

local function commands(list)
  return #list > 0 and tag.pre { tag.code { tag.lines(list) } } or nil
end

local function findings(diagnosis)
  local out = {}
  for index, one in ipairs(diagnosis.findings) do
    out[index] = tag.article {
      class = "finding " .. one.severity,
      tag.h3 { tag.span { class = "severity", one.severity }, tag.code { one.id } },
      tag.p { first.prose(one.text) }, evidence(one.evidence),
      one.remedy ~= "" and tag.p { class = "remedy", tag.strong { "What to do: " }, first.prose(one.remedy) },
      commands(one.commands),
    }
  end
  if #out == 0 then out[1] = tag.p { "None." } end
  return section("findings", "Findings and their evidence", out)
end

local function symptoms(diagnosis)
  local out = {}
  for _, policy in ipairs(diagnosis.policies) do
    for _, case in ipairs(diagnosis.cases) do
      if case.policy == policy and case.verdict and (case.verdict.adopt or case.verdict.refused) then
        for _, text in ipairs(policy.symptoms) do out[#out + 1] = tag.li { text } end
        break
      end
    end
  end
  return #out > 0 and section("symptoms", "How it shows", tag.ul { out }) or nil
end

-- ---- Plan ----

local function step(one)
  if one.kind == "restore-guid" then
    return tag.li {
      tag.p { tag.strong { class = "adopt", "Put back" }, " the former machine GUID into the registry" },
      tag.p { "from ", tag.code { one.name } }, tag.p { "to ", tag.code { one.to } },
      tag.p { "Because ", first.prose((one.reason:gsub("%.?%s*$", ".", 1))) },
    }
  end
  local created = one.created_ticks ~= "0" and first.time(nil, one.created_ticks) or "at an unknown time"
  return tag.li {
    tag.p { tag.strong { class = one.kind, one.kind == "adopt" and "Adopt" or "Retire" }, " ",
      ('the key file of "%s"'):format(one.container) },
    tag.p { first.name(one.name) }, one.to and tag.p { "as ", first.name(one.to) },
    one.reason ~= "" and tag.p { "Because ", first.prose((one.reason:gsub("%.?%s*$", ".", 1))) },
    tag.p { class = "faint", "Made ", created, (", %.0f bytes, SHA-256 "):format(one.size), tag.code { one.sha256 } },
  }
end

local function plan_section(diagnosis, plan)
  if #plan.steps == 0 then
    local why = diagnosis.verdict == "repair" and "" or "There is no plan: " .. (#diagnosis.refusals > 0
      and table.concat(diagnosis.refusals, " ") or "there is nothing that keymend could mend.")
    return section("plan", "Plan", tag.p { why })
  end
  local steps = {}
  for index, one in ipairs(plan.steps) do steps[index] = step(one) end
  local make = diagnosis.facts.options.command or function(verb) return "keymend " .. verb end
  return section("plan", "Plan", tag.ol { class = "steps", steps }, paragraphs(plan.notes),
    plan.overrides ~= "" and tag.p { "Overruled by ", tag.code { plan.overrides } },
    tag.p { "To see it and then to do it:" }, commands { make "plan", make "apply" })
end

-- ---- Services ----

-- The service patterns of the policies that apply, and the order in which the services stop and start.
local function ordered(diagnosis, known)
  local patterns, dependents = {}, false
  for _, policy in ipairs(diagnosis.policies) do
    for _, pattern in ipairs(policy.service_patterns) do patterns[#patterns + 1] = pattern end
    dependents = dependents or policy.services.dependents
  end
  if #patterns == 0 then return nil end
  return known.handle:order(patterns, dependents)
end

local function place_of(list)
  local places = {}
  for index, name in ipairs(list) do places[name:lower()] = index end
  return places
end

local function service_entry(graph, service, stop, start)
  local needs = graph:needs(service)
  for _, group in ipairs(graph:needs_groups(service)) do needs[#needs + 1] = "the group " .. group end
  local display = (service.display or "") ~= service.name and service.display or ""
  local state = report.state_text(service)
  return tag.li {
    tag.span { class = "number", stop },
    tag.div { tag.p { tag.strong { service.name } }, display ~= "" and tag.p { class = "faint", display } },
    tag.div { tag.p { service.start, state and ", " .. state }, tag.p { "needs ",
      #needs > 0 and report.listed(needs) or "nothing" },
      start and tag.p { class = "faint", ("starts as number %d"):format(start) } },
  }
end

local function service_entries(graph, order)
  local start, out = place_of(order.start), {}
  for index, name in ipairs(order.stop) do
    local service = graph:find(name)
    if service then out[#out + 1] = service_entry(graph, service, index, start[name:lower()]) end
  end
  return out
end

local function services_section(diagnosis)
  local known, problem = diagnosis.facts.services()
  local order = known and ordered(diagnosis, known)
  if not order or #order.stop == 0 then
    return section("services", "Services", tag.p { known and "No policy that applies here names a service of this "
      .. "Windows." or "The services cannot be read: " .. (problem or "unknown reason") })
  end
  local picture, more = require("keymend.html.services").draw(known.graph, order.stop)
  local notes = {}
  for _, cycle in ipairs(order.cycles) do
    notes[#notes + 1] = tag.p { "Services need one another in a circle: " .. cycle }
  end
  for _, name in ipairs(order.missing) do notes[#notes + 1] = tag.p { "Named by a policy, but not here: " .. name } end
  return section("services", "Services", tag.div {
    class = "beside",
    tag.figure { picture, tag.figcaption { "Numbers: the order in which they stop. An arrow leads to what a service "
      .. "needs.", more > 0 and (" %d more have no row here."):format(more) } },
    tag.div {
      tag.ol { class = "files", service_entries(known.graph, order) }, notes,
    },
  })
end

-- ---- Key files ----

local function key_entry(case, key)
  local against = {}
  for index, fault in ipairs(key.faults or {}) do
    local word = fault.id == "key.disproved" and key.refuted and "Disproved: " or "Against: "
    against[index] = tag.p { word, first.prose(fault.why) }
  end
  local word, said = proof.line(key)
  return tag.li {
    marks.icon(timeline.class_of(case, key)),
    tag.div { tag.p { first.name(key.name) }, tag.p { ("%s, %s"):format(key.class, report.role(case, key)) },
      word and tag.p { first.sentence(word):gsub("%.$", ": "), first.prose(said) }, against,
      key.regenerated and tag.p { "Against: ", first.prose(key.regenerated) },
      key.time_problem and not case.verdict.healthy and tag.p { "Time: ", first.prose(key.time_problem) } },
    tag.div { tag.p { report.made_text(key) }, tag.p { "written " .. facts.time(key.written, key.written_ticks) } },
    tag.div { tag.p { ("%.0f bytes, %s"):format(key.size or 0, report.keys_inside(key)) },
      tag.p { "owner " .. (key.owner or "unknown") } },
  }
end

local function keys_section(diagnosis)
  local out = {}
  for _, case in ipairs(diagnosis.cases) do
    local entries = {}
    for index = 1, math.min(MAX_KEYS, #case.keys) do entries[index] = key_entry(case, case.keys[index]) end
    out[#out + 1] = tag.h3 { case.container }
    out[#out + 1] = #entries == 0 and tag.p { "No key file." } or tag.ul { class = "files", entries }
    if #case.keys > MAX_KEYS then out[#out + 1] = tag.p { ("and %d more"):format(#case.keys - MAX_KEYS) } end
  end
  if #out == 0 then out[1] = tag.p { "No key container was judged." } end
  return section("keys", "Key files", out)
end

-- ---- Transactions ----

local function transaction(txn)
  local files = {}
  for index, file in ipairs(txn.files or {}) do
    local last
    if file.added then
      last = {}
      for at, entry in ipairs(file.added) do last[at] = require("keymend.access").entry_text(entry) end
      last = ": " .. table.concat(last, ", ")
    end
    files[index] = tag.li { last and "granted " or file.after and "adopted " or "retired ",
      first.name(file.before or ""), last or file.after and { " as ", first.name(file.after) } }
  end
  return tag.article {
    class = "finding " .. (txn.state == "open" and "error" or txn.state == "unreadable" and "warning" or "info"),
    tag.h3 { tag.span { class = "severity", txn.state }, tag.code { txn.id } },
    tag.p { first.sentence(report.STATES[txn.state] or txn.state) },
    tag.p { "Begun ", first.time(txn.begun, txn.begun_ticks), ", ended ",
      txn.ended and first.time(txn.ended, txn.ended_ticks) or "not", "." },
    (txn.made_by or "") ~= "" and tag.p { "By " .. txn.made_by },
    (txn.policies or "") ~= "" and tag.p { "Policy " .. txn.policies, (txn.overrides or "") ~= ""
      and ", overruled by " .. txn.overrides },
    txn.guid_after and tag.p { "Machine GUID from ", tag.code { txn.guid_before or "" }, " to ",
      tag.code { txn.guid_after } },
    #files > 0 and tag.ul { files }, txn.vault and tag.p { "Vault ", tag.code { txn.vault } },
    txn.problem and tag.p { "Problem: " .. txn.problem },
  }
end

local function transactions(diagnosis)
  local history, out = diagnosis.facts.history or {}, {}
  for index = #history, math.max(1, #history - MAX_TRANSACTIONS + 1), -1 do
    out[#out + 1] = transaction(history[index])
  end
  local problem = diagnosis.facts.history_problem
  if problem then out[#out + 1] = tag.p { "They cannot be read: " .. (problem.message or "") } end
  if #out == 0 then out[1] = tag.p { "keymend has changed nothing here yet." } end
  return section("transactions", "Transactions of keymend, newest first", out)
end

-- ---- Target ----

local function fact(out, word, value)
  if value and value ~= "" then
    out[#out + 1] = tag.dt { word }
    out[#out + 1] = tag.dd { value }
  end
end

local function hive_text(hive)
  return ("%s: %s%s"):format(hive.name or "", hive.path or "", hive.dirty and ", not closed cleanly"
    .. (hive.replayed and "; its logs were replayed in memory" or "") or "")
end

local function target(diagnosis)
  local info, out = diagnosis.info, {}
  fact(out, "Windows", report.system_text(info))
  fact(out, "Computer", info.computer)
  fact(out, "Windows folder", info.windows)
  fact(out, "Looked at", info.root and "offline, " .. info.root or info.backend)
  fact(out, "File system", info.driver)
  fact(out, "Installed", info.installed and first.time(info.installed, info.installed_ticks))
  fact(out, "Machine GUID", report.guid_text(info))
  fact(out, "last written", info.guid_written and first.time(info.guid_written, info.guid_written_ticks))
  fact(out, "Key store", info.key_store)
  fact(out, "Files in it", report.store_text(diagnosis))
  for _, hive in ipairs(info.hives or {}) do fact(out, "Hive", hive_text(hive)) end
  for _, old in ipairs(info.old_guids or {}) do
    local saved = facts.time(old.saved, old.saved_ticks)
    fact(out, old.before_logs and "Hive before its logs" or "Backup hive", ("%s, %s %s: machine GUID %s"):format(
      old.path or "", old.before_logs and "written" or "saved", saved, old.guid or ""))
  end
  for _, policy in ipairs(diagnosis.policies) do
    local kb = policy.kb and " (KB " .. policy.kb .. ")" or ""
    fact(out, "Policy", ("%s, %s%s, %s"):format(policy.name, policy.title, kb, policy.source))
  end
  for _, one in ipairs(info.capabilities or {}) do
    fact(out, one.id, (one.available and "yes" or "no") .. ((one.text or "") ~= "" and ": " .. one.text or ""))
  end
  return section("target", "Facts of the target", tag.dl { class = "facts", out })
end

-- ---- The page ----

local POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

local function head(title)
  return tag.head {
    tag.meta { charset = "utf-8" }, tag.title { title },
    tag.meta { name = "viewport", content = "width=device-width, initial-scale=1" },
    tag.meta { ["http-equiv"] = "Content-Security-Policy", content = POLICY },
    tag.meta { name = "generator", content = M.GENERATOR }, tag.meta { name = "robots", content = "noindex" },
    tag.meta { name = "referrer", content = "no-referrer" }, tag.link { rel = "icon", href = "data:," },
    tag.style { tag.raw(require "keymend.html.style") },
  }
end

-- The page of a diagnosis as text.
function M.page(diagnosis)
  local info = diagnosis.info
  local computer = (info.computer or "") ~= "" and info.computer or info.windows or "this Windows"
  local now = core.time_now()
  local plan = plans.from_diagnosis(diagnosis)
  local page = tag.html {
    lang = "en", head(("%s: keymend report"):format(computer)),
    tag.body {
      tag.a { class = "skip", href = "#main", "Skip to the case" },
      tag.header {
        tag.h1 { computer, " ", tag.span { class = "faint", "keymend report" } },
        tag.p { class = "faint", report.system_text(info), " \194\183 ", "as it was ", first.time(now),
          " \194\183 nothing was changed" },
      },
      tag.main {
        id = "main", first.draw(diagnosis), timeline_section(diagnosis), findings(diagnosis), symptoms(diagnosis),
        plan_section(diagnosis, plan), services_section(diagnosis), keys_section(diagnosis), transactions(diagnosis),
        target(diagnosis),
      },
      tag.footer { tag.p { ("Made by keymend %s on %s. All times are UTC. This page needs no network and no script.")
        :format(core.version, core.host()) } },
    },
  }
  return "<!DOCTYPE html>\n" .. page.text .. "\n"
end

return M
