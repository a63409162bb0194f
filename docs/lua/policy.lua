-- policy.lua: LuaLS definitions of what a policy file sees; docs/policy-language.md tells what each means
-- written by docs/make/generate.lua from lua/keymend/policy_env.lua and docs/make/policy_types.lua; change it there
---@meta
-- luacheck: ignore

---@class keymend.rule

---@class keymend.windows_bounds
---@field from? string this version or a later one, such as "5.0"
---@field below? string an earlier version than this

---@class keymend.grant_fields
---@field container string the name of a key container
---@field to string SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators or a SID
---@field right "read"|"full" what it must be able to do

---@class keymend.event_fields
---@field source string the source that the System log names
---@field id? integer its number; or ids
---@field ids? integer[] one of these numbers
---@field service? string the key name of the service that it speaks of
---@field data? string its bytes, such as "03 00 00 00"
---@field code? integer|integer[] the error code that it tells, or a list of them

---@class keymend.restore_fields
---@field above? number only where more than so many per cent of the key files carry it

---@class keymend.policy_services
---@field [integer] string services that use the containers; with * and ?
---@field dependents? boolean all that need them too
---@field also? string|string[] stopped and started with them
---@field order? string|string[] services in the order in which they start
---@field start? "auto"|"none" auto: what ran, and what Windows starts by itself

---@class keymend.policy_finding
---@field severity? "info"|"warning"|"error" for an id of its own
---@field text? string with %{fields}
---@field remedy? string what to do

---@class keymend.policy_fields
---@field [1]? keymend.rule extends "NAME"
---@field name string letters, digits, _ and -
---@field containers? keymend.rule|(string|keymend.rule)[] names as programs open them; or every_orphan
---@field extends? string|keymend.rule the policy that gives all that is not set here
---@field api? 1 the version of this language
---@field title? string for people
---@field kb? string the number of an article
---@field cause? string the cause in one line
---@field symptoms? string|string[] how it shows
---@field after? string|string[] what to do afterwards
---@field applies? keymend.rule where it applies: a condition
---@field use? "always"|"named" whether it has to be named with --policy
---@field onset? keymend.rule|function when the problem began; (keys, case) -> a time, or nil and a reason
---@field retire? keymend.rule|function whether the current key file goes; (keys, case) -> key, reason
---@field adopt? keymend.rule|function which candidate is right; (keys, case) -> key, reason
---@field remedy? keymend.rule how an orphaned key is mended: adopt_file or restore_guid
---@field services? string|keymend.policy_services which services use the containers
---@field remakes? boolean the program makes its key anew
---@field access? keymend.rule[] who must be able to use the current key files: grant { ... }
---@field findings? table<string, keymend.policy_finding> findings of its own, by id
---@field checks? function|function[] raise them; (keys, case) -> id, fields

---windows { from = "5.0", below = "5.2" }: the version of Windows; each bound may be left out
---@param bounds keymend.windows_bounds
---@return keymend.rule
function windows(bounds) end

---has_service "IISADMIN": a service of this name is installed
---@param name string
---@return keymend.rule
function has_service(name) end

---every condition holds; of rules for keys: every one names the same key
---@param rules (keymend.rule|function)[]
---@return keymend.rule
function all_of(rules) end

---one of the conditions holds
---@param rules (keymend.rule|function)[]
---@return keymend.rule
function any_of(rules) end

---the first rule that names a key decides
---@param rules (keymend.rule|function)[]
---@return keymend.rule
function first_of(rules) end

---not_(condition)
---@param condition keymend.rule
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
---@param guid string
---@return keymend.rule
function by_guid(guid) end

---the current key file, made when Windows no longer found the old one
---@type keymend.rule
regenerated = nil

---the same, if no key file is newer or was made nearer to the onset
---@type keymend.rule
newest_near_onset = nil

---within(30): the current key file, if it was made at most so many minutes before or after the onset
---@param minutes number
---@return keymend.rule
function within(minutes) end

---the key file gets the name that Windows looks for
---@type keymend.rule
adopt_file = nil

---restore_guid { above = 50 }: the former machine GUID is put back, where more than so many per cent of the key files
---stand under it; else as adopt_file
---@param fields keymend.restore_fields
---@return keymend.rule
function restore_guid(fields) end

---grant { container = "iisWasKey", to = "LOCAL SERVICE", right = "read" }: who must be able to use the current file;
---to: SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators, or a SID; right: "read" or "full"
---@param fields keymend.grant_fields
---@return keymend.rule
function grant(fields) end

---optional "SMS": a key container that need not be there; nothing is said of it where it has no key file
---@param name string
---@return keymend.rule
function optional(name) end

---time "2004-09-01T00:00:00Z": this time as seconds since 1970, to be compared with those of keys and of the case
---@param text string
---@return number seconds since 1970
function time(text) end

---containers = every_orphan: all that have key files of other GUIDs alone and that no shipped policy knows
---@type keymend.rule
every_orphan = nil

---onset rule: the creation time of the regenerated key file; the last write of the Cryptography key bounds it
---@type keymend.rule
regeneration = nil

---event { source = "W3SVC", id = 116 }: events of the System log; ids = { ... } for several; service: the key name of
---the service that it speaks of; data: its bytes; code: the error code that it tells, or a list of them
---@param fields keymend.event_fields
---@return keymend.rule
function event(fields) end

---onset rule: the first of these events after the container's last known success; without any, as regeneration
---@param events keymend.rule[]
---@return keymend.rule
function first_failure(events) end

---extends "iis5": every field that is not given is that of this policy; a shipped one, or a file
---@param name string
---@return keymend.rule
function extends(name) end

---policy { ... }: what the file returns; its fields are checked by keymend
---@param fields keymend.policy_fields
---@return keymend.rule
function policy(fields) end
