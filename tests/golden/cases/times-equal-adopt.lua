-- times-equal-adopt.lua: both keys have the same creation time; the administrator names the old one
local volume = ...

return {
  title = "creation times all equal, --adopt decides",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  args = { "--adopt", volume.c23(volume.OLD) },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
