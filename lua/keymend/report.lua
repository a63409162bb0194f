-- report.lua: the texts for people: a diagnosis, a target, transactions
--
-- The first three lines are what a tired administrator needs: cause, action, downtime. All else is evidence below.

local codes = require "keymend.codes"
local facts = require "keymend.facts"
local finding = require "keymend.finding"
local proof = require "keymend.proof"

local M = {}

local LABEL = 10    -- columns of "Downtime: "
local TEXT = 8      -- of a finding; evidence stands 2 further in, where a key file's name and ":" still fit 80
local SHOWN_KEYS = 30
local SHOWN_EVENTS = 5

local function plural(count, one, many)
  return ("%d %s"):format(count, count == 1 and one or many or one .. "s")
end
M.plural = plural

-- "A", "A and B", "A, B and C"
local function listed(names)
  if #names < 2 then return names[1] or "" end
  return table.concat(names, ", ", 1, #names - 1) .. " and " .. names[#names]
end
M.listed = listed

-- ---- The first three lines ----

local function containers_of(diagnosis, test)
  local names = {}
  for _, case in ipairs(diagnosis.cases) do
    if test(case) then names[#names + 1] = '"' .. case.container .. '"' end
  end
  return listed(names)
end


-- For the gravest finding: cause and action in one line each; %c stands for the containers. beside: the cause
-- says nothing of the keys, so what they are like is said before it; the action alone stands after it. one: the
-- cause when the finding names one key file alone. failing: the action while services of the container fail.
local LINES = {
  ["key.regenerated"] = { "%c: the machine GUID was reset." },
  ["key.orphaned"] = { "%c: its key file is orphaned." },
  ["policy.failed"] = {
    "%c: its policy failed.", "correct the policy (see below).",
    check = { beside = "a check of its policy failed.", "correct the policy (see below)." },
  },
  ["key.ambiguous"] = { "%c: several possible keys.", one = "%c: one possible key, and it is doubtful." },
  ["key.times-useless"] = { "%c: the times tell nothing." },
  ["key.onset-mismatch"] = { "%c: the onset does not fit." },
  ["key.in-use"] = {
    "%c: its key may be in use.", "restart its services once, then diagnose again (see below).",
    disproved = { "%c: not the right key, but a service runs.", "look whether what needs it works (see below)." },
    failing = "look why other services fail, then diagnose again (see below).",
  },
  ["onset.contradiction"] = { "%c: its times contradict one another.", "check when it began (see below)." },
  ["key.era-contradiction"] = { "%c: its times contradict one another.", "compare the key files (see below)." },
  ["key.newer-foreign"] = { "%c: an older key, and its services fail." },
  ["key.current-wrong"] = {
    "%c: not the key its services need.", "restore the former key file from a backup (see below).",
  },
  ["key.lost"] = { "%c: its key is lost.", "keymend cannot mend this; what can is told below." },
  ["key.too-many"] = { "%c: too many key files.", "find the program that makes them (see below)." },
  ["key.unreadable"] = { "%c: key files unreadable.", "run keymend with the rights to read them." },
  ["key.damaged"] = { "%c: its key file is damaged.", "restore it from a backup (see below)." },
  ["key.name-mismatch"] = { "%c: another container's key.", "find out where the file came from (see below)." },
  ["key.keyless"] = { "%c: no key in its key file.", "restore the key file from a backup (see below)." },
  ["key.disproved"] = {
    "%c: cannot be decrypted here.", "use a backup of the whole system (see below).",
    other = { "%c: not the key of what is in use.", "restore the former key file from a backup (see below)." },
  },
  ["key.foreign-owner"] = { "%c: owned by a user.", "make sure that the file is what it should be (see below)." },
  ["key.hard-link"] = { "%c: has hard links elsewhere.", "find and remove the other links (see below)." },
  ["key.reparse"] = { "%c: no ordinary file.", "find out who made it (see below)." },
  ["key.stray"] = { "%c: files renamed by hand.", "see below." },
  ["key.absent"] = { "%c: there is no key file.", "if its service fails, restore the file from a backup." },
  ["case.guid-conflict"] = { "The key containers disagree on the old machine GUID." },
  ["guid.restorable"] = { "most key files stand under a former machine GUID." },
  ["guid.restore-refused"] = {
    "The former machine GUID is not put back.", "see what speaks against it below, or adopt key files instead.",
  },
  ["guid.absent"] = { "The registry holds no machine GUID.", "restore MachineGuid from a backup of the registry." },
  ["guid.malformed"] = { "The machine GUID in the registry is malformed.", "correct MachineGuid (see below)." },
  ["store.absent"] = { "The key store cannot be used.", "see below." },
  ["hive.dirty"] = {
    beside = "a registry hive was not closed cleanly.",
    "start this Windows once and shut it down cleanly.",
  },
  ["txn.open"] = { "A transaction of keymend was interrupted.", "keymend recover, then diagnose again (see below)." },
  ["txn.forged"] = {
    beside = "the folder for transactions is not keymend's.", "look who made it (see below).",
  },
  ["txn.unreadable"] = {
    beside = "the journal of a transaction is unreadable.", "look at its vault (see below).",
    busy = {
      beside = "the journal of a transaction is in use.", "try again when no other program uses it (see below).",
    },
  },
  ["txn.unknown"] = {
    beside = "what keymend did before cannot be read.", "run keymend with the rights to read it.",
  },
  ["service.disabled"] = {
    beside = "services are disabled.", "check whether they are meant to run (see below).",
  },
  ["service.cycle"] = {
    beside = "services need one another in a circle.", "remove one dependency (see below).",
  },
  ["service.unreadable"] = { "The services of this Windows cannot be read.", "see below." },
  ["service.failed"] = { beside = "services failed.", "start them, or look why they fail (see below)." },
  ["service.restart-due"] = { beside = "a restart of Windows is due.", "restart Windows." },
  ["service.start-failed"] = { beside = "services did not start.", "look why they did not start (see below)." },
}

-- The lines of a finding, or those of its wording where it has its own.
local function lines_of(one)
  local lines = LINES[one.id] or {}
  local own = one.wording and lines[one.wording]
  return type(own) == "table" and own or lines
end

local function is_beside(one)
  return lines_of(one).beside ~= nil
end

local function worst(diagnosis)
  local first = diagnosis.findings[1]
  for _, one in ipairs(diagnosis.findings) do
    -- What keeps the orphans from being mended.
    if one.id == "case.guid-conflict" or one.id == "guid.restore-refused" then first = one end
  end
  if not first or not finding.at_least(first, "warning") then return nil end
  for _, one in ipairs(diagnosis.findings) do
    if is_beside(first) and one.container and finding.at_least(one, "warning") then return one end
  end
  return first
end

local function affected(diagnosis, id)
  return containers_of(diagnosis, function(case)
    for _, one in ipairs(case.findings) do
      if one.id == id then return true end
    end
  end)
end

local function own_cause(diagnosis, first)
  if first.id ~= "key.regenerated" and first.id ~= "key.orphaned" then return nil end
  for _, case in ipairs(diagnosis.cases) do
    if case.policy.cause and case.container == first.container and not case.verdict.chosen then
      return case.policy.cause
    end
  end
end

-- What the keys are like, for what is found beside them.
local function keys_text(diagnosis)
  if #diagnosis.cases == 0 then return "No key was judged, and " end
  local undecided = containers_of(diagnosis, function(case) return case.verdict.undecided end)
  if undecided ~= "" then return undecided .. ": perhaps none (see below); and " end
  local others = containers_of(diagnosis, function(case) return not case.verdict.healthy end)
  return others ~= "" and others .. ": not in order (see below); and " or "The keys are in order, but "
end

-- Whether a file beside a key in order is damaged or disproved: it may have been the right one once.
local function is_doubtful(diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    for _, key in ipairs(case.current and case.current.proved and {} or case.keys) do
      if key.class ~= "current" and (key.status == "damaged" or key.disproved) then return true end
    end
  end
  return false
end

-- Why what the administrator chose is refused, or nil.
local function refused_choice(diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    if case.refused_choice then return case.refused_choice end
  end
end

local function cause(diagnosis)
  local choice = refused_choice(diagnosis)
  if choice then return choice .. "." end
  local first = worst(diagnosis)
  if first then
    if is_beside(first) then return keys_text(diagnosis) .. lines_of(first).beside end
    local line = lines_of(first)
    local text = own_cause(diagnosis, first) or #first.keys == 1 and line.one or line[1] or first.text
    return (text:gsub("%%c", function() return affected(diagnosis, first.id) end))
  end
  if #diagnosis.policies == 0 then return "none found: no policy applies to this Windows." end
  local undecided = containers_of(diagnosis, function(case) return case.verdict.undecided end)
  if undecided ~= "" then return undecided .. ": perhaps none (see below)." end
  local names = containers_of(diagnosis, function() return true end)
  local many = #diagnosis.cases > 1
  return ("none%s: the key%s of %s %s in order."):format(is_doubtful(diagnosis) and " found" or "", many and "s" or "",
    names, many and "are" or "is")
end

local function steps_text(diagnosis)
  local retire, adopt, grant = 0, 0, 0
  if diagnosis.restore then return "puts the former machine GUID back" end
  for _, case in ipairs(diagnosis.cases) do
    if case.verdict.retire then retire = retire + 1 end
    if case.verdict.adopt then adopt = adopt + 1 end
    if case.verdict.grant then grant = grant + 1 end
  end
  if grant > 0 and retire + adopt == 0 then
    return ("adds missing permissions to %d key file%s"):format(grant, grant == 1 and "" or "s")
  end
  local parts = {}
  if retire > 0 then parts[#parts + 1] = ("retires %d"):format(retire) end
  if adopt > 0 then parts[#parts + 1] = ("adopts %d"):format(adopt) end
  local last = adopt > 0 and adopt or retire
  return table.concat(parts, " and ") .. (last == 1 and " key file" or " key files")
end

-- What has to be done before apply is ready to do a plan; nil when nothing.
local function first_of_all(plan, diagnosis)
  if plan:services_obstacle() then
    return "see keymend plan: apply refuses its services; --no-services leaves them alone."
  end
  if plan.blocked then return "first look at the keymend folder (see below); apply refuses till then." end
  for _, hive in ipairs(diagnosis.info.hives or {}) do
    if hive.dirty and not hive.replayed and hive.name:upper() == "SOFTWARE" and not plan.accept_dirty_hive then
      return "start this Windows once and shut it down cleanly; then keymend apply."
    end
  end
end

-- Whether users of a container have failed.
local function is_failing(diagnosis, container)
  for _, case in ipairs(diagnosis.cases) do
    if case.container == container and case.use and #case.use.failed > 0 then return true end
  end
  return false
end

local function action(diagnosis)
  if diagnosis.verdict == "repair" then
    return first_of_all(require("keymend.plan").from_diagnosis(diagnosis), diagnosis)
      or ("keymend apply: %s; undo brings all back."):format(steps_text(diagnosis))
  end
  if refused_choice(diagnosis) then return "choose another key file, or leave the option out." end
  local first = worst(diagnosis)
  if not first then
    for _, case in ipairs(diagnosis.cases) do
      if case.verdict.undecided then return "if the services work, nothing; if they fail, you decide (see below)." end
    end
    return #diagnosis.policies == 0 and "nothing was judged." or "nothing to do."
  end
  local line = lines_of(first)
  return line.failing and is_failing(diagnosis, first.container) and line.failing or line[line.beside and 1 or 2]
    or diagnosis.verdict == "refused" and "keymend refuses to guess; you decide (see below)." or "see below."
end

-- Names for one line: three of them, and how many more.
local function some(names)
  if #names <= 4 then return listed(names) end
  return ("%s and %d more"):format(table.concat(names, ", ", 1, 3), #names - 3)
end

local function has_finding(diagnosis, id)
  for _, one in ipairs(diagnosis.findings) do
    if one.id == id then return true end
  end
  return false
end

local function downtime(diagnosis)
  if has_finding(diagnosis, "service.start-failed") then return "until these services start." end
  if has_finding(diagnosis, "service.restart-due") then return "that of a restart of Windows." end
  if diagnosis.verdict ~= "repair" then
    return diagnosis:grave "warning" and "none; nothing is changed." or "none."
  end
  local plan = require("keymend.plan").from_diagnosis(diagnosis)
  if plan:restored() and not facts.services_deferred(diagnosis.info) then
    return "that of a restart of Windows: programs keep the machine GUID that they have read."
  end
  if facts.services_deferred(diagnosis.info) then
    return #plan.start > 0 and ("none now; this Windows starts %s at its next boot."):format(
      plural(#plan.start, "service")) or "none: this Windows is not running."
  end
  if #plan.stop + #plan.start == 0 then return "none: no service is stopped." end
  local effect = plan:effect()
  if not effect then return ("about a minute: up to %s stop and start."):format(plural(#plan.stop, "service")) end
  local stuck = require("keymend.plan").unstoppable(diagnosis, plan)
  if #stuck > 0 then
    return ("that of a restart of Windows: %s %s no stop."):format(some(stuck), #stuck == 1 and "takes" or "take")
  end
  local starts = #effect.start > 0 and ("%s %s"):format(some(effect.start), #effect.start == 1 and "starts" or "start")
  if #effect.stop == 0 then
    return "none: nothing that runs is stopped" .. (starts and "; " .. starts or "") .. "."
  end
  return ("about a minute: %s %s and %s again%s."):format(some(effect.stop), #effect.stop == 1 and "stops" or "stop",
    #effect.stop == 1 and "starts" or "start", starts and "; " .. starts or "")
end

-- Cause, action and downtime as texts; severity: of the gravest finding, or "good".
function M.three(diagnosis)
  local grave = worst(diagnosis)
  return {
    cause = cause(diagnosis), action = action(diagnosis), downtime = downtime(diagnosis),
    severity = not grave and "good" or grave.severity,
  }
end

-- Cause, action, downtime.
function M.summary(page, diagnosis)
  local three = M.three(diagnosis)
  page:item("Cause:", three.cause, { indent = LABEL, style = "strong", text_style = three.severity })
  page:item("Action:", three.action, { indent = LABEL, style = "strong" })
  page:item("Downtime:", three.downtime, { indent = LABEL, style = "strong" })
end

-- ---- The target ----

local function system_text(info)
  local parts = { (info.product or "") ~= "" and info.product or "Windows" }
  if (info.service_pack or "") ~= "" then parts[#parts + 1] = info.service_pack end
  local version = (info.version or "") .. ((info.build or "") ~= "" and "." .. info.build or "")
  if version ~= "" then parts[#parts + 1] = "(" .. version .. ")" end
  return table.concat(parts, " ")
end
M.system_text = system_text

function M.guid_text(info)
  if not info.machine_guid then return "absent" end
  return info.guid ~= "" and info.guid or '"' .. info.machine_guid .. '"'
end

-- How many names of the survey are of the case; they are counted by class.
local function matched(case)
  if type(case.matches) == "number" then return case.matches end
  local sum = 0
  for _, count in pairs(case.matches) do sum = sum + count end
  return sum
end

function M.store_text(diagnosis)
  local survey = diagnosis.facts.survey
  if not survey then return nil end
  local others = survey.files
  for _, case in ipairs(diagnosis.cases) do others = others - math.max(matched(case), #case.keys) end
  return ("%s: %d current, %d foreign, %d stray%s"):format(plural(survey.files, "file"), survey.current, survey.foreign,
    survey.stray, #diagnosis.cases > 0 and others > 0
      and ("; %d are of key containers that no policy here judges"):format(others) or "")
end

local function target_lines(page, diagnosis)
  local info = diagnosis.info
  local computer = (info.computer or "") ~= "" and ", computer " .. info.computer or ""
  page:item("Target:", system_text(info) .. computer, { indent = LABEL, style = "strong" })
  page:line(("%s%s, %s (%s)"):format((" "):rep(LABEL), info.windows or "",
    info.root and "offline at " .. info.root or info.backend or "", info.driver or ""))
  page:item("GUID:", M.guid_text(info), { indent = LABEL, style = "strong" })
  if info.guid_written then
    page:text_block("its registry key was last written " .. facts.time(info.guid_written, info.guid_written_ticks),
      LABEL)
  end
  page:item("Store:", '"' .. (info.key_store or "") .. '"', { indent = LABEL, style = "strong" })
  local counts = M.store_text(diagnosis)
  if counts then page:text_block(counts, LABEL) end
  for _, policy in ipairs(diagnosis.policies) do
    page:item("Policy:", ("%s, %s%s, %s"):format(policy.name, policy.title,
      policy.kb and " (KB " .. policy.kb .. ")" or "", policy.source), { indent = LABEL, style = "strong" })
  end
end

-- ---- Findings ----

local function evidence_line(page, one)
  local when = (one.time or one.ticks) and facts.time(one.time, one.ticks) .. ": " or ""
  page:item((" "):rep(TEXT) .. "-", when .. one.text, { indent = TEXT + 2, style = "faint" })
end

local function finding_lines(page, one)
  page:item(one.severity, one.id, { indent = TEXT, style = one.severity, text_style = "strong" })
  page:text_block(one.text, TEXT)
  for _, evidence in ipairs(one.evidence) do evidence_line(page, evidence) end
  if one.remedy ~= "" then page:item((" "):rep(TEXT - 3) .. "->", one.remedy, { indent = TEXT }) end
  for _, command in ipairs(one.commands) do page:line((" "):rep(TEXT) .. command) end
end

-- What one sees of the problem, from the policies whose containers are to be mended.
local function symptoms(page, diagnosis)
  for _, policy in ipairs(diagnosis.policies) do
    local seen = false
    for _, case in ipairs(diagnosis.cases) do
      seen = seen or (case.policy == policy and (case.verdict.adopt ~= nil or case.verdict.restore ~= nil
        or case.verdict.refused ~= nil))
    end
    if seen and #policy.symptoms > 0 then
      page:blank()
      page:heading "How it shows"
      for _, text in ipairs(policy.symptoms) do page:item("  -", text) end
    end
  end
end

-- ---- Evidence beside the findings ----

-- The resets that are seen, where there are several: the finding tells of one alone.
local function onset_lines(page, diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    if #(case.onsets or {}) > 1 then
      page:blank()
      page:heading(('When the problem of "%s" began'):format(case.container))
      for _, one in ipairs(case.onsets) do
        page:item("  " .. facts.time(one.time, one.ticks), (one.chosen and "the onset: " or "") .. one.reason,
          { style = one.chosen and "strong" or nil })
        for _, name in ipairs(one.keys) do page:line("    " .. name) end
      end
    end
  end
end

local function event_lines(page, diagnosis)
  local events = require "keymend.events"
  local list = diagnosis.events
  if diagnosis.verdict == "healthy" or #list == 0 and not list.problem then return end
  page:blank()
  page:heading "Events that tell of machine keys, newest first"
  for index = 1, math.min(#list, SHOWN_EVENTS) do
    page:item("  " .. events.time(list[index]), events.short(list[index]))
  end
  local more = #list + list.more - SHOWN_EVENTS
  if more > 0 then
    local make = diagnosis.facts.options.command
    page:line(("  and %d more: %s"):format(more, make and make("events") or "keymend events"))
  end
  if list.problem then page:text_block("the log System: " .. list.problem, 2, "warning") end
end

-- Master keys, where the key files name several.
local function era_lines(page, diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    if #(case.eras or {}) > 1 and not case.verdict.healthy then
      page:blank()
      page:heading(('Master keys that the key files of "%s" name'):format(case.container))
      for index, era in ipairs(case.eras) do
        if index > SHOWN_KEYS then
          page:text_block(("and %d more; --json shows all"):format(#case.eras - SHOWN_KEYS), 2)
          break
        end
        page:item("  " .. era.master_key, era.time and ("%s %s"):format(era.source == "created" and "made"
          or "last written", facts.time(era.time, era.ticks)) or "its time is not known", { style = "strong" })
        for at = 1, math.min(#era.keys, SHOWN_KEYS) do page:line("    " .. era.keys[at]) end
      end
    end
  end
end

-- ---- Key files ----

function M.role(case, key)
  if key == case.verdict.adopt then return "to be adopted" end
  if key == case.verdict.retire then return "to be retired" end
  if key == case.verdict.restore then return "comes back with its machine GUID" end
  if key.candidate then return "candidate" end
  return key.class == "current" and "in place" or "not a candidate"
end

function M.keys_inside(key)
  local parts = {}
  for _, part in ipairs { "signature", "exchange" } do
    if key[part] then parts[#parts + 1] = ("%s %d bits"):format(part, key[part].bits or 0) end
  end
  if #parts == 0 then return key.status == "ok" and "no key" or "content not known" end
  return table.concat(parts, ", ")
end

local SOURCE = { ntfs = "NTFS", ["times-file"] = "--times", birth = "of the copy" }

-- "made 2001-03-14T10:22:31Z (NTFS)" or "made at an unknown time"
function M.made_text(key)
  if not key.created then return "made at an unknown time" end
  if key.time_of_former then return "made at an unknown time (--times may tell that of the file before it)" end
  return ("made %s (%s)"):format(facts.time(key.created, key.created_ticks),
    SOURCE[key.created_source] or tostring(key.created_source))
end

local function key_lines(page, case, key)
  page:line("  " .. key.name, "strong")
  page:text_block(("%s, %s"):format(key.class, M.role(case, key)), 4)
  page:text_block(("%s, written %s"):format(M.made_text(key), facts.time(key.written, key.written_ticks)), 4)
  page:text_block(("%s, %s, owner %s"):format(plural(key.size or 0, "byte"), M.keys_inside(key),
    key.owner or "unknown"), 4)
  local word, said = proof.line(key)
  if word then page:item(("    %s:"):format(word), said) end
  for _, fault in ipairs(key.faults) do
    page:item(fault.id == "key.disproved" and key.refuted and "    disproved:" or "    against:", fault.why)
  end
  if key.regenerated then page:item("    against:", key.regenerated) end
  if key.time_problem and not case.verdict.healthy then page:item("    time:", key.time_problem) end
end

-- Where people may have to choose or want to see what is chosen.
local function key_tables(page, diagnosis)
  for _, case in ipairs(diagnosis.cases) do
    local plain = case.verdict.healthy and #case.keys == 1
    if #case.keys > 0 and not plain then
      page:blank()
      page:heading(('Key files of "%s"'):format(case.container))
      for index, key in ipairs(case.keys) do
        if index > SHOWN_KEYS then
          page:text_block(("and %d more; --json shows all"):format(#case.keys - SHOWN_KEYS), 2)
          break
        end
        key_lines(page, case, key)
      end
    end
  end
end

-- The services that an acting policy names and that are not here, which is most often a name that was mistyped.
local function missing_services(page, diagnosis)
  if diagnosis.verdict ~= "repair" then return end
  local plan = require "keymend.plan"
  local missing = plan.not_here(diagnosis, plan.acting(diagnosis))
  if #missing == 0 then return end
  page:blank()
  page:text_block(("Services named, but not here: %s."):format(table.concat(missing, ", ")))
end

local function next_command(page, diagnosis)
  if diagnosis.verdict ~= "repair" then return end
  local make = diagnosis.facts.options.command
  page:blank()
  page:heading "Next"
  page:line("  " .. (make and make("plan") or "keymend plan"))
  if first_of_all(require("keymend.plan").from_diagnosis(diagnosis), diagnosis) then return end
  page:line("  " .. (make and make("apply") or "keymend apply"))
end

-- Findings alone, for verbs that do not diagnose.
function M.findings(page, list)
  for _, one in ipairs(list) do finding_lines(page, one) end
end

-- The whole diagnosis. options: quiet (the three lines and what is of warning or worse), picture (a function (page,
-- diagnosis) that prints something right below the three lines).
function M.diagnosis(page, diagnosis, options)
  M.summary(page, diagnosis)
  local quiet = options and options.quiet
  if options and options.picture then
    page:blank()
    options.picture(page, diagnosis)
  end
  if not quiet then
    page:blank()
    target_lines(page, diagnosis)
  end
  local shown = {}
  for _, one in ipairs(diagnosis.findings) do
    if not quiet or finding.at_least(one, "warning") then shown[#shown + 1] = one end
  end
  if #shown > 0 then
    page:blank()
    page:heading "Findings"
    for _, one in ipairs(shown) do finding_lines(page, one) end
  end
  if quiet then return end
  onset_lines(page, diagnosis)
  event_lines(page, diagnosis)
  era_lines(page, diagnosis)
  symptoms(page, diagnosis)
  key_tables(page, diagnosis)
  missing_services(page, diagnosis)
  next_command(page, diagnosis)
end

-- ---- Transactions ----

M.STATES = {
  empty = "made but never begun; nothing was touched", open = "interrupted; run keymend recover",
  committed = "done", ["rolled-back"] = "failed and put back", undone = "was done, then undone",
  purged = "its vault was emptied, so it cannot be undone", unreadable = "its journal cannot be read",
}

local STATE_STYLE = { open = "error", unreadable = "warning", committed = "good" }

-- options: quiet (the name and the state alone)
function M.transaction(page, txn, options)
  page:item(txn.id, txn.state, { style = "strong", text_style = STATE_STYLE[txn.state] })
  if options and options.quiet then return end
  local ended = txn.state == "purged" and M.STATES[txn.result]
  page:text_block((ended and ended .. "; " or "") .. (M.STATES[txn.state] or txn.state), 2)
  page:text_block(("begun %s, ended %s"):format(facts.time(txn.begun, txn.begun_ticks),
    txn.ended and facts.time(txn.ended, txn.ended_ticks) or "not"), 2)
  if (txn.made_by or "") ~= "" then page:text_block("by " .. txn.made_by, 2) end
  if (txn.policies or "") ~= "" then
    page:text_block("policy " .. txn.policies .. ((txn.overrides or "") ~= "" and ", overruled by " .. txn.overrides
      or ""), 2)
  end
  if txn.guid_after then
    page:line(("  machine GUID  %s"):format(txn.guid_before or ""))
    page:line(("            to  %s"):format(txn.guid_after))
  end
  for _, file in ipairs(txn.files or {}) do
    if file.added then
      page:line(("  granted  %s"):format(file.before or ""))
      for _, entry in ipairs(file.added) do
        page:line(("       to  %s"):format(require("keymend.access").entry_text(entry)))
      end
    elseif file.after then
      page:line(("  adopted  %s"):format(file.before or ""))
      page:line(("       as  %s"):format(file.after))
    else
      page:line(("  retired  %s"):format(file.before or ""))
    end
  end
  if txn.vault then page:line("  vault    " .. txn.vault) end
  if txn.problem then page:item("  problem ", txn.problem) end
end

-- ---- Services ----

local function needs_text(graph, service)
  local needs, by = graph:needs(service), graph:dependents(service.name)
  local parts = {}
  for _, name in ipairs(graph:needs_groups(service)) do needs[#needs + 1] = "the group " .. name end
  if #needs > 0 then parts[#parts + 1] = "needs " .. listed(needs) end
  if #by > 0 then parts[#parts + 1] = "needed by " .. listed(by) end
  return table.concat(parts, "; ")
end

local function order_line(page, label, names)
  page:item(label, #names > 0 and table.concat(names, ", ") or "none", { indent = 14, style = "strong" })
end

-- "running", or "stopped, failed: ..."; nil where no state is known.
function M.state_text(service)
  if not service.state then return nil end
  local why = service.state == "stopped" and codes.exit_words(service.exit_code, service.specific_code)
  if why then return service.state .. ", failed: " .. why end
  if service.state == "stopped" and service.exit_code == codes.NEVER_STARTED then
    return "stopped, not started since Windows was"
  end
  return service.state
end

-- `chosen`: { services }, `order`: of services:order().
function M.services(page, graph, chosen, order, patterns)
  page:line(("Services for %s"):format(table.concat(patterns, ", ")), "strong")
  for _, service in ipairs(chosen) do
    local display = (service.display or "") ~= "" and service.display ~= service.name and ", " .. service.display or ""
    page:item("  " .. service.name, (service.driver and "driver, " or "") .. service.start .. display,
      { style = "strong", text_style = service.start == "disabled" and "warning" or nil })
    local state = M.state_text(service)
    if state then
      page:text_block(state, 4, state:find(", failed", 1, true) and "error" or service.state == "running" and "good"
        or nil)
    end
    local needs = needs_text(graph, service)
    if needs ~= "" then page:text_block(needs, 4) end
  end
  for _, group in ipairs(graph:groups_of(chosen)) do
    page:item("  group " .. group.name, "needed by " .. listed(group.needed_by), { style = "strong" })
    page:text_block(#group.members > 0 and "its members are " .. listed(group.members) or "it has no member", 4)
  end
  page:blank()
  order_line(page, "Stop order:", order.stop)
  order_line(page, "Start order:", order.start)
  for _, cycle in ipairs(order.cycles) do page:item("Cycle:", cycle, { indent = 14, style = "warning" }) end
  for _, missing in ipairs(order.missing) do page:item("Not here:", missing, { indent = 14, style = "faint" }) end
end

return M
