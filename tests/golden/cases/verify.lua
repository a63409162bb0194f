-- verify.lua: what verify can tell of containers on a volume
local volume = ...

local BY_NAME = { "--container", volume.IIS, "--container", volume.DCOM, "--container", "SMS",
  "--container", "NetFrameworkConfigurationKey" }

return {
  title = "an offline key file may disprove a container, never prove it",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.DCOM, guid = volume.OLD, made = "2001-03-14T10:22:32Z" },
      { container = "SMS", guid = volume.NEW, made = "2001-03-14T10:22:33Z", keyless = true },
    },
  },
  script = function(t)
    local check = t.check
    t:remember()
    local one = t:keymend "verify"
    check.equal(one.exit, 0, "nothing speaks against the container of the policy")
    t:expect("verify.verify.txt", one.out .. one.err)
    local all = t:keymend("verify", BY_NAME)
    check.equal(all.exit, 4, "some containers cannot work")
    t:expect("verify.containers.txt", all.out .. all.err)
    check.equal(t:keymend("verify", { "--quiet", unpack(BY_NAME) }).exit, 4,
      "--quiet has the same exit status")
    t:expect("verify.verify.json", t:json("verify", BY_NAME).out)
    t:same("verify", true)
  end,
}
