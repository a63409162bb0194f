-- guid-upper.lua: MachineGuid has upper-case digits, which Windows does not mind
local volume = ...

return {
  title = "a MachineGuid with upper-case digits",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    guid = volume.NEW:upper(),
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "info guid.case" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
