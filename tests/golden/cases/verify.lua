-- verify.lua: what verify can tell of containers on a volume, and that events needs a running Windows
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
    local events = t:keymend "events"
    check.equal(events.exit, 32, "events refuses a volume")
    t:expect("verify.events.txt", events.out .. events.err)
    local document = t:json("events", { "--source", "W3SVC" }).document
    check.equal(document and document.error.code, "unsupported", "the document says why")
    for _, wrong in ipairs { { "--since", "2004-09-14" }, { "--id", "x" }, { "--id", "65536" }, { "--count", "0" } } do
      check.equal(t:keymend("events", wrong).exit, 16, table.concat(wrong, " ") .. " is wrong usage")
    end
    t:same("events", true)
  end,
}
