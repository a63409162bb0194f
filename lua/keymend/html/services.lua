-- services.lua: the services that a repair stops and starts, and whom they need, as a picture (SVG)
--
-- One service a row, in the order in which they stop, so every arrow leads down: from a service to the one that it
-- needs. All arrows to one service share a line at the left. What is needed but left alone stands below. So it is read
-- from above to below for stopping, and back for starting, and it is as narrow as a phone.

local tag = require "keymend.html.tag"

local M = {}

local N = tag.number

local ROW, TOP, LANE = 46, 8, 15
local NODE = 296
M.MAX_ROWS = 40

-- ---- Rows and arrows ----

-- The services as rows: those of `order` as they are told, then what they need and is left alone; second: how many
-- have no row.
local function rows_of(graph, order)
  local rows, at = {}, {}
  local function add(name, stop)
    local key = name:lower()
    if at[key] then return end
    local service = graph:find(name)
    rows[#rows + 1] = { name = service and service.name or name, service = service, stop = stop }
    at[key] = #rows
  end
  for index, name in ipairs(order) do add(name, index) end
  for index = 1, #rows do
    local service = rows[index].service
    for _, name in ipairs(service and graph:needs(service) or {}) do add(name) end
  end
  local left = math.max(0, #rows - M.MAX_ROWS)
  for index = #rows, M.MAX_ROWS + 1, -1 do
    at[rows[index].name:lower()], rows[index] = nil, nil
  end
  return rows, at, left
end

-- For each service that is needed: its row, and the rows that need it, through a group that it is in too.
local function buses_of(graph, rows, at)
  local from = {}
  local function join(row, name)
    local target = at[name:lower()]
    if not target or target == row then return end
    from[target] = from[target] or {}
    from[target][row] = true
  end
  for row, one in ipairs(rows) do
    for _, name in ipairs(one.service and one.stop and graph:needs(one.service) or {}) do join(row, name) end
    for _, group in ipairs(one.service and one.stop and graph:needs_groups(one.service) or {}) do
      for _, name in ipairs((graph:group(group) or { members = {} }).members) do join(row, name) end
    end
  end
  local buses = {}
  for target = 1, #rows do
    if from[target] then
      local bus = { target = target, first = target, last = target, rows = {} }
      for row = 1, #rows do
        if from[target][row] then
          table.insert(bus.rows, row)
          bus.first, bus.last = math.min(bus.first, row), math.max(bus.last, row)
        end
      end
      buses[#buses + 1] = bus
    end
  end
  return buses
end

-- Gives every bus a lane in which no other one runs beside it; how many lanes there are.
local function assign_lanes(buses)
  local lanes = {}
  table.sort(buses, function(a, b)
    local left, right = a.last - a.first, b.last - b.first
    if left ~= right then return left < right end
    return a.target < b.target
  end)
  for _, bus in ipairs(buses) do
    local lane, free = 0, false
    while not free do
      lane, free = lane + 1, true
      for _, other in ipairs(lanes[lane] or {}) do
        free = free and (bus.first > other.last or bus.last < other.first)
      end
    end
    lanes[lane] = lanes[lane] or {}
    table.insert(lanes[lane], bus)
    bus.lane = lane
  end
  return #lanes
end

-- ---- Drawing ----

local function y_of(row)
  return TOP + (row - 0.5) * ROW
end

local function draw_bus(bus, left)
  local x, y = left - bus.lane * LANE + 3, y_of(bus.target) + 6
  local top, bottom, out = y, y, {}
  for _, row in ipairs(bus.rows) do
    local from = y_of(row) - 6
    top, bottom = math.min(top, from), math.max(bottom, from)
    out[#out + 1] = tag.path { class = "edge", d = ("M%s %sH%s"):format(N(left), N(from), N(x)) }
    out[#out + 1] = tag.circle { class = "joint", cx = N(x), cy = N(from), r = 3 }
  end
  return tag.g {
    tag.path { class = "edge", d = ("M%s %sV%s"):format(N(x), N(top), N(bottom)) },
    tag.path { class = "edge", d = ("M%s %sH%s"):format(N(x), N(y), N(left - 6)) },
    tag.path { class = "head", d = ("M%s %sl-8-4.5v9Z"):format(N(left), N(y)) }, out,
  }
end

local function say(service)
  if not service then return "not here" end
  local state = require("keymend.report").state_text(service)
  return (service.driver and "driver, " or "") .. service.start .. (state and ", " .. state or "")
end

local function needs_words(graph, service)
  local names = service and graph:needs(service) or {}
  for _, group in ipairs(service and graph:needs_groups(service) or {}) do names[#names + 1] = "group " .. group end
  return #names > 0 and "needs " .. table.concat(names, ", ") or "needs nothing"
end

local function draw_row(graph, index, row, left, width)
  local y, id = y_of(index), "s" .. index
  local title = row.name .. (row.stop and (": stops as number %d"):format(row.stop) or ": left alone")
  return tag.g {
    class = "node" .. (row.stop and "" or " alone"), role = "img", tabindex = 0,
    ["aria-labelledby"] = id .. "t " .. id .. "d",
    tag.title { id = id .. "t", title },
    tag.desc { id = id .. "d", say(row.service) .. "; " .. needs_words(graph, row.service) },
    tag.rect { x = N(left), y = N(y - 19), width = N(width), height = 38, rx = 6 },
    row.stop and tag.circle { cx = N(left + 19), cy = N(y), r = 11 },
    row.stop and tag.text { class = "number", x = N(left + 19), y = N(y + 4.5), ["text-anchor"] = "middle", row.stop },
    tag.text { class = "name", x = N(left + (row.stop and 38 or 12)), y = N(y - 2), tag.cut(row.name, 28) },
    tag.text { class = "faint", x = N(left + (row.stop and 38 or 12)), y = N(y + 13),
      tag.cut(row.stop and say(row.service) or "left alone", 34) },
  }
end

-- The picture, or nil when no service is known; second: how many services have no row in it. order: names as they
-- stop.
function M.draw(graph, order)
  local rows, at, more = rows_of(graph, order)
  if #rows == 0 then return nil, 0 end
  local buses = buses_of(graph, rows, at)
  local lanes = assign_lanes(buses)
  local left = 8 + lanes * LANE
  local width = left + NODE
  local out = {}
  for _, bus in ipairs(buses) do out[#out + 1] = draw_bus(bus, left) end
  for index, row in ipairs(rows) do out[#out + 1] = draw_row(graph, index, row, left, width - left - 2) end
  return tag.svg {
    class = "graph", viewBox = ("0 0 %s %s"):format(N(width), N(2 * TOP + #rows * ROW)), role = "group",
    style = ("max-width:%spx"):format(N(width * 1.15)), ["aria-labelledby"] = "graph-title graph-desc",
    tag.title { id = "graph-title", "Services and whom they need" },
    tag.desc { id = "graph-desc", "The numbers are the order in which services stop; an arrow leads to the service "
      .. "that is needed. The list beside it holds the same in words." },
    out,
  }, more
end

return M
