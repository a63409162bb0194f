-- guid-restored.lua: MachineGuid restored by hand: the old key is current, the newer foreign
local volume = ...

return {
  title = "GUID restored by hand: old current, newer foreign",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    guid = volume.OLD,
  },
  diagnose = { exit = 0, findings = { "info key.newer-foreign" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
