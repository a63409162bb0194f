-- policies.lua: the verb policies: list them, show the text of one; check, test and make new ones; write
-- golden volumes out

local cli = require "keymend.cli"
local core = require "keymend.core"
local policy = require "keymend.policy"
local spelling = require "keymend.spelling"

local EXIT = cli.exit
local M = {}

local function containers(one)
  if one.orphans then return "every orphaned one that no other policy knows" end
  local names = {}
  for index, container in ipairs(one.containers) do names[index] = '"' .. container.name .. '"' end
  return table.concat(names, ", ")
end

-- The policies that are used only where they are named: those of the own folder, and shipped ones; none where --policy
-- names others. Second: whether one of them cannot be used, which is told.
local function own_policies(context)
  local own, broken = {}, false
  if context.options.policy then return own, broken end
  local names, problem = policy.own_names()
  if not names then
    context:say(problem)
    return own, true
  end
  for _, name in ipairs(names) do
    local loaded, message = policy.load(name)
    if loaded then own[#own + 1] = loaded else context:say(message) end
    broken = broken or not loaded
  end
  for _, name in ipairs(policy.names()) do
    local loaded = policy.load(name)
    if loaded and loaded.use == "named" then own[#own + 1] = loaded elseif loaded then policy.close { loaded } end
  end
  return own, broken
end

local function print_policy(page, one, use)
  page:item(one.name, one.title .. (one.kb and " (KB " .. one.kb .. ")" or ""), { indent = 12, style = "strong" })
  page:item("", "containers " .. containers(one), { indent = 12 })
  page:item("", one.source .. ", SHA-256 " .. one.sha256:sub(1, 16) .. "...", { indent = 12, text_style = "faint" })
  if use then page:item("", use, { indent = 12 }) end
end

local function list(context)
  local loaded, status = context:policies()
  if not loaded then return status end
  local own, broken = own_policies(context)
  policy.close(own)
  status = broken and EXIT.findings or EXIT.done
  if context.options.json then
    return context:document { exit = status, own_policies = require("keymend.document").policies(own) }
  end
  for _, one in ipairs(loaded) do print_policy(context:page(), one) end
  for _, one in ipairs(own) do print_policy(context:page(), one, "used with --policy " .. one.name) end
  return status
end

local function show(context)
  local name = context.arguments[2]
  if not name then
    return context:fail("policies show needs the name of a policy; see keymend policies list", "usage")
  end
  local text, source, code = policy.find(name)
  if not text then return context:fail(source, code == "not-found" and "usage" or code) end
  if context.options.json then
    local loaded, status = (function()
      context.options.policy = { name }
      return context:policies()
    end)()
    if not loaded then return status end
    return context:document { exit = 0, text = text }
  end
  -- As it stands, so that it can be copied; what control and bidi characters hide in a policy from elsewhere
  -- is shown.
  io.stdout:write(source == "shipped" and text or require("keymend.page").lines((text:gsub("\r\n", "\n"))))
  return EXIT.done
end

-- ---- check ----

-- Loads and lints one policy: its problems, a list of { text, line? }; or nil, message, code when it cannot be read.
local function problems_of(name)
  local loaded, message, code = policy.load(name)
  if not loaded then
    if code ~= "policy" then return nil, message, code end
    return { { text = message } }
  end
  local found = {}
  for index, one in ipairs(require("keymend.lint").problems(loaded)) do
    found[index] = { line = one.line, text = ("%s:%d: %s"):format(loaded.shown, one.line, one.text) }
  end
  policy.close { loaded }
  return found, loaded
end

local function print_check(page, name, problems, loaded)
  for _, one in ipairs(problems) do page:item("error", one.text, { style = "error" }) end
  if #problems == 0 then
    page:item("good", ('%s: policy "%s" of api %d, containers %s'):format(name, loaded.name, loaded.api,
      containers(loaded)), { style = "good" })
  end
end

local function check(context)
  if #context.arguments < 2 then
    return context:fail("policies check needs a policy: keymend policies check FILE", "usage")
  end
  local rows, status = {}, EXIT.done
  for index = 2, #context.arguments do
    local name = context.arguments[index]
    local problems, loaded, code = problems_of(name)
    if not problems then return context:fail(loaded, code == "not-found" and "usage" or code) end
    if #problems > 0 then status = EXIT.findings end
    rows[#rows + 1] = { policy = name, good = #problems == 0, problems = problems }
    if not context.options.json then print_check(context:page(), name, problems, loaded) end
  end
  if context.options.json then return context:document { exit = status, checks = rows } end
  return status
end

-- ---- test ----

local STYLES = { repair = "strong", healthy = "good", failed = "error" }

local function print_steps(page, one)
  for _, kind in ipairs { "retire", "adopt" } do
    if one[kind] then
      page:line(("      %s %s"):format(kind, one[kind]))
      local why = one["why_" .. kind]
      if (why or "") ~= "" then page:text_block("because " .. why, 8) end
    end
  end
end

-- What the gravest findings say, for a volume on which nothing can be done.
local function print_gravest(page, findings)
  for _, one in ipairs(findings) do
    if one.severity ~= "error" then break end
    page:text_block(one.id .. ": " .. one.text, 6)
  end
end

local function print_expected(page, result)
  local words = {}
  for index, step in ipairs(result.expected) do
    words[index] = ("%s %s"):format(step.kind or step[1], step.name or step[2])
  end
  page:item("    differs:", "the shipped policies would " .. (#words > 0 and table.concat(words, ", then ")
    or "change nothing"), { indent = 13, style = "warning" })
end

-- The names of `some` that `other` has not.
local function only_in(some, other)
  local known, names = {}, {}
  for _, name in ipairs(other) do known[name:lower()] = true end
  for _, name in ipairs(some) do
    if not known[name:lower()] then names[#names + 1] = name end
  end
  return names
end

-- How the services differ from those of the shipped policies, in one line.
local function print_services_differ(page, result)
  local words = {}
  for _, what in ipairs { "stop", "start" } do
    local expected = result["expected_" .. what]
    local less, more = only_in(expected, result[what]), only_in(result[what], expected)
    if #less > 0 then words[#words + 1] = ("%s %s too"):format(what, table.concat(less, ", ")) end
    if #more > 0 then words[#words + 1] = ("not %s %s"):format(what, table.concat(more, ", ")) end
  end
  page:item("    differs:", "the shipped policies would " .. (#words > 0 and table.concat(words, "; ")
    or "stop or start them in another order"), { indent = 13, style = "warning" })
end

local function print_result(page, result)
  page:item(result.name .. ":", result.title, { style = "strong" })
  page:item("    " .. result.verdict, result.problem or "", { style = STYLES[result.verdict] or "warning" })
  local refused = false
  for _, one in ipairs(result.containers) do
    page:line('    "' .. one.container .. '"' .. (one.healthy and ": healthy" or ""))
    print_steps(page, one)
    if one.refused then page:text_block("refused: " .. one.refused, 6) end
    refused = refused or one.refused ~= nil
  end
  for _, step in ipairs(result.other_steps) do
    page:line("    " .. step.text)
    if (step.reason or "") ~= "" then page:text_block("because " .. step.reason, 8) end
  end
  local idle = result.verdict == "broken" or result.verdict == "refused"
  if idle and not refused then print_gravest(page, result.findings) end
  if #result.stop > 0 then page:item("    stop:", table.concat(result.stop, ", "), { indent = 13 }) end
  if #result.start > 0 then page:item("    start:", table.concat(result.start, ", "), { indent = 13 }) end
  if result.differs then print_expected(page, result) end
  if result.services_differ then print_services_differ(page, result) end
  page:blank()
end

local COUNTED = {
  { "repair", "would be repaired" }, { "healthy", "healthy" }, { "refused", "refused" },
  { "broken", "nothing to adopt" }, { "failed", "failed" }, { "none", "where the policy does not apply" },
}

-- The services that are on none of the volumes; `rest`: lower-case name to shown name, nil as long as none was seen.
local function narrow(rest, not_here)
  if not not_here then return rest end
  local kept = {}
  for _, name in ipairs(not_here) do
    if not rest or rest[name:lower()] then kept[name:lower()] = name end
  end
  return kept
end

local function print_sum(page, sum)
  local counts, differing, none = sum.counts, sum.differing, sum.none
  local parts = {}
  for _, row in ipairs(COUNTED) do
    if counts[row[1]] then parts[#parts + 1] = ("%d %s"):format(counts[row[1]], row[2]) end
  end
  page:text_block(("%d golden volumes: %s."):format(counts.all, table.concat(parts, ", ")))
  if #none > 0 then page:text_block("It does not apply to: " .. table.concat(none, ", ") .. ".") end
  local missing = {}
  for _, name in pairs(sum.missing or {}) do missing[#missing + 1] = name end
  table.sort(missing)
  if #missing > 0 then
    page:text_block(("Services named, but on none of these volumes: %s."):format(table.concat(missing, ", ")))
  end
  if not counts.with_keys then
    page:text_block("Nothing of it was tried: none of these volumes " .. (counts.all == #none
      and "is one that it applies to." or "has a key file of its containers."))
    page:text_block "Try it on a volume of yours, which changes nothing:"
    return page:line "  keymend diagnose --root DIR --policy FILE"
  end
  page:text_block(#differing == 0 and "It decides as the shipped policies do." or
    ("It decides otherwise than the shipped policies on: %s."):format(table.concat(differing, ", ")))
  if #sum.services > 0 then
    page:text_block(("It stops or starts other services than the shipped policies on: %s."):format(
      table.concat(sum.services, ", ")))
  end
end

local function row_of(result)
  local findings = {}
  for index, one in ipairs(result.findings) do
    findings[index] = { id = one.id, severity = one.severity, text = one.text }
  end
  return {
    volume = result.name, title = result.title, verdict = result.verdict, problem = result.problem,
    containers = result.containers, stop = result.stop, start = result.start, findings = findings,
    differs = result.differs, services_differ = result.services_differ or false, services_missing = result.not_here,
  }
end

local function add_to(sum, result)
  sum.counts.all, sum.counts[result.verdict] = sum.counts.all + 1, (sum.counts[result.verdict] or 0) + 1
  if result.differs then sum.differing[#sum.differing + 1] = result.name end
  if result.services_differ then sum.services[#sum.services + 1] = result.name end
  if result.verdict == "none" then sum.none[#sum.none + 1] = result.name end
  sum.counts.with_keys = sum.counts.with_keys or result.has_keys
  sum.missing = narrow(sum.missing, result.not_here)
end

-- Whether a result is printed; with --differs those alone that are not as the shipped policies have it.
local function is_shown(context, result)
  local other = result.differs or result.services_differ or result.verdict == "failed"
  if context.options.differs then return other end
  return not context.options.quiet and (result.verdict ~= "none" or other)
end

local function print_trials(context, loaded, cases)
  local page, rows = context:page(), {}
  local sum = { counts = { all = 0 }, differing = {}, services = {}, none = {} }
  local meter = require("keymend.progress").new { what = "volumes", total = #cases }
  local ran, message, code, native = require("keymend.trial").run({ loaded }, cases, function(result)
    add_to(sum, result)
    meter:clear()
    if context.options.json then
      rows[#rows + 1] = row_of(result)
    elseif is_shown(context, result) then
      print_result(page, result)
    end
    meter:add(1)
  end)
  meter:clear()
  if not ran then return context:fail(message, code, native) end
  local status = sum.counts.failed and EXIT.findings or EXIT.done
  if context.options.json then return context:document { exit = status, trials = rows } end
  print_sum(page, sum)
  return status
end

local function test(context)
  local name = context.arguments[2]
  if not name then
    return context:fail("policies test needs a policy: keymend policies test FILE [VOLUME...]", "usage")
  end
  local names = { unpack(context.arguments, 3) }
  local cases, missing = require("keymend.trial").cases(#names > 0 and names or nil)
  if not cases then return context:fail(missing, "usage") end
  local problems, loaded, code = problems_of(name)
  if not problems then return context:fail(loaded, code == "not-found" and "usage" or code) end
  if not loaded then return context:fail(problems[1].text, "policy") end
  loaded, problems, code = policy.load(name)
  if not loaded then return context:fail(problems, code) end
  context.loaded = { loaded }
  return print_trials(context, loaded, cases)
end

-- ---- volume ----

local function key_files(case)
  return ("%d current, %d foreign"):format(case.current, case.foreign)
end

local function list_volumes(context)
  local cases = require("keymend.trial").cases()
  if context.options.json then
    local rows = {}
    for index, case in ipairs(cases) do
      rows[index] = { volume = case.name, title = case.title, current = case.current, foreign = case.foreign }
    end
    return context:document { exit = EXIT.done, golden_volumes = rows }
  end
  local page = context:page()
  for _, case in ipairs(cases) do
    page:item(case.name, ("%s (%s)"):format(case.title, key_files(case)), { indent = 26, style = "strong" })
  end
  if not context.options.quiet then
    page:blank()
    page:text_block "In parentheses: the key files that the volume is about, under its machine GUID and under others."
    page:line("Make one:  " .. context.program .. " policies volume kb DIR")
  end
  return EXIT.done
end

-- The options that name a volume that was written, as the command line gives them; of the case's policies too.
local function options_of(place, case)
  local given = { root = place.root, times = place.times, volume = {}, policy = {} }
  for letter, path in pairs(place.drives) do given.volume[#given.volume + 1] = letter .. ":=" .. path end
  for index = 2, #(case.policy or {}), 2 do given.policy[#given.policy + 1] = case.policy[index] end
  return given
end

local function volume(context)
  local name, dir = context.arguments[2], context.arguments[3]
  if not name then return list_volumes(context) end
  local trial = require "keymend.trial"
  local cases, missing = trial.cases { name }
  if not cases then return context:fail(missing, "usage") end
  if not dir or dir == "" then
    return context:fail(("policies volume needs a new folder: keymend policies volume %s DIR"):format(name), "usage")
  end
  local case = cases[1]
  local place, message, code, native = trial.write(case, dir)
  if not place then return context:fail(message, code, native) end
  if context.options.json then
    local row = { volume = name, title = case.title, current = case.current, foreign = case.foreign,
      root = place.root, times = place.times, drives = next(place.drives) and place.drives or nil }
    return context:document { exit = EXIT.done, golden_volumes = { row } }
  end
  local page = context:page()
  page:text_block(("Made: %s, %s (%s)."):format(place.root, case.title, key_files(case)))
  if place.times then page:line("Times: " .. place.times) end
  for letter, path in pairs(place.drives) do page:line(letter .. ":    " .. path) end
  if context.options.quiet then return EXIT.done end
  page:text_block "A Windows volume to practise on. Go on with:"
  local told = { program = context.program, options = options_of(place, case) }
  for _, verb in ipairs { "diagnose", "plan", "apply" } do page:line("  " .. context.command(told, verb)) end
  return EXIT.done
end

-- ---- new ----

-- Names that Windows takes for devices, whatever follows a dot.
local DEVICES = { con = true, prn = true, aux = true, nul = true }

local function is_device(name)
  name = name:lower()
  return DEVICES[name] or name:find "^com%d$" ~= nil or name:find "^lpt%d$" ~= nil
end

local function new(context)
  local given = context.arguments[2]
  if not given then return context:fail("policies new needs a name: keymend policies new NAME", "usage") end
  local name = given:gsub("%.lua$", ""):match "([%w_-]+)$"
  local path = given:find "%.lua$" and given or given .. ".lua"
  if not name or not given:find "^[^%c]+$" or given:match "[^/\\]*$":gsub("%.lua$", "") ~= name then
    return context:fail(('policies new %s: a name of letters, digits, _ and - was expected'):format(given), "usage")
  end
  if is_device(name) then
    return context:fail(('policies new %s: Windows keeps this name for a device; give another'):format(given), "usage")
  end
  local text = require("keymend.template")(name)
  local made, message, code, native = core.new_file(path, text)
  if not made and code == "exists" then
    return context:fail(('"%s" is there already, and is left as it is; give another name'):format(path), "refused")
  elseif not made then
    return context:fail("the policy cannot be written: " .. message, code, native)
  end
  if context.options.json then return context:document { exit = EXIT.done, file = path, text = text } end
  local page = context:page()
  page:line("Written: " .. path)
  if core.embedded_policies()[name] then
    page:text_block(('A shipped policy is called "%s" too: --policy %s takes that one, --policy with the path takes '
      .. "this one."):format(name, name))
  end
  if not context.options.quiet then
    page:text_block "Edit it; then look at what it does, which needs no target:"
    page:line("  " .. context.program .. " policies check " .. path)
    page:line("  " .. context.program .. " policies test " .. path)
  end
  return EXIT.done
end

local WORDS = { list = list, show = show, check = check, test = test, volume = volume, new = new }
local MOST = { list = 1, show = 2, volume = 3, new = 2 } -- words; check and test take more

function M.policies(context)
  local word = context.arguments[1] or "list"
  local run = WORDS[word]
  if not run then
    return context:fail(('policies: list, show, check, test, volume or new expected, not "%s"%s'):format(
      word, spelling.hint(word, { "list", "show", "check", "test", "volume", "new" })), "usage")
  end
  if context.options.differs and word ~= "test" then
    return context:fail("--differs goes with policies test alone", "usage")
  end
  if context.options.policy and word ~= "list" then
    return context:fail(("--policy goes with policies list alone: policies %s takes the policy as a word"):format(
      word), "usage")
  end
  local most = MOST[word]
  if most and #context.arguments > most then
    return context:fail(('policies %s: "%s" is one word too many'):format(word, context.arguments[most + 1]), "usage")
  end
  return run(context)
end

return M
