-- policy-any-container.lua: what no other policy knows is adopted when a backup of the registry names its GUID
local volume = ...

local CONTAINER = "{5F0A9B1E-8C3D-4A6E-9E57-2B64F0C1D8A3}"

return {
  title = "any-container: the orphan that no policy knows, by the GUID of a backup",
  volume = { keys = {}, backups = { { guid = volume.OLD, saved = "2004-03-14T10:58:03Z" } } },
  policy = { "--policy", "any-container" },
  diagnose = { exit = 4, findings = { "error key.orphaned" } },
  plan = {
    exit = 0,
    steps = { { "adopt", volume.hash(CONTAINER) .. "_" .. volume.OLD, volume.hash(CONTAINER) .. "_" .. volume.NEW } },
  },
  apply = { exit = 0 },
}
