-- policy-sms.lua: the key of SMS, which is judged only where its policy is named
local volume = ...

local SMS = "19c5cf9c7b5dc9de3e548adb70398402_"

return {
  title = "sms: named; the services start in the policy's order",
  volume = {
    keys = {
      { container = "SMS", guid = volume.OLD, made = "2003-11-20T13:05:51Z" },
      { container = "SMS", guid = volume.NEW, made = "2004-09-13T06:20:11Z" },
    },
    others = false,
  },
  policy = { "--policy", "sms" },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", SMS .. volume.NEW },
      { "adopt", SMS .. volume.OLD, SMS .. volume.NEW },
    },
  },
  apply = { exit = 0 },
}
