-- planted.lua: a user planted a key file that looks older than the orphan
local volume = ...

return {
  title = "a planted key beside the orphan does not disturb the repair",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2000-01-01T00:00:00Z", owner = 1000 },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.foreign-owner" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
