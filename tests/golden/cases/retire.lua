-- retire.lua: creation times are useless, but the administrator knows that the current key is wrong
local volume = ...

return {
  title = "--retire decides where the times do not",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  args = { "--retire", volume.c23(volume.NEW) },
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
