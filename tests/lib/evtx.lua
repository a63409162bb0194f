-- evtx.lua: lua/keymend/volume/evtx.lua, which the program has too

return require "builder" "evtx"
