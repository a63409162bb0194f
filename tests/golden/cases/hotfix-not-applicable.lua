-- hotfix-not-applicable.lua: another Windows than the hotfix of KB 884872 is for
local volume = ...

return {
  title = "the hotfix is for Windows 2000 alone",
  volume = {
    keys = { { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" } },
    layout = "xp",
  },
  script = function(t)
    t:remember()
    local found = t:keymend "hotfix"
    t.check.equal(found.exit, 0, "hotfix: " .. found.err)
    t:expect("hotfix-not-applicable.hotfix.txt", found.out .. found.err)
    local machine = t:json "hotfix"
    t.check.equal(machine.exit, 0, "hotfix --json")
    t:expect("hotfix-not-applicable.hotfix.json", machine.out)
    t:same("hotfix", true)
  end,
}
