-- .luacheckrc: how luacheck reads the Lua files; `make lint` runs it
std = "lua51"
max_line_length = 120
unused_args = false
exclude_files = { "build" }

-- What a policy sees beside the safe part of Lua's library, as lua/keymend/policy_env.lua defines it.
local builders = {
  "policy", "windows", "has_service", "all_of", "any_of", "not_", "always", "first_of", "proved", "guid_history",
  "sole_candidate", "regenerated", "regeneration", "event", "first_failure", "newest_near_onset",
  "newest_before_onset", "oldest_before_onset", "master_key_era", "by_guid", "ask", "within", "extends", "optional",
  "every_orphan", "grant",
}
files["scripts/policies"].read_globals = builders
files["lua/keymend/policy_env.lua"].globals = builders

-- What `keymend run` gives a script.
files["scripts/repair"].read_globals = { "keymend", "target" }

files["tests/lua"].std = "lua51+busted"

-- premake's own Lua is 5.3 with premake's functions as globals.
local premake = {
  std = "lua53",
  globals = { "os", "io", "path", "table", "string", "premake" },
  allow_defined_top = true,
  ignore = { "111", "112", "113", "143" },
}
files["premake5.lua"] = premake
files["lua/embed.lua"] = premake
