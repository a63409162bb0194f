-- prune.lua: moves old key files that nothing is known to need from a bloated key store into the vault
--
--   keymend run --root DIR prune.lua                        a dry run: what would go, what stays and why
--   keymend run --root DIR --write prune.lua --apply        does it, in transactions that can be undone
--
-- On Windows leave --root out. Options behind prune.lua:
--   --older DAYS       made and written longer ago than that (default: 365)
--   --guid GUID        only files of this GUID
--   --keep CONTAINER   keeps this key container too; may be given several times
--   --named            also containers with a name of their own, not only those that imports of PFX files make up
--   --most FILES       no more than that in one run (default: 3200)
--
-- What stays, whatever its age: containers that Windows, a policy, a certificate (of the machine, a service or a user),
-- IIS's configuration or its metabase names; files that are damaged or whose name does not fit; strays. When one of
-- these places cannot be read, it refuses. What it cannot know: a program that keeps the made-up name of a container in
-- a place of its own. So look at the dry run first, keep the transactions until all has run for a while, and empty the
-- vault (keymend history --purge ID) only then; until then no disk space is freed.

local core = keymend.core
local plans = keymend.plans

local DAY = 86400
local SHOWN = 20

-- ---- Options ----

local options = { older = 365, most = 3200, keep = {} }
local at = 1
local function value(word)
  at = at + 1
  return arg[at] or error(word .. " needs a value; the head of prune.lua tells its options", 0)
end
while arg[at] do
  local word = arg[at]
  if word == "--older" or word == "--most" then
    local number = tonumber(value(word))
    if not (number and number >= 1 and number < math.huge) then
      error(word .. ": a number from 1 on was expected", 0)
    end
    options[word:sub(3)] = number
  elseif word == "--guid" then
    options.guid = core.guid(value(word))
    if options.guid == "" then error("--guid: that is no GUID", 0) end
  elseif word == "--keep" then table.insert(options.keep, value(word))
  elseif word == "--named" or word == "--apply" then options[word:sub(3)] = true
  else error(("prune.lua has no option %s; its head tells them"):format(word), 0) end
  at = at + 1
end
if not target then error("there is no target: keymend run --root DIR prune.lua", 0) end

-- ---- What may go ----

local keep = target:keep_set()
for _, container in ipairs(options.keep) do
  local added, why = keep:add(container, "--keep names it")
  if not added then error("--keep: " .. why, 0) end
end
if #keep.missing > 0 then
  print "Refused: it cannot be told which key files are needed, because not everything could be looked at:"
  for _, text in ipairs(keep.missing) do print("  " .. core.escape(text)) end
  return 32
end

-- PFX imports and certificate requests name containers by a GUID, perhaps with a word before it: "{...}", "pvk:...",
-- "le-...".
local X4 = ("%x"):rep(4)
local MADE_UP = "^%a*[:%-]?{?" .. X4 .. X4 .. ("%-" .. X4):rep(4) .. X4 .. X4 .. "}?$"

local limit = core.time_now() - options.older * DAY

-- Why a file stays, as a word or two to count by; nil: it may go.
local function stays(name, class, hash, guid)
  if class == "stray" then return "named by hand" end
  if options.guid and guid ~= options.guid then return "of another GUID" end
  if keep:why(hash) then return "needed" end
  local key = target:inspect(name)
  if not key then return "not readable" end
  if plans.kept_because(key, keep) then return "damaged or odd" end
  if not options.named and not key.container:find(MADE_UP) then return "with a name of their own" end
  -- Where the volume is a copy, its file system tells when that was made, which says nothing of the key.
  local created = key.created_source ~= "birth" and key.created or 0
  if math.max(created, key.written or limit) >= limit then return "not old enough" end
  return nil, key.size
end

local survey, problem = target:survey {}
if not survey then error(problem, 0) end
local meter = keymend.progress.new { what = "files", total = survey.files }
local going, bytes, kept, more = {}, 0, {}, 0
for name, class, hash, guid in assert(target:keys()) do
  local why, size = stays(name, class, hash, guid)
  if why then
    kept[why] = (kept[why] or 0) + 1
  elseif #going < options.most then
    going[#going + 1], bytes = name, bytes + size
  else
    more = more + 1
  end
  meter:add(1)
end
meter:finish()

-- ---- Telling ----

print(("%d key files may go, %.1f MB%s"):format(#going, bytes / 1e6,
  more > 0 and (", and %d more in further runs"):format(more) or ""))
local words = {}
for why, count in pairs(kept) do words[#words + 1] = ("%d %s"):format(count, why) end
table.sort(words)
print("stay: " .. (#words > 0 and table.concat(words, ", ") or "none"))
for index = 1, math.min(#going, SHOWN) do print("  " .. going[index]) end
if #going > SHOWN then print(("  and %d more"):format(#going - SHOWN)) end
if #going == 0 then return 0 end
if not options.apply then
  print "Dry run: nothing was changed. With keymend run --write ... prune.lua --apply they go into the vault."
  return 0
end

-- ---- Doing ----

meter = keymend.progress.new { what = "files", total = #going }
for first = 1, #going, plans.MAX_STEPS do
  local names = { unpack(going, first, math.min(first + plans.MAX_STEPS - 1, #going)) }
  local plan, message, code = target:prune_plan(names, "nothing is known to need it, and it is old", keep)
  local txn, native, outcome
  if plan then txn, message, code, native, outcome = plan:apply() end
  meter:clear()
  if not txn then
    print(("Stopped after %d files: %s"):format(first - 1, core.escape(message)))
    if (native or 0) ~= 0 then print(("The system's own code: %d"):format(native)) end
    return outcome == "attention" and 64 or (code == "refused" or outcome == "untouched") and 32 or 8
  end
  print(("transaction %s: %d files; back again: keymend undo %s"):format(txn.id, #names, txn.id))
  meter:add(#names)
end
meter:finish()
