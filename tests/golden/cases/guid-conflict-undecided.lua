-- guid-conflict-undecided.lua: one container names an old GUID that the other's candidates rule out
local volume = ...

return {
  title = "a decided container and an undecided one disagree on the old GUID: refused",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.DCOM, guid = volume.THIRD, made = "2001-03-14T10:22:31Z" },
      { container = volume.DCOM, guid = "aaaaaaaa-53ab-4f0e-a2c6-90b1d4e8f327",
        made = "2001-05-14T10:22:31Z" },
    },
    others = false,
  },
  prepare = volume.case("guid-conflict").prepare,
  policy = { "--policy", "./two.lua" },
  diagnose = { exit = 4, findings = { "error case.guid-conflict", "error key.ambiguous",
    "error key.orphaned" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
