-- guid-absent.lua: the value MachineGuid is missing
local volume = ...

return {
  title = "no MachineGuid",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
    },
    guid = false,
  },
  diagnose = { exit = 4, findings = { "error guid.absent" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
