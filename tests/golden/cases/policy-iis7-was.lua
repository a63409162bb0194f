-- policy-iis7-was.lua: the session key in applicationHost.config proves one of two old keys of iisWasKey
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return {
  title = "iis7: the configuration proves the key",
  needs = { "forge" },
  volume = proof.was { current = true },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.disproved" } },
  plan = {
    exit = 0,
    steps = { { "retire", HASH .. volume.NEW }, { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW } },
  },
  apply = { exit = 0 },
}
