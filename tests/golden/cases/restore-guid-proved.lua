-- restore-guid-proved.lua: what is in use was made with a key under the present machine GUID, so it stays
local proof = require "proof"
local volume = ...

return proof.case("rdp", {
  title = "--restore-guid: refused, since a key under the present machine GUID is proved in use",
  volume = proof.rdp { current = true, right = volume.NEW },
  args = { "--restore-guid", volume.OLD },
  diagnose = { exit = 4, findings = { "error guid.restore-refused", "info key.healthy" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
  script = function(t)
    t:write("other.lua", 'return policy { name = "other", containers = { "SMS" } }\n')
    t.case.policy, t.repaired = { "--policy", "./other.lua" }, true
    local other = t:keymend("plan", { "--restore-guid", volume.OLD })
    t.check.equal(other.exit % 64 >= 32, true, "also where no policy judges that container: " .. other.out .. other.err)
    t.check.has(other.err, '"TSSecKeySet1" would lose the key that is in use', "the message names it")
  end,
})
