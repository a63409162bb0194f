-- keyless-foreign.lua: the old file is a container without keys
local volume = ...

return {
  title = "a keyless old container",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z", keyless = true },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.keyless" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
