-- damaged-zeros.lua: the only old key holds zeros only, as after a power cut
local volume = ...

return {
  title = "a key file full of zeros",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        damage = "zeros" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.damaged" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
