-- bytes.lua: lua/keymend/volume/bytes.lua, which the program has too

return require "builder" "bytes"
