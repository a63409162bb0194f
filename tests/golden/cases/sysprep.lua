-- sysprep.lua: of one old key the master key is gone, of the other it is sealed with another system's secret
local proof = require "proof"
local volume = ...

local MADE = "2016-11-02T10:22:31Z"

return proof.case("was", {
  title = "every old key is disproved: none can be decrypted here",
  volume = proof.was {
    candidates = { volume.OLD }, configuration = false,
    master_keys = { { id = "m", wrong = "absent" }, { id = "n", wrong = "closed", made = MADE } },
    keys = { { id = "other", container = "iisWasKey", guid = volume.THIRD, master_key = "n", exchange = 2048,
      made = MADE } },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.disproved", "warning key.disproved" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
})
