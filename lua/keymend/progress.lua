-- progress.lua: how far long work is: count, rate and time left, on one line of a terminal; nothing in a pipe
--
--   local meter = progress.new { what = "files", total = 12000 }      -- total may be left out
--   local meter = progress.new { what = "names", after = 1 }          -- of work that is mostly done within this time
--   for ... do meter:add(1) end
--   meter:finish()
--
-- The line goes to stderr, so that the output can go to a file meanwhile.

local core = require "keymend.core"

local M = {}

M.EVERY = 0.2 -- seconds between two lines
-- A rate says nothing before this many seconds.
M.SETTLED = 1

local Meter = {}
Meter.__index = Meter
Meter.__name = "keymend.meter"
M.metatable = Meter

-- options: what (plural), total (nil: not known), after (seconds in which nothing is shown; default 0), terminal
-- (false: nothing is shown; default: whether stderr is one), and for tests clock (seconds), write, width
function M.new(options)
  local clock = options.clock or core.clock
  local terminal = options.terminal
  if terminal == nil then terminal = core.is_terminal(2) end
  return setmetatable({
    what = options.what or "files", total = options.total, count = 0, terminal = terminal, clock = clock,
    write = options.write or function(text) io.stderr:write(text) end, width = options.width or core.width(),
    began = clock(), after = options.after or 0, shown = nil, length = 0, step = 1, waiting = 0,
  }, Meter)
end

-- 75 as "1 min 15 s"
function M.duration(seconds)
  seconds = math.max(0, math.floor(seconds + 0.5))
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d min %d s"):format(math.floor(seconds / 60), seconds % 60) end
  return ("%d h %d min"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

-- The line as it stands now.
function Meter:text()
  local passed = self.clock() - self.began
  local parts = { self.total and ("%d of %d %s"):format(self.count, self.total, self.what)
    or ("%d %s"):format(self.count, self.what) }
  local rate = passed >= M.SETTLED and self.count / passed
  if rate and rate > 0 then
    parts[#parts + 1] = (rate >= 10 and "%.0f a second" or "%.1f a second"):format(rate)
    if self.total and self.total >= self.count then
      parts[#parts + 1] = M.duration((self.total - self.count) / rate) .. " left"
    end
  end
  return table.concat(parts, ", ")
end

local function show(meter)
  local text = meter:text():sub(1, meter.width - 1)
  meter.write("\r" .. text .. (" "):rep(meter.length - #text))
  meter.length = #text
end

-- `number` more are done. Looks at the clock now and then only, so that it may be called for every file.
function Meter:add(number)
  self.count = self.count + (number or 1)
  if not self.terminal then return end
  self.waiting = self.waiting + 1
  if self.waiting < self.step then return end
  self.waiting = 0
  local now = self.clock()
  local since = now - (self.shown or self.began)
  if since < M.EVERY / 4 then self.step = math.min(self.step * 2, 4096) end
  if since > M.EVERY * 2 then self.step = 1 end
  if self.shown and since < M.EVERY or now - self.began < self.after then return end
  self.shown = now
  show(self)
end

-- Takes the line away, so that something else can be printed.
function Meter:clear()
  if self.length == 0 then return end
  self.write("\r" .. (" "):rep(self.length) .. "\r")
  self.length = 0
end

Meter.finish = Meter.clear

return M
