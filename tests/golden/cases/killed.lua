-- killed.lua: keymend is killed in the middle of the swap; every verb reports it, recover mends it
local volume = ...

local CALLS = "link,linkat,rename,renameat,renameat2"

return {
  title = "killed in the middle: reported, refused, recovered",
  needs = { "strace" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  script = function(t)
    local check, original = t.check, t:store()
    for nth = 1, 4 do
      local killed = t:keymend("apply", { "--yes" }, {
        before = ("strace -f -o /dev/null -e trace=%s -e inject=%s:signal=KILL:when=%d"):format(
          CALLS, CALLS, nth),
      })
      local open = t:json "diagnose"
      t:remember()
      local found = {}
      for _, finding in ipairs(open.document.findings) do found[finding.id] = finding.severity end
      if killed.exit ~= 0 and found["txn.open"] then
        check.equal(found["txn.open"], "error", "diagnose reports the interrupted transaction")
        check.equal(open.exit, 4, "exit status of diagnose")
        if nth == 2 then t:expect("killed.diagnose.txt", t:keymend("diagnose").out) end
        for _, verb in ipairs { "plan", "keys", "services", "history" } do
          local seen = t:keymend(verb)
          check.has(seen.out .. seen.err, "recover",
            verb .. " tells of the interrupted transaction")
        end
        check.ok(t:keymend("apply", { "--yes" }).exit >= 32, "apply refuses")
        check.ok(t:keymend("undo").exit >= 32, "undo refuses")
        t:same "refused verbs"
        local recovered = t:keymend "recover"
        check.equal(recovered.exit, 0, "recover: " .. recovered.out .. recovered.err)
        if nth == 2 then t:expect("killed.recover.txt", recovered.out .. recovered.err) end
        t.hit = true
      end
      check.same_text(t.shell.listing(t:store()), t.shell.listing(original),
        "the store after recover, call " .. nth)
      t:remember()
      check.equal(t:keymend("recover").exit, 0, "a second recover")
      t:same "a second recover"
    end
    check.ok(t.hit, "at least one transaction was interrupted")
    check.equal(t:keymend("apply", { "--yes" }).exit, 0, "then the repair goes through")
    t:again {}
  end,
}
