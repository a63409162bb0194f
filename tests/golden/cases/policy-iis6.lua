-- policy-iis6.lua: IIS 6.0 on Windows Server 2003: the metabase key was made anew, that of DCOM is orphaned
local volume = ...

local DCOM = "7a436fe806e483969f48a894af2fe9a1_"

return {
  title = "iis6: two containers, one of them regenerated",
  volume = {
    layout = "xp", version = "5.2", build = "3790", product = "Microsoft Windows Server 2003",
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2003-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.DCOM, guid = volume.OLD, made = "2003-03-14T10:22:33Z" },
    },
    backups = { { guid = volume.OLD, saved = "2003-03-14T10:58:03Z" } },
    others = false,
  },
  diagnose = { exit = 4, findings = { "error key.orphaned", "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
      { "adopt", DCOM .. volume.OLD, DCOM .. volume.NEW },
    },
  },
  apply = { exit = 0 },
}
