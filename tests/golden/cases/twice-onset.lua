-- twice-onset.lua: reset twice; the administrator tells that the problem began with the first reset
--
-- the same names and times as twice-none.
local volume = ...

return {
  title = "reset twice, --onset at the first: the oldest key",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-11-02T22:47:19Z" },
    },
    guid = volume.THIRD,
    guid_written = "2004-11-02T22:45:10Z",
  },
  args = { "--onset", "2004-09-13T08:00:00+02:00" },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.THIRD) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.THIRD) },
    },
  },
  apply = { exit = 0 },
}
