-- two-orphans-same.lua: two orphans with the same bytes are one key
local volume = ...

return {
  title = "two orphans with the same bytes: the older stands for both",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2002-03-14T10:22:31Z", seed = "one" },
      { container = volume.IIS, guid = volume.THIRD, made = "2001-03-14T10:22:31Z", seed = "one" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = { exit = 0, steps = { { "adopt", volume.c23(volume.THIRD), volume.c23(volume.NEW) } } },
  apply = { exit = 0 },
}
