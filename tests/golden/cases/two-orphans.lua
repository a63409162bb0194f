-- two-orphans.lua: two old keys of the same second and no current one
local volume = ...

return {
  title = "two old candidates that time cannot tell apart: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2001-03-14T10:22:31Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
