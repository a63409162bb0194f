-- template.lua: the text of a new policy, for `policies new NAME`: the shipped template under another name

local core = require "keymend.core"

-- The text of a new policy called `name`.
return function(name)
  local text = core.embedded_policies().template:gsub('"template"', '"' .. name .. '"')
  return (text:gsub("%f[%w_]template%.lua", name .. ".lua"))
end
