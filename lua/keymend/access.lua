-- access.lua: whether those who need a key file may use it: its security descriptor against what a policy grants
--
-- A policy's `access` is a list of { container, hash, sid, who, mask, right } (the builder grant). Only the current key
-- file of a container is looked at. Where the missing entries can be added, the case's verdict gets grant = { key,
-- entries = { { sid, mask } }, sha256 (of the descriptor), reason }, from which the plan makes a step; else the finding
-- tells why there is none. Either way it tells the commands that add them and leave the others as they are.

local core = require "keymend.core"
local finding = require "keymend.finding"

local M = {}

-- Entries that only others inherit do not count (INHERIT_ONLY_ACE).
local INHERIT_ONLY = 8
-- Groups that every service is in: Everyone, Authenticated Users.
local ALL = { ["S-1-1-0"] = true, ["S-1-5-11"] = true }

-- Generic rights of files, as Windows maps them when it checks.
local GENERIC = { { 0x80000000, 0x120089 }, { 0x10000000, 0x1F01FF } }

local function has_bit(mask, bit)
  return mask % (2 * bit) >= bit
end

-- The bits of two masks together.
local function union(a, b)
  local sum, bit = 0, 1
  while bit <= 0x80000000 do
    if has_bit(a, bit) or has_bit(b, bit) then sum = sum + bit end
    bit = bit * 2
  end
  return sum
end

local function covers(mask, wanted)
  for _, one in ipairs(GENERIC) do
    if has_bit(mask, one[1]) then mask = union(mask, one[2]) end
  end
  return union(mask, wanted) == mask
end

-- Whether `access` lets `sid` do all of `mask`: true, or false; second: an entry that denies some of it.
function M.allows(access, sid, mask)
  if access.open then return true end
  local granted, denied = 0, nil
  for _, entry in ipairs(access.entries) do
    local counts = not has_bit(entry.flags, INHERIT_ONLY) and (entry.sid == sid or ALL[entry.sid])
    if counts and entry.type == "allow" then granted = union(granted, entry.mask) end
    if counts and entry.type == "deny" then denied = denied or entry end
  end
  return denied == nil and covers(granted, mask), denied
end

-- Entries that one step adds (KM_MAX_GRANTS).
M.MAX_GRANTS = 8

local WHO = { ["S-1-5-18"] = "SYSTEM", ["S-1-5-19"] = "LOCAL SERVICE", ["S-1-5-20"] = "NETWORK SERVICE",
  ["S-1-5-32-544"] = "Administrators" }
local RIGHT = { [0x120089] = "read", [0x1F01FF] = "full" }
local LETTER = { [0x120089] = "R", [0x1F01FF] = "F" }

-- An entry in words: "SYSTEM (full)".
function M.entry_text(entry)
  return ("%s (%s)"):format(WHO[entry.sid] or entry.sid, RIGHT[entry.mask] or ("0x%X"):format(entry.mask))
end

-- The command that adds one entry { sid, mask, who? }; icacls came with Windows Server 2003 Service Pack 2, cacls is
-- older.
function M.command(info, name, entry)
  local path = ('"%s\\%s"'):format(info.key_store or "", name)
  local old = require("keymend.rules").compare_versions(info.version or "6.0", "5.2") < 0
  local letter = LETTER[entry.mask]
  if old then return ('cacls %s /E /G "%s":%s'):format(path, entry.who or WHO[entry.sid] or entry.sid, letter) end
  return ("icacls %s /grant *%s:%s"):format(path, entry.sid, letter)
end

-- Why no step can add the entries, or nil. moving: the plan moves key files.
local function obstacle(case, entries, moving)
  if moving then return "this plan changes which key files are the current ones; run keymend again after it" end
  if #entries > M.MAX_GRANTS then
    return ("%d entries are missing, and one step adds %d at most"):format(#entries, M.MAX_GRANTS)
  end
  local _, message = case.facts.target:grantable(case.current.name, entries)
  return message and message:gsub("%.%s*$", "")
end

-- Sets the grant of a verdict where a step can add what is missing; else why not.
local function decide(case, missing, access, moving)
  local entries, names = {}, {}
  for index, one in ipairs(missing) do
    entries[index] = { sid = one.sid, mask = one.mask }
    names[index] = M.entry_text(one)
  end
  local why = obstacle(case, entries, moving)
  if why then return why end
  case.verdict.grant = { key = case.current, entries = entries, sha256 = access.sha256,
    reason = "its program needs " .. table.concat(names, ", ") }
end

local function tell_missing(case, missing, access, why)
  local names, evidence, commands = {}, {}, {}
  for index, one in ipairs(missing) do
    names[index] = ("%s (%s)"):format(one.who, one.right)
    evidence[#evidence + 1] = { kind = "access",
      text = ("missing: allow %s (%s) 0x%X"):format(one.who, one.sid, one.mask) }
    commands[index] = M.command(case.info, case.current.name, one)
    if one.denied then
      evidence[#evidence + 1] = { kind = "against", text = ("an entry denies %s 0x%X; take it away by hand"):format(
        one.denied.sid, one.denied.mask) }
    end
  end
  for _, entry in ipairs(access.entries) do
    evidence[#evidence + 1] = { kind = "access", text = ("is there: %s %s 0x%X"):format(entry.type,
      entry.sid ~= "" and entry.sid or "(another kind of entry)", entry.mask) }
  end
  return finding.make("key.access-missing", {
    container = case.container, names = table.concat(names, ", "), why = why and core.escape(why),
  }, { wording = why and "refused", fixable = not why, container = case.container, hash = case.hash,
    keys = { case.current.name }, evidence = evidence,
    commands = commands }, case.policy)
end

-- The finding about one case, or nil; nil, message when the descriptor cannot be had. moving: the plan moves key files,
-- so it cannot add entries too.
function M.judge(case, moving)
  local wanted = {}
  for _, one in ipairs(case.policy.access or {}) do
    if one.hash == case.hash then wanted[#wanted + 1] = one end
  end
  if #wanted == 0 or not case.current then return nil end
  local access, message = case.facts.target:access(case.current.name)
  if not access then return nil, message end
  local missing = {}
  for _, one in ipairs(wanted) do
    local may, denied = M.allows(access, one.sid, one.mask)
    if not may then
      missing[#missing + 1] = { who = one.who, sid = one.sid, mask = one.mask, right = one.right, denied = denied }
    end
  end
  if #missing == 0 then return nil end
  return tell_missing(case, missing, access, decide(case, missing, access, moving))
end

-- The findings of all cases of a diagnosis, given to add(finding). What cannot be read is told once. moving: the plan
-- puts the machine GUID back, so that other key files become the current ones.
function M.judge_all(cases, add, moving)
  local unread, names = nil, {}
  for _, case in ipairs(cases) do
    moving = moving or case.verdict.adopt ~= nil or case.verdict.retire ~= nil
  end
  for _, case in ipairs(cases) do
    local made, message = M.judge(case, moving)
    if made then add(made) end
    if message then
      unread = unread or message
      names[#names + 1] = ('"%s"'):format(case.container)
    end
  end
  if unread then
    add(finding.make("key.access-unknown", { names = table.concat(names, ", "), problem = core.escape(unread)
      :gsub("%.%s*$", "") }))
  end
end

return M
