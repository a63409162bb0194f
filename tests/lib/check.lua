-- check.lua: counts checks in groups, prints a line a group and the closing line of a test suite

local check = {}

local total = { passed = 0, failed = 0, skipped = 0 }
local group
local MAX_DETAILS = 25 -- lines told of a failed check

local function close_group()
  if not group then return end
  if group.failed > 0 then
    print(("FAIL  %s: %d of %d checks"):format(group.name, group.failed,
      group.passed + group.failed))
  elseif group.passed > 0 then
    print(("ok    %s (%d checks)"):format(group.name, group.passed))
  end
  io.stdout:flush()
  group = nil
end

-- Begins a group of checks; the line of the one before is printed.
function check.group(name)
  close_group()
  group = { name = name, passed = 0, failed = 0 }
end

-- Counts one check; a failed one is told with its details. Returns `condition`.
function check.ok(condition, what, details)
  local kind = condition and "passed" or "failed"
  group[kind], total[kind] = group[kind] + 1, total[kind] + 1
  if not condition then
    print(("      %s: %s"):format(group.name, what))
    local left = MAX_DETAILS
    for line in (details or ""):gmatch "[^\n]+" do
      if left == 0 then break end
      print("        | " .. line)
      left = left - 1
    end
  end
  return condition
end

function check.equal(found, expected, what)
  return check.ok(found == expected, what,
    "expected: " .. tostring(expected) .. "\nfound:    " .. tostring(found))
end

-- Whether `text` holds `part` (plain, or a pattern when `pattern` is set).
function check.has(text, part, what, pattern)
  return check.ok(tostring(text):find(part, 1, not pattern) ~= nil, what or ("it says: " .. part),
    text)
end

-- The difference of two texts, line by line, as `diff -u` tells it.
function check.same_text(found, expected, what)
  if check.ok(found == expected, what) then return true end
  local one, two = os.tmpname(), os.tmpname()
  for path, text in pairs { [one] = expected, [two] = found } do
    local file = io.open(path, "wb")
    file:write(text)
    file:close()
  end
  io.stdout:flush()
  local diff = "diff -u --label expected --label found %s %s | head -n 60 | sed 's/^/        | /'"
  os.execute(diff:format(one, two))
  os.remove(one)
  os.remove(two)
  return false
end

-- Counts one skipped check and says why.
function check.skip(what, why)
  total.skipped = total.skipped + 1
  print(("skip: %s: %s"):format(what, why))
end

-- Adds the counts of a suite that ran as a program of its own.
function check.add(passed, failed, skipped)
  close_group()
  total.passed, total.failed = total.passed + passed, total.failed + failed
  total.skipped = total.skipped + skipped
end

-- Prints the closing line and ends the program: 0 when nothing failed.
function check.finish()
  close_group()
  print(("%d passed, %d failed, %d skipped"):format(total.passed, total.failed, total.skipped))
  io.stdout:flush()
  os.exit(total.failed == 0 and 0 or 1)
end

return check
