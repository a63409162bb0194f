-- evt.lua: composes .evt files, event logs of Windows 2000 to Server 2003
--
-- evt.compose { { source =, id =, time = "2004-09-14T06:20:01Z", type = "error", strings = {}, data =, number =,
-- computer = }, ... }; layout: core/event.h and MS "Event Log File Format".

local bytes = require "keymend.volume.bytes"

local evt = {}

local MARK = "LfLe"
local TYPES = { error = 1, warning = 2, information = 4 }
local SEVERITY = { error = 0xC0000000, warning = 0x80000000, information = 0x40000000 }

-- Seconds since 1970 of an RFC 3339 time in UTC.
local function seconds_of(text)
  local year, month, day, hour, minute, second = text:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)Z$"
  year, month = tonumber(year), tonumber(month)
  if month <= 2 then year, month = year - 1, month + 12 end
  local days = 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
    + math.floor((153 * month - 457) / 5) + day - 719469
  return days * 86400 + hour * 3600 + minute * 60 + second
end

local function text(value)
  return bytes.utf16(value) .. "\0\0"
end

-- One record.
function evt.record(event)
  local body = text(event.source) .. text(event.computer or "WEB01")
  local strings = 56 + #body
  for _, one in ipairs(event.strings or {}) do body = body .. text(one) end
  local data, kind = event.data or "", event.type or "error"
  local data_offset = 56 + #body
  body = body .. data .. ("\0"):rep(-(#body + #data) % 4)
  local length, when = 56 + #body + 4, bytes.u32(seconds_of(event.time))
  return bytes.u32(length) .. MARK .. bytes.u32(event.number) .. when .. when
    .. bytes.u32(SEVERITY[kind] + event.id) .. bytes.u16(TYPES[kind]) .. bytes.u16(#(event.strings or {}))
    .. ("\0"):rep(8) .. bytes.u32(strings) .. ("\0"):rep(8) .. bytes.u32(#data) .. bytes.u32(data_offset)
    .. body .. bytes.u32(length)
end

-- A file of these events, oldest first.
function evt.compose(events)
  local records = {}
  for index, event in ipairs(events) do
    event.number = event.number or index
    records[index] = evt.record(event)
  end
  local body = table.concat(records)
  local stop, next_number = bytes.u32(48 + #body), bytes.u32(#events + 1)
  local header = bytes.u32(48) .. MARK .. bytes.u32(1) .. bytes.u32(1) .. bytes.u32(48) .. stop .. next_number
    .. bytes.u32(1) .. bytes.u32(48 + #body + 40) .. bytes.u32(0) .. bytes.u32(0) .. bytes.u32(48)
  local marker = bytes.u32(40) .. bytes.u32(0x11111111) .. bytes.u32(0x22222222) .. bytes.u32(0x33333333)
    .. bytes.u32(0x44444444) .. bytes.u32(48) .. stop .. next_number .. bytes.u32(1) .. bytes.u32(40)
  return header .. body .. marker
end

return evt
