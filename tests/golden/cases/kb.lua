-- kb.lua: KB 884872 itself: MachineGuid was reset, IIS made a new key beside the old one
local volume = ...

return {
  title = "the KB's case: one regenerated key, one orphan",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    backups = { { guid = volume.OLD, saved = "2001-03-14T10:58:03Z" } },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
