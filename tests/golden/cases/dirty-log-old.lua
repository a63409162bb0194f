-- dirty-log-old.lua: the log beside SOFTWARE is of an earlier writing and holds a machine GUID that is long gone
local volume = ...

return {
  title = "a dirty SOFTWARE hive beside an old log: apply refuses",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    dirty = {
      SOFTWARE = {
        guid = volume.NEW, written = "2004-09-13T06:12:40Z", log = "old", stale = "2003-02-01T08:00:00Z",
      },
    },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning hive.dirty" } },
  plan = {
    exit = 4,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 36 },
}
