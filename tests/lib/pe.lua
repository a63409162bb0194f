-- pe.lua: composes program files (PE32, PE32+) with a version resource, for tests
--
--   lua5.1 tests/lib/pe.lua VERSION FILE    writes a DLL of that version

local here = (arg and arg[0] or ""):match "^(.*)/[^/]*$" or "."
if not package.path:find(here .. "/?.lua", 1, true) then
  package.path = here .. "/?.lua;" .. package.path
end

local bytes = require "bytes"

local pe = {}

local u16, u32 = bytes.u16, bytes.u32
local ADDRESS, OFFSET = 0x1000, 0x200 -- of the only section, .rsrc
local DIRECTORY = 0x80000000

local function parts_of(version)
  local parts = {}
  for part in version:gmatch "%d+" do parts[#parts + 1] = tonumber(part) end
  return parts
end

local function pad(data, to)
  return data .. ("\0"):rep(-#data % to)
end

-- VS_VERSIONINFO with VS_FIXEDFILEINFO alone.
local function version_info(version)
  local a, b, c, d = unpack(parts_of(version))
  local number = u16(b) .. u16(a) .. u16(d) .. u16(c)
  local fixed = u32(0xFEEF04BD) .. u32(0x10000) .. number .. number .. u32(0x3f) .. u32(0) .. u32(0x40004) .. u32(2)
    .. u32(0) .. u32(0) .. u32(0)
  return u16(40 + #fixed) .. u16(#fixed) .. u16(0) .. bytes.utf16 "VS_VERSION_INFO" .. "\0\0" .. "\0\0" .. fixed
end

-- `named` of the entries, the first ones, have names instead of ids.
local function directory(entries, named)
  local out = u32(0) .. u32(0) .. u16(0) .. u16(0) .. u16(named or 0) .. u16(#entries - (named or 0))
  for _, entry in ipairs(entries) do out = out .. u32(entry[1]) .. u32(entry[2]) end
  return out
end

-- Type, name and language, one entry each but for spec.types named types before the version, whose entries lead to the
-- same place; then data entry, data and that name.
local function resources(spec)
  local count = spec.types or 0
  local name = 16 + 8 * (count + 1)
  local language, entry = name + 24, name + 48
  local data = version_info(spec.version)
  local types = {}
  for index = 1, count do types[index] = { DIRECTORY + entry + 16 + #data, DIRECTORY + name } end
  types[count + 1] = { 16, DIRECTORY + name }
  return pad(directory(types, count) .. directory { { 1, DIRECTORY + language } } .. directory { { 0x409, entry } }
    .. u32(ADDRESS + entry + 16) .. u32(#data) .. u32(0) .. u32(0) .. data .. u16(4) .. bytes.utf16 "TYPE", 512)
end

local function optional_header(spec, size)
  local plus = spec.plus
  local base = plus and u32(0x10000000) .. u32(0) or u32(0) .. u32(0x10000000)
  local stack = plus and 8 or 4
  local out = u16(plus and 0x20B or 0x10B) .. "\6\0" .. u32(0) .. u32(size) .. u32(0) .. u32(0) .. u32(ADDRESS) .. base
    .. u32(0x1000) .. u32(0x200) .. u16(5) .. u16(0) .. u16(0) .. u16(0) .. u16(5) .. u16(0) .. u32(0)
    .. u32(ADDRESS + 0x1000) .. u32(OFFSET) .. u32(0) .. u16(2) .. u16(0)
  out = out .. ("\0"):rep(4 * stack) .. u32(0) .. u32(16)
  for index = 0, 15 do
    out = out .. (index == 2 and spec.version and u32(ADDRESS) .. u32(size) or u32(0) .. u32(0))
  end
  return out
end

-- The bytes of a DLL. spec: version ("5.0.2195.6968", nil: no resources), plus (PE32+), types (so many other
-- resource types stand before the version), more (bytes behind the rest).
function pe.compose(spec)
  local section = spec.version and resources(spec) or ("\0"):rep(512)
  local optional = optional_header(spec, #section)
  local dos = pad("MZ", 60) .. u32(64)
  local header = "PE\0\0" .. u16(spec.plus and 0x8664 or 0x14c) .. u16(1) .. u32(0) .. u32(0) .. u32(0)
    .. u16(#optional) .. u16(0x2102)
  local row = ".rsrc\0\0\0" .. u32(#section) .. u32(ADDRESS) .. u32(#section) .. u32(OFFSET) .. ("\0"):rep(12)
    .. u32(0x40000040)
  return pad(dos .. header .. optional .. row, 512) .. section .. (spec.more or "")
end

local is_program = arg and arg[0] and arg[0]:match "pe%.lua$"
if is_program then
  local file = assert(io.open(arg[2], "wb"))
  file:write(pe.compose { version = arg[1] })
  file:close()
end

return pe
