-- hotfix-no-sp.lua: Windows 2000 before Service Pack 3, which the hotfix needs
local volume = ...
local hotfix = require "hotfix"

return {
  title = "the hotfix needs Service Pack 3",
  volume = {
    keys = { { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" } },
    service_pack = "Service Pack 2",
    files = hotfix.files({ ["Advapi32.dll"] = "5.0.2195.2867" }, false),
  },
  script = function(t)
    t:remember()
    local found = t:keymend "hotfix"
    t.check.equal(found.exit, 4, "hotfix: " .. found.err)
    t:expect("hotfix-no-sp.hotfix.txt", found.out .. found.err)
    local machine = t:json "hotfix"
    t.check.equal(machine.exit, 4, "hotfix --json")
    t:expect("hotfix-no-sp.hotfix.json", machine.out)
    t:same("hotfix", true)
  end,
}
