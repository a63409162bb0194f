-- hive.lua: writes registry hives ("regf") from plain tables
--
-- A key is { name = "Cryptography", written = time, class = text, values = { { name, type, data } },
-- keys = { ... } }; most have no class. `type` is one of "sz" "expand" "binary" "dword" "multi" or a
-- number with raw bytes as data; `data` is UTF-8 text, bytes, a number, or a list of texts. Format:
-- the public "Windows registry file format specification" (M. Suhanov) and hivex; tests/suites/data
-- checks the result with hivexsh and hivexml.

local bytes = require "keymend.volume.bytes"

local hive = {}

local u16, u32 = bytes.u16, bytes.u32

local BIN = 4096
local TYPES = { sz = 1, expand = 2, binary = 3, dword = 4, multi = 7 }

-- O:BAG:SYD:(A;;KA;;;SY)(A;;KA;;;BA), self-relative.
local SYSTEM_SID = "\1\1\0\0\0\0\0\5" .. u32(18)
local ADMINISTRATORS_SID = "\1\2\0\0\0\0\0\5" .. u32(32) .. u32(544)
local function full_access(sid)
  return "\0\2" .. u16(8 + #sid) .. u32(0xf003f) .. sid
end
local ACES = full_access(SYSTEM_SID) .. full_access(ADMINISTRATORS_SID)
local DESCRIPTOR = "\1\0" .. u16(0x8004) .. u32(20) .. u32(36) .. u32(0) .. u32(48)
  .. ADMINISTRATORS_SID .. SYSTEM_SID
  .. "\2\0" .. u16(8 + #ACES) .. u16(2) .. u16(0) .. ACES

-- Cells are given out first and filled later, since keys and their children name one another by
-- offset.
local function new_heap()
  return { bins = {}, cells = {}, size = 0, free = 0 }
end

local function allocate(heap, size)
  size = math.ceil((size + 4) / 8) * 8
  if heap.free < size then
    if heap.free > 0 then heap.cells[#heap.cells + 1] = { heap.size - heap.free, heap.free } end
    local bin = math.ceil((size + 32) / BIN) * BIN
    heap.bins[#heap.bins + 1] = { heap.size, bin }
    heap.free, heap.size = bin - 32, heap.size + bin
  end
  local cell = { heap.size - heap.free, size, "" }
  heap.cells[#heap.cells + 1] = cell
  heap.free = heap.free - size
  return cell
end

local function put(heap, data)
  local cell = allocate(heap, #data)
  cell[3] = data
  return cell[1]
end

local function encode(kind, data)
  if kind == "sz" or kind == "expand" then return bytes.utf16(data) .. "\0\0" end
  if kind == "dword" then return u32(data) end
  if kind == "multi" then
    local parts = {}
    for i, text in ipairs(data) do parts[i] = bytes.utf16(text) .. "\0\0" end
    return table.concat(parts) .. "\0\0"
  end
  return data
end

local function name_bytes(name)
  local latin1 = bytes.latin1(name)
  if latin1 then return latin1, name ~= "" end -- a default value has no name and is not marked
  return bytes.utf16(name), false
end

local function put_value(heap, value)
  local name, compressed = name_bytes(value[1])
  local data = encode(value[2], value[3])
  assert(#data <= 16344, "the value needs a big-data cell")
  local kind = TYPES[value[2]] or value[2]
  local place, size
  if #data <= 4 then
    place, size = (data .. "\0\0\0\0"):sub(1, 4), #data + 0x80000000
  else
    place, size = u32(put(heap, data)), #data
  end
  local cell = "vk" .. u16(#name) .. u32(size) .. place .. u32(kind)
    .. u16(compressed and 1 or 0) .. u16(0) .. name
  return put(heap, cell), #bytes.utf16(value[1]), #data
end

-- The hash of an lh list; Windows XP and later write such lists, Windows 2000 lf lists with a
-- name's start.
local function list_hint(name, modern)
  if not modern then return (name .. "\0\0\0\0"):sub(1, 4) end
  local hash = 0
  for i = 1, #name do hash = (hash * 37 + name:upper():byte(i)) % 4294967296 end
  return u32(hash)
end

local put_key

local function put_children(heap, key, offset, modern)
  local children = {}
  for i, child in ipairs(key.keys or {}) do children[i] = child end
  if #children == 0 then return 0xffffffff, 0, 0 end
  table.sort(children, function(a, b) return a.name:upper() < b.name:upper() end)
  local widest, widest_class, entries = 0, 0, {}
  for i, child in ipairs(children) do
    entries[i] = u32(put_key(heap, child, offset, modern, key.written))
      .. list_hint(name_bytes(child.name), modern)
    widest = math.max(widest, #bytes.utf16(child.name))
    widest_class = math.max(widest_class, #bytes.utf16(child.class or ""))
  end
  return put(heap, (modern and "lh" or "lf") .. u16(#entries) .. table.concat(entries)), widest,
    widest_class
end

local function put_values(heap, key)
  local offsets, widest, largest = {}, 0, 0
  for i, value in ipairs(key.values or {}) do
    local offset, name_size, data_size = put_value(heap, value)
    offsets[i] = u32(offset)
    widest, largest = math.max(widest, name_size), math.max(largest, data_size)
  end
  if #offsets == 0 then return 0xffffffff, 0, 0 end
  return put(heap, table.concat(offsets)), widest, largest
end

function put_key(heap, key, parent, modern, written)
  key.written = key.written or written
  local name, compressed = name_bytes(key.name)
  local cell = allocate(heap, 76 + #name)
  local flags = (compressed and 0x20 or 0) + (parent and 0 or 0x0c)
  local children, widest_child, widest_class = put_children(heap, key, cell[1], modern)
  local values, widest_value, largest_data = put_values(heap, key)
  local class = key.class and bytes.utf16(key.class) or ""
  local class_at = class ~= "" and put(heap, class) or 0xffffffff
  cell[3] = "nk" .. u16(flags) .. bytes.filetime(key.written) .. u32(0) .. u32(parent or 0xffffffff)
    .. u32(#(key.keys or {})) .. u32(0) .. u32(children) .. u32(0xffffffff)
    .. u32(#(key.values or {})) .. u32(values) .. u32(heap.security) .. u32(class_at)
    .. u32(widest_child) .. u32(widest_class) .. u32(widest_value) .. u32(largest_data) .. u32(0)
    .. u16(#name) .. u16(#class) .. name
  heap.keys = heap.keys + 1
  return cell[1]
end

local function bins_text(heap, saved)
  if heap.free > 0 then heap.cells[#heap.cells + 1] = { heap.size - heap.free, heap.free } end
  local at, out = 1, {}
  for _, bin in ipairs(heap.bins) do
    out[#out + 1] = "hbin" .. u32(bin[1]) .. u32(bin[2]) .. ("\0"):rep(8) .. bytes.filetime(saved)
      .. u32(0)
    while heap.cells[at] and heap.cells[at][1] < bin[1] + bin[2] do
      local cell = heap.cells[at]
      local used = cell[3] ~= nil
      local size = used and 4294967296 - cell[2] or cell[2]
      out[#out + 1] = u32(size) .. (cell[3] or "") .. ("\0"):rep(cell[2] - 4 - #(cell[3] or ""))
      at = at + 1
    end
  end
  return table.concat(out)
end

local function xor32(a, b)
  local out, bit = 0, 1
  for _ = 1, 32 do
    if a % 2 ~= b % 2 then out = out + bit end
    a, b, bit = math.floor(a / 2), math.floor(b / 2), bit * 2
  end
  return out
end

local function checksum(header)
  local sum = 0
  for i = 0, 126 do sum = xor32(sum, bytes.read_u32(header, i * 4)) end
  if sum == 0 then return 1 end
  if sum == 0xffffffff then return 0xfffffffe end
  return sum
end

-- The bytes of a hive. options: root (a key), file ("SOFTWARE"), saved (time of the header),
-- sequence1, sequence2 (equal when not told: a clean hive), modern (format 1.5 of Windows XP and
-- later, else 1.3).
function hive.compose(options)
  local heap = new_heap()
  heap.keys = 0
  local security = allocate(heap, 20 + #DESCRIPTOR)
  heap.security = security[1]
  options.root.written = options.root.written or options.saved
  local root = put_key(heap, options.root, nil, options.modern)
  security[3] = "sk" .. u16(0) .. u32(security[1]) .. u32(security[1]) .. u32(heap.keys)
    .. u32(#DESCRIPTOR) .. DESCRIPTOR
  local sequence1 = options.sequence1 or 100
  local file = bytes.utf16(options.file):sub(-62)
  local body = bins_text(heap, options.saved)
  local header = "regf" .. u32(sequence1) .. u32(options.sequence2 or sequence1)
    .. bytes.filetime(options.saved) .. u32(1) .. u32(options.modern and 5 or 3) .. u32(0) .. u32(1)
    .. u32(root) .. u32(#body) .. u32(1) .. file .. ("\0"):rep(64 - #file)
  header = header .. ("\0"):rep(508 - #header)
  return header .. u32(checksum(header)) .. ("\0"):rep(BIN - 512) .. body
end

-- ---- Transaction logs ----

local BLOCK = 512

local function rotate32(word, bits)
  local high = 2 ^ (32 - bits)
  return word % high * 2 ^ bits + math.floor(word / high)
end

-- The Marvin32 hash of a log entry, as 8 bytes.
local function marvin32(data)
  local low, high = 0x7a4e55c5, 0x82ef4d88
  local function mix(word)
    low = (low + word) % 4294967296
    high = xor32(high, low)
    low = (rotate32(low, 20) + high) % 4294967296
    high = xor32(rotate32(high, 9), low)
    low = (rotate32(low, 27) + high) % 4294967296
    high = rotate32(high, 19)
  end
  for i = 0, #data - 4, 4 do mix(bytes.read_u32(data, i)) end
  assert(#data % 4 == 0)
  mix(0x80)
  mix(0)
  return u32(low) .. u32(high)
end

local function padded(data, unit)
  return data .. ("\0"):rep(-#data % unit)
end

-- A log's own base block: the hive's first 512 bytes with kind and sequence number.
local function log_base(hive_bytes, kind, sequence)
  local header = hive_bytes:sub(1, 4) .. u32(sequence) .. u32(sequence) .. hive_bytes:sub(13, 28) .. u32(kind)
    .. hive_bytes:sub(33, 508)
  return header .. u32(checksum(header))
end

-- The offsets of the `unit` bytes long pages of the bins that are not the same in both hives.
local function changed_pages(before, after, unit)
  local pages = {}
  for at = BIN, #after - 1, unit do
    if before:sub(at + 1, at + unit) ~= after:sub(at + 1, at + unit) then pages[#pages + 1] = at end
  end
  return pages
end

local function log_entry(before, after, sequence)
  local references, pages = {}, {}
  for i, at in ipairs(changed_pages(before, after, BIN)) do
    references[i] = u32(at - BIN) .. u32(BIN)
    pages[i] = after:sub(at + 1, at + BIN)
  end
  local body = table.concat(references) .. table.concat(pages)
  body = body .. ("\0"):rep(-(40 + #body) % BLOCK)
  local head = "HvLE" .. u32(40 + #body) .. u32(0) .. u32(sequence) .. u32(#after - BIN) .. u32(#references)
    .. marvin32(body)
  return head .. marvin32(head) .. body
end

-- The bytes of a log of Windows 8.1 and later (SOFTWARE.LOG1, .LOG2), with one entry for each hive of `states`, which
-- follow the hive `before`; the first entry has the number `sequence`.
function hive.log(before, states, sequence)
  local out = { log_base(states[#states], 6, sequence) }
  for i, state in ipairs(states) do
    out[#out + 1] = log_entry(states[i - 1] or before, state, sequence + i - 1)
  end
  return table.concat(out)
end

-- The bytes of a log of earlier Windows (SOFTWARE.LOG), which leads from one hive to another.
function hive.old_log(before, after, sequence)
  local bits, pages = {}, {}
  for _, at in ipairs(changed_pages(before, after, BLOCK)) do
    local index = (at - BIN) / BLOCK
    local byte = math.floor(index / 8)
    bits[byte] = (bits[byte] or 0) + 2 ^ (index % 8)
    pages[#pages + 1] = after:sub(at + 1, at + BLOCK)
  end
  local map = {}
  for byte = 0, (#after - BIN) / BIN - 1 do map[#map + 1] = string.char(bits[byte] or 0) end
  return log_base(after, 1, sequence) .. padded("DIRT" .. table.concat(map), BLOCK) .. table.concat(pages)
end

-- A key from a path below `root`, made where it is missing.
function hive.key(root, path)
  local key = root
  for name in path:gmatch "[^\\]+" do
    key.keys = key.keys or {}
    local found
    for _, child in ipairs(key.keys) do
      if child.name:lower() == name:lower() then found = child end
    end
    if not found then
      found = { name = name }
      key.keys[#key.keys + 1] = found
    end
    key = found
  end
  return key
end

-- Adds a value to a key given by path.
function hive.set(root, path, name, kind, data)
  local key = hive.key(root, path)
  key.values = key.values or {}
  key.values[#key.values + 1] = { name, kind, data }
  return key
end

return hive
