-- iis6-consistent.lua: IIS 6.0 whose MetaBase.xml fits the orphaned key, which no real pair has shown to be a proof
local proof = require "proof"
local volume = ...

local MADE = "2003-03-14T10:22:31Z"
local fields = {
  version = "5.2", build = "3790", product = "Microsoft Windows Server 2003", others = false,
}

return {
  needs = { "forge" },
  title = "the metabase's session key opens with the old key alone: consistent",
  volume = proof.volume({
    seed = "iis6", generation = "xp", master_keys = { { id = "m", made = "2003-03-14T09:30:00Z" } },
    keys = {
      { id = "old", container = volume.IIS, guid = volume.OLD, master_key = "m", signature = 512, exchange = 512,
        made = MADE },
      { id = "new", container = volume.IIS, guid = volume.NEW, master_key = "m", signature = 512, exchange = 512,
        made = "2004-09-13T06:14:02Z" },
    },
    metabases = { { id = "present", key = "old", made = MADE, written = MADE } },
  }, fields),
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = { { "retire", volume.c23(volume.NEW) }, { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) } },
  },
  script = function(t)
    local one = t:keymend("verify", { "--container", volume.IIS })
    t:expect("iis6-consistent.verify.txt", one.out .. one.err)
    t.check.has(one.out, "consistent", "what verify says of the old key")
  end,
}
