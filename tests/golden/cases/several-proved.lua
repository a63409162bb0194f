-- several-proved.lua: each old key is the one of a certificate, and nothing says which certificate is used
local proof = require "proof"
local volume = ...

return proof.case("rdp", {
  title = "two keys are proved, each by another certificate: refused",
  volume = proof.rdp { bound = false, expired = volume.OLD },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
})
