-- dirty-broken-log.lua: one byte of SOFTWARE's log is wrong, so the hive is read as it stands
local volume = ...

return {
  title = "a dirty SOFTWARE hive whose log is damaged: apply refuses",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    dirty = {
      SOFTWARE = {
        guid = volume.NEW, written = "2004-09-13T06:12:40Z", log = "new",
        change = function(extension, data)
          if extension == "LOG2" then return data:sub(1, -2) .. "!" end
        end,
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
