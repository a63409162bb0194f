-- current-disproved.lua: the regenerated key is not the one that the configuration was made with
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "the current key is disproved, one of two old ones is proved",
  volume = proof.was { current = true },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.disproved" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", HASH .. volume.NEW }, { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW },
    },
  },
  apply = { exit = 0 },
})
