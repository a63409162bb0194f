-- hotfix-in-place.lua: every file as KB 884872 lists it, or newer; a Windows 2000 Professional lacks some
local volume = ...
local hotfix = require "hotfix"

return {
  title = "the hotfix is in place",
  volume = {
    keys = { { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" } },
    service_pack = "Service Pack 3",
    files = hotfix.files {
      ["Advapi32.dll"] = "5.0.2195.7038", ["Kdcsvc.dll"] = false, ["Ntdsa.dll"] = false, ["Rdpwd.sys"] = false,
    },
  },
  script = function(t)
    t:remember()
    local found = t:keymend "hotfix"
    t.check.equal(found.exit, 0, "hotfix: " .. found.err)
    t:expect("hotfix-in-place.hotfix.txt", found.out .. found.err)
    local machine = t:json "hotfix"
    t.check.equal(machine.exit, 0, "hotfix --json")
    t:expect("hotfix-in-place.hotfix.json", machine.out)
    t:same("hotfix", true)
  end,
}
