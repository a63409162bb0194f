/* fuzz_policy.c: any text as a policy, loaded and its functions called; and any texts as a subject, pattern, replacement
 *
 * An input that begins with byte 1 is the second kind: three texts with NULs between them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Gives two functions: one loads a policy and calls its functions, the other tries the string functions. Both raise when
 * what comes back breaks a promise. */
static const char driver[] =
    "require 'keymend'\n"
    "local core, policy = require 'keymend.core', require 'keymend.policy'\n"
    "local make = core.policy_new\n"
    "local function small() return assert(make { memory = 8e6, instructions = 5e4, seconds = 5 }) "
    "end\n"
    "core.policy_new = small\n"
    "local key = { name = 'a', class = 'foreign', created = 1e9, signature = { bits = 1024 } }\n"
    "local function check(data, message)\n"
    "  if data == nil then assert(message == nil or type(message) == 'string' and #message < 3000) "
    "end\n"
    "end\n"
    "local function call_all(state, value, left)\n"
    "  if type(value) ~= 'table' or left == 0 then return end\n"
    "  if value['function'] then\n"
    "    return check(state:call(value['function'], { key, key }, { container = 'SMS', keys = { "
    "key } }))\n"
    "  end\n"
    "  for _, inner in pairs(value) do call_all(state, inner, left - 1) end\n"
    "end\n"
    "local function try_policy(text)\n"
    "  policy.find = function() return text, 'policy.lua' end\n"
    "  local loaded, message = policy.load 'x'\n"
    "  check(loaded, message)\n"
    "  if loaded then\n"
    "    call_all(loaded.state, { loaded.onset, loaded.retire, loaded.adopt, loaded.checks }, 5)\n"
    "    loaded.state:close()\n"
    "  end\n"
    "  local state = small()\n"
    "  local data, problem = state:run(text)\n"
    "  check(data, problem)\n"
    "  call_all(state, data, 5)\n"
    "  state:close()\n"
    "end\n"
    "local source = [[return function(text, pattern, with)\n"
    "  pcall(string.find, text, pattern) pcall(string.match, text, pattern, -3)\n"
    "  pcall(string.gsub, text, pattern, with) pcall(string.gsub, text, pattern, function(a) "
    "return a end)\n"
    "  pcall(function() for a, b in text:gmatch(pattern) do if a == with then break end end end)\n"
    "  pcall(string.format, pattern, text, 1, with, 2)\n"
    "end]]\n"
    "local function try_pattern(text, pattern, with)\n"
    "  local state = small()\n"
    "  check(state:call(state:run(source)['function'], text, pattern, with))\n"
    "  state:close()\n"
    "end\n"
    "return try_policy, try_pattern\n";

enum { TRY_POLICY = 1, TRY_PATTERN = 2 };

static void require_ok(lua_State *L, int status) {
  if (status == 0)
    return;
  fprintf(stderr, "fuzz_policy: %s\n", lua_tostring(L, -1));
  abort();
}

/* The state that is the policies' host; it lives as long as the process. */
static lua_State *open_host(void) {
  static lua_State *L;
  if (L != NULL)
    return L;
  L = luaL_newstate();
  if (L == NULL)
    abort();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_keymend);
  lua_setfield(L, -2, "keymend");
  lua_settop(L, 0);
  require_ok(L, luaL_loadbuffer(L, driver, sizeof driver - 1, "=driver"));
  require_ok(L, lua_pcall(L, 0, 2, 0));
  return L;
}

static void push_texts(lua_State *L, const char *bytes, size_t size) {
  for (int i = 0; i < 3; i++) {
    const char *end = size > 0 && i < 2 ? memchr(bytes, '\0', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - bytes) : size;
    lua_pushlstring(L, bytes, length);
    bytes += end != NULL ? length + 1 : length;
    size -= end != NULL ? length + 1 : length;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = open_host();
  const char *bytes = size > 0 ? (const char *)data : "";
  if (size > 0 && data[0] == 1) {
    lua_pushvalue(L, TRY_PATTERN);
    push_texts(L, bytes + 1, size - 1);
    require_ok(L, lua_pcall(L, 3, 0, 0));
  } else {
    lua_pushvalue(L, TRY_POLICY);
    lua_pushlstring(L, bytes, size);
    require_ok(L, lua_pcall(L, 1, 0, 0));
  }
  lua_settop(L, TRY_PATTERN);
  return 0;
}
