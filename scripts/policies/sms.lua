-- sms.lua: the key of the SMS or ConfigMgr client and site after the machine GUID was changed
--
-- Used only where it is named (keymend diagnose --policy sms): a client that finds no key makes a new one and registers
-- anew by itself, which costs its history on the site and nothing else. With its old key it goes on as the client that
-- it was. Do not use it on a cloned computer (two clients with one identity are worse than a new one), after sysprep or
-- where the DPAPI master keys are gone (nothing can decrypt the old key), or when the client has registered anew since:
-- the site trusts the new key then.

return policy {
  api = 1,
  name = "sms",
  title = "SMS and ConfigMgr key",
  use = "named",

  applies = any_of { has_service "CcmExec", has_service "SMS_EXECUTIVE" },
  containers = { "SMS" },

  onset = first_failure {
    event { source = "Service Control Manager", ids = { 7023, 7024 }, service = "CcmExec" },
    event { source = "Service Control Manager", ids = { 7023, 7024 }, service = "SMS_EXECUTIVE" },
  },

  retire = regenerated,
  adopt = first_of { proved, guid_history, sole_candidate },
  services = {
    "CcmExec", "SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER", dependents = true, start = "auto",
    order = { "SMS_SITE_COMPONENT_MANAGER", "SMS_EXECUTIVE", "CcmExec" },
  },

  cause = "MachineGuid was changed; SMS misses its key.",
  symptoms = { "The client's log tells that it cannot sign or decrypt: 0x80090016, 0x8009000B." },
}
