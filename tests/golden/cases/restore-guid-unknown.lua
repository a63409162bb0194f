-- restore-guid-unknown.lua: --restore-guid with a GUID that no key file carries, and with what is no GUID
local volume = ...

return {
  title = "--restore-guid of a GUID that no key file carries: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  args = { "--restore-guid", volume.THIRD },
  diagnose = { exit = 4, findings = { "error guid.restore-refused", "error key.regenerated" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
  script = function(t)
    t.check.equal(t:keymend("plan", { "--restore-guid", volume.NEW }).exit, 16, "it is given once")
    t.repaired = true -- no more args
    for _, words in ipairs { { volume.NEW, 36 }, { "4cbde50a", 16 }, { "{" .. volume.OLD .. "}", 0 } } do
      local done = t:keymend("plan", { "--restore-guid", words[1] })
      t.check.equal(done.exit, words[2], "exit status for " .. words[1] .. ": " .. done.err)
    end
    local both = t:keymend("plan", { "--restore-guid", volume.OLD, "--adopt", volume.c23(volume.OLD) })
    t.check.equal(both.exit, 16, "it does not go with --adopt: " .. both.err)
  end,
}
