-- plan-edited.lua: somebody edited a saved plan: it cannot move what no rule and no option named
local volume = ...

local SMS = "19c5cf9c7b5dc9de3e548adb70398402_" .. volume.OLD
local USERS = volume.c23(volume.THIRD)
local json = require "dkjson"

-- What is changed in the saved plan, and what the answer must say.
local EDITS = {
  { "retires the key file of another container", "machine GUID", function(plan, t)
    local step = plan.steps[1]
    step.name = SMS
    t.describe(step)
  end },
  { "names another container", "key container that the plan names", function(plan)
    plan.steps[1].container = "SMS"
  end },
  { "adopts for another container", "key container that the plan names", function(plan)
    plan.steps[2].container = "SMS"
  end },
  { "retires without a successor", "--retire", function(plan)
    table.remove(plan.steps, 2)
  end },
  { "adopts a user's file", "--adopt", function(plan, t)
    plan.steps[2].name = USERS
    t.describe(plan.steps[2])
  end },
}

return {
  title = "an edited plan: refused",
  needs = { "root" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2001-05-14T10:22:31Z", owner = 1000 },
    },
  },
  script = function(t)
    -- Gives a step what keymend would have seen of its file.
    t:write("inspect.lua", [[
for name, value in pairs(assert(target:inspect(arg[1]))) do
  if type(value) ~= "table" then print(name, value) end
end
]])
    function t.describe(step)
      for name, value in t:keymend("run", { "inspect.lua", step.name }).out:gmatch "(%S+)\t(%S+)" do
        if step[name] ~= nil and name ~= "name" and name ~= "container" then
          step[name] = type(step[name]) == "number" and tonumber(value) or value
        end
      end
    end
    t.check.equal(t:keymend("plan", { "--save", "saved.plan" }).exit, 0, "plan --save")
    local saved = t.shell.read(t.dir .. "/saved.plan")
    t:remember()
    for i, edit in ipairs(EDITS) do
      local document = json.decode(saved)
      edit[3](document.plan, t)
      t:write("edited.plan", json.encode(document))
      local done = t:keymend("apply", { "--plan", "edited.plan", "--yes" })
      t.check.equal(done.exit, 36, "a plan that " .. edit[1] .. ": " .. done.out)
      t.check.has(done.err, edit[2], edit[1])
      t:expect("plan-edited-" .. i .. ".apply.txt", done.out .. done.err)
      t:same("a plan that " .. edit[1])
    end
    local adopt = { "--adopt", USERS, "--save", "user.plan" }
    t.check.equal(t:keymend("plan", adopt).exit, 0, "plan --adopt of a user's file")
    t.check.equal(t:keymend("apply", { "--plan", "user.plan", "--yes" }).exit % 16 < 8, true,
      "a plan made with --adopt is applied")
    t.check.has(t:keymend("history", { "--json" }).out, "--adopt " .. USERS, "and history tells it")
  end,
}
