-- graph.lua: the service graph as Lua tables: who needs whom, through groups too
--
-- Built from services:list() of keymend.core once; names are compared ignoring ASCII case, as Windows does.

local core = require "keymend.core"

local M = {}

local Graph = {}
Graph.__index = Graph

function M.new(list)
  local graph = setmetatable({ list = list, by_name = {}, in_group = {}, needed_by = {} }, Graph)
  for _, service in ipairs(list) do
    graph.by_name[service.name:lower()] = service
    local group = (service.group or ""):lower()
    if group ~= "" then
      graph.in_group[group] = graph.in_group[group] or {}
      table.insert(graph.in_group[group], service)
    end
  end
  for _, service in ipairs(list) do
    for _, needed in ipairs(graph:needs(service)) do
      local key = needed:lower()
      graph.needed_by[key] = graph.needed_by[key] or {}
      table.insert(graph.needed_by[key], service.name)
    end
  end
  return graph
end

function Graph:find(name)
  return self.by_name[name:lower()]
end

-- The names that a service needs; members of a group it needs included.
function Graph:needs(service)
  local names, seen = {}, {}
  local function add(name)
    if not seen[name:lower()] then
      seen[name:lower()] = true
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(service.depends or {}) do add(name) end
  for _, group in ipairs(service.depends_groups or {}) do
    for _, member in ipairs(self.in_group[group:lower()] or {}) do add(member.name) end
  end
  return names
end

-- The names that need `name` directly.
function Graph:dependents(name)
  return self.needed_by[name:lower()] or {}
end

-- The names that fit one of the patterns (* and ?).
function Graph:fitting(patterns)
  local names = {}
  for _, service in ipairs(self.list) do
    for _, pattern in ipairs(patterns) do
      if core.match(pattern, service.name) then
        names[#names + 1] = service.name
        break
      end
    end
  end
  return names
end

-- `names` and, when `dependents`, everything that needs them, in the order of the list.
function Graph:reach(names, dependents)
  local seen, queue = {}, {}
  local function add(name)
    local key = name:lower()
    if self.by_name[key] and not seen[key] then
      seen[key] = true
      queue[#queue + 1] = key
    end
  end
  for _, name in ipairs(names) do add(name) end
  local at = 1
  while dependents and queue[at] do
    for _, name in ipairs(self:dependents(queue[at])) do add(name) end
    at = at + 1
  end
  local reached = {}
  for _, service in ipairs(self.list) do
    if seen[service.name:lower()] then reached[#reached + 1] = service end
  end
  return reached
end

return M
