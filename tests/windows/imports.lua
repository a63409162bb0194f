-- imports.lua: what the shipped binaries for Windows ask of Windows, against the reviewed list imports.txt beside it
--
-- lua5.1 tests/windows/imports.lua win32|win64 FILE... prints a line for each complaint; exit status 1 when there is
-- one. win32: every imported function stands in imports.txt, and every line there is imported by a file; win64: only
-- DLLs that imports.txt names. Both: the header says the oldest Windows, no time, and lets Windows protect the program.

local PLATFORMS = {
  win32 = { objdump = "i686-w64-mingw32-objdump", major = "5", minor = "0", flags = { "NX_COMPAT", "DYNAMIC_BASE" } },
  win64 = {
    objdump = "x86_64-w64-mingw32-objdump", major = "5", minor = "2",
    flags = { "NX_COMPAT", "DYNAMIC_BASE", "HIGH_ENTROPY_VA" },
  },
}
local OWN = { ["keymend.dll"] = { ["lua51.dll"] = true } } -- what of our own a file may load

local complaints = 0

local function complain(...)
  complaints = complaints + 1
  print((...):format(select(2, ...)))
end

-- "kernel32.dll CreateFileW source words" for each line that is no comment.
local function reviewed(file)
  local functions, dlls, number = {}, {}, 0
  for line in io.lines(file) do
    number = number + 1
    if line ~= "" and not line:match "^#" then
      local dll, name, source = line:match "^(%S+%.dll) (%S+) (%S.*)$"
      if not dll then
        complain("%s:%d: not: dll function source", file, number)
      elseif functions[dll .. " " .. name] then
        complain("%s:%d: twice: %s %s", file, number, dll, name)
      else
        functions[dll .. " " .. name] = source
        dlls[dll] = true
      end
    end
  end
  return functions, dlls
end

local function header_of(platform, file)
  local pipe = assert(io.popen(("%s -p '%s'"):format(platform.objdump, file)))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- Calls each(dll) for each "DLL Name: x", and each(dll, name) for each row "<rva> <hint> <name>" below; an import by
-- number has the name "<none>".
local function each_import(header, each)
  local dll
  for line in header:gmatch "[^\n]+" do
    local name = line:match "^%s*DLL Name: (%S+)"
    if name then
      dll = name:lower()
      each(dll)
    elseif line:match "^There is an export" or line:match "^The Function Table" or line:match "^PE File Base" then
      return
    elseif dll then
      local imported = line:match "^\t%x+\t%s*%d+%s+(%S+)"
      if imported then each(dll, imported) end
    end
  end
end

local function check_header(platform, file, header)
  local function field(name, expected)
    local found = header:match("\n" .. name .. "%s+([^\n]-)%s*\n")
    if found ~= expected then complain("%s: %s is %s, not %s", file, name, tostring(found), expected) end
  end
  field("MajorSubsystemVersion", platform.major)
  field("MinorSubsystemVersion", platform.minor)
  field("MajorOSystemVersion", platform.major)
  field("MinorOSystemVersion", platform.minor)
  field("Subsystem", "00000003\t(Windows CUI)")
  field("Time/Date", "Thu Jan  1 00:00:00 1970")
  if not header:find "\nEntry d 0+ 0+ " then
    complain("%s: has delayed imports, which are not looked at", file)
  end
  for _, flag in ipairs(platform.flags) do
    if not header:find("\n%s+" .. flag .. "\n") then complain("%s: without %s", file, flag) end
  end
  if header:find "relocations stripped" or header:find "\nEntry 5 %x+ 0+ " then
    complain("%s: without relocations, so always at the same address", file)
  end
end

local function check_imports(platform_name, file, header, functions, dlls, seen)
  local own = OWN[file:match "[^/]+$"] or {}
  local count = 0
  each_import(header, function(dll, name)
    local key = dll .. " " .. tostring(name)
    if own[dll] then return end
    if not dlls[dll] then
      if not name then complain("%s: imports from %s, which imports.txt does not name", file, dll) end
    elseif name then
      count = count + 1
      seen[key] = true
      if platform_name == "win32" and not functions[key] then
        complain("%s: imports %s, which is not in imports.txt", file, key)
      end
    end
  end)
  if count == 0 then complain("%s: no import was found in it", file) end
end

local platform_name = arg[1]
local platform = assert(PLATFORMS[platform_name], "win32 or win64")
local functions, dlls = reviewed(arg[0]:match "^.*/" .. "imports.txt")
local seen = {}
for i = 2, #arg do
  local header = header_of(platform, arg[i])
  check_header(platform, arg[i], header)
  check_imports(platform_name, arg[i], header, functions, dlls, seen)
end
for key in pairs(platform_name == "win32" and functions or {}) do
  if not seen[key] then complain("imports.txt: nothing imports %s any more", key) end
end
os.exit(complaints == 0 and 0 or 1)
