-- bidi-names.lua: a name in the store that wants to be read backwards
local volume = ...

return {
  title = "bidi characters are escaped",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z",
        name = volume.c23(volume.NEW) .. "\226\128\174OLD" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.stray" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
  script = function(t)
    for _, verb in ipairs { "diagnose", "plan", "keys", "history" } do
      local out = t:keymend(verb, verb == "keys" and { "--all" } or {}).out
      t.check.ok(not out:find "\226\128\174", verb .. " escapes", out)
    end
  end,
}
