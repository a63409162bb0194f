-- two-transactions.lua: two repairs one after the other, undone in the wrong and in the right order
local volume = ...

local SPEC = {
  keys = { { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" } },
}

-- MachineGuid is reset a second time: the hives are those of another volume with that GUID.
local function reset_again(t)
  local other = { guid = volume.THIRD, guid_written = "2004-11-02T22:45:10Z", keys = SPEC.keys }
  volume.make(t.dir .. "/other", other)
  t.shell.must(("cp -p %s/other/WINNT/system32/config/software %s/WINNT/system32/config/software")
    :format(t.shell.quote(t.dir), t.shell.quote(t.root)))
end

return {
  title = "two transactions; undo of the older is refused until the newer is undone",
  volume = SPEC,
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = { exit = 0, steps = { { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) } } },
  script = function(t)
    local check, original = t.check, t:store()
    local older = t:json("apply", { "--yes" }).document.transaction.id
    local between = t:store()
    reset_again(t)
    local newer = t:json("apply", { "--yes" }).document.transaction.id
    check.ok(older ~= newer and newer ~= nil, "two transactions")
    local files = t:store()
    check.ok(files[volume.c23(volume.THIRD)] ~= nil and not files[volume.c23(volume.NEW)],
      "the second repair")
    t:expect("two-transactions.history.txt", t:keymend("history").out)
    t:remember()
    local refused = t:keymend("undo", { older })
    check.equal(refused.exit, 32, "undo of the older is refused")
    t:expect("two-transactions.undo.txt", refused.out .. refused.err)
    t:same "the refused undo"
    check.equal(t:keymend("undo", { newer }).exit, 0, "undo of the newer")
    check.same_text(t.shell.listing(t:store()), t.shell.listing(between),
      "the store after the first repair")
    check.equal(t:keymend("undo", { older }).exit, 0, "undo of the older afterwards")
    check.same_text(t.shell.listing(t:store()), t.shell.listing(original), "the store before both")
    t:expect("two-transactions.history2.txt", t:keymend("history").out)
    check.equal(t:keymend("history", { "--purge", older, "--yes" }).exit, 0, "purge of the older")
    check.equal(t:keymend("undo", { older }).exit, 32, "a purged transaction cannot be undone")
  end,
}
