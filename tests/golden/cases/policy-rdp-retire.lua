-- policy-rdp-retire.lua: the certificate of Remote Desktop is of no key file here: the current one is retired
local proof = require "proof"
local volume = ...

local HASH = "f686aace6942fb7f7ceb231212eef4a4_"

return {
  title = "rdp: the bound certificate fits no key file: Windows makes a new one",
  needs = { "forge" },
  volume = proof.rdp { current = true, right = "elsewhere", candidates = { volume.OLD } },
  diagnose = { exit = 4, findings = { "error key.regenerated", "warning key.disproved" } },
  plan = { exit = 4, steps = { { "retire", HASH .. volume.NEW } } },
  apply = { exit = 0 },
}
