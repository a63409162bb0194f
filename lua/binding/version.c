/* version.c: the version of a file of a target */
#include "binding.h"

#include <stdio.h>

#define PARTS 4

/* target:file_version(path) -> {version = "5.0.2195.6968", parts = {5, 0, 2195, 6968}, size, written, written_ticks} */
static int target_file_version(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *path = km_lua_check_text(L, 2);
  km_version_info info;
  km_error error;
  char text[PARTS * sizeof "65535"];
  if (km_file_version(self->target, path, &info, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_createtable(L, 0, 5);
  (void)snprintf(text, sizeof text, "%u.%u.%u.%u", info.part[0], info.part[1], info.part[2],
                 info.part[3]);
  km_lua_set_text(L, "version", text);
  lua_createtable(L, PARTS, 0);
  for (int i = 0; i < PARTS; i++) {
    lua_pushinteger(L, info.part[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "parts");
  km_lua_set_number(L, "size", (lua_Number)info.size);
  km_lua_set_time(L, "written", info.written);
  return 1;
}

const luaL_Reg km_lua_version_methods[] = {
    {"file_version", target_file_version},
    {NULL, NULL},
};
