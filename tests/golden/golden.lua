-- golden.lua: runs the golden cases: every verb on every volume, against expected judgement and output
--
-- A case is a Lua file in tests/golden/cases that gets the module volume and returns a table:
--   title      what it shows
--   volume     the volume's description (tests/lib/volume.lua)
--   policy     options for diagnose, plan and apply; args: the same, but no more after the repair
--   times      false leaves --times out; birth_time: the output tells the file system's own
--   diagnose   { exit=, findings = { "error key.orphaned" } }: all of warning or worse, and these infos
--   plan       { exit=, steps = { { "retire", name }, { "adopt", name, to } }, args= } (of apply too)
--   apply      { exit= }; a change is expected when the plan has steps and exit lacks 8, 32 and 64
--   again      { exit=, findings= }: diagnose after apply (default: 0, no finding of warning or worse)
--   undo       { exit= } (default 0)
--   needs      list of "root", "mount", "setpriv", "strace", "forge" (of tests/lib/proof.lua): skipped with a
--              message without them
--   before     words to put before keymend's name (another user); access_times: false, they may move
--   prepare(t) changes the volume before the first verb; script(t): more steps, after those above
--   release(t) undoes what prepare did (mounts)
-- The stages that a case leaves out are not run. After every verb that is not meant to change the
-- volume, the whole tree (names, bytes, times, modes, owners, and access times for read-only verbs)
-- must be as before.
--
-- With golden.windows (tests/golden/windows.lua) keymend.exe is run on a Windows.

local check = require "check"
local json = require "dkjson"
local lfs = require "lfs"
local proof = require "proof"
local shell = require "shell"
local volume = require "volume"

local golden = {}

local quote = shell.quote
local case_methods = {}
local case_meta = { __index = case_methods }

local SEVERITY = { info = 0, warning = 1, error = 2 }

-- ---- Running keymend ----

-- Runs `keymend VERB` on the case's volume with the case's options and `more`; { exit=, out=, err=
-- }.
function case_methods:keymend(verb, more, options)
  options = options or {}
  -- Relative paths, so that the output does not depend on where the work folder is.
  local words = { verb, "--root", options.root or "volume" }
  if self.case.times ~= false then words[#words + 1], words[#words + 2] = "--times", "volume.times" end
  if self.made.drive_root then
    words[#words + 1] = "--volume"
    words[#words + 1] = self.case.volume.drive .. ":=volume." .. self.case.volume.drive
  end
  local judging = verb == "diagnose" or verb == "plan" or verb == "apply"
  local args = judging and not self.repaired and self.case.args or {}
  for _, list in ipairs { judging and self.case.policy or {}, args, more or {} } do
    for _, word in ipairs(list) do words[#words + 1] = word end
  end
  if golden.windows then return golden.windows:keymend(self, words, options) end
  local line = (options.before or self.case.before or "") .. " " .. quote(golden.keymend) .. " "
    .. shell.words(words)
  local result = shell.run("cd " .. quote(self.dir) .. " && " .. line, options.input)
  result.line = line
  return result
end

-- Runs a verb with --json; the document is in .document (nil when it is none).
function case_methods:json(verb, more, options)
  local words = { "--json" }
  for _, word in ipairs(more or {}) do words[#words + 1] = word end
  local result = self:keymend(verb, words, options)
  local document, at = json.decode(result.out, 1, json.null)
  local whole = type(document) == "table" and result.out:sub(at):match "^%s*$" ~= nil
  check.ok(whole, verb .. " --json prints one document", result.out .. result.err)
  result.document = whole and document or nil
  return result
end

-- Writes a file beside the volume (keymend runs in that folder).
function case_methods:write(name, text)
  shell.write(self.dir .. "/" .. name, text)
end

case_methods.check, case_methods.shell = check, shell

-- ---- Comparing ----

-- What differs from run to run: paths, ids, the present, the host, the identities of files.
function case_methods:normalise(text)
  local function plain(from, to)
    text = text:gsub(from:gsub("%p", "%%%0"), to)
  end
  plain(self.dir, "DIR")
  plain(golden.top, "TOP")
  text = text:gsub('("host":%s*)"[^"]*"', '%1"HOST"')
  text = text:gsub("%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ%-%x%x%x%x%x%x", "TRANSACTION")
  text = text:gsub("20[2-9]%d%-%d%d%-%d%d[T ]%d%d:%d%d:%d%d[%.%d]*Z?", "NOW")
  text = text:gsub('("identity":%s*)"?%d+"?', "%1IDENTITY"):gsub('("device":%s*)"?%d+"?',
    "%1DEVICE")
  text = text:gsub('("sha256":%s*)"%x+"(,?%s*"source")', '%1"SHA256"%2')
  text = text:gsub('("time":%s*)[%d%.e+]+', "%1TIME")
  text = text:gsub('"13[3-9]%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d"', '"TICKS"') -- since 2022
  text = text:gsub("uid:" .. golden.user .. "%f[%D]", "uid:0")
  for _, system in ipairs { "ext4", "ext3", "ext2", "tmpfs", "overlay", "overlayfs", "btrfs", "xfs",
    "zfs", "f2fs" } do
    text = text:gsub("%f[%w]" .. system .. "%f[%W]", "FILESYSTEM")
  end
  return text
end

-- Compares a text with tests/golden/expected/NAME, or writes that file with --update.
function case_methods:expect(name, text)
  if self.case.birth_time and not golden.birth_times and not golden.windows then
    return check.skip(name, "this file system keeps no birth time, so the text is another")
  end
  local path = golden.top .. "/tests/golden/expected/" .. name
  text = self:normalise(text)
  if golden.windows then return golden.windows:expect(path, text, golden.update) end
  if golden.update then
    shell.write(path, text)
    check.ok(true, name)
  else
    check.same_text(text, shell.read(path) or "", "the output is that of tests/golden/expected/"
      .. name)
  end
end

-- Remembers the volume as it is now; same() compares with it.
function case_methods:remember()
  self.before = shell.snapshot(self.root)
  if self.made.drive_root then self.before = self.before .. shell.snapshot(self.made.drive_root) end
  if golden.access_times then
    shell.age_access_times(self.root, self.dir .. "/names")
    self.accessed = shell.access_times(self.dir .. "/names")
  end
end

function case_methods:same(what, read_only)
  if read_only and golden.access_times and self.case.access_times ~= false then
    check.same_text(shell.access_times(self.dir .. "/names"), self.accessed,
      what .. " moves no access time")
  end
  local now = shell.snapshot(self.root)
  if self.made.drive_root then now = now .. shell.snapshot(self.made.drive_root) end
  check.same_text(now, self.before, what .. " changes nothing")
  if golden.access_times then
    shell.age_access_times(self.root, self.dir .. "/names")
    self.accessed = shell.access_times(self.dir .. "/names")
  end
end

-- "severity id" of every finding of warning or worse, and of those infos that `expected` names,
-- sorted.
local function findings_text(document, expected)
  local wanted, list = {}, {}
  for _, line in ipairs(expected) do wanted[line] = true end
  for _, finding in ipairs(document and document.findings or {}) do
    local line = tostring(finding.severity) .. " " .. tostring(finding.id)
    if (SEVERITY[finding.severity] or 3) > 0 or wanted[line] then list[#list + 1] = line end
  end
  table.sort(list)
  return table.concat(list, "\n")
end

function case_methods:check_findings(document, expected, what)
  local sorted = {}
  for i, line in ipairs(expected) do sorted[i] = line end
  table.sort(sorted)
  check.same_text(findings_text(document, expected), table.concat(sorted, "\n"), what)
end

local function steps_text(steps)
  local lines = {}
  for i, step in ipairs(steps) do
    local kind, name, to = step.kind or step[1], step.name or step[2], step.to or step[3]
    if to == json.null then to = nil end
    lines[i] = kind .. " " .. tostring(name) .. (to and " as " .. to or "")
  end
  return table.concat(lines, "\n")
end

-- The store as it must be after `steps`: the retired names gone, the adopted ones under their new
-- name.
local function after_steps(files, steps)
  local out = {}
  for name, facts in pairs(files) do out[name] = facts end
  for _, step in ipairs(steps) do
    if step[1] == "retire" then out[step[2]] = nil end
  end
  for _, step in ipairs(steps) do
    if step[1] == "adopt" then out[step[2]], out[step[3]] = nil, files[step[2]] end
  end
  return out
end

function case_methods:store()
  return shell.files(self.made.store)
end

-- The newest transaction's folder on the host, or nil.
function case_methods:vault()
  local list = shell.run("ls -d " .. quote(self.made.app_data)
    .. "/keymend/*Z-* 2> /dev/null | tail -n 1").out
  return list:match "[^\n]+"
end

-- ---- The stages ----

function case_methods:read_only_verbs()
  for _, verb in ipairs { "keys", "services", "verify", "history", "report" } do
    self:keymend(verb)
    self:same(verb, true)
  end
end

function case_methods:diagnose(wanted, name)
  local people = self:keymend "diagnose"
  check.equal(people.exit, wanted.exit, "exit status of diagnose")
  check.equal(people.err, wanted.err or "", "diagnose prints nothing on stderr")
  self:same("diagnose", true)
  self:expect(name, people.out)
  local machine = self:json "diagnose"
  self:same("diagnose --json", true)
  check.equal(machine.exit, wanted.exit, "exit status of diagnose --json")
  check.equal(machine.document and machine.document.exit, wanted.exit,
    "exit status in the document")
  self:check_findings(machine.document, wanted.findings or {}, "findings")
  return machine
end

function case_methods:plan(wanted)
  local more = wanted.args or {}
  local people = self:keymend("plan", more)
  check.equal(people.exit, wanted.exit, "exit status of plan")
  self:same("plan", true)
  self:expect(self.name .. ".plan.txt", people.out .. people.err)
  local machine = self:json("plan", more)
  self:same("plan --json", true)
  check.equal(machine.exit, wanted.exit, "exit status of plan --json")
  local plan = machine.document and machine.document.plan
  local steps = type(plan) == "table" and plan.steps or {}
  check.same_text(steps_text(steps), steps_text(wanted.steps or {}), "steps of the plan")
  local manual = { "--manual" }
  for _, word in ipairs(more) do manual[#manual + 1] = word end
  check.equal(self:keymend("plan", manual).exit, wanted.exit, "exit status of plan --manual")
  self:same("plan --manual", true)
end

function case_methods:apply(wanted, plan)
  local steps, more = plan and plan.steps or {}, { "--yes" }
  local back = steps[1] and steps[1][1] == "restore-guid" and steps[1]
  local hives = back and self:hives()
  for _, word in ipairs(wanted.args or plan and plan.args or {}) do more[#more + 1] = word end
  local before = self:store()
  local done = self:keymend("apply", more)
  check.equal(done.exit, wanted.exit, "exit status of apply")
  self:expect(self.name .. ".apply.txt", done.out .. done.err)
  local refused = wanted.exit % 16 >= 8 or wanted.exit >= 32
  if #steps == 0 or refused then
    self:same "apply"
    return false
  end
  check.same_text(shell.listing(self:store()), shell.listing(after_steps(before, steps)),
    "the store after apply")
  if back then
    check.ok(shell.listing(self:hives()) ~= shell.listing(hives), "the hive SOFTWARE holds another machine GUID")
    self.hives_before = hives
  end
  self:check_vault(before, back and {} or steps)
  return true
end

-- The hives with their times and bytes. Wine gives a file whose descriptor is set another mode.
function case_methods:hives()
  local path = shell.must("find " .. quote(self.root) .. " -ipath '*/system32/config'")
  local files = shell.files((path:match "[^\n]+"))
  for name, facts in pairs(golden.windows and files or {}) do files[name] = facts:gsub("^f|%d+|", "f|") end
  return files
end

-- Every file that the plan names stands whole in the vault, with its bytes and last write.
function case_methods:check_vault(before, steps)
  local kept = {}
  local vault = self:vault()
  if not check.ok(vault, "there is a vault") then return end
  for _, facts in pairs(shell.files(vault)) do
    local written, sum = facts:match "|([%d%.]+)|[^|]*|(%x+)$"
    if sum then kept[sum .. written] = true end
  end
  for _, step in ipairs(steps) do
    local written, sum = before[step[2]]:match "|([%d%.]+)|[^|]*|(%x+)$"
    check.ok(kept[sum .. written], step[2] .. " stands in the vault with its bytes and last write",
      vault)
  end
  local modes = shell.must("find " .. quote(self.made.app_data)
    .. "/keymend -type d -printf '%m\\n' | sort -u")
  check.equal(modes, "700\n", "the keymend folder and the vault are private")
end

-- undo and recover refuse and leave the volume alone; their words are kept.
function case_methods:refuses_the_rest()
  for _, verb in ipairs { "undo", "recover" } do
    local done = self:keymend(verb)
    check.ok(done.exit == 32 or done.exit == 36, verb .. " refuses", done.exit .. "\n"
      .. done.out .. done.err)
    self:expect(self.name .. "." .. verb .. ".txt", done.out .. done.err)
    self:same(verb)
  end
end

function case_methods:again(wanted)
  self.repaired = true
  self:remember()
  self:diagnose({ exit = wanted.exit or 0, findings = wanted.findings or {} },
    self.name .. ".diagnose2.txt")
  local second = self:keymend("apply", { "--yes" })
  check.equal(second.exit, wanted.exit or 0, "a second apply finds nothing to do")
  self:same "a second apply"
end

function case_methods:undo(wanted, original, first)
  local done = self:keymend "undo"
  check.equal(done.exit, wanted.exit or 0, "exit status of undo: " .. done.out .. done.err)
  check.same_text(shell.listing(self:store()), shell.listing(original),
    "the store after undo is that before apply")
  if self.hives_before then
    check.same_text(shell.listing(self:hives()), shell.listing(self.hives_before),
      "the hives after undo are those before apply")
  end
  self.repaired = false
  self:remember()
  local machine = self:json "diagnose"
  self:check_findings(machine.document, first, "the findings after undo are those before apply")
  check.has(self:keymend("history").out, "undone", "history tells of the undo")
  self:same("history", true)
  check.equal(self:keymend("undo").exit, 32, "a second undo is refused")
  self:same "a second undo"
end

function case_methods:standard()
  local case = self.case
  local original = self:store()
  self:remember()
  local first
  if case.diagnose then
    self:read_only_verbs()
    first = self:diagnose(case.diagnose, self.name .. ".diagnose.txt")
    self:expect(self.name .. ".json", first.out)
  end
  if case.plan then self:plan(case.plan) end
  if not case.apply then return end
  local changed = self:apply(case.apply, case.plan)
  if not changed then return end
  self:again(case.again or {})
  self:undo(case.undo or {}, original, case.diagnose.findings)
end

-- ---- The runner ----

local function missing(needs)
  for _, need in ipairs(needs or {}) do
    if not golden.has[need] then return golden.has_not[need] end
  end
end

local function run_case(name)
  local case = volume.case(name)
  local why = golden.windows and golden.windows.left_out[name] or missing(case.needs)
  if why then return check.skip(golden.title .. " " .. name, why) end
  check.group(golden.title .. " " .. name .. ": " .. case.title)
  local t = setmetatable({ name = name, case = case, dir = golden.work .. "/" .. name }, case_meta)
  assert(lfs.mkdir(t.dir))
  t.root = t.dir .. "/volume"
  t.made = volume.make(t.root, case.volume)
  local ok, problem = xpcall(function()
    if case.prepare then case.prepare(t) end
    t:standard()
    if case.script then case.script(t) end
  end, debug.traceback)
  if case.release then case.release(t) end
  check.ok(ok, "the case runs to its end", not ok and problem or "")
end

-- Whether a file system of limited size can be mounted here.
local function can_mount(dir)
  if shell.user_id() ~= 0 then return false end
  assert(lfs.mkdir(dir))
  if shell.run("mount -t tmpfs -o size=64k none " .. quote(dir)).exit ~= 0 then return false end
  shell.must("umount " .. quote(dir))
  return true
end

-- Runs the cases named in `names` (all when empty). options: top, keymend, work (an empty folder),
-- update, windows, title (before a case's name, default "golden").
function golden.run(names, options)
  golden.title = "golden"
  for key, value in pairs(options) do golden[key] = value end
  volume.cases = golden.top .. "/tests/golden/cases"
  golden.user = shell.user_id()
  local birth = shell.must("stat -c %W " .. quote(golden.work)):match "%d+"
  golden.birth_times = not golden.windows and tonumber(birth or "0") > 0
  golden.access_times = not golden.windows and shell.keeps_access_times(golden.work)
  golden.has = {
    root = shell.user_id() == 0, mount = can_mount(golden.work .. "/mount"),
    setpriv = shell.has "setpriv", strace = shell.run("strace -o /dev/null true").exit == 0,
    forge = proof.missing() == nil,
  }
  golden.has_not = {
    root = "owners can only be set by root", mount = "mounting a file system is not permitted here",
    setpriv = "setpriv is not installed", strace = "strace is not installed or not permitted here",
    forge = proof.missing(),
  }
  if #names == 0 then
    for file in lfs.dir(volume.cases) do
      names[#names + 1] = file:match "^(.*)%.lua$"
    end
    table.sort(names)
  end
  if golden.windows then
    check.skip(golden.title .. " access times", "Wine moves them whenever it reads")
  elseif not golden.access_times then
    check.skip("golden access times", "reading does not move access times on this file system")
  end
  for _, name in ipairs(names) do run_case(name) end
end

return golden
