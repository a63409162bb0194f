-- forged-mode.lua: somebody made a folder keymend that everybody may write
local volume = ...

return {
  title = "a squatted keymend folder (mode): refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    t.shell.must("mkdir -m 0777 " .. t.shell.quote(t.made.app_data .. "/keymend"))
  end,
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
