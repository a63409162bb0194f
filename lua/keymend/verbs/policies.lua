-- policies.lua: the verb policies: list them, show the text of one

local cli = require "keymend.cli"
local policy = require "keymend.policy"
local spelling = require "keymend.spelling"

local EXIT = cli.exit
local M = {}

local function containers(one)
  local names = {}
  for index, container in ipairs(one.containers) do names[index] = '"' .. container.name .. '"' end
  return table.concat(names, ", ")
end

-- The policies of the own folder that are used only when they are named; none where --policy names others. Second:
-- whether one of them cannot be used, which is told.
local function own_policies(context)
  local own, broken = {}, false
  if context.options.policy then return own, broken end
  local names, problem = policy.own_names()
  if not names then
    context:say(problem)
    return own, true
  end
  for _, name in ipairs(names) do
    local loaded, message = policy.load(name)
    if loaded then own[#own + 1] = loaded else context:say(message) end
    broken = broken or not loaded
  end
  return own, broken
end

local function print_policy(page, one, use)
  page:item(one.name, one.title .. (one.kb and " (KB " .. one.kb .. ")" or ""), { indent = 12, style = "strong" })
  page:item("", "containers " .. containers(one), { indent = 12 })
  page:item("", one.source .. ", SHA-256 " .. one.sha256:sub(1, 16) .. "...", { indent = 12, text_style = "faint" })
  if use then page:item("", use, { indent = 12 }) end
end

local function list(context)
  local loaded, status = context:policies()
  if not loaded then return status end
  local own, broken = own_policies(context)
  policy.close(own)
  status = broken and EXIT.findings or EXIT.done
  if context.options.json then
    return context:document { exit = status, own_policies = require("keymend.document").policies(own) }
  end
  for _, one in ipairs(loaded) do print_policy(context:page(), one) end
  for _, one in ipairs(own) do print_policy(context:page(), one, "used with --policy " .. one.name) end
  return status
end

local function show(context)
  local name = context.arguments[2]
  if not name then
    return context:fail("policies show needs the name of a policy; see keymend policies list", "usage")
  end
  local text, source, code = policy.find(name)
  if not text then return context:fail(source, code == "not-found" and "usage" or code) end
  if context.options.json then
    local loaded, status = (function()
      context.options.policy = { name }
      return context:policies()
    end)()
    if not loaded then return status end
    return context:document { exit = 0, text = text }
  end
  -- As it stands, so that it can be copied; what control and bidi characters hide in a policy from elsewhere
  -- is shown.
  io.stdout:write(source == "shipped" and text or require("keymend.page").lines((text:gsub("\r\n", "\n"))))
  return EXIT.done
end

local WORDS = { list = list, show = show }

function M.policies(context)
  local word = context.arguments[1] or "list"
  local run = WORDS[word]
  if not run then
    return context:fail(('policies: list or show expected, not "%s"%s'):format(word,
      spelling.hint(word, { "list", "show" })), "usage")
  end
  return run(context)
end

return M
