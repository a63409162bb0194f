-- iislog.lua: lua/keymend/volume/iislog.lua, which the program has too

return require "builder" "iislog"
