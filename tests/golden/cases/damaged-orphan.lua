-- damaged-orphan.lua: the only old key is damaged
local volume = ...

return {
  title = "a damaged key file is never adopted",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        damage = "truncated" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.damaged" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
