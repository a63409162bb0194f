-- stale.lua: the store changes between plan --save and apply --plan
local volume = ...

-- Each change is made on a store for which the plan was saved, and taken back afterwards.
local CHANGES = {
  { "the orphan is touched", function(t, old)
    t.shell.must("cp -p " .. old .. " " .. t.dir .. "/kept && touch -d 2004-10-01T00:00:00Z "
      .. old)
  end },
  { "the orphan has other bytes of the same size and time", function(t, old)
    t.shell.must("cp -p " .. old .. " " .. t.dir .. "/kept && printf x | dd of=" .. old
      .. " bs=1 seek=400 conv=notrunc 2> /dev/null && touch -r " .. t.dir .. "/kept " .. old)
  end },
  { "the orphan is gone", function(t, old) t.shell.must("mv " .. old .. " " .. t.dir
    .. "/kept") end },
  { "the orphan is another file with the same bytes and times", function(t, old)
    t.shell.must("mv " .. old .. " " .. t.dir .. "/kept && cp -p " .. t.dir .. "/kept " .. old)
  end },
  { "the orphan has a second name", function(t, old)
    t.shell.must("cp -p " .. old .. " " .. t.dir .. "/kept && ln " .. old .. " " .. t.root
      .. "/second")
  end, function(t) t.shell.must("rm " .. t.root .. "/second") end },
}

return {
  title = "the store changed between plan and apply: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  script = function(t)
    local old = t.shell.quote(t.made.store .. "/" .. volume.c23(volume.OLD))
    for i, change in ipairs(CHANGES) do
      t.check.equal(t:keymend("plan", { "--save", "saved.plan" }).exit, 0, "plan --save")
      change[2](t, old)
      t:remember()
      local done = t:keymend("apply", { "--plan", "saved.plan", "--yes" })
      t.check.ok(done.exit == 32 or done.exit == 36, change[1] .. ": apply refuses",
        done.exit .. "\n" .. done.err)
      t:expect("stale-" .. i .. ".apply.txt", done.out .. done.err)
      t:same(change[1] .. ": apply")
      t.shell.must("rm -f " .. old .. " && mv " .. t.dir .. "/kept " .. old)
      if change[3] then change[3](t) end
    end
    t.check.equal(t:keymend("plan", { "--save", "saved.plan" }).exit, 0, "plan --save")
    t.check.equal(t:keymend("apply", { "--plan", "saved.plan", "--yes" }).exit, 0,
      "an unchanged store is repaired")
    t:again {}
    local again = t:keymend("apply", { "--plan", "saved.plan", "--yes" })
    t.check.equal(again.exit, 32, "the same plan a second time is refused")
    t:same "the same plan a second time"
  end,
}
