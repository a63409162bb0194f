-- suite.lua: a test suite that runs once for each kind of Windows, side by side, and adds their counts up

local check = require "check"
local shell = require "shell"
local wine = require "wine"

local suite = {}

local quote = shell.quote
local KINDS = { "win64", "win32-2000" }
local PROGRAMS = { "keymend", "tests/service", "tests/watch", "tests/as-user", "tests/crash", "tests/interrupt" }

local function missing_build(top)
  for _, platform in ipairs { "win64", "win32" } do
    for _, name in ipairs(PROGRAMS) do
      local file = ("build/%s/%s.exe"):format(platform, name)
      if not shell.read(top .. "/" .. file) then return file end
    end
  end
end

-- Builds what is missing; ends the suite when that fails.
local function need_build(options)
  if not missing_build(options.top) then return end
  local made = shell.run("make --no-print-directory -C " .. quote(options.top) .. " windows")
  local missing = missing_build(options.top)
  if made.exit == 0 and not missing then return end
  check.group(options.name)
  check.ok(false, "make windows makes " .. tostring(missing), (made.out .. made.err):sub(-2000))
  check.finish()
end

local function need_wine(options)
  local ready, why = wine.ready(options.top)
  if ready then return end
  check.skip(options.name, why)
  print("NOT SHOWN: keymend.exe on a running Windows: " .. why)
  check.finish()
end

-- Prints what one kind printed, without its closing line; passed, failed, skipped.
local function tell(kind, text, status)
  local passed, failed, skipped = text:match "(%d+) passed, (%d+) failed, (%d+) skipped\n$"
  io.write((text:gsub("[^\n]*\n$", "", passed and 1 or 0)))
  passed, failed, skipped = tonumber(passed) or 0, tonumber(failed) or 0, tonumber(skipped) or 0
  if (status ~= 0) ~= (failed ~= 0) or passed == 0 then
    print(("FAIL  %s ended with status %s"):format(kind, status))
    failed = failed + 1
  end
  return passed, failed, skipped
end

-- Each group of each kind is a process of its own, and all run at once: they mostly wait.
local function run_all(options)
  local work, lines, runs = shell.work(options.name), {}, {}
  for _, kind in ipairs(KINDS) do
    for _, names in ipairs(options.groups or { {} }) do
      local out = ("%s/%d"):format(work, #runs)
      runs[#runs + 1] = { kind = kind, out = out }
      lines[#lines + 1] = ("{ %s %s %s > %s.out 2>&1; echo $? > %s.exit; } &"):format(quote(options.program), kind,
        shell.words(names), quote(out), quote(out))
    end
  end
  os.execute(table.concat(lines, "\n") .. "\nwait")
  local total = { 0, 0, 0 }
  for _, run in ipairs(runs) do
    local counts = { tell(run.kind, shell.read(run.out .. ".out"), tonumber(shell.read(run.out .. ".exit"))) }
    for i, count in ipairs(counts) do total[i] = total[i] + count end
  end
  shell.remove_work(work)
  print(("%d passed, %d failed, %d skipped"):format(unpack(total)))
  os.exit(total[2] == 0 and 0 or 1)
end

-- options: program (of the suite), top, name, words (of the command line: nothing, or KIND and names), groups (lists of
-- names that may run at once; none: all in one), part (is called with { kind =, top =, names = })
function suite.run(options)
  options.top = shell.absolute(options.top)
  need_wine(options)
  need_build(options)
  if not options.words[1] then run_all(options) end
  options.part { kind = options.words[1], top = options.top, names = { select(2, unpack(options.words)) } }
  check.finish()
end

return suite
