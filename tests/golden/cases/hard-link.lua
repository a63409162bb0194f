-- hard-link.lua: the old key has a second name
local volume = ...

return {
  title = "a key file with two names is not adopted",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        hardlink = "copy-of-c23.bak" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.hard-link" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
