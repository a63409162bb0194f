-- dirty-replayed.lua: the machine stopped right after the reset: the new machine GUID stands in SOFTWARE's log alone
local volume = ...

return {
  title = "a dirty SOFTWARE hive whose log is replayed: the true machine GUID, and the one before it",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.THIRD, made = "2001-05-02T22:47:19Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    dirty = { SOFTWARE = { guid = volume.OLD, written = "2001-03-14T10:20:00Z", log = "old" } },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated", "info hive.dirty" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
  again = { exit = 0, findings = { "info hive.dirty" } }, -- the hive is as it was
  script = function(t)
    for _, verb in ipairs { "keys", "verify" } do
      local found = t:keymend(verb)
      t:expect(("dirty-replayed.%s.txt"):format(verb), found.out .. found.err)
    end
  end,
}
