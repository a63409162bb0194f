-- cli.lua: the command line: arguments to verbs, verbs to an exit status
--
-- Each verb's module is loaded only when it is asked for. A verb gets the context of the run and returns the exit
-- status or fails with context:fail, which prints one message (object, operation, the system's words, what to do next).

local core = require "keymend.core"
local options = require "keymend.options"

local M = {}

M.exit = { done = 0, findings = 4, failed = 8, usage = 16, refused = 32, attention = 64 }
local EXIT = M.exit

local Context = {}
Context.__index = Context

-- ---- Output ----

local function emit(text)
  io.stdout:write(text)
end

function Context:page()
  if not self.the_page then
    local terminal = core.is_terminal(1)
    local page = require "keymend.page"
    local colour = core.colour() and not self.options["no-color"] and not os.getenv "NO_COLOR"
      and os.getenv "TERM" ~= "dumb"
    self.the_page = page.new {
      write = emit, width = terminal and math.min(core.width(), page.WIDEST) or page.WIDTH, colour = colour,
    }
  end
  return self.the_page
end

-- A message for people on stderr; nothing with --json, where the document says it. `lines`: line breaks and tabs
-- stay, as in the errors of scripts.
function Context:say(text, lines)
  if self.options.json then return end
  io.stdout:flush()
  io.stderr:write("keymend: ", lines and require("keymend.page").lines(text) or core.escape(text), "\n")
end

-- Prints the document of a run with --json. `parts`: see document.frame.
function Context:document(parts)
  local document = require "keymend.document"
  parts.exit = self:status(parts.exit, parts)
  if self.opened and not parts.target then parts.target = document.target(self.opened:info()) end
  if self.loaded and not parts.policies then parts.policies = document.policies(self.loaded) end
  self.documented = true
  emit(document.encode(document.frame(self.verb and self.verb.name, parts)) .. "\n")
  return parts.exit
end

-- --detailed-exitcode: 1 for changed, 2 for a restart or deferred start that is due.
function Context:status(status, parts)
  if not self.options["detailed-exitcode"] then return status end
  return status + (parts.changed and 1 or 0) + (parts.restart_due and 2 or 0)
end

-- What a status id of the core means for the exit status; what is not here has failed. The outcome is the core's, or
-- "failed" for what never was about changing anything.
local REFUSED = {
  refused = true, stale = true, open = true, forged = true, busy = true, unsupported = true,
  ["read-only-target"] = true,
}
-- These refuse a change before it has begun; later, or when it was about reading, they have failed it.
local REFUSED_UNTOUCHED = { access = true, ["read-only"] = true, ["no-space"] = true }
local USAGE = { usage = true, option = true }

function M.status_of(code, outcome)
  if outcome == "attention" then return EXIT.attention end
  if USAGE[code] then return EXIT.usage end
  if outcome == "untouched" and REFUSED_UNTOUCHED[code] then return EXIT.refused end
  if outcome ~= "rolled-back" and outcome ~= "failed" and REFUSED[code] then return EXIT.refused end
  return EXIT.failed
end

-- Fails: prints the message, or the document with --json; returns the exit status. parts: more for the document.
function Context:fail(message, code, native, outcome, parts)
  parts = parts or {}
  parts.exit = (parts.exit or 0) + M.status_of(code, outcome)
  if self.options.json then
    parts.error = require("keymend.document").object {
      code = code or "failed", message = message,
      native = native ~= 0 and native or require("keymend.document").null,
    }
    return self:document(parts)
  end
  self:say(message, code == "script")
  return self:status(parts.exit, parts)
end

-- ---- Target and policies ----

local WINDOWS = package.config:sub(1, 1) == "\\"

-- A word as the shell takes it.
local function shell_word(word)
  if WINDOWS then
    if word:find "^[%w%./\\:=@+,_-]+$" then return word end
    -- Backslashes before a quotation mark count double (CommandLineToArgvW), also the closing one: D:\ and "D:\\".
    return '"' .. word:gsub('(\\*)"', '%1%1\\"'):gsub("(\\+)$", "%1%1") .. '"'
  end
  if word:find "^[%w%./:=@%%+,_-]+$" then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- A command line of keymend for this target that can be pasted as it is.
function Context:command(verb, ...)
  local words = { self.program, verb, ... }
  local given = self.options
  local function add(name)
    local values = type(given[name]) == "table" and given[name] or { given[name] }
    for _, value in ipairs(values) do
      words[#words + 1], words[#words + 2] = "--" .. name, value
    end
  end
  for _, name in ipairs { "root", "volume", "windows", "times" } do add(name) end
  -- A saved plan has been judged already, and says itself what was overruled.
  local judges = (verb == "plan" or verb == "apply" or verb == "diagnose") and (...) ~= "--plan"
  if judges then
    for _, name in ipairs { "policy", "trust-file", "onset", "adopt", "retire", "restore-guid" } do
      local decides = name == "adopt" or name == "retire" or name == "restore-guid"
      -- A command that chooses the other remedy does not go with what chose the one before.
      local other = decides and ((...) == "--restore-guid" or name == "restore-guid" and select("#", ...) > 0)
      if not (name == "adopt" and select("#", ...) > 0) and not other then add(name) end
    end
    for _, name in ipairs { "force-disproved", "accept-dirty-hive" } do
      if given[name] then words[#words + 1] = "--" .. name end
    end
    if given["no-services"] then words[#words + 1] = "--no-services" end
  end
  for index, word in ipairs(words) do words[index] = shell_word(word) end
  return table.concat(words, " ")
end

local function volumes_of(list)
  if not list then return nil end
  local volumes = {}
  for _, text in ipairs(list) do
    local letter, folder = text:match "^(%a):?=(.+)$"
    if not letter then return nil, ('--volume %s: write it as D:=DIR'):format(text) end
    letter = letter:upper()
    if volumes[letter] then return nil, ("--volume: %s: is given twice"):format(letter) end
    volumes[letter] = folder
  end
  return volumes
end

-- What to look at after the core could not open something; "" where its message says so.
local function what_next(message, code, given)
  if not given.root and not given.times then return "" end
  if code == "damaged" or message:find("--", 1, true) or message:find("run keymend as", 1, true) then return "" end
  if message:find("times file", 1, true) then return "; check --times" end
  if not given.root then return "" end
  return "; check --root: the volume must be mounted there and readable"
end

-- The folders of the open target on this machine in which nothing may be saved, the volumes given included.
function Context:folders()
  local folders = require("keymend.facts").closed_folders(self.opened:info())
  for _, folder in pairs(volumes_of(self.options.volume) or {}) do folders[#folders + 1] = folder end
  return folders
end

-- Opens the target of the options: target, or nil and the exit status. write: for verbs that change it.
function Context:open(write)
  local given = self.options
  local volumes, message = volumes_of(given.volume)
  if message then return nil, self:fail(message, "usage") end
  if not given.root and not WINDOWS then
    return nil, self:fail(("%s needs a target: give --root DIR, the folder where the Windows volume is mounted")
      :format(self.verb.name), "usage")
  end
  local target, why, code, native = require("keymend").open {
    root = given.root, volumes = volumes, windows = given.windows, times = given.times, write = write,
  }
  if not target then
    -- What this program cannot reach at all, such as a 64-bit Windows from the 32-bit one, it refuses.
    local outcome = code == "unsupported" and "untouched" or "failed"
    if code == "misuse" then code = "usage" end -- options that do not go together
    return nil, self:fail(why .. what_next(why, code, given), code, native, outcome)
  end
  self.opened = target
  local info = target:info()
  local can, reason = require("keymend.facts").can(info, "writing")
  -- Of a running Windows before it is judged: what may not be read without the rights would hide the reason.
  if write and not info.root and can == false then
    return nil, self:fail("refused: " .. (reason or "this Windows cannot be changed"), "access", nil, "untouched")
  end
  return target
end

-- Loads the policies of the options: list, or nil and the exit status.
function Context:policies()
  local policy = require "keymend.policy"
  local loaded, message, code = policy.load_all(self.options.policy)
  if not loaded then
    -- diagnose never refuses: what it cannot judge has failed.
    local outcome = self.verb.name == "diagnose" and "failed" or nil
    if code == "refused" and not outcome then message = "refused: " .. message end
    return nil, self:fail(message, code == "not-found" and "usage" or code, nil, outcome)
  end
  self.loaded = loaded
  return loaded
end

-- The options that a diagnosis takes; nil and the exit status when one is wrong.
function Context:judging()
  local given = self.options
  local judging = {
    adopt = given.adopt, retire = given.retire, times = given.times, onset_text = given.onset,
    force_disproved = given["force-disproved"] or false,
    accept_dirty_hive = given["accept-dirty-hive"] or false, no_services = given["no-services"] or false,
    restore_guid = given["restore-guid"],
    command = function(verb, ...) return self:command(verb, ...) end,
  }
  local ok, why = require("keymend.restore").check(judging)
  if not ok then return nil, self:fail(why, "usage") end
  if given.onset then
    local seconds, ticks = core.time_parse(given.onset)
    if not seconds then return nil, self:fail("--onset: " .. ticks, "usage") end
    judging.onset, judging.onset_ticks = seconds, ticks
  end
  return judging
end

-- Opens, loads and judges: diagnosis, or nil and the exit status.
function Context:diagnose(write)
  local judging, target, loaded, status
  judging, status = self:judging()
  if not judging then return nil, status end
  target, status = self:open(write)
  if not target then return nil, status end
  loaded, status = self:policies()
  if not loaded then return nil, status end
  return self:diagnose_again(judging)
end

-- Judges the open target anew.
function Context:diagnose_again(judging)
  local diagnosis, message, code, native = require("keymend.diagnosis").run(self.opened, self.loaded, judging or {})
  if not diagnosis then return nil, self:fail(message, code, native) end
  return diagnosis
end

-- The parts of the document that a diagnosis fills.
function Context:diagnosis_parts(diagnosis, parts)
  local document = require "keymend.document"
  parts = parts or {}
  parts.target = document.target(diagnosis.info)
  parts.policies = document.policies(diagnosis.policies)
  parts.findings = document.findings(diagnosis.findings)
  parts.cases = document.cases(diagnosis.cases)
  parts.events = document.diagnosed_events(diagnosis.events)
  return parts
end

-- Tells of interrupted transactions and of hives that were not closed cleanly, for verbs that do not diagnose: every
-- verb reports them. Gives the findings.
function Context:report_open(history)
  if not history then history = self.opened:history() end
  local findings = {}
  for _, txn in ipairs(history or {}) do
    if txn.state == "open" then
      local begun = require("keymend.facts").time(txn.begun, txn.begun_ticks)
      findings[#findings + 1] = require("keymend.finding").make("txn.open", { id = txn.id, begun = begun },
        { commands = { self:command "recover" } })
      self:say(("transaction %s was interrupted; recover it: %s"):format(txn.id, self:command "recover"))
    end
  end
  for _, hive in ipairs(self.opened:info().hives or {}) do
    if hive.dirty then
      findings[#findings + 1] = require("keymend.diagnosis").hive_finding(hive)
      self:say(findings[#findings].text)
    end
  end
  return findings
end

function Context:close()
  if self.loaded then require("keymend.policy").close(self.loaded) end
  if self.opened then self.opened:close() end
end

-- ---- Main ----

local function usage(context, message)
  local verb = context.verb
  message = require("keymend.spelling").see(message, "keymend help" .. (verb and " " .. verb.name or ""))
  return context:fail(message, "usage")
end

local function wants_json(args)
  for _, word in ipairs(args) do
    if word == "--" then return false end
    if word == "--json" then return true end
  end
  return false
end

-- An error of a script, policy or keymend itself as text; objects tell what they are, never their address.
function M.error_text(value)
  if type(value) == "string" then return value end
  local meta = getmetatable(value)
  if type(meta) == "table" and type(rawget(meta, "__tostring")) == "function" then
    local ok, text = pcall(tostring, value)
    if ok and type(text) == "string" then return text end
  end
  return ("an error that is a %s, not a text"):format(type(value))
end

function M.traceback(value)
  return debug.traceback(M.error_text(value), 2)
end

-- What must not happen has happened: the document all the same (unless it has been printed), or the message with
-- its place; the exit status.
local function internal(context, message)
  local text = "internal error, please report it: " .. message
  if not context.options.json then
    context:say(text, true)
  elseif not context.documented then
    local document = require "keymend.document"
    emit(document.encode(document.frame(context.verb and context.verb.name, {
      exit = EXIT.failed, changed = context.changed or false,
      error = document.object { code = "internal", message = text, native = document.null },
    })) .. "\n")
  end
  return EXIT.failed
end

local function run(context)
  local verb = context.verb
  if context.options.help then
    options.verb_help(context:page(), verb)
    return EXIT.done
  end
  return require("keymend.verbs." .. verb.module)[verb.name](context)
end

-- Runs keymend with the words of its command line (args[0]: how it was called); returns the exit status, and
-- whether the target was changed.
function M.main(args)
  local program = type(args[0]) == "string" and args[0]:find "[/\\]" and args[0] or "keymend"
  local parsed, message, verb = options.parse(args)
  local context = setmetatable({
    program = program, options = parsed and parsed.options or { json = wants_json(args) or nil },
    arguments = parsed and parsed.arguments or {}, verb = parsed and parsed.verb or verb,
  }, Context)
  if not parsed then return usage(context, message) end
  if parsed.options.json and parsed.options.help then
    return usage(context, "--help prints text; leave --json out")
  end
  if parsed.options.version then
    if parsed.options.json then return context:document { exit = EXIT.done } end
    emit("keymend " .. core.version .. "\n")
    return EXIT.done
  end
  if not parsed.verb then
    if not parsed.options.help then
      return usage(context, "say what to do, for example: keymend diagnose" .. (WINDOWS and "" or " --root DIR"))
    end
    options.help(context:page())
    return EXIT.done
  end
  local fits, why = options.check(parsed)
  if not fits then return usage(context, why) end
  for _, path in ipairs(parsed.options["trust-file"] or {}) do require("keymend.trust").accept(path) end
  local ok, status = xpcall(function() return run(context) end, M.traceback)
  if not ok then status = internal(context, status) end
  local closed, problem = xpcall(function() context:close() end, M.traceback)
  if not closed and ok then status = internal(context, problem) end
  io.stdout:flush()
  -- Whoever loses the output must still learn that the target is another now.
  return status, context.changed or false
end

return M
