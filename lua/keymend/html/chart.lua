-- chart.lua: the timeline as a picture (SVG)
--
-- From left to right in time, but not to scale: a gap takes room by the logarithm of its length, so that seconds and
-- decades are both seen, and says how long it is. From above to below in lanes: the machine GUID and the onset, the key
-- files of each container (a line of its own for each, from when it was made until now), failures, transactions. Within
-- a lane a label that would touch another goes one row deeper, so nothing is ever written over something else. Widths
-- of texts are estimates, on the safe side; no font is asked.
--
-- Every mark is a link to its row in the table below the picture, with title and description; hovering or focusing
-- it shows the whole sentence in the line at the bottom.

local core = require "keymend.core"
local marks = require "keymend.html.marks"
local tag = require "keymend.html.tag"
local timeline = require "keymend.timeline"

local M = {}

local N = tag.number

local WIDTH = 1000
local LEFT, RIGHT = 22, 30          -- room before the first and after the last mark
local GUTTER = 186                  -- at the right, for what the plan does
local AXIS = 60                     -- height of the axis with its dates
local HEAD, ROW, KEY_ROW = 24, 26, 44
local LETTER = 7.1                  -- estimated width of a letter at 12.5 px
local DAY = 86400
local MIN_GAP = 11                  -- between two times, in the picture
local WIDEST = 75                   -- for a gap, times its logarithm
local MAX_LABEL = 46                -- letters

-- ---- Where a time is ----

local function times_of(rows)
  local seen, list = {}, {}
  local function add(time)
    local second = time and math.floor(time)
    if second and not seen[second] then
      seen[second] = true
      list[#list + 1] = second
    end
  end
  for _, item in ipairs(rows) do
    add(item.time)
    add(item.last)
  end
  table.sort(list)
  return list
end

-- A function from a time to its x, and the list of { time, x }.
local function scale_of(times, from, to)
  local weights, sum = {}, 0
  for index = 2, #times do
    weights[index] = 0.6 + math.log10(1 + times[index] - times[index - 1])
    sum = sum + weights[index]
  end
  local least = math.min(MIN_GAP, (to - from) / math.max(1, #times))
  local room = math.min(math.max(0, to - from - least * (#times - 1)), sum * WIDEST)
  local at, points, x = {}, {}, from
  for index, time in ipairs(times) do
    if index > 1 then x = x + least + room * weights[index] / sum end
    at[time], points[index] = x, { time = time, x = x }
  end
  return function(time) return at[math.floor(time)] end, points
end

-- ---- Labels that do not touch ----

-- Takes a place from x1 to x2 in the first row that is free there.
local function free_row(taken, x1, x2)
  local row = 1
  while true do
    local free = true
    for _, one in ipairs(taken[row] or {}) do free = free and (x2 < one[1] or x1 > one[2]) end
    if free then
      taken[row] = taken[row] or {}
      table.insert(taken[row], { x1, x2 })
      return row
    end
    row = row + 1
  end
end

-- Where a label of this width stands beside what is drawn from x to last: its x, anchor, and the span that both take.
local function beside(x, last, width)
  if last + 14 + width <= WIDTH then return last + 14, "start", x - 12, last + 18 + width end
  if x - 14 - width >= 0 then return x - 14, "end", x - 18 - width, last + 12 end
  return 0, "start", 0, WIDTH
end

-- ---- Parts ----

local function when_text(item)
  return (core.time_text(item.ticks or item.time):gsub("%.%d+", ""):gsub("T", " "):gsub("Z$", ""))
end

-- One mark: a link to the row of the table, with title and description, and its line at the bottom of the picture.
local function link(chart, item, parts)
  local id = "m" .. item.number
  local text = timeline.row_text(item) .. (item.plan and ". " .. timeline.PLAN[item.plan] or "")
    .. (item.kind == "key" and " " .. item.name or "")
  return tag.a {
    href = "#t" .. item.number, class = "link",
    tag.g {
      role = "img", ["aria-labelledby"] = id .. "t " .. id .. "d",
      tag.title { id = id .. "t", item.label .. ", " .. when_text(item) .. " UTC" },
      tag.desc { id = id .. "d", text .. (item.why_not and "; the time proves nothing: " .. item.why_not or "") },
      parts,
    },
    tag.text {
      class = "tip", x = 0, y = N(chart.height - 8), ["aria-hidden"] = "true",
      tag.cut(when_text(item) .. "  " .. text, 142),
    },
  }
end

local function label_text(item)
  local count = (item.count or 1) > 1 and (" \195\151%d"):format(item.count) or ""
  return tag.cut(item.label, MAX_LABEL) .. count
end

-- A lane of marks with labels beside them: its height, and a function that draws it at y.
local function packed_lane(chart, items)
  local taken, placed = {}, {}
  for index, item in ipairs(items) do
    local x = chart.x(item.time)
    local label = label_text(item)
    local last = (item.count or 1) > 1 and chart.x(item.last) or x
    local width = tag.length(label) * LETTER + 8
    local lx, anchor, from, to = beside(x, last, width)
    placed[index] = { item = item, x = x, last = last, lx = lx, anchor = anchor, label = label,
      row = free_row(taken, from, to) }
  end
  return #taken * ROW, function(y)
    local out = {}
    for index, one in ipairs(placed) do
      local cy = y + (one.row - 0.5) * ROW
      out[index] = link(chart, one.item, {
        one.last > one.x and tag.line { class = "span", x1 = N(one.x), y1 = N(cy), x2 = N(one.last), y2 = N(cy) },
        one.last > one.x and tag.line { class = "stop", x1 = N(one.last), y1 = N(cy - 6), x2 = N(one.last),
          y2 = N(cy + 6) },
        marks.shape(marks.look(one.item), one.x, cy),
        tag.text { class = "label", x = N(one.lx), y = N(cy + 4.5), ["text-anchor"] = one.anchor, one.label },
      })
    end
    return out
  end
end

local PLAN = {
  adopt = { "M-5 1 0-5 5 1M0-5V6", "ADOPT", "gets the current name" },
  retire = { "M-5-1 0 5 5-1M0 5V-6", "RETIRE", "goes into the vault" },
}

-- What the plan does with a key file, at the right end of its line.
local function badge(plan, y)
  local arrow, word, text = unpack(PLAN[plan])
  local x = WIDTH - GUTTER + 26
  return tag.g {
    class = "plan " .. plan,
    tag.rect { x = N(x), y = N(y - 13), width = 94, height = 26, rx = plan == "adopt" and 13 or 3 },
    tag.path { d = arrow, transform = ("translate(%s %s)"):format(N(x + 16), N(y)) },
    tag.text { class = "word", x = N(x + 30), y = N(y + 4.5), word },
    tag.text { class = "faint", x = N(x), y = N(y + 27), text },
  }
end

-- The line of a key file: whole while its name held the machine GUID as far as is known, broken after that.
local function life(chart, item, x, y)
  local to = chart.right
  local split = item.lost_at and chart.x(item.lost_at)
  local found = item.key.class == "current"
  if item.class == "stray" or not item.certain then split = nil end
  local function line(class, x1, x2)
    return tag.line { class = class, x1 = N(x1), y1 = N(y), x2 = N(x2), y2 = N(y) }
  end
  return tag.g {
    class = "life " .. item.class,
    split and split > x and { line("found", x, split), line("lost", split, to) } or line(found and "found" or "lost", x,
      to),
    not item.plan and tag.path { class = "arrow", d = ("M%s %sl8 5-8 5"):format(N(to - 4), N(y - 5)) },
  }
end

local function key_label(item)
  local guid = item.key.guid or ""
  return ("%s%s, made %s%s"):format(item.class, guid ~= "" and " " .. guid:sub(1, 8) .. "\226\128\166" or
    " " .. tag.cut(item.name, 24), when_text(item), item.certain and "" or " (doubtful)")
end

local function key_lane(chart, items)
  return #items * KEY_ROW, function(y)
    local out = {}
    for index, item in ipairs(items) do
      local x, cy = chart.x(item.time), y + (index - 1) * KEY_ROW + 29
      local label = key_label(item)
      local fits = x + tag.length(label) * LETTER < chart.right
      out[index] = link(chart, item, {
        life(chart, item, x, cy),
        marks.shape(item.class, x, cy),
        tag.text { class = "label", x = N(fits and x - 8 or x + 9), y = N(cy - 14),
          ["text-anchor"] = fits and "start" or "end", label },
        item.plan and badge(item.plan, cy),
      })
    end
    return out
  end
end

-- ---- The axis ----

local function day_of(time)
  return core.time_text(time):sub(1, 10)
end

-- How long the gap between two points is, as far as there is room for it.
local function gap_text(point, after, base)
  local room, length = after.x - point.x, after.time - point.time
  local text = timeline.duration(length)
  if tag.length(text) * 6.6 + 8 > room then text = "over " .. text:match "^[^,]*" end
  if tag.length(text) * 6.6 + 4 > room then return nil end
  return tag.text { class = "gap", x = N((point.x + after.x) / 2), y = N(base + 15), ["text-anchor"] = "middle", text }
end

-- The dates, one for each day, as far as they do not touch; and how long the gaps are.
local function axis(chart)
  local out, taken, former, base = {}, {}, nil, AXIS - 24
  for index, point in ipairs(chart.points) do
    local after = chart.points[index + 1]
    local day = day_of(point.time)
    if day ~= former then
      local x = math.max(0, math.min(point.x - 8, WIDTH - 88))
      local row = free_row(taken, x, x + 86)
      if row <= 2 then
        out[#out + 1] = tag.text { class = "date", x = N(x), y = N(row == 1 and base - 10 or base - 24), day }
        out[#out + 1] = tag.line { class = "guide", x1 = N(point.x), y1 = N(base), x2 = N(point.x),
          y2 = N(chart.height - 24) }
      end
      former = day
    end
    local gap = after and after.time - point.time or 0
    out[#out + 1] = after and tag.line { class = gap >= DAY and "axis broken" or "axis", x1 = N(point.x), y1 = N(base),
      x2 = N(after.x), y2 = N(base) }
    out[#out + 1] = gap >= DAY and gap_text(point, after, base)
    out[#out + 1] = tag.line { class = "tick", x1 = N(point.x), y1 = N(base - 4), x2 = N(point.x), y2 = N(base + 4) }
  end
  local last = chart.points[#chart.points]
  out[#out + 1] = tag.line { class = "axis", x1 = N(last.x), y1 = N(base), x2 = N(chart.right), y2 = N(base) }
  out[#out + 1] = tag.text { class = "date", x = N(chart.right + 6), y = N(base + 4.5), "now" }
  return out
end

-- The chosen onsets as lines through all lanes.
local function onset_lines(chart, rows)
  local out = {}
  for _, item in ipairs(rows) do
    if item.kind == "onset" then
      local x = N(chart.x(item.time))
      out[#out + 1] = tag.line { class = "onset-line " .. item.class, x1 = x, y1 = N(AXIS - 24), x2 = x,
        y2 = N(chart.height - 24) }
    end
  end
  return out
end

-- ---- The whole ----

-- A foreign key file's name stopped being right no later than this: the first later key file of its container that
-- counts, or the last write of the machine GUID.
local function lost_times(rows)
  for _, item in ipairs(rows) do
    if item.kind == "key" and item.key.class == "foreign" then
      for _, other in ipairs(rows) do
        local later = other.certain and other.time > item.time and (other.kind == "guid" or other.kind == "key"
          and other.container == item.container and other.key.class ~= "stray" and other.key.guid ~= item.key.guid)
        if later and (not item.lost_at or other.time < item.lost_at) then item.lost_at = other.time end
      end
    end
  end
end

local function pick(rows, test)
  local list = {}
  for _, item in ipairs(rows) do
    if test(item) then list[#list + 1] = item end
  end
  return list
end

-- Heading, items and kind of each lane that has something.
local function lanes_of(rows)
  local lanes, seen = {}, {}
  local function add(heading, items, keys)
    if #items > 0 then lanes[#lanes + 1] = { heading = heading, items = items, keys = keys } end
  end
  add("Machine GUID and onset", pick(rows, function(item)
    return item.kind == "guid" or item.kind == "backup" or item.kind == "onset"
  end))
  for _, item in ipairs(rows) do
    if item.kind == "key" and not seen[item.container] then
      seen[item.container] = true
      add(('Key files of "%s"'):format(tag.cut(item.container, 90)), pick(rows, function(other)
        return other.kind == "key" and other.container == item.container
      end), true)
    end
  end
  for _, row in ipairs {
    { "Event log", "event", "success" }, { "keymend", "transaction" }, { "DPAPI master keys", "master-key" },
  } do
    add(row[1], pick(rows, function(item) return item.kind == row[2] or item.kind == row[3] end))
  end
  return lanes
end

local function has_plan(rows)
  for _, item in ipairs(rows) do
    if item.plan then return true end
  end
  return false
end

-- The picture of timeline rows that have a number each (their row in the table is #t<number>); nil when nothing has a
-- time.
function M.draw(rows)
  if #rows == 0 then return nil end
  lost_times(rows)
  local chart = { right = has_plan(rows) and WIDTH - GUTTER + 16 or WIDTH - 40 }
  chart.x, chart.points = scale_of(times_of(rows), LEFT, chart.right - RIGHT)
  local lanes, y = lanes_of(rows), AXIS
  for _, lane in ipairs(lanes) do
    local height, draw = (lane.keys and key_lane or packed_lane)(chart, lane.items)
    lane.y, lane.draw = y, draw
    y = y + HEAD + height + (lane.keys and 12 or 4)
  end
  chart.height = y + 34
  local out = {}
  for index, lane in ipairs(lanes) do
    out[index] = tag.g {
      tag.line { class = "lane", x1 = 0, y1 = N(lane.y + 3), x2 = WIDTH, y2 = N(lane.y + 3) },
      tag.text { class = "heading", x = 0, y = N(lane.y + 19), lane.heading },
      lane.draw(lane.y + HEAD),
    }
  end
  return tag.svg {
    class = "chart", viewBox = ("0 0 %d %s"):format(WIDTH, N(chart.height)), role = "group",
    ["aria-labelledby"] = "chart-title chart-desc",
    tag.title { id = "chart-title", "Timeline" },
    tag.desc { id = "chart-desc", "Key files, machine GUID, failures, onset and transactions from left to right in "
      .. "time, not to scale. The table below holds the same in words." },
    axis(chart), onset_lines(chart, rows), out,
  }
end

return M
