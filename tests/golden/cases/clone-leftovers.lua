-- clone-leftovers.lua: a clone: the template's key stayed, its DPAPI master key did not
local volume = ...

return {
  title = "a clone's leftovers beside a healthy current key",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        master_key = "11111111-2222-4333-8444-555555555555" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 0, findings = { "info key.leftover", "info key.disproved" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
