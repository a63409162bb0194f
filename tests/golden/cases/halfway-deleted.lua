-- halfway-deleted.lua: the KB's first half: the new key is deleted, the old one not yet renamed
local volume = ...

return {
  title = "KB followed halfway: the new key deleted",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
    },
    backups = { { guid = volume.OLD, saved = "2001-03-14T10:58:03Z" } },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
