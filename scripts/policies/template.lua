-- template.lua: which key container, which key file is right, which services are restarted
--
-- Look at what it does before it is used, without a target and without risk:
--   keymend policies check template.lua     whether it is in order
--   keymend policies test template.lua      what it would do on the golden volumes
-- then on a target, where diagnose and plan change nothing:
--   keymend diagnose --root DIR --policy ./template.lua
-- A policy proposes and never writes; apply asks first and can be undone. To change one field of a shipped policy, do
-- not copy it: write extends "iis5" and that field. docs/policy-language.md names the fields that are not below. Do
-- not adopt old keys after sysprep, or where the DPAPI master keys are gone: nothing can decrypt them.

return policy {
  api = 1,           -- the version of this language
  name = "template", -- what --policy, plan and journal call it: letters, digits, _ and -
  title = "What is mended, in a few words",

  -- Where it applies: all of these conditions hold. Leave out what does not matter.
  applies = all_of { windows { from = "5.0" }, has_service "IISADMIN" },

  -- The names that programs open, not file names: keymend keys --all shows them.
  containers = { "Microsoft Internet Information Server" },

  -- When the problem began: the first of these events after the container's last known success; where the log tells
  -- none, the time when Windows made the new key file.
  onset = first_failure {
    event { source = "Service Control Manager", id = 7023, service = "W3SVC" },
  },

  -- Which key file goes: the one that Windows made when it no longer found the right one.
  retire = regenerated,

  -- Which is right: the first rule that names one; keymend refuses and shows the candidates when none does. A function
  -- (keys, case) -> key or nil, reason may stand in the place of any rule.
  adopt = first_of { proved, guid_history, sole_candidate },

  -- What is stopped and started: names (with * and ?), all that need them (dependents), and others (also).
  services = { "IISADMIN", dependents = true, also = {}, start = "auto" },
}
