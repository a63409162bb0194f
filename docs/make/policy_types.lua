-- policy_types.lua: what the builders of a policy take, for the LuaLS definitions docs/lua/policy.lua
--
-- classes: { name, { field, type, what it is }, ... }; a "?" behind a field: may be left out. parameters: the type of
-- what a builder takes, by the parameter's name in lua/keymend/policy_env.lua or, where that is not enough, by the
-- builder's. docs/policy-language.md tells more of each field.

local M = {}

M.classes = {
  { "keymend.windows_bounds",
    { "from?", "string", 'this version or a later one, such as "5.0"' },
    { "below?", "string", "an earlier version than this" } },
  { "keymend.grant_fields",
    { "container", "string", "the name of a key container" },
    { "to", "string", "SYSTEM, LOCAL SERVICE, NETWORK SERVICE, Administrators or a SID" },
    { "right", '"read"|"full"', "what it must be able to do" } },
  { "keymend.event_fields",
    { "source", "string", "the source that the System log names" },
    { "id?", "integer", "its number; or ids" },
    { "ids?", "integer[]", "one of these numbers" },
    { "service?", "string", "the key name of the service that it speaks of" },
    { "data?", "string", 'its bytes, such as "03 00 00 00"' },
    { "code?", "integer|integer[]", "the error code that it tells, or a list of them" } },
  { "keymend.restore_fields",
    { "above?", "number", "only where more than so many per cent of the key files carry it" } },
  { "keymend.policy_services",
    { "[integer]", "string", "services that use the containers; with * and ?" },
    { "dependents?", "boolean", "all that need them too" },
    { "also?", "string|string[]", "stopped and started with them" },
    { "order?", "string|string[]", "services in the order in which they start" },
    { "start?", '"auto"|"none"', "auto: what ran, and what Windows starts by itself" } },
  { "keymend.policy_finding",
    { "severity?", '"info"|"warning"|"error"', "for an id of its own" },
    { "text?", "string", "with %{fields}" },
    { "remedy?", "string", "what to do" } },
  { "keymend.policy_fields",
    { "[1]?", "keymend.rule", 'extends "NAME"' },
    { "name", "string", "letters, digits, _ and -" },
    { "containers?", "keymend.rule|(string|keymend.rule)[]", "names as programs open them; or every_orphan" },
    { "extends?", "string|keymend.rule", "the policy that gives all that is not set here" },
    { "api?", "1", "the version of this language" },
    { "title?", "string", "for people" },
    { "kb?", "string", "the number of an article" },
    { "cause?", "string", "the cause in one line" },
    { "symptoms?", "string|string[]", "how it shows" },
    { "after?", "string|string[]", "what to do afterwards" },
    { "applies?", "keymend.rule", "where it applies: a condition" },
    { "use?", '"always"|"named"', "whether it has to be named with --policy" },
    { "onset?", "keymend.rule|function", "when the problem began; (keys, case) -> a time, or nil and a reason" },
    { "retire?", "keymend.rule|function", "whether the current key file goes; (keys, case) -> key, reason" },
    { "adopt?", "keymend.rule|function", "which candidate is right; (keys, case) -> key, reason" },
    { "remedy?", "keymend.rule", "how an orphaned key is mended: adopt_file or restore_guid" },
    { "services?", "string|keymend.policy_services", "which services use the containers" },
    { "remakes?", "boolean", "the program makes its key anew" },
    { "access?", "keymend.rule[]", "who must be able to use the current key files: grant { ... }" },
    { "findings?", "table<string, keymend.policy_finding>", "findings of its own, by id" },
    { "checks?", "function|function[]", "raise them; (keys, case) -> id, fields" } },
}

M.parameters = {
  rules = "(keymend.rule|function)[]", bounds = "keymend.windows_bounds", name = "string", guid = "string",
  minutes = "number", events = "keymend.rule[]", condition = "keymend.rule", text = "string",
  grant = "keymend.grant_fields", restore_guid = "keymend.restore_fields", event = "keymend.event_fields",
  policy = "keymend.policy_fields",
}

-- What a builder makes that is no rule.
M.returns = { time = "number seconds since 1970" }

return M
