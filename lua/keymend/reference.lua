-- reference.lua: the types and functions of the module, each with what it does; help() at the prompt shows it
--
-- By the name of a type (as in an object's metatable) or of a global: rows { call, what it does }. Every method stands
-- at the beginning of a row of its type; tests/lua/repl_spec.lua sees to that.

return {
  keymend = {
    { "keymend.open{root = DIR}", "opens the Windows installation on the volume at DIR; gives a target" },
    { "keymend.open{root = DIR, volumes = {D = DIR2}, times = FILE}", "with further drives, with creation times" },
    { "keymend.hash(CONTAINER)", "the container hash that key file names begin with" },
    { "keymend.cng_hash(CONTAINER)", "the same for CNG key files" },
    { "keymend.findings", "the table of everything a diagnosis can say" },
    { "keymend.policies.names()", "the shipped policies; keymend.policies.load(NAME or FILE) loads one" },
    { "keymend.load_plan(FILE)", "a plan that was saved" },
    { "keymend.version", "the version of keymend" },
  },
  ["keymend.target"] = {
    { "target:diagnose()", "what is wrong, with evidence and remedy; options as the command line: "
      .. [[target:diagnose{policies = "iis5", onset = "2004-09-12T01:30:00Z"}]] },
    { "target:plan()", "the steps proposed; nothing is done yet; options as target:diagnose" },
    { "target:keep_set()", "which key containers must keep their key files, and what could not be looked at" },
    { "target:prune_plan({NAME, ...}, REASON)", "a plan that moves these key files into the vault" },
    { "target:info()", "Windows version, machine GUID, paths, hives, capabilities" },
    { "target:survey{HASH, ...}", "counts of the key store, and the files of these containers" },
    { "target:inspect(NAME, KIND)", "one key file: container, keys, times, owner" },
    { "target:keys(KIND)", "the key store's files: for name, class, hash, guid in target:keys() do ... end; "
      .. "KIND: rsa, cng, cng-system" },
    { "target:services()", "the service graph" },
    { "target:events(LOG, {source = NAME, ids = {ID, ...}, from = TIME, to = TIME, text = TEXT})",
      [[an event log, newest first: for event in target:events("System") do ... end]] },
    { "target:registry(KEY, VALUE)", [[one value, as ("SOFTWARE\\Microsoft\\Cryptography", "MachineGuid")]] },
    { "target:registry_keys(KEY)", "the keys below a key, with the time of their last write" },
    { "target:file_version(PATH)", [[the version of a program or library, as "C:\\WINNT\\system32\\kernel32.dll"]] },
    { "target:master_key_present(GUID)", "whether the system's DPAPI master key is there" },
    { "target:master_key(GUID)", "the file of that master key: times, owner" },
    { "target:identities()", "what names key containers: certificates, IIS's configuration, the metabase" },
    { "target:references()", "the key containers that certificates of users and services name" },
    { "target:proof()", "what can be decrypted to prove a key; no secret is shown" },
    { "target:test_container(CONTAINER)", "asks CryptoAPI to open and use a container; on a running Windows alone" },
    { "target:history()", "the transactions keymend made on this target" },
    { "target:apply(PLAN)", "applies a plan, as plan:apply(); only with --write" },
    { "target:undo(ID)", "reverses a transaction; only with --write" },
    { "target:recover()", "finishes or rolls back an interrupted one; only with --write" },
    { "target:purge(ID)", "empties the vault of a transaction, which cannot be undone then; only with --write" },
    { "target:close()", "lets go of the volume" },
  },
  ["keymend.keys"] = {
    { "for name, class, hash, guid in keys do ... end", "walks the key store; class: current, foreign, stray" },
    { "keys:close()", "ends the walk" },
  },
  ["keymend.services"] = {
    { "services:list()", "every service with start type, needs and group" },
    { "services:find(NAME)", "one service" },
    { "services:match(PATTERN)", [[names that fit, such as "SMS_*"]] },
    { "services:order({PATTERN, ...}, true)", "stop and start order, with dependents; cycles and missing names" },
    { "services:close()", "frees the graph" },
  },
  ["keymend.events"] = {
    { "for event in events do ... end", "walks the log: source, id, time, texts, data" },
    { "events:damaged()", "how many records were skipped so far, since they are damaged" },
    { "events:problem()", "what of the log could not be read; nil: nothing" },
    { "events:close()", "ends the walk" },
  },
  ["keymend.identities"] = {
    { "identities:list()", "certificates, configuration, metabase: container, where it stands, what uses it" },
    { "identities:try(PROOF, CONTAINER, KIND, NAME)", "what each source of the container says of a key file; PROOF: "
      .. "target:proof() or nil; KIND: rsa, cng, cng-system" },
    { "identities:problem()", "what could not be read, a line each; nil: nothing" },
    { "identities:close()", "frees them" },
  },
  ["keymend.proof"] = {
    { "proof:key(KIND, NAME)", "whether a key file can be decrypted, and if not, why" },
    { "proof:problem()", "why nothing can be decrypted; nil: all that is needed is there" },
    { "proof:close()", "wipes what it holds" },
  },
  ["keymend.policy"] = {
    { "policy:run(SOURCE, NAME)", "runs text in the policy's own Lua state; gives copies of plain data" },
    { "policy:call(N, ...)", "calls function N that run returned" },
    { "policy:seal()", "from now on its functions raise when they set a new global" },
    { "policy:close()", "frees the state" },
  },
  ["keymend.diagnosis"] = {
    { "diagnosis:text()", "the report; at the prompt the diagnosis itself shows it" },
    { "diagnosis.findings", "the findings as data: id, severity, text, remedy, evidence" },
    { "diagnosis:grave(SEVERITY)", "whether a finding is of that severity (info, warning, error) or worse" },
  },
  ["keymend.plan"] = {
    { "plan:text()", "the steps for people; plan.steps is the data" },
    { "plan:save(FILE)", "for a later keymend apply --plan FILE" },
    { "plan:fit(TARGET)", "whether a plan that was loaded fits the target as it is now" },
    { "plan:apply{progress = print}", "applies it as one transaction; only with --write" },
    { "plan:obstacle()", "why apply would refuse it; nil: nothing" },
    { "plan:services_obstacle()", "why its services cannot be stopped and started; nil: nothing" },
    { "plan:effect()", "what happens to services as they are now" },
    { "plan:without_services()", "leaves services alone, whatever the plan says" },
    { "plan:overrule(OPTION)", "names an option that overruled, for the journal" },
    { "plan:data()", "what plan:save writes" },
  },
  ["keymend.transaction"] = {
    { "transaction:text()", "what it did, for people" },
    { "transaction:undo()", "reverses it; only with --write" },
    { "transaction:purge()", "empties its vault; it cannot be undone after that; only with --write" },
  },
}
