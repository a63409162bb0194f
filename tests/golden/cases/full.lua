-- full.lua: the volume is full
local volume = ...

return {
  title = "a full volume: a clear error, nothing touched",
  needs = { "mount" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    local root, kept = t.shell.quote(t.root), t.shell.quote(t.dir .. "/kept")
    local line = "mv %s %s && mkdir %s && mount -t tmpfs -o size=200k,mode=755 none %s && cp -a %s/. %s"
    t.shell.must(line:format(root, kept, root, root, kept, root))
    t.shell.run("dd if=/dev/zero of=" .. root .. "/pagefile.sys bs=4k")
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
