-- hotfix-after-repair.lua: after the repair of the KB's case its hotfix is named as prevention
local volume = ...
local hotfix = require "hotfix"

return {
  title = "diagnose names the hotfix after a repair",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
    files = hotfix.files { ["Advapi32.dll"] = "5.0.2195.6710", ["Crypt32.dll"] = "5.131.2195.6661" },
  },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
  again = { findings = { "info hotfix.missing" } },
}
