-- keyless-alone.lua: the current file holds no key and nothing can replace it
local volume = ...

return {
  title = "a keyless current container alone",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z", keyless = true },
    },
  },
  diagnose = { exit = 4, findings = { "error key.keyless" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
