-- foreign-owner-adopt.lua: as foreign-owner; the administrator vouches for the file
local volume = ...

return {
  title = "a key file owned by a user, --adopt decides",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z", owner = 1000 },
    },
  },
  args = { "--adopt", volume.c23(volume.OLD) },
  diagnose = { exit = 4, findings = { "error key.orphaned", "warning key.foreign-owner" } },
  plan = {
    exit = 0,
    steps = {
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
  again = { exit = 0, findings = { "info key.foreign-owner" } },
}
