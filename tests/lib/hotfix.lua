-- hotfix.lua: KB 884872's table of files as the KB prints it, and such files on a test volume

local bytes = require "bytes"
local pe = require "pe"

local hotfix = {}

-- The KB's text.
hotfix.table = [[
Date Time Version Size File name
------------------------------------------------------------
14-Sep-2004 07:08 5.0.2195.6968 382,224 Advapi32.dll
24-Mar-2004 02:17 5.0.2195.6824 42,256 Basesrv.dll
24-Mar-2004 02:17 5.0.2195.6866 69,904 Browser.dll
21-Sep-2003 00:45 5.0.2195.6824 236,304 Cmd.exe
14-Sep-2004 07:08 5.131.2195.6926 533,776 Crypt32.dll
14-Sep-2004 07:08 5.131.2195.6926 62,736 Cryptnet.dll
24-Mar-2004 02:17 5.0.2195.6868 76,048 Cryptsvc.dll
24-Mar-2004 02:17 5.0.2195.6824 134,928 Dnsapi.dll
24-Mar-2004 02:17 5.0.2195.6876 92,432 Dnsrslvr.dll
04-Sep-2004 00:29 5.0.2195.6972 145,680 Dssbase.dll
04-Sep-2004 00:29 5.0.2195.6972 147,728 Dssenh.dll
24-Mar-2004 02:17 5.0.2195.6883 47,888 Eventlog.dll
19-Jun-2003 20:05 5.0.2195.6660 233,744 Gdi32.dll
24-Mar-2004 02:17 5.0.2195.6890 143,632 Kdcsvc.dll
11-Mar-2004 02:37 5.0.2195.6903 210,192 Kerberos.dll
24-Mar-2004 02:17 5.0.2195.6897 742,160 Kernel32.dll
21-Sep-2003 00:32 5.0.2195.6824 71,888 Ksecdd.sys
11-Mar-2004 02:37 5.0.2195.6902 520,976 Lsasrv.dll
25-Feb-2004 23:59 5.0.2195.6902 33,552 Lsass.exe
24-Mar-2004 02:17 5.0.2195.6824 54,544 Mpr.dll
14-Sep-2004 07:08 5.0.2195.6974 335,120 Msgina.dll
19-Jun-2003 20:05 5.0.2195.6680 117,520 Msv1_0.dll
24-Mar-2004 02:17 5.0.2195.6897 312,592 Netapi32.dll
19-Jun-2003 20:05 5.0.2195.6695 371,984 Netlogon.dll
24-Mar-2004 02:17 5.0.2195.6896 1,028,880 Ntdsa.dll
24-Mar-2004 02:17 5.0.2195.6824 115,984 Psbase.dll
24-Mar-2004 02:17 5.0.2195.6892 90,264 Rdpwd.sys
04-Sep-2004 00:29 5.0.2195.6972 132,368 Rsabase.dll
04-Sep-2004 00:29 5.0.2195.6972 134,928 Rsaenh.dll
24-Mar-2004 02:17 5.0.2195.6897 388,368 Samsrv.dll
24-Mar-2004 02:17 5.0.2195.6893 111,376 Scecli.dll
24-Mar-2004 02:17 5.0.2195.6903 253,200 Scesrv.dll
13-Sep-2004 19:27 5.0.2195.6974 5,898,752 Sp3res.dll
24-Mar-2004 02:17 5.0.2195.6897 403,216 User32.dll
14-Sep-2004 07:08 5.0.2195.6972 393,488 Userenv.dll
24-Mar-2004 02:17 5.0.2195.6824 50,960 W32time.dll
21-Sep-2003 00:32 5.0.2195.6824 57,104 W32tm.exe
10-Aug-2004 00:51 5.0.2195.6966 1,632,624 Win32k.sys
12-Dec-2003 21:38 5.1.2600.1327 311,296 Winhttp.dll
11-Mar-2004 02:37 5.0.2195.6898 181,520 Winlogon.exe
25-Sep-2003 18:08 5.0.2195.6826 243,984 Winsrv.dll
24-Mar-2004 02:17 5.131.2195.6824 167,184 Wintrust.dll
24-Mar-2004 02:17 5.0.2195.6897 742,160 Kernel32.dll
10-Aug-2004 00:51 5.0.2195.6966 1,632,624 Win32k.sys
25-Sep-2003 18:08 5.0.2195.6826 243,984 Winsrv.dll
]]

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

-- Its rows: { name=, version=, time= (seconds since 1970), size= }.
function hotfix.rows()
  local rows = {}
  for day, month, year, clock, version, size, name in
    hotfix.table:gmatch "(%d%d)%-(%a%a%a)%-(%d+) (%d%d:%d%d) ([%d%.]+) ([%d,]+) ([^\n]+)" do
    rows[#rows + 1] = {
      name = name, version = version, size = tonumber((size:gsub(",", ""))),
      time = bytes.seconds(("%s-%02d-%sT%s:00Z"):format(year, MONTHS[month], day, clock)),
    }
  end
  return rows
end

local DRIVERS = { ["ksecdd.sys"] = true, ["rdpwd.sys"] = true }

-- Those files for a volume (volume.make's field). versions: by name, instead of the KB's; false: no such file; a text
-- that is no version: the file's bytes. all: false: only these.
function hotfix.files(versions, all)
  local by_name, names, list = {}, {}, {}
  for _, row in ipairs(all ~= false and hotfix.rows() or {}) do by_name[row.name] = row.version end
  for name, version in pairs(versions or {}) do by_name[name] = version or nil end
  for name in pairs(by_name) do names[#names + 1] = name end
  table.sort(names)
  for index, name in ipairs(names) do
    local value, lower = by_name[name], name:lower()
    list[index] = {
      path = "C:\\WINNT\\system32\\" .. (DRIVERS[lower] and "drivers\\" or "") .. lower,
      data = value:find "^%d+%.%d+%.%d+%.%d+$" and pe.compose { version = value } or value,
      written = "2003-06-19T20:05:04Z",
    }
  end
  return list
end

return hotfix
