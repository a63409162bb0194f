-- manual.lua: plan --manual: the steps of a plan for a person's hands, on the running Windows of the target
--
-- Follows KB 884872 with the names and paths of this target. Commands are those that Windows 2000 has already.

local core = require "keymend.core"
local facts = require "keymend.facts"
local report = require "keymend.report"

local M = {}

local Steps = {}
Steps.__index = Steps

local function steps_on(page)
  return setmetatable({ page = page, number = 0 }, Steps)
end

-- A numbered step, then commands as they are typed.
function Steps:add(text, ...)
  self.number = self.number + 1
  self.page:item(("%2d."):format(self.number), text, { indent = 4, style = "strong" })
  for _, command in ipairs { ... } do self.page:line("      " .. command) end
end

-- What is to be said of the last step.
function Steps:note(text)
  self.page:item("", text, { indent = 4 })
end

local function quoted(path)
  return '"' .. path .. '"'
end

-- Whether a command line carries the name as it is: cmd gives some characters a meaning even between quotes, and
-- what the page would escape would be typed as another name.
local function is_safe(name)
  return not name:find '["&|<>^%%!*?]' and core.escape(name) == name
end

local LEFT_OUT = "%s %s no command line here: its name holds characters that a command line would take for commands. "
  .. "Do this in %s."

-- Commands of `net` for the services; those whose names are not safe are told apart.
local function net(steps, word, names, text)
  if #names == 0 then return end
  local commands, left = {}, {}
  for _, name in ipairs(names) do
    if is_safe(name) then
      commands[#commands + 1] = "net " .. word .. " " .. quoted(name)
    else
      left[#left + 1] = name
    end
  end
  steps:add(text, unpack(commands))
  if #left > 0 then
    steps:note(LEFT_OUT:format(quoted(table.concat(left, '", "')), #left == 1 and "has" or "have",
      "the window Services"))
  end
end

-- The commands when the file's name is safe; else a note instead.
local function add_for(steps, name, text, ...)
  if is_safe(name) then
    steps:add(text, ...)
  else
    steps:add(text)
    steps:note(LEFT_OUT:format(quoted(name), "has", "the Explorer"))
  end
end

local function look(steps, plan)
  local seen, back = {}, plan:restored()
  add_for(steps, plan.key_store, "Open a command prompt and go to the key store.", "cd /d " .. quoted(plan.key_store))
  if back then
    steps:add("List the key files that are found again. Only a file in this list comes back.", "dir /a /tc "
      .. quoted("*_" .. back.to))
  end
  for _, step in ipairs(back and {} or plan.steps) do
    local hash = (step.to or step.name):sub(1, 32)
    if not seen[hash] then
      seen[hash] = true
      steps:add(('List the key files of "%s" with their creation times (in Explorer: the column Created), and compare '
        .. "them with the ones below."):format(step.container), "dir /a /tc " .. quoted(hash .. "*"))
    end
  end
  steps:add(("Check with regedit that MachineGuid in HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography still "
    .. "is %s. If it is not, stop here and make a new plan."):format(plan.machine_guid))
end

local function made_text(step)
  return step.created_ticks ~= "0" and ("made %s"):format(facts.time(nil, step.created_ticks)) or "of unknown age"
end

local function retire(steps, step, folder)
  add_for(steps, step.name, ('Back up the current key file of "%s" (%s, %d bytes). If something goes wrong, this copy '
    .. "brings it back."):format(step.container, made_text(step), step.size),
    "xcopy /h /k /o " .. quoted(step.name) .. " " .. folder .. "\\")
  add_for(steps, step.name, "Only when the copy is there: delete it from the key store.",
    "del /f /a " .. quoted(step.name))
  steps:add("Wait at least 20 seconds. NTFS gives a file that gets a name freed just before the creation time of the "
    .. "former one, and the times would tell nothing any more.")
end

local function adopt(steps, step, folder)
  add_for(steps, step.name, ("Back up the key file that is to be adopted for \"%s\" too (%s, %d bytes)."):format(
    step.container, made_text(step), step.size), "xcopy /h /k /o " .. quoted(step.name) .. " " .. folder .. "\\")
  local parts = core.unique_name(step.name)
  add_for(steps, step.name, parts and parts.hash == step.to:sub(1, 32)
    and "Give it the name that Windows looks for: all from the underscore on becomes the machine GUID."
    or "Give it the name that Windows looks for: " .. step.to .. ".",
    "attrib -h -s " .. quoted(step.name), "ren " .. quoted(step.name) .. " " .. step.to, "attrib +s " .. step.to)
end

-- A plan that adds entries: nothing is moved, so nothing has to be saved but what was there.
local function grant(steps, plan)
  local access = require "keymend.access"
  for _, step in ipairs(plan.steps) do
    local commands = { "cacls " .. quoted(plan.key_store .. "\\" .. step.name) }
    for _, entry in ipairs(step.grants) do
      commands[#commands + 1] = access.command(plan.info or { key_store = plan.key_store }, step.name, entry)
    end
    steps:add(('Note down the permissions that the current key file of "%s" has, then add the missing entries; those '
      .. "that are there stay."):format(step.container), unpack(commands))
  end
end

-- System drive of the target: "C:" of "C:\WINNT".
local function drive_of(plan)
  return (plan.info and plan.info.windows or "C:\\"):match "^%a:" or "C:"
end

local REGISTRY_KEY = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography"

-- The steps that put the former machine GUID back. Windows 2000 has no reg.exe of its own, so it is regedit's work.
local function restore(steps, step, folder)
  steps:add("Save the registry key. If something goes wrong, a double click on this file brings the value back.",
    "regedit /e " .. folder .. "\\cryptography.reg " .. quoted(REGISTRY_KEY))
  steps:add(("In regedit go to %s and change the value MachineGuid to the one below: 36 characters, no braces, no "
    .. "blank. Compare it twice; a wrong one makes every key file foreign."):format(REGISTRY_KEY))
  steps.page:line("      from " .. step.name)
  steps.page:line("        to " .. step.to)
  steps:note("A 64-bit Windows has this value in the 64-bit view alone: use the regedit in its Windows folder, not the "
    .. "one in SysWOW64.")
  steps:add "Restart Windows: programs keep the machine GUID that they have read. The services start with it."
end

-- The key files themselves.
local function rename(steps, plan, folder)
  for _, step in ipairs(plan.steps) do
    if step.kind == "retire" then retire(steps, step, folder) else adopt(steps, step, folder) end
  end
  net(steps, "start", plan.start, "Start the services again, in this order.")
end

-- What stays to be said; the restart is a step of its own.
local function closing(steps, plan)
  for _, note in ipairs(plan.notes) do
    local after = note:match "^Afterwards: (.*)$"
    if after and not (plan:restored() and after:find "^Restart Windows, ") then steps:add(after) end
  end
end

-- Prints the plan as steps for hands; `after` are the closing hints of its policies.
function M.print(page, plan)
  local folder = drive_of(plan) .. "\\key-backup"
  page:heading("By hand, on the computer itself" .. (plan.info and (plan.info.computer or "") ~= ""
    and " (" .. plan.info.computer .. ")" or ""))
  page:text_block(("%s. Log on as administrator. keymend apply does the same in one transaction and can undo it; by "
    .. "hand nothing watches over you, so keep to the order."):format(plan.info and report.system_text(plan.info) or
    "This Windows"))
  page:blank()
  local steps = steps_on(page)
  if #plan.steps > 0 and plan.steps[1].kind == "grant" then
    grant(steps, plan)
    closing(steps, plan)
    return
  end
  look(steps, plan)
  steps:add("Make a folder for the backups that only administrators may read (their group has another name on a "
    .. "localized Windows); say yes when it asks.", "mkdir " .. folder,
    "cacls " .. folder .. " /g Administrators:F SYSTEM:F")
  net(steps, "stop", plan.stop,
    "Stop the services that use the key, in this order. What does not run says so; that is fine.")
  for _, note in ipairs(plan.notes) do
    if note:find("^Named, but there is no such service") then steps:note(note) end
  end
  if plan:restored() then restore(steps, plan:restored(), folder) else rename(steps, plan, folder) end
  steps:add("Check that the services work. Only after some days delete the folder with the backups.")
  closing(steps, plan)
end

return M
