-- reparse.lua: the old key's name is a symbolic link out of the volume
local volume = ...

return {
  birth_time = true,
  title = "a reparse point in the store",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, symlink = "/etc/hostname" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.reparse" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
