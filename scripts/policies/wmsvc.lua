-- wmsvc.lua: the certificate key of the IIS Web Management Service after the machine GUID was changed
--
-- The certificate stands in the registry and tells its public key, so it proves the right key file. Do not use it where
-- a certificate of your own is bound to the service (its key has another container), after sysprep or where the DPAPI
-- master keys are gone: there make a new certificate in the Management Service page of IIS Manager.

return policy {
  api = 1,
  name = "wmsvc",
  title = "IIS Web Management Service key",

  applies = all_of { windows { from = "6.0" }, has_service "WMSVC" },
  containers = { optional "WMSvc Certificate Key Container" },

  onset = first_failure {
    event { source = "Service Control Manager", ids = { 7023, 7024 }, service = "WMSVC" },
    event { source = "Schannel", id = 36870 },
  },

  retire = regenerated,
  adopt = first_of { proved, guid_history, sole_candidate },
  services = { "WMSVC", start = "auto" },

  cause = "MachineGuid was changed; the Web Management Service misses the key of its certificate.",
  symptoms = { "Nobody can connect to port 8172; System log: Schannel 36870." },
}
