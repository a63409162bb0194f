-- copied.lua: somebody followed KB 884872 by copying: the current key file is the old one
local volume = ...

return {
  title = "the current key file has the bytes of the old one: healthy",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z", seed = "one" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T07:14:02Z",
        written = "2001-03-14T10:22:31Z", seed = "one" },
    },
  },
  diagnose = { exit = 0, findings = { "info key.healthy", "info key.leftover" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
