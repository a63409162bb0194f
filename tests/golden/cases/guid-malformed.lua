-- guid-malformed.lua: MachineGuid is no GUID
local volume = ...

return {
  title = "a malformed MachineGuid",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
    },
    guid = "4cbde50a-570f-47f5-8cc1\27[31m",
  },
  diagnose = { exit = 4, findings = { "error guid.malformed" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
