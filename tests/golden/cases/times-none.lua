-- times-none.lua: the KB's case without any creation time: no --times, no NTFS
local volume = ...

return {
  birth_time = true,
  title = "no creation times: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  times = false,
  diagnose = { exit = 4, findings = { "error key.times-useless", "info times.unavailable" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
