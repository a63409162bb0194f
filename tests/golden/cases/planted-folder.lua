-- planted-folder.lua: a folder bears the current key file's name
local volume = ...

return {
  title = "a folder in the current key file's place: an error, nothing is adopted",
  volume = {
    keys = { { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" } },
  },
  prepare = function(t)
    t.shell.must("mkdir " .. t.shell.quote(t.made.store .. "/" .. volume.c23(volume.NEW)))
  end,
  plan = { exit = 4 },
  apply = { exit = 4 },
  script = function(t) -- the text of diagnose tells the folder's size, which the file system chooses
    local found = t:json("diagnose")
    t.check.equal(found.exit, 4, "exit status of diagnose")
    t:check_findings(found.document, { "error key.reparse" }, "findings")
    local adopt = t:keymend("apply", { "--adopt", volume.c23(volume.OLD), "--yes" })
    t.check.equal(adopt.exit, 36, "--adopt is refused")
    t:expect("planted-folder-adopt.apply.txt", adopt.out .. adopt.err)
    t:same "apply --adopt"
    t.shell.must("rmdir " .. t.shell.quote(t.made.store .. "/" .. volume.c23(volume.NEW)))
    t.check.equal(t:keymend("apply", { "--yes" }).exit, 0, "without the folder it is repaired")
  end,
}
