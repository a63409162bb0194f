/* scratch.c: temporary folders and their files for Lua: functions of keymend.core */
#include "scratch.h"
#include "binding.h"

static int done(lua_State *L, km_status status, const km_error *error) {
  if (status != KM_OK)
    return km_lua_fail(L, error);
  lua_pushboolean(L, 1);
  return 1;
}

/* scratch_begin() -> the path of a new folder, private to the user */
static int scratch_begin(lua_State *L) {
  char path[KM_MAX_CONSOLE_PATH];
  km_error error;
  if (km_scratch_begin(path, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushstring(L, path);
  return 1;
}

/* scratch_look(path) -> "free", "empty" (a folder) or "taken": what stands there */
static int scratch_look(lua_State *L) {
  static const char *const names[] = {"free", "empty", "taken"};
  km_scratch_state state;
  km_error error;
  if (km_scratch_look(km_lua_check_text(L, 1), &state, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushstring(L, names[state]);
  return 1;
}

/* scratch_folder(path) -> true */
static int scratch_folder(lua_State *L) {
  km_error error;
  return done(L, km_scratch_folder(km_lua_check_text(L, 1), &error), &error);
}

/* new_file(path, bytes, written) -> true; "exists" when it is there. written: seconds since 1970, nil: now */
static int new_file(lua_State *L) {
  km_error error;
  size_t size = 0;
  const char *path = km_lua_check_text(L, 1);
  const char *data = luaL_checklstring(L, 2, &size);
  lua_Number seconds = luaL_optnumber(L, 3, 0);
  luaL_argcheck(L, seconds >= 0 && seconds < 1e11, 3, "time out of range");
  km_time written = lua_isnoneornil(L, 3) ? 0 : km_time_from_unix((int64_t)seconds, 0);
  return done(L, km_scratch_file(path, data, size, written, &error), &error);
}

/* scratch_remove(path) -> true; a file or an empty folder */
static int scratch_remove(lua_State *L) {
  km_error error;
  return done(L, km_scratch_remove(km_lua_check_text(L, 1), &error), &error);
}

const luaL_Reg km_lua_scratch_functions[] = {
    {"scratch_begin", scratch_begin},   {"scratch_look", scratch_look},
    {"scratch_folder", scratch_folder}, {"new_file", new_file},
    {"scratch_remove", scratch_remove}, {NULL, NULL},
};
