-- spelling.lua: "did you mean": the nearest known word to a mistyped one

local M = {}

-- The number of letters to change, add, remove or swap with a neighbour to turn a into b.
local function distance(a, b)
  local before, row = nil, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local next_row = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local best = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, before[j - 2] + 1)
      end
      next_row[j] = best
    end
    before, row = row, next_row
  end
  return row[#b]
end

-- The nearest of `words`, or nil when none is near.
function M.nearest(word, words)
  local best, least = nil, nil
  for _, known in ipairs(words) do
    local away = distance(word:lower():sub(1, 64), known:lower())
    if known:sub(1, #word) == word and #word >= 2 then away = math.min(away, 1) end
    if away <= math.max(1, math.floor(#known / 3)) and (not least or away < least) then best, least = known, away end
  end
  return best
end

-- A message with the command that tells more.
function M.see(message, command)
  return message .. (message:find "%?$" and " See: " or "; see: ") .. command
end

-- "; did you mean X?" or "". prefix: stands before each of `words` where it is typed.
function M.hint(word, words, prefix)
  local best = M.nearest(word, words)
  return best and ('; did you mean "%s%s"?'):format(prefix or "", best) or ""
end

return M
