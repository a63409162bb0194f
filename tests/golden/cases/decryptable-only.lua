-- decryptable-only.lua: both old keys decrypt, and nothing was made with either
local proof = require "proof"

return proof.case("was", {
  title = "that keys decrypt proves neither: refused",
  volume = proof.was { configuration = false },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
})
