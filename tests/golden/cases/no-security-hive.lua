-- no-security-hive.lua: nothing can be decrypted, so the configuration proves nothing and the other rules decide
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "without a SECURITY hive nothing is proved, and nothing disproved",
  volume = proof.was { security = false, candidates = { volume.THIRD } },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = { exit = 0, steps = { { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW } } },
  apply = { exit = 0 },
})
