-- damaged-adopt.lua: --adopt of a damaged key is refused: it cannot work
local volume = ...

return {
  title = "--adopt of a damaged key: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        damage = "length" },
    },
  },
  args = { "--adopt", volume.c23(volume.OLD) },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.damaged" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
