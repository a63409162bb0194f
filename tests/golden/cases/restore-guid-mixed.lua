-- restore-guid-mixed.lua: two former machine GUIDs; the administrator takes the one of fewer files
local volume = ...

return {
  title = "--restore-guid among two former machine GUIDs: both sides are counted, what is lost is named",
  volume = {
    guid = volume.NEW:upper(),
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2002-05-02T22:47:19Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.DCOM, guid = volume.THIRD, made = "2002-05-02T22:47:20Z" },
      { container = "SMS", guid = volume.NEW, made = "2004-09-20T18:00:00Z" },
      { container = "Site Backup", guid = volume.NEW, made = "2004-09-20T18:00:00Z" },
    },
    others = false,
  },
  args = { "--restore-guid", volume.THIRD },
  diagnose = { exit = 4, findings = { "error key.regenerated", "info guid.case", "warning guid.restorable" } },
  plan = { exit = 0, steps = { { "restore-guid", volume.NEW:upper(), volume.THIRD } } },
  apply = { exit = 0 },
  again = { exit = 0, findings = { "info key.adopted" } },
}
