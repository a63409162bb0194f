-- scene.lua: the running Windows of KB 884872 under Wine: services that need their key, a machine GUID that is reset
--
--   local scene = require "scene"
--   local s = scene.new { top =, kind = "win64" | "win32-2000", name = }
--   s:healthy()                 IISADMIN, W3SVC, SMS_SITE_COMPONENT_MANAGER made their key and are stopped
--   s:reset_guid()              MachineGuid is another, as after the fault; then the services make a new key and fail
--   s:keymend { "diagnose" }    runs D:\keymend.exe (--times and, where Windows is not 2000, --policy added)
--
-- Drive D: is the memory stick: keymend.exe alone, the times file, the policy. Under Wine creation time is last write,
-- so the creation times that Windows would have are told by --times.

local keyfile = require "keyfile"
local shell = require "shell"
local volume = require "volume"
local wine = require "wine"

local scene = {}

local quote = shell.quote
local methods = {}
local meta = { __index = methods }

scene.SERVICES = { "IISADMIN", "W3SVC", "SMS_SITE_COMPONENT_MANAGER" }
local CRYPTOGRAPHY = "HKLM\\SOFTWARE\\Microsoft\\Cryptography"
local STORE = "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"
local JUDGING = { diagnose = true, plan = true, apply = true }
scene.STORE, scene.OLD, scene.NEW = STORE, volume.c23(volume.OLD), volume.c23(volume.NEW)

-- The platform's folder below build/ for a kind of Windows.
function scene.platform(kind)
  return kind == "win64" and "win64" or "win32"
end

-- The shipped policy for KB 884872 with its version of Windows widened, for a Windows that is not 2000.
local function own_policy(top)
  local text = shell.read(top .. "/scripts/policies/iis5.lua")
  local found
  text, found = text:gsub("applies = all_of {[^\n]*},\n", 'applies = has_service "IISADMIN",\n')
  assert(found == 1, "scripts/policies/iis5.lua reads otherwise now")
  return text
end

function scene.new(options)
  local self = setmetatable({ kind = options.kind, top = options.top }, meta)
  self.windows = wine.start { top = options.top, kind = options.kind, name = options.name, read = { options.top } }
  self.stick = self.windows.dir .. "/stick"
  self.store = self.windows.c .. "/ProgramData/Microsoft/Crypto/RSA/MachineKeys"
  self.built = options.top .. "/build/" .. scene.platform(options.kind)
  self.tests = wine.path(self.windows.dir .. "/tests") .. "\\"
  self.saved = self.windows.dir .. "/saved"
  -- Copies, so that a build that goes on beside does not take them away.
  shell.must(("mkdir %s %s && cp -r %s/tests %s && cp %s/keymend.exe %s"):format(quote(self.stick), quote(self.saved),
    quote(self.built), quote(self.windows.dir), quote(self.built), quote(self.stick)))
  shell.must(("ln -s %s %s"):format(quote(self.stick), quote(self.windows.dir .. "/prefix/dosdevices/d:")))
  if options.kind == "win64" then shell.write(self.stick .. "/iis.lua", own_policy(options.top)) end
  shell.write(self.stick .. "/times", "")
  return self
end

-- ---- keymend ----

-- Runs keymend: words are verb and options. options: as windows:run, and program (else keymend.exe), as_user (without
-- an administrator's rights), bare (no --times, no --policy), own_policy (false: no --policy)
function methods:keymend(words, options)
  options = options or {}
  local line = {}
  if options.as_user then line[1] = self.tests .. "as-user.exe" end
  line[#line + 1] = options.program or "D:\\keymend.exe"
  line[#line + 1] = words[1]
  if words[1] == "run" and not options.bare then -- what stands behind the script is the script's own
    line[#line + 1], line[#line + 2] = "--times", "D:\\times"
  end
  for index = 2, #words do line[#line + 1] = words[index] end
  if words[1] ~= "run" and not options.bare then
    line[#line + 1], line[#line + 2] = "--times", "D:\\times"
    if self.kind == "win64" and JUDGING[words[1]] and options.own_policy ~= false then
      line[#line + 1], line[#line + 2] = "--policy", "D:\\iis.lua"
    end
  end
  return self.windows:run(line, options)
end

-- ---- Services ----

-- Installs a service that fails as `fields` say; its key is that of IIS.
function methods:install(name, fields)
  local line = { self.tests .. "service.exe", "install", name, "hash=" .. volume.hash(volume.IIS),
    "container=" .. volume.IIS, "master=" .. volume.MASTER_KEY }
  for field, value in pairs(fields) do line[#line + 1] = field .. "=" .. value end
  self.windows:must(line)
end

-- verb: start, stop, query, kill. name -> "running", "stopped", ...; and name -> "exit specific".
function methods:service(verb, names)
  local line = { self.tests .. "service.exe", verb }
  for _, name in ipairs(names or scene.SERVICES) do line[#line + 1] = name end
  local states, codes = {}, {}
  local result = self.windows:run(line)
  for name, state, code in result.out:gmatch "(%S+) (%S+) (%d+ 0x%x+)\n" do states[name], codes[name] = state, code end
  return states, codes, result
end

function methods:set(name, fields)
  local line = { self.tests .. "service.exe", "set", name }
  for field, value in pairs(fields) do line[#line + 1] = field .. "=" .. value end
  self.windows:must(line)
end

-- What the services wrote to their log since the last call: "NAME started\n" ...
function methods:log()
  local path = self.windows.c .. "/services.log"
  local text = shell.read(path) or ""
  os.remove(path)
  return text
end

-- ---- The story ----

-- A Windows on which all is well: the services are there and have made their key, which is as old as that of the KB.
function methods:healthy()
  local protect = self.windows.c .. "/windows/system32/Microsoft/Protect/S-1-5-18"
  shell.must("mkdir -p " .. quote(protect))
  shell.write(protect .. "/" .. volume.MASTER_KEY, keyfile.master_key(volume.MASTER_KEY))
  self.windows:set_value(CRYPTOGRAPHY, "MachineGuid", volume.OLD)
  self:install("IISADMIN", { display = "IIS Admin Service", specific = "0x80090006" })
  self:install("W3SVC", { display = "World Wide Web Publishing Service", exit = 1008, depends = "IISADMIN" })
  self:install("SMS_SITE_COMPONENT_MANAGER", { exit = 1008 })
  local states = self:service "start"
  shell.must(("touch -d 2001-03-14T10:22:31Z %s/%s"):format(quote(self.store), scene.OLD))
  return states
end

function methods:stop_services()
  return self:service("stop", { "SMS_SITE_COMPONENT_MANAGER", "W3SVC", "IISADMIN" })
end

function methods:reset_guid()
  self.windows:set_value(CRYPTOGRAPHY, "MachineGuid", volume.NEW)
end

-- Creation times for --times: the old key's, and the new one's as they are.
function methods:tell_times()
  local rows = {}
  local function row(name, created)
    rows[#rows + 1] = ("0|%s/%s|1|r/rrwxrwxrwx|0|0|1|1|1|1|%s\n"):format(STORE:gsub("\\", "/"), name, created)
  end
  for name, facts in pairs(self:files()) do
    row(name, name == scene.OLD and "984565351" or facts:match "|(%d+)[%d.]*|[^|]*|%x+$")
  end
  table.sort(rows)
  shell.write(self.stick .. "/times", table.concat(rows))
end

-- Windows as the administrator finds it: the GUID was reset, a new key was made, all three services fail.
function methods:broken()
  self:healthy()
  self:stop_services()
  self:reset_guid()
  local states, codes = self:service "start"
  self:tell_times()
  self:log()
  return states, codes
end

-- MachineGuid was reset while the services run, with the old key; the SMS service was restarted since, made the new
-- key, and failed. The services must be installed (healthy) and stopped.
function methods:still_running()
  shell.must(("rm -rf %s && find %s -type f ! -name %s -delete"):format(quote(self.windows.c .. "/ProgramData/keymend"),
    quote(self.store), scene.OLD))
  self.windows:set_value(CRYPTOGRAPHY, "MachineGuid", volume.OLD)
  self:service "start"
  self:reset_guid()
  self:service("stop", { "SMS_SITE_COMPONENT_MANAGER" })
  self:service("start", { "SMS_SITE_COMPONENT_MANAGER" })
  self:tell_times()
  self:log()
end

-- ---- Files ----

function methods:files()
  return shell.files(self.store)
end

function methods:listing()
  return shell.listing(self:files())
end

-- Attributes as Windows tells them: "name -> letters".
function methods:attributes()
  local out = self.windows:must { "attrib", STORE .. "\\*" }
  local found = {}
  for letters, name in out:gmatch "([^\n]-)%s+%a:\\[^\n]*\\([^\n\\]+)\n" do found[name] = letters end
  return found
end

-- Keeps the store as it is now; put_back makes it so again and takes keymend's own folder away.
function methods:keep()
  shell.must(("rm -rf %s/store && cp -a %s %s/store"):format(quote(self.saved), quote(self.store), quote(self.saved)))
end

function methods:put_back()
  shell.must(("rm -rf %s %s && cp -a %s/store %s"):format(quote(self.windows.c .. "/ProgramData/keymend"),
    quote(self.store), quote(self.saved), quote(self.store)))
end

-- All that keymend could have changed on this Windows, as text.
function methods:snapshot()
  return shell.snapshot(self.windows.c .. "/ProgramData") .. shell.snapshot(self.stick)
end

function methods:stop()
  self.windows:stop()
end

return scene
