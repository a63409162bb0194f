-- example.lua: the examples of a page: commands after a prompt, and what they print
--
--   for _, one in ipairs(example.of(path, "$ ")) do ... one.command, one.lines ... end
--   example.like(text, one.lines)       true; or false and the line that differs

local example = {}

-- The examples of the page whose commands stand behind `prompt`, inside its ``` blocks.
function example.of(path, prompt)
  local list, inside, one = {}, false, nil
  for line in io.lines(path) do
    if line:find "^```" then
      inside, one = not inside, nil
    elseif inside and line:sub(1, #prompt) == prompt then
      one = { command = line:sub(#prompt + 1), lines = {} }
      list[#list + 1] = one
    elseif one then
      table.insert(one.lines, line)
    end
  end
  return list
end

-- What differs from run to run: ids, the present.
local function same(line)
  return (line:gsub("%d%d%d%d%d%d%d%dT%d+Z%-%x+", "ID"):gsub("20[2-9]%d%-%S+Z", "NOW"))
end

-- The lines of `text` must be those of `wanted`, where a line "..." stands for any lines.
function example.like(text, wanted)
  local found, at = {}, 1
  for line in (text:match "^(.-)\n*$" .. "\n"):gmatch "([^\n]*)\n" do found[#found + 1] = same(line) end
  local any = false
  for _, line in ipairs(wanted) do
    if line == "..." then
      any = true
    else
      while any and found[at] and found[at] ~= same(line) do at = at + 1 end
      if found[at] ~= same(line) then return false, line end
      at, any = at + 1, false
    end
  end
  return any or at > #found, found[at]
end

return example
