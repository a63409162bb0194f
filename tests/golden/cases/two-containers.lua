-- two-containers.lua: two containers of one policy are repaired in one transaction
local volume = ...

return {
  title = "two containers, one transaction",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.DCOM, guid = volume.OLD, made = "2001-03-14T10:22:33Z" },
    },
    others = false,
  },
  prepare = function(t)
    t:write("two.lua", [[
-- two.lua: two containers of IIS
return policy {
  api = 1, name = "two", title = "IIS metabase and DCOM keys",
  applies = windows { from = "5.0", below = "5.2" },
  containers = { "Microsoft Internet Information Server", "MS IIS DCOM Server" },
  services = { "IISADMIN", dependents = true, start = "auto" },
}
]])
  end,
  policy = { "--policy", "./two.lua" },
  diagnose = { exit = 4, findings = { "error key.orphaned", "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
      { "adopt", "7a436fe806e483969f48a894af2fe9a1_" .. volume.OLD,
        "7a436fe806e483969f48a894af2fe9a1_" .. volume.NEW },
    },
  },
  apply = { exit = 0 },
}
