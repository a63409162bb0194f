-- hive.lua: lua/keymend/volume/hive.lua, which the program has too

return require "builder" "hive"
