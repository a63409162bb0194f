-- target-taken.lua: Windows made a key under the wanted name after the plan was saved
local volume = ...

return {
  title = "the target name is taken meanwhile: refused",
  volume = {
    keys = { { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" } },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = { exit = 0, steps = { { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) } } },
  script = function(t)
    t.check.equal(t:keymend("plan", { "--save", "saved.plan" }).exit, 0, "plan --save")
    t.shell.write(t.made.store .. "/" .. volume.c23(volume.NEW), "somebody else's")
    t:remember()
    local done = t:keymend("apply", { "--plan", "saved.plan", "--yes" })
    t.check.ok(done.exit == 32 or done.exit == 36, "apply refuses", done.exit .. "\n" .. done.err)
    t:expect("target-taken.apply.txt", done.out .. done.err)
    t:same "apply"
  end,
}
