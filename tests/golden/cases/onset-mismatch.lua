-- onset-mismatch.lua: the KB's case, but the told onset lies near the old key's making
local volume = ...

return {
  title = "--onset is nearest another file: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  args = { "--onset", "2001-05-01T00:00:00Z" },
  diagnose = { exit = 4, findings = { "error key.onset-mismatch" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
