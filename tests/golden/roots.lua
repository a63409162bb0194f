-- roots.lua: what --root and --volume take on a Windows: drives, folders in every spelling, long paths

local check = require "check"
local lfs = require "lfs"
local shell = require "shell"
local volume = require "volume"
local wine = require "wine"

local roots = {}

local LONG = ("a folder with a long name "):rep(3) .. "x" -- five of them are beyond 260 characters

local function drive(session, letter, folder)
  local link = session.dir .. "/prefix/dosdevices/" .. letter .. ":"
  os.remove(link)
  assert(lfs.link(folder, link, true))
end

-- Makes the case's volume in a folder of its own below `dir`, and gives it back.
local function make(dir, name)
  shell.must("mkdir -p " .. shell.quote(dir))
  return volume.make(dir .. "/volume", volume.case(name).volume)
end

local function long_folder(dir)
  for _ = 1, 5 do dir = dir .. "/" .. LONG end
  return dir
end

-- What keymend.exe says of a volume whose key is to be swapped, whatever way leads there.
local function check_found(run, words, what)
  local seen = run(words)
  check.equal(seen.exit, 4, what .. ": exit status of diagnose")
  check.has(seen.out, "key.regenerated", what .. ": the finding")
  check.equal(seen.err, "", what .. ": nothing on stderr")
end

-- The volume as it is named in every way.
local function check_spellings(run, session, dir)
  local made = make(dir, "kb")
  local full = wine.path(made.root)
  drive(session, "d", made.root)
  local spellings = {
    ["a relative folder"] = "volume", ["with a backslash"] = "volume\\", ["with dots"] = ".\\x\\../volume/.",
    ["a full path"] = full, ["with slashes"] = full:gsub("\\", "/"), ["\\\\?\\"] = "\\\\?\\" .. full,
    ["\\\\.\\"] = "\\\\.\\" .. full, ["a drive"] = "D:", ["a drive's root"] = "D:\\",
    ["in lower case"] = "d:/",
  }
  for what, root in pairs(spellings) do
    check_found(run, { "diagnose", "--root", root, "--times", "volume.times" }, what)
  end
  local done = run { "apply", "--yes", "--root", "D:", "--times", wine.path(made.times) }
  check.equal(done.exit, 0, "apply on a drive: " .. done.out .. done.err)
  check.equal(run({ "undo", "--root", full }).exit, 0, "undo by another spelling")
end

local function check_two_drives(run, session, dir)
  local made = make(dir .. "/two", "drive-d")
  drive(session, "d", made.root)
  drive(session, "e", made.drive_root)
  local words = { "diagnose", "--root", "D:\\", "--times", wine.path(made.times) }
  local alone = run(words)
  check.has(alone.out .. alone.err, "--volume D:=DIR", "the store's drive is asked for")
  words[#words + 1], words[#words + 2] = "--volume", "D:=E:\\"
  check_found(run, words, "the store on a second drive")
end

local function check_long(run, dir)
  local made = make(long_folder(dir .. "/long"), "kb")
  local words = { "--root", wine.path(made.root), "--times", wine.path(made.times) }
  check.ok(#words[2] > 400, "the path is a long one", words[2])
  check_found(run, { "diagnose", unpack(words) }, "a long path")
  local done = run { "apply", "--yes", unpack(words) }
  check.equal(done.exit, 0, "apply at a long path: " .. done.out .. done.err)
  check.equal(run({ "undo", unpack(words) }).exit, 0, "undo at a long path")
end

local function check_refusals(run, dir)
  for _, root in ipairs { "C:", "C:\\", "c:/windows/.." } do
    local own = run { "diagnose", "--root", root }
    check.equal(own.exit, 16, root .. ": exit status")
    check.has(own.out .. own.err, "leave --root out", root .. ": the running Windows is refused")
  end
  shell.write(dir .. "/file", "no folder")
  for root, words in pairs { ["Q:\\"] = "Q:\\", ["nowhere"] = "nowhere", ["file"] = "file" } do
    local missing = run { "diagnose", "--root", root }
    check.equal(missing.exit % 16 >= 8, true, root .. ": exit status " .. missing.exit)
    check.has(missing.out .. missing.err, words, root .. ": it is named")
  end
end

-- Runs all of it on `session` with the program of the host's path `program`, below the empty folder `dir`.
function roots.run(session, program, dir)
  assert(lfs.mkdir(dir))
  local function run(words)
    return session:run({ program, unpack(words) }, { folder = dir, raw = true })
  end
  check_spellings(run, session, dir)
  check_two_drives(run, session, dir)
  check_long(run, dir)
  check_refusals(run, dir)
end

return roots
