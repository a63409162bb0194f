-- proof.lua: volumes whose keys can be decrypted, and what names these keys
--
-- tests/proof/forge.py makes the secrets of a system, master keys, key files, certificates and
-- configurations from a description; here they become fields of a volume (tests/lib/volume.lua).
-- What was forged is kept in build/proof, so that only the first run takes time. No key of it is
-- in the tree, and none was ever used.
--
-- A description:
--   seed            a text; the same description gives the same bytes
--   generation      "2000", "xp", "vista", "7", "10" (default): how this Windows seals its secrets
--   dpapi_system    44 bytes in hex instead of its own, for master keys that somebody published
--   master_keys     { { id=, guid=, user= (true: in the folder User), made=, cipher= ("rc4", "rc4-40",
--                   "rc4-sha1", "3des", "3des-sha1", "aes"), rounds=, wrong= ("absent": no file,
--                   "closed": another system's), file= (hex of a real one) } }
--   keys            { { id=, container=, master_key= (id), kind= ("capi", "cng": one exchange key),
--                   signature=, exchange= (bits, or a table with fields that stand over the key's),
--                   rsa= (name of the RSA key; default: its own), e=, carmichael= (how d is made),
--                   exportable=, blob= ("rc4", "3des", "aes"), behind= (unknown bytes behind d),
--                   flags= (of the DPAPI blobs; default 4: of the machine), seal= (formats.py, protect: how),
--                   inside= (another container name in the file), and what is wrong with it:
--                   private= (name of another RSA key for the private half), private_bits=,
--                   spoil= (n, e, d, p, q, dp, dq, qinv, swapped, trivial; insides: all but n is
--                   another key's; exponent: a whole key of another e), magic= (not "RSA2"),
--                   cut= (bytes off the end), flip= (a field of the DPAPI blob), and of a CNG key
--                   full= (an RSA3 blob), bare= (no public key in the file),
--                   and for the volume: guid=, made=, written=, owner= } }
--   certificates    { { id=, key= (id), container=, store=, subject=, begins=, ends=, sha1=,
--                   friendly=, key_spec=, provider=, bound= ("self-signed", "assigned": RDP uses it) } }
--   configurations  { { id=, path= (default: applicationHost.config), providers = { { name=, container=,
--                   key= (id, or a name that no key file has), kind= ("aes", "rsa", "cng") } },
--                   pools = { { name=, user=, provider=, password= } }, zeros=, made=, written= } }
--   metabases       { { id=, path=, key=, made=, written= } }
--   classes = false: a SYSTEM hive without the boot key; security = false: no SECURITY hive

local json = require "dkjson"
local shell = require "shell"

local proof = {}

local here = debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "."
local top = here .. "/../.."
-- Debian's own: the modules that the forge needs are packages of it.
proof.python = "/usr/bin/python3"

local function bytes_of(hex)
  return (hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end
proof.bytes = bytes_of

-- Why nothing can be forged here, or nil.
function proof.missing()
  if proof.reason == nil then
    local tried = shell.run(proof.python .. " -c 'import Cryptodome.Cipher.AES'")
    proof.reason = tried.exit ~= 0 and "Debian's python3-pycryptodome is not installed"
  end
  return proof.reason or nil
end

-- A key of the cache: the description and the forge itself.
local function cache_name(text)
  local sources = ""
  for _, name in ipairs { "forge", "formats", "identity" } do
    sources = sources .. shell.quote(("%s/tests/proof/%s.py"):format(top, name)) .. " "
  end
  local sum = shell.run("cat " .. sources .. "- | sha256sum", text).out:match "^%x+"
  return top .. "/build/proof/" .. assert(sum) .. ".json"
end

-- What forge.py makes of a description: classes, policy, master_keys, keys, certificates,
-- configurations, metabases, secrets; bytes are hex.
function proof.forge(description)
  local text = json.encode(description)
  local place = cache_name(text)
  local known = shell.read(place)
  if not known then
    shell.must("mkdir -p " .. shell.quote(top .. "/build/proof"))
    local line = ("%s %s/tests/proof/forge.py %s/build/proof"):format(proof.python, shell.quote(top),
      shell.quote(top))
    local made = shell.run(line, text)
    if made.exit ~= 0 then error("the forge failed: " .. made.err) end
    known = made.out
    local temporary = os.tmpname()
    shell.write(temporary, known)
    shell.must(("mv %s %s"):format(shell.quote(temporary), shell.quote(place)))
  end
  return assert(json.decode(known))
end

-- ---- Registry ----

local function boot_classes(forged)
  return function(root, hive)
    for name, class in pairs(forged.classes) do
      hive.key(root, "ControlSet001\\Control\\Lsa\\" .. name).class = class
      -- The class of the control set that is not in use must not be taken.
      hive.key(root, "ControlSet002\\Control\\Lsa\\" .. name).class = "00000000"
    end
    hive.set(root, "ControlSet001\\Control\\Lsa", "SecureBoot", "dword", 1)
  end
end

local function policy(forged)
  return function(root, hive)
    for name, value in pairs(forged.policy) do
      local key = name == "DPAPI_SYSTEM" and "Secrets\\DPAPI_SYSTEM\\CurrVal" or name
      hive.set(root, "Policy\\" .. key, "", 0, bytes_of(value))
    end
    -- The value before it, which must not be taken.
    hive.set(root, "Policy\\Secrets\\DPAPI_SYSTEM\\OldVal", "", 0, ("\1"):rep(124))
  end
end

-- Terminal Server uses the certificate that an administrator assigned, else the one it made.
local function bind(root, hive, how, thumbprint)
  local key = "ControlSet001\\Control\\Terminal Server\\WinStations"
  if how == "assigned" then
    hive.set(root, key .. "\\RDP-Tcp", "SSLCertificateSHA1Hash", "binary", bytes_of(thumbprint))
  else
    hive.set(root, key, "SelfSignedCertStore", "sz", "Remote Desktop")
    hive.set(root, key, "SelfSignedCertificate", "binary", bytes_of(thumbprint))
  end
end

local function registry(description, forged)
  local out = {}
  if description.security ~= false then out.SECURITY = policy(forged) end
  function out.SYSTEM(root, hive)
    if description.classes ~= false then boot_classes(forged)(root, hive) end
    for _, given in ipairs(description.certificates or {}) do
      if given.bound then bind(root, hive, given.bound, forged.certificates[given.id].thumbprint) end
    end
  end
  function out.SOFTWARE(root, hive)
    for _, given in ipairs(description.certificates or {}) do
      local made = forged.certificates[given.id]
      hive.set(root, ("Microsoft\\SystemCertificates\\%s\\Certificates\\%s"):format(made.store,
        made.thumbprint), "Blob", "binary", bytes_of(made.blob))
    end
  end
  return out
end

-- ---- Files ----

local function of_volume(given, data)
  return {
    container = given.container, guid = given.guid, made = given.made, written = given.written,
    owner = given.owner, name = given.name, hash = given.hash, damage = given.damage, data = data,
  }
end

local function add_keys(out, description, forged)
  out.cng = out.cng or {}
  for _, given in ipairs(description.keys or {}) do
    local key = of_volume(given, bytes_of(forged.keys[given.id].file))
    local list = out.keys
    if given.kind == "cng" then
      local folder = given.folder or "Keys"
      out.cng[folder] = out.cng[folder] or {}
      list = out.cng[folder]
    end
    list[#list + 1] = key
  end
end

local function add_master_keys(out, description, forged)
  for _, given in ipairs(description.master_keys or {}) do
    local made = forged.master_keys[given.id]
    if not made.absent then
      out.master_keys[#out.master_keys + 1] = {
        guid = made.guid, user = made.user, data = bytes_of(made.file), made = given.made,
        written = given.written,
      }
    end
  end
end

-- The volume's layout for each generation, and its Windows folder.
local LAYOUTS = {
  ["2000"] = { layout = "2000", windows = "WINNT" }, xp = { layout = "xp", windows = "WINDOWS" },
  vista = { layout = "vista", windows = "Windows" }, ["7"] = { layout = "vista", windows = "Windows" },
  ["10"] = { layout = "10", windows = "Windows" },
}

local function add_files(out, description, forged)
  local inetsrv = ("C:\\%s\\system32\\inetsrv\\"):format(LAYOUTS[description.generation or "10"].windows)
  for list, name in pairs {
    configurations = "config\\applicationHost.config", metabases = "MetaBase.xml",
  } do
    for _, given in ipairs(description[list] or {}) do
      out.files[#out.files + 1] = {
        path = given.path or inetsrv .. name, data = forged[list][given.id], made = given.made,
        written = given.written,
      }
    end
  end
end

-- The fields of a volume's description with all of this; `more` (a table like volume.make takes)
-- stands over them, its keys are added. Returns them and what was forged; where nothing can be
-- forged, a volume without all of it, so that a golden case that needs "forge" can be read.
function proof.volume(description, more)
  if proof.missing() then return more or {} end
  local forged = proof.forge(description)
  local out = { keys = {}, master_keys = {}, files = {}, others = false }
  out.layout = LAYOUTS[description.generation or "10"].layout
  for name, value in pairs(more or {}) do out[name] = value end
  for _, name in ipairs { "keys", "master_keys", "files" } do
    local copy = {}
    for i, one in ipairs(out[name]) do copy[i] = one end
    out[name] = copy
  end
  add_keys(out, description, forged)
  add_master_keys(out, description, forged)
  add_files(out, description, forged)
  out.registry = registry(description, forged)
  return out, forged
end

-- ---- Two old candidates that time cannot tell apart ----

local NEW, OLD, THIRD = "1b2162a0-ed5a-4d56-bd8a-8f2f65406b82", "4cbde50a-570f-47f5-8cc1-f6e151231826",
  "7e0d9c1f-53ab-4f0e-a2c6-90b1d4e8f327"
local MADE, RESET, AGAIN = "2016-11-02T10:22:31Z", "2019-09-13T06:12:40Z", "2019-09-13T06:14:02Z"

-- Beside the usual services, of which these systems have no IIS 5 and no SMS.
local SERVICES = {
  { "WAS", "Windows Process Activation Service", 3, 0x20, depends = { "RpcSs" } },
  { "TermService", "Remote Desktop Services", 3, 0x20, depends = { "RpcSs" },
    account = "NT Authority\\NetworkService" },
}
local CHANGES = { W3SVC = { depends = { "WAS", "AFD" } } }
for _, name in ipairs {
  "IISADMIN", "SMTPSVC", "MSFTPSVC", "SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER", "CcmExec",
} do
  CHANGES[name] = false
end

-- Old keys of a container, all made in the same second and all decryptable, each with an id; with
-- options.current one more under the machine GUID, made after the reset. options.bits: 2048; over: by GUID, fields of
-- that candidate.
local function candidates(container, options)
  local keys, bits = {}, options.bits or 2048
  for _, guid in ipairs(options.candidates or { OLD, THIRD }) do
    local key = { id = guid, container = container, guid = guid, master_key = "m", exchange = bits, made = MADE }
    for name, value in pairs((options.over or {})[guid] or {}) do key[name] = value end
    keys[#keys + 1] = key
  end
  if options.current then
    keys[#keys + 1] = { id = NEW, container = container, guid = NEW, master_key = "m", exchange = bits,
      made = AGAIN }
  end
  return keys
end

local function undecided(container, options, description)
  description.seed = container
  description.master_keys = options.master_keys or { { id = "m", made = "2016-11-02T09:30:00Z" } }
  description.keys = candidates(container, options)
  for _, key in ipairs(options.keys or {}) do description.keys[#description.keys + 1] = key end
  description.security = options.security
  local more = { guid = NEW, guid_written = RESET, more_services = SERVICES, services = CHANGES }
  for name, value in pairs(options.volume or {}) do more[name] = value end
  return proof.volume(description, more)
end

-- iisWasKey: the sessionKey of IISWASOnlyAesProvider in applicationHost.config was made with the key
-- of the GUID suffix options.right (default: the second candidate), and so were passwords of two
-- application pools. options: right, candidates (GUIDs; default: two), current (true: a regenerated
-- key too), bits, history (GUID: a backup of the configuration made with that one's key), keys and
-- master_keys (more of them, as in a description; the candidates' master key is "m"), volume; security = false: no
-- SECURITY hive; configuration = false: none; cng (true: keys of iisCngWasKey and iisCngConfigurationKey too, which
-- providers name).
function proof.was(options)
  options = options or {}
  local function configuration(id, right, path)
    return {
      id = id, path = path, made = MADE, written = MADE,
      providers = {
        { name = "IISWASOnlyRsaProvider", container = "iisWasKey", kind = "rsa" },
        { name = "AesProvider", container = "iisConfigurationKey", key = "a key that no file has" },
        { name = "IISWASOnlyAesProvider", container = "iisWasKey", key = right },
      },
      pools = {
        { name = "Intranet", provider = "IISWASOnlyAesProvider", password = "Pa$$w0rd of 2019" },
        { name = "Extranet", provider = "IISWASOnlyAesProvider", password = "Ünïcode" },
      },
    }
  end
  local list = options.configuration ~= false and { configuration("present", options.right or THIRD) } or {}
  if options.cng then
    options.keys = {}
    for _, one in ipairs {
      { id = "cng", container = "iisCngWasKey", provider = "IISWASOnlyCngProvider" },
      { id = "cng2", container = "iisCngConfigurationKey", provider = "IISCngProvider" },
    } do
      table.insert(options.keys, { id = one.id, kind = "cng", container = one.container, guid = NEW, master_key = "m",
        exchange = 2048, made = MADE })
      table.insert(list[1].providers, { name = one.provider, container = one.container, key = one.id, kind = "cng" })
    end
  end
  if options.history then
    list[2] = configuration("history", options.history,
      "C:\\inetpub\\history\\CFGHISTORY_0000000001\\applicationHost.config")
  end
  return undecided("iisWasKey", options, { configurations = list })
end

-- TSSecKeySet1: the certificate that Remote Desktop uses was made with the key of the GUID suffix
-- options.right. options as above; bound: "self-signed" (default), "assigned", or false: nothing says
-- which one is used; expired (GUID: a certificate of before, made with that one's key).
function proof.rdp(options)
  options = options or {}
  local list = {
    { id = "present", key = options.right or THIRD, container = "TSSecKeySet1", store = "Remote Desktop",
      bound = options.bound == nil and "self-signed" or options.bound },
  }
  if options.expired then
    list[2] = { id = "expired", key = options.expired, container = "TSSecKeySet1", store = "Remote Desktop",
      begins = "20180102030405Z", ends = "20180702030405Z" }
  end
  return undecided("TSSecKeySet1", options, { certificates = list })
end

-- Policies for these volumes, written beside the volume of a case: their names, and the text.
proof.policies = {
  was = [[
-- was.lua: the key of Windows Process Activation
return policy {
  api = 1, name = "was", title = "IIS 7 process activation key",
  applies = all_of { windows { from = "6.0" }, has_service "WAS" },
  containers = { "iisWasKey" },
  adopt = first_of { proved, guid_history, sole_candidate },
  services = { "WAS", dependents = true, start = "auto" },
}
]],
  rdp = [[
-- rdp.lua: the key of Remote Desktop
return policy {
  api = 1, name = "rdp", title = "Remote Desktop key",
  applies = all_of { windows { from = "6.0" }, has_service "TermService" },
  containers = { "TSSecKeySet1" },
  adopt = first_of { proved, guid_history, sole_candidate },
  services = { "TermService", dependents = true, start = "auto" },
}
]],
}

-- The key of a forged certificate becomes that of a key file (bytes): its modulus stands there instead, of as many
-- bits. Nothing signs it any more; its thumbprint is the new one.
function proof.certificate_of(certificate, other, key_file)
  local function modulus(file)
    local at = assert(file:find("RSA1", 1, true), "the key file has no public key")
    local bits = file:byte(at + 8) + 256 * file:byte(at + 9)
    local bytes = file:sub(at + 20, at + 19 + bits / 8):reverse()
    return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
  end
  local copy = {}
  for name, value in pairs(certificate) do copy[name] = value end
  local from, to = certificate.blob:lower():find(modulus(other), 1, true)
  copy.blob = certificate.blob:sub(1, assert(from, "not the key of this certificate") - 1) .. modulus(key_file)
    .. certificate.blob:sub(to + 1)
  local _, at = assert(copy.blob:lower():find("2000000001000000", 1, true)) -- the property that is the certificate
  local file = os.tmpname()
  shell.write(file, bytes_of(copy.blob:sub(at + 9)))
  copy.thumbprint = shell.must("sha1sum " .. shell.quote(file)):match "%x+":upper()
  os.remove(file)
  return copy
end

-- Puts a certificate into a running Windows (wine.lua) as the one that Remote Desktop uses.
function proof.bind_live(session, certificate)
  local key = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\%s\\Certificates\\%s"
  session:must { "reg", "add", key:format(certificate.store, certificate.thumbprint), "/v", "Blob", "/t",
    "REG_BINARY", "/d", certificate.blob, "/f" }
  session:must { "reg", "add", "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations", "/v",
    "SelfSignedCertificate", "/t", "REG_BINARY", "/d", certificate.thumbprint, "/f" }
end

-- A golden case with the policy `name` of these; fields: the rest of the case.
function proof.case(name, fields)
  fields.needs = { "forge" }
  fields.policy = { "--policy", ("./%s.lua"):format(name) }
  local more = fields.prepare
  function fields.prepare(t)
    t:write(name .. ".lua", proof.policies[name])
    if more then more(t) end
  end
  return fields
end

return proof
