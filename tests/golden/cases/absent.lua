-- absent.lua: there is no key of the container at all
return {
  title = "no key file of the container",
  volume = {
    keys = {
    },
  },
  diagnose = { exit = 4, findings = { "warning key.absent" } },
  plan = { exit = 4 },
  apply = { exit = 4 },
}
