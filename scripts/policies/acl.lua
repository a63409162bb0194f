-- acl.lua: missing entries in the security descriptors of well-known keys
--
-- Used only where it is named (keymend diagnose --policy acl). A recursive takeown or a "repair" of permissions takes
-- away what a service needs to read its key: the error is then 0x80090016 (NTE_BAD_KEYSET) although the right key file
-- is there. Judged is the current key file of each container. keymend apply adds the entries that are missing, where
-- the file system keeps security descriptors, and replaces nothing; undo takes them away again. The list holds only
-- what every version of Windows needs.
-- Do not use it where an administrator has narrowed a key on purpose, or while a container is orphaned or regenerated:
-- repair that first, since the adopted file brings its own descriptor. After sysprep, or with the DPAPI master keys
-- gone, permissions are not the cause: nobody can decrypt the keys.

return policy {
  api = 1,
  name = "acl",
  title = "Permissions of well-known keys",
  use = "named",

  containers = {
    optional "Microsoft Internet Information Server",
    optional "MS IIS DCOM Server",
    optional "iisConfigurationKey",
    optional "iisWasKey",
    optional "NetFrameworkConfigurationKey",
    optional "WMSvc Certificate Key Container",
    optional "TSSecKeySet1",
    optional "SMS",
  },

  access = {
    grant { container = "Microsoft Internet Information Server", to = "SYSTEM", right = "full" },
    grant { container = "MS IIS DCOM Server", to = "SYSTEM", right = "full" },
    grant { container = "iisConfigurationKey", to = "SYSTEM", right = "full" },
    grant { container = "iisWasKey", to = "SYSTEM", right = "full" },
    grant { container = "iisWasKey", to = "LOCAL SERVICE", right = "read" },
    grant { container = "NetFrameworkConfigurationKey", to = "SYSTEM", right = "full" },
    grant { container = "WMSvc Certificate Key Container", to = "SYSTEM", right = "full" },
    grant { container = "TSSecKeySet1", to = "SYSTEM", right = "full" },
    grant { container = "TSSecKeySet1", to = "NETWORK SERVICE", right = "read" },
    grant { container = "SMS", to = "SYSTEM", right = "full" },
  },

  -- It judges permissions; which key file is right is for the other policies.
  adopt = ask,

  after = { "Restart the programs whose keys got permissions, or Windows." },
  cause = "A service may not read its key file.",
  symptoms = { "0x80090016 (NTE_BAD_KEYSET), although the right key file is there." },
}
