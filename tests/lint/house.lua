-- house.lua: the project's own rules for its files, which no other checker knows
--
-- Run from the top of the tree by tests/lint/run. Prints one line a breach; exit status 1 when there is one.

local breaches = 0

local function breach(file, line, message, ...)
  breaches = breaches + 1
  print(("%s:%d: %s"):format(file, line, message:format(...)))
end

local function read(file)
  local handle = io.open(file, "rb")
  if not handle then return nil end
  local text = handle:read "*a"
  handle:close()
  return text
end

-- Data that stands as it is: it may hold anything.
local function is_data(path)
  return path:match "^tests/fuzz/corpus/" or path:match "^tests/golden/expected/"
end

-- Every file that git knows or would add, except deleted ones.
local function tree()
  local found = {}
  local list = assert(io.popen "git ls-files -z --cached --others --exclude-standard")
  for file in list:read("*a"):gmatch "%Z+" do
    local text = read(file)
    if text then table.insert(found, { path = file, text = text }) end
  end
  list:close()
  return found
end

local function lines(text)
  local number = 0
  local following = (text .. "\n"):gmatch "(.-)\n"
  return function()
    local line = following()
    if line then
      number = number + 1
      return number, line
    end
  end
end

-- ---- rules, each called with every text file --------------------------------------------------------

-- The language of a file: by its extension, else by its "#!" line, else nil.
local function language(file)
  if file.path:match "%.[ch]$" then return "c" end
  if file.path:match "%.lua$" or file.path:match "%.luacheckrc$" then return "lua" end
  if file.path:match "%.sh$" or file.path == "Makefile" then return "shell" end
  if file.text:match "^#![^\n]*sh\n" then return "shell" end
  if file.text:match "^#![^\n]*lua" then return "lua" end
end

local openings = { c = "/* ", lua = "-- ", shell = "# " }

-- The first line (the second after "#!") names the file and its purpose.
local function names_itself(file)
  local opening = openings[language(file) or ""]
  if not opening then return end
  local first, second = file.text:match "^([^\n]*)\n?([^\n]*)"
  if first:match "^#!" then first = second end
  local expected = opening .. file.path:match "[^/]+$" .. ": "
  if first:sub(1, #expected) ~= expected then
    breach(file.path, 1, "the first line does not begin with '%s'", expected)
  end
end

local function clean_text(file)
  if not file.text:match "\n$" and #file.text > 0 then breach(file.path, 1, "no newline at the end") end
  for number, line in lines(file.text) do
    if line:match "%s$" then breach(file.path, number, "white space at the end of the line") end
    if line:match "\t" and language(file) ~= nil and file.path ~= "Makefile" then
      breach(file.path, number, "a tab")
    end
  end
end

-- Functions that cannot be used safely, or that run a shell. Tests, which know their own data and start
-- programs, may use some of them.
local banned = {}
for name in ("gets sprintf vsprintf strtok alloca asctime ctime tmpnam tempnam mktemp"):gmatch "%w+" do
  banned[name] = "everywhere"
end
for name in ("strcpy strcat stpcpy atoi atol atof system popen"):gmatch "%w+" do
  banned[name] = "product"
end

local function no_banned_function(file)
  if language(file) ~= "c" then return end
  local in_tests = file.path:match "^tests/" ~= nil
  for number, line in lines(file.text) do
    for before, name in line:gmatch "()([%a_][%w_]*)%s*%(" do
      local rule = banned[name]
      local member = line:sub(1, before - 1):match "[.>]$"
      if rule and not member and not line:match "^%s*[/ ]%*" and not (rule == "product" and in_tests) then
        breach(file.path, number, "%s is banned", name)
      end
    end
  end
end

local function platform_in_its_room(file)
  if not file.path:match "^core/" and not file.path:match "^lua/" then return end
  if file.path:match "^core/windows/" or file.path:match "^core/offline/" then return end
  for number, line in lines(file.text) do
    if line:match "_WIN32%f[^%w_]" then
      breach(file.path, number, "_WIN32 outside core/windows and core/offline")
    end
  end
end

-- Folders that exist on one machine only.
local function no_machine_path(file)
  for number, line in lines(file.text) do
    for _, name in ipairs { "work", "farm", "home/%w+", "root" } do
      if (" " .. line):match("[^%w_.$}%%*-]/" .. name .. "/") then
        breach(file.path, number, "a path of one machine: /%s/", name)
      end
    end
  end
end

local rules = { names_itself, clean_text, no_banned_function, platform_in_its_room, no_machine_path }

-- ---- the tree as a whole ----------------------------------------------------------------------------

local top = {}
for name in ([[core lua scripts tests docs premake5.lua Makefile README.md LICENSE CHANGELOG.md CONTRIBUTING.md
    SECURITY.md]]):gmatch "%S+" do
  top[name] = true
end

local function top_level_is_fixed(files)
  for _, file in ipairs(files) do
    local name = file.path:match "^[^/]+"
    if not top[name] and not name:match "^%." then breach(file.path, 1, "the top level is fixed") end
  end
  for _, name in ipairs { "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md" } do
    if not read(name) then breach(name, 1, "is missing") end
  end
end

-- What the pages tell a reader to run or open must be there: targets of make and paths in the tree.
local function pages_are_true(files)
  local makefile = read "Makefile" or ""
  local targets, known = {}, {}
  for name in makefile:gmatch "\n([%w-]+):" do targets[name] = true end
  for _, file in ipairs(files) do
    known[file.path] = true
    local folder = file.path:match "(.*)/"
    while folder do
      known[folder] = true
      folder = folder:match "(.*)/"
    end
  end
  local function check_page(page)
    for number, line in lines(page.text) do
      for command in line:gmatch "`make ([%l][%w-]*)" do
        if not targets[command] then breach(page.path, number, "no target '%s' in the Makefile", command) end
      end
      for name in line:gmatch "`([%l.]+/[%w_./-]+)`" do
        name = name:gsub("/$", "")
        local first = name:match "^[^/]+"
        if (top[first] or first == ".ci") and not known[name] then
          breach(page.path, number, "'%s' does not exist", name)
        end
      end
    end
  end
  for _, file in ipairs(files) do
    if file.path:match "^[%u]+%.md$" or file.path:match "^docs/.*%.md$" then check_page(file) end
  end
end

local files = tree()
for _, file in ipairs(files) do
  if not file.text:find "%z" and not is_data(file.path) then
    for _, rule in ipairs(rules) do rule(file) end
  end
end
top_level_is_fixed(files)
pages_are_true(files)
os.exit(breaches == 0 and 0 or 1)
