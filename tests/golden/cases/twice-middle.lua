-- twice-middle.lua: imaged under the second GUID, then reset once; a backup hive names that GUID
--
-- the same names and times as twice-first and twice-none; only the backup hive differs.
local volume = ...

return {
  title = "imaged, then reset once: evidence for the middle key",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
    backups = { { guid = volume.NEW, written = "2004-09-13T06:12:40Z",
      saved = "2004-10-20T01:00:00Z" } },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.THIRD) },
      { "adopt", volume.c23(volume.NEW), volume.c23(volume.THIRD) },
    },
  },
  apply = { exit = 0 },
}
