-- windows.lua: the golden cases by keymend.exe on a Windows (tests/lib/wine.lua), against the same expected outputs
--
-- What has to differ becomes the same words on both sides (plain, below). Where a whole text differs, a text of its own
-- stands beside the common one: kb.plan.windows.txt beside kb.plan.txt.

local check = require "check"
local shell = require "shell"

local windows = {}

-- The cases that show nothing on a Windows under Wine, and why.
local LINKS = "Wine follows the host's links by itself and has no reparse points"
local SIGNALS = "it is made by strace; tests/suites/windows ends keymend.exe at every step"
local MOUNTS = "a file system that is mounted for the case is not seen inside the chroot"
windows.left_out = {
  ["reparse"] = LINKS,
  ["forged-link"] = LINKS,
  ["interrupted"] = SIGNALS,
  ["killed"] = SIGNALS,
  ["full"] = MOUNTS,
  ["read-only"] = MOUNTS,
  ["no-permission"] = "the users of the host are none of Windows'",
  ["untrusted-policy"] = "modes are not Windows'; tests/suites/windows-console shows its access lists",
  ["policy-acl"] = "it shows a file system without descriptors",
  ["hostile-names"] = "Wine shows no name with a control character; bidi-names shows the rest",
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

-- What has to be told in another way: what the file system keeps (Wine no creation times), who owns a file (Wine gives
-- those of other users to S-1-5-7), and the system's words for an error.
local PLAIN = {
  { '("capabilities":)%b[]', "%1CAPABILITIES" },
  { '("attributes":)%d+', "%1ATTRIBUTES" },
  { "%f[%w]wine%f[%W]", "FILESYSTEM" },
  { "S%-1%-5%-21[%-%d]+", "uid:0" },
  { "S%-1%-5%-32%-544", "uid:0" },
  { "S%-1%-5%-7%f[%D]", "uid:1000" },
  { ",%s+owner%s+", ", owner " },
  { '("created":)"NOW",(%s+)"created_source":"birth",%s+"created_ticks":"TICKS"',
    '%1null,%2"created_source":"none"' },
  { "made NOW %(of the copy%)", "made at an unknown time" },
  { "File not found", "No such file or directory" },
}

function windows.plain(text)
  for _, change in ipairs(PLAIN) do text = text:gsub(change[1], change[2]) end
  return text
end

-- Compares `text` with the expected one at `path`. With update a text of its own is written where it is needed.
function methods:expect(path, text, update)
  local own_path = path:gsub("%.(%w+)$", ".windows.%1")
  local own, common = shell.read(own_path), shell.read(path) or ""
  local plain = windows.plain(text)
  local same = plain == windows.plain(common)
  if update then
    if same then os.remove(own_path) else shell.write(own_path, plain) end
    return check.ok(true, own_path)
  end
  if own then check.ok(not same, own_path .. " is no longer needed: remove it") end
  check.same_text(plain, windows.plain(own or common), "the output is that of tests/golden/expected/"
    .. (own and own_path or path):match "[^/]*$")
end

return windows
