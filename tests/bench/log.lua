-- log.lua: makes a System.evtx of more than 20 MB: log.lua FILE
--
-- From the real one of KEYMEND_DATA (default ../shared/data) where it is there: its chunks, the first ones once more;
-- else from composed events. Numbers repeat then, which readers bear.
local here = arg[0]:match "^(.*)/" or "."
package.path = here .. "/../lib/?.lua;" .. package.path
local bytes, evtx = require "bytes", require "evtx"

local CHUNK, WANTED = 65536, 336 -- chunks: 21 MiB
local path = (os.getenv "KEYMEND_DATA" or here .. "/../../../shared/data") .. "/evtx/museum_szechuan2012R2_System.evtx"
local file = io.open(path, "rb")
local chunks = {}
if file then
  local data = file:read "*a"
  file:close()
  for at = 4097, #data - CHUNK + 1, CHUNK do
    local chunk = data:sub(at, at + CHUNK - 1)
    if chunk:sub(1, 8) == "ElfChnk\0" then chunks[#chunks + 1] = chunk end
  end
else
  local events = {}
  for index = 1, 60 do
    events[index] = { source = "Service Control Manager", id = index % 30 == 0 and 7023 or 7036, level = 4,
      time = "2014-09-14T06:10:00Z", strings = { "IIS Admin Service", "running" }, data = bytes.utf16 "IISADMIN/4" }
  end
  chunks[1] = evtx.compose(events):sub(4097)
end
for index = #chunks + 1, WANTED do chunks[index] = chunks[(index - 1) % #chunks + 1] end
local out = assert(io.open(arg[1], "wb"))
out:write(evtx.file(chunks, 1000000))
out:close()
