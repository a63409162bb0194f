-- evt.lua: lua/keymend/volume/evt.lua, which the program has too

return require "builder" "evt"
