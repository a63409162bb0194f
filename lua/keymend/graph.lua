-- graph.lua: the service graph as Lua tables: who needs whom, through groups too
--
-- Built from services:list() of keymend.core once; names are compared ignoring ASCII case, as Windows does. Groups are
-- nodes of their own: a member never stands beside everyone who needs its group, since a large group that many need
-- would fill the memory.

local core = require "keymend.core"

local M = {}

local Graph = {}
Graph.__index = Graph

function M.new(list)
  local graph = setmetatable({ list = list, by_name = {}, groups = {}, group_names = {}, needed_by = {} }, Graph)
  local function group_of(name)
    local key = name:lower()
    if not graph.groups[key] then
      graph.groups[key] = { name = name, members = {}, needed_by = {} }
      table.insert(graph.group_names, key)
    end
    return graph.groups[key]
  end
  for _, service in ipairs(list) do
    graph.by_name[service.name:lower()] = service
    if (service.group or "") ~= "" then table.insert(group_of(service.group).members, service.name) end
    for _, needed in ipairs(graph:needs(service)) do
      local key = needed:lower()
      graph.needed_by[key] = graph.needed_by[key] or {}
      table.insert(graph.needed_by[key], service.name)
    end
    for _, group in ipairs(graph:needs_groups(service)) do table.insert(group_of(group).needed_by, service.name) end
  end
  return graph
end

function Graph:find(name)
  return self.by_name[name:lower()]
end

-- `names` without the repeated ones.
local function distinct(names)
  local list, seen = {}, {}
  for _, name in ipairs(names or {}) do
    if not seen[name:lower()] then
      seen[name:lower()] = true
      list[#list + 1] = name
    end
  end
  return list
end

-- The names that a service needs itself.
function Graph:needs(service)
  return distinct(service.depends)
end

-- The groups that a service needs.
function Graph:needs_groups(service)
  return distinct(service.depends_groups)
end

-- The names that need `name` itself, not its group.
function Graph:dependents(name)
  return self.needed_by[name:lower()] or {}
end

-- A group: { name, members = {names}, needed_by = {names} }, or nil.
function Graph:group(name)
  return self.groups[name:lower()]
end

-- The groups that somebody needs and that `services` need or belong to, in the order of the list.
function Graph:groups_of(services)
  local wanted, list = {}, {}
  for _, service in ipairs(services) do
    wanted[(service.group or ""):lower()] = true
    for _, name in ipairs(service.depends_groups or {}) do wanted[name:lower()] = true end
  end
  for _, key in ipairs(self.group_names) do
    if wanted[key] and #self.groups[key].needed_by > 0 then list[#list + 1] = self.groups[key] end
  end
  return list
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
  local seen, seen_groups, queue = {}, {}, {}
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
    local group = (self.by_name[queue[at]].group or ""):lower()
    if group ~= "" and not seen_groups[group] then
      seen_groups[group] = true
      for _, name in ipairs(self.groups[group].needed_by) do add(name) end
    end
    at = at + 1
  end
  local reached = {}
  for _, service in ipairs(self.list) do
    if seen[service.name:lower()] then reached[#reached + 1] = service end
  end
  return reached
end

return M
