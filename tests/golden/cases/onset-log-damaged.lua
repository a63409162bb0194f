-- onset-log-damaged.lua: the file of the System log is none
local volume = ...

return {
  title = "a System log that cannot be read: said, and the key file's time counts",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    files = { { path = "C:\\WINNT\\system32\\config\\SysEvent.Evt", data = ("no log "):rep(100) } },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
}
