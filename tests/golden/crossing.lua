-- crossing.lua: a repair made by keymend on Linux is known to keymend.exe and undone by it, and the other way round

local check = require "check"
local lfs = require "lfs"
local shell = require "shell"
local volume = require "volume"

local crossing = {}

-- Repairs a fresh volume with `first` and undoes that with `second`; both are called with words in the folder `dir`.
local function cross(dir, first, second, what)
  assert(lfs.mkdir(dir))
  local made = volume.make(dir .. "/volume", volume.case("kb").volume)
  local before = shell.files(made.store)
  local words = { "--root", "volume", "--times", "volume.times" }
  local done = first(dir, { "apply", "--yes", unpack(words) })
  check.equal(done.exit, 0, what .. ": apply: " .. done.out .. done.err)
  local after = shell.files(made.store)
  local seen = second(dir, { "diagnose", unpack(words) })
  check.equal(seen.exit, 0, what .. ": diagnose by the other: " .. seen.out .. seen.err)
  check.has(seen.out, "key.adopted", what .. ": the other knows the repair")
  check.same_text(shell.listing(shell.files(made.store)), shell.listing(after), what .. ": it changes nothing")
  local undone = second(dir, { "undo", unpack(words) })
  check.equal(undone.exit, 0, what .. ": undo by the other: " .. undone.out .. undone.err)
  check.same_text(shell.listing(shell.files(made.store)), shell.listing(before), what .. ": the store is as before")
  check.has(first(dir, { "history", unpack(words) }).out, "undone", what .. ": and the first knows of the undo")
end

-- program: keymend.exe, keymend: that of Linux, both paths of the host; dir: an empty folder that is made.
function crossing.run(session, program, keymend, dir)
  assert(lfs.mkdir(dir))
  local function on_windows(folder, words)
    return session:run({ program, unpack(words) }, { folder = folder, raw = true })
  end
  local function on_linux(folder, words)
    return shell.run("cd " .. shell.quote(folder) .. " && " .. shell.quote(keymend) .. " " .. shell.words(words))
  end
  cross(dir .. "/to-windows", on_linux, on_windows, "from Linux to Windows")
  cross(dir .. "/to-linux", on_windows, on_linux, "from Windows to Linux")
end

return crossing
