-- init.lua: makes Windows volumes for `policies test`, tests and demo: folders, hives, key files, a bodyfile
--
-- DIR is the root of C:, DIR.D that of D: (when the case has one), DIR.times the creation times as a bodyfile. A volume
-- is described by a table, every field of which has a default (see volume.make). volume.system does what this module
-- needs of the system: the program and the tests each set it.

local bytes = require "keymend.volume.bytes"
local hive = require "keymend.volume.hive"
local keyfile = require "keymend.volume.keyfile"

local volume = {}

-- The machine GUIDs of KB 884872: before and after the reset.
volume.OLD = "4cbde50a-570f-47f5-8cc1-f6e151231826"
volume.NEW = "1b2162a0-ed5a-4d56-bd8a-8f2f65406b82"
-- One more, for machines whose MachineGuid was reset twice.
volume.THIRD = "7e0d9c1f-53ab-4f0e-a2c6-90b1d4e8f327"
-- The master key of every key file that names no other.
volume.MASTER_KEY = "9f6a3c52-0c3e-4b51-8d27-5a41e0c6b7d9"

volume.IIS = "Microsoft Internet Information Server"
volume.DCOM = "MS IIS DCOM Server"

-- What volume.make needs: exists(path), make_folder(path), write(path, data, written: seconds since 1970 or nil),
-- link(old, new, symbolic), own(path, uid), hash(container), cng_hash(container).
volume.system = nil

-- layout: where things stand and what the registry says of the system
local LAYOUTS = {
  ["2000"] = {
    windows = "WINNT", product = "Microsoft Windows 2000", version = "5.0", build = "2195",
    service_pack = "Service Pack 4", installed = "2001-03-14T09:12:44Z",
    profiles = "Documents and Settings", all_users = "All Users", app_data = "Application Data",
  },
  ["xp"] = {
    windows = "WINDOWS", product = "Microsoft Windows XP", version = "5.1", build = "2600",
    service_pack = "Service Pack 2", installed = "2002-03-14T09:12:44Z", modern = true,
    profiles = "Documents and Settings", all_users = "All Users", app_data = "Application Data",
  },
  ["vista"] = {
    windows = "Windows", product = "Windows Server (R) 2008 Standard", version = "6.0",
      build = "6002",
    service_pack = "Service Pack 2", installed = "2009-06-02T09:12:44Z", modern = true,
    program_data = true, upper = true,
  },
  ["10"] = {
    windows = "Windows", product = "Windows Server 2016 Standard", version = "6.3",
      build = "14393",
    installed = "2016-11-02T09:12:44Z", modern = true, program_data = true, upper = true,
    major = 10,
  },
}
-- Localized folder names of Windows 2000 and XP.
local LANGUAGES = {
  de = { profiles = "Dokumente und Einstellungen", app_data = "Anwendungsdaten" },
  es = { app_data = "Datos de programa" },
  ru = { app_data = "Данные приложений" },
}

-- name, display name, start, type, other fields
local SERVICES = {
  { "IISADMIN", "IIS Admin Service", 2, 0x20, depends = { "RpcSs", "ProtectedStorage" } },
  { "W3SVC", "World Wide Web Publishing Service", 2, 0x20, depends = { "IISADMIN" } },
  { "SMTPSVC", "Simple Mail Transport Protocol (SMTP)", 2, 0x20,
    depends = { "IISADMIN", "Eventlog" } },
  { "MSFTPSVC", "FTP Publishing Service", 3, 0x20, depends = { "IISADMIN" } },
  { "SMS_EXECUTIVE", "SMS_EXECUTIVE", 2, 0x10, depends = { "LanmanServer", "W3SVC" } },
  { "SMS_SITE_COMPONENT_MANAGER", "SMS_SITE_COMPONENT_MANAGER", 2, 0x10,
    depends = { "LanmanServer" }, account = ".\\SMSService" },
  { "CcmExec", "SMS Agent Host", 2, 0x10, depends = { "winmgmt", "RpcSs" } },
  { "winmgmt", "Windows Management Instrumentation", 2, 0x20, depends = { "RpcSs" } },
  { "RpcSs", "Remote Procedure Call (RPC)", 2, 0x20 },
  { "ProtectedStorage", "Protected Storage", 2, 0x120, depends = { "RpcSs" } },
  { "Eventlog", "Event Log", 2, 0x20, group = "Event log" },
  { "LanmanServer", "Server", 2, 0x20, depends_groups = { "TDI" } },
  { "LanmanWorkstation", "Workstation", 2, 0x20, group = "NetworkProvider",
    depends_groups = { "TDI" } },
  { "Spooler", "Print Spooler", 2, 0x110, group = "SpoolerGroup", depends = { "RpcSs" } },
  { "Tcpip", "TCP/IP Protocol Driver", 1, 1, group = "PNP_TDI" },
  { "AFD", "AFD Networking Support Environment", 1, 1, group = "TDI" },
  { "NetBT", "NetBios over Tcpip", 1, 1, group = "PNP_TDI", depends = { "Tcpip" } },
  { "Ntfs", "Ntfs", 4, 2, group = "File system" },
  { "Disk", "Disk Driver", 0, 1, group = "SCSI Class" },
}
local GROUPS = {
  "System Reserved", "Boot Bus Extender", "SCSI Class", "File system", "Event log", "PNP_TDI",
    "TDI",
  "NetworkProvider", "SpoolerGroup",
}

-- Key files that are on many such servers; the policies here ask for none of them.
local OTHER_KEYS = {
  { container = volume.DCOM, made = "2001-03-14T10:22:33Z" },
  { container = "NetFrameworkConfigurationKey", made = "2002-02-11T18:40:02Z", signature = false },
  { container = "SMS", made = "2003-11-20T13:05:51Z" },
  { container = "{5F0A9B1E-8C3D-4A6E-9E57-2B64F0C1D8A3}", made = "2003-12-01T08:00:10Z",
    signature = false },
}

-- The unique name of the IIS container under a GUID.
function volume.c23(guid)
  return "c2319c42033a5ca7f44e731bfd3fa2b5_" .. guid
end

-- The container's hash, as 32 hex digits; of a CNG container.
local hashes = {}
function volume.hash(container)
  hashes[container] = hashes[container] or volume.system.hash(container)
  return hashes[container]
end

function volume.cng_hash(container)
  return volume.system.cng_hash(container)
end

local function make_folders(path)
  if volume.system.exists(path) then return end
  local above = path:match "^(.+)/[^/]*$"
  if above then make_folders(above) end
  assert(volume.system.make_folder(path))
end

-- The work in progress: `rows` of the bodyfile, `owners` to be set at the end.
local function host_path(state, windows_path)
  local letter, rest = windows_path:match "^(%a):\\(.*)$"
  local root = letter:upper() == "C" and state.root or state.root .. "." .. letter:upper()
  return root .. "/" .. rest:gsub("\\", "/")
end

-- Writes a file of the volume with its times; `made` only goes to the bodyfile.
local function put(state, folder, name, data, file)
  local path = host_path(state, folder) .. "/" .. name
  if file.symlink then
    assert(volume.system.link(file.symlink, path, true))
    return
  end
  local written = bytes.seconds(file.written or file.made or state.spec.installed)
  assert(volume.system.write(path, data, written))
  if file.hardlink then assert(volume.system.link(path, host_path(state, folder) .. "/" .. file.hardlink, false)) end
  if file.owner then state.owners[#state.owners + 1] = { path, file.owner } end
  state.rows[#state.rows + 1] = ("0|%s/%s|%d|r/rrwxrwxrwx|0|0|%d|%d|%d|%d|%d"):format(
    folder:gsub("\\", "/"), name, 100 + #state.rows, #data, written, written, written,
    bytes.seconds(file.made or 0))
end

local function or_default(value, default)
  if value == nil then return default end
  return value
end

local function put_key(state, key)
  local spec = state.spec
  local hash = key.hash or volume.hash(key.container)
  local guid = key.guid or spec.guid or volume.NEW
  local name = key.name or hash .. "_" .. guid
  local data = key.data and keyfile.damaged(key.data, key.damage) or keyfile.compose {
    container = key.inside or key.container,
    seed = key.seed or name,
    signature = not key.keyless and or_default(key.signature, 1024) or nil,
    exchange = not key.keyless and or_default(key.exchange, 1024) or nil,
    master_key = key.master_key or volume.MASTER_KEY,
    damage = key.damage,
  }
  put(state, state.store, name, data, key)
end

local function put_store(state)
  local spec = state.spec
  if spec.store == false then return end
  make_folders(host_path(state, state.store))
  for _, key in ipairs(spec.keys) do put_key(state, key) end
  if spec.others ~= false then
    for _, key in ipairs(OTHER_KEYS) do
      key.guid = spec.others or volume.OLD
      put_key(state, key)
    end
  end
  for _, kind in ipairs { "Keys", "SystemKeys" } do
    for _, key in ipairs(spec.cng and spec.cng[kind] or {}) do
      local folder = state.app_data .. "\\Microsoft\\Crypto\\" .. kind
      make_folders(host_path(state, folder))
      local data = key.data
        or keyfile.compose_cng(key.container, key.container, volume.MASTER_KEY, key.made)
      local hash = key.hash or volume.cng_hash(key.container)
      put(state, folder, hash .. "_" .. (key.guid or spec.guid or volume.NEW), data, key)
    end
  end
end

local function put_master_keys(state)
  if state.spec.master_keys == false then return end
  local folder = "C:\\" .. state.spec.windows .. "\\system32\\Microsoft\\Protect\\S-1-5-18"
  make_folders(host_path(state, folder .. "\\User"))
  for _, one in ipairs(state.spec.master_keys or { volume.MASTER_KEY }) do
    local file = type(one) == "table" and one or { guid = one }
    put(state, file.user and folder .. "\\User" or folder, file.guid,
      file.data or keyfile.master_key(file.guid), file)
  end
  put(state, folder .. "\\User", "c0e4b1f7-27d3-4e0c-a3a5-6e0f5d9b1c42",
    keyfile.master_key "c0e4b1f7-27d3-4e0c-a3a5-6e0f5d9b1c42", {})
end

local function compose_hive(state, name, root, options)
  return hive.compose {
    root = root, file = "\\" .. name, saved = options.saved, modern = state.spec.modern,
    sequence1 = options.sequence1, sequence2 = options.sequence2,
  }
end

local function put_file(state, folder, name, data, saved)
  make_folders(host_path(state, folder))
  put(state, folder, state.spec.upper and name:upper() or name:lower(), data,
    { made = state.spec.installed, written = saved })
end

local function put_hive(state, folder, name, root, options)
  put_file(state, folder, name, compose_hive(state, name, root, options), options.saved)
end

-- A dirty hive: the file holds `before`, its logs lead to `after`. dirty: log = "old" (.LOG) or "new" (.LOG1, .LOG2,
-- an entry each); stale = the time in the old log's header, or the new one's first number; change(extension, data)
-- gives a log's bytes anew.
local function put_dirty_hive(state, folder, name, before, after, options, dirty)
  local file, whole = compose_hive(state, name, before, options), compose_hive(state, name, after, options)
  local logs = {}
  if dirty.log == "old" then
    local stale = { saved = dirty.stale }
    logs.LOG = hive.old_log(file, dirty.stale and compose_hive(state, name, after, stale) or whole, options.sequence1)
  elseif dirty.log == "new" then
    local first = dirty.stale or options.sequence2
    logs.LOG = ""
    local middle = whole:sub(1, -5) .. "free" -- the end of a free cell
    logs.LOG1 = hive.log(file, { middle }, first)
    logs.LOG2 = hive.log(middle, { whole }, first + 1)
  end
  put_file(state, folder, name, file, options.saved)
  for _, extension in ipairs { "LOG", "LOG1", "LOG2" } do
    local data = logs[extension]
    local changed = data and dirty.change and dirty.change(extension, data) or data
    if changed then put_file(state, folder, name .. "." .. extension, changed, options.saved) end
  end
end

local function cryptography(root, guid, written, kind)
  if guid then
    hive.set(root, "Microsoft\\Cryptography", "MachineGuid", kind or "sz", guid).written = written
  else
    hive.key(root, "Microsoft\\Cryptography").written = written
  end
  hive.set(root, "Microsoft\\Cryptography\\Defaults\\Provider Types\\Type 001", "Name", "sz",
    "Microsoft Base Cryptographic Provider v1.0")
end

-- What spec.registry adds to a hive.
local function add(state, name, root)
  local more = state.spec.registry and state.spec.registry[name]
  if more then more(root, hive) end
end

local function software_root(state, guid, written)
  local spec, root = state.spec, { name = "$$$PROTO.HIV", written = state.spec.installed }
  cryptography(root, guid, written, spec.guid_type)
  local version = "Microsoft\\Windows NT\\CurrentVersion"
  local system_root = "C:\\" .. spec.windows
  hive.set(root, version, "ProductName", "sz", spec.product)
  hive.set(root, version, "CurrentVersion", "sz", spec.version)
  hive.set(root, version, "CurrentBuildNumber", "sz", spec.build)
  if spec.service_pack then hive.set(root, version, "CSDVersion", "sz", spec.service_pack) end
  if spec.major then
    hive.set(root, version, "CurrentMajorVersionNumber", "dword", spec.major)
    hive.set(root, version, "CurrentMinorVersionNumber", "dword", 0)
  end
  hive.set(root, version, "InstallDate", "dword", bytes.seconds(spec.installed))
  hive.set(root, version, "SystemRoot", "sz", system_root)
  hive.set(root, version, "RegisteredOwner", "sz", "Web team")
  local list = version .. "\\ProfileList"
  if spec.program_data then
    hive.set(root, list, "ProgramData", "expand", "%SystemDrive%\\ProgramData")
  else
    hive.set(root, list, "ProfilesDirectory", "expand", "%SystemDrive%\\" .. spec.profiles)
    hive.set(root, list, "AllUsersProfile", "sz", spec.all_users)
  end
  if spec.shell_folders ~= false then
    local explorer = "Microsoft\\Windows\\CurrentVersion\\Explorer\\"
    hive.set(root, explorer .. "Shell Folders", "Common AppData", "sz", state.app_data)
    hive.set(root, explorer .. "User Shell Folders", "Common AppData", "expand",
      spec.drive and state.app_data or spec.program_data and "%ProgramData%"
        or "%ALLUSERSPROFILE%\\" .. spec.app_data)
  end
  add(state, "SOFTWARE", root)
  return root
end

local function system_root(state)
  local spec, root = state.spec, { name = "$$$PROTO.HIV", written = state.spec.installed }
  for name, number in pairs { Current = 1, Default = 1, Failed = 0, LastKnownGood = 2 } do
    hive.set(root, "Select", name, "dword", number)
  end
  local computer = "\\Control\\ComputerName\\ComputerName"
  hive.set(root, "ControlSet001" .. computer, "ComputerName", "sz", spec.computer)
  hive.set(root, "ControlSet002" .. computer, "ComputerName", "sz", "OLD-NAME")
  hive.set(root, "ControlSet001\\Control\\ServiceGroupOrder", "List", "multi", GROUPS)
  hive.set(root, "MountedDevices", "\\DosDevices\\C:", "binary", "\1\2\3\4\0\126\0\0\0\0\0\0")
  local services = {}
  for _, service in ipairs(spec.services ~= false and SERVICES or {}) do
    services[#services + 1] = service
  end
  for _, service in ipairs(spec.more_services or {}) do services[#services + 1] = service end
  local changes = spec.services or {}
  for _, service in ipairs(services) do
    local name, change = service[1], or_default(changes[service[1]], {})
    if change then
      local key = "ControlSet001\\Services\\" .. name
      hive.set(root, key, "DisplayName", "sz", service[2])
      hive.set(root, key, "Start", "dword", change.start or service[3])
      hive.set(root, key, "Type", "dword", service[4])
      if service[4] >= 0x10 then
        hive.set(root, key, "ObjectName", "sz", service.account or "LocalSystem")
        local image = "%SystemRoot%\\System32\\" .. name:lower() .. ".exe"
        hive.set(root, key, "ImagePath", "expand", image)
      end
      if service.group then hive.set(root, key, "Group", "sz", service.group) end
      local depends = change.depends or service.depends
      if depends then hive.set(root, key, "DependOnService", "multi", depends) end
      if service.depends_groups then
        hive.set(root, key, "DependOnGroup", "multi", service.depends_groups)
      end
    end
  end
  add(state, "SYSTEM", root)
  return root
end

local function put_hives(state)
  local spec = state.spec
  local windows = "C:\\" .. spec.windows
  local config = windows .. "\\system32\\config"
  local saved = spec.saved or spec.guid_written
  local dirty = spec.dirty or {}
  local software = software_root(state, spec.guid, spec.guid_written)
  local options = { saved = saved, sequence1 = dirty.SOFTWARE and 1044 or 1043, sequence2 = 1043 }
  if type(dirty.SOFTWARE) == "table" then
    local before = software_root(state, dirty.SOFTWARE.guid, dirty.SOFTWARE.written)
    put_dirty_hive(state, config, "SOFTWARE", before, software, options, dirty.SOFTWARE)
  else
    put_hive(state, config, "SOFTWARE", software, options)
  end
  options = { saved = saved, sequence1 = dirty.SYSTEM and 2090 or 2088, sequence2 = 2088 }
  if type(dirty.SYSTEM) == "table" then
    put_dirty_hive(state, config, "SYSTEM", system_root(state), system_root(state), options, dirty.SYSTEM)
  else
    put_hive(state, config, "SYSTEM", system_root(state), options)
  end
  if spec.registry and spec.registry.SECURITY then
    local root = { name = "$$$PROTO.HIV", written = spec.installed }
    add(state, "SECURITY", root)
    put_hive(state, config, "SECURITY", root,
      { saved = saved, sequence1 = dirty.SECURITY and 99 or 97, sequence2 = 97 })
  end
  for _, backup in ipairs(spec.backups or {}) do
    local folder = backup.folder or (spec.program_data and config .. "\\RegBack"
      or windows .. "\\repair")
    local root = { name = "$$$PROTO.HIV", written = spec.installed }
    cryptography(root, backup.guid, backup.written or spec.installed)
    put_hive(state, folder, "SOFTWARE", root, { saved = backup.saved })
  end
end

local function set_owners(state)
  for _, owner in ipairs(state.owners) do assert(volume.system.own(owner[1], owner[2])) end
end

local function complete(spec)
  local layout, language = (spec.layout or "2000"):match "^(%w+)%-?(%w*)$"
  local out = {}
  for name, value in pairs(assert(LAYOUTS[layout], "no such layout")) do out[name] = value end
  for name, value in pairs(language ~= "" and assert(LANGUAGES[language], "no such language")
    or {}) do
    out[name] = value
  end
  for name, value in pairs(spec) do out[name] = value end
  if out.guid == nil then out.guid = volume.NEW end
  out.computer = out.computer or "WEB01"
  out.guid_written = out.guid_written or "2004-09-13T06:12:40Z"
  out.keys = out.keys or {}
  return out
end

-- Makes the volume that `spec` describes as the folder `dir`, which must not be there yet. Fields
-- of spec:
--   layout         "2000" (default), "xp", "vista", "10"; with "-de", "-es", "-ru" localized folder names
--   guid           MachineGuid as stored (default volume.NEW), false for none; guid_type: its registry type
--   guid_written   last write of the Cryptography key; saved: time in the header of the hives
--   keys           { { container=, guid= (default: the machine GUID), name= (instead of hash_guid),
--                  made=, written=, owner= (uid), damage= (keyfile.damages), inside= (another container
--                  name in the file), keyless=, master_key=, seed=, signature=, exchange= (bits, false:
--                  none), symlink=, hardlink=, data= (the bytes of a file made elsewhere) } }
--   others         GUID suffix of the usual other key files (default volume.OLD), false: none of them
--   cng            { Keys = { { container=, guid=, made=, data= } }, SystemKeys = { ... } }
--   backups        { { guid=, written=, saved=, folder= } }: backup hives, in repair or RegBack by default
--   services       { NAME = { start=, depends= } or false }, false: no Services key; more_services: rows like SERVICES
--   master_keys    GUIDs in Protect\S-1-5-18, or { guid=, made=, written=, data=, user= (in the folder User) }
--                  (default volume.MASTER_KEY), false: no Protect folder
--   registry       { SYSTEM = function(root, hive), SOFTWARE=, SECURITY= }: adds to these hives; SECURITY makes one
--   dirty          { SOFTWARE = true }: unequal sequence numbers; { SOFTWARE = { guid=, written=, log= "old" or "new",
--                  stale=, change= } }: what the file held before its logs; see put_dirty_hive
--   store          false: no key store; drive: letter of its volume; shell_folders: false for none
--   files          { { path=, data= } }: anything else
-- Returns { root=, times=, store=, app_data=, drive_root= }, host paths.
function volume.make(dir, spec)
  assert(not volume.system.exists(dir), dir .. " exists already")
  local state = { root = dir, spec = complete(spec), rows = {}, owners = {} }
  spec = state.spec
  local drive = (spec.drive or "C") .. ":\\"
  state.app_data = drive .. (spec.program_data and "ProgramData"
    or spec.profiles .. "\\" .. spec.all_users .. "\\" .. spec.app_data)
  state.store = state.app_data .. "\\Microsoft\\Crypto\\RSA\\MachineKeys"
  make_folders(dir)
  make_folders(host_path(state, state.app_data))
  put_hives(state)
  put_store(state)
  put_master_keys(state)
  for _, file in ipairs(spec.files or {}) do
    local folder, name = file.path:match "^(.*)\\([^\\]+)$"
    make_folders(host_path(state, folder))
    put(state, folder, name, file.data or "", file)
  end
  set_owners(state)
  assert(volume.system.write(dir .. ".times", table.concat(state.rows, "\n") .. "\n"))
  return {
    root = dir, times = dir .. ".times", store = host_path(state, state.store),
    app_data = host_path(state, state.app_data),
    drive_root = spec.drive and dir .. "." .. spec.drive or nil,
  }
end

return volume
