-- marks.lua: the marks of the timeline: each kind has a shape of its own, so that none is told by colour alone

local tag = require "keymend.html.tag"

local M = {}

-- Around the point 0,0 and at most 9 from it: element, attributes, class. "full" is filled, "line" is an outline.
local SHAPES = {
  current = { { "circle", { r = 7.5 }, "full" } },
  foreign = { { "path", { d = "M0-9 9 0 0 9-9 0Z" }, "line" } },
  regenerated = {
    { "rect", { x = -7.5, y = -7.5, width = 15, height = 15 }, "line" },
    { "path", { d = "M-4-4 4 4M4-4-4 4" }, "line" },
  },
  stray = { { "circle", { r = 7, ["stroke-dasharray"] = "2.5 2.5" }, "line" } },
  guid = {
    { "path", { d = "M-8 0-4-7.5H4L8 0 4 7.5H-4Z" }, "full" },
    { "path", { d = "M2-4-3 0 2 4" }, "cut" },
  },
  backup = {
    { "path", { d = "M-7-7H4.5L7-4.5V7H-7Z" }, "line" },
    { "rect", { x = -3.5, y = -7, width = 7, height = 5 }, "full" },
  },
  event = {
    { "path", { d = "M0-8.5 9 7.5H-9Z" }, "full" },
    { "path", { d = "M0-3V2.5M0 4.6V6" }, "cut" },
  },
  success = { { "circle", { r = 7.5 }, "line" }, { "path", { d = "M-3.5 0-1 3 4-3" }, "line" } },
  onset = { { "path", { d = "M-5 9V-9M-5-8H8L4-3.5 8 1H-5" }, "full" } },
  ["other-onset"] = { { "path", { d = "M-5 9V-9M-5-8H8L4-3.5 8 1H-5" }, "line" } },
  transaction = {
    { "rect", { x = -8, y = -8, width = 16, height = 16, rx = 4 }, "full" },
    { "path", { d = "M-3-5V5M4-5-3 1.5M-.5-1 4 5" }, "cut" },
  },
  ["master-key"] = {
    { "circle", { cx = -3.5, r = 4.5 }, "line" },
    { "path", { d = "M1 0H9M8.5 0V4M5 0V3" }, "line" },
  },
}

M.WORDS = {
  current = "current key file: Windows finds it", foreign = "foreign key file: named for another machine GUID",
  regenerated = "regenerated key file: made anew after the reset", stray = "stray: renamed by hand",
  guid = "machine GUID last written: a reset was no later", backup = "backup hive with a machine GUID",
  event = "failure in the event log",
  success = "last known success", onset = "onset: the problem began",
  ["other-onset"] = "another onset: of a reset before or after", transaction = "transaction of keymend",
  ["master-key"] = "DPAPI master key made",
}

M.ORDER = {
  "current", "foreign", "regenerated", "stray", "guid", "backup", "success", "onset", "other-onset", "event",
  "transaction", "master-key",
}

-- The look of an item of the timeline.
function M.look(item)
  if item.kind == "onset" and item.class == "other" then return "other-onset" end
  return item.kind == "key" and item.class or item.kind
end

-- The shapes of a mark at x, y.
function M.shape(look, x, y)
  local parts = {}
  for index, one in ipairs(SHAPES[look] or SHAPES.stray) do
    local given = { class = one[3] }
    for name, value in pairs(one[2]) do given[name] = value end
    parts[index] = tag[one[1]](given)
  end
  return tag.g {
    class = "mark " .. look, transform = x and ("translate(%s %s)"):format(tag.number(x), tag.number(y)), parts,
  }
end

-- A mark as a small picture of its own; the words beside it say the same.
function M.icon(look)
  return tag.svg {
    class = "icon", viewBox = "-10 -10 20 20", width = 20, height = 20, ["aria-hidden"] = "true", M.shape(look),
  }
end

return M
