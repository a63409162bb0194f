-- keyfile.lua: composes CryptoAPI key files: a real frame around noise, without any key in it
--
-- Layout: ten u32 (version 2, 0, then the lengths of name, signature public and private, exchange
-- public and private, hash, signature export and exchange export), then name, hash, signature
-- public, private, export, exchange public, private, export. Public parts are "RSA1" blobs, the
-- others DPAPI blobs; the modulus and all ciphertext are noise. tests/suites/data compares with a
-- real file.

local bytes = require "keymend.volume.bytes"

local keyfile = {}

local u16, u32 = bytes.u16, bytes.u32

local PROVIDER = "df9d8cd0-1501-11d1-8c7a-00c04fc297eb"
local TRIPLE_DES, SHA1 = 0x6603, 0x8004
local OF_MACHINE = 4 -- flags: CRYPTPROTECT_LOCAL_MACHINE

local function public_part(seed, bits)
  local size = bits / 8
  local modulus = bytes.noise(seed .. " modulus", size)
  local first, last = modulus:byte(1), modulus:byte(-1)
  modulus = string.char(first - first % 2 + 1) .. modulus:sub(2, -2)
    .. string.char(last % 128 + 128)
  return "RSA1" .. u32(size + 8) .. u32(bits) .. u32(size - 1) .. u32(65537) .. modulus
    .. ("\0"):rep(8)
end

local function dpapi_blob(seed, master_key, description, size, flags)
  local text = bytes.utf16(description) .. "\0\0"
  return u32(1) .. bytes.guid(PROVIDER) .. u32(1) .. bytes.guid(master_key)
    .. u32(flags or OF_MACHINE)
    .. u32(#text) .. text
    .. u32(TRIPLE_DES) .. u32(192) .. u32(16) .. bytes.noise(seed .. " salt", 16) .. u32(0)
    .. u32(SHA1) .. u32(160) .. u32(16) .. bytes.noise(seed .. " hmac", 16)
    .. u32(size) .. bytes.noise(seed .. " data", size)
    .. u32(20) .. bytes.noise(seed .. " sign", 20)
end

-- Public, private and export part of one key pair; three empty ones when `bits` is nil.
local function pair(seed, bits, master_key, flags)
  if not bits then return "", "", "" end
  local private = math.ceil((20 + bits / 8 * 4.5 + 36) / 8) * 8 + 144
  return public_part(seed, bits),
    dpapi_blob(seed .. " private", master_key, "CryptoAPI Private Key", private, flags),
    dpapi_blob(seed .. " export", master_key, "Export Flag", 8, flags)
end

-- What can be wrong with a file: each takes the whole content and gives back a damaged one.
keyfile.damages = {
  truncated = function(data) return data:sub(1, #data - 100) end,
  longer = function(data) return data .. ("\0"):rep(64) end,
  empty = function() return "" end,
  zeros = function(data) return ("\0"):rep(#data) end, -- what a power cut leaves on NTFS
  length = function(data) return data:sub(1, 20) .. u32(0xffffffff) .. data:sub(25) end,
  magic = function(data) return (data:gsub("RSA1", "RSA?", 1)) end,
  version = function(data) return u32(7) .. data:sub(5) end,
}

-- The file's bytes damaged so, or as they are without a damage.
function keyfile.damaged(data, damage)
  return damage and keyfile.damages[damage](data) or data
end

-- The bytes of a key file. options: container (the name inside), seed (a text; files of one seed
-- are equal), signature and exchange (bits, nil: no such key), master_key (GUID), flags (of the DPAPI
-- blobs; nil: those of a machine key, 0: a user's), damage (of the above).
function keyfile.compose(options)
  local seed, master_key = options.seed, options.master_key
  local sig_public, sig_private, sig_export = pair(seed .. " signature", options.signature,
    master_key, options.flags)
  local ex_public, ex_private, ex_export = pair(seed .. " exchange", options.exchange, master_key,
    options.flags)
  local name = assert(bytes.latin1(options.container)) .. "\0"
  local hash = #sig_public + #ex_public > 0 and ("\0"):rep(20) or ""
  local data = u32(2) .. u32(0) .. u32(#name) .. u32(#sig_public) .. u32(#sig_private)
    .. u32(#ex_public) .. u32(#ex_private) .. u32(#hash) .. u32(#sig_export) .. u32(#ex_export)
    .. name .. hash .. sig_public .. sig_private .. sig_export .. ex_public .. ex_private
      .. ex_export
  return keyfile.damaged(data, options.damage)
end

-- A DPAPI master key file of the system: a header of 128 bytes with its GUID (72 bytes UTF-16 at
-- 12), then the master key, the local backup key and 20 bytes of history, all noise.
function keyfile.master_key(guid)
  local function block(what, size)
    return u32(2) .. bytes.noise(guid .. what, 16) .. u32(4000) .. u32(SHA1) .. u32(TRIPLE_DES)
      .. bytes.noise(guid .. what .. " data", size)
  end
  local master, backup = block(" master", 104), block(" backup", 72)
  local history = block(" history", 0):sub(1, 20)
  local sizes = {}
  for i, part in ipairs { master, backup, history, "" } do sizes[i] = u32(#part) .. u32(0) end
  return u32(2) .. u32(0) .. u32(0) .. bytes.utf16(guid) .. u32(0) .. u32(0) .. u32(6)
    .. table.concat(sizes) .. master .. backup .. history
end

-- A CNG key file: u32 1, u32 0, size of the name, u16 2, u16 1, sizes of public properties, private
-- properties and private key, 16 zero bytes, then these parts; `written` goes to "Modified".
function keyfile.compose_cng(name, seed, master_key, written)
  local text, modified = bytes.utf16(name), bytes.utf16 "Modified"
  local public = u32(20 + #modified + 8) .. u32(0) .. u32(0) .. u32(#modified) .. u32(8)
    .. modified .. bytes.filetime(written)
  local properties = dpapi_blob(seed .. " properties", master_key, "Private Key Properties", 48)
  local private = dpapi_blob(seed .. " private", master_key, "Private Key", 1216)
  return u32(1) .. u32(0) .. u32(#text) .. u16(2) .. u16(1)
    .. u32(#public) .. u32(#properties) .. u32(#private) .. ("\0"):rep(16)
    .. text .. public .. properties .. private
end

return keyfile
