-- evtx.lua: composes .evtx files, event logs of Windows Vista and later, of one chunk
--
-- evtx.compose { { source =, id =, time = "2014-09-14T06:20:01Z", level = 2, strings = {}, data =, number =,
-- computer =, qualifiers = }, ... }; layout: core/offline/evtx.c, MS [MS-EVEN6] 2.2.12, libyal's description. Each
-- record brings its template. evtx.chunk(records, first_number) makes a chunk of any records, each a function of its
-- offset; evtx.file(chunks, next_number) joins chunks.

local bytes = require "keymend.volume.bytes"

local evtx = {}

local u16, u32 = bytes.u16, bytes.u32
local CHUNK, FIRST = 65536, 512

-- ---- Numbers ----

local function xor(a, b)
  local out, bit = 0, 1
  while a > 0 or b > 0 do
    if a % 2 ~= b % 2 then out = out + bit end
    a, b, bit = math.floor(a / 2), math.floor(b / 2), bit * 2
  end
  return out
end

local crc_table = {}
for index = 0, 255 do
  local value = index
  for _ = 1, 8 do
    value = value % 2 == 1 and xor(math.floor(value / 2), 0xEDB88320) or math.floor(value / 2)
  end
  crc_table[index] = value
end

local function crc32(data)
  local crc = 0xFFFFFFFF
  for index = 1, #data do
    crc = xor(crc_table[xor(crc % 256, data:byte(index))], math.floor(crc / 256))
  end
  return 0xFFFFFFFF - crc
end

local function u64(value)
  return u32(value % 2^32) .. u32(math.floor(value / 2^32))
end

-- FILETIME as eight bytes: 100 ns are more than a number of Lua holds, seconds are not.
local function filetime(text)
  local year, month, day, hour, minute, second = text:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$"
  year, month = tonumber(year), tonumber(month)
  if month <= 2 then year, month = year - 1, month + 12 end
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month - 457) / 5) + day - 719469
  local seconds = days * 86400 + hour * 3600 + minute * 60 + second + 11644473600
  local low = seconds % 65536 * 10000000
  local high = math.floor(seconds / 65536) * 10000000 + math.floor(low / 65536)
  return u16(low % 65536) .. u32(high % 2^32) .. u16(math.floor(high / 2^32))
end

-- ---- Binary XML ----

-- A name where it is used first; `at`: the offset of its use in the chunk, behind which it stands.
local function name(at, text)
  local hash = 0
  for index = 1, #text do hash = (hash * 65599 + text:byte(index)) % 65536 end
  return u32(at + 4) .. u32(0) .. u16(hash) .. u16(#text) .. bytes.utf16(text) .. "\0\0"
end

local function value(slot, kind)
  return "\13" .. u16(slot) .. string.char(kind)
end

-- An element: { name, attribute = { name, slot, kind }, slot =, kind =, ... elements }
local function element(at, node)
  local has_attribute = node.attribute ~= nil
  local out = name(at + 7, node[1])
  if has_attribute then
    local begin = at + 7 + #out + 4
    local attribute = "\6" .. name(begin + 1, node.attribute[1]) .. value(node.attribute[2], node.attribute[3])
    out = out .. u32(#attribute) .. attribute
  end
  if not node.slot and #node == 1 then
    out = out .. "\3"
  else
    out = out .. "\2"
    if node.slot then out = out .. value(node.slot, node.kind) end
    for index = 2, #node do out = out .. element(at + 7 + #out, node[index]) end
    out = out .. "\4"
  end
  return (has_attribute and "\65" or "\1") .. "\255\255" .. u32(#out) .. out
end

local U8, U16, TEXT, BINARY = 0x04, 0x06, 0x01, 0x0E

-- The tree of an event and the values in it.
local function tree(event)
  local values, data = {}, { "EventData" }
  local function add(kind, content)
    values[#values + 1] = { kind, content }
    return #values - 1
  end
  local system = { "System",
    { "Provider", attribute = { "Name", add(TEXT, bytes.utf16(event.source)), TEXT } },
    { "EventID", attribute = { "Qualifiers", add(U16, u16(event.qualifiers or 0)), U16 },
      slot = add(U16, u16(event.id)), kind = U16 },
    { "Level", slot = add(U8, string.char(event.level or 2)), kind = U8 },
    { "Computer", slot = add(TEXT, bytes.utf16(event.computer or "WEB01")), kind = TEXT },
  }
  for _, text in ipairs(event.strings or {}) do
    data[#data + 1] = { "Data", slot = add(TEXT, bytes.utf16(text)), kind = TEXT }
  end
  if event.data then data[#data + 1] = { "Binary", slot = add(BINARY, event.data), kind = BINARY } end
  return { "Event", system, data }, values
end

-- One record as it stands at offset `at` of its chunk; `xml(at)` gives its binary XML.
function evtx.record(at, number, time, xml)
  local body = xml(at + 24)
  local size = 24 + #body + 4
  local padding = -size % 8
  size = size + padding
  return "**\0\0" .. u32(size) .. u64(number) .. filetime(time) .. body .. ("\0"):rep(padding) .. u32(size)
end

local function event_xml(event)
  return function(at)
    local root, values = tree(event)
    local template = at + 14
    local data = "\15\1\1\0" .. element(template + 28, root) .. "\0"
    local sizes, contents = {}, {}
    for index, one in ipairs(values) do
      sizes[index] = u16(#one[2]) .. string.char(one[1], 0)
      contents[index] = one[2]
    end
    return "\15\1\1\0\12\1" .. u32(7) .. u32(template) .. u32(0) .. u32(7) .. ("\7"):rep(12) .. u32(#data) .. data
      .. u32(#values) .. table.concat(sizes) .. table.concat(contents)
  end
end

-- ---- Chunks and files ----

-- A chunk of records, each given by a function of its offset.
function evtx.chunk(records, first_number)
  local body, last = "", FIRST
  for _, record in ipairs(records) do
    last = FIRST + #body
    body = body .. record(last)
  end
  local first, final = first_number or 1, (first_number or 1) + #records - 1
  local head = "ElfChnk\0" .. u64(first) .. u64(final) .. u64(first) .. u64(final) .. u32(128) .. u32(last)
    .. u32(FIRST + #body) .. u32(crc32(body)) .. ("\0"):rep(68)
  local tables = ("\0"):rep(FIRST - 128)
  head = head .. u32(crc32(head:sub(1, 120) .. tables)) .. tables
  assert(#head == FIRST and #head + #body <= CHUNK, "too many records for a chunk")
  return head .. body .. ("\0"):rep(CHUNK - FIRST - #body)
end

function evtx.file(chunks, next_number)
  local head = "ElfFile\0" .. u64(0) .. u64(#chunks - 1) .. u64(next_number) .. u32(128) .. u16(1) .. u16(3)
    .. u16(4096) .. u16(#chunks) .. ("\0"):rep(76)
  return head .. u32(0) .. u32(crc32(head)) .. ("\0"):rep(4096 - 128) .. table.concat(chunks)
end

function evtx.compose(events)
  local records = {}
  for index, event in ipairs(events) do
    records[index] = function(at)
      return evtx.record(at, event.number or index, event.time, event_xml(event))
    end
  end
  return evtx.file({ evtx.chunk(records) }, #events + 1)
end

return evtx
