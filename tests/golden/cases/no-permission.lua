-- no-permission.lua: keymend runs as a user who may read the volume but not write it
local volume = ...

return {
  title = "no permission: a clear error, nothing touched",
  needs = { "root", "setpriv" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    t.shell.must(("chmod 755 %s/.. && chmod 777 %s && chmod -R a+rX %s"):format(
      t.shell.quote(t.dir), t.shell.quote(t.dir), t.shell.quote(t.root)))
  end,
  access_times = false, -- only a file's owner may read it without moving them
  before = "setpriv --reuid=65534 --regid=65534 --clear-groups",
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 36 },
}
