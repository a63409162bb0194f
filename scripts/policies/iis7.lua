-- iis7.lua: the keys of IIS 7 to 10 after the machine GUID was changed
--
-- iisConfigurationKey and iisWasKey seal passwords in applicationHost.config, NetFrameworkConfigurationKey those in
-- web.config. The configuration itself proves which key file is right, so proof comes first. The two containers of
-- IIS 6 are judged where the IIS 6 compatibility is installed. Keys of CNG (iisCngConfigurationKey, iisCngWasKey) are
-- never touched: one with an older GUID in its name may still be in use. keymend keys lists them.
-- Do not use it after sysprep or where the DPAPI master keys are gone: nothing can decrypt the old key files then; set
-- the passwords in the configuration anew (aspnet_regiis, appcmd).

return policy {
  api = 1,
  name = "iis7",
  title = "IIS 7 to 10 configuration keys",

  applies = all_of { windows { from = "6.0" }, has_service "WAS" },

  containers = {
    optional "iisConfigurationKey",
    optional "iisWasKey",
    optional "NetFrameworkConfigurationKey",
    optional "Microsoft Internet Information Server",
    optional "MS IIS DCOM Server",
  },

  -- The errors that tell of a key: not found, cannot be decrypted, is not the one that signed.
  onset = first_failure {
    event { source = "Microsoft-Windows-WAS", ids = { 5005, 5189 }, code = { 0x80090006, 0x8009000B, 0x80090016 } },
    event {
      source = "Service Control Manager", ids = { 7023, 7024 }, service = "WAS",
      code = { 0x80090006, 0x8009000B, 0x80090016 },
    },
    event {
      source = "Service Control Manager", ids = { 7023, 7024 }, service = "IISADMIN",
      code = { 0x80090006, 0x8009000B, 0x80090016 },
    },
  },

  retire = regenerated,
  adopt = first_of { proved, guid_history, sole_candidate },

  services = { "WAS", "IISADMIN", dependents = true, start = "auto", order = { "WAS", "W3SVC", "IISADMIN" } },

  cause = "MachineGuid was changed; IIS misses the keys of its configuration.",
  symptoms = {
    "Application pools do not start; passwords in the configuration cannot be read: 0x80090016, 0x8009000B.",
    "System log: WAS 5005, 5189 with such a code; Service Control Manager 7024 for IISADMIN (0x80090006).",
  },
  after = {
    "Start the application pools that use an account of their own, and look whether they run.",
    "Keys of CNG were not touched; keymend keys lists them.",
  },
}
