-- part-unneeded.lua: the signature key of the file that the configuration proves is a forgery; IIS needs the other one
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "a bad part that nobody needs is told and disproves nothing",
  volume = proof.was { over = { [volume.THIRD] = { signature = { bits = 512, private = "another" } } } },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.disproved" } },
  plan = { exit = 0, steps = { { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW } } },
  apply = { exit = 0 },
  script = function(t)
    local one = t:keymend("verify", { "--container", "iisWasKey" })
    t:expect("part-unneeded.verify.txt", one.out .. one.err)
  end,
})
