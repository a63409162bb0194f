-- windows.lua: the golden cases by keymend.exe on a Windows (tests/lib/wine.lua), against the same expected outputs
--
-- What has to differ becomes the same words on both sides (plain, below). Where a whole text differs, a text of its own
-- stands beside the common one: kb.plan.windows.txt beside kb.plan.txt.

local check = require "check"
local shell = require "shell"

local windows = {}

-- The cases that show nothing on a Windows under Wine, and why.
local LINKS = "Wine follows the host's links by itself and has no reparse points"
local OWNERS = "Wine tells every file to be the user's own, so no owner is foreign"
local SIGNALS = "it is made by strace; tests/suites/windows ends keymend.exe at every step"
windows.left_out = {
  ["reparse"] = LINKS,
  ["forged-link"] = LINKS,
  ["foreign-owner"] = OWNERS,
  ["foreign-owner-adopt"] = OWNERS,
  ["forged-journal"] = OWNERS,
  ["forged-owner"] = OWNERS,
  ["plan-edited"] = OWNERS,
  ["planted-current"] = OWNERS,
  ["planted-times"] = OWNERS,
  ["interrupted"] = SIGNALS,
  ["killed"] = SIGNALS,
  ["full"] = "a file system that is mounted for the case is not seen inside the chroot",
  ["read-only"] = "a file system that is mounted for the case is not seen inside the chroot",
  ["no-permission"] = "the users of the host are none of Windows'",
}

local methods = {}
local meta = { __index = methods }

-- session: from wine.start; keymend: path of keymend.exe on the host.
function windows.new(session, keymend)
  return setmetatable({ session = session, program = keymend, left_out = windows.left_out }, meta)
end

-- Runs keymend.exe in the case's folder: { exit=, out=, err= }.
function methods:keymend(case, words, options)
  local line = { self.program }
  for _, word in ipairs(words) do line[#line + 1] = word end
  local result = self.session:run(line, { folder = case.dir, input = options.input, raw = true })
  result.line = table.concat(line, " ")
  return result
end

-- What a Windows has to tell in another way: what its file system keeps, and who owns a file.
function windows.plain(text)
  text = text:gsub('("capabilities":)%b[]', "%1CAPABILITIES")
  text = text:gsub('("attributes":)%d+', "%1ATTRIBUTES")
  text = text:gsub("%f[%w]wine%f[%W]", "FILESYSTEM")
  text = text:gsub("S%-1%-5%-21[%-%d]+", "uid:0"):gsub("S%-1%-5%-32%-544", "uid:0")
  return (text:gsub(",%s+owner%s+", ", owner "))
end

-- Compares `text` with the expected one at `path`. With update a text of its own is written where it is needed.
function methods:expect(path, text, update)
  local own_path = path:gsub("%.(%w+)$", ".windows.%1")
  local own, common = shell.read(own_path), shell.read(path) or ""
  local plain = windows.plain(text)
  local same = plain == windows.plain(common)
  if update then
    if same then os.remove(own_path) else shell.write(own_path, text) end
    return check.ok(true, own_path)
  end
  if own then check.ok(not same, own_path .. " is no longer needed: remove it") end
  check.same_text(plain, windows.plain(own or common), "the output is that of tests/golden/expected/"
    .. (own and own_path or path):match "[^/]*$")
end

return windows
