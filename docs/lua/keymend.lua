-- keymend.lua: LuaLS definitions of the module
-- written by docs/make/generate.lua from lua/keymend/reference.lua and docs/make/types.lua; change it there
---@meta keymend
-- luacheck: ignore

---@alias keymend.severity "info"|"warning"|"error"
---@alias keymend.kind "rsa"|"cng"|"cng-system"

---What `keymend.open` takes.
---@class keymend.open_options
---@field root string? where the offline volume is mounted; nil: the running Windows
---@field volumes table<string, string>? further volumes, by drive letter: `{ D = "/mnt/d" }`
---@field windows string? the Windows folder, when the volume has several
---@field times string? a file with creation times (file-formats.md)
---@field write boolean? may be changed by apply, undo, recover and purge

---How a diagnosis judges, as the options of the command line.
---@class keymend.judging
---@field policies string|string[]? names or files, instead of the shipped ones
---@field trust_file string|string[]? files to act on although ordinary users may change them
---@field onset string|number? when the problem began: RFC 3339 with a zone, or seconds
---@field adopt string|string[]? key files that are the right ones
---@field retire string|string[]? current key files that have to go
---@field restore_guid string? the former machine GUID that is to be put back instead
---@field force_disproved boolean? let adopt take a key file that proof speaks against
---@field accept_dirty_hive boolean? trust a hive that was not closed cleanly
---@field no_services boolean? leave services alone

---What apply, undo and recover take.
---@class keymend.change_options
---@field progress (fun(stage: string, text: string))? told of each finished stage

---One finding; findings.md lists the ids.
---@class keymend.finding
---@field id string stable
---@field severity keymend.severity
---@field text string what is the case
---@field remedy string what to do; "": nothing
---@field commands string[] command lines that do it
---@field fixable boolean apply mends it without being asked for more
---@field container string? the key container it speaks of
---@field hash string? its container hash
---@field keys string[] names of key files it speaks of
---@field evidence keymend.evidence[]

---A row of `keymend.findings`.
---@class keymend.finding_entry
---@field severity keymend.severity
---@field text string `%{field}` is filled in
---@field remedy string
---@field fixable boolean?
---@field refuses boolean? while it stands no plan is made for what it names
---@field blocks boolean? a plan is made, but apply would refuse it

---A dated fact.
---@class keymend.evidence
---@field kind string
---@field text string
---@field time number?

---What is known of a target.
---@class keymend.info
---@field backend string `offline` or `live`
---@field root string?
---@field driver string? file system driver of the volume with the key store
---@field windows string `C:\\WINNT`
---@field product string
---@field version string `5.0`
---@field build string `2195`
---@field service_pack string
---@field computer string
---@field installed number?
---@field machine_guid string? exactly as stored
---@field guid_form string `absent`, `plain`, `case`, `braces`, `malformed`
---@field guid string lower case, or ""
---@field guid_written number? last write of the Cryptography key: no later reset
---@field app_data string?
---@field key_store string?
---@field key_store_found boolean
---@field key_store_problem string?
---@field hives table[] name, path, sequence1, sequence2, dirty, replayed, replay
---@field old_guids table[] guid, path, written, saved: former machine GUIDs in backup hives
---@field capabilities table[] id, available, text
---@field can table<string, boolean> capabilities by id

---A file of the target.
---@class keymend.file
---@field size number bytes
---@field identity string inode or file index
---@field device string
---@field created number?
---@field created_source string `ntfs`, `times-file`, `birth` (of a copy: no evidence), `none`
---@field written number?
---@field attributes number FILE_ATTRIBUTE bits
---@field links number hard links
---@field regular boolean an ordinary file
---@field reparse boolean a reparse point or symbolic link
---@field owner string a SID, or `uid:N`
---@field owner_trusted boolean the system, administrators, a service

---One key file. Private parts are never read into Lua.
---@class keymend.key : keymend.file
---@field name string as on disk
---@field class string `current`, `foreign`, `stray`
---@field hash string? of its name
---@field guid string? of its name
---@field sha256 string? of the whole file
---@field status string `ok`, `damaged`, or why it was not read
---@field damage string?
---@field cng boolean
---@field container string? the name inside the file
---@field container_hash string? the hash which that name has
---@field version number?
---@field keyless boolean a container without any key
---@field signature keymend.public_key?
---@field exchange keymend.public_key?

---Who may use a file: the entries of its security descriptor.
---@class keymend.access
---@field owner string a SID
---@field protected boolean its list inherits nothing
---@field open boolean it has no list: everyone may do everything
---@field truncated boolean it has more entries than are told
---@field sha256 string of owner, group and entries
---@field entries table[] type (`allow`, `deny`, `other`), flags, mask, sid

---An allow entry to add to a security descriptor.
---@class keymend.grant
---@field sid string of SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators or a service
---@field mask number 0x120089 (read) or 0x1F01FF (full)

---The clear part of a key.
---@class keymend.public_key
---@field bits number
---@field exponent number
---@field modulus string hex, most significant digit first
---@field master_key string? GUID of the DPAPI master key
---@field export_master_key string?

---Counts of a key store.
---@class keymend.survey
---@field files number
---@field current number
---@field foreign number
---@field stray number
---@field guids table[] guid, files: foreign suffixes, most files first
---@field other_guids number foreign files whose GUID did not fit into `guids`
---@field matches table[] name, class, hash: every file of the hashes asked for
---@field truncated boolean a container has too many

---A subkey of the registry.
---@class keymend.subkey
---@field name string
---@field written number?

---The version of a program file.
---@class keymend.file_version
---@field version string `5.0.2195.6968`
---@field parts number[]
---@field size number
---@field written number?

---A certificate that names a key container, or a place that could not be looked at.
---@class keymend.reference
---@field container string?
---@field where string
---@field problem string?

---What CryptoAPI made of a container; codes: 0 is success.
---@class keymend.container_trial
---@field open number
---@field signature number
---@field exchange number
---@field sign number
---@field encrypt number
---@field signed boolean
---@field encrypted boolean
---@field unique_name string?
---@field provider string?

---A service.
---@class keymend.service
---@field name string
---@field display string
---@field group string
---@field account string
---@field start string `boot`, `system`, `automatic`, `manual`, `disabled`, `unknown`
---@field type number
---@field driver boolean
---@field depends string[]
---@field depends_groups string[]
---@field state string? on a running Windows: `running`, `stopped`, `start-pending`, ...
---@field started number? it was started then or later
---@field stoppable boolean?
---@field exit_code number?
---@field specific_code number?

---An order for services.
---@class keymend.service_order
---@field stop string[] dependents first
---@field start string[] what others need first
---@field cycles string[] `A -> B -> A`
---@field missing string[]

---What became of a service.
---@class keymend.service_result
---@field name string
---@field action string `stop` or `start`
---@field status string
---@field state string?
---@field exit_code number?
---@field specific_code number?
---@field message string?

---Which events.
---@class keymend.event_filter
---@field source string? case is ignored
---@field ids number[]?
---@field from number|string? seconds, or ticks as text
---@field to number|string?
---@field text string? a string of the event or its data holds it
---@field oldest_first boolean?

---One event.
---@class keymend.event
---@field log string
---@field record number
---@field id number
---@field source string
---@field time number?
---@field strings string[]
---@field data string bytes

---Something that names a container and was made with its key.
---@class keymend.identity_source
---@field kind string `certificate`, `configuration`, `metabase`
---@field container string
---@field where string
---@field what string
---@field use string? what uses it now
---@field cng boolean
---@field history boolean a backup, or an expired certificate
---@field dated number?

---What one source says of one key file.
---@class keymend.identity
---@field kind string
---@field verdict string `proved`, `consistent`, `disproved`, `unknown`
---@field text string
---@field container string
---@field where string
---@field what string
---@field use string?
---@field history boolean
---@field dated number?
---@field part string? `signature`, `exchange`: the key that it was made with; nil: both, or not told

---Whether a key file can be decrypted.
---@class keymend.key_proof
---@field decryptable string `yes`, `unknown`, `no-master-key`, `master-key-closed`, `bad-signature`, `mismatch`
---@field text string
---@field cng boolean
---@field signature table? decryptable, text, master_key, exportable
---@field exchange table? the same

---What `keymend.progress.new` takes.
---@class keymend.progress_options
---@field what string? what is counted, in the plural; "files" when left out
---@field total number? how many there will be; nil: not known
---@field after number? seconds in which nothing is shown; 0 when left out
---@field terminal boolean? false: nothing is shown; nil: whether stderr is a terminal

---@class keymend.core
local core = {}

---What cannot be shown, or is no UTF-8, as \u{XXXX} or \xXX: harmless to a terminal.
---@param text string
---@return string
function core.escape(text) end

---64 hex digits.
---@param text string
---@return string
function core.sha256(text) end

---A GUID in lower case, or an empty text, and its form: absent, plain, case, braces, malformed.
---@param text? string
---@return string
---@return string
function core.guid(text) end

---What a key file's name says: hash, guid, upper; nil when it is none.
---@param name string
---@return table?
function core.unique_name(name) end

---The name of a well-known key container; nil when it is none.
---@param hash string
---@return string?
function core.known_container(hash) end

---Whether a name fits a pattern with * and ?, as services are named.
---@param pattern string
---@param name string
---@return boolean
function core.match(pattern, name) end

---The time: seconds, and ticks.
---@return number
---@return string
function core.time_now() end

---Seconds or ticks as RFC 3339 in UTC.
---@param time number|string
---@return string
function core.time_text(time) end

---RFC 3339 with a zone as seconds, and ticks.
---@param text string
---@return number|nil
---@return string|string
---@return string? code
---@return number? native
function core.time_parse(text) end

---@class keymend.meter
local meter = {}

---N more are done (1 when left out).
---@param number? number
function meter:add(number) end

---Takes the line away, so that something else can be printed.
function meter:clear() end

---Takes the line away for good.
function meter:finish() end

---The line as it stands now.
---@return string
function meter:text() end

---@class keymend.progress
local progress = {}

---A line on the terminal that tells count, rate and time left; nothing in a pipe.
---@param options keymend.progress_options
---@return keymend.meter
function progress.new(options) end

---75 as 1 min 15 s.
---@param seconds number
---@return string
function progress.duration(seconds) end

---@class keymend.plans
---@field MAX_STEPS number the most steps of one plan
local plans = {}

---Why target:prune_plan would refuse a key file; nil: it would not.
---@param key keymend.key
---@param keep keymend.keep
---@return string?
function plans.kept_because(key, keep) end

---@class keymend.policy
local policy = {}

---Runs text in the policy's own Lua state; gives copies of plain data.
---@param source string
---@param name string
---@return any|nil
---@return string? message
---@return string? code
---@return number? native
function policy:run(source, name) end

---Calls function N that run returned.
---@param n number
---@param ... any
---@return any|nil
---@return string? message
---@return string? code
---@return number? native
function policy:call(n, ...) end

---From now on its functions raise when they set a new global.
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function policy:seal() end

---Frees the state.
function policy:close() end

---@class keymend.policies
local policies = {}

---The names of the shipped policies, sorted.
---@return string[]
function policies.names() end

---The names of the files in the site's folder that no shipped policy has.
---@return string[]|nil
---@return string? message
---@return string? code
---@return number? native
function policies.own_names() end

---The text of a policy, by its name or path, and where it is from.
---@param name string
---@return string|nil
---@return string|string
---@return string? code
---@return number? native
function policies.find(name) end

---The policy as a table of its fields, checked; policies.close{POLICY} after that.
---@param name string
---@return table|nil
---@return string? message
---@return string? code
---@return number? native
function policies.load(name) end

---Ends the Lua states of loaded policies.
---@param policies table[]
function policies.close(policies) end

---@class keymend.keep
---@field missing string[] what could not be looked at; while it is not empty the set is not complete
---@field count number how many containers it holds
local keep = {}

---Why the key files of a container are kept; nil: nothing is known to need them.
---@param hash string
---@return string?
function keep:why(hash) end

---Keeps one more.
---@param container string
---@param why? string
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function keep:add(container, why) end

---@class keymend.proof
local proof = {}

---Whether a key file can be decrypted, and if not, why.
---@param kind keymend.kind
---@param name string
---@return keymend.key_proof|nil
---@return string? message
---@return string? code
---@return number? native
function proof:key(kind, name) end

---Why nothing can be decrypted; nil: all that is needed is there.
---@return string?
function proof:problem() end

---Wipes what it holds.
function proof:close() end

---@class keymend.identities
local identities = {}

---Certificates, configuration, metabase: container, where it stands, what uses it.
---@return keymend.identity_source[]
function identities:list() end

---What each source of the container says of a key file; PROOF: target:proof() or nil; KIND: rsa, cng, cng-system.
---@param proof keymend.proof?
---@param container string
---@param kind keymend.kind
---@param name string
---@return keymend.identity[]|nil
---@return string? message
---@return string? code
---@return number? native
function identities:try(proof, container, kind, name) end

---What could not be read, a line each; nil: nothing.
---@return string?
function identities:problem() end

---Frees them.
function identities:close() end

---@class keymend.events
local events = {}

---How many records were skipped so far, since they are damaged.
---@return number
function events:damaged() end

---What of the log could not be read; nil: nothing.
---@return string?
function events:problem() end

---Ends the walk.
function events:close() end

---@class keymend.services
local services = {}

---Every service with start type, needs and group.
---@return keymend.service[]
function services:list() end

---One service.
---@param name string
---@return keymend.service?
function services:find(name) end

---Names that fit, such as "SMS_*".
---@param pattern string
---@return string[]
function services:match(pattern) end

---Stop and start order, with dependents; cycles and missing names.
---@param patterns string[]
---@param dependents? boolean
---@return keymend.service_order|nil
---@return string? message
---@return string? code
---@return number? native
function services:order(patterns, dependents) end

---Frees the graph.
function services:close() end

---@class keymend.keys
local keys = {}

---Ends the walk.
function keys:close() end

---@class keymend.transaction
local transaction = {}

---What it did, for people.
---@return string
function transaction:text() end

---Reverses it; only with --write.
---@param options? keymend.change_options
---@return keymend.transaction|nil
---@return string|string
---@return string? code
---@return number? native
function transaction:undo(options) end

---Empties its vault; it cannot be undone after that; only with --write.
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function transaction:purge() end

---@class keymend.plan
local plan = {}

---The steps for people; plan.steps is the data.
---@return string
function plan:text() end

---For a later keymend apply --plan FILE.
---@param file string
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function plan:save(file) end

---Whether a plan that was loaded fits the target as it is now.
---@param target keymend.target
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function plan:fit(target) end

---Applies it as one transaction; only with --write.
---@param options? keymend.change_options
---@return keymend.transaction|nil
---@return string|string
---@return string? code
---@return number? native
function plan:apply(options) end

---Why apply would refuse it; nil: nothing.
---@return string?
function plan:obstacle() end

---Why its services cannot be stopped and started; nil: nothing.
---@return string?
function plan:services_obstacle() end

---Its step that puts the former machine GUID back; nil: it has none.
---@return table?
function plan:restored() end

---What happens to services as they are now.
---@return table
function plan:effect() end

---Leaves services alone, whatever the plan says.
function plan:without_services() end

---Names an option that overruled, for the journal.
---@param option string
function plan:overrule(option) end

---What plan:save writes.
---@return table
function plan:data() end

---@class keymend.diagnosis
---@field findings keymend.finding[] the findings as data: id, severity, text, remedy, evidence
local diagnosis = {}

---The report; at the prompt the diagnosis itself shows it.
---@return string
function diagnosis:text() end

---Whether a finding is of that severity (info, warning, error) or worse.
---@param severity keymend.severity
---@return boolean
function diagnosis:grave(severity) end

---@class keymend.target
local target = {}

---What is wrong, with evidence and remedy; options as the command line: target:diagnose{policies = "iis5", onset = "2004-09-12T01:30:00Z"}.
---@param options? keymend.judging
---@return keymend.diagnosis|nil
---@return string? message
---@return string? code
---@return number? native
function target:diagnose(options) end

---The steps proposed; nothing is done yet; options as target:diagnose.
---@param options? keymend.judging
---@return keymend.plan|nil
---@return string? message
---@return string? code
---@return number? native
function target:plan(options) end

---Which key containers must keep their key files, and what could not be looked at.
---@return keymend.keep|nil
---@return string? message
---@return string? code
---@return number? native
function target:keep_set() end

---A plan that moves these key files into the vault.
---@param names string[]
---@param reason string
---@param keep? keymend.keep
---@return keymend.plan|nil
---@return string? message
---@return string? code
---@return number? native
function target:prune_plan(names, reason, keep) end

---Windows version, machine GUID, paths, hives, capabilities.
---@return keymend.info
function target:info() end

---Counts of the key store, and the files of these containers.
---@param hashes string[]
---@return keymend.survey|nil
---@return string? message
---@return string? code
---@return number? native
function target:survey(hashes) end

---One key file: container, keys, times, owner.
---@param name string
---@param kind? keymend.kind
---@return keymend.key|nil
---@return string? message
---@return string? code
---@return number? native
function target:inspect(name, kind) end

---Who may use one key file: the owner, the entries of its security descriptor.
---@param name string
---@param kind? keymend.kind
---@return keymend.access|nil
---@return string? message
---@return string? code
---@return number? native
function target:access(name, kind) end

---Whether a step could add these entries to the security descriptor of a key file; nil, why not.
---@param name string
---@param grants keymend.grant[]
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function target:grantable(name, grants) end

---The key store's files: for name, class, hash, guid in target:keys() do ... end; KIND: rsa, cng, cng-system.
---@param kind? keymend.kind
---@return keymend.keys|nil
---@return string? message
---@return string? code
---@return number? native
function target:keys(kind) end

---The service graph.
---@return keymend.services|nil
---@return string? message
---@return string? code
---@return number? native
function target:services() end

---An event log, newest first: for event in target:events("System") do ... end.
---@param log string
---@param filter? keymend.event_filter
---@return keymend.events|nil
---@return string? message
---@return string? code
---@return number? native
function target:events(log, filter) end

---One value, as ("SOFTWARE\\Microsoft\\Cryptography", "MachineGuid").
---@param key string
---@param value string
---@return string|number|string[]|nil
---@return string? message
---@return string? code
---@return number? native
function target:registry(key, value) end

---The keys below a key, with the time of their last write.
---@param key string
---@return keymend.subkey[]|nil
---@return string? message
---@return string? code
---@return number? native
function target:registry_keys(key) end

---The version of a program or library, as "C:\\WINNT\\system32\\kernel32.dll".
---@param path string
---@return keymend.file_version|nil
---@return string? message
---@return string? code
---@return number? native
function target:file_version(path) end

---Whether the system's DPAPI master key is there.
---@param guid string
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function target:master_key_present(guid) end

---The file of that master key: times, owner.
---@param guid string
---@return keymend.file|nil
---@return string? message
---@return string? code
---@return number? native
function target:master_key(guid) end

---What names key containers: certificates, IIS's configuration, the metabase.
---@return keymend.identities|nil
---@return string? message
---@return string? code
---@return number? native
function target:identities() end

---The key containers that certificates of users and services name.
---@return keymend.reference[]|nil
---@return string? message
---@return string? code
---@return number? native
function target:references() end

---What can be decrypted to prove a key; no secret is shown.
---@return keymend.proof|nil
---@return string? message
---@return string? code
---@return number? native
function target:proof() end

---Asks CryptoAPI to open and use a container; on a running Windows alone.
---@param container string
---@return keymend.container_trial|nil
---@return string? message
---@return string? code
---@return number? native
function target:test_container(container) end

---The transactions keymend made on this target.
---@return keymend.transaction[]|nil
---@return string? message
---@return string? code
---@return number? native
function target:history() end

---Applies a plan, as plan:apply(); only with --write.
---@param plan keymend.plan
---@param options? keymend.change_options
---@return keymend.transaction|nil
---@return string|string
---@return string? code
---@return number? native
function target:apply(plan, options) end

---Reverses a transaction; only with --write.
---@param id string
---@param options? keymend.change_options
---@return keymend.transaction|nil
---@return string|string
---@return string? code
---@return number? native
function target:undo(id, options) end

---Finishes or rolls back an interrupted one; only with --write.
---@param options? keymend.change_options
---@return number|nil
---@return string|string
---@return keymend.service_result[]|string
---@return string? code
---@return number? native
function target:recover(options) end

---Empties the vault of a transaction, which cannot be undone then; only with --write.
---@param id string
---@return boolean|nil
---@return string? message
---@return string? code
---@return number? native
function target:purge(id) end

---Lets go of the volume.
function target:close() end

---@class keymend
---@field findings table<string, keymend.finding_entry> the table of everything a diagnosis can say: keymend.findings[ID]
---@field policies keymend.policies the policies: names, texts; help(keymend.policies)
---@field plans keymend.plans what plans are bound by; help(keymend.plans)
---@field progress keymend.progress how far long work is; help(keymend.progress)
---@field core keymend.core names, times and texts as keymend has them; help(keymend.core)
---@field version string the version of keymend
local keymend = {}

---Opens the Windows installation on the volume at DIR; gives a target.
---@param options? keymend.open_options
---@return keymend.target|nil
---@return string? message
---@return string? code
---@return number? native
function keymend.open(options) end

---The container hash that key file names begin with.
---@param container string
---@return string|nil
---@return string? message
---@return string? code
---@return number? native
function keymend.hash(container) end

---The same for CNG key files.
---@param container string
---@return string|nil
---@return string? message
---@return string? code
---@return number? native
function keymend.cng_hash(container) end

---A plan that was saved.
---@param file string
---@return keymend.plan|nil
---@return string? message
---@return string? code
---@return number? native
function keymend.load_plan(file) end

---The target that --root opened; in scripts of `keymend run` and at the prompt.
---@type keymend.target
target = nil

return keymend
