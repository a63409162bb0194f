-- policy-any-undecided.lua: an orphan that no policy knows and nothing speaks for is left alone
return {
  title = "any-container: nothing tells that the orphan is missed: refused",
  volume = { keys = {} },
  policy = { "--policy", "any-container" },
  diagnose = { exit = 4, findings = { "error key.ambiguous" } },
  plan = { exit = 36 },
  apply = { exit = 36 },
}
