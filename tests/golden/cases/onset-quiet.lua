-- onset-quiet.lua: the failures ended: Windows was started since, and W3SVC logged none
local volume = ...
local iislog = require "iislog"

local log = iislog.new()
log:boot "2004-09-13T06:13:20Z"
log:failure "2004-09-13T06:14:05Z"
log:boot "2004-09-15T06:10:00Z"
log:other "2004-09-15T09:00:00Z"

return {
  title = "failures that ended, with --onset and without",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    files = { log:file() },
  },
  diagnose = { exit = 4, findings = { "warning key.in-use" } },
  plan = { exit = 36 },
  script = function(t)
    local given = t:keymend("diagnose", { "--onset", "2004-09-13T06:14:00Z" })
    t.check.equal(given.exit, 4, "with --onset")
    t:expect("onset-quiet.onset.txt", given.out .. given.err)
  end,
}
