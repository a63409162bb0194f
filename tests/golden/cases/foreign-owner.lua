-- foreign-owner.lua: the only old key belongs to a user: anyone may create files in a key store
local volume = ...

return {
  title = "a key file owned by a user is not adopted by rule",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z", owner = 1000 },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.foreign-owner" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
