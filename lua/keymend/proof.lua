-- proof.lua: what proof says of key files: tried with the target's own secrets and with what was made with them
--
-- The core says whether a key can be decrypted (target:proof) and whether a certificate, a configuration or a metabase
-- was made with it (target:identities). That a key decrypts proves nothing, that it does not disproves it. What is in
-- use disproves every key it was not made with; what is of the past, or what nothing is known to use, only proves. What
-- could not be checked is unknown: it speaks neither for a key nor against it.
--
-- What try() gives of a key:
--   proof     { decryptable, text, signature, exchange } as the core tells it; nil where it could not be tried
--   rows      of identity: { kind, verdict, container, where, what, use, part, text, history, dated, dated_ticks }
--   verdict   of these rows: "proved", "disproved", "consistent", "contradictory" or "unknown"
--   proved    the row that proves it, of one that is in use if there is one; nil unless the verdict is that
--   refuted   { why, wording } where it is disproved: wording nil (its master key is not here), "closed", "forged",
--             "mismatch" or "identity"
--   spare     { text, decrypts } where one part of the file has a fault, but what proves the file needs the other alone

local M = {}

local Session = {}
Session.__index = Session

-- Of a verdict of the core, how the finding words it.
local REFUTES = {
  ["no-master-key"] = "missing", ["master-key-closed"] = "closed", ["bad-signature"] = "forged", mismatch = "mismatch",
}
M.REFUTES = REFUTES

-- A session to try keys of `target` with; nothing is read before the first one is tried. close() it.
function M.open(target)
  return setmetatable({ target = target }, Session)
end

local function begin(session)
  if session.begun then return end
  session.begun = true
  local message
  session.handle, message = session.target:proof()
  if not session.handle then session.failed = message end
  session.set, message = session.target:identities()
  if not session.set then session.unread = message end
end

-- Why nothing can be decrypted here, or nil.
function Session:problem()
  begin(self)
  return self.failed or self.handle and self.handle:problem() or nil
end

-- What names containers here: rows { kind, container, where, what, use, cng, history, dated, dated_ticks }, and what
-- could not be read.
function Session:sources()
  begin(self)
  if not self.set then return {}, self.unread end
  self.list = self.list or self.set:list()
  return self.list, self.set:problem()
end

local function weigh(rows)
  local in_use, once, against, consistent
  for _, row in ipairs(rows) do
    if row.verdict == "proved" and row.use and not row.history then
      in_use = in_use or row
    elseif row.verdict == "proved" then
      once = once or row
    elseif row.verdict == "disproved" then
      against = against or row
    end
    consistent = consistent or row.verdict == "consistent"
  end
  if in_use and against then return "contradictory" end
  if against then return "disproved", nil, against end
  if in_use or once then return "proved", in_use or once end
  return consistent and "consistent" or "unknown"
end

-- "certificate of WEB01 in SOFTWARE\..."
function M.source_text(row)
  return ("%s in %s"):format(row.what or row.kind, row.where or "")
end

-- "certificate of WEB01 in SOFTWARE\...: the public key is the one of the certificate (2048 bits)"
function M.row_text(row)
  return ("%s: %s"):format(M.source_text(row), row.text or row.verdict)
end

local PARTS = { "signature", "exchange" }

-- The parts that what proves the file needs, as a set. What speaks for it without telling a part needs both.
local function needed(found)
  local parts = {}
  for _, row in ipairs(found.rows) do
    local speaks = row.verdict == "proved" or row.verdict == "consistent"
    if row == found.proved or speaks and row.use and not row.history then
      for _, part in ipairs(row.part and { row.part } or PARTS) do parts[part] = true end
    end
  end
  return parts
end

-- The fault of a part that nobody is known to need, and whether the needed one decrypts; nil where that has a fault.
local function spare(found)
  if not found.proved or not REFUTES[found.proof and found.proof.decryptable] then return nil end
  local parts, decrypts, names = needed(found), true, {}
  for _, part in ipairs(PARTS) do
    local verdict = parts[part] and (found.proof[part] or {}).decryptable or nil
    if REFUTES[verdict] or parts[part] and not verdict then return nil end
    if parts[part] then
      decrypts = decrypts and verdict == "yes"
      names[#names + 1] = part
    end
  end
  if #names ~= 1 then return nil end
  return { decrypts = decrypts, text = ("%s; the %s needs the %s key alone, which %s"):format(found.proof.text,
    M.source_text(found.proved), names[1], decrypts and "decrypts" or "was not checked") }
end

local function refuted(found, against)
  local wording = found.proof and REFUTES[found.proof.decryptable]
  if wording and not found.spare then
    local why = found.proof.text
    if found.proved then
      why = ("%s; yet it is the key of the %s"):format(why, M.source_text(found.proved))
    end
    return { why = why, wording = wording ~= "missing" and wording or nil }
  end
  return against and { why = M.row_text(against), wording = "identity" } or nil
end

-- Tries the key file `name` of a store ("rsa", "cng", "cng-system") as that of `container`.
function Session:try(kind, name, container)
  begin(self)
  local found, against = { rows = {} }
  found.proof = self.handle and self.handle:key(kind, name) or nil
  if self.set and (container or "") ~= "" then
    found.rows = self.set:try(self.handle, container, kind, name) or {}
  end
  found.verdict, found.proved, against = weigh(found.rows)
  found.spare = spare(found)
  found.refuted = refuted(found, against)
  return found
end

-- Wipes what it held; again is allowed.
function Session:close()
  if self.handle then self.handle:close() end
  if self.set then self.set:close() end
  self.begun, self.handle, self.set, self.list = true, nil, nil, nil
  self.failed = self.failed or "the session is closed"
end

-- ---- What it says of a case (container.lua) ----

-- Tries a sound key of a case: sets its proof, identities (rows), identity_verdict, proved and refuted.
function M.study(case, key)
  key.identities, key.identity_verdict = {}, "unknown"
  if not key.sound or not case.facts.proof then return end
  local found = case.facts.proof():try("rsa", key.name, key.container)
  key.proof, key.identities, key.identity_verdict = found.proof, found.rows, found.verdict
  key.spare = found.spare
  key.proved, key.refuted = not found.refuted and found.proved or nil, found.refuted
end

-- Whether what proves a key is in use now.
function M.is_in_use(key)
  return key.proved ~= nil and key.proved.use ~= nil and not key.proved.history
end

-- Those of `keys` that are proved.
function M.proved_of(keys)
  local list = {}
  for _, key in ipairs(keys) do
    if key.proved then list[#list + 1] = key end
  end
  return list
end

-- Whether it decrypts, or what of it is needed does.
function M.decrypts(key)
  if key.spare then return key.spare.decrypts end
  return key.proof ~= nil and key.proof.decryptable == "yes"
end

-- What the core says of it, with the reason why the fault of a part does not count.
function M.words(key)
  return key.spare and key.spare.text or key.proof and key.proof.text
end

-- Whether two files hold the same keys, whatever bytes DPAPI made of them: all their public keys are equal.
function M.is_same_key(key, other)
  local any = false
  for _, part in ipairs { "signature", "exchange" } do
    local mine, theirs = (key[part] or {}).modulus, (other[part] or {}).modulus
    if mine ~= theirs then return false end
    any = any or (mine or "") ~= ""
  end
  return any
end

-- Of a proved key that is not known to decrypt: a clause that says so and why; nil where it decrypts.
function M.unchecked(case, key)
  if M.decrypts(key) then return nil end
  local problem = case.facts.proof and case.facts.proof():problem() or M.words(key)
  return "that it decrypts here was not checked"
    .. ((problem or "") ~= "" and (" (%s)"):format((problem:gsub("%.%s*$", ""))) or "")
end

-- Whether what is in use, not decrypting, disproves it.
function M.is_other(key)
  return key.refuted ~= nil and key.refuted.wording == "identity"
end

local function row_evidence(list, key, verdict)
  for _, row in ipairs(key.identities or {}) do
    if row.verdict == verdict then
      list[#list + 1] = { kind = "identity", text = ("%s is %s by the %s"):format(key.name, verdict, M.row_text(row)),
        time = row.dated, ticks = row.dated_ticks }
    end
  end
end

-- Why nothing was proved of `keys`, in a few words.
function M.unproved(case, keys)
  for _, key in ipairs(keys) do
    if key.identity_verdict == "contradictory" then return "what is in use contradicts itself" end
    if key.identity_verdict == "consistent" then return "what fits here is no proof" end
  end
  local problem = case.facts.proof and case.facts.proof():problem()
  if problem then return (problem:gsub("%.%s*$", "")) end
  for _, key in ipairs(keys) do
    if key.identities and key.identities[1] then return M.row_text(key.identities[1]) end
  end
  return "no certificate, configuration or metabase here names this key container"
end

-- Adds to a finding's evidence what speaks for `keys` (the chosen one, or those among which nobody can choose), what
-- proves or disproves the others of the case (unless `alone`), and one line where nothing was proved.
function M.evidence(list, case, keys, alone)
  local among, proved = {}, false
  for _, key in ipairs(keys) do
    among[key] = true
    local unchecked = key.proved and M.unchecked(case, key)
    if M.decrypts(key) or unchecked then
      list[#list + 1] = { kind = "proof", text = ("%s: %s"):format(key.name, unchecked or M.words(key)) }
    end
    for _, verdict in ipairs { "proved", "consistent" } do row_evidence(list, key, verdict) end
    proved = proved or key.proved ~= nil or key.refuted ~= nil
  end
  for _, key in ipairs(alone and {} or case.keys) do
    if not among[key] and key.proved then
      row_evidence(list, key, "proved")
      proved = true
    elseif not among[key] and key.refuted then
      list[#list + 1] = { kind = M.is_other(key) and "identity" or "proof",
        text = ("%s is disproved: %s"):format(key.name, key.refuted.why) }
    end
  end
  if not proved then
    list[#list + 1] = { kind = "proof", text = "nothing was proved: " .. M.unproved(case, keys) }
  end
end

-- Of the rows of a key those that tell something; all where none does.
function M.telling(rows)
  local list = {}
  for _, row in ipairs(rows) do
    if row.verdict ~= "unknown" then list[#list + 1] = row end
  end
  return #list > 0 and list or rows
end

-- What speaks for a key, as a word and a text, or nil where nothing does. What disproves it is one of its faults.
function M.line(key)
  if key.refuted then return nil end
  if key.proved then return "proved", "by the " .. M.row_text(key.proved) end
  if key.identity_verdict == "contradictory" then return "proof", "what is in use here contradicts itself" end
  for _, row in ipairs(key.identities or {}) do
    if row.verdict == "consistent" then return "proof", "consistent with the " .. M.row_text(row) end
  end
  if M.decrypts(key) then return "proof", "it decrypts; that alone proves nothing" end
end

return M
