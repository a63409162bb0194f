-- help.lua: the verb help

local options = require "keymend.options"
local spelling = require "keymend.spelling"

local M = {}

function M.help(context)
  local name = context.arguments[1]
  if not name then
    options.help(context:page())
    return 0
  end
  local verb = options.verb(name)
  if not verb then
    return context:fail(spelling.see(('there is no verb "%s"%s'):format(name,
      spelling.hint(name, options.verb_names)), "keymend help"), "usage")
  end
  options.verb_help(context:page(), verb)
  return 0
end

return M
