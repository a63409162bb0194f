-- hotfix-unknown.lua: files of the hotfix that cannot be read, or are not there
local volume = ...
local hotfix = require "hotfix"

return {
  title = "nobody can tell whether the hotfix is in place",
  volume = {
    keys = { { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" } },
    files = hotfix.files {
      ["Kernel32.dll"] = ("MZ" .. ("\0"):rep(58) .. "\64\0\0\0"), ["Lsass.exe"] = false, ["Ntdsa.dll"] = false,
    },
  },
  script = function(t)
    t:remember()
    local found = t:keymend "hotfix"
    t.check.equal(found.exit, 4, "hotfix: " .. found.err)
    t:expect("hotfix-unknown.hotfix.txt", found.out .. found.err)
    local machine = t:json "hotfix"
    t.check.equal(machine.exit, 4, "hotfix --json")
    t:expect("hotfix-unknown.hotfix.json", machine.out)
    t:same("hotfix", true)
  end,
}
