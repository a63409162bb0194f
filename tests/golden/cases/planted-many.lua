-- planted-many.lua: a user fills the store with names that begin like a key file's
local volume = ...

local HASH = "c2319c42033a5ca7f44e731bfd3fa2b5"
local STEPS = "retire " .. volume.c23(volume.NEW) .. ", adopt " .. volume.c23(volume.OLD)

local function fill(t, first, last, pattern)
  t.shell.must("cd " .. t.shell.quote(t.made.store) .. " && seq " .. first .. " " .. last
    .. " | xargs printf " .. t.shell.quote(HASH .. pattern .. "\\n") .. " | xargs touch")
end

local function steps(result)
  local list = {}
  local plan = result.document and result.document.plan
  for i, step in ipairs(type(plan) == "table" and plan.steps or {}) do
    list[i] = step.kind .. " " .. step.name
  end
  return table.concat(list, ", ")
end

return {
  title = "thousands of planted names: strays never matter, and --adopt decides the rest",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  script = function(t)
    fill(t, 1, 1500, "_p%s")
    t:remember()
    t.check.equal(steps(t:json "plan"), STEPS, "1,500 strays do not stop the repair")
    fill(t, 10000000, 10001100, "_%s-0000-4000-8000-000000000000")
    t:remember()
    t.check.equal(t:json("plan").exit, 36, "1,100 unique names do")
    local adopt = { "--adopt", volume.c23(volume.OLD) }
    t.check.equal(steps(t:json("plan", adopt)), STEPS, "but --adopt decides")
    t.check.equal(t:keymend("apply", { "--retire", volume.c23(volume.NEW), "--yes" }).exit, 36,
      "--retire alone is refused")
    t:same "plan and refused apply"
    local done = t:keymend("apply", { adopt[1], adopt[2], "--yes" })
    t.check.equal(done.exit, 0, "apply: " .. done.err)
  end,
}
