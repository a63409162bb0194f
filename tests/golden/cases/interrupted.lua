-- interrupted.lua: Ctrl-C, SIGTERM or a hang-up in the middle of apply rolls back
local volume = ...

return {
  title = "interrupted by a signal: rolled back",
  needs = { "strace" },
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  script = function(t)
    local check, original = t.check, t:store()
    for _, signal in ipairs { "INT", "TERM", "HUP" } do
      local done = t:keymend("apply", { "--yes" }, {
        before = "strace -f -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:signal="
          .. signal
          .. ":when=3",
      })
      check.ok(done.exit == 8 or done.exit == 12, signal .. ": exit status 8", done.exit .. "\n"
        .. done.out .. done.err)
      t:expect("interrupted-" .. signal .. ".txt", done.out .. done.err)
      check.same_text(t.shell.listing(t:store()), t.shell.listing(original),
        signal .. ": the store is as before")
      check.equal(t:keymend("recover").exit, 0, signal .. ": nothing is left to recover")
    end
    check.equal(t:keymend("apply", { "--yes" }).exit, 0, "then the repair goes through")
    t:again {}
  end,
}
