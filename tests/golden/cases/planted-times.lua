-- planted-times.lua: a user planted key files: one with the current one's time, one too large to be a key
local volume = ...

return {
  title = "planted files with a chosen time or size do not stop the repair",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2004-09-13T06:14:02Z", owner = 1000 },
    },
  },
  prepare = function(t)
    local file = t.shell.quote(t.made.store .. "/c2319c42033a5ca7f44e731bfd3fa2b5_x")
    t.shell.must("head -c 70000 /dev/zero > " .. file .. " && chown 1000 " .. file
      .. " && touch -d 2004-10-01T00:00:00Z " .. file)
  end,
  birth_time = true,
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.foreign-owner",
    "warning key.stray", "warning key.damaged" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
