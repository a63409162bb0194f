-- bytes.lua: little-endian fields, UTF-16, times and repeatable noise for the composed test files

local bytes = {}

local floor = math.floor

function bytes.u16(n)
  return string.char(n % 256, floor(n / 256) % 256)
end

function bytes.u32(n)
  return string.char(n % 256, floor(n / 256) % 256, floor(n / 65536) % 256,
    floor(n / 16777216) % 256)
end

function bytes.read_u32(data, offset)
  local a, b, c, d = data:byte(offset + 1, offset + 4)
  return a + b * 256 + c * 65536 + d * 16777216
end

-- The code points of a UTF-8 text (which the test files are; nothing is checked).
local function code_points(text)
  local points, i = {}, 1
  while i <= #text do
    local lead = text:byte(i)
    local size, point
    if lead < 0x80 then size, point = 1, lead
    elseif lead < 0xe0 then size, point = 2, lead % 0x20
    elseif lead < 0xf0 then size, point = 3, lead % 0x10
    else size, point = 4, lead % 0x08 end
    for k = i + 1, i + size - 1 do point = point * 64 + text:byte(k) % 64 end
    points[#points + 1] = point
    i = i + size
  end
  return points
end

function bytes.utf16(text)
  local out = {}
  for _, point in ipairs(code_points(text)) do
    if point >= 0x10000 then
      local rest = point - 0x10000
      out[#out + 1] = bytes.u16(0xd800 + floor(rest / 1024))
      out[#out + 1] = bytes.u16(0xdc00 + rest % 1024)
    else
      out[#out + 1] = bytes.u16(point)
    end
  end
  return table.concat(out)
end

-- The text in Latin-1, or nil where it has other characters.
function bytes.latin1(text)
  local out = {}
  for _, point in ipairs(code_points(text)) do
    if point > 255 then return nil end
    out[#out + 1] = string.char(point)
  end
  return table.concat(out)
end

-- A GUID's 16 bytes as Windows stores them: the first three parts little endian.
function bytes.guid(text)
  local hex = text:gsub("-", "")
  local raw = {}
  for pair in hex:gmatch "%x%x" do raw[#raw + 1] = string.char(tonumber(pair, 16)) end
  assert(#raw == 16, "not a GUID: " .. text)
  local order = { 4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16 }
  for i, k in ipairs(order) do order[i] = raw[k] end
  return table.concat(order)
end

-- Days since 1970-01-01 of a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = floor(year / 400)
  local of_era = year - era * 400
  local of_year = floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  return era * 146097 + of_era * 365 + floor(of_era / 4) - floor(of_era / 100) + of_year - 719468
end

-- "2004-09-14T07:08:00Z" (or a number already) as seconds since 1970.
function bytes.seconds(time)
  if type(time) == "number" then return time end
  local y, m, d, h, min, s = time:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$"
  assert(y, "not a time of the form 2004-09-14T07:08:00Z: " .. tostring(time))
  return days(tonumber(y), tonumber(m), tonumber(d)) * 86400 + h * 3600 + min * 60 + s
end

-- A FILETIME (100 ns since 1601) of whole seconds since 1970, in two halves: a double holds 53
-- bits.
function bytes.filetime(time)
  local seconds = bytes.seconds(time) + 11644473600
  local high = floor(seconds / 65536) * 10000000
  local low = (seconds % 65536) * 10000000
  local below = (high % 65536) * 65536 + low
  return bytes.u32(below % 4294967296)
    .. bytes.u32(floor(high / 65536) + floor(below / 4294967296))
end

-- `size` bytes that look random and depend on `seed` (a text) alone.
function bytes.noise(seed, size)
  local state = 7
  for i = 1, #seed do state = (state * 31 + seed:byte(i)) % 2147483647 end
  if state == 0 then state = 1 end
  local out = {}
  for i = 1, size do
    state = state * 16807 % 2147483647
    out[i] = string.char(floor(state / 128) % 256)
  end
  return table.concat(out)
end

return bytes
