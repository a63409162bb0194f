-- forged-names.lua: a journal in keymend's own folder whose records name files elsewhere
local volume = ...

-- The folder's owner and mode are right (say, the administrator copied it), but the journal's bytes
-- were changed: the path of the store in it leads out of the volume. A changed record no longer
-- fits its CRC.
local function damage(t)
  t.check.equal(t:keymend("apply", { "--yes" }).exit, 0, "a repair")
  t.check.equal(t:keymend("undo").exit, 0, "its undo")
  local journal = t.shell.must("find " .. t.shell.quote(t:vault())
    .. " -type f -name '*journal*'"):match "[^\n]+"
  local text = t.shell.read(journal)
  local changed = text:gsub("MachineKeys", "../../../..", 1)
  t.check.ok(changed ~= text, "the journal names the store")
  t.shell.write(journal, changed)
end

return {
  title = "a journal whose bytes were changed is unreadable, and nothing of it is done",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = damage,
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning txn.unreadable" } },
  plan = {
    exit = 36,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 36 },
  script = function(t)
    for _, verb in ipairs { "undo", "recover" } do
      local done = t:keymend(verb)
      t:expect("forged-names." .. verb .. ".txt", done.out .. done.err)
      t:same(verb)
    end
  end,
}
