-- halfway-cut.lua: the KB's renaming stopped after the end of the name was deleted
local volume = ...

return {
  title = "KB followed halfway: the name ends at its underscore",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        name = "c2319c42033a5ca7f44e731bfd3fa2b5_" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.stray" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
