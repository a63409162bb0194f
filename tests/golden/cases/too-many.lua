-- too-many.lua: more files of one container than keymend compares
local volume = ...

return {
  title = "a container with 1,100 files: refused",
  volume = {
    keys = (function()
      local keys = {}
      for i = 1, 1100 do
        keys[i] = { container = volume.IIS, damage = "empty", seed = "x",
          guid = ("%08x-0000-4000-8000-000000000000"):format(i) }
      end
      return keys
    end)(),
  },
  diagnose = { exit = 4, findings = { "error key.too-many" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
