-- force-disproved.lua: the administrator insists on the key that the configuration disproves
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "--adopt of a disproved key with --force-disproved",
  volume = proof.was(),
  args = { "--adopt", HASH .. volume.OLD, "--force-disproved" },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.disproved" } },
  plan = { exit = 0, steps = { { "adopt", HASH .. volume.OLD, HASH .. volume.NEW } } },
  apply = { exit = 0 },
  again = { exit = 0 },
})
