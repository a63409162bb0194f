-- layout-xp.lua: Windows XP with IIS 5.1 and the key store named by the shell's folders
local volume = ...

return {
  title = "Windows XP",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2002-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    layout = "xp",
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
