-- untrusted-policy.lua: everybody may write to the policy file: root does not act on it unless the user vouches for it
local volume = ...

return {
  title = "a policy that others may change: refused",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  script = function(t)
    t:write("own.lua", [[
return policy {
  name = "own",
  containers = { "Microsoft Internet Information Server" },
}
]])
    t.shell.must(("chmod 666 %s/own.lua"):format(t.shell.quote(t.dir)))
    local given = { "--policy", "own.lua" }
    t:remember()
    for _, verb in ipairs { "diagnose", "plan", "apply" } do
      local refused = t:keymend(verb, given)
      t.check.equal(refused.exit, verb == "diagnose" and 8 or 32, verb)
      t:expect("untrusted-policy." .. verb .. ".txt", refused.out .. refused.err)
      t:same(verb)
    end
    given[3], given[4] = "--trust-file", "own.lua"
    t.check.equal(t:keymend("diagnose", given).exit, 4, "diagnose with --trust-file")
    local plan = t:keymend("plan", given)
    t.check.equal(plan.exit, 0, "plan with --trust-file")
    t:expect("untrusted-policy.plan2.txt", plan.out .. plan.err)
    given[5] = "--yes"
    t.check.equal(t:keymend("apply", given).exit, 0, "apply with --trust-file")
    t.check.has(t:keymend("history").out, "--trust-file own.lua", "and history tells it")
  end,
}
