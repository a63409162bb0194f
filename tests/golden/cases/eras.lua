-- eras.lua: the key files were copied together; the master keys that they name still tell their order
local volume = ...

local FIRST, SECOND = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9", "5b0e7a64-2f19-4c83-b6d1-0a9e8c7f3d25"

return {
  title = "copied times: the master keys' order is told",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2004-12-01T08:00:00Z", master_key = FIRST },
      { container = volume.IIS, guid = volume.NEW, made = "2004-12-01T08:00:00Z", master_key = SECOND },
    },
    master_keys = {
      { guid = FIRST, made = "2001-03-14T09:20:11Z", written = "2001-03-14T09:20:11Z" },
      { guid = SECOND, made = "2004-09-13T06:14:01Z", written = "2004-09-13T06:14:01Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.times-useless" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
