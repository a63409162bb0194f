-- times-none-orphan.lua: one orphan alone needs no times
local volume = ...

return {
  birth_time = true,
  title = "no creation times, one orphan alone",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
    },
  },
  times = false,
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
