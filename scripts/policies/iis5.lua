-- iis5.lua: the IIS 5.0 metabase key after the machine GUID was reset (KB 884872)
--
-- What happened, in the words of KB 884872: the value MachineGuid is not read correctly, so Windows resets it. The RSA
-- machine key of IIS stands in a file whose name ends in the old value, so Windows no longer finds it; it makes a new
-- key file, and with that IIS cannot open its metabase.
--
-- Read it as the article's steps; "step" and "rename step" below count as its two lists do. Every field but name and
-- containers has a default. To change a field, do not copy this file: write a policy that says extends "iis5" and that
-- field alone. docs/own-policy.md leads from there to the repair; docs/policy-language.md names every field and rule.
--
-- Do not use it after sysprep or where the DPAPI master keys are gone: nothing can decrypt the old key files then
-- (key.disproved says so), and IIS has to be set up anew. Nor where the metabase was restored, or IIS set up, since the
-- reset: it belongs to the new key.

return policy {
  api = 1,
  name = "iis5",
  title = "IIS 5.0 metabase key",
  kb = "884872",

  -- Windows 2000 and XP (5.0, 5.1) with IIS. Windows Server 2003 (5.2) has IIS 6, which keeps its key otherwise.
  applies = all_of { windows { from = "5.0", below = "5.2" }, has_service "IISADMIN" },

  -- Steps 4 and 5: the files that start with c23. c2319c42033a5ca7f44e731bfd3fa2b5 is the hash of this name.
  containers = { "Microsoft Internet Information Server" },

  -- Step 6, "the time when the problem started": the first of these events in the System log after the container's last
  -- known success; SYMPTOMS names them. Where the log tells none: when Windows made the new key file. The registry key
  -- that holds MachineGuid was written no earlier than the reset. If you know better, give --onset TIME. W3SVC may end
  -- with other errors too (a port in use); these codes point at a key: 3, 6 and 1008 of the article, and CryptoAPI's.
  onset = first_failure {
    event { source = "W3SVC", id = 116 },
    event {
      source = "Service Control Manager", ids = { 7023, 7024 }, service = "W3SVC",
      code = { 3, 6, 1008, 0x80090003, 0x80090005, 0x80090006, 0x8009000B, 0x8009000D, 0x80090016, 0x8009001A },
    },
  },

  -- Steps 6 to 9: the newest c23 file, made nearest to that time, is backed up and taken away. keymend moves it into
  -- the vault, so that undo brings it back. If the nearest was made before that time, it refuses (key.onset-mismatch).
  retire = regenerated,

  -- Rename steps 6 to 10: the older c23 file gets the machine GUID as the end of its name. The article does not say
  -- which, when several remain. Here: one that is proved; else the only one whose GUID a backup of the registry
  -- names (repair\software); else the only one there is; else keymend refuses and shows them.
  adopt = first_of { proved, guid_history, sole_candidate },

  -- Rename steps 11 and 12: restart the IIS services (all that need IISADMIN) and all related SMS services.
  services = { "IISADMIN", dependents = true, also = { "SMS_*", "CcmExec" }, start = "auto" },

  -- SYMPTOMS: what one sees, so that the finding is recognised.
  cause = "MachineGuid was reset; IIS misses its metabase key (KB 884872).",
  symptoms = {
    "Could not start the World Wide Web Publishing Service. Error 1008: An attempt was made to reference a token that "
      .. "does not exist.",
    "Internet Services Manager: The specified handle is invalid.",
    "System log: W3SVC 116 (data 03 00 00 00), Service Control Manager 7023.",
  },

  -- Rename step 13: the hotfix prevents the next reset; it does not mend this one.
  after = {
    "Apply the hotfix of KB 884872 (Windows 2000 SP3 or later, advapi32.dll 5.0.2195.6968) so that it does not happen "
      .. "again; it asks for a restart of Windows.",
  },
}
