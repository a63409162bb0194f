-- planted-current.lua: the current key file belongs to a user and looks older than the orphan
local volume = ...

return {
  title = "a planted current key file proves nothing by its time",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2000-01-01T00:00:00Z", owner = 1000 },
    },
  },
  diagnose = { exit = 4, findings = { "error key.times-useless", "error key.foreign-owner" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
