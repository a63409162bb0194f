-- two-orphans-adopt.lua: two old keys of the same second; the administrator names one
local volume = ...

return {
  title = "two old candidates, --adopt decides",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2001-03-14T10:22:31Z" },
    },
  },
  args = { "--adopt", volume.c23(volume.THIRD) },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.THIRD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
