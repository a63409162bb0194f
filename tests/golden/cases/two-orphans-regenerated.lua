-- two-orphans-regenerated.lua: a regenerated key beside two old ones of the same second
local volume = ...

return {
  title = "a regenerated key and two candidates of one time: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.times-useless" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
