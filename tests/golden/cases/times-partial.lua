-- times-partial.lua: the times file does not tell the old key's time; the file system's own is that of the copy
local volume = ...

return {
  birth_time = true,
  title = "a times file without one of the files: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    t.shell.must("sed -i /" .. volume.c23(volume.OLD) .. "/d " .. t.shell.quote(t.made.times))
  end,
  diagnose = { exit = 4, findings = { "error key.times-useless" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
