-- healthy.lua: one current key and nothing else of the container
local volume = ...

return {
  title = "a healthy store",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" },
    },
  },
  diagnose = { exit = 0, findings = { "info key.healthy" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
