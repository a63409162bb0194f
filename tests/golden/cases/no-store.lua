-- no-store.lua: there is no key store
return {
  title = "no key store",
  volume = { store = false },
  diagnose = { exit = 4, findings = { "error store.absent" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
