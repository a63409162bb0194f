-- verify.lua: the verb verify: whether each key container works now, and by what proof
--
-- Beside the containers of CryptoAPI stand those of CNG that the configuration of IIS uses, or that were named; keymend
-- changes none of these, and Windows is not asked about them: their key files are decrypted, also on a running one.
--
-- On the running Windows its own CryptoAPI opens each container and uses its keys; nothing is created or changed. Of an
-- offline one the key file is decrypted with that system's own secrets. Beside that stands what proof (proof.lua) says
-- of each key file of the container: whether it decrypts, and whether what was made with the key is there to tell.

local core = require "keymend.core"
local cli = require "keymend.cli"
local codes = require "keymend.codes"
local proof = require "keymend.proof"
local report = require "keymend.report"

local EXIT = cli.exit
local M = {}

local NO_KEY = 0x8009000D -- NTE_NO_KEY
local BAD_KEYSET = 0x80090016
-- This account may not open the container: that says nothing of its key.
local DENIED = { [5] = true, [0x8009000F] = true, [0x80090010] = true }
-- The provider does not do what was asked of it; the key may be good.
local NOT_TRIED = { [0x80090008] = true, [0x80090022] = true, [0x80090029] = true }

-- ---- What the key file says ----

-- Key files of one container that are tried and shown.
M.MAX_FILES = 30

local function sort_files(files)
  table.sort(files, function(a, b)
    if a.class ~= b.class then return a.class < b.class end -- current, foreign, stray
    return a.name < b.name
  end)
end

-- What the store holds of a container: { name, foreign, files = { { name, class } } }: the current file, the number of
-- foreign ones, and all.
local function look(target, hash)
  local survey, message, code = target:survey { hash }
  if not survey then return { foreign = 0, files = {}, problem = code ~= "not-found" and message or nil } end
  local found = { foreign = 0, files = {} }
  for _, match in ipairs(survey.matches) do
    if match.class == "current" then found.name = match.name end
    if match.class == "foreign" then found.foreign = found.foreign + 1 end
    found.files[#found.files + 1] = { name = match.name, class = match.class }
  end
  sort_files(found.files)
  return found
end

-- What a key file alone tells: "no" or "unknown", and why.
local function judge_file(target, container, name)
  local key, message = target:inspect(name)
  if not key then return "unknown", message end
  if key.status == "damaged" then
    return "no", "its key file is damaged" .. ((key.damage or "") ~= "" and ": " .. key.damage or "")
  end
  if key.status and key.status ~= "ok" then return "unknown", key.damage or key.status end
  if key.keyless then return "no", "its key file holds no key" end
  if key.container_hash ~= container.hash then
    return "unknown", ('its key file says that it belongs to "%s"'):format(key.container or "")
  end
  return "unknown", "its key file is sound, its name fits, and nothing speaks against it"
end

-- Why the machine GUID of the target decides nothing; nil when it does.
local function doubtful_guid(info)
  for _, hive in ipairs(info.hives or {}) do
    if hive.dirty and not hive.replayed and hive.name:upper() == "SOFTWARE" then
      return "the SOFTWARE hive was not closed cleanly, so the machine GUID may be another one by now"
    end
  end
end

-- Without CryptoAPI: row.works, row.by, row.text.
local function judge_offline(target, info, container, row)
  row.by = "its key file"
  local doubt = doubtful_guid(info)
  if doubt then
    row.works, row.by, row.text = "unknown", nil, doubt
  elseif (info.guid or "") == "" then
    row.works, row.by, row.text = "no", "the registry", "there is no plain machine GUID, so no key file is current"
  elseif row.file then
    row.works, row.text = judge_file(target, container, row.file)
    if row.works == "unknown" then row.by = nil end
  elseif row.problem then
    row.works, row.by, row.text = "unknown", nil, row.problem
  else
    row.works, row.by, row.text = "no", "the names in the key store", "no key file of it has the machine GUID"
  end
end

-- ---- What proof says ----

-- Tries the key files of a container, of row.store: row.keys = { { name, class, and what proof.lua tells } }.
local function try_files(row, session, files)
  row.keys, row.more_keys = {}, math.max(0, #files - M.MAX_FILES)
  for index = 1, math.min(M.MAX_FILES, #files) do
    local key = session:try(row.store, files[index].name, row.container)
    key.name, key.class = files[index].name, files[index].class
    row.keys[index] = key
    if key.name == row.file then row.key = key end
  end
end

-- Of an offline container whose key file alone tells nothing against it.
local function judge_decryption(row, key, session)
  if proof.decrypts(key) then
    row.works = "yes"
    row.by = key.proved and "the " .. proof.source_text(key.proved) or "decryption with this system's own secrets"
    row.text = proof.words(key) .. (key.proved and "; " .. key.proved.text or "")
    return
  end
  local why = session:problem() or proof.words(key) or "it cannot be tried"
  if key.proved then
    row.text = ("it is the key of the %s; whether it decrypts is not known: %s"):format(proof.source_text(key.proved),
      why)
  else
    row.text = ("%s; nothing is proved: %s"):format(row.text, why)
  end
end

-- By what a key file is disproved; where its master key is gone, nothing had to be decrypted to tell.
local function refuted_by(refuted)
  if refuted.wording == "identity" then return "what was made with its key" end
  return refuted.wording and "decryption" or "its key file"
end

-- What is proved of the current key file beside what was judged.
local function judge_proof(row, session, live, doubtful)
  local key = row.key
  if not key or doubtful then return end
  if key.refuted and row.works ~= "no" and (not live or key.refuted.wording == "identity") then
    row.text = key.refuted.why .. (live and ("; %s says: %s"):format(row.by, row.text) or "")
    row.works, row.by = "no", refuted_by(key.refuted)
  elseif not live and row.works == "unknown" then
    judge_decryption(row, key, session)
  end
end

-- ---- What CryptoAPI says ----

-- One kind of key: "none", "good", "not-tried" or "bad", and the code.
local function judge_key(code, round_trip, good)
  if code == NO_KEY then return "none", code end
  if code ~= 0 then return DENIED[code] and "not-tried" or "bad", code end
  if good then return "good", 0 end
  return NOT_TRIED[round_trip] and "not-tried" or "bad", round_trip
end

local function failed(row, what, code)
  row.code = code
  row.works = DENIED[code] and "unknown" or "no"
  row.text = ("%s: %s"):format(what, codes.words(code))
  row.means = codes.means(code)
end

-- Why a container may be missing to CryptoAPI although its file is there, or is not.
local function explain_missing(row)
  if row.file then
    row.means = "its key file is there, so it is damaged, or this account may not read it"
  elseif row.foreign > 0 then
    row.means = "none of its key files has the machine GUID"
  elseif not row.problem then
    row.means = "there is no key file of it at all"
  end
end

-- row.works, row.by, row.text of a trial (see target:test_container).
local function judge_trial(trial, row)
  row.by = "CryptoAPI"
  row.provider, row.unique_name = trial.provider, trial.unique_name
  if trial.open ~= 0 then
    failed(row, "it cannot be opened", trial.open)
    if trial.open == BAD_KEYSET then explain_missing(row) end
    return
  end
  local signature, sign_code = judge_key(trial.signature, trial.sign, trial.signed)
  local exchange, encrypt_code = judge_key(trial.exchange, trial.encrypt, trial.encrypted)
  row.signature, row.exchange = signature, exchange
  if signature == "bad" then return failed(row, "its signature key does not work", sign_code) end
  if exchange == "bad" then return failed(row, "its exchange key does not work", encrypt_code) end
  if signature == "none" and exchange == "none" then
    row.works, row.code, row.text = "no", NO_KEY, "it holds no key"
    return
  end
  local done = {}
  if signature == "good" then done[#done + 1] = "signed and verified" end
  if exchange == "good" then done[#done + 1] = "encrypted and decrypted" end
  row.works = #done > 0 and "yes" or "unknown"
  row.text = #done > 0 and "opened, " .. table.concat(done, ", ")
    or "opened, but its keys could not be tried: "
      .. codes.words(signature == "not-tried" and sign_code or encrypt_code)
end

-- Tries one container: { container, hash, store, file?, foreign, works = "yes", "no" or "unknown", by?, text, code?,
-- means?, keys = { { name, class, proof, rows, verdict, proved, refuted } }, more_keys, key (the current one of these),
-- ... }, or nil, message, code, native when CryptoAPI must not be asked. session: of proof.open.
function M.trial(target, container, session)
  local info, found = target:info(), look(target, container.hash)
  local row = {
    container = container.name, hash = container.hash, policy = container.policy, store = "rsa", file = found.name,
    foreign = found.foreign, problem = found.problem,
  }
  local trial, message, code, native = target:test_container(container.name)
  if trial then
    judge_trial(trial, row)
  elseif code == "unsupported" then
    judge_offline(target, info, container, row)
  else
    return nil, message, code, native
  end
  try_files(row, session, found.files)
  judge_proof(row, session, trial ~= nil, not trial and doubtful_guid(info) ~= nil)
  return row
end

-- ---- Containers of CNG ----

local CNG_STORES = { "cng", "cng-system" }
-- Shown where they have key files, whatever the configuration says.
local CNG_OF_IIS = { "iisCngConfigurationKey", "iisCngWasKey" }

-- The CNG containers that were asked for, or that are named here: rows { container, hash, named }, also by their hash.
local function cng_wanted(asked, session)
  local list, by_hash = {}, {}
  local function want(name, named)
    local hash = core.cng_hash(name)
    if not hash then return end
    local row = by_hash[hash]
    if not row and (not asked or not named) then
      row = { container = name, hash = hash }
      by_hash[hash], list[#list + 1] = row, row
    end
    if row then row.named = row.named or named end
  end
  for _, name in ipairs(asked or CNG_OF_IIS) do want(name, false) end
  for _, one in ipairs(session:sources()) do
    if one.cng then want(one.container, true) end
  end
  return list, by_hash
end

-- The files of these containers in one store: by hash, { name, class }; nil, why it cannot be looked at.
local function cng_files(target, kind, by_hash)
  local found = {}
  local iterator, message, code = target:keys(kind)
  if not iterator then
    if code == "not-found" then return found end
    return nil, message
  end
  local walked, problem = pcall(function()
    for name, class, hash in iterator do
      hash = hash or name:sub(1, 32):lower()
      if by_hash[hash] then
        found[hash] = found[hash] or {}
        table.insert(found[hash], { name = name, class = class })
      end
    end
  end)
  iterator:close()
  if not walked then return nil, cli.error_text(problem) end
  return found
end

-- What its key files say of a CNG container: one that decrypts is enough, since one of an older GUID may be in use.
local function judge_cng(row, session)
  local bad
  for _, key in ipairs(row.keys) do
    if key.refuted then
      bad = bad or key
    elseif row.works ~= "yes" and proof.decrypts(key) then
      row.works, row.key = "yes", key
      row.by, row.text = "decryption with this system's own secrets", proof.words(key)
    end
  end
  if row.works == "yes" then return end
  if bad and #row.keys == 1 then
    row.works, row.by, row.text = "no", "decryption", bad.refuted.why
  elseif #row.keys == 0 then
    row.works, row.text = "unknown", row.problem or "it has no key file here"
  else
    local key = row.key or row.keys[1]
    row.works = "unknown"
    row.text = bad and bad.refuted.why or session:problem() or proof.words(key) or "it cannot be tried"
  end
end

-- The rows of CNG containers: of each store that has files of one, else one that says so where it is named.
function M.cng_trials(target, asked, session)
  local list, by_hash = cng_wanted(asked, session)
  local rows = {}
  for _, kind in ipairs(#list > 0 and CNG_STORES or {}) do
    local found, problem = cng_files(target, kind, by_hash)
    for _, one in ipairs(list) do
      local files = found and found[one.hash]
      if files or one.named and kind == CNG_STORES[1] then
        local row = { container = one.container, hash = one.hash, store = kind, foreign = 0, problem = problem }
        sort_files(files or {})
        for _, file in ipairs(files or {}) do
          if file.class == "current" then row.file = file.name else row.foreign = row.foreign + 1 end
        end
        try_files(row, session, files or {})
        judge_cng(row, session)
        rows[#rows + 1] = row
      end
    end
  end
  return rows
end

-- ---- Which containers ----

-- Those of --container, or of the policies that apply; nil and the exit status.
local function containers_of(context)
  local list = {}
  for _, name in ipairs(context.options.container or {}) do
    local hash, message = core.hash(name)
    if not hash then return nil, context:fail(("--container %s: %s"):format(name, message), "usage") end
    list[#list + 1] = { name = name, hash = hash }
  end
  if context.options.container then return list end
  local loaded, status = context:policies()
  if not loaded then return nil, status end
  local rules = require "keymend.rules"
  local handle = context.opened:services()
  local services = handle and { handle = handle, graph = require("keymend.graph").new(handle:list()) }
  local facts = { info = context.opened:info(), services = function() return services end }
  local seen = {}
  for _, policy in ipairs(loaded) do
    for _, one in ipairs(rules.applies(policy.applies, facts) and policy.containers or {}) do
      if not seen[one.hash] then
        seen[one.hash] = true
        list[#list + 1] = { name = one.name, hash = one.hash, policy = policy.name, optional = one.optional }
      end
    end
  end
  return list
end

-- ---- Output ----

local STYLE = { yes = "good", no = "error", unknown = "warning" }

local function title(row)
  return row.store == "rsa" and ('"%s"'):format(row.container) or ('"%s" (CNG)'):format(row.container)
end

local function print_row(page, row)
  page:heading(title(row))
  page:item("  works", row.works .. (row.by and ", by " .. row.by or ""), { indent = 9, text_style = STYLE[row.works] })
  page:text_block(row.text, 9)
  if row.means then page:text_block(row.means, 9) end
  if (row.provider or "") ~= "" then page:text_block("with the " .. row.provider, 9) end
  page:item("  file", row.file or "none in the key store", { indent = 9 })
  if row.foreign > 0 and row.store ~= "rsa" then
    page:text_block(("%s of it %s not under the machine GUID and may be in use all the same; keymend changes none")
      :format(report.plural(row.foreign, "key file"), row.foreign == 1 and "is" or "are"), 9)
  elseif row.foreign > 0 then
    page:text_block(("%s of it %s in the store; keymend diagnose tells which key is the right one"):format(
      report.plural(row.foreign, "foreign key file"), row.foreign == 1 and "is" or "are"), 9)
  end
end

-- How what proof says of a key file is told by what: the rows that say something, else why nothing is known.
local function print_proof(page, key)
  local decryptable = key.proof and key.proof.decryptable or "unknown"
  page:line("  " .. key.name, "strong")
  page:line(("    %-9s %-19s %s"):format(key.class, decryptable, key.verdict))
  if key.proof and decryptable ~= "yes" and decryptable ~= "unknown" then page:text_block(proof.words(key), 14) end
  for index, one in ipairs(proof.telling(key.rows)) do
    if index > M.MAX_FILES then
      page:text_block("and more; --json shows all", 14)
      break
    end
    page:text_block(("by the %s"):format(proof.row_text(one)), 14)
  end
end

local function print_proofs(page, rows, problem)
  local any = false
  for _, row in ipairs(rows) do any = any or #row.keys > 0 end
  if not any then return end
  page:blank()
  page:heading "Proof"
  page:line(("    %-9s %-19s %s"):format("class", "decryptable", "identity"))
  for _, row in ipairs(rows) do
    if #row.keys > 0 then page:line(title(row), "strong") end
    for _, key in ipairs(row.keys) do print_proof(page, key) end
    if row.more_keys > 0 then page:text_block(("and %d more key files"):format(row.more_keys), 2) end
  end
  if problem then page:text_block("Nothing can be decrypted here: " .. problem, 2) end
end

local function print_rows(context, rows, problem)
  local page, worked, unproved = context:page(), false, false
  if #rows == 0 then
    page:text_block("No policy that applies here names a key container. Name one: keymend verify --container NAME")
  end
  for _, row in ipairs(rows) do
    worked = worked or row.works == "yes"
    unproved = unproved or row.works == "yes" and not (row.key and row.key.proved)
    if context.options.quiet then
      page:item(title(row), row.works, { text_style = STYLE[row.works] })
    else
      print_row(page, row)
    end
  end
  if not context.options.quiet then print_proofs(page, rows, problem) end
  if worked and unproved and not context.options.quiet then
    page:blank()
    page:text_block("That a key works does not say that it is the one its service needs: Windows may have made it "
      .. "anew.", 0, "faint")
  end
end

local function proof_part(key)
  local document = require "keymend.document"
  return {
    name = key.name, class = key.class, proof = document.proof(key.proof), identity = key.verdict,
    identities = document.identities(key.rows), disproved = key.refuted ~= nil,
  }
end

local PLAIN = { "container", "hash", "policy", "store", "file", "foreign", "works", "by", "text", "means", "provider",
  "unique_name", "signature", "exchange" }

local function document_part(rows)
  local null, list = require("keymend.document").null, {}
  for index, row in ipairs(rows) do
    local known = row.code and codes.find(row.code)
    local out = { code = row.code and codes.number(row.code) or null, code_name = known and known.name or null }
    for _, name in ipairs(PLAIN) do
      if row[name] == nil then out[name] = null else out[name] = row[name] end
    end
    out.keys = {}
    for at, key in ipairs(row.keys) do out.keys[at] = proof_part(key) end
    list[index] = out
  end
  return list
end

-- Those of CryptoAPI: a name that only CNG knows is none of them, nor is one that a policy names where it is there.
local function of_capi(target, list, cng)
  local elsewhere, kept = {}, {}
  for _, row in ipairs(cng) do elsewhere[row.container:lower()] = #row.keys > 0 end
  for _, container in ipairs(list) do
    local may_lack = container.optional or elsewhere[container.name:lower()]
    local found = may_lack and look(target, container.hash)
    if not may_lack or #found.files > 0 or found.problem then kept[#kept + 1] = container end
  end
  return kept
end

-- All rows, or nil, message, code, native. asked: the names of containers, nil: those that are to be had.
local function try_all(target, list, session, asked)
  local cng, rows = M.cng_trials(target, asked, session), {}
  list = of_capi(target, list, cng)
  local meter = require("keymend.progress").new { what = "key containers", total = #list, after = 1 }
  for index, container in ipairs(list) do
    local row, message, code, native = M.trial(target, container, session)
    if not row then
      meter:finish()
      return nil, message, code, native
    end
    rows[index] = row
    meter:add(1)
  end
  meter:finish()
  for _, row in ipairs(cng) do rows[#rows + 1] = row end
  return rows
end

function M.verify(context)
  local target, list, status
  target, status = context:open()
  if not target then return status end
  local open = context:report_open()
  list, status = containers_of(context)
  if not list then return status end
  local session = proof.open(target)
  local ran, rows, message, code, native = pcall(try_all, target, list, session, context.options.container)
  local problem = ran and rows and session:problem()
  session:close()
  if not ran then error(rows, 0) end
  if not rows then return context:fail(message, code, native) end
  local exit = EXIT.done
  for _, row in ipairs(rows) do exit = row.works == "no" and EXIT.findings or exit end
  if context.options.json then
    return context:document {
      exit = exit, verify = document_part(rows), findings = require("keymend.document").findings(open),
    }
  end
  print_rows(context, rows, problem)
  return context:status(exit, {})
end

return M
