-- restore-guid.lua: the KB's case, and the administrator puts the former machine GUID back instead of renaming a file
local volume = ...

return {
  title = "--restore-guid: the former machine GUID comes back, with all its key files",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    backups = { { guid = volume.OLD, saved = "2001-03-14T10:58:03Z" } },
  },
  args = { "--restore-guid", volume.OLD },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning guid.restorable" } },
  plan = { exit = 0, steps = { { "restore-guid", volume.NEW, volume.OLD } } },
  apply = { exit = 0 },
  again = { exit = 0, findings = { "info key.adopted" } },
  script = function(t)
    t.repaired = true -- options below
    local page = t:keymend("plan", { "--manual", "--restore-guid", volume.OLD })
    t:expect("restore-guid.manual.txt", page.out .. page.err)
    t:keymend("plan", { "--restore-guid", volume.OLD, "--save", "back.json" })
    local done = t:keymend("apply", { "--yes", "--quiet", "--plan", "back.json" })
    t.check.equal(done.exit, 0, "a saved plan puts it back: " .. done.err)
    t.check.equal(t:keymend("diagnose").exit, 0, "and all is in order")
    local stale = t:keymend("apply", { "--yes", "--plan", "back.json" })
    t.check.equal(stale.exit, 32, "the same plan is stale then: " .. stale.err)
    local again = t:keymend("apply", { "--yes", "--restore-guid", volume.OLD })
    t.check.equal(again.exit, 0, "the same option has nothing to do: " .. again.out .. again.err)
    local history = t:json "history"
    t.check.equal(history.document.history[2].guid_before, volume.NEW, "history tells the machine GUID before")
    t.check.equal(history.document.history[2].guid_after, volume.OLD, "history tells the machine GUID after")
    t:expect("restore-guid.history.txt", t:keymend("history").out)
    t.check.equal(t:keymend("undo").exit, 0, "undo brings the present one back")
    t.check.has(t:keymend("keys").out, volume.NEW, "the machine GUID is that of before")
  end,
}
