-- restore-guid-missing.lua: a judged container has no key file under the former machine GUID, or none that is sound
local volume = ...

local TWO = [[
-- two.lua: the key of IIS, and one of the site
return policy {
  name = "two", title = "IIS metabase and site keys", applies = windows { from = "5.0", below = "5.2" },
  containers = { "Microsoft Internet Information Server", "Site Backup" },
  remedy = restore_guid {},
}
]]

return {
  title = "restore_guid of a policy: refused, since a container in order would lose its key",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = "Site Backup", guid = volume.NEW, made = "2004-09-20T18:00:00Z" },
    },
  },
  prepare = function(t) t:write("two.lua", TWO) end,
  policy = { "--policy", "./two.lua" },
  diagnose = { exit = 4, findings = { "error guid.restore-refused", "error key.orphaned", "info key.healthy" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
  script = function(t)
    t:write("adopt.lua", (TWO:gsub("restore_guid {}", "adopt_file")))
    t.case.policy = { "--policy", "./adopt.lua" }
    local plain = t:keymend "diagnose"
    t.check.equal(plain.exit, 4, "adopt_file plans the repair")
    t:expect("restore-guid-missing.adopt.txt", plain.out)
    t.check.equal(t:keymend("plan", { "--restore-guid", volume.OLD }).exit, 36, "--restore-guid is refused too")
  end,
}
