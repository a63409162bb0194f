-- disproved-plan.lua: a saved plan adopts a key that is disproved by the time it is applied
local proof = require "proof"
local volume = ...

local HASH = "76944fb33636aeddb9590521c2e8815a_"

return proof.case("was", {
  title = "a saved plan for a disproved key is refused, unless --force-disproved",
  volume = proof.was(),
  script = function(t)
    local check = t.check
    local made = t:keymend("plan", { "--adopt", HASH .. volume.OLD, "--force-disproved", "--save", "was.plan" })
    check.equal(made.exit, 0, "a plan is saved: " .. made.out .. made.err)
    local text = t.shell.read(t.dir .. "/was.plan")
    check.has(text, " --force-disproved\"", "the plan names what was overruled")
    t:write("was.plan", (text:gsub(" %-%-force%-disproved", "")))
    t:remember()
    t.case.policy = nil -- a saved plan has been judged
    local refused = t:keymend("apply", { "--plan", "was.plan", "--yes" })
    check.ok(refused.exit == 32 or refused.exit == 36, "without --force-disproved it is refused", refused.out
      .. refused.err)
    check.has(refused.err, "is disproved", "the message says why")
    check.has(refused.err, "--force-disproved", "and what overrules")
    t:same("the refused apply")
    local done = t:keymend("apply", { "--plan", "was.plan", "--force-disproved", "--yes" })
    check.equal(done.exit, 0, "with it, it is done: " .. done.out .. done.err)
    local history = t:json("history").document
    check.has(history.history[1].overrides, "--force-disproved", "the journal names it")
  end,
})
