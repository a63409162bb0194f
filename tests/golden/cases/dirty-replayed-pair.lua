-- dirty-replayed-pair.lua: logs as Windows 8.1 and later write them; .LOG2 goes on where .LOG1 ends
local volume = ...

return {
  title = "dirty SOFTWARE and SYSTEM hives whose pairs of logs are replayed",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    dirty = {
      SOFTWARE = { guid = volume.OLD, written = "2001-03-14T10:20:00Z", log = "new" },
      SYSTEM = { log = "new" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "info hive.dirty", "info hive.dirty" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
  again = { exit = 0, findings = { "info hive.dirty", "info hive.dirty" } }, -- the hives are as they were
}
