-- guid-conflict.lua: two containers whose orphans name different old GUIDs
local volume = ...

return {
  title = "two containers disagree on the old GUID: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.DCOM, guid = volume.THIRD, made = "2001-03-14T10:22:31Z" },
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
  diagnose = { exit = 4, findings = { "error case.guid-conflict", "error key.orphaned",
    "error key.orphaned" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
