-- volume.lua: lua/keymend/volume for tests and demo, with LuaFileSystem; makes the volumes of golden cases
--
--   lua5.1 tests/lib/volume.lua DIR CASE    makes the volume of tests/golden/cases/CASE.lua as DIR

local here = (arg and arg[0] or ""):match "^(.*)/[^/]*$" or "."
if not package.path:find(here .. "/?.lua", 1, true) then
  package.path = here .. "/?.lua;" .. package.path
end

local lfs = require "lfs"
local builder = require "builder"
local bytes, volume = builder "bytes", builder "volume"

-- Hashes that the field knows; others are computed with md5sum.
local HASHES = {
  ["microsoft internet information server"] = "c2319c42033a5ca7f44e731bfd3fa2b5",
  ["ms iis dcom server"] = "7a436fe806e483969f48a894af2fe9a1",
  ["netframeworkconfigurationkey"] = "d6d986f09a1ee04e24c949879fdb506c",
  ["sms"] = "19c5cf9c7b5dc9de3e548adb70398402",
}

-- MD5 (by md5sum) printed as four little-endian words.
local function md5_words(data)
  local octal = data:gsub(".", function(c) return ("\\%03o"):format(c:byte()) end)
  local pipe = assert(io.popen("printf '" .. octal:gsub("%%", "%%%%") .. "' | md5sum"))
  local hex = pipe:read "*a"
  pipe:close()
  local words = {}
  for a, b, c, d in hex:sub(1, 32):gmatch "(%x%x)(%x%x)(%x%x)(%x%x)" do
    words[#words + 1] = d .. c .. b .. a
  end
  return table.concat(words)
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end
volume.quote = quote

local system = {}
volume.system = system

function system.exists(path)
  return lfs.attributes(path) ~= nil
end

function system.make_folder(path)
  return lfs.mkdir(path)
end

function system.write(path, data, written)
  local file = assert(io.open(path, "wb"))
  assert(file:write(data))
  assert(file:close())
  return not written or lfs.touch(path, written, written)
end

function system.link(old, new, symbolic)
  return lfs.link(old, new, symbolic)
end

function system.own(path, uid)
  return os.execute(("chown %d %s"):format(uid, quote(path))) == 0, "owners can only be set by root"
end

function system.hash(container)
  local name = container:lower()
  return HASHES[name] or md5_words(name .. "\0")
end

function system.cng_hash(container)
  return md5_words(bytes.utf16(container:lower()) .. "\0\0")
end

-- The folder of the golden cases; the program that uses this module may set it.
volume.cases = here .. "/../golden/cases"

function volume.case(name)
  local chunk = assert(loadfile(volume.cases .. "/" .. name .. ".lua"))
  return chunk(volume)
end

local is_program = arg and arg[0] and arg[0]:match "volume%.lua$"
if is_program then
  local dir, name = arg[1], arg[2]
  if not name then
    io.stderr:write "usage: lua5.1 tests/lib/volume.lua DIR CASE\n"
    os.exit(16)
  end
  local file = io.open(volume.cases .. "/" .. name .. ".lua")
  if not file or lfs.attributes(dir) then
    io.stderr:write(file and dir .. " exists already; name a new folder\n"
      or ('there is no case "%s"; the cases are the files of tests/golden/cases, without .lua\n'):format(name))
    os.exit(16)
  end
  file:close()
  local made = volume.make(dir, volume.case(name).volume)
  print("volume  " .. made.root)
  print("times   " .. made.times)
  print("store   " .. made.store)
  if made.drive_root then print("D:      " .. made.drive_root) end
end

return volume
