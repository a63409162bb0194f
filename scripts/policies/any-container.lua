-- any-container.lua: whatever the key store orphaned and no other policy knows
--
-- Used only where it is named (keymend diagnose --policy any-container). A container is orphaned when it has key files
-- under other GUIDs and none under the machine GUID; it is judged here when no shipped policy names it. Since nothing
-- is known of the program, a key file is adopted only when something that uses it proves it, or when it is the only
-- candidate and a backup of the registry names its GUID as the one of before.
-- Do not use it for a store that was cloned or bloated by imported certificates: its old key files are leftovers that
-- nobody misses. Look with keymend run scripts/repair/orphans.lua first, and adopt nothing that nobody misses. Nor use
-- it after sysprep or where the DPAPI master keys are gone: nothing can decrypt the old key files then.

return policy {
  api = 1,
  name = "any-container",
  title = "Orphaned keys of programs that no other policy knows",
  use = "named",

  containers = every_orphan,
  adopt = first_of { proved, all_of { guid_history, sole_candidate } },

  cause = "MachineGuid was changed; programs miss their keys.",
  after = { "Restart the programs whose keys were adopted, or Windows: no policy knows them." },
}
