-- eras-contradiction.lua: the file that is said to be newer names the older master key
local volume = ...

local FIRST, SECOND = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9", "5b0e7a64-2f19-4c83-b6d1-0a9e8c7f3d25"

return {
  title = "the master keys contradict the creation times",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z", master_key = SECOND },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z", master_key = FIRST },
    },
    master_keys = {
      { guid = FIRST, made = "2001-03-14T09:20:11Z", written = "2001-03-14T09:20:11Z" },
      { guid = SECOND, made = "2004-08-02T06:14:01Z", written = "2004-08-02T06:14:01Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.era-contradiction" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
}
