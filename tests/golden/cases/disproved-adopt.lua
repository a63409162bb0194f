-- disproved-adopt.lua: the administrator names the key that the configuration disproves
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "--adopt of a disproved key is refused",
  volume = proof.was(),
  args = { "--adopt", HASH .. volume.OLD },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.disproved" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
})
