-- layout-vista.lua: the store in ProgramData, and a policy file of the administrator's own
local volume = ...

return {
  title = "Vista's layout, with a policy file",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2009-06-02T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2010-09-13T06:14:02Z" },
    },
    layout = "vista",
    guid_written = "2010-09-13T06:12:40Z",
  },
  prepare = function(t)
    t:write("iis7.lua", [[
-- iis7.lua: the IIS 6 metabase key on newer systems
return policy {
  api = 1, name = "iis7", title = "IIS 6 metabase compatibility key",
  applies = all_of { windows { from = "6.0" }, has_service "IISADMIN" },
  containers = { "Microsoft Internet Information Server" },
  services = { "IISADMIN", dependents = true, start = "auto" },
}
]])
  end,
  policy = { "--policy", "./iis7.lua" },
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
