-- read-only.lua: the volume is mounted read-only
local volume = ...

return {
  title = "a read-only volume: a clear error, nothing touched",
  needs = { "mount" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    local root = t.shell.quote(t.root)
    t.shell.must(("mount --bind %s %s && mount -o remount,bind,ro %s"):format(root, root, root))
  end,
  release = function(t) t.shell.must("umount " .. t.shell.quote(t.root)) end,
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
