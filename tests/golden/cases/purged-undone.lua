-- purged-undone.lua: apply, undo, then history --purge: what was undone vouches for nothing
local volume = ...

return {
  title = "a repair that was undone and then purged is proposed again",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  script = function(t)
    t.check.equal(t:keymend("apply", { "--yes" }).exit, 0, "apply")
    t.check.equal(t:keymend("undo").exit, 0, "undo")
    local id = t:json("history").document.history[1].id
    t.check.equal(t:keymend("history", { "--purge", id, "--yes" }).exit, 0, "purge")
    local purged = t:json("history").document.history[1]
    t.check.equal(purged.state, "purged", "it is purged")
    t.check.equal(purged.result, "undone", "how it ended stays known")
    local again = t:json("diagnose").document
    t.check.equal(again.exit, 4, "the volume is broken again")
    t.check.equal(again.findings[1].id, "key.regenerated", "and the repair is proposed again")
  end,
}
