-- policy-rdp.lua: the certificate of Remote Desktop proves the old key, which takes the place of the new one
local proof = require "proof"
local volume = ...

local HASH = "f686aace6942fb7f7ceb231212eef4a4_"

return {
  title = "rdp: the bound certificate fits the orphan",
  needs = { "forge" },
  volume = proof.rdp { current = true },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.disproved" } },
  plan = {
    exit = 0,
    steps = { { "retire", HASH .. volume.NEW }, { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW } },
  },
  apply = { exit = 0 },
}
