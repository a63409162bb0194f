/* dll.c: uses keymend.dll as other programs do: its C API, and as a Lua module beside lua51.dll
 *
 * dll FILE.lua: runs the script with lua51.dll's own Lua, in which nothing of keymend is preloaded. Without an
 * argument: prints the version that the C API tells.
 */
#include "keymend.h"

#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int main(int count, char **texts) {
  if (count < 2) {
    (void)puts(km_version());
    return 0;
  }
  lua_State *L = luaL_newstate();
  if (L == NULL)
    return 2;
  luaL_openlibs(L);
  int status = luaL_dofile(L, texts[1]);
  if (status != 0)
    (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return status;
}
