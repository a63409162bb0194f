-- current-proved.lua: Windows made a key after the reset, and its certificate is the one in use
local proof = require "proof"
local volume = ...

return proof.case("rdp", {
  title = "the current key is proved: healthy, whatever the times say",
  volume = proof.rdp { current = true, right = volume.NEW },
  diagnose = { exit = 0, findings = { "info key.healthy", "info key.leftover" } },
  plan = { exit = 0 },
  script = function(t)
    local forced = t:keymend("plan", { "--adopt", "f686aace6942fb7f7ceb231212eef4a4_" .. volume.OLD,
      "--force-disproved" })
    t.check.equal(forced.exit, 36, "a proved key is never retired: " .. forced.out)
    t.check.has(forced.err, "it is proved by", "the message says why")
    local one = t:keymend("verify", { "--container", "TSSecKeySet1" })
    t.check.equal(one.exit, 0, "exit status of verify")
    t:expect("current-proved.verify.txt", one.out .. one.err)
  end,
})
