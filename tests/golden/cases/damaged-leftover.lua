-- damaged-leftover.lua: a damaged old key beside a sound current one
local volume = ...

return {
  title = "a damaged leftover beside a current key",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        damage = "magic" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 0, findings = { "info key.damaged" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
