-- inventory.lua: every file of the key store as CSV or JSON, one a line, in the order of the store
--
--   keymend run --root DIR inventory.lua > store.csv
--   keymend run --root DIR inventory.lua --json > store.json      compare.lua reads this later
--   keymend run --root DIR inventory.lua --names > names.csv      the names alone: fast, no file is opened
--
-- On Windows leave --root out. Nothing is changed. A million files need no more memory than ten. On a terminal the
-- progress stands on stderr. Times are UTC. Text that a spreadsheet would take for a formula gets a ' before it; what
-- cannot be shown, or is no UTF-8, stands as \u{XXXX} or \xXX, in JSON too.

local core = keymend.core
local json = require "dkjson"

local COLUMNS = {
  "name", "class", "hash", "guid", "container", "created", "created_source", "written", "size", "owner", "status",
  "signature_bits", "exchange_bits", "sha256",
}

local as_json, names_only = false, false
for _, word in ipairs(arg) do
  if word == "--json" then as_json = true
  elseif word == "--names" then names_only = true
  else error("usage: keymend run --root DIR inventory.lua [--json] [--names]", 0) end
end
if not target then error("there is no target: keymend run --root DIR inventory.lua", 0) end

local function time(seconds)
  return seconds and core.time_text(seconds) or nil
end

-- One file as a row; a file that cannot be read has a row too.
local function row_of(name, class, hash, guid)
  local row = { name = name, class = class, hash = hash, guid = guid }
  if names_only then return row end
  local key, problem = target:inspect(name)
  if not key then
    row.status = problem
    return row
  end
  row.container, row.size, row.owner = key.container, key.size, key.owner
  row.status, row.sha256 = key.status, key.sha256
  row.created, row.created_source, row.written = time(key.created), key.created_source, time(key.written)
  row.signature_bits = key.signature and key.signature.bits
  row.exchange_bits = key.exchange and key.exchange.bits
  return row
end

local function csv_cell(value)
  local text = core.escape(tostring(value == nil and "" or value))
  if text:find "^[=+%-@]" then text = "'" .. text end
  return text:find '[",]' and '"' .. text:gsub('"', '""') .. '"' or text
end

-- JSON has no other text than UTF-8.
local function json_line(row)
  local shown = {}
  for column, value in pairs(row) do shown[column] = type(value) == "string" and core.escape(value) or value end
  return json.encode(shown, { keyorder = COLUMNS })
end

local function csv_line(row)
  local cells = {}
  for index, column in ipairs(COLUMNS) do cells[index] = csv_cell(row[column]) end
  return table.concat(cells, ",") .. "\n"
end

local info = target:info()
local survey, problem = target:survey {}
if not survey then error(problem, 0) end
local meter = keymend.progress.new { what = "files", total = survey.files }
if as_json then
  io.write('{"document":"keymend inventory","schema":1,"machine_guid":', json.encode(info.machine_guid or json.null),
    ',"key_store":', json.encode(info.key_store or json.null), ',"made":', json.encode(time(core.time_now())),
    ',"keys":[')
else
  io.write(table.concat(COLUMNS, ","), "\n")
end

local separator = "\n"
for name, class, hash, guid in assert(target:keys()) do
  local row = row_of(name, class, hash, guid)
  if as_json then
    io.write(separator, json_line(row))
    separator = ",\n"
  else
    io.write(csv_line(row))
  end
  meter:add(1)
end
if as_json then io.write("\n]}\n") end
meter:finish()
