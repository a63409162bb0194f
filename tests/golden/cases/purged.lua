-- purged.lua: apply, then history --purge: the journal still vouches for the adopted key
local volume = ...

return {
  title = "a purged repair stays a repair, whatever the times file tells of the name",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        written = "2004-12-01T00:00:00Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
    backups = { { guid = volume.OLD, saved = "2001-03-14T10:58:03Z" } },
  },
  script = function(t)
    t.check.equal(t:keymend("apply", { "--yes" }).exit, 0, "apply")
    local history = t:json("history").document
    local purged = t:keymend("history", { "--purge", history.history[1].id, "--yes" })
    t.check.equal(purged.exit, 0, "purge: " .. purged.out .. purged.err)
    t.check.equal(t:json("history").document.history[1].state, "purged", "it is purged")
    t:again { findings = { "info key.adopted" } }
    local adopted = t:keymend("diagnose", { "--adopt", volume.c23(volume.OLD) })
    t.check.equal(adopted.exit, 0, "--adopt of what was adopted is done: " .. adopted.err)
  end,
}
