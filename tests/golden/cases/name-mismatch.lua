-- name-mismatch.lua: the old file is another container's key under this container's hash
local volume = ...

return {
  title = "the name inside the file does not fit the hash",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        inside = volume.DCOM },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.name-mismatch" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
