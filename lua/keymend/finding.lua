-- finding.lua: makes findings from the table of findings
--
-- A finding: { id, severity, text, remedy, commands = { lines to type }, fixable, refuses, blocks, container?, hash?,
-- evidence = {...}, keys = { names } }. evidence: { kind, time? (Unix seconds), ticks?, text }.

local table_of_findings = require "keymend.findings"

local M = {}

local Finding = {}
Finding.__index = Finding
Finding.__name = "keymend.finding"
M.metatable = Finding

function Finding:__tostring()
  return ("%s %s: %s"):format(self.severity, self.id, self.text)
end

M.rank = { info = 1, warning = 2, error = 3 }

-- Fills %{field} of a template; a field that is missing is a fault of the caller and raises.
function M.expand(template, fields)
  return (template:gsub("%%{([%w_]+)}", function(name)
    local value = fields[name]
    if value == nil then error(("finding: no field %q for %q"):format(name, template), 0) end
    return tostring(value)
  end))
end

-- Makes the finding `id`. `fields` fill its texts; `extra` may give severity, evidence, keys, container, hash,
-- commands, fixable, remedy, wording; `policy` (may be nil) may have texts of its own for the id.
function M.make(id, fields, extra, policy)
  local own = policy and policy.findings[id]
  local entry = table_of_findings[id] or own
  if not entry then error("finding: unknown id " .. tostring(id), 0) end
  extra = extra or {}
  local wording = extra.wording and entry[extra.wording] or own or entry
  local fixable = extra.fixable
  if fixable == nil then fixable = entry.fixable or false end
  return setmetatable({
    id = id,
    severity = extra.severity or entry.severity,
    wording = extra.wording,
    text = M.expand(wording.text or entry.text, fields or {}),
    remedy = (M.expand(extra.remedy or wording.remedy or entry.remedy or "", fields or {}):gsub("%s+$", "")),
    commands = extra.commands or {},
    fixable = fixable,
    refuses = entry.refuses or false,
    blocks = entry.blocks or false,
    container = extra.container,
    hash = extra.hash,
    evidence = extra.evidence or {},
    keys = extra.keys or {},
  }, Finding)
end

-- Whether a finding is at least as grave as `severity`.
function M.at_least(finding, severity)
  return M.rank[finding.severity] >= M.rank[severity]
end

-- Sorts gravest first, else in the order they were made.
function M.sort(findings)
  local place = {}
  for index, finding in ipairs(findings) do place[finding] = index end
  table.sort(findings, function(a, b)
    local left, right = M.rank[a.severity], M.rank[b.severity]
    if left ~= right then return left > right end
    return place[a] < place[b]
  end)
  return findings
end

return M
