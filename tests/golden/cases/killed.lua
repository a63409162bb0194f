-- killed.lua: keymend is killed in the middle of the swap; every verb reports it, recover mends it
local volume = ...

-- Where strace kills: the nth call of a kind. Flushes of the journal, the link and the rename of the swap.
local POINTS = {
  { "linkat", 1 }, { "renameat", 1 }, { "fsync", 3 }, { "fsync", 6 }, { "fsync", 8 },
  { "fdatasync", 1 }, { "fdatasync", 2 }, { "fdatasync", 3 },
}

local function has_open(document)
  for _, finding in ipairs(document.findings) do
    if finding.id == "txn.open" then return finding.severity end
  end
end

-- All that must be so while a transaction is open; `shown`: the outputs are compared too.
local function check_open(t, document, shown)
  local check = t.check
  check.equal(has_open(document), "error", "diagnose reports the interrupted transaction")
  check.equal(document.exit, 4, "exit status of diagnose")
  t:remember()
  if shown then t:expect("killed.diagnose.txt", t:keymend("diagnose").out) end
  for _, verb in ipairs { "plan", "keys", "services", "verify", "events", "history" } do
    local seen = t:keymend(verb)
    check.has(seen.out .. seen.err, "recover", verb .. " tells of the interrupted transaction")
    t:same(verb, true)
  end
  local refused = t:keymend("apply", { "--yes" })
  check.ok(refused.exit >= 32, "apply refuses", refused.exit .. refused.out .. refused.err)
  if shown then t:expect("killed.apply.txt", refused.out .. refused.err) end
  check.ok(t:keymend("undo").exit >= 32, "undo refuses")
  t:same "apply and undo"
  local recovered = t:keymend "recover"
  check.equal(recovered.exit, 0, "recover: " .. recovered.out .. recovered.err)
  if shown then t:expect("killed.recover.txt", recovered.out .. recovered.err) end
end

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
    local check, before = t.check, t.shell.listing(t:store())
    check.equal(t:keymend("apply", { "--yes" }).exit, 0, "a repair")
    local after = t.shell.listing(t:store())
    check.equal(t:keymend("undo").exit, 0, "its undo")
    local open = 0
    for _, point in ipairs(POINTS) do
      local inject = ("strace -f -o /dev/null -e trace=%s -e inject=%s:signal=KILL:when=%d"):format(
        point[1], point[1], point[2])
      local killed = t:keymend("apply", { "--yes" }, { before = inject })
      check.equal(killed.exit, 137, ("killed at %s %d"):format(point[1], point[2]))
      local document = t:json("diagnose").document
      if has_open(document) then
        open = open + 1
        check_open(t, document, point[1] == "renameat")
      end
      check.equal(t:keymend("recover").exit, 0, "recover of what never began")
      local found = t.shell.listing(t:store())
      check.ok(found == before or found == after, "the store is as before or as after the repair", found)
      t:remember()
      check.equal(t:keymend("recover").exit, 0, "a second recover")
      t:same "a second recover"
      if found ~= before then check.equal(t:keymend("undo").exit, 0, "undo of what recover finished") end
      check.same_text(t.shell.listing(t:store()), before, "the store is as before")
    end
    check.ok(open >= 4, "at least four kills left an open transaction", open)
    check.equal(t:keymend("apply", { "--yes" }).exit, 0, "then the repair goes through")
    t:again {}
  end,
}
