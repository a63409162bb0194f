-- policy-acl.lua: who may use a key file is told where the file system keeps descriptors; else that it is not known
local volume = ...

return {
  title = "acl: a file system without descriptors",
  volume = { keys = { { container = volume.IIS, guid = volume.NEW, made = "2001-03-14T10:22:31Z" } }, others = false },
  policy = { "--policy", "acl" },
  diagnose = { exit = 0, findings = { "info key.access-unknown", "info key.healthy" } },
  plan = { exit = 0 },
  apply = { exit = 0 },
}
