-- guid-time-adopt.lua: the volume of guid-time.lua, decided by the administrator
local volume = ...

return {
  title = "the registry key's time contradicts the files, --adopt decides",
  volume = volume.case("guid-time").volume,
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
