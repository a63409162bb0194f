-- rdp.lua: the key of Remote Desktop after the machine GUID was changed
--
-- Remote Desktop makes a new key and certificate itself when it finds none, so the old key is worth having only for the
-- certificate that is bound now. Adopted is the key that this certificate proves, and no other. Where none is proved
-- and the current key is not the one of the certificate, it is retired, and TermService makes both anew.
-- TermService is stopped and started for that, which cuts every session: over a remote desktop apply refuses, unless
-- --disconnect is given. On Windows 2000 and 2003 TermService takes no stop: restart Windows.
-- Do not use it where a certificate authority issued the certificate and the key is elsewhere (a smart card, CNG), nor
-- to get an old key back after sysprep or with the DPAPI master keys gone: nothing can decrypt it.

return policy {
  api = 1,
  name = "rdp",
  title = "Remote Desktop key",

  applies = all_of { windows { from = "5.2" }, has_service "TermService" },
  containers = { optional "TSSecKeySet1" },

  onset = first_failure {
    event { source = "TermService", ids = { 1057, 1058 } },
    event { source = "Microsoft-Windows-TerminalServices-RemoteConnectionManager", ids = { 1057, 1058 } },
    event { source = "Schannel", id = 36870 },
  },

  retire = regenerated,
  adopt = proved,
  remakes = true,
  services = { "TermService", dependents = true, start = "auto" },

  cause = "MachineGuid was changed; Remote Desktop misses the key of its certificate.",
  symptoms = {
    "Remote Desktop refuses connections; System log: Schannel 36870, RemoteConnectionManager 1057 or 1058.",
  },
  after = { "Clients warn of a new certificate when TermService had to make one." },
}
