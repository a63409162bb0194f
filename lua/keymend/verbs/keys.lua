-- keys.lua: the verb keys: what the key stores hold, in constant memory however many files there are

local core = require "keymend.core"
local cli = require "keymend.cli"
local facts = require "keymend.facts"
local progress = require "keymend.progress"
local proof = require "keymend.proof"
local report = require "keymend.report"

local EXIT = cli.exit
local M = {}

local STORES = {
  { kind = "rsa", title = "Key store (RSA)" },
  { kind = "cng", title = "CNG keys (Crypto\\Keys); keymend changes none of them" },
  { kind = "cng-system", title = "CNG system keys (Crypto\\SystemKeys); keymend changes none of them" },
}

-- Containers whose key files the summary shows; hashes come from the names.
local WELL_KNOWN = {
  "Microsoft Internet Information Server", "MS IIS DCOM Server", "iisConfigurationKey", "iisWasKey",
  "NetFrameworkConfigurationKey", "WMSvc Certificate Key Container", "TSSecKeySet1", "SMS",
}

local MAX_GUIDS = 256 -- counted apart; the rest together
local SHOWN_GUIDS = 20

-- What is asked for: hash = true for containers, or nil.
local function asked_hashes(context)
  if not context.options.container then return nil end
  local hashes = {}
  for _, name in ipairs(context.options.container) do
    for _, make in ipairs { core.hash, core.cng_hash } do
      local hash, message = make(name)
      if not hash then return nil, context:fail(("--container %s: %s"):format(name, message), "usage") end
      hashes[hash] = name
    end
    if name:lower():find("^" .. ("%x"):rep(32) .. "$") then hashes[name:lower()] = name end
  end
  return hashes
end

local function well_known_hashes()
  local hashes = {}
  for _, name in ipairs(WELL_KNOWN) do
    hashes[core.hash(name)] = name
    local cng = core.cng_hash(name)
    if cng then hashes[cng] = name end
  end
  for _, name in ipairs { "iisCngConfigurationKey", "iisCngWasKey" } do hashes[core.cng_hash(name)] = name end
  return hashes
end

-- How far a pass is, on a terminal that does not get the names themselves; with --proof, which takes long, also the
-- time that is left.
local function meter_of(context, store)
  local listed = context.options.all and core.is_terminal(1)
  local terminal = core.is_terminal(2) and not listed
  local survey = terminal and context.options.proof and store.kind == "rsa" and context.opened:survey {}
  return progress.new { what = "names", total = survey and survey.files or nil, after = 1, terminal = terminal }
end

-- One pass over a store: counts, and the wanted names (at most the core's limit). `each` sees every name.
local function pass(context, store, wanted, each)
  local target, meter = context.opened, meter_of(context, store)
  local iterator, message, code, native = target:keys(store.kind)
  if not iterator then return nil, message, code, native end
  local result = { files = 0, current = 0, foreign = 0, stray = 0, other = 0, guids = {}, found = {}, matched = 0,
    distinct = 0 }
  local function take(name, class, hash, guid)
    result.files = result.files + 1
    result[class] = result[class] + 1
    if class ~= "stray" and guid then
      if result.guids[guid] then
        result.guids[guid] = result.guids[guid] + 1
      elseif result.distinct < MAX_GUIDS then
        result.guids[guid], result.distinct = 1, result.distinct + 1
      else
        result.other = result.other + 1
      end
    end
    local prefix = hash or name:sub(1, 32):lower()
    if wanted and wanted[prefix] then
      result.matched = result.matched + 1
      if result.matched <= facts.MAX_MATCHES then
        result.found[#result.found + 1] = { name = name, hash = prefix }
      end
    end
    if each then each(name, class, hash, guid, meter) end
    meter:add(1)
  end
  -- A walk that cannot go on raises.
  local walked, problem = pcall(function()
    for name, class, hash, guid in iterator do take(name, class, hash, guid) end
  end)
  iterator:close()
  meter:finish()
  if not walked then return nil, cli.error_text(problem), "io" end
  table.sort(result.found, function(a, b) return a.name < b.name end)
  return result
end

local function guid_rows(result)
  local rows = {}
  for guid, files in pairs(result.guids) do rows[#rows + 1] = { guid = guid, files = files } end
  table.sort(rows, function(a, b)
    if a.files ~= b.files then return a.files > b.files end
    return a.guid < b.guid
  end)
  return rows
end

local function print_counts(page, result, machine_guid)
  page:text_block(("%s: %d current, %d foreign, %d stray"):format(report.plural(result.files, "file"), result.current,
    result.foreign, result.stray), 2)
  local rows = guid_rows(result)
  for index, row in ipairs(rows) do
    if index > SHOWN_GUIDS then
      page:text_block(("and %s"):format(report.plural(#rows - SHOWN_GUIDS, "more GUID")), 4)
      break
    end
    page:line(("    %s  %8d%s"):format(row.guid, row.files, row.guid == machine_guid and "  machine GUID" or ""))
  end
  if result.other > 0 then page:text_block(("%d under further GUIDs"):format(result.other), 4) end
end

-- What in the target names a container of a store: rows of identity.
local function sources_of(session, store, container)
  local list = {}
  for _, one in ipairs((container or "") ~= "" and session:sources() or {}) do
    if one.container:lower() == container:lower() and one.cng == (store.kind ~= "rsa") then list[#list + 1] = one end
  end
  return list
end

-- With --proof what came of trying the key, then what names its container.
local function print_proof(context, store, name, container)
  local page, session = context:page(), context.session
  local tried = context.options.proof and session:try(store.kind, name, container)
  if tried then
    local said = tried.proof or { decryptable = "unknown", text = "it is no sound key file" }
    page:text_block(("decryptable: %s; %s"):format(said.decryptable, said.text), 4)
    for _, row in ipairs(tried.rows) do
      page:text_block(("%s by the %s"):format(row.verdict ~= "unknown" and row.verdict or "named",
        proof.row_text(row)), 4)
    end
    if #tried.rows > 0 then return end
  end
  for _, one in ipairs(sources_of(session, store, container)) do
    page:text_block("named by the " .. proof.source_text(one), 4)
  end
end

local function print_key(context, target, store, found, name)
  local page = context:page()
  local key, message = target:inspect(found.name, store.kind)
  page:line("  " .. found.name, "strong")
  if not key then return page:text_block(message, 4) end
  local container = (key.container or "") ~= "" and key.container or name
  local inside = container and '"' .. container .. '"' or "name unknown"
  page:text_block(("%s, %s"):format(key.class or "stray", inside), 4)
  page:text_block(("%s, written %s, %s, owner %s"):format(report.made_text(key),
    facts.time(key.written, key.written_ticks), report.plural(key.size or 0, "byte"), key.owner or "unknown"), 4)
  if key.status ~= "ok" then page:text_block((key.damage or "") ~= "" and key.damage or key.status, 4, "warning") end
  print_proof(context, store, found.name, container)
end

-- With --proof, what came of trying a key file that is only listed: an id.
local function decryptable(context, store, name)
  local tried = context.session:try(store.kind, name)
  return tried.proof and tried.proof.decryptable or "unknown"
end

-- What each line of --all and --guid is: name and class, with --proof what came of trying it.
local function lister(context, store, guid)
  local page = context:page()
  return function(name, class, _, suffix, meter)
    if guid and suffix ~= guid then return end
    meter:clear()
    page:line(("  %-8s %s"):format(class, name))
    if context.options.proof then page:line("           decryptable: " .. decryptable(context, store, name)) end
  end
end

-- What of the store is not listed, and why.
local function print_rest(context, result)
  local page, rest = context:page(), result.files - #result.found
  if context.options.container then
    if result.matched == 0 then
      page:text_block(('no key file of "%s"'):format(table.concat(context.options.container, '" or "')), 2)
    elseif result.matched > #result.found then
      page:text_block(("and %d more; --all lists them"):format(result.matched - #result.found), 2)
    end
  elseif rest > 0 and not context.options.quiet then
    page:text_block(("%s of other key containers %s not listed; --all lists %s"):format(report.plural(rest, "file"),
      rest == 1 and "is" or "are", rest == 1 and "it" or "them"), 2)
  end
end

local function print_store(context, store, wanted, guid)
  local page, target = context:page(), context.opened
  page:heading(store.title)
  local each = (context.options.all or guid) and lister(context, store, guid) or nil
  local result, message, code, native = pass(context, store, wanted, each)
  if not result then
    if code == "not-found" then page:text_block("none", 2) return true end
    return nil, message, code, native
  end
  if not context.options.quiet then print_counts(page, result, target:info().guid) end
  for _, found in ipairs(result.found) do
    print_key(context, target, store, found, wanted[found.hash])
  end
  if wanted and not each then print_rest(context, result) end
  return true
end

-- ---- --json ----

-- One key file of the document; with --proof what came of trying it, else what names its container.
local function json_key(context, store, one)
  local document, session = require "keymend.document", context.session
  local key = context.opened:inspect(one.name, store.kind)
  if not key then return { name = one.name } end
  local out = document.key(key)
  if context.options.proof then
    local tried = session:try(store.kind, one.name, key.container)
    out.proof, out.identities = document.proof(tried.proof), document.identities(tried.rows)
  end
  out.named_by = document.identities(sources_of(session, store, key.container))
  return out
end

-- The document with the list of files streamed into it, so that memory stays constant.
local function print_json(context, wanted, guid, findings)
  local document = require "keymend.document"
  local target, stores = context.opened, {}
  for _, store in ipairs(STORES) do
    local result, message, code, native = pass(context, store, wanted)
    if not result and code ~= "not-found" then return context:fail(message, code, native) end
    local found = {}
    for index, one in ipairs(result and result.found or {}) do
      found[index] = json_key(context, store, one)
    end
    stores[#stores + 1] = {
      store = store.kind, present = result ~= nil, files = result and result.files or 0,
      current = result and result.current or 0, foreign = result and result.foreign or 0,
      stray = result and result.stray or 0, guids = result and guid_rows(result) or {},
      other_guids = result and result.other or 0, found = found,
    }
  end
  local parts = { exit = 0, keys = stores, target = document.target(target:info()), findings = findings }
  if not (context.options.all or guid) then return context:document(parts) end
  -- How it went stands behind the names, since a walk may fail on its way.
  local frame = document.frame("keys", parts)
  frame.exit, frame.error = nil, nil
  io.stdout:write((document.encode(frame):gsub("%s*}%s*$", "")), ',\n  "names":[')
  context.documented = true
  local first, failure = true, document.null
  for _, store in ipairs(STORES) do
    local passed, message, code, native = pass(context, store, nil, function(name, class, hash, suffix, meter)
      if guid and suffix ~= guid then return end
      meter:clear()
      io.stdout:write(first and "\n" or ",\n", '    {"store":"', store.kind, '","class":"', class, '","name":',
        document.quote(name), ',"hash":', document.quote(hash), ',"guid":', document.quote(suffix),
        context.options.proof and ',"decryptable":"' .. decryptable(context, store, name) .. '"' or "", "}")
      first = false
    end)
    if not passed and code ~= "not-found" then
      failure = document.object { code = code, message = message, native = native ~= 0 and native or document.null }
    end
  end
  local status = failure == document.null and EXIT.done or EXIT.failed
  io.stdout:write("],\n  ", (document.encode({ exit = status, error = failure }):gsub("^{%s*", "")), "\n")
  return status
end

-- The exit status, or nil, message, code, native.
local function print_stores(context, wanted, guid)
  for index, store in ipairs(STORES) do
    if index > 1 then context:page():blank() end
    local ok, message, code, native = print_store(context, store, wanted, guid)
    if not ok then return nil, message, code, native end
  end
  local problem = context.options.proof and context.session:problem()
  if problem then
    context:page():blank()
    context:page():text_block("Nothing can be decrypted here: " .. problem)
  end
  return EXIT.done
end

function M.keys(context)
  local wanted, status, guid
  wanted, status = asked_hashes(context)
  if status then return status end
  if context.options.guid then
    guid = core.guid(context.options.guid)
    if guid == "" then return context:fail(('--guid %s: that is no GUID'):format(context.options.guid), "usage") end
  end
  local target
  target, status = context:open()
  if not target then return status end
  local open = context:report_open()
  if not wanted and not context.options.all and not guid then wanted = well_known_hashes() end
  context.session = proof.open(target)
  local ran, result, more, code, native = pcall(function()
    if context.options.json then
      return print_json(context, wanted, guid, require("keymend.document").findings(open))
    end
    return print_stores(context, wanted, guid)
  end)
  context.session:close()
  if not ran then error(result, 0) end
  if not result then return context:fail(more, code, native) end
  return result
end

return M
