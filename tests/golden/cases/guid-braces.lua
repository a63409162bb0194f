-- guid-braces.lua: MachineGuid stands in braces
local volume = ...

return {
  title = "a MachineGuid in braces",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    guid = "{" .. volume.NEW .. "}",
  },
  diagnose = { exit = 4, findings = { "error guid.malformed" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
