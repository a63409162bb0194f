-- regback.lua: Windows XP's layout, but the old GUID stands in a RegBack hive
local volume = ...

return {
  title = "a backup hive in config\\RegBack",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
    backups = {
      { folder = "C:\\WINNT\\system32\\config\\RegBack", guid = volume.OLD,
        saved = "2002-03-14T10:58:03Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.THIRD) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.THIRD) },
    },
  },
  apply = { exit = 0 },
}
