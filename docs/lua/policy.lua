-- policy.lua: LuaLS definitions of what a policy file sees; docs/policy-language.md tells what each means
-- written by docs/make/generate.lua from lua/keymend/policy_env.lua; change it there
---@meta
-- luacheck: ignore

---@class keymend.rule

---windows { from = "5.0", below = "5.2" }: the version of Windows; each bound may be left out
---@return keymend.rule
function windows(bounds) end

---has_service "IISADMIN": a service of this name is installed
---@return keymend.rule
function has_service(name) end

---every condition holds; of rules for keys: every one names the same key
---@param rules table
---@return keymend.rule
function all_of(rules) end

---one of the conditions holds
---@param rules table
---@return keymend.rule
function any_of(rules) end

---the first rule that names a key decides
---@param rules table
---@return keymend.rule
function first_of(rules) end

---not_(condition)
---@return keymend.rule
function not_(condition) end

---the condition that always holds
---@type keymend.rule
always = nil

---the key that the program's own data proves
---@type keymend.rule
proved = nil

---the only one whose GUID a dated backup hive names
---@type keymend.rule
guid_history = nil

---the only candidate there is
---@type keymend.rule
sole_candidate = nil

---of those made before the onset, the newest
---@type keymend.rule
newest_before_onset = nil

---of those made before the onset, the oldest
---@type keymend.rule
oldest_before_onset = nil

---the one whose DPAPI master key is the newest from before the onset
---@type keymend.rule
master_key_era = nil

---none: the administrator names it with --adopt
---@type keymend.rule
ask = nil

---by_guid "4cbde50a-...": the one whose name ends in this GUID
---@return keymend.rule
function by_guid(guid) end

---the current key file, made when Windows no longer found the old one
---@type keymend.rule
regenerated = nil

---the same, if no key file is newer or was made nearer to the onset
---@type keymend.rule
newest_near_onset = nil

---within(30): the current key file, if it was made at most so many minutes before or after the onset
---@return keymend.rule
function within(minutes) end

---the key file gets the name that Windows looks for
---@type keymend.rule
adopt_file = nil

---restore_guid { above = 50 }: the former machine GUID is put back, where more than so many per cent of the key files
---stand under it; else as adopt_file
---@return keymend.rule
function restore_guid(fields) end

---grant { container = "iisWasKey", to = "LOCAL SERVICE", right = "read" }: who must be able to use the current file;
---to: SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators, or a SID; right: "read" or "full"
---@return keymend.rule
function grant(fields) end

---optional "SMS": a key container that need not be there; nothing is said of it where it has no key file
---@return keymend.rule
function optional(name) end

---containers = every_orphan: all that have key files of other GUIDs alone and that no shipped policy knows
---@type keymend.rule
every_orphan = nil

---onset rule: the creation time of the regenerated key file; the last write of the Cryptography key bounds it
---@type keymend.rule
regeneration = nil

---event { source = "W3SVC", id = 116 }: events of the System log; ids = { ... } for several; service: the key name of
---the service that it speaks of; data: its bytes; code: the error code that it tells, or a list of them
---@return keymend.rule
function event(fields) end

---onset rule: the first of these events after the container's last known success; without any, as regeneration
---@return keymend.rule
function first_failure(events) end

---extends "iis5": every field that is not given is that of this policy; a shipped one, or a file
---@return keymend.rule
function extends(name) end

---policy { ... }: what the file returns; its fields are checked by keymend
---@return keymend.rule
function policy(fields) end
