-- backups-disagree.lua: two backup hives name both old GUIDs
local volume = ...

return {
  title = "backup hives that name both candidates: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
    backups = {
      { guid = volume.OLD, saved = "2001-03-14T10:58:03Z" },
      { folder = "C:\\WINNT\\system32\\config\\RegBack", guid = volume.NEW,
        saved = "2004-10-20T01:00:00Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
