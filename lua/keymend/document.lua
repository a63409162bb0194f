-- document.lua: --json: one document for each run of keymend, also when it failed
--
-- Keys always stand in the same order (alphabetic, the document's own first ones aside), empty lists are [], what is
-- not there is null. Times are RFC 3339 in UTC, beside them <name>_ticks holds the exact FILETIME. Loaded only when
-- it is needed.

local core = require "keymend.core"
local json = require "dkjson"

local M = {}

M.null = json.null

local TOP = {
  "schema", "verb", "time", "keymend", "host", "target", "policies", "findings", "cases", "plan", "saved",
  "transaction", "history", "keys", "services", "verify", "events", "hotfix", "recovered", "service_results", "changed",
  "restart_due", "exit", "error",
}

-- RFC 3629: the well-formed sequences; overlong forms, surrogates and what lies above U+10FFFF are none.
local SEQUENCES = {
  "^[%z\1-\127]+", "^[\194-\223][\128-\191]", "^\224[\160-\191][\128-\191]",
  "^[\225-\236\238\239][\128-\191][\128-\191]", "^\237[\128-\159][\128-\191]",
  "^\240[\144-\191][\128-\191][\128-\191]", "^[\241-\243][\128-\191][\128-\191][\128-\191]",
  "^\244[\128-\143][\128-\191][\128-\191]",
}

local function is_valid_utf8(text)
  local at = 1
  while at <= #text do
    local last
    for _, sequence in ipairs(SEQUENCES) do
      last = select(2, text:find(sequence, at))
      if last then break end
    end
    if not last then return false end
    at = last + 1
  end
  return true
end

local function text_of(text)
  if not text:find "[\128-\255]" or is_valid_utf8(text) then return text end
  return core.escape(text)
end

-- A copy with sorted keys; tables with a first element, and empty ones, are lists unless marked by M.object.
local function ordered(value, first)
  if type(value) == "string" then return text_of(value) end
  if type(value) ~= "table" or value == json.null then return value end
  local copy = {}
  if not value[M] and (value[1] ~= nil or next(value) == nil) then
    for index, one in ipairs(value) do copy[index] = ordered(one) end
    return setmetatable(copy, { __jsontype = "array" })
  end
  local order, seen = {}, {}
  for _, key in ipairs(first or {}) do
    if value[key] ~= nil then order[#order + 1], seen[key] = key, true end
  end
  local rest = {}
  for key, one in pairs(value) do
    if key ~= M then
      copy[key] = ordered(one)
      if not seen[key] then rest[#rest + 1] = key end
    end
  end
  table.sort(rest)
  for _, key in ipairs(rest) do order[#order + 1] = key end
  return setmetatable(copy, { __jsontype = "object", __jsonorder = order })
end

-- Marks a table as an object even when it is empty.
function M.object(value)
  value[M] = true
  return value
end

-- dkjson escapes control, bidi and other invisible characters but for one.
local function escape_rest(text)
  return (text:gsub("\216\156", "\\u061c"))
end

-- JSON text of plain data.
function M.encode(value)
  return escape_rest(json.encode(ordered(value, TOP), { indent = true }))
end

-- A text as JSON, null for nil.
function M.quote(text)
  if text == nil then return "null" end
  return escape_rest(json.quotestring(text_of(text)))
end

-- ---- Parts of the document ----

-- x and x_ticks become x as text and x_ticks.
local function timed(from, into, names)
  for _, name in ipairs(names) do
    local ticks, seconds = from[name .. "_ticks"], from[name]
    if ticks or seconds then
      into[name] = core.time_text(ticks or seconds)
      into[name .. "_ticks"] = ticks
    else
      into[name] = json.null
    end
  end
  return into
end

local function some(from, names, into)
  into = into or {}
  for _, name in ipairs(names) do
    if from[name] == nil then into[name] = json.null else into[name] = from[name] end
  end
  return into
end

function M.target(info)
  local out = some(info, {
    "backend", "root", "driver", "windows", "product", "version", "build", "service_pack", "computer", "machine_guid",
    "guid_form", "guid", "app_data", "key_store", "key_store_found", "key_store_problem",
  })
  timed(info, out, { "installed", "guid_written" })
  out.hives = info.hives or {}
  out.capabilities = info.capabilities or {}
  out.old_guids = {}
  for index, old in ipairs(info.old_guids or {}) do
    out.old_guids[index] = timed(old, some(old, { "guid", "path" }), { "written", "saved" })
    out.old_guids[index].before_logs = old.before_logs -- true or not there
  end
  return out
end

function M.policies(policies)
  local out = {}
  for index, policy in ipairs(policies) do
    out[index] = some(policy, { "name", "title", "kb", "source", "sha256" })
  end
  return out
end

function M.findings(findings)
  local out = {}
  for index, one in ipairs(findings) do
    local evidence = {}
    for at, fact in ipairs(one.evidence) do
      evidence[at] = { kind = fact.kind, text = fact.text, time = json.null }
      if fact.time or fact.ticks then evidence[at].time = core.time_text(fact.ticks or fact.time) end
    end
    out[index] = some(one, { "id", "severity", "text", "remedy", "commands", "fixable", "container", "hash", "keys" },
      { evidence = evidence })
  end
  return out
end

-- time and ticks become time as text and time_ticks.
local function dated(from, into)
  return timed({ time = from.time, time_ticks = from.ticks }, into, { "time" })
end

local function or_null(value)
  if value == nil then return json.null end
  return value
end

-- What events.read found: { found, logs, signals, more }; rest: how many more there are, where that is known.
function M.events(result)
  local codes = require "keymend.codes"
  local list, logs = {}, {}
  for index, one in ipairs(result.found) do
    local known = one.code and codes.find(one.code)
    list[index] = dated(one, some(one, { "log", "source", "id", "record", "type", "service", "strings", "means",
      "recovered" }, {
      code = one.code and codes.number(one.code) or json.null, code_name = or_null(known and known.name),
      code_text = or_null(known and known.text),
    }))
  end
  for index, one in ipairs(result.logs) do logs[index] = some(one, { "log", "damaged", "problem" }) end
  return { list = list, logs = logs, signals = result.signals, more = result.more, rest = result.rest }
end

-- The events of a diagnosis; no log is named where there is none, or where nobody asked for it.
function M.diagnosed_events(events)
  local log = { log = "System", damaged = events.damaged or 0, problem = events.problem }
  return M.events {
    found = events, logs = (events.read or events.problem) and { log } or {}, signals = true, more = events.more > 0,
    rest = events.more,
  }
end

-- Facts with their times: { kind, text, time, ticks }.
local function facts_list(list)
  local out = {}
  for index, one in ipairs(list) do
    out[index] = dated(one, some(one, { "kind", "text" }))
  end
  return out
end

local function onsets_list(onsets)
  local out = {}
  for index, one in ipairs(onsets or {}) do
    out[index] = dated(one, some(one, { "reason", "chosen", "keys" }, {
      ["for"] = facts_list(one.pro), against = facts_list(one.contra),
    }))
  end
  return out
end

-- Key files by the master keys that they name, oldest first (eras.lua).
local function eras_list(eras)
  local out = {}
  for index, one in ipairs(eras or {}) do
    out[index] = dated(one, some(one, { "master_key", "source", "keys" }))
  end
  return out
end

local KEY = {
  "name", "class", "hash", "guid", "size", "identity", "device", "created_source", "attributes", "links", "regular",
  "reparse", "owner", "owner_trusted", "sha256", "status", "damage", "container", "container_hash", "version",
  "keyless",
}

local PART = { "decryptable", "exportable", "master_key", "text" }

-- What proof says of a key file (proof.lua); of one that was not tried, or where nothing could be decrypted, little.
function M.proof(found)
  local out = { decryptable = "unknown", text = json.null, signature = json.null, exchange = json.null }
  if found then
    out.decryptable, out.text = found.decryptable, found.text
    for _, part in ipairs { "signature", "exchange" } do
      local one = found[part]
      out[part] = one and one.decryptable ~= "unknown" and some(one, PART) or json.null
    end
  end
  return out
end

local IDENTITY = { "kind", "verdict", "container", "where", "what", "use", "part", "text", "history" }

function M.identities(rows)
  local out = {}
  for index, row in ipairs(rows or {}) do out[index] = timed(row, some(row, IDENTITY), { "dated" }) end
  return out
end

-- One inspected key file.
function M.key(key)
  local out = timed(key, some(key, KEY), { "created", "written" })
  for _, part in ipairs { "signature", "exchange" } do
    out[part] = key[part] and some(key[part], { "bits", "exponent", "modulus", "master_key" }) or json.null
  end
  return out
end

-- What was seen and decided for each container.
function M.cases(cases)
  local out = {}
  for index, case in ipairs(cases) do
    local keys = {}
    for at, key in ipairs(case.keys) do
      keys[at] = M.key(key)
      keys[at].candidate = key.candidate or false
      keys[at].faults = {}
      for place, fault in ipairs(key.faults or {}) do keys[at].faults[place] = { id = fault.id, text = fault.why } end
      keys[at].proof, keys[at].identities = M.proof(key.proof), M.identities(key.identities)
      keys[at].proved, keys[at].disproved = key.proved ~= nil, key.disproved or false
      keys[at].time_problem = key.time_problem or json.null
      keys[at].regenerated = key.regenerated or json.null
    end
    local verdict = case.verdict or {}
    out[index] = {
      container = case.container, hash = case.hash, policy = case.policy.name, keys = keys,
      healthy = verdict.healthy or false, refused = verdict.refused or json.null,
      adopt = verdict.adopt and verdict.adopt.name or json.null,
      retire = verdict.retire and verdict.retire.name or json.null,
      grant = verdict.grant and verdict.grant.key.name or nil,
      onsets = onsets_list(case.onsets), eras = eras_list(case.eras),
    }
  end
  return out
end

function M.plan(plan)
  local data = plan:data()
  data.restores = plan.restores
  for _, step in ipairs(plan:restored() and {} or data.steps) do
    timed({ created_ticks = step.created_ticks ~= "0" and step.created_ticks or nil,
      written_ticks = step.written_ticks ~= "0" and step.written_ticks or nil }, step, { "created", "written" })
    if not step.to then step.to = json.null end
  end
  return data
end

function M.transaction(txn)
  local out = some(txn, {
    "id", "state", "result", "vault", "key_store", "policies", "overrides", "machine_guid", "made_by", "problem",
    "problem_code", "guid_before", "guid_after",
  })
  timed(txn, out, { "begun", "ended" })
  out.stop, out.start, out.files = txn.stop or {}, txn.start or {}, {}
  for index, file in ipairs(txn.files or {}) do
    out.files[index] = timed(file, some(file, { "container", "before", "after", "reason", "sha256", "size" }),
      { "created", "written" })
    out.files[index].added = file.added
  end
  return out
end

-- Where no state is known, the fields of one are left out.
local STATE = { "state", "exit_code", "specific_code", "stoppable" }

function M.services(graph, chosen, order)
  local list = {}
  for index, service in ipairs(chosen) do
    list[index] = some(service, { "name", "display", "start", "driver", "account", "group" }, {
      needs = graph:needs(service), needs_groups = graph:needs_groups(service),
      needed_by = graph:dependents(service.name),
    })
    if service.state then timed(service, some(service, STATE, list[index]), { "started" }) end
  end
  local groups = {}
  for index, group in ipairs(graph:groups_of(chosen)) do
    groups[index] = some(group, { "name", "members", "needed_by" })
  end
  return {
    list = list, groups = groups, stop = order.stop, start = order.start, cycles = order.cycles,
    missing = order.missing,
  }
end

-- What became of the services that a change stopped and started.
function M.service_results(results)
  local list = {}
  for index, one in ipairs(results or {}) do
    list[index] = some(one, { "name", "action", "status", "state", "exit_code", "specific_code", "message" })
  end
  return list
end

-- The document around the parts: what every run says. `parts` may lack anything.
function M.frame(verb, parts)
  local out = {
    schema = 1, verb = verb or json.null, time = core.time_text((core.time_now())), keymend = core.version,
    host = core.host(), target = json.null, policies = {}, findings = {}, plan = json.null, transaction = json.null,
    changed = false, restart_due = false, exit = 0, error = json.null,
  }
  for key, value in pairs(parts) do out[key] = value end
  return out
end

return M
