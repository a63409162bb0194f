-- fake.lua: targets made of plain tables for the tests of the Lua side: no volume, no core but its pure functions

local core = require "keymend.core"

local fake = {}

fake.IIS = "Microsoft Internet Information Server"
fake.HASH = "c2319c42033a5ca7f44e731bfd3fa2b5"
fake.OLD = "4cbde50a-570f-47f5-8cc1-f6e151231826"
fake.NEW = "1b2162a0-ed5a-4d56-bd8a-8f2f65406b82"
fake.THIRD = "7e0d9c1f-53ab-4f0e-a2c6-90b1d4e8f327"
fake.DAY = 86400
fake.RESET = 1095055960 -- 2004-09-13T06:12:40Z

function fake.name(guid)
  return fake.HASH .. "_" .. guid
end

local function ticks(seconds)
  return seconds and ("%.0f0000000"):format(seconds + 11644473600) or nil
end
fake.ticks = ticks

-- A sound key file as target:inspect gives it; `fields` replace what differs. `made` is its creation time.
function fake.key(guid, fields)
  fields = fields or {}
  local key = {
    name = fake.name(guid), guid = guid, hash = fake.HASH, size = 2658, identity = "100", device = "7",
    created_source = "ntfs", attributes = 4, links = 1, regular = true, reparse = false, owner = "S-1-5-18",
    owner_trusted = true, status = "ok", cng = false, container = fake.IIS, container_hash = fake.HASH, version = 2,
    keyless = false, upper = false,
    signature = { bits = 1024, exponent = 65537, modulus = core.sha256(guid),
      master_key = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9" },
  }
  for name, value in pairs(fields) do key[name] = value end
  if fields.none then
    for _, name in ipairs(fields.none) do key[name] = nil end
  end
  key.created = fields.made
  key.written = fields.written or fields.made
  key.created_ticks, key.written_ticks = ticks(key.created), ticks(key.written)
  key.sha256 = key.sha256 or core.sha256(key.name .. tostring(fields.seed))
  return key
end

local SERVICES = {
  { name = "IISADMIN", display = "IIS Admin Service", start = "automatic", depends = { "RpcSs" } },
  { name = "MSFTPSVC", display = "FTP", start = "manual", depends = { "IISADMIN" } },
  { name = "RpcSs", display = "RPC", start = "automatic", depends = {} },
  { name = "SMS_EXECUTIVE", display = "SMS_EXECUTIVE", start = "automatic", depends = { "W3SVC" } },
  { name = "W3SVC", display = "World Wide Web Publishing", start = "automatic", depends = { "IISADMIN" } },
}

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for key, inner in pairs(value) do out[key] = copy(inner) end
  return out
end

-- Gives services their states as a running Windows tells them: { W3SVC = { state, exit_code, specific_code, started },
-- ... }; the others run, as long as Windows starts them by itself, without a known start.
function fake.live(states, more)
  local list = copy(SERVICES)
  for _, service in ipairs(list) do
    local given = states[service.name] or { service.start == "automatic" and "running" or "stopped", 1077 }
    service.state = given[1]
    if service.state == "stopped" then service.exit_code, service.specific_code = given[2] or 0, given[3] or 0 end
    service.started, service.stoppable = given.started, given.stoppable
    if service.state == "running" and service.stoppable == nil then service.stoppable = true end
    service.started_ticks = ticks(given.started)
  end
  local options = { service_list = list, info = {
    backend = "live", driver = "ntfs", capabilities = { { id = "services", available = true, text = "the SCM" } },
  }, none = { "root" } }
  for name, value in pairs(more or {}) do
    if name ~= "info" then options[name] = value end
  end
  for name, value in pairs(more and more.info or {}) do options.info[name] = value end
  return options
end

local Services = {}
Services.__index = Services

function Services:list() return self.services end

-- The order that the core would give for IIS; what is asked is kept for the tests.
function Services:order(patterns, dependents)
  self.asked = { patterns = patterns, dependents = dependents }
  if self.order_error then return nil, self.order_error, "memory" end
  return {
    stop = { "MSFTPSVC", "SMS_EXECUTIVE", "W3SVC", "IISADMIN" },
    start = { "IISADMIN", "MSFTPSVC", "W3SVC", "SMS_EXECUTIVE" }, cycles = self.cycles or {}, missing = {},
  }
end

local Target = {}
Target.__index = Target

function Target:info() return self.facts end

function Target:history()
  if self.history_error then return nil, unpack(self.history_error) end
  return self.transactions
end

function Target:services()
  if self.services_error then return nil, self.services_error, "damaged" end
  return setmetatable({ services = self.service_list, cycles = self.cycles, order_error = self.order_error }, Services)
end

-- Counts the key files of each former GUID.
local function count_guid(guids, key)
  if key.class ~= "foreign" then return end
  local guid = core.unique_name(key.name).guid
  for _, row in ipairs(guids) do
    if row.guid == guid then
      row.files = row.files + 1
      return
    end
  end
  guids[#guids + 1] = { guid = guid, files = 1 }
end

function Target:survey(hashes)
  self.surveys = self.surveys + 1
  local survey = { files = 0, current = 0, foreign = 0, stray = 0, guids = {}, other_guids = 0, matches = {},
    truncated = self.truncated or false }
  for _, key in ipairs(self.store) do
    survey.files = survey.files + 1
    survey[key.class] = survey[key.class] + 1
    count_guid(survey.guids, key)
    for _, hash in ipairs(hashes) do
      if key.name:lower():sub(1, 32) == hash then
        table.insert(survey.matches, { name = key.name, class = key.class, hash = hash })
      end
    end
  end
  table.sort(survey.guids, function(a, b) return a.files > b.files or a.files == b.files and a.guid < b.guid end)
  return survey
end

-- As the core walks a store: name, class, hash, guid.
function Target:keys()
  local at = 0
  return function()
    at = at + 1
    local key = self.store[at]
    local parts = key and core.unique_name(key.name)
    if key then return key.name, key.class, parts and parts.hash, parts and parts.guid end
  end
end

function Target:inspect(name)
  self.inspected = self.inspected + 1
  for _, key in ipairs(self.store) do
    if key.name == name then return copy(key) end
  end
  return nil, "inspect " .. name .. ": no such file", "not-found"
end

-- As the core tells it without a SECURITY hive: a master key that is not there disproves.
local function without_secrets(target, name)
  for _, key in ipairs(target.master_keys and target.store or {}) do
    for _, part in ipairs(key.name == name and { "signature", "exchange" } or {}) do
      local guid = key[part] and key[part].master_key
      if guid and not target.master_keys[guid] then
        local one = { decryptable = "no-master-key", text = ("its master key %s is not here"):format(guid) }
        return { decryptable = one.decryptable, text = ("the %s key: %s"):format(part, one.text), [part] = one }
      end
    end
  end
  return { decryptable = "unknown", text = "no SECURITY hive" }
end

-- proofs: by file name { decryptable, text }; others cannot be decrypted, since there is no SECURITY hive.
function Target:proof()
  self.opened_proofs = (self.opened_proofs or 0) + 1
  if self.proof_error then return nil, unpack(self.proof_error) end
  local target = self
  return {
    key = function(_, _, name)
      return target.proofs and target.proofs[name] or without_secrets(target, name)
    end,
    problem = function() return not target.proofs and "no SECURITY hive" or nil end,
    close = function() target.closed_proofs = (target.closed_proofs or 0) + 1 end,
  }
end

-- rows: by file name what the sources of its container say of it.
function Target:identities()
  local target = self
  return {
    list = function() return target.sources or {} end, problem = function() end, close = function() end,
    try = function(_, _, _, _, name) return target.rows and target.rows[name] or {} end,
  }
end

-- The file of a master key: of master_key_times[guid] = seconds.
function Target:master_key(guid)
  local made = (self.master_key_times or {})[guid]
  if not made then return nil, "no such master key", "not-found" end
  return { created = made, created_ticks = ticks(made), created_source = "ntfs", written = made,
    written_ticks = ticks(made) }
end

-- A log as { events }, oldest first, with the fields that the core gives; a filter's ids count alone.
function fake.walk(list, filter, damaged, problem)
  filter = filter or {}
  local at, step = filter.oldest_first and 0 or #list + 1, filter.oldest_first and 1 or -1
  local walk = { damaged = function() return damaged or 0 end, problem = function() return problem end,
    close = function() end }
  return setmetatable(walk, { __call = function()
    while list[at + step] do
      at = at + step
      local fits = not filter.ids
      for _, id in ipairs(filter.ids or {}) do fits = fits or id == list[at].id end
      if fits then return list[at] end
    end
  end })
end

function Target:events(log, filter)
  self.readings = (self.readings or 0) + 1
  if self.log_error then return nil, unpack(self.log_error) end
  if not self.log or log ~= "System" then return nil, "there is no log " .. log, "not-found" end
  return fake.walk(self.log, filter, self.log_damaged, self.log_problem)
end

-- versions: by file name in lower case, { message, code } where it cannot be read; without them no file is there.
function Target:file_version(path)
  local found = self.versions and self.versions[path:match "[^\\]+$"]
  if type(found) == "table" then return nil, unpack(found) end
  if not found then return nil, path .. ": no such file", "not-found", 2 end
  return { version = found, size = 1, written = fake.RESET, written_ticks = ticks(fake.RESET) }
end

function Target:apply(plan, options)
  self.applied = plan
  if options.progress then options.progress("commit", "done") end
  local step = plan.steps[1]
  local back = step.kind == "restore-guid" and step or {}
  return { guid_before = back.name, guid_after = back.to,
    id = "20261123T121959Z-3f9a2c", state = "committed", files = {}, start = plan.start,
    services = self.service_results or {} }, "done"
end

-- A Windows 2000 with IIS whose MachineGuid is fake.NEW. keys: of fake.key; more: fields of the target or its info.
function fake.target(keys, more)
  more = more or {}
  local target = {
    facts = {
      backend = "offline", root = "/mnt/c", driver = "ntfs-3g", windows = "C:\\WINNT",
      product = "Microsoft Windows 2000", version = "5.0", build = "2195", service_pack = "Service Pack 4",
      computer = "WEB01", machine_guid = fake.NEW, guid_form = "plain", guid = fake.NEW,
      guid_written = fake.RESET, guid_written_ticks = ticks(fake.RESET), app_data = "C:\\AppData",
      key_store = "C:\\AppData\\Microsoft\\Crypto\\RSA\\MachineKeys", key_store_found = true, hives = {},
      old_guids = {}, capabilities = {},
    },
    store = keys, transactions = {}, service_list = copy(SERVICES), surveys = 0, inspected = 0,
    master_keys = { ["9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9"] = true },
  }
  for name, value in pairs(more.info or {}) do target.facts[name] = value end
  for name, value in pairs(more) do
    if name ~= "info" then target[name] = value end
  end
  for _, name in ipairs(more.none or {}) do target.facts[name] = nil end
  for _, key in ipairs(keys) do
    local parts = core.unique_name(key.name)
    key.class = not parts and "stray" or parts.guid == target.facts.guid and "current" or "foreign"
  end
  return setmetatable(target, Target)
end

-- A loaded policy without a state of its own; the defaults of policy.lua. Functions stand for themselves: a rule
-- { ["function"] = f } calls f(keys, case).
function fake.policy(fields)
  local policy = {
    api = 1, name = "iis5", title = "IIS 5.0 metabase key", kb = "884872", symptoms = {}, after = {},
    source = "shipped", shown = "policy iis5", sha256 = ("0"):rep(64), applies = { rule = "always" },
    containers = { { name = fake.IIS, hash = fake.HASH } },
    onset = { rule = "regeneration" }, retire = { rule = "regenerated" }, remedy = { rule = "adopt_file" },
    adopt = { rule = "first_of", { rule = "proved" }, { rule = "guid_history" }, { rule = "sole_candidate" } },
    services = { dependents = true, start = "auto" }, service_patterns = { "IISADMIN" }, findings = {}, checks = {},
    state = {
      call = function(_, rule, ...)
        local key, reason = rule(...)
        return { key = key, reason = reason }
      end,
      close = function() end,
    },
  }
  for name, value in pairs(fields or {}) do policy[name] = value end
  return policy
end

-- "severity id" of every finding, in the order of the report.
function fake.lines(diagnosis)
  local lines = {}
  for index, finding in ipairs(diagnosis.findings) do lines[index] = finding.severity .. " " .. finding.id end
  return lines
end

function fake.finding(diagnosis, id)
  for _, finding in ipairs(diagnosis.findings) do
    if finding.id == id then return finding end
  end
end

return fake
