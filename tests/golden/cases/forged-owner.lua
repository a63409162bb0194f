-- forged-owner.lua: the keymend folder belongs to a user
local volume = ...

return {
  title = "a squatted keymend folder (owner): refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  needs = { "root" },
  prepare = function(t)
    local folder = t.shell.quote(t.made.app_data .. "/keymend")
    t.shell.must("mkdir -m 0700 " .. folder .. " && chown 1000 " .. folder)
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
