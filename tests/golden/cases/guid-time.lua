-- guid-time.lua: the KB's case, but the registry key of the machine GUID tells a time before both files
local volume = ...

return {
  title = "the registry key's time contradicts the files: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    guid_written = "2000-01-01T00:00:00Z",
  },
  diagnose = { exit = 4, findings = { "error key.times-useless" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
