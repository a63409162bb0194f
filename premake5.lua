-- premake5.lua: the build of keymend, every project for every platform
--
-- `make` calls it; by hand: premake5 embed, then premake5 gmake2 | vs2019 | vs2022. Works with premake
-- 5.0.0-alpha15 and later. All output goes below build/:
--   release on linux64      build/bin, build/tests
--   debug, sanitize         build/<configuration>/bin, build/<configuration>/tests
--   release on win32, win64 build/<platform>, build/<platform>/tests
--   debug on win32, win64   build/<platform>/debug, build/<platform>/debug/tests
-- Libraries that are built here stand in build/third (.ci/linux, .ci/windows), the imports of keymend.dll and of
-- lua51.dll in build/<platform>/lib.
-- A project whose folder holds no source is left out, so that generation never depends on one.

local top = path.getabsolute "."
local visual_studio = _ACTION ~= nil and _ACTION:match "^vs" ~= nil

newoption {
  trigger = "lua-include",
  value = "DIR",
  default = "/usr/include/lua5.1",
  description = "Folder of lua.h (Lua 5.1)",
}

newoption {
  trigger = "dkjson",
  value = "FILE",
  default = "/usr/share/lua/5.1/dkjson.lua",
  description = "dkjson.lua, embedded beside keymend's own Lua side",
}

newaction {
  trigger = "embed",
  description = "Write build/gen: embedded.c (Lua side, dkjson and shipped policies), keymend.def",
  execute = function()
    local embed = dofile(path.join(_MAIN_SCRIPT_DIR, "lua/embed.lua"))
    embed { root = _MAIN_SCRIPT_DIR, dkjson = _OPTIONS["dkjson"] }
  end,
}

-- premake 5.0.0-alpha15 ends at Visual Studio 2019.
if not premake.action.get "vs2022" then
  local vs2022 = {}
  for key, value in pairs(premake.action.get "vs2019") do vs2022[key] = value end
  vs2022.trigger, vs2022.shortname = "vs2022", "Visual Studio 2022"
  vs2022.description, vs2022.toolset = "Generate Visual Studio 2022 project files", "msc-v143"
  vs2022.vstudio = table.merge(vs2022.vstudio, { versionName = "Version 17" })
  newaction(vs2022)
end

workspace "keymend"
  configurations(visual_studio and { "debug", "release" } or { "debug", "release", "sanitize" })
  platforms(visual_studio and { "win32", "win64" } or { "linux64", "win32", "win64" })
  location("build/" .. (_ACTION or "none"))
  objdir "build/obj"
  language "C"
  warnings "Extra"
  flags { "FatalWarnings" }
  symbols "On"

  filter "configurations:debug"
    optimize "Off"
  filter "configurations:release"
    optimize "On"
  filter "configurations:sanitize"
    optimize "Debug"

  filter "platforms:linux64"
    system "linux"
    architecture "x86_64"
  filter "platforms:win32"
    system "windows"
    architecture "x86"
    defines { "_WIN32_WINNT=0x0500", "WINVER=0x0500" } -- Windows 2000
  filter "platforms:win64"
    system "windows"
    architecture "x86_64"
    defines { "_WIN32_WINNT=0x0502", "WINVER=0x0502" } -- the first 64-bit Windows on x86
  filter "system:windows"
    defines { "UNICODE", "_UNICODE", "KM_STATIC", "XML_STATIC" } -- keymend.def lists what keymend.dll exports

  filter "action:gmake*"
    buildoptions {
      "-std=c11", "-ffunction-sections", "-fdata-sections",
      "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wold-style-definition", "-Wvla",
      "-Wformat=2", "-Wundef", "-Wpointer-arith",
      "-Wno-format-truncation", -- messages are cut on purpose; where all of a text counts, the result is checked
    }
    linkoptions { "-Wl,--gc-sections" }
  filter { "action:gmake*", "system:linux" }
    defines { "_GNU_SOURCE" }
    buildoptions {
      "-fvisibility=hidden", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection",
    }
    linkoptions { "-Wl,--as-needed", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack" }
    buildoptions { "-isystem " .. path.join(top, "build/third/linux64/include") }
    libdirs { "build/third/linux64/lib" }
  filter { "action:gmake*", "system:linux", "configurations:release" }
    buildoptions { "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2" } -- needs optimization
  filter { "configurations:sanitize", "platforms:linux64" } -- mingw has no sanitizers
    buildoptions {
      "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer",
    }
    linkoptions { "-fsanitize=address,undefined" }
  -- The same bytes come out wherever and whenever it is built. -static: nothing of gcc's own is loaded as a DLL. The
  -- subsystem version is the oldest Windows that runs the file.
  filter { "action:gmake*", "system:windows" }
    defines { "__USE_MINGW_ANSI_STDIO=1" } -- the C run-time's printf knows neither %zu nor %lld
    buildoptions {
      "-fstack-protector-strong", "-fno-ident", "-ffile-prefix-map=" .. top .. "=.",
      "-iquote " .. path.join(top, "core/windows"), -- its stdio.h must not hide <stdio.h>
      "-isystem " .. path.join(top, "build/third/%{cfg.platform}/include"),
    }
    libdirs { "build/third/%{cfg.platform}/lib" }
    linkoptions { "-static", "-Wl,--no-insert-timestamp", "-Wl,--nxcompat", "-Wl,--dynamicbase" }
  filter { "action:gmake*", "system:windows", "configurations:release" }
    symbols "Off"
    linkoptions { "-s" }
  filter { "action:gmake*", "platforms:win32" }
    gccprefix "i686-w64-mingw32-"
    linkoptions {
      "-Wl,--major-subsystem-version,5", "-Wl,--minor-subsystem-version,0",
      "-Wl,--major-os-version,5", "-Wl,--minor-os-version,0",
    }
  filter { "action:gmake*", "platforms:win64" }
    gccprefix "x86_64-w64-mingw32-"
    linkoptions {
      "-Wl,--high-entropy-va",
      "-Wl,--major-subsystem-version,5", "-Wl,--minor-subsystem-version,2",
      "-Wl,--major-os-version,5", "-Wl,--minor-os-version,2",
    }
  filter { "action:gmake*", "system:windows", "kind:StaticLib" }
    targetprefix "lib"
    targetextension ".a"
  filter "action:vs*"
    buildoptions { "/std:c11", "/utf-8" }
    defines { "_CRT_SECURE_NO_WARNINGS" }
  filter {}

-- Where a project's output goes: `what` is "bin", "tests" or "lib" below the configuration's folder. On Windows
-- "bin" is that folder itself.
local function output(what)
  local below = what == "bin" and "" or "/" .. what
  filter "platforms:linux64"
    targetdir("build/%{cfg.buildcfg}/" .. what)
  filter { "platforms:linux64", "configurations:release" }
    targetdir("build/" .. what)
  filter "system:windows"
    targetdir("build/%{cfg.platform}/%{cfg.buildcfg}" .. below)
    implibdir "build/%{cfg.platform}/%{cfg.buildcfg}/lib"
  filter { "system:windows", "configurations:release" }
    targetdir("build/%{cfg.platform}" .. below)
    implibdir "build/%{cfg.platform}/lib"
  filter {}
end

local function any(...)
  for _, pattern in ipairs { ... } do
    if #os.matchfiles(pattern) > 0 then return true end
  end
  return false
end

-- Begins a project when one of its globs matches; tells whether it did.
local function begin(name, project_kind, what, globs)
  if not any(table.unpack(globs)) then return false end
  project(name)
  kind(project_kind)
  files(globs)
  includedirs { "core" }
  output(what)
  return true
end

-- The libraries that core needs.
local function links_of_core()
  links { "hivex", "evtx", "evt", "bfio", "expat", "tomcrypt", "tommath" }
  filter "system:windows"
    links { "advapi32" }
  filter {}
end

-- Only Linux has what most tests need (preloading, cmocka, libFuzzer, POSIX).
local function linux_only()
  removeplatforms { "win32", "win64" }
end

local function windows_only()
  if not visual_studio then
    removeplatforms { "linux64" }
    removeconfigurations { "sanitize" }
  end
end

-- The address a DLL asks for. The linker's own choice for a 32-bit one would depend on the path it is written to.
local function base(win32, win64)
  filter { "action:gmake*", "platforms:win32" }
    linkoptions { "-Wl,--image-base," .. win32 }
  filter { "action:gmake*", "platforms:win64" }
    linkoptions { "-Wl,--image-base," .. win64 }
  filter {}
end

-- The part of core/offline that is the same on every system; the rest is POSIX.
local offline_everywhere = {
  "offline", "path", "windows", "hive", "hivelog", "hivefile", "guid", "times", "eventlog", "evt", "evtx", "version",
}

-- The editor of the prompt on Windows; it belongs to the host.
local windows_editor = "core/windows/editor.c"

local has_core = begin("core", "StaticLib", "lib", { "core/*.c", "core/*.h" })
if has_core then
  filter "system:linux"
    pic "On"
    files { "core/offline/*.c", "core/offline/*.h" }
  filter "system:windows"
    files { "core/windows/*.c", "core/windows/*.h", "core/offline/*.h" }
    removefiles { windows_editor }
    for _, name in ipairs(offline_everywhere) do files { "core/offline/" .. name .. ".c" } end
  filter {}
end

-- The C API alone. On Windows keymend.dll is both this and the Lua module.
if has_core and not visual_studio then
  project "libkeymend"
  kind "SharedLib"
  linux_only()
  targetname "keymend"
  output "bin"
  links { "core" }
  links_of_core()
  local archive = path.getabsolute "build"
  filter "configurations:release"
    linkoptions { "-Wl,--whole-archive", archive .. "/lib/libcore.a", "-Wl,--no-whole-archive" }
  filter "configurations:not release"
    linkoptions {
      "-Wl,--whole-archive", archive .. "/%{cfg.buildcfg}/lib/libcore.a", "-Wl,--no-whole-archive",
    }
  filter "configurations:not sanitize" -- the sanitizers' runtime is resolved by the program
    linkoptions { "-Wl,-z,defs" }
  filter {}
end

local has_binding = any "lua/binding/*.c"
  and begin("binding", "StaticLib", "lib", { "lua/binding/*.c", "lua/binding/*.h" })

local function lua_headers()
  filter { "action:gmake*", "system:linux" }
    buildoptions { "-isystem " .. _OPTIONS["lua-include"] }
  filter "action:vs*"
    includedirs { _OPTIONS["lua-include"] }
  filter {}
end

-- What prints and reads there does so in UTF-8, as the same code does elsewhere.
local function utf8_streams()
  filter "system:windows"
    forceincludes { "core/windows/stdio.h" }
  filter {}
end

if has_binding then
  filter "system:linux"
    pic "On"
  filter {}
  utf8_streams()
  files { "build/gen/embedded.c" }
  includedirs { "lua/binding" }
  lua_headers()
  filter "action:vs*"
    prebuildcommands { 'cd /d "' .. path.getabsolute "." .. '" && premake5 embed' }
  filter {}
end

-- Version, manifest and message table (core/windows/keymend.rc, messages.mc) of a program or DLL; `what` is its name in
-- there. premake 5.0.0-alpha15 compiles an .rc file for gmake but does not link it, hence the rule.
local function resources(what)
  local version = io.readfile "core/keymend.h":match '#define KM_VERSION "(%d+%.%d+%.%d+)"'
  local defines = { "KM_" .. what, "KM_FILE_VERSION=" .. version:gsub("%.", ",") .. ",0" }
  local sources = path.join(top, "core/windows")
  local folder = path.join(top, "build/obj/%{cfg.platform}/%{cfg.buildcfg}/resources-" .. what:lower())
  local tool = "cd " .. sources .. " && %{cfg.platform == 'win32' and 'i686' or 'x86_64'}-w64-mingw32-"
  filter "system:windows"
    files { "core/windows/keymend.rc", "core/windows/messages.mc" }
  filter { "files:core/windows/keymend.rc", "action:gmake*", "system:windows" }
    buildmessage "resources of %{cfg.targetname}"
    buildcommands {
      "mkdir -p " .. folder,
      tool .. "windmc -h " .. folder .. " -r " .. folder .. " messages.mc",
      tool .. "windres -D" .. table.concat(defines, " -D") .. " -I " .. path.join(top, "core") .. " -I " .. folder
        .. " keymend.rc " .. folder .. "/keymend.o",
    }
    buildinputs { "core/keymend.h", "core/windows/keymend.manifest", "core/windows/messages.mc" }
    buildoutputs { folder .. "/keymend.o" }
    linkbuildoutputs "On"
  filter "action:vs*"
    resdefines(defines)
    resincludedirs { "core", "build/gen" }
  filter { "files:core/windows/messages.mc", "action:vs*" }
    buildmessage "messages.mc"
    buildcommands { 'mc -h "' .. top .. '/build/gen" -r "' .. top .. '/build/gen" "%{file.abspath}"' }
    buildoutputs { "build/gen/messages.rc" }
  filter {}
end

-- lua51.dll, for keymend.dll and for other Lua programs: the archive of .ci/windows, with file names in UTF-8 and the
-- console in Unicode (core/windows/stdio.c).
if has_core and not visual_studio then
  project "lua51"
  kind "SharedLib"
  windows_only()
  targetprefix ""
  output "bin"
  links { "core" }
  links_of_core()
  base("0x1b000000", "0x1b0000000")
  linkoptions {
    "-Wl,--whole-archive", path.join(top, "build/third/%{cfg.platform}/lib/liblua51_objects.a"),
    "-Wl,--no-whole-archive",
  }
end

-- The Lua module. Lua's own symbols come from the interpreter that loads it, on Windows from lua51.dll.
if has_binding and has_core then
  project "module"
  kind "SharedLib"
  targetname "keymend"
  targetprefix ""
  output "bin"
  links { "binding", "core" }
  links_of_core()
  base("0x1c000000", "0x1c0000000")
  filter { "action:gmake*", "system:linux" }
    linkoptions { "-Wl,-u,luaopen_keymend" }
  filter "system:linux"
    linkoptions { "-Wl,--exclude-libs,libcore.a" } -- the C API is libkeymend.so's
  filter "system:windows"
    links { "lua51" }
  filter { "action:gmake*", "system:windows" }
    linkoptions { path.join(top, "build/gen/keymend.def") }
  filter "action:vs*"
    files { "build/gen/keymend.def" }
  filter {}
  resources "DLL"
end

-- The program: the host, the Lua side and the core in one file.
local function host(name, target, what, globs)
  if not (has_binding and has_core and begin(name, "ConsoleApp", what, globs)) then return false end
  targetname(target)
  includedirs { "lua/binding" }
  lua_headers()
  utf8_streams()
  links { "binding", "core" }
  links_of_core()
  filter "system:linux" -- the shared liblua5.1: C modules that a script requires find Lua's symbols in it
    links { "edit", "lua5.1" }
  filter "system:windows" -- the static one: the program runs alone
    removefiles { "lua/host/editor.c" }
    files { windows_editor }
    includedirs { "lua/host" }
    links { "lua" }
  filter {}
  return true
end

if host("host", "keymend", "bin", { "lua/host/*.c", "lua/host/*.h" }) then resources "EXE" end

if visual_studio then return end

if begin("unit", "ConsoleApp", "tests", { "tests/unit/*.c", "tests/unit/*.h" }) then
  linux_only()
  includedirs { "core/offline", "tests/unit" }
  links { "core" }
  links_of_core()
  links { "cmocka" }
end

-- The shim is preloaded into the program under test, so it exports its functions and links nothing of ours.
if begin("crashshim", "SharedLib", "tests", { "tests/crash/shim*.c" }) then
  linux_only()
  removeconfigurations { "sanitize" }
  targetprefix ""
  buildoptions { "-fvisibility=default", "-U_FORTIFY_SOURCE" }
  links { "dl" }
end

if begin("starve", "SharedLib", "tests", { "tests/proof/starve.c" }) then
  linux_only()
  removeconfigurations { "sanitize" }
  targetprefix ""
  buildoptions { "-fvisibility=default", "-fno-builtin" }
end

local crash_sources = table.filter(os.matchfiles "tests/crash/*.c", function(file)
  return not path.getname(file):match "^shim"
end)
if #crash_sources > 0 and begin("crash", "ConsoleApp", "tests", crash_sources) then
  linux_only()
  removeconfigurations { "sanitize" }
  links { "core" }
  links_of_core()
end

if begin("evtdump", "ConsoleApp", "tests", { "tests/evt/*.c" }) then
  linux_only()
  links { "core" }
  links_of_core()
end

if begin("logdump", "ConsoleApp", "tests", { "tests/log/*.c" }) then
  linux_only()
  includedirs { "core/offline" }
  links { "core" }
  links_of_core()
end

if begin("proof", "ConsoleApp", "tests", { "tests/proof/proof.c" }) then
  linux_only()
  links { "core" }
  links_of_core()
end

if begin("secrets", "ConsoleApp", "tests", { "tests/secrets/*.c" }) then
  linux_only()
  links { "core" }
  links_of_core()
end

for _, file in ipairs(os.matchfiles "tests/fuzz/fuzz_*.c") do
  begin(path.getbasename(file), "ConsoleApp", "tests", { file, "tests/fuzz/standalone.c" })
  linux_only()
  includedirs { "core/offline" }
  if has_binding and path.getbasename(file) == "fuzz_policy" then
    includedirs { "lua/binding" }
    lua_headers()
    links { "binding", "core", "lua5.1" }
  else
    links { "core" }
  end
  links_of_core()
end

if begin("bench", "ConsoleApp", "tests", { "tests/bench/*.c", "tests/bench/*.h" }) then
  linux_only()
  removeconfigurations { "sanitize" }
  links { "core" }
  links_of_core()
end

-- keymend.exe that ends itself at a chosen change of the running Windows.
local crash_live = "tests/windows/crash.c"
if os.isfile(crash_live) and host("crash-live", "crash", "tests", { "lua/host/*.c", "lua/host/*.h", crash_live }) then
  windows_only()
  linkoptions { "-Wl,--wrap=km_live_backend" }
end

-- keymend.exe for which the records of a file are the event log.
local played_log = "tests/windows/log/*.c"
if any(played_log) and host("log-live", "log", "tests", { "lua/host/*.c", "lua/host/*.h", played_log }) then
  windows_only()
end

-- What else the tests of the live backend need on Windows, one program a file.
for _, file in ipairs(table.filter(os.matchfiles "tests/windows/*.c", function(file) return file ~= crash_live end)) do
  begin("windows-" .. path.getbasename(file), "ConsoleApp", "tests", { file })
  windows_only()
  if file == "tests/windows/eventlog.c" then files { played_log } end
  targetname(path.getbasename(file))
  if file == "tests/windows/dll.c" then
    links { "module", "lua51" }
    buildoptions { "-fno-stack-protector" } -- core/windows/guard.c is not in it
  else
    links { "core" }
    links_of_core()
  end
end
