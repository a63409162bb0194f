-- options.lua: the verbs and options of the command line, as data; parses arguments, prints help

local spelling = require "keymend.spelling"

local M = {}

-- name, value (shown in help; none: a flag), many, help
M.options = {
  { name = "root", value = "DIR", help = "the offline volume: where the drive with the Windows folder is mounted" },
  { name = "volume", value = "D:=DIR", many = true, help = "a further volume; may be given several times" },
  { name = "windows", value = "NAME", help = "the Windows folder, when the volume has several" },
  { name = "times", value = "FILE", help = "creation times: a bodyfile (The Sleuth Kit) or CSV" },
  { name = "policy", value = "NAME|FILE", many = true, help = "use this policy instead of the shipped ones" },
  { name = "trust-file", value = "FILE", many = true,
    help = "act on this policy or script although ordinary users may change it" },
  { name = "onset", value = "TIME", help = "when the problem began, RFC 3339 with a zone: 2004-09-14T07:08:00Z" },
  { name = "adopt", value = "NAME", many = true, help = "this key file is the right one" },
  { name = "retire", value = "NAME", many = true, help = "this current key file has to go" },
  { name = "restore-guid", value = "GUID",
    help = "put this former machine GUID back into the registry instead of renaming key files" },
  { name = "force-disproved", help = "let --adopt take a key file that proof speaks against" },
  { name = "accept-dirty-hive", help = "trust the machine GUID of a hive that was not closed cleanly" },
  { name = "no-services", help = "leave services alone" },
  { name = "disconnect", help = "stop Remote Desktop although it carries this session" },
  { name = "save", value = "FILE", help = "write the plan to FILE for a later apply --plan FILE" },
  { name = "manual", help = "print the steps for a person's hands" },
  { name = "plan", value = "FILE", help = "apply this saved plan" },
  { name = "yes", help = "do not ask; undo takes it too, but never asks" },
  { name = "purge", value = "ID", help = "empty the vault of a transaction; it cannot be undone after that" },
  { name = "proof", help = "try to decrypt each key file that is listed, and say what came of it" },
  { name = "all", help = "print the name of every key file" },
  { name = "container", value = "NAME", many = true, help = "look at this container; may be given several times" },
  { name = "guid", value = "GUID", help = "print the key files with this GUID suffix" },
  { name = "log", value = "NAME", many = true, help = "read this event log: System, Application, ..." },
  { name = "source", value = "NAME", help = "only events of this source" },
  { name = "id", value = "NUMBER", many = true, help = "only events with this id; may be given several times" },
  { name = "since", value = "TIME", help = "only events from this time on, RFC 3339 with a zone" },
  { name = "until", value = "TIME", help = "only events up to this time" },
  { name = "count", value = "NUMBER", help = "show that many events (default: 50)" },
  { name = "differs", help = "of policies test: print only the volumes where it differs from the shipped policies" },
  { name = "html", value = "FILE", help = "write the page to FILE: one file, to be read in a browser" },
  { name = "text", help = "print the report as text, besides --html" },
  { name = "write", help = "let the script or prompt apply, undo, recover and purge" },
  { name = "no-history", help = "keep no history of the prompt" },
  { name = "json", help = "print one JSON document" },
  { name = "quiet", help = "print less" },
  { name = "no-color", help = "no colour (the same as NO_COLOR in the environment)" },
  { name = "detailed-exitcode", help = "add 1 to the exit status when something changed, 2 when services start at the "
    .. "next boot or a restart of Windows is due" },
  { name = "help", help = "print this help" },
  { name = "version", help = "print the version" },
}

local TARGET = { "root", "volume", "windows", "times" }
local JUDGE = { "policy", "trust-file", "onset", "adopt", "retire", "restore-guid", "force-disproved",
  "accept-dirty-hive", "no-services" }
-- What a saved plan was made with, so that apply --plan takes none of them.
local JUDGED = { "policy", "onset", "adopt", "retire", "restore-guid" }
local TEXT = { "quiet", "no-color", "detailed-exitcode", "help" }
local OUTPUT = { "json", "quiet", "no-color", "detailed-exitcode", "help" }

local function join(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, name in ipairs(list) do all[#all + 1] = name end
  end
  return all
end

-- name, arguments (shown), max (their number; none: any), module, takes (options), help
M.verbs = {
  { name = "diagnose", module = "judge", max = 0, takes = join(TARGET, JUDGE, OUTPUT),
    help = "say what is wrong, by what evidence, and what to do; changes nothing" },
  { name = "plan", module = "judge", max = 0, takes = join(TARGET, JUDGE, { "save", "manual" }, OUTPUT),
    help = "show the steps of a repair, each with its reason; changes nothing" },
  { name = "apply", module = "change", max = 0, takes = join(TARGET, JUDGE, { "plan", "disconnect", "yes" }, OUTPUT),
    help = "do the plan as one transaction that can be undone" },
  { name = "undo", arguments = "[ID]", module = "change", max = 1, takes = join(TARGET, { "yes" }, OUTPUT),
    help = "reverse a transaction (default: the newest that is done)" },
  { name = "recover", module = "change", max = 0, takes = join(TARGET, OUTPUT),
    help = "finish or put back what was interrupted" },
  { name = "history", module = "change", max = 0, takes = join(TARGET, { "purge", "yes" }, OUTPUT),
    help = "list the transactions of the target" },
  { name = "keys", module = "keys", max = 0, takes = join(TARGET, { "proof", "all", "container", "guid" }, OUTPUT),
    help = "what the key stores hold" },
  { name = "verify", module = "verify", max = 0, takes = join(TARGET, { "policy", "trust-file", "container" }, OUTPUT),
    help = "whether each key container works now, and by what proof" },
  { name = "events", module = "events", max = 0,
    takes = join(TARGET, { "policy", "trust-file", "log", "source", "id", "since", "until", "count" }, OUTPUT),
    help = "the events that tell of machine keys, or those asked for, newest first" },
  { name = "services", arguments = "[NAME...]", module = "services",
    takes = join(TARGET, { "policy", "trust-file" }, OUTPUT),
    help = "the services of the policies, or those named: who needs whom, in which order" },
  { name = "report", module = "report", max = 0, takes = join(TARGET, JUDGE, { "html", "text" }, OUTPUT),
    help = "the whole case on one page, with the timeline; changes nothing" },
  { name = "hotfix", module = "hotfix", max = 0, takes = join(TARGET, OUTPUT),
    help = "whether the hotfix of KB 884872 is in place, file by file (Windows 2000)" },
  { name = "policies", arguments = "list | show NAME | check FILE... | test FILE [VOLUME...] | "
      .. "volume | volume NAME DIR | new NAME",
    module = "policies", takes = join({ "policy", "trust-file", "differs" }, OUTPUT),
    help = "the policies there are; the text of one; check: whether policies are in order, without a target; test: "
      .. "what a policy would do on the golden volumes; volume: lists these, or makes one as the folder DIR, to "
      .. "practise on; new: writes NAME.lua from a template. --policy is for list alone: the others take the "
      .. "policy as a word" },
  { name = "run", arguments = "SCRIPT [ARGUMENT...]", module = "script", rest = true,
    takes = join(TARGET, { "write", "trust-file" }, TEXT),
    help = "run a Lua script with the globals keymend and, where there is one, target; options stand before SCRIPT, "
      .. "what follows it is the script's" },
  { name = "repl", module = "script", max = 0, takes = join(TARGET, { "write", "no-history", "trust-file" }, TEXT),
    help = "the interactive prompt" },
  { name = "help", arguments = "[VERB]", module = "help", max = 1, takes = TEXT, help = "print help" },
}

local function by_name(list)
  local found, names = {}, {}
  for index, one in ipairs(list) do
    found[one.name], names[index] = one, one.name
  end
  return found, names
end

local option_of, option_names = by_name(M.options)
local verb_of, verb_names = by_name(M.verbs)

function M.verb(name)
  return verb_of[name]
end

local function takes(verb, name)
  for _, one in ipairs(verb.takes) do
    if one == name then return true end
  end
  return false
end

-- Whether a word is an option that the verb takes.
function M.is_option(verb, word)
  local name = word:sub(1, 2) == "--" and word:match "^%-%-([^=]+)"
  return name and option_of[name] ~= nil and takes(verb, name) or false
end

-- Splits "--name=value"; short forms of help and version.
local SHORT = { ["-h"] = "help", ["-V"] = "version", ["-q"] = "quiet", ["-y"] = "yes" }

local function option_in(word)
  if SHORT[word] then return SHORT[word] end
  local name, value = word:match "^%-%-([^=]+)=(.*)$"
  return name or word:sub(3), value
end

-- Takes one option at args[at]; the index of the last word it used, or nil, message.
local function take(given, args, at)
  local name, value = option_in(args[at])
  local option = option_of[name]
  if not option then
    return nil, ("there is no option --%s%s"):format(name, spelling.hint(name, option_names, "--"))
  end
  if option.value and value == nil then
    at = at + 1
    value = args[at]
    local is_option = value and value:sub(1, 2) == "--" and option_of[(option_in(value))]
    if value == nil or is_option then
      return nil, ("--%s needs a value: --%s %s"):format(name, name, option.value)
    end
  elseif not option.value and value ~= nil then
    return nil, ("--%s takes no value"):format(name)
  end
  if option.value and value == "" then return nil, ("--%s: the value is empty"):format(name) end
  if option.many then
    given[name] = given[name] or {}
    table.insert(given[name], value)
  elseif option.value and given[name] ~= nil then
    return nil, ("--%s is given twice"):format(name)
  else
    given[name] = value == nil and true or value
  end
  return at
end

-- Parses the words of a command line: { verb = entry or nil, options = {}, arguments = {} }, or nil, message, the
-- verb if it was reached. What follows the script of `run` is the script's.
function M.parse(args)
  local given, arguments, verb = {}, {}, nil
  local at, only_words = 1, false
  while args[at] ~= nil do
    local word = args[at]
    if verb and verb.rest and (#arguments > 0 or only_words) then
      arguments[#arguments + 1] = word
    elseif not only_words and word == "--" then
      only_words = true
    elseif not only_words and word:sub(1, 1) == "-" and word ~= "-" then
      if word:sub(1, 2) ~= "--" and not SHORT[word] then
        return nil, ("there is no option %s; options begin with two hyphens"):format(word), verb
      end
      local last, message = take(given, args, at)
      if not last then return nil, message, verb end
      at = last
    elseif not verb then
      verb = verb_of[word]
      if not verb then
        return nil, ('there is no verb "%s"%s'):format(word, spelling.hint(word, verb_names))
      end
    else
      arguments[#arguments + 1] = word
    end
    at = at + 1
  end
  return { verb = verb, options = given, arguments = arguments }
end

-- Whether the verb takes what was given: true, or nil, message.
function M.check(parsed)
  local verb = parsed.verb
  for name in pairs(parsed.options) do
    if not takes(verb, name) and name ~= "version" then
      return nil, ("%s does not take --%s"):format(verb.name, name)
    end
  end
  for _, name in ipairs(parsed.options.plan and JUDGED or {}) do
    if parsed.options[name] then
      return nil, ("--plan FILE has been judged already, so it does not go with --%s; make a new plan with it: "
        .. "keymend plan --%s ... --save FILE"):format(name, name)
    end
  end
  if verb.max and #parsed.arguments > verb.max then
    return nil, ('%s: "%s" is one word too many'):format(verb.name, parsed.arguments[verb.max + 1])
  end
  return true
end

-- ---- Help ----

-- What each exit status says; the manual page has it from here too.
M.exit = {
  { "0", "done as asked (a repair included)" }, { "4", "findings of warning or worse are left" },
  { "8", "the operation failed; what had begun was put back" }, { "16", "wrong usage" },
  { "32", "refused: stale, ambiguous, unconfirmed, dirty hive" },
  { "64", "needs attention: putting back failed; the vault's path is printed" },
}

local function usage_line(verb)
  local words = verb.arguments and " " .. verb.arguments or ""
  return "keymend " .. verb.name .. (verb.rest and " [options]" .. words or words .. " [options]")
end

function M.help(page)
  page:text_block "keymend mends Windows machine-key stores whose key files no longer match MachineGuid."
  page:blank()
  page:line "Usage: keymend VERB [options]"
  page:blank()
  for _, verb in ipairs(M.verbs) do page:item("  " .. verb.name, verb.help, { indent = 13, style = "strong" }) end
  page:blank()
  page:text_block("Most verbs need a target: on Windows it is the running system, with --root DIR an offline volume "
    .. "that is mounted there. keymend help VERB tells the options of a verb. Only apply, undo, recover and history "
    .. "--purge change a target, and what run --write and repl --write are told to do there.")
  page:blank()
  page:line "Exit status (4, 8, 32 and 64 add up):"
  for _, row in ipairs(M.exit) do page:item("  " .. row[1], row[2], { indent = 6 }) end
end

function M.verb_help(page, verb)
  page:line("Usage: " .. usage_line(verb))
  page:blank()
  page:text_block(verb.help:sub(1, 1):upper() .. verb.help:sub(2) .. ".")
  page:blank()
  for _, name in ipairs(verb.takes) do
    local option = option_of[name]
    page:item("  --" .. name .. (option.value and " " .. option.value or ""), option.help, { indent = 26 })
  end
end

M.verb_names = verb_names

return M
