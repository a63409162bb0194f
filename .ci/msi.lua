-- msi.lua: writes the wxs that wixl makes an MSI from: msi.lua VERSION PLATFORM FOLDER; wixl runs in that folder
--
-- One component a file, as Windows Installer wants it; their GUIDs follow from platform and path alone, so that an
-- upgrade knows them again. The registry row makes keymend the source of its events in the Application log. Every
-- folder is made by a row of its own, since .ci/dist gives such rows an access list (wixl knows no permissions).

local lfs = require "lfs"

local version, platform, folder = arg[1], arg[2], arg[3]

local UPGRADE = {
  win32 = "6D1B2C0E-3C55-4C1B-9E0F-8F3C5F1B7A10",
  win64 = "6D1B2C0E-3C55-4C1B-9E0F-8F3C5F1B7A11",
}
local EVENT_SOURCE = [[SYSTEM\CurrentControlSet\Services\EventLog\Application\keymend]]

-- 122 bits of a text's SHA-256 as a GUID of version 8 (RFC 9562: made in a way of one's own).
local function guid_of(text)
  assert(text:match "^[%w%._/%-]+$", text)
  local pipe = assert(io.popen("printf %s '" .. text .. "' | sha256sum"))
  local hex = pipe:read(64):upper()
  pipe:close()
  return ("%s-%s-8%s-A%s-%s"):format(hex:sub(1, 8), hex:sub(9, 12), hex:sub(14, 16), hex:sub(18, 20), hex:sub(21, 32))
end

local function names_in(path)
  local names = {}
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- A name with its 8.3 form before it, where Windows Installer wants one; `taken` are those of the same folder.
local function file_name(name, taken)
  local base, extension = name:match "^(.-)%.?([^.]*)$"
  if base == "" then base, extension = extension, "" end
  if #base <= 8 and #extension <= 3 and name:match "^[%w_-]+%.?%w*$" then return name end
  base, extension = base:upper():gsub("[^%w_-]", ""):sub(1, 6), extension:upper():sub(1, 3)
  local number, short = 0
  repeat
    number = number + 1
    short = base:sub(1, 7 - #tostring(number)) .. "~" .. number .. (extension ~= "" and "." .. extension or "")
  until not taken[short]
  taken[short] = true
  return short .. "|" .. name
end

local components = {}

local function component(out, indent, path, name, extra)
  local id = "c" .. guid_of(platform .. "/" .. path):gsub("-", "")
  components[#components + 1] = id
  out[#out + 1] = ('%s<Component Id="%s" Guid="%s"%s>'):format(indent, id, guid_of(platform .. "/" .. path),
    platform == "win64" and ' Win64="yes"' or "")
  out[#out + 1] = ('%s  <File Id="f%s" Name="%s" Source="%s" KeyPath="yes"/>'):format(indent, id, name, path)
  out[#out + 1] = extra
  out[#out + 1] = indent .. "</Component>"
end

local REGISTRY = ([[
            <RegistryValue Root="HKLM" Key="KEY" Type="expandable" Name="EventMessageFile"
              Value="[INSTALLDIR]keymend.dll"/>
            <RegistryValue Root="HKLM" Key="KEY" Type="integer" Name="TypesSupported" Value="7"/>]]):gsub("KEY",
  (EVENT_SOURCE:gsub("%%", "%%%%")))

-- The component that makes a folder, for the access list that is its own.
local function own_folder(out, indent, path)
  local id = "m" .. guid_of(platform .. "/folder/" .. path):gsub("-", "")
  components[#components + 1] = id
  out[#out + 1] = ('%s<Component Id="%s" Guid="%s"%s><CreateFolder/></Component>'):format(indent, id,
    guid_of(platform .. "/folder/" .. path), platform == "win64" and ' Win64="yes"' or "")
end

local function directory(out, indent, path)
  local taken = {}
  for _, name in ipairs(names_in(folder .. "/" .. path)) do
    local inner = path == "" and name or path .. "/" .. name
    if lfs.attributes(folder .. "/" .. inner, "mode") == "directory" then
      out[#out + 1] = ('%s<Directory Id="d%s" Name="%s">'):format(indent, guid_of(inner):gsub("-", ""),
        file_name(name, taken))
      own_folder(out, indent .. "  ", inner)
      directory(out, indent .. "  ", inner)
      out[#out + 1] = indent .. "</Directory>"
    else
      component(out, indent, inner, file_name(name, taken), inner == "keymend.dll" and REGISTRY or nil)
    end
  end
end

local files = {}
own_folder(files, "          ", "keymend")
directory(files, "          ", "")
for i, id in ipairs(components) do components[i] = ('<ComponentRef Id="%s"/>'):format(id) end

io.write((([[
<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Name="keymend" Id="PRODUCT" UpgradeCode="UPGRADE" Language="1033" Version="VERSION" Manufacturer="keymend">
    <Package InstallerVersion="200" Compressed="yes" InstallScope="perMachine"
      Description="keymend repairs Windows machine-key stores"/>
    <MajorUpgrade DowngradeErrorMessage="A newer keymend is installed."/>
    <Media Id="1" Cabinet="keymend.cab" EmbedCab="yes"/>
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ROOT">
        <Directory Id="INSTALLDIR" Name="keymend">
FILES
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="all" Level="1" Title="keymend">
      COMPONENTS
    </Feature>
  </Product>
</Wix>
]]):gsub("%u+", {
  PRODUCT = guid_of("product/" .. platform .. "/" .. version), UPGRADE = UPGRADE[platform], VERSION = version,
  ROOT = platform == "win64" and "ProgramFiles64Folder" or "ProgramFilesFolder",
  FILES = table.concat(files, "\n"), COMPONENTS = table.concat(components, "\n      "),
})))
