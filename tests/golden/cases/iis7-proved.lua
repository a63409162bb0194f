-- iis7-proved.lua: two old keys of iisWasKey, made in the same second; the configuration was made with one
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "two old candidates that time cannot tell apart: the configuration's session key proves one",
  volume = proof.was { cng = true },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.disproved" } },
  plan = { exit = 0, steps = { { "adopt", HASH .. volume.THIRD, HASH .. volume.NEW } } },
  apply = { exit = 0 },
  script = function(t)
    local one = t:keymend("verify", { "--container", "iisWasKey" })
    t.check.equal(one.exit, 4, "there is no current key file")
    t:expect("iis7-proved.verify.txt", one.out .. one.err)
    t:expect("iis7-proved.verify.json", t:json("verify", { "--container", "iisWasKey" }).out)
    local all = t:keymend "verify"
    t:expect("iis7-proved.verify-all.txt", all.out .. all.err)
    local cng = t:json("verify", { "--container", "iisCngConfigurationKey" }).document.verify
    t.check.equal(#cng, 1, "a container of CNG alone")
    t.check.equal(cng[1].store .. " " .. cng[1].works, "cng yes", "it decrypts")
    local keys = t:keymend("keys", { "--proof" })
    t.check.equal(keys.exit, 0, "exit status of keys --proof")
    t:expect("iis7-proved.keys.txt", keys.out .. keys.err)
    t:expect("iis7-proved.keys.json", t:json("keys", { "--proof" }).out)
  end,
})
