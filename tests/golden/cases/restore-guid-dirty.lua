-- restore-guid-dirty.lua: the logs of a dirty hive would bring the present machine GUID back, replayed or not
local volume = ...

return {
  title = "--restore-guid on a dirty SOFTWARE hive, whose logs can be replayed: refused all the same",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    dirty = { SOFTWARE = { guid = volume.OLD, written = "2001-03-14T10:20:00Z", log = "old" } },
  },
  args = { "--restore-guid", volume.OLD, "--accept-dirty-hive" },
  diagnose = { exit = 4, findings = { "error guid.restore-refused", "error key.regenerated", "info hive.dirty" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
