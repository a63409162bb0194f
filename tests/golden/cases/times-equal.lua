-- times-equal.lua: both keys have the same creation time: the store was copied or restored
local volume = ...

return {
  title = "creation times all equal: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.times-useless" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
