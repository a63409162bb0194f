-- times-csv.lua: creation times from a CSV file
local volume = ...

return {
  title = "--times with a CSV file",
  volume = {
    keys = {
      { container = volume.IIS, guid = volume.OLD, made = "2001-03-14T10:22:31Z" },
      { container = volume.IIS, guid = volume.NEW, made = "2004-09-13T06:14:02Z" },
    },
  },
  prepare = function(t)
    local folder = "Documents and Settings/All Users/Application Data/Microsoft/Crypto/RSA/MachineKeys/"
    t:write("volume.times", "path,created\n\"" .. folder .. volume.c23(volume.OLD)
      .. "\",2001-03-14T10:22:31Z\n"
      .. folder:lower() .. volume.c23(volume.NEW) .. ",2004-09-13T08:14:02+02:00\n")
  end,
  diagnose = { exit = 4, findings = { "error key.regenerated" } },
  plan = {
    exit = 0,
    steps = {
      { "retire", volume.c23(volume.NEW) },
      { "adopt", volume.c23(volume.OLD), volume.c23(volume.NEW) },
    },
  },
  apply = { exit = 0 },
}
