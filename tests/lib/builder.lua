-- builder.lua: the modules of lua/keymend/volume, with which tests and program make volumes
--
-- They come from the tree, also where the program's own (embedded) modules are not to be had.

local folder = (debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or ".") .. "/../../lua/keymend/volume/"

for _, name in ipairs { "bytes", "hive", "keyfile", "evt", "evtx", "iislog" } do
  package.preload["keymend.volume." .. name] = assert(loadfile(folder .. name .. ".lua"))
end
package.preload["keymend.volume"] = assert(loadfile(folder .. "init.lua"))

-- One of them by its short name; "volume" itself is keymend.volume.
return function(name)
  return require("keymend.volume" .. (name == "volume" and "" or "." .. name))
end
