-- markup.lua: reads a page of keymend's as strictly as its own rules are: what stands open, what leads nowhere
--
--   markup.check(page) -> list of complaints, empty for a sound page
--   markup.texts(page, class) -> { { x, y, anchor, text } ... } of the SVG texts of a class

local markup = {}

local VOID = { meta = true, link = true, wbr = true, br = true }

local function attributes_of(text, complaints)
  local given = {}
  local rest = text:gsub('%s+([%w:-]+)="([^"<]*)"', function(name, value)
    if given[name] then complaints[#complaints + 1] = "twice: " .. name end
    given[name] = value
    return ""
  end)
  if rest:find "%S" then complaints[#complaints + 1] = "odd attributes: " .. text end
  return given
end

-- Ids that attributes name, which must be there.
local function references(given, wanted)
  local target = (given.href or ""):match "^#(.+)$"
  if target then wanted[#wanted + 1] = target end
  for id in (given["aria-labelledby"] or ""):gmatch "%S+" do wanted[#wanted + 1] = id end
end

local function check_links(ids, wanted, complaints)
  for _, id in ipairs(wanted) do
    if not ids[id] then complaints[#complaints + 1] = "leads nowhere: #" .. id end
  end
end

local function check_texts(page, complaints)
  for text in page:gmatch ">([^<]*)<" do
    if text:gsub("&%w+;", ""):gsub("&#%d+;", ""):find "&" then
      complaints[#complaints + 1] = "a bare ampersand: " .. text:sub(1, 60)
    end
    if text:find "[%z\1-\8\11-\31\127]" then complaints[#complaints + 1] = "a control character" end
  end
end

function markup.check(page)
  local complaints, open, ids, wanted = {}, {}, {}, {}
  local body = page:gsub("^<!DOCTYPE html>\n", ""):gsub("<style>.-</style>", "<style></style>")
  for slash, name, rest in body:gmatch "<(/?)([%w-]+)(.-)>" do
    if slash == "/" then
      local last = table.remove(open)
      if last ~= name then complaints[#complaints + 1] = ("</%s> ends <%s>"):format(name, last or "") end
    else
      local given = attributes_of(rest, complaints)
      if given.id and ids[given.id] then complaints[#complaints + 1] = "id twice: " .. given.id end
      if given.id then ids[given.id] = true end
      references(given, wanted)
      if not VOID[name] then open[#open + 1] = name end
    end
  end
  if #open > 0 then complaints[#complaints + 1] = "left open: " .. table.concat(open, " ") end
  check_links(ids, wanted, complaints)
  check_texts(body, complaints)
  for _, word in ipairs { "<script", "http:", "https:", "javascript:", "url(", "src=", "@import" } do
    if page:find(word, 1, true) then complaints[#complaints + 1] = "not self-contained: " .. word end
  end
  return complaints
end

function markup.texts(page, class)
  local list = {}
  for rest, text in page:gmatch "<text(.-)>(.-)</text>" do
    local given = attributes_of(rest, {})
    if given.class == class then
      list[#list + 1] = { x = tonumber(given.x), y = tonumber(given.y), anchor = given["text-anchor"] or "start",
        text = text }
    end
  end
  return list
end

return markup
