-- damaged-current.lua: the current key is damaged, an older sound one stands beside it
local volume = ...

return {
  title = "the current key is damaged",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z",
        damage = "truncated" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.damaged" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
