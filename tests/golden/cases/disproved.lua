-- disproved.lua: the only old key was protected by a master key that is gone (sysprep)
local volume = ...

return {
  title = "every old key is disproved: adopting cannot help",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z",
        master_key = "11111111-2222-4333-8444-555555555555" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.lost", "warning key.disproved" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
