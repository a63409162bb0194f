-- iis6.lua: the IIS 6.0 metabase key on Windows Server 2003 and XP x64 after the machine GUID was changed
--
-- As iis5.lua, which explains every field, with the events of IIS 6 and the key of its DCOM server beside it.
-- Do not use it after sysprep or where the DPAPI master keys are gone: the old key files cannot be decrypted then
-- (key.disproved says so), and IIS has to be set up anew from a backup of its metabase with a password.

return policy {
  api = 1,
  name = "iis6",
  title = "IIS 6.0 metabase key",

  applies = all_of { windows { from = "5.2", below = "6.0" }, has_service "IISADMIN" },

  containers = { "Microsoft Internet Information Server", optional "MS IIS DCOM Server" },

  -- 0x80090006 is NTE_BAD_SIGNATURE: the key that was found is not the one that signed; 0x8009000B and 0x80090016: it
  -- cannot be decrypted, it is not found.
  onset = first_failure {
    event {
      source = "Service Control Manager", ids = { 7023, 7024 }, service = "IISADMIN",
      code = { 0x80090006, 0x8009000B, 0x80090016 },
    },
    event {
      source = "Service Control Manager", ids = { 7023, 7024 }, service = "W3SVC",
      code = { 3, 6, 1008, 0x80090003, 0x80090005, 0x80090006, 0x8009000B, 0x8009000D, 0x80090016, 0x8009001A },
    },
  },

  retire = regenerated,
  adopt = first_of { proved, guid_history, sole_candidate },

  services = { "IISADMIN", dependents = true, also = { "SMS_*", "CcmExec" }, start = "auto" },

  cause = "MachineGuid was changed; IIS 6.0 misses its metabase key.",
  symptoms = {
    "The IIS Admin Service does not start: 0x80090006 (NTE_BAD_SIGNATURE), 0x80090016 or 0x8009000B.",
    "System log: Service Control Manager 7023 or 7024 for IISADMIN, then for what needs it.",
  },
  after = { "Look for what changed MachineGuid (cloning, a cleaner, a restored registry), or it happens again." },
}
