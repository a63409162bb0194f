-- policy_env.lua: what a policy sees beside the safe part of Lua: the builders
--
-- Runs inside the policy's own Lua state, before the policy (policy.lua). Builders check their arguments at once, so
-- that the error names the line, and return plain data that rules.lua understands; nothing here decides anything.

-- luacheck: globals windows has_service all_of any_of first_of not_ always proved guid_history sole_candidate
-- luacheck: globals regenerated regeneration event first_failure policy newest_near_onset newest_before_onset
-- luacheck: globals oldest_before_onset master_key_era by_guid ask within extends every_orphan optional grant time
-- luacheck: globals adopt_file restore_guid

-- `further`: how many calls further out than usual the policy's line is.
local function expect(ok, what, wanted, found, further)
  if not ok then
    error(("%s: %s was expected, found %s"):format(what, wanted, type(found) == "string" and '"' .. found .. '"'
      or type(found)), 3 + (further or 0))
  end
end

local function version(value, what)
  if value ~= nil and not (type(value) == "string" and value:find "^%d+%.?%d*%.?%d*$") then
    error(("%s: a version as text, such as \"5.0\", was expected, found %s"):format(what,
      type(value) == "string" and '"' .. value .. '"' or "a " .. type(value)), 3)
  end
end

-- windows { from = "5.0", below = "5.2" }: the version of Windows; each bound may be left out
function windows(bounds)
  expect(type(bounds) == "table", "windows", "a table such as { from = \"5.0\", below = \"5.2\" }", bounds)
  for key in pairs(bounds) do expect(key == "from" or key == "below", "windows", "from or below", tostring(key)) end
  version(bounds.from, "windows: from")
  version(bounds.below, "windows: below")
  return { rule = "windows", from = bounds.from, below = bounds.below }
end

-- has_service "IISADMIN": a service of this name is installed
function has_service(name)
  expect(type(name) == "string" and name ~= "", "has_service", "the name of a service", name)
  return { rule = "has_service", name = name }
end

local function is_rule(value)
  return type(value) == "table" and type(value.rule) == "string" or type(value) == "function"
end

local function list_of(rule)
  return function(inner)
    expect(type(inner) == "table" and inner.rule == nil, rule, "a list in braces", inner)
    local made, last = { rule = rule }, 0
    for index in pairs(inner) do
      local counted = type(index) == "number" and index >= 1 and index % 1 == 0
      expect(counted, rule, "a list of rules alone", "the field " .. tostring(index))
      last = math.max(last, index)
    end
    for index = 1, last do -- ends at the first gap
      expect(is_rule(inner[index]), ("%s: entry %d"):format(rule, index), "a rule", inner[index])
      made[index] = inner[index]
    end
    expect(#made > 0, rule, "at least one rule", inner)
    return made
  end
end

all_of = list_of "all_of"     -- every condition holds; of rules for keys: every one names the same key
any_of = list_of "any_of"     -- one of the conditions holds
first_of = list_of "first_of" -- the first rule that names a key decides

-- not_(condition)
function not_(condition)
  expect(is_rule(condition), "not_", "a condition", condition)
  return { rule = "not_", condition }
end

always = { rule = "always" } -- the condition that always holds

-- adopt rules
proved = { rule = "proved" }                 -- the key that the program's own data proves
guid_history = { rule = "guid_history" }     -- the only one whose GUID a dated backup hive names
sole_candidate = { rule = "sole_candidate" } -- the only candidate there is
newest_before_onset = { rule = "newest_before_onset" } -- of those made before the onset, the newest
oldest_before_onset = { rule = "oldest_before_onset" } -- of those made before the onset, the oldest
master_key_era = { rule = "master_key_era" } -- the one whose DPAPI master key is the newest from before the onset
ask = { rule = "ask" } -- none: the administrator names it with --adopt

-- by_guid "4cbde50a-...": the one whose name ends in this GUID
function by_guid(guid)
  local plain = type(guid) == "string" and guid:lower()
    :match "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"
  expect(plain, "by_guid", "a GUID as text, without braces", guid)
  return { rule = "by_guid", guid = plain }
end

-- retire rules
regenerated = { rule = "regenerated" } -- the current key file, made when Windows no longer found the old one
newest_near_onset = { rule = "newest_near_onset" } -- the same, if no key file is newer or was made nearer to the onset

-- within(30): the current key file, if it was made at most so many minutes before or after the onset
function within(minutes)
  expect(type(minutes) == "number" and minutes > 0 and minutes < math.huge, "within", "a number of minutes above 0",
    type(minutes) == "number" and tostring(minutes) or minutes)
  return { rule = "within", minutes = minutes }
end

-- remedies
adopt_file = { rule = "adopt_file" } -- the key file gets the name that Windows looks for

-- restore_guid { above = 50 }: the former machine GUID is put back, where more than so many per cent of the key files
-- stand under it; else as adopt_file
function restore_guid(fields)
  expect(type(fields) == "table", "restore_guid", "a table such as { above = 50 }", fields)
  for key in pairs(fields) do expect(key == "above", "restore_guid", "above", tostring(key)) end
  local above = fields.above == nil and 50 or fields.above
  expect(type(above) == "number" and above >= 50 and above < 100, "restore_guid: above",
    "a number of per cent from 50 to less than 100", type(above) == "number" and tostring(above) or above)
  return { rule = "restore_guid", above = above }
end

local ACCOUNTS = { SYSTEM = "S-1-5-18", ["LOCAL SERVICE"] = "S-1-5-19", ["NETWORK SERVICE"] = "S-1-5-20",
  ["Administrators"] = "S-1-5-32-544" }
local RIGHTS = { read = 0x120089, full = 0x1F01FF }

-- grant { container = "iisWasKey", to = "LOCAL SERVICE", right = "read" }: who must be able to use the current file;
-- to: SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators, or a SID; right: "read" or "full"
function grant(fields)
  expect(type(fields) == "table", "grant",
    'a table such as { container = "SMS", to = "SYSTEM", right = "full" }', fields)
  for key in pairs(fields) do
    expect(key == "container" or key == "to" or key == "right", "grant", "container, to or right", tostring(key))
  end
  expect(type(fields.container) == "string" and fields.container ~= "", "grant: container",
    "the name of a key container", fields.container)
  local sid = type(fields.to) == "string" and (ACCOUNTS[fields.to] or fields.to:match "^S%-1%-[%d%-]+$")
  expect(sid, "grant: to", "SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators or a SID", fields.to)
  expect(RIGHTS[fields.right], "grant: right", '"read" or "full"', fields.right)
  return { rule = "grant", container = fields.container, who = fields.to, sid = sid, right = fields.right,
    mask = RIGHTS[fields.right] }
end

-- optional "SMS": a key container that need not be there; nothing is said of it where it has no key file
function optional(name)
  expect(type(name) == "string" and name ~= "", "optional", "the name of a key container", name)
  return { rule = "optional", name = name }
end

-- Days from 1970-01-01 to a day of the Gregorian calendar.
local function days_of(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month - 457) / 5) + day - 719469
end

-- Seconds of a zone, "Z" or "+02:00"; nil for what is none.
local function zone_of(text)
  if text == "Z" or text == "z" then return 0 end
  local sign, hours, minutes = text:match "^([+-])(%d%d):(%d%d)$"
  if not sign or tonumber(hours) > 23 or tonumber(minutes) > 59 then return nil end
  return (sign == "-" and -1 or 1) * (hours * 3600 + minutes * 60)
end

-- time "2004-09-01T00:00:00Z": this time as seconds since 1970, to be compared with those of keys and of the case
function time(text)
  local wanted = 'a time with a zone, such as "2004-09-01T00:00:00Z" or "2004-09-01T02:00:00+02:00",'
  expect(type(text) == "string", "time", wanted, text)
  local year, month, day, hour, minute, second, fraction, rest = text:match
    "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt](%d%d):(%d%d):(%d%d)(%.?%d*)(.+)$"
  local zone = rest and zone_of(rest)
  expect(zone and fraction ~= "." and (fraction == "" or fraction:sub(1, 1) == "."), "time", wanted, text)
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  local next_year, next_month = month == 12 and year + 1 or year, month == 12 and 1 or month + 1
  local real = month >= 1 and month <= 12 and day >= 1
    and day <= days_of(next_year, next_month, 1) - days_of(year, month, 1)
    and tonumber(hour) <= 23 and tonumber(minute) <= 59 and tonumber(second) <= 59
  expect(real, "time", wanted, text)
  return days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second + (tonumber(fraction) or 0) - zone
end

-- containers = every_orphan: all that have key files of other GUIDs alone and that no shipped policy knows
every_orphan = { rule = "every_orphan" }

-- onset rule: the creation time of the regenerated key file; the last write of the Cryptography key bounds it
regeneration = { rule = "regeneration" }

local MAX_ID = 65535
local EVENT_FIELDS = { source = true, id = true, ids = true, service = true, data = true, code = true }

local function whole(value, most)
  return type(value) == "number" and value >= 0 and value <= most and value % 1 == 0
end

-- A number, or a list of numbers, as a list.
local function numbers(value, most, what, wanted)
  local list = type(value) == "table" and value or { value }
  expect(#list > 0, what, wanted, value, 1)
  local copy = {}
  for index, one in ipairs(list) do
    expect(whole(one, most), what, wanted, type(one) == "number" and tostring(one) or one, 1)
    copy[index] = one
  end
  return copy
end

-- "03 00 00 00" as bytes
local function bytes_of(text)
  local digits = type(text) == "string" and text:gsub("%s", "") or ""
  expect(#digits > 0 and #digits % 2 == 0 and not digits:find "%X", "event: data",
    'bytes in hexadecimal, such as "03 00 00 00"', text, 1)
  return (digits:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

-- event { source = "W3SVC", id = 116 }: events of the System log; ids = { ... } for several; service: the key name of
-- the service that it speaks of; data: its bytes; code: the error code that it tells, or a list of them
function event(fields)
  expect(type(fields) == "table", "event", 'a table such as { source = "W3SVC", id = 116 }', fields)
  for key in pairs(fields) do
    expect(EVENT_FIELDS[key], "event", "source, id, ids, service, data or code", tostring(key))
  end
  expect(type(fields.source) == "string" and fields.source ~= "", "event: source", "the name of a source",
    fields.source)
  expect((fields.id == nil) ~= (fields.ids == nil), "event", "id or ids", fields.id and "both" or nil)
  expect(fields.service == nil or type(fields.service) == "string" and fields.service ~= "", "event: service",
    "the name of a service", fields.service)
  return {
    rule = "event", source = fields.source, service = fields.service,
    ids = numbers(fields.ids or fields.id, MAX_ID, "event: id", "a number from 0 to 65535"),
    data = fields.data ~= nil and bytes_of(fields.data) or nil,
    codes = fields.code ~= nil and numbers(fields.code, 4294967295, "event: code", "an error code") or nil,
  }
end

-- onset rule: the first of these events after the container's last known success; without any, as regeneration
function first_failure(events)
  expect(type(events) == "table" and events.rule == nil, "first_failure", "events in braces", events)
  local made = { rule = "first_failure" }
  for index, one in ipairs(events) do
    expect(type(one) == "table" and one.rule == "event", ("first_failure: entry %d"):format(index), "an event", one)
    made[index] = one
  end
  expect(#made > 0, "first_failure", "at least one event", events)
  return made
end

-- extends "iis5": every field that is not given is that of this policy; a shipped one, or a file
function extends(name)
  expect(type(name) == "string" and name ~= "", "extends", "the name of a policy, or a path", name)
  return { rule = "extends", name = name }
end

-- Builders that want an argument; one without it would pass for a function of the policy's own.
local EXAMPLES = {
  [windows] = 'windows { from = "5.0" }', [has_service] = 'has_service "W3SVC"', [all_of] = "all_of { ... }",
  [any_of] = "any_of { ... }", [first_of] = "first_of { ... }", [not_] = "not_(always)",
  [by_guid] = 'by_guid "4cbde50a-..."', [within] = "within(30)", [restore_guid] = "restore_guid { above = 50 }",
  [grant] = "grant { ... }", [optional] = 'optional "SMS"', [time] = 'time "2004-09-01T00:00:00Z"',
  [event] = 'event { source = "W3SVC", id = 116 }', [first_failure] = "first_failure { ... }",
  [extends] = 'extends "iis5"',
}

-- Functions answer (key, reason); the host gets one table, so that nil with a reason differs from a failure.
local function wrap(value, seen)
  if EXAMPLES[value] then return { builder = EXAMPLES[value] } end
  if type(value) == "function" then
    return function(...)
      local key, reason = value(...)
      return { key = key, reason = reason }
    end
  end
  if type(value) ~= "table" or seen[value] then return value end
  seen[value] = true
  local copy = {}
  for key, inner in pairs(value) do copy[key] = wrap(inner, seen) end
  return copy
end

-- policy { ... }: what the file returns; its fields are checked by keymend
function policy(fields)
  expect(type(fields) == "table", "policy", "a table of fields", fields)
  local copy = wrap(fields, {})
  if type(copy[1]) == "table" and copy[1].rule == "extends" and copy.extends == nil then
    copy.extends = table.remove(copy, 1).name
  end
  if type(copy.extends) == "table" and copy.extends.rule == "extends" then copy.extends = copy.extends.name end
  copy.policy_table = true
  return copy
end

-- A misspelt rule would be nil, and its field would quietly get the default.
setmetatable(_G, {
  __index = function(_, name)
    error(("%s: a builder, rule or variable of this policy was expected, found a name that means nothing"):format(
      tostring(name)), 2)
  end,
})
