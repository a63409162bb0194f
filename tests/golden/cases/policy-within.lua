-- policy-within.lua: a policy retires the current key by its distance from the onset, and nothing tells the onset
local volume = ...

return {
  title = "retire = within(30) where the onset is not known: refused, not healthy; --onset decides",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    t:write("near.lua", [[
-- near.lua: the current key goes when it was made near the first failure
return policy { extends "iis5", name = "near", retire = within(30) }
]])
  end,
  policy = { "--policy", "./near.lua" },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
  script = function(t)
    for name, onset in pairs { near = "2004-09-13T06:13:00Z", far = "2004-10-01T00:00:00Z" } do
      local found = t:keymend("plan", { "--onset", onset })
      t:expect(("policy-within.%s.txt"):format(name), found.out .. found.err)
    end
  end,
}
