-- shell.lua: runs programs for the tests and takes snapshots of folder trees

local lfs = require "lfs"

local shell = {}

function shell.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

function shell.read(path)
  local file, problem = io.open(path, "rb")
  if not file then return nil, problem end
  local text = file:read "*a"
  file:close()
  return text
end

function shell.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- The words of a list, quoted for the shell.
function shell.words(list)
  local out = {}
  for i, word in ipairs(list) do out[i] = shell.quote(word) end
  return table.concat(out, " ")
end

-- Runs a command line: { exit=, out=, err= }; a signal gives 128 + its number. `input` is its stdin
-- (default: none).
function shell.run(line, input)
  local out, err, stdin = os.tmpname(), os.tmpname(), "/dev/null"
  if input then
    stdin = os.tmpname()
    shell.write(stdin, input)
  end
  local status = os.execute(("{ %s\n} > %s 2> %s < %s"):format(line, out, err, stdin))
  local result = { exit = status % 256 == 0 and status / 256 or 128 + status % 128, line = line }
  result.out, result.err = shell.read(out), shell.read(err)
  os.remove(out)
  os.remove(err)
  if input then os.remove(stdin) end
  return result
end

-- Runs a command that must succeed, and gives back what it wrote.
function shell.must(line)
  local result = shell.run(line)
  if result.exit ~= 0 then
    error(("%s\nended with %d: %s%s"):format(line, result.exit, result.out, result.err), 2)
  end
  return result.out
end

-- The absolute path of a folder.
function shell.absolute(dir)
  return (shell.must("cd " .. shell.quote(dir) .. " && pwd"):gsub("\n$", ""))
end

-- A fresh folder for a suite's work; remove_work takes it away again.
function shell.work(name)
  local base = os.getenv "TMPDIR" or "/tmp"
  return shell.must("mktemp -d " .. shell.quote(base .. "/keymend-" .. name
    .. ".XXXXXX")):match "[^\n]+"
end

function shell.remove_work(dir)
  shell.run("rm -rf --one-file-system " .. shell.quote(dir))
end

function shell.has(program)
  return shell.run("command -v " .. program).exit == 0
end

function shell.user_id()
  return tonumber(shell.must "id -u")
end

-- Every name below `dir` with type, mode, owner, links, size, last write (of folders too), link
-- target; then the SHA-256 of every file.
function shell.snapshot(dir)
  return shell.must(("cd %s && find . -printf '%%P|%%y|%%m|%%U:%%G|%%n|%%s|%%T@|%%l\\n' | LC_ALL=C sort"
    .. " && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum"):format(shell.quote(dir)))
end

-- The files of one folder: name -> "type|mode|owner|links|size|last write|sha256"; nothing for a
-- missing folder.
function shell.files(dir)
  local files = {}
  if not lfs.attributes(dir) then return files end
  local list = shell.must(("cd %s && find . -mindepth 1 -maxdepth 1"
    .. " -printf '%%y|%%m|%%U:%%G|%%n|%%s|%%T@|%%l\\t%%P\\n'"):format(shell.quote(dir)))
  for facts, name in list:gmatch "([^\t\n]*)\t([^\n]*)\n" do files[name] = facts end
  local line = "cd %s && find . -maxdepth 1 -type f -print0 | xargs -0r sha256sum"
  local sums = shell.must(line:format(shell.quote(dir)))
  for sum, name in sums:gmatch "(%x+)  %./([^\n]*)\n" do files[name] = files[name] .. "|" .. sum end
  return files
end

-- A table of names and facts as text, for comparison.
function shell.listing(files)
  local names, lines = {}, {}
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do lines[i] = name .. "  " .. files[name] end
  return table.concat(lines, "\n")
end

-- Sets every access time below `dir` to 2001, older than any last write, so that even a mount with
-- relatime would move it on the next read; the list of names goes to `list`, since walking the tree
-- is a read too.
function shell.age_access_times(dir, list)
  shell.must(("find %s -print0 > %s"):format(shell.quote(dir), shell.quote(list)))
  shell.run(("xargs -0 touch -h -a -d 2001-01-01T00:00:00Z < %s"):format(shell.quote(list)))
end

-- The access times of the names in `list`, read without opening any of them.
function shell.access_times(list)
  return shell.must(("xargs -0 stat --printf '%%n|%%x\\n' < %s"):format(shell.quote(list)))
end

-- Whether reading under `dir` moves an access time at all here.
function shell.keeps_access_times(dir)
  local probe = dir .. "/access-probe"
  shell.write(probe, "x")
  shell.must("touch -a -d 2001-01-01T00:00:00Z " .. shell.quote(probe))
  shell.must("cat " .. shell.quote(probe))
  local moved = lfs.attributes(probe).access > 1000000000
  os.remove(probe)
  return moved
end

return shell
