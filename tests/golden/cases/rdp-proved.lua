-- rdp-proved.lua: two old keys of TSSecKeySet1, made in the same second; its certificate is of one
local proof = require "proof"
local volume = ...

local HASH = "f686aace6942fb7f7ceb231212eef4a4_"

return proof.case("rdp", {
  title = "two old candidates that time cannot tell apart: its certificate proves one",
  volume = proof.rdp(),
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.disproved" } },
  plan = { exit = 0, steps = { { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW } } },
  apply = { exit = 0 },
})
