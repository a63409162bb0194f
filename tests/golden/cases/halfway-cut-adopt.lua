-- halfway-cut-adopt.lua: as halfway-cut; the administrator names the file
local volume = ...

return {
  title = "a stray name, --adopt decides",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        name = "c2319c42033a5ca7f44e731bfd3fa2b5_" },
    },
  },
  args = { "--adopt", "c2319c42033a5ca7f44e731bfd3fa2b5_" },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.stray" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", "c2319c42033a5ca7f44e731bfd3fa2b5_", volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
