-- restore-guid-policy.lua: a policy whose remedy is restore_guid, over two containers
local volume = ...

local BACK = [[
-- back.lua: IIS, with the machine GUID put back
return policy {
  name = "back", title = "IIS keys, by the machine GUID", applies = windows { from = "5.0", below = "5.2" },
  containers = { "Microsoft Internet Information Server", "MS IIS DCOM Server" },
  remedy = restore_guid { above = 60 },
  services = { "IISADMIN", dependents = true, start = "auto" },
}
]]

return {
  title = "a policy with restore_guid: most of the store has one former machine GUID",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.DCOM, guid = volume.OLD, made = "2001-03-14T10:22:33Z" },
      { container = "Site Backup", guid = volume.NEW, made = "2004-09-20T18:00:00Z" },
    },
  },
  prepare = function(t)
    t:write("back.lua", BACK)
    t:write("most.lua", (BACK:gsub("60", "75")))
  end,
  policy = { "--policy", "./back.lua" },
  diagnose = { exit = 4, findings = { "error key.orphaned", "error key.regenerated", "warning guid.restorable" } },
  plan = { exit = 0, steps = { { "restore-guid", volume.NEW, volume.OLD } } },
  apply = { exit = 0 },
  script = function(t)
    t.case.policy = { "--policy", "./most.lua" }
    local plan = t:json("plan").document.plan
    t.check.equal(plan.steps[1].kind, "retire", "where too few key files stand under it, they are renamed")
  end,
  again = { exit = 0, findings = { "info key.adopted", "info key.adopted" } },
}
