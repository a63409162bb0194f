/* keys.c: keymend.keys, a walk over a key store's names in constant memory
 *
 *   for name, class, hash, guid in target:keys() do ... end
 *
 * class is "current", "foreign" or "stray"; a stray name has neither hash nor guid. The walk closes itself at
 * its end; a walk that cannot go on raises, since a loop has no place for a message.
 */
#include "binding.h"

#define HASH_LENGTH (KM_HASH_TEXT - 1)
#define GUID_LENGTH (KM_GUID_TEXT - 1)

typedef struct keys_box {
  km_lua_child child; /* first: km_lua_child * is keys_box * */
  km_scan *scan;
} keys_box;

static void release_keys(km_lua_child *child) {
  keys_box *keys = (keys_box *)child;
  km_scan_close(keys->scan);
  keys->scan = NULL;
}

/* target:keys(kind) -> keymend.keys; kind is "rsa" (default), "cng" or "cng-system" */
int km_lua_target_keys(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_store_kind kind = km_lua_check_kind(L, 2);
  km_error error;
  keys_box *keys = lua_newuserdata(L, sizeof *keys);
  *keys = (keys_box){.scan = NULL};
  luaL_getmetatable(L, KM_META_KEYS);
  lua_setmetatable(L, -2);
  km_lua_adopt_child(L, &keys->child, 1, release_keys);
  if (km_scan_open(self->target, kind, &keys->scan, &error) != KM_OK) {
    keys->scan = NULL;
    km_lua_close_child(&keys->child);
    return km_lua_fail(L, &error);
  }
  return 1;
}

static void check_parent(lua_State *L, const keys_box *keys) {
  if (keys->child.parent->target == NULL)
    luaL_error(L, "the target of these keys is closed");
  if (keys->child.parent->busy)
    luaL_error(L, "the target of these keys is in use by apply, undo or recover");
}

/* One step of the loop. */
static int keys_next(lua_State *L) {
  keys_box *keys = luaL_checkudata(L, 1, KM_META_KEYS);
  km_scan_entry entry;
  km_error error;
  check_parent(L, keys);
  if (!keys->child.open)
    return luaL_error(L,
                      "these keys are closed, or their walk has ended: call target:keys() again");
  km_status status = km_scan_next(keys->scan, &entry, &error);
  if (status != KM_OK) {
    km_lua_close_child(&keys->child);
    return status == KM_END ? 0 : luaL_error(L, "%s", error.message);
  }
  lua_pushlstring(L, entry.name, entry.length);
  lua_pushstring(L, km_lua_class(entry.kind));
  if (entry.kind == KM_NAME_STRAY)
    return 2;
  km_lua_push_lower(L, entry.name, HASH_LENGTH);
  km_lua_push_lower(L, entry.name + HASH_LENGTH + 1, GUID_LENGTH);
  return 4;
}

static int keys_close(lua_State *L) {
  keys_box *keys = luaL_checkudata(L, 1, KM_META_KEYS);
  km_lua_close_child(&keys->child);
  return 0;
}

static int keys_tostring(lua_State *L) {
  const keys_box *keys = luaL_checkudata(L, 1, KM_META_KEYS);
  lua_pushstring(L, keys->child.open ? "keymend.keys" : "keymend.keys (closed)");
  return 1;
}

void km_lua_register_keys(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"close", keys_close},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__call", keys_next},
      {"__gc", keys_close},
      {"__tostring", keys_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_KEYS, methods, meta);
}
