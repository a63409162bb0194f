/* target.c: keymend.target, one Windows installation
 *
 * core.open{root =, volumes = {D = "dir"}, times =, windows =, write =}. Closing a target closes what its
 * children hold of it; they stay as objects that say so when they are used.
 */
#include "binding.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_VOLUMES 26
#define WRITING_FORBIDDEN "keymend.writing_forbidden" /* in the registry */

/* ---- Life ---- */

km_lua_target *km_lua_check_target(lua_State *L, int index) {
  km_lua_target *self = luaL_checkudata(L, index, KM_META_TARGET);
  if (self->target == NULL)
    luaL_error(L, "the target is closed");
  if (self->busy)
    luaL_error(L, "the target is in use by apply, undo or recover, whose progress function must "
                  "leave it alone");
  return self;
}

void km_lua_adopt_child(lua_State *L, km_lua_child *child, int parent,
                        void (*release)(km_lua_child *child)) {
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, parent);
  lua_rawseti(L, -2, 1);
  lua_setfenv(L, -2); /* pins the parent */
  child->parent = lua_touserdata(L, parent);
  child->release = release;
  child->open = true;
  child->previous = NULL;
  child->next = child->parent->children;
  if (child->next != NULL)
    child->next->previous = child;
  child->parent->children = child;
}

void km_lua_close_child(km_lua_child *child) {
  if (!child->open)
    return;
  child->open = false;
  if (child->previous != NULL)
    child->previous->next = child->next;
  else
    child->parent->children = child->next;
  if (child->next != NULL)
    child->next->previous = child->previous;
  child->release(child);
}

static void close_target(km_lua_target *self) {
  while (self->children != NULL)
    km_lua_close_child(self->children);
  km_target_close(self->target);
  self->target = NULL;
}

static int target_gc(lua_State *L) {
  close_target(luaL_checkudata(L, 1, KM_META_TARGET));
  return 0;
}

/* target:close(); may be called again */
static int target_close(lua_State *L) {
  km_lua_target *self = luaL_checkudata(L, 1, KM_META_TARGET);
  if (self->target != NULL)
    close_target(km_lua_check_target(L, 1));
  return 0;
}

static int target_tostring(lua_State *L) {
  const km_lua_target *self = luaL_checkudata(L, 1, KM_META_TARGET);
  if (self->target == NULL) {
    lua_pushliteral(L, "keymend.target (closed)");
    return 1;
  }
  char windows[256];
  const km_target_info *info = km_target_describe(self->target);
  km_escape(info->windows, strlen(info->windows), windows, sizeof windows);
  lua_pushfstring(L, "keymend.target (%s, %s)", info->backend, windows);
  return 1;
}

/* ---- Opening ---- */

/* The text of the field, or NULL when it is absent. The options table keeps it alive. */
static const char *option_text(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  if (!lua_isnil(L, -1)) {
    size_t length = 0;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
    if (text == NULL || strlen(text) != length)
      luaL_error(L, "open: %s must be a text without NUL bytes, not a %s", name,
                 luaL_typename(L, -1));
    lua_pop(L, 1);
    return text;
  }
  lua_pop(L, 1);
  return NULL;
}

/* Reads volumes = {D = "dir"}; "D:" is a letter too. */
static size_t option_volumes(lua_State *L, km_volume_option out[MAX_VOLUMES]) {
  size_t count = 0;
  lua_getfield(L, 1, "volumes");
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return 0;
  }
  if (!lua_istable(L, -1))
    luaL_error(L, "open: volumes must be a table such as {D = \"/mnt/d\"}, not a %s",
               luaL_typename(L, -1));
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    const char *letter = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    bool is_letter =
        isalpha((unsigned char)letter[0]) && (letter[1] == '\0' || strcmp(letter + 1, ":") == 0);
    if (!is_letter || lua_type(L, -1) != LUA_TSTRING || count == MAX_VOLUMES)
      luaL_error(L, "open: volumes must give a folder for each drive letter: {D = \"/mnt/d\"}");
    out[count].letter = (char)toupper((unsigned char)letter[0]);
    out[count++].folder = lua_tostring(L, -1);
  }
  lua_pop(L, 1);
  return count;
}

static bool option_write(lua_State *L) {
  lua_getfield(L, 1, "write");
  bool write = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return write;
}

int km_lua_forbid_writing(lua_State *L) {
  lua_pushboolean(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, WRITING_FORBIDDEN);
  return 0;
}

static bool writing_forbidden(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, WRITING_FORBIDDEN);
  bool forbidden = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return forbidden;
}

/* open(options) -> keymend.target, or nil, message, code, native */
int km_lua_open(lua_State *L) {
  km_volume_option volumes[MAX_VOLUMES];
  km_error error;
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  km_target_options options = {
      .root = option_text(L, "root"),
      .volumes = volumes,
      .volume_count = option_volumes(L, volumes),
      .times_file = option_text(L, "times"),
      .windows = option_text(L, "windows"),
  };
  bool write = option_write(L);
  if (write && writing_forbidden(L)) {
    lua_pushnil(L);
    lua_pushliteral(L, "this session is read-only; start keymend with --write to change a target");
    lua_pushliteral(L, "read-only-target");
    return 3;
  }
  km_lua_target *self = lua_newuserdata(L, sizeof *self);
  *self = (km_lua_target){.write = write};
  luaL_getmetatable(L, KM_META_TARGET);
  lua_setmetatable(L, -2);
  if (km_target_open(&options, &self->target, &error) != KM_OK) {
    self->target = NULL;
    return km_lua_fail(L, &error);
  }
  return 1;
}

/* target:info() -> table; see km_target_info */
static int target_info(lua_State *L) {
  km_lua_push_info(L, km_target_describe(km_lua_check_target(L, 1)->target));
  return 1;
}

void km_lua_register_target(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"info", target_info},
      {"close", target_close},
      {"keys", km_lua_target_keys},
      {"services", km_lua_target_services},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", target_gc},
      {"__tostring", target_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_TARGET, methods, meta);
  luaL_getmetatable(L, KM_META_TARGET);
  lua_getfield(L, -1, "__index");
  luaL_register(L, NULL, km_lua_store_methods);
  luaL_register(L, NULL, km_lua_transaction_methods);
  luaL_register(L, NULL, km_lua_event_methods);
  luaL_register(L, NULL, km_lua_version_methods);
  luaL_register(L, NULL, km_lua_proof_methods);
  luaL_register(L, NULL, km_lua_identity_methods);
  lua_pop(L, 2);
}
