-- embed.lua: writes build/gen/embedded.c (Lua side, shipped policies and golden cases as C data) and
-- build/gen/keymend.def
--
-- Run by `premake5 embed` (the Makefile does it before each build). The text goes in unchanged, so that line
-- numbers in messages are those of the source. A file is rewritten only when its content changes, so that
-- nothing is compiled again without need. embedded.c is declared in lua/binding/embedded.h; keymend.def lists what
-- keymend.dll exports: the functions of core/keymend.h and the two that Lua's require looks for.

local BYTES_A_LINE = 24

local function read(file)
  local handle, message = io.open(file, "rb")
  if not handle then error("embed: " .. message .. " (dkjson.lua: Debian package lua-dkjson, or --dkjson=FILE)", 0) end
  local text = handle:read "*a"
  handle:close()
  return text
end

-- "lua/keymend/report/text.lua" is the module "keymend.report.text"; an init.lua is its folder's module.
local function module_name(file)
  return (file:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

-- The files below `folder` as { name, text }, sorted by name.
local function gather(root, folder, name_of)
  local found = {}
  for _, file in ipairs(os.matchfiles(path.join(root, folder, "**.lua"))) do
    local relative = path.getrelative(path.join(root, folder), file)
    table.insert(found, { name = name_of(relative), text = read(file) })
  end
  return found
end

local function bytes(text)
  local lines = {}
  for first = 1, #text, BYTES_A_LINE do
    local last = math.min(first + BYTES_A_LINE - 1, #text)
    table.insert(lines, "  " .. table.concat({ text:byte(first, last) }, ",") .. ",")
  end
  table.insert(lines, "  0")
  return table.concat(lines, "\n")
end

-- One table of km_embedded and the arrays it points to. char may be signed, so the bytes stand in unsigned
-- arrays.
local function emit(out, symbol, entries)
  table.sort(entries, function(a, b) return a.name < b.name end)
  local rows = {}
  for index, entry in ipairs(entries) do
    local array = symbol .. "_" .. index
    table.insert(out, "/* " .. entry.name .. " */")
    table.insert(out, "static const unsigned char " .. array .. "[] = {\n" .. bytes(entry.text) .. "};\n")
    table.insert(rows, ('  {"%s", (const char *)%s, sizeof %s - 1},'):format(entry.name, array, array))
  end
  table.insert(rows, "  {NULL, NULL, 0},")
  table.insert(out, ("const km_embedded %s[] = {\n%s\n};\n"):format(symbol, table.concat(rows, "\n")))
end

local function write_if_changed(target, text)
  local present = io.open(target, "rb")
  local same = present and present:read "*a" == text
  if present then present:close() end
  if same then return end
  os.mkdir(path.getdirectory(target))
  local handle = assert(io.open(target, "wb"))
  assert(handle:write(text))
  assert(handle:close())
end

-- The text of a module definition file: "KM_API type name(" of the header, its comments left out.
local function exports(header)
  local names = { "luaopen_keymend", "luaopen_keymend_core" }
  for declaration in header:gsub("/%*.-%*/", ""):gsub("\n#[^\n]*", ""):gmatch "KM_API ([^;(]*)%(" do
    table.insert(names, (assert(declaration:match "(km_[%w_]+)$", "embed: a KM_API that is no function")))
  end
  table.sort(names)
  return "; keymend.def: what keymend.dll exports; written by lua/embed.lua, do not edit\nEXPORTS\n  "
    .. table.concat(names, "\n  ") .. "\n"
end

-- Writes the files for the tree `root`; `dkjson` is the path of dkjson.lua.
return function(options)
  local root = options.root
  local modules = gather(root, "lua/keymend", function(relative)
    return module_name("keymend/" .. relative)
  end)
  table.insert(modules, { name = "dkjson", text = read(options.dkjson) })
  local function plain(relative) return (relative:gsub("%.lua$", "")) end
  local cases = gather(root, "tests/golden/cases", plain)
  local policies = gather(root, "scripts/policies", plain)

  local out = {
    "/* embedded.c: Lua modules, policies and golden cases; written by lua/embed.lua, do not edit */",
    '#include "embedded.h"\n',
  }
  emit(out, "km_embedded_modules", modules)
  emit(out, "km_embedded_policies", policies)
  emit(out, "km_embedded_cases", cases)
  write_if_changed(path.join(root, "build/gen/embedded.c"), table.concat(out, "\n"))
  write_if_changed(path.join(root, "build/gen/keymend.def"), exports(read(path.join(root, "core/keymend.h"))))
end
