-- forged-journal.lua: another volume's journal in a folder that anybody could have made
local volume = ...

-- A real journal of a real repair, made on a second volume, in a folder with the mode that keymend
-- wants but a user's owner; its steps would move files of this store.
local function plant(t)
  local made = volume.make(t.dir .. "/other", t.case.volume)
  local done = t:keymend("apply", { "--yes" }, { root = "other" })
  t.check.equal(done.exit, 0, "the repair whose journal is planted")
  local from, to = t.shell.quote(made.app_data .. "/keymend"),
    t.shell.quote(t.made.app_data .. "/keymend")
  t.shell.must(("cp -a %s %s && chown -R 1000 %s"):format(from, to, to))
end

return {
  title = "a forged journal in a squatted folder moves nothing",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = plant,
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning txn.forged" } },
  plan = {
    exit = 36,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 36 },
  script = function(t)
    t:refuses_the_rest()
  end,
}
