-- times-copied.lua: both keys were made long after they were last written: copies
local volume = ...

return {
  title = "creation times of a copied store: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2004-12-01T09:00:00Z",
        written = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-12-01T09:00:07Z",
        written = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.times-useless" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
