-- guid-binary.lua: MachineGuid is a binary value
local volume = ...

return {
  title = "a MachineGuid of the wrong type",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
    },
    guid = "\1\2\3\4\5\6\7\8", guid_type = "binary",
  },
  diagnose = { exit = 4, findings = { "error guid.malformed" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
