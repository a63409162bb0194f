-- guid-restored-adopt.lua: as guid-restored, but the administrator wants the newer key
local volume = ...

return {
  title = "old current, newer foreign, --adopt decides",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    guid = volume.OLD,
  },
  args = { "--adopt", volume.c23(volume.NEW) },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.OLD) },
      { "adopt", volume.c23(volume.NEW), volume.c23(volume.OLD) },
    },
  },
  apply = { exit = 0 },
}
