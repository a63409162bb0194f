-- policy.lua: finds, loads and checks policies; each runs in its own Lua state (core.policy_new)
--
-- A loaded policy: name, title, kb, cause, symptoms, after, source ("shipped" or the file),
-- shown (in messages), sha256, text, api,
-- applies, containers = { { name, hash } }, onset, retire, adopt, services = { dependents, start }, service_patterns
-- (all that are restarted), user_patterns (those that use the containers: without `also`),
-- findings = { id = { severity?, text?, remedy? } }, checks, state (runs its functions; closed by policy.close),
-- use ("always"; "named": only where somebody names it), orphans (true: its containers are those that facts.lua finds),
-- remakes (the program makes its key anew), remedy ({ rule = "adopt_file" }, or "restore_guid" with above), order
-- (services in the order in which they start),
-- bases (the policies it extends: { name, source, text }), access (see access.lua).

local core = require "keymend.core"
local rules = require "keymend.rules"
local spelling = require "keymend.spelling"
local trust = require "keymend.trust"
local table_of_findings = require "keymend.findings"

local M = {}

-- Policies here, with a separator at its end, stand in for the shipped ones of the same name; nil: there is no folder.
M.folder = core.policies_folder()
if M.folder == "" then M.folder = nil end
-- A policy is written by hand; what is larger is no policy.
M.MAX_BYTES = 1024 * 1024
-- Entries of one list: containers, services, symptoms.
M.MAX_ENTRIES = 1000
-- Policies that extend one another.
M.MAX_BASES = 8
-- What `policies new` starts from is no policy to judge by.
M.TEMPLATE = "template"

-- ---- Finding the text ----

-- nil, message, code: "refused" when ordinary users may change the file, "not-found" when it cannot be read.
local function read(path)
  local text, message, code = trust.read(path, M.MAX_BYTES)
  if text then return text end
  if code == "refused" then return nil, message, code end
  return nil, "the policy cannot be used: " .. message, "not-found", code
end

local function is_path(name)
  return name:find("/", 1, true) or name:find("\\", 1, true) or name:find "%.lua$"
end

-- The text of a policy and where it is from: a path, a file in M.folder, or a shipped one.
function M.find(name)
  if is_path(name) then
    local text, message, code = read(name)
    if not text then return nil, message, code end
    return text, name
  end
  if M.folder then
    local path = M.folder .. name .. ".lua"
    local text, message, code, why = read(path)
    if text then return text, path end
    if why ~= "not-found" then return nil, message, code end
  end
  local shipped = core.embedded_policies()
  if shipped[name] then return shipped[name], "shipped" end
  local names, file = M.names(), name:find "^[%w_-]+$" and name or "mine"
  return nil, ('there is no policy "%s"%s; shipped: %s; a file of your own is named by its path, such as ./%s.lua')
    :format(name, spelling.hint(name, names), table.concat(names, ", "), file), "not-found"
end

-- The names of the shipped policies, sorted.
function M.names()
  local names = {}
  for name in pairs(core.embedded_policies()) do
    if name ~= M.TEMPLATE then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- The names of the files in M.folder that are no shipped policy's, sorted: they are used when they are named. nil,
-- message, code, native when the folder cannot be read.
function M.own_names()
  local files, message, code, native = {}, nil, nil, nil
  if M.folder then files, message, code, native = core.list_folder(M.folder, ".lua") end
  if not files then return nil, message, code, native end
  local shipped, names = core.embedded_policies(), {}
  for _, file in ipairs(files) do
    local name = file:match "^([%w_-]+)%.lua$"
    if name and not shipped[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- ---- Checking the fields ----

-- The line where a field is set: the first that begins with it, else the first where it stands behind another; nil:
-- there is none.
local function line_of(text, field)
  local set = field:gsub("%W", "%%%0") .. "%s*="
  local number, behind = 0, nil
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if line:find("^%s*" .. set) then return number end
    local code = line:gsub('"[^"]*"', '""'):gsub("%-%-.*", "")
    if not behind and code:find("[{,;]%s*" .. set) then behind = number end
  end
  return behind
end

local function describe(value)
  if value == nil then return "nothing" end
  if type(value) == "string" then return '"' .. value .. '"' end
  if type(value) == "table" and value.builder then
    return "a builder without its argument; write " .. tostring(value.builder)
  end
  if type(value) == "table" then return value["function"] and "a function" or "a table" end
  return type(value) == "number" and "the number " .. value or "a " .. type(value)
end

-- "FILE:LINE" where a field is set: in the policy itself, or in the one that it extends.
local function place_of(context, field)
  local first = field:match "^[%w_]+" or field
  local origin = context.origins and (context.origins[field] or context.origins[first]) or context
  local line = line_of(origin.text, field:match "^services%.([%w_]+)$" or first) or line_of(origin.text, first)
  return origin.source .. (line and ":" .. line or "")
end

-- Raises a table { message } that load() turns into its own result.
local function wrong(context, field, wanted, found)
  error({ message = ("%s: %s: %s was expected, found %s"):format(place_of(context, field), field, wanted,
    describe(found)) }, 0)
end

local function text_field(context, data, field, default)
  local value = data[field]
  if value == nil then return default end
  if type(value) ~= "string" then wrong(context, field, "text", value) end
  return value
end

local function texts(context, value, field, wanted)
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" or value["function"] then wrong(context, field, wanted, value) end
  if #value > M.MAX_ENTRIES then
    wrong(context, field, ("a list of at most %d entries"):format(M.MAX_ENTRIES), #value)
  end
  local list = {}
  for index, one in ipairs(value) do
    if type(one) ~= "string" or one == "" then wrong(context, ("%s, entry %d"):format(field, index), "text", one) end
    list[index] = one
  end
  return list
end

local function version_or_nil(value)
  return value == nil or type(value) == "string" and value:find "^%d+%.?%d*%.?%d*$" ~= nil
end

-- A list of whole numbers from 0 to `most`.
local function numbers_or_nil(value, most)
  if value == nil then return true end
  if type(value) ~= "table" or #value == 0 or #value > M.MAX_ENTRIES then return false end
  for _, one in ipairs(value) do
    if not (type(one) == "number" and one >= 0 and one <= most and one % 1 == 0) then return false end
  end
  return true
end

local function text_or_nil(value)
  return value == nil or type(value) == "string" and value ~= ""
end

local function event_or_nil(one)
  return type(one) == "table" and one.rule == "event" and one.source ~= nil and text_or_nil(one.source)
    and one.ids ~= nil and numbers_or_nil(one.ids, 65535) and text_or_nil(one.service) and text_or_nil(one.data)
    and numbers_or_nil(one.codes, 4294967295)
end

-- What the builders (policy_env.lua) ensure, for rules that a policy wrote out by hand: what is wrong, or nil.
local RULE_FORMS = {
  windows = function(rule)
    return not (version_or_nil(rule.from) and version_or_nil(rule.below)) and 'versions as text, such as "5.0"'
  end,
  has_service = function(rule)
    return not (type(rule.name) == "string" and rule.name ~= "") and "the name of a service"
  end,
  not_ = function(rule) return #rule ~= 1 and "one condition" end,
  all_of = function(rule) return #rule == 0 and "at least one rule" end,
  any_of = function(rule) return #rule == 0 and "at least one rule" end,
  first_of = function(rule) return #rule == 0 and "at least one rule" end,
  within = function(rule)
    return not (type(rule.minutes) == "number" and rule.minutes > 0) and "a number of minutes above 0"
  end,
  by_guid = function(rule)
    return not (type(rule.guid) == "string" and core.guid(rule.guid) == rule.guid) and "a GUID in lower case"
  end,
  restore_guid = function(rule)
    local above = rule.above
    return not (type(above) == "number" and above >= 50 and above < 100)
      and "above: a number of per cent from 50 to less than 100"
  end,
  first_failure = function(rule)
    for _, one in ipairs(rule) do
      if not event_or_nil(one) then return "events, made by event { source = ..., id = ... }" end
    end
    return #rule == 0 and "at least one event"
  end,
}

-- Rules whose parts are no rules of the same kind.
local IS_LEAF = { first_failure = true }

-- A rule: data of a known builder, or a function where `functions`.
local function rule_field(context, field, value, functions)
  if type(value) == "table" and value["function"] then
    if not functions then
      wrong(context, field, field == "remedy" and "adopt_file or restore_guid { above = 50 }"
        or "a condition made by the builders", value)
    end
    return value
  end
  if type(value) ~= "table" or not rules.known[field][value.rule] then
    local names = {}
    for name in pairs(rules.known[field]) do names[#names + 1] = name end
    table.sort(names)
    wrong(context, field, "one of " .. table.concat(names, ", ") .. (functions and " or a function" or ""),
      type(value) == "table" and value.rule or value)
  end
  local form = RULE_FORMS[value.rule]
  local fault = form and form(value)
  if fault then wrong(context, field, ("%s: %s"):format(value.rule, fault), value) end
  for _, inner in ipairs(IS_LEAF[value.rule] and {} or value) do rule_field(context, field, inner, functions) end
  return value
end

local function containers_field(context, value)
  if type(value) == "table" and value.rule == "every_orphan" then return {} end
  if type(value) == "table" and value.rule == "optional" then value = { value } end
  local optional, plain = {}, value
  if type(value) == "table" and not value["function"] then
    plain = {}
    for index, one in ipairs(value) do
      optional[index] = type(one) == "table" and one.rule == "optional"
      plain[index] = optional[index] and one.name or one
    end
  end
  local list = texts(context, plain, "containers", "a list of container names")
  if #list == 0 then wrong(context, "containers", "at least one container name", nil) end
  local made, seen = {}, {}
  for index, name in ipairs(list) do
    local hash, message = core.hash(name)
    if not hash then
      error({ message = ("%s: containers, entry %d: %s"):format(place_of(context, "containers"), index, message) }, 0)
    end
    if not seen[hash] then
      seen[hash] = true
      made[#made + 1] = { name = name, hash = hash, optional = optional[index] or nil }
    end
  end
  return made
end

local function services_field(context, value)
  if value == nil then return { dependents = false, start = "auto" }, {}, {}, {} end
  local patterns = texts(context, value, "services", "a list of service names")
  local users = { unpack(patterns) }
  local settings, order = { dependents = false, start = "auto" }, {}
  if type(value) == "table" then
    for key, inner in pairs(value) do
      if key == "also" then
        for _, one in ipairs(texts(context, inner, "services.also", "a list of service names")) do
          patterns[#patterns + 1] = one
        end
      elseif key == "dependents" then
        if type(inner) ~= "boolean" then wrong(context, "services.dependents", "true or false", inner) end
        settings.dependents = inner
      elseif key == "order" then
        order = texts(context, inner, "services.order", "a list of service names")
      elseif key == "start" then
        if inner ~= "auto" and inner ~= "none" then wrong(context, "services.start", '"auto" or "none"', inner) end
        settings.start = inner
      elseif type(key) ~= "number" then
        wrong(context, "services", "names, dependents, also, order, start", tostring(key))
      end
    end
  end
  return settings, patterns, #users > 0 and users or patterns, order
end

-- The %{fields} in texts that keymend fills for an id of its own: those of its own texts, and the container.
local function fields_of(known)
  local fields = { container = true }
  for name in ((known.text or "") .. (known.remedy or "")):gmatch "%%{([%w_]+)}" do fields[name] = true end
  return fields
end

local function check_template(context, field, template, known)
  local fields = fields_of(known)
  for name in (template or ""):gmatch "%%{([%w_]+)}" do
    if not fields[name] then
      local names = {}
      for one in pairs(fields) do names[#names + 1] = "%{" .. one .. "}" end
      table.sort(names)
      wrong(context, field, "a text with no other fields than " .. table.concat(names, ", "), "%{" .. name .. "}")
    end
  end
end

local SEVERITY = { info = true, warning = true, error = true }

local function one_finding(context, name, id, entry)
  local field = ("findings[%q]"):format(id)
  if type(entry) ~= "table" then wrong(context, field, "a table with severity, text, remedy", entry) end
  local known = table_of_findings[id]
  if not known and id:sub(1, #name + 1) ~= name .. "." then
    wrong(context, field, ('an id of keymend, or one that begins with "%s."'):format(name), id)
  end
  for key, value in pairs(entry) do
    local allowed = key == "text" or key == "remedy" or (key == "severity" and not known)
    if not allowed or type(value) ~= "string" then
      wrong(context, field, known and "text and remedy as text" or "severity, text and remedy as text", tostring(key))
    end
  end
  if known then
    check_template(context, field .. ".text", entry.text, known)
    check_template(context, field .. ".remedy", entry.remedy, known)
  end
  if not known and (not SEVERITY[entry.severity] or not entry.text) then
    wrong(context, field, "severity (info, warning or error) and text", entry.severity)
  end
  return { severity = entry.severity, text = entry.text, remedy = entry.remedy }
end

local function findings_field(context, name, value)
  if value == nil then return {} end
  if type(value) ~= "table" then wrong(context, "findings", "a table of findings", value) end
  local made = {}
  for id, entry in pairs(value) do made[id] = one_finding(context, name, tostring(id), entry) end
  return made
end

local function access_field(context, value)
  if value == nil then return {} end
  local wanted = "a list of grant { container = ..., to = ..., right = ... }"
  if type(value) ~= "table" or value["function"] or #value > M.MAX_ENTRIES then
    wrong(context, "access", wanted, value)
  end
  local list = {}
  for index, one in ipairs(value) do
    local known = type(one) == "table" and one.rule == "grant" and type(one.sid) == "string"
      and type(one.mask) == "number" and (one.right == "read" or one.right == "full")
    local hash = known and type(one.container) == "string" and core.hash(one.container)
    if not hash then wrong(context, ("access, entry %d"):format(index), wanted, one) end
    list[index] = { container = one.container, hash = hash, sid = one.sid, who = tostring(one.who), mask = one.mask,
      right = one.right }
  end
  return list
end

local function checks_field(context, value)
  if value == nil then return {} end
  if type(value) ~= "table" then wrong(context, "checks", "a list of functions", value) end
  if value["function"] then value = { value } end
  for index, one in ipairs(value) do
    if type(one) ~= "table" or not one["function"] then
      wrong(context, ("checks, entry %d"):format(index), "a function", one)
    end
  end
  return value
end

local FIELDS = {
  "api", "name", "title", "kb", "cause", "symptoms", "after", "applies", "containers", "onset", "retire", "adopt",
  "services", "findings", "checks", "use", "extends", "remakes", "access", "remedy",
}

local function known_fields(context, data)
  local known = { policy_table = true }
  for _, field in ipairs(FIELDS) do known[field] = true end
  for field in pairs(data) do
    if not known[field] then
      error({ message = ('%s: there is no field "%s" in a policy%s'):format(place_of(context, tostring(field)),
        tostring(field), spelling.hint(tostring(field), FIELDS)) }, 0)
    end
  end
end

-- The checked policy from the plain data that the file returned.
local function check(context, data)
  if type(data) ~= "table" or not data.policy_table then
    error({ message = context.source .. ": the file must end with: return policy { ... }" }, 0)
  end
  known_fields(context, data)
  if (data.api or 1) ~= 1 then wrong(context, "api", "the number 1 (this keymend knows no other)", data.api) end
  local name = text_field(context, data, "name")
  if not name or not name:find "^[%w_%-]+$" then
    wrong(context, "name", "a name of letters, digits, _ and -", data.name)
  end
  local settings, patterns, users, order = services_field(context, data.services)
  if data.use ~= nil and data.use ~= "always" and data.use ~= "named" then
    wrong(context, "use", '"always" or "named"', data.use)
  end
  if data.remakes ~= nil and type(data.remakes) ~= "boolean" then
    wrong(context, "remakes", "true or false", data.remakes)
  end
  return {
    api = 1, name = name, title = text_field(context, data, "title", name),
    kb = text_field(context, data, "kb"), cause = text_field(context, data, "cause"),
    symptoms = texts(context, data.symptoms or {}, "symptoms", "a list of texts"),
    after = texts(context, data.after or {}, "after", "a list of texts"),
    applies = rule_field(context, "applies", data.applies or { rule = "always" }),
    containers = containers_field(context, data.containers),
    onset = rule_field(context, "onset", data.onset or { rule = "regeneration" }, true),
    retire = rule_field(context, "retire", data.retire or { rule = "regenerated" }, true),
    adopt = rule_field(context, "adopt", data.adopt or {
      rule = "first_of", { rule = "proved" }, { rule = "guid_history" }, { rule = "sole_candidate" },
    }, true),
    remedy = rule_field(context, "remedy", data.remedy or { rule = "adopt_file" }),
    services = settings, service_patterns = patterns, user_patterns = users, order = order,
    use = data.use or "always", remakes = data.remakes or false,
    orphans = type(data.containers) == "table" and data.containers.rule == "every_orphan",
    access = access_field(context, data.access), findings = findings_field(context, name, data.findings),
    checks = checks_field(context, data.checks),
  }
end

-- ---- Loading ----

local NO_POLICY = "the file must end with: return policy { ... }"

local function fail(message, code)
  error({ message = message, code = code }, 0)
end

-- Runs one text: the plain data that it returns.
local function run(state, origin)
  -- Lua shows a chunk name after "@" as a file name, whole where it fits.
  local data, message = state:run(trust.without_mark(origin.text), "@" .. origin.source)
  if data == nil then
    message = message or NO_POLICY
    fail(message:find(origin.source, 1, true) and message or origin.source .. ": " .. message)
  end
  if type(data) ~= "table" or not data.policy_table then fail(("%s: %s"):format(origin.source, NO_POLICY)) end
  return data
end

-- The path of a file that `origin` names: "./" and "../" count from the folder of the policy that says it.
local function beside(origin, name)
  local folder = origin.from:match "^(.*[/\\])"
  return folder and name:find "^%.%.?[/\\]" and folder .. name or name
end

-- The policy that `origin` extends. Its own name, or one that is extended already, means the shipped one, so that a
-- file in M.folder may change the policy that it stands in for.
local function base_of(origin, name, chain)
  local text, source, code = M.find(beside(origin, name))
  if not text then fail(("%s: extends: %s"):format(origin.source, source), code) end
  local function seen(one)
    for _, other in ipairs(chain) do
      if other.file == one then return true end
    end
  end
  local file = source == "shipped" and "shipped " .. name or source
  if seen(file) and core.embedded_policies()[name] then
    text, source, file = core.embedded_policies()[name], "shipped", "shipped " .. name
  end
  if seen(file) or #chain > M.MAX_BASES then
    fail(('%s: extends: "%s" extends itself, over %d policies'):format(origin.source, name, #chain))
  end
  return { name = name, text = text, file = file, from = source,
    source = source == "shipped" and "policy " .. name or source }
end

-- Services are inherited part by part: the names, also, dependents, order, start.
local function inherit_services(data, base, origins, origin)
  if type(data.services) == "string" then data.services = { data.services } end
  local own, other = data.services, base.services
  if type(other) == "string" then other = { other } end
  if type(own) ~= "table" or type(other) ~= "table" then return end
  local named = own[1] ~= nil
  for key, value in pairs(other) do
    if type(key) == "number" then
      if not named then own[key] = value end
    elseif own[key] == nil then
      own[key], origins["services." .. key] = value, origins["services." .. key] or origin
    end
  end
end

-- Lays the fields of `base` under those of `data`; what is set in both is the policy's own. Findings are laid under id
-- by id. origins: where each field was set.
local function inherit(data, base, origins, origin)
  for field, value in pairs(base) do
    if data[field] == nil then
      data[field], origins[field] = value, origin
    elseif field == "services" then
      inherit_services(data, base, origins, origin)
    elseif field == "findings" and type(value) == "table" and type(data.findings) == "table" then
      for id, entry in pairs(value) do
        if data.findings[id] == nil then data.findings[id] = entry end
      end
    end
  end
end

-- Runs a policy and those that it extends, each in the same state: the data together, and the chain of texts.
local function run_all(state, origin)
  local prelude = core.embedded_module "keymend.policy_env"
  local ok, message = state:run(prelude, "=policy_env")
  if ok == nil and message then fail(message) end
  local data, chain, origins = run(state, origin), { origin }, {}
  local wanted = data.extends
  while wanted ~= nil do
    local last = chain[#chain]
    if type(wanted) ~= "string" or wanted == "" then
      wrong(last, "extends", "the name of a policy, or a path", wanted)
    end
    local base = base_of(last, wanted, chain)
    chain[#chain + 1] = base
    local more = run(state, base)
    wanted, more.extends = more.extends, nil
    inherit(data, more, origins, base)
  end
  return data, chain, origins
end

-- The hash of a policy is that of its text; of one that extends others, that of all the texts together.
local function hash_of(chain)
  local texts_of = {}
  for index, one in ipairs(chain) do texts_of[index] = one.text end
  return core.sha256(table.concat(texts_of))
end

-- Loads the policy `name` (a name or a path): policy, or nil, message, code ("not-found" or "policy").
function M.load(name)
  local text, source, code = M.find(name)
  if not text then return nil, source, code end
  local origin = {
    name = name, text = text, from = source, source = source == "shipped" and "policy " .. name or source,
    file = source == "shipped" and "shipped " .. name or source,
  }
  local state = core.policy_new {}
  local chain
  local ok, made = pcall(function()
    local data, origins
    data, chain, origins = run_all(state, origin)
    state:seal()
    return check({ source = origin.source, text = text, origins = origins }, data)
  end)
  if not ok then
    state:close()
    if type(made) ~= "table" then error(made, 0) end
    return nil, made.message, made.code == "refused" and made.code or "policy"
  end
  made.state, made.text, made.sha256 = state, text, hash_of(chain)
  made.source, made.shown, made.bases = source, origin.source, {}
  for index = 2, #chain do
    made.bases[index - 1] = { name = chain[index].name, source = chain[index].from, text = chain[index].text }
  end
  return made
end

-- Loads the policies of `names`; without names the shipped ones, each replaced by its file in M.folder, but for those
-- that are used only where somebody names them.
function M.load_all(names)
  local loaded, seen = {}, {}
  local named = names ~= nil and #names > 0
  for _, name in ipairs(named and names or M.names()) do
    local policy, message, code = M.load(name)
    if policy and seen[policy.name] then
      policy.state:close()
      policy, message, code = nil, ('two policies are called "%s": %s and %s'):format(policy.name,
        seen[policy.name].source, policy.source), "policy"
    end
    if not policy then
      M.close(loaded)
      return nil, message, code
    end
    seen[policy.name] = policy
    if policy.use == "named" and not named then policy.state:close() else loaded[#loaded + 1] = policy end
  end
  return loaded
end

-- As load_all, but of the shipped policies alone, whatever stands in M.folder.
function M.load_shipped(names)
  local folder = M.folder
  M.folder = nil
  local ok, loaded, message, code = pcall(M.load_all, names)
  M.folder = folder
  if not ok then error(loaded, 0) end
  return loaded, message, code
end

-- Closes the states of loaded policies; their data stays usable.
function M.close(policies)
  for _, policy in ipairs(policies) do policy.state:close() end
end

return M
