-- findings.lua: the table of findings: id, severity, text, remedy, and whether apply mends it unasked
--
-- Data only. An entry:
--   severity  "info", "warning" or "error"; a judge may lower or raise it for a case (see diagnosis.lua)
--   text      one or two sentences; %{field} is filled in by the judge
--   remedy    what to do next; same fields; "" when there is nothing to do
--   fixable   apply mends it without being asked for more
--   refuses   while it stands no plan is made for what it names (exit status 32)
--   blocks    a plan is made, but apply would refuse it (exit status 32)
--   and other wordings { text?, remedy? }: chosen, retired (the administrator decided), restored (the former machine
--             GUID is put back, or was), both (keymend also plans to adopt), refused (keymend would),
--             current (the current key file
--             itself), contradiction (the registry contradicts the files), unknown (it is not known what applies),
--             choices (there are other key files), works, failing (the services do), logged (a log tells it), replayed
--             (a hive's logs were), live (this Windows runs), repair, undecided, interrupted, adopted (what the plan or
--             keymend does about the keys), after (of undo and recover), busy (another program has the file open),
--             remade (the program makes its key anew), prerequisite (what has to be there before it is not),
--             disproved (the current key file is); of a disproved key: closed, forged, mismatch, identity (why it is;
--             see proof.lua), other (the current one is another key)
-- A policy may add ids that begin with its own name and a dot, and may give its own text or remedy for the
-- ids here (policy.lua); it cannot change severity, fixable and refuses.

local OTHER_PROGRAMS = "Other programs know this computer by its machine GUID, such as licences and management "
  .. "agents. A clone must not get the machine GUID of its template back."

return {
  -- The target as a whole
  ["guid.absent"] = {
    severity = "error",
    refuses = true,
    text = "The registry holds no MachineGuid (HKLM\\SOFTWARE\\Microsoft\\Cryptography), so no key file is "
      .. "current and every key container of this computer is out of reach.",
    remedy = "Restore the value from a backup of the registry. keymend never makes one up. %{old}",
  },
  ["guid.malformed"] = {
    severity = "error",
    refuses = true,
    text = 'MachineGuid is "%{raw}", which is not a plain GUID (8-4-4-4-12 hexadecimal digits, no braces). '
      .. "Windows puts the text into key file names as it stands.",
    remedy = "Correct the value with the Registry Editor, then run keymend again. %{old}",
  },
  ["guid.case"] = {
    severity = "info",
    text = "MachineGuid is stored with upper-case digits (%{raw}). Windows ignores the case.",
    remedy = "",
  },
  ["guid.restorable"] = {
    severity = "info",
    text = "Of the %{all} key files with a GUID in their name %{files} stand under one former machine GUID, %{guid}. "
      .. "So there is a second remedy: put that one back into the registry, instead of renaming key files.",
    remedy = OTHER_PROGRAMS .. " Where this computer had that machine GUID, and what is no longer found can be missed, "
      .. "this plans it:",
    both = {
      remedy = OTHER_PROGRAMS .. " Choose one of the two. The first command plans to rename key files, the second to "
        .. "put the machine GUID back:",
    },
    refused = {
      remedy = "keymend would refuse it: %{why}.",
    },
    chosen = {
      text = "The former machine GUID %{guid} is to be put back into the registry (%{chooser}): %{files} of the %{all} "
        .. "key files with a GUID in their name stand under it.",
      remedy = OTHER_PROGRAMS,
    },
  },
  ["guid.restore-refused"] = {
    severity = "error",
    refuses = true,
    text = "The former machine GUID %{guid} is not put back (%{chooser}): %{why}.",
    remedy = "Nothing is planned. Mend what speaks against it, or have key files adopted instead: leave "
      .. "--restore-guid out, or set remedy = adopt_file in the policy.",
  },
  ["store.absent"] = {
    severity = "error",
    refuses = true,
    text = 'The key store "%{store}" cannot be used: %{problem}.',
    remedy = "If it may not be read, run keymend as root, or as administrator. If the folder is on another volume, "
      .. "name that volume with --volume D:=DIR. If it was deleted, restore it from a backup: keymend cannot make "
      .. "keys.",
    live = {
      remedy = "If it may not be read, run keymend as administrator. If it was deleted, restore it from a backup: "
        .. "keymend cannot make keys.",
    },
  },
  ["hive.dirty"] = {
    severity = "warning",
    text = 'The %{hive} hive "%{path}" was not closed cleanly (sequence numbers %{sequence1} and '
      .. "%{sequence2}): its newest changes may stand only in its logs, %{risk}. They cannot be replayed: %{replay}.",
    remedy = "Best: start this Windows once and shut it down cleanly, then run keymend again. %{accept}",
    replayed = {
      text = 'The %{hive} hive "%{path}" was not closed cleanly (sequence numbers %{sequence1} and %{sequence2}). Its '
        .. "logs were replayed in memory (%{replay}), so it is read as Windows itself would restore it at its next "
        .. "boot; the file is untouched.",
      remedy = "",
    },
  },
  ["times.unavailable"] = {
    severity = "info",
    text = "Creation times of key files cannot be had here: %{why}. Where a decision needs them, keymend refuses.",
    remedy = "Give them with --times FILE: a bodyfile made from the original volume, for example by fls -m of "
      .. "The Sleuth Kit.",
  },
  ["policy.none"] = {
    severity = "info",
    text = "No policy applies to this Windows (%{version}): keymend knows of nothing to judge here.",
    remedy = "See which there are with keymend policies list; name one of your own with --policy FILE.",
  },

  ["policy.failed"] = {
    severity = "error",
    refuses = true,
    text = 'The function %{field} of policy "%{policy}" failed, so nothing is decided for "%{container}": %{message}.',
    remedy = "Correct the policy, then run keymend again. Or decide without it, and name the right key file:",
    check = {
      text = 'A function of %{field} of policy "%{policy}" failed, so what it would tell of "%{container}" is not '
        .. "told: %{message}.",
      remedy = "Correct the policy, then run keymend again. What keymend itself found stands as it is.",
    },
  },

  -- Prevention
  ["hotfix.missing"] = {
    severity = "info",
    text = "The hotfix of KB 884872, which keeps Windows 2000 from resetting the machine GUID again, is not in place: "
      .. "%{count} of its %{all} files are older here.",
    remedy = "Install it, or a later update that holds these files, then restart Windows. It prevents the next reset; "
      .. "it repairs nothing.",
    prerequisite = {
      text = "The hotfix of KB 884872, which keeps Windows 2000 from resetting the machine GUID again, cannot be in "
        .. "place: it needs Service Pack 3, and this Windows has %{service_pack}.",
      remedy = "Install Service Pack 4 (or 3), then the hotfix, then restart Windows. It prevents the next reset; it "
        .. "repairs nothing.",
    },
    unknown = {
      text = "Nobody can tell whether the hotfix of KB 884872, which keeps Windows 2000 from resetting the machine "
        .. "GUID again, is in place: %{problem}.",
      remedy = "Compare the files with the table of KB 884872, or install the hotfix: a file that is newer stays. It "
        .. "prevents the next reset; it repairs nothing.",
    },
  },

  -- Transactions
  ["txn.open"] = {
    severity = "error",
    refuses = true,
    text = "Transaction %{id}, begun %{begun}, was interrupted before it ended. Its key files are safe in the "
      .. "store or in its vault; apply and undo wait until it is recovered. The key containers are judged after that.",
    remedy = "Recover it: what was committed is finished, all else is put back.",
  },
  ["txn.forged"] = {
    severity = "warning",
    blocks = true,
    text = "The folder for transactions is not one that keymend made: %{problem}",
    remedy = "Anyone may create folders there, so keymend does not use it, and apply refuses. Look who made it, "
      .. "then rename or remove it.",
  },
  ["txn.unreadable"] = {
    severity = "warning",
    blocks = true,
    text = "The journal of transaction %{id} cannot be read, so nobody can tell whether it was finished: %{problem}",
    remedy = "Look at its vault, which may hold key files, then move its folder out of the keymend folder and keep "
      .. "it; apply, undo and recover refuse till then.",
    busy = {
      text = "The journal of transaction %{id} is in use by another program, so keymend cannot tell now whether it was "
        .. "finished: %{problem}",
      remedy = "Try again when that program (another keymend, a backup, a virus scanner) is done with it; apply, undo "
        .. "and recover refuse till then.",
    },
  },
  ["txn.unknown"] = {
    severity = "warning",
    blocks = true,
    text = "What keymend did to this target before cannot be read, so the judgement below may be wrong: %{problem}",
    remedy = "Run keymend with the rights to read it (as root, or as administrator).",
  },

  -- Services
  ["service.disabled"] = {
    severity = "warning",
    text = "Disabled, so Windows will not start them whatever is done to the keys: %{names}.",
    remedy = "If they are meant to run, set their start type back (Services, or sc config NAME start= auto).",
  },
  ["service.cycle"] = {
    severity = "warning",
    text = "These services need one another in a circle, so no start order is right: %{cycle}.",
    remedy = "Remove one of the dependencies (DependOnService of one of them).",
  },
  ["service.unreadable"] = {
    severity = "warning",
    text = "The services of this Windows cannot be read: %{problem}",
    remedy = "No service is stopped or started because of that. Mend the SYSTEM hive, then run keymend again.",
    unknown = {
      text = "The services of this Windows cannot be read (%{problem}), so nobody can tell whether these policies "
        .. "apply: %{names}. What they would judge is not judged.",
      remedy = "Mend the SYSTEM hive or restore it from a backup, then run keymend again. Or name a policy of your own "
        .. "that asks for no service with --policy FILE.",
    },
    live = {
      remedy = "No service is stopped or started because of that. Run keymend as administrator.",
    },
  },
  ["service.failed"] = {
    severity = "warning",
    text = "Not running, since they failed: %{names}.",
    remedy = "No key file judged here explains it. Look in the event log for their first failure.",
    repair = {
      remedy = "Mend the key first (see above); apply then starts what Windows starts by itself.",
    },
    undecided = {
      remedy = "Decide about the key files first (see above).",
    },
    interrupted = {
      remedy = "Recover the interrupted transaction first (see above), then run keymend diagnose again.",
    },
    adopted = {
      remedy = "keymend adopted the key file they use. If they have not been started since, start them. If they "
        .. "have failed since, it may be the wrong one: keymend undo takes it back.",
    },
  },
  ["service.start-failed"] = {
    severity = "error",
    text = "The key files are in place, but these services did not start: %{names}. Nothing was put back because of "
      .. "that, since a service that was started may have used the key.",
    remedy = "Look at the codes and in the event log. If they say that the key is the wrong one, take the repair back:",
    after = {
      text = "The key files are as they are meant to be, but these services did not start: %{names}.",
      remedy = "Look at the codes and in the event log. If they failed like this before, they need a repair of their "
        .. "key: keymend diagnose tells.",
    },
  },
  ["service.restart-due"] = {
    severity = "warning",
    text = "These services could not be stopped, since they or one that needs them take no stop; so they still hold "
      .. "the key they had: %{names}.",
    remedy = "Restart Windows; then they look for their key anew.",
  },
  ["service.running-orphaned"] = {
    severity = "warning",
    text = 'Still running, with the key of "%{container}" that they opened before: %{names}. At their next start they '
      .. "find none and fail.",
    remedy = "Do not restart them before the key is mended.",
  },

  -- One key container: what is wrong
  ["key.orphaned"] = {
    severity = "error",
    fixable = true,
    text = 'The key file of "%{container}" stands under the old machine GUID %{old_guid}; under the machine GUID '
      .. "there is none, so Windows does not find the key.",
    remedy = "Adopt it: keymend gives it the name that Windows looks for.",
    chosen = { text = 'There is no key file of "%{container}" under the machine GUID. You chose %{name} for it.' },
    restored = {
      text = 'There is no key file of "%{container}" under the machine GUID. Under the one that you put back it is '
        .. "%{name}.",
      remedy = "Put the former machine GUID back: Windows then finds the key file under the name that it has.",
    },
  },
  ["key.regenerated"] = {
    severity = "error",
    fixable = true,
    text = 'Windows no longer found the key of "%{container}" after the machine GUID changed, and made a new one '
      .. "that cannot open what the old one protects. The old key file is still here, under %{old_guid}.",
    remedy = "Retire the new key file into the vault and adopt the old one.",
    chosen = {
      text = 'For "%{container}" you chose %{name} in place of the current %{retired}.',
      remedy = "Retire the current key file into the vault and adopt the chosen one.",
    },
    restored = {
      text = 'For "%{container}" the machine GUID that you put back makes %{name} the current key file, in place of '
        .. "%{retired}.",
      remedy = "Put the former machine GUID back: Windows then finds the old key file under the name that it has, and "
        .. "no longer the new one, which stays where it is.",
    },
    retired = {
      text = 'You chose to retire the current key file of "%{container}", %{retired}; there is none to adopt.',
      remedy = "Retire it into the vault; Windows makes a new key when a program next asks for one.",
    },
    remade = {
      text = 'The current key file of "%{container}", %{retired}, is not the right one, and none of the others is '
        .. "proved. The program makes a new key, and what hangs on it, itself.",
      remedy = "Retire it into the vault; the program makes a new key when it is next started.",
    },
  },
  ["key.ambiguous"] = {
    severity = "error",
    refuses = true,
    text = 'For "%{container}" %{count} could be the right one, and nothing here tells which: %{reason}.',
    remedy = "Compare the key files below. A backup of the registry that names the old machine GUID, or the time of "
      .. "the last backup that worked, often decides. Then name the right one:",
  },
  ["key.onset-mismatch"] = {
    severity = "error",
    refuses = true,
    text = 'The problem began at %{onset}, but the key file of "%{container}" made nearest to that is neither the '
      .. "current one nor one that Windows made then; it is %{nearest}",
    remedy = "Check the time given with --onset (with its zone). If it is right, these files have another history "
      .. "than KB 884872 describes; decide with --adopt.",
    later = {
      text = 'The failures that the System log tells began at %{onset}, when the current key file of "%{container}" '
        .. "had been there since %{nearest}, and no key file was made then. So it is not known to be the wrong key; "
        .. "the failures may have another cause.",
      remedy = "Look in the event log why the services fail. If you know the time when the problem started, give it "
        .. "with --onset; if you know the right key file, name it:",
    },
  },
  ["key.times-useless"] = {
    severity = "error",
    refuses = true,
    text = 'The creation times of the key files of "%{container}" do not tell which is the older.',
    remedy = "Give the original times with --times FILE, or name the right key file:",
    contradiction = {
      text = 'Older than the current key file of "%{container}", yet made after the registry key of the machine GUID '
        .. "was last written: %{count} with another machine GUID. One of these times is wrong, so nothing tells "
        .. "whether the current key is the right one.",
      remedy = "A restored registry, a tool that changes the machine GUID without moving that time, or a wrong clock "
        .. "does this. If the services work, leave all as it is. If they fail, name the right key file:",
    },
  },
  ["key.in-use"] = {
    severity = "warning",
    refuses = true,
    text = 'An older key file of "%{container}" is here, as after a reset of the machine GUID, but its services run: '
      .. "%{names}. Nothing tells whether they were started with the current key or hold the older one from before.",
    remedy = "Restart them when a minute of downtime can be borne. If all come up, the current key is the right one, "
      .. "and nothing is to be done. If one fails, run keymend again: then it plans the repair. Or, if you know the "
      .. "right key file, name it:",
    logged = {
      text = 'An older key file of "%{container}" is here, as after a reset of the machine GUID, but the System '
        .. "log tells that %{names} started after the current one was made. Nothing tells whether with the current "
        .. "key or with the older one from before.",
      remedy = "Start this Windows and its services. If all come up, the current key is the right one, and nothing is "
        .. "to be done. If one fails, run keymend again. Or, if you know the right key file, name it:",
    },
    quiet = {
      text = 'An older key file of "%{container}" is here, as after a reset of the machine GUID, but the System '
        .. "log tells that Windows was started after the current one was made and no failure of %{names} then. So the "
        .. "current key may well be the right one.",
      remedy = "Start this Windows and its services. If all come up, the current key is the right one, and nothing is "
        .. "to be done. If one fails, run keymend again. Or, if you know the right key file, name it:",
    },
    failing = {
      text = 'An older key file of "%{container}" is here, as after a reset of the machine GUID, but %{names} was '
        .. "started with the current one and runs. Other services failed, with codes that do not say that the key is "
        .. "to blame.",
      remedy = "Look in the event log why they failed. If they only wait for something else, mend that: the current "
        .. "key is in use. If you know that it is the wrong one, name the right key file:",
    },
    disproved = {
      text = 'The current key file of "%{container}" is disproved, or another one is the key of what is in use here '
        .. "(see below), but %{names} was started with it and runs. keymend never retires a key that a service runs "
        .. "with.",
      remedy = "If what needs the key fails all the same, stop that service, then run keymend again: then it plans the "
        .. "repair.",
    },
  },
  ["onset.contradiction"] = {
    severity = "warning",
    text = 'What is known of the time when the problem of "%{container}" began (%{onset}) does not fit together.',
    remedy = "Check when the services last worked and first failed, and whether the clock was right. If you know the "
      .. "time, give it with --onset; if you know the right key file, name it with --adopt.",
  },
  ["key.era-contradiction"] = {
    severity = "warning",
    text = 'The master keys that the key files of "%{container}" name contradict the creation times of these files.',
    remedy = "A copied or restored file, a time inherited from a name, or a wrong clock does this. Trust the order of "
      .. "the master keys more; if you know the right key file, name it with --adopt.",
  },
  ["key.current-wrong"] = {
    severity = "error",
    text = 'The current key file of "%{container}" is sound, but its services say that it is not the key they need, '
      .. "and there is no other one to adopt.",
    remedy = "Restore the former key file from a backup of this computer. Without it nobody can read what was "
      .. "encrypted with it: the program then has to be set up anew.",
    choices = {
      remedy = "Restore the former key file from a backup of this computer. Or, if you know that another file here is "
        .. "the right one, name it:",
    },
  },
  ["key.lost"] = {
    severity = "error",
    text = 'There is no key file for "%{container}" under the machine GUID, and none of the others can be adopted '
      .. "by rule.",
    remedy = "%{remedy}",
  },
  ["key.too-many"] = {
    severity = "error",
    refuses = true,
    text = 'There are more than %{limit} key files for "%{container}": too many to judge.',
    remedy = "Some program makes keys and never deletes them. Find it, move its files away, then run keymend again. "
      .. "Or, if you know the right key file, name it:",
  },
  ["key.unreadable"] = {
    severity = "error",
    refuses = true,
    text = 'Key files of "%{container}" could not be read, so nothing is decided: %{names}',
    remedy = "Run keymend with the rights to read them (as root, or as administrator).",
  },
  ["key.absent"] = {
    severity = "warning",
    text = 'There is no key file for "%{container}" at all.',
    remedy = "If its service works, it has not needed a key yet. Else restore the key file from a backup.",
    remade = {
      text = 'There is no key file for "%{container}" under the machine GUID; its program makes one when it is next '
        .. "started, and no old one is proved to be better.",
      remedy = "",
    },
  },
  ["key.access-missing"] = {
    severity = "error",
    text = 'The current key file of "%{container}" lacks permissions that its program needs: %{names}.',
    remedy = "See keymend plan; keymend apply adds the missing entries, leaves the others as they are, and can undo "
      .. "it. Then restart the program. By hand, on Windows, as administrator:",
    refused = {
      remedy = "keymend does not add them: %{why}. Add the missing entries, and leave the others as they are; then "
        .. "restart the program. On Windows, as administrator:",
    },
  },
  ["key.access-unknown"] = {
    severity = "info",
    text = "Who may use the key files of %{names} cannot be told here: %{problem}.",
    remedy = "Ask on the running Windows, or mount the volume with ntfs-3g.",
  },
  ["store.more-orphans"] = {
    severity = "warning",
    text = "%{count} further key containers are orphaned and not looked at: one plan takes no more.",
    remedy = "Repair these first, then run keymend again.",
  },
  ["case.guid-conflict"] = {
    severity = "error",
    refuses = true,
    text = "The key containers disagree on the old machine GUID: %{list}. One reset leaves one old GUID.",
    remedy = "Nothing is planned. Decide one container after the other with --adopt.",
  },

  -- One key container: what is right, or only noticed
  ["key.healthy"] = {
    severity = "info",
    text = 'A sound key file of "%{container}" stands under the machine GUID.',
    remedy = "",
  },
  ["key.adopted"] = {
    severity = "info",
    text = 'keymend adopted the key file of "%{container}" (transaction %{id}, %{ended}); it stands as it was left.',
    remedy = "",
    restored = {
      text = 'keymend put the machine GUID back under which the key file of "%{container}" stands (transaction %{id}, '
        .. "%{ended}).",
    },
  },
  ["key.leftover"] = {
    severity = "info",
    text = 'Beside the current key file of "%{container}": %{count} with another machine GUID.',
    remedy = "If the services work, leave them: they do no harm. If they fail, see the key files below.",
  },
  ["key.newer-foreign"] = {
    severity = "info",
    text = 'Newer than the current key file of "%{container}": %{count} with another machine GUID. That happens when '
      .. "the machine GUID was restored by hand, or on a clone; nothing here tells whether the services work.",
    remedy = "If the services work, leave all as it is. If they fail, a newer key file may be the right one; this "
      .. "adopts it and retires the current one:",
    works = {
      text = 'Newer than the current key file of "%{container}": %{count} with another machine GUID. That happens when '
        .. "the machine GUID was restored by hand, or on a clone. The services run.",
      remedy = "Leave all as it is. Should the services fail at a restart, a newer key file may be the right one; this "
        .. "adopts it and retires the current one:",
    },
    failing = {
      text = 'Newer than the current key file of "%{container}": %{count} with another machine GUID, and the services '
        .. "fail. Either the machine GUID is the wrong one (restored by hand, or a clone), or the key file is.",
      remedy = "With the machine GUID as it is, %{current_guid}, %{current_stored} of the key files here are found; "
        .. "with %{guid} it would be %{stored}. If that one was right till the failing began, put it back: the first "
        .. "command plans that. Else adopt a newer key file and retire the current one:",
    },
  },
  ["key.upper-case"] = {
    severity = "info",
    text = "Upper-case digits stand in the name of %{names}. Windows ignores the case.",
    remedy = "",
  },

  -- Faults of single key files: info beside a healthy current key file, error on the current one itself
  ["key.damaged"] = {
    severity = "warning",
    text = "Damaged, so never adopted: %{names}",
    remedy = "If this is the key that is missing, restore the file from a backup.",
    current = {
      text = 'The current key file of "%{container}" is damaged: %{names}',
    },
  },
  ["key.name-mismatch"] = {
    severity = "warning",
    text = 'Holds the key of another container than its name says, so never adopted: %{names}',
    remedy = "Somebody gave it this name. Look where the file came from.",
    current = {
      text = 'The current key file of "%{container}" holds the key of another container: %{names}',
    },
  },
  ["key.keyless"] = {
    severity = "warning",
    text = "An empty key container without any key, so never adopted: %{names}",
    remedy = "A program opened the container before there was a key. The key itself has to come from elsewhere.",
    current = {
      text = 'The current key container of "%{container}" is empty, it holds no key: %{names}',
    },
  },
  ["key.disproved"] = {
    severity = "warning",
    text = "Cannot be decrypted on this computer, so adopting cannot help: %{names}",
    remedy = "Its DPAPI master key is gone (Sysprep, or a file from another computer). Use the program's own way "
      .. "to make a new key, or a backup of the whole system.",
    closed = {
      remedy = "Its DPAPI master key is here but was sealed with another system's secret (Sysprep, files copied from "
        .. "another computer, or a restored SECURITY hive). Restore what belongs together from one backup, or use the "
        .. "program's own way to make a new key.",
    },
    forged = {
      text = "Its private key fails the check of DPAPI, so adopting cannot help: %{names}",
      remedy = "The file is damaged or forged; anyone may create files in a key store. Look where it came from, and "
        .. "restore the key file from a backup.",
    },
    mismatch = {
      text = "Its private key is not the one of its public key, so adopting cannot help: %{names}",
      remedy = "The file is damaged or forged; anyone may create files in a key store. Look where it came from, and "
        .. "restore the key file from a backup.",
    },
    identity = {
      text = "Not the key of what is in use here, so adopting cannot help: %{names}",
      remedy = "Leave it where it is. If you know better than what is in use, name it with --adopt and "
        .. "--force-disproved.",
    },
    other = {
      text = 'The current key file of "%{container}" is not the key of what is in use here: %{names}',
      remedy = "Restore the former key file from a backup of this computer, or let the program make anew what it "
        .. "protects with the key.",
    },
    chosen = {
      text = "You insisted on a key file that is disproved: %{names}",
      remedy = "If the program does not work with it, undo the repair.",
    },
    current = {
      text = 'The current key file of "%{container}" cannot be decrypted on this computer: '
        .. '%{names}',
    },
  },
  ["key.foreign-owner"] = {
    severity = "warning",
    text = "Owned by neither the system nor administrators, so not adopted by rule: %{names}",
    remedy = "Anyone may create files in a key store. If you know that this one is right, name it with --adopt.",
    chosen = {
      text = "You chose a key file that is owned by neither the system nor administrators: %{names}",
      remedy = "Anyone may create files in a key store. Make sure that this one is the key of this computer.",
    },
    current = {
      text = 'The current key file of "%{container}" is owned by neither the system nor '
        .. 'administrators: %{names}',
      remedy = "Anyone may create files in a key store. Make sure that the file is what it should "
        .. "be, then give it back to the system.",
    },
  },
  ["key.hard-link"] = {
    severity = "warning",
    text = "Has further hard links elsewhere, so never adopted: %{names}",
    remedy = "Whoever holds the other link can change the key. Find and remove it first.",
    current = {
      text = 'The current key file of "%{container}" has further hard links elsewhere: %{names}',
    },
  },
  ["key.reparse"] = {
    severity = "warning",
    text = "Not an ordinary file but a link, reparse point or folder, so never adopted: %{names}",
    remedy = "Windows makes no such thing here. Look who did.",
    current = {
      text = 'The current key file of "%{container}" is no ordinary file but a link, reparse '
        .. 'point or folder: %{names}',
      remedy = "Windows makes no such thing here, and nothing can be adopted while it bears this name. Look who made "
        .. "it, move it away, then run keymend again.",
    },
  },
  ["key.stray"] = {
    severity = "warning",
    text = "Renamed by hand, so Windows does not see it and no rule adopts it: %{names}",
    remedy = "If you know that it is the right key, name it with --adopt.",
    chosen = {
      text = "You chose a file that was renamed by hand: %{names}",
      remedy = "Make sure that it is the key of this computer; its name no longer tells.",
    },
  },
}
