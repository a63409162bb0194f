/* module.c: the module keymend for require: the embedded Lua side on top of keymend.core */
#include "binding.h"
#include "embedded.h"

#include <string.h>

/* Loads one embedded module; called by require with its name. */
static int load_embedded(lua_State *L) {
  const km_embedded *module = lua_touserdata(L, lua_upvalueindex(1));
  lua_pushfstring(L, "=%s", module->name);
  if (luaL_loadbuffer(L, module->data, module->size, lua_tostring(L, -1)) != 0)
    return lua_error(L);
  lua_pushstring(L, module->name);
  lua_call(L, 1, 1);
  return 1;
}

/* Fills package.preload, so that keymend's own modules are never searched for on disk. Returns the entry of
 * "keymend" itself, which is not preloaded: it is what is being required. */
static const km_embedded *preload(lua_State *L) {
  const km_embedded *main = NULL;
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_keymend_core);
  lua_setfield(L, -2, "keymend.core");
  for (const km_embedded *module = km_embedded_modules; module->name != NULL; module++) {
    if (strcmp(module->name, "keymend") == 0) {
      main = module;
      continue;
    }
    /* A constant: Lua only hands the pointer back to load_embedded. */
    lua_pushlightuserdata(L, (void *)(uintptr_t)module);
    lua_pushcclosure(L, load_embedded, 1);
    lua_setfield(L, -2, module->name);
  }
  lua_pop(L, 3);
  return main;
}

int luaopen_keymend(lua_State *L) {
  const km_embedded *main = preload(L);
  if (main == NULL)
    return luaL_error(L, "this build of keymend has no Lua side (lua/keymend/init.lua)");
  lua_pushlightuserdata(L, (void *)(uintptr_t)main);
  lua_pushcclosure(L, load_embedded, 1);
  lua_call(L, 0, 1);
  return 1;
}
