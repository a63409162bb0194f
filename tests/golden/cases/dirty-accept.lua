-- dirty-accept.lua: a dirty SOFTWARE hive that the administrator accepts
local volume = ...

return {
  title = "a dirty SOFTWARE hive with --accept-dirty-hive",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    dirty = { SOFTWARE = true },
  },
  policy = { "--accept-dirty-hive" },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning hive.dirty" } },
  plan = {
    exit = 4,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 4 },
  again = { exit = 4, findings = { "warning hive.dirty" } }, -- the hive is as it was
}
