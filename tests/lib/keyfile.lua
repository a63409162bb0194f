-- keyfile.lua: lua/keymend/volume/keyfile.lua, which the program has too

return require "builder" "keyfile"
