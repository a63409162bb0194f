-- policy-eras.lua: copied key files: a policy lets the master keys choose, of two old ones and of what is the younger
local volume = ...

local FIRST, SECOND, LAST = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9", "2c7d18e5-90b4-4f3a-a6e1-7b58d20c94f3",
  "5b0e7a64-2f19-4c83-b6d1-0a9e8c7f3d25"
local COPIED = "2004-12-01T08:00:00Z"

return {
  title = "a policy with master_key_era: of copied key files the master keys tell which is the right one",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.THIRD, made = COPIED, master_key = FIRST },
      { container = volume.IIS, guid = volume.OLD, made = COPIED, master_key = SECOND },
      { container = volume.IIS, guid = volume.NEW, made = COPIED, master_key = LAST },
    },
    master_keys = {
      { guid = FIRST, made = "2000-11-02T07:00:00Z", written = "2000-11-02T07:00:00Z" },
      { guid = SECOND, made = "2001-03-14T09:20:11Z", written = "2001-03-14T09:20:11Z" },
      { guid = LAST, made = "2004-09-13T06:14:01Z", written = "2004-09-13T06:14:01Z" },
    },
  },
  prepare = function(t)
    t:write("eras.lua", [[
-- eras.lua: iis5 for a store that was copied: the DPAPI master keys tell the order
return policy {
  extends "iis5",
  name = "eras",
  adopt = first_of { proved, guid_history, master_key_era },
}
]])
  end,
  policy = { "--policy", "./eras.lua" },
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
