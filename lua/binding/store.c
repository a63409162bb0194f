/* store.c: what keymend.target reads of the key store, master keys and the registry */
#include "binding.h"

#include <stdio.h>
#include <string.h>

#define MAX_HASHES 10000 /* containers asked for in one survey */

/* ---- Key store ---- */

km_store_kind km_lua_check_kind(lua_State *L, int index) {
  static const char *const words[] = {"rsa", "cng", "cng-system", NULL};
  static const km_store_kind kinds[] = {KM_STORE_RSA, KM_STORE_CNG, KM_STORE_CNG_SYSTEM};
  return kinds[luaL_checkoption(L, index, "rsa", words)];
}

static void release_survey(void *object) {
  km_survey_free(object);
}

/* target:survey{hashes} -> {files, current, foreign, stray, guids, other_guids, matches, truncated} */
static int target_survey(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  size_t count = 0;
  km_survey *survey = NULL;
  km_error error;
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  const char *const *hashes = km_lua_check_texts(L, 2, MAX_HASHES, "survey: hashes", &count);
  km_lua_owned *owned = km_lua_own(L, release_survey, 0);
  if (km_survey_store(self->target, hashes, count, &survey, &error) != KM_OK)
    return km_lua_fail(L, &error);
  owned->object = survey;
  km_lua_push_survey(L, survey, hashes);
  km_lua_release(owned);
  return 1;
}

/* target:inspect(name, kind) -> key */
static int target_inspect(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *name = km_lua_check_text(L, 2);
  km_store_kind kind = km_lua_check_kind(L, 3);
  km_error error;
  km_key_info *key = lua_newuserdata(L, sizeof *key);
  memset(key, 0, sizeof *key);
  if (km_key_inspect(self->target, kind, name, key, &error) != KM_OK)
    return km_lua_fail(L, &error);
  const char *guid = km_target_describe(self->target)->guid;
  km_lua_push_key(L, name, guid[0] != '\0' ? guid : NULL, key);
  return 1;
}

/* target:access(name, kind) -> {owner, protected, open, truncated, sha256, entries = {{type, flags, mask, sid}}} */
static int target_access(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *name = km_lua_check_text(L, 2);
  km_store_kind kind = km_lua_check_kind(L, 3);
  km_error error;
  km_access *access = lua_newuserdata(L, sizeof *access);
  if (km_key_access(self->target, kind, name, access, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_createtable(L, 0, 6);
  km_lua_set_text(L, "sha256", access->sha256);
  lua_pushstring(L, access->owner);
  lua_setfield(L, -2, "owner");
  lua_pushboolean(L, access->is_protected);
  lua_setfield(L, -2, "protected");
  lua_pushboolean(L, access->open);
  lua_setfield(L, -2, "open");
  lua_pushboolean(L, access->truncated);
  lua_setfield(L, -2, "truncated");
  lua_createtable(L, (int)access->count, 0);
  for (size_t i = 0; i < access->count; i++) {
    km_lua_push_entry(L, &access->entries[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "entries");
  return 1;
}

/* target:master_key_present(guid) -> boolean */
static int target_master_key_present(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  bool present = false;
  km_error error;
  if (km_master_key_present(self->target, km_lua_check_text(L, 2), &present, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushboolean(L, present);
  return 1;
}

/* target:master_key(guid) -> {size, created, created_source, written, owner, ...} */
static int target_master_key(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_file_info file;
  km_error error;
  if (km_master_key_info(self->target, km_lua_check_text(L, 2), &file, &error) != KM_OK)
    return km_lua_fail(L, &error);
  km_lua_push_file(L, &file);
  return 1;
}

/* ---- Registry ---- */

enum { TYPE_SZ = 1, TYPE_EXPAND_SZ = 2, TYPE_DWORD = 4, TYPE_MULTI_SZ = 7, TYPE_COUNT = 12 };

static void push_type_name(lua_State *L, uint32_t type) {
  static const char *const names[TYPE_COUNT] = {
      "REG_NONE",
      "REG_SZ",
      "REG_EXPAND_SZ",
      "REG_BINARY",
      "REG_DWORD",
      "REG_DWORD_BIG_ENDIAN",
      "REG_LINK",
      "REG_MULTI_SZ",
      "REG_RESOURCE_LIST",
      "REG_FULL_RESOURCE_DESCRIPTOR",
      "REG_RESOURCE_REQUIREMENTS_LIST",
      "REG_QWORD",
  };
  char number[16];
  snprintf(number, sizeof number, "%u", (unsigned)type);
  lua_pushstring(L, type < TYPE_COUNT ? names[type] : number);
}

static void push_lines(lua_State *L, const char *text) {
  lua_newtable(L);
  for (int count = 1; *text != '\0'; count++) {
    size_t length = strcspn(text, "\n");
    lua_pushlstring(L, text, length);
    lua_rawseti(L, -2, count);
    text += length + (text[length] == '\n');
  }
}

static void push_value(lua_State *L, const km_registry_value *value) {
  if (value->type == TYPE_MULTI_SZ && value->text != NULL)
    push_lines(L, value->text);
  else if (value->text != NULL)
    lua_pushstring(L, value->text);
  else if (value->type == TYPE_DWORD && value->size == 4)
    lua_pushnumber(L, value->data[0] + 256.0 * value->data[1] + 65536.0 * value->data[2] +
                          16777216.0 * value->data[3]);
  else
    lua_pushlstring(L, (const char *)value->data, value->data != NULL ? value->size : 0);
}

static void release_value(void *object) {
  km_registry_value_free(object);
}

/* Whether a path leads into the hive SECURITY, whose values are no scripts' business. */
static bool is_secret(const char *key) {
  char hive[16];
  key += strspn(key, "\\");
  size_t length = strcspn(key, "\\");
  if (length >= sizeof hive)
    return false;
  memcpy(hive, key, length);
  hive[length] = '\0';
  return km_pattern_match("SECURITY", hive);
}

/* target:registry(key, value) -> text | number (REG_DWORD) | array (REG_MULTI_SZ) | bytes, type name */
static int target_registry(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *key = km_lua_check_text(L, 2);
  const char *name = lua_isnoneornil(L, 3) ? NULL : km_lua_check_text(L, 3);
  km_error error;
  km_registry_value *value = NULL;
  if (is_secret(key)) {
    error = (km_error){KM_REFUSED, 0,
                       "the values of the hive SECURITY are secrets of Windows; keymend "
                       "does not hand them to scripts"};
    return km_lua_fail(L, &error);
  }
  km_lua_owned *owned = km_lua_own(L, release_value, sizeof *value);
  value = (km_registry_value *)(owned + 1);
  if (km_registry_read(self->target, key, name, value, &error) != KM_OK)
    return km_lua_fail(L, &error);
  owned->object = value;
  push_value(L, value);
  push_type_name(L, value->type);
  km_lua_release(owned);
  return 2;
}

/* What the walk over subkeys needs to call Lua: two functions' stack slots and one subkey. */
typedef struct walk {
  lua_State *L;
  int add, list;
  const char *name;
  km_time written;
  bool failed; /* the error is at the top of the stack */
} walk;

/* Appends one subkey to the list; the protected part of the callback. */
static int add_subkey(lua_State *L) {
  const walk *at = lua_touserdata(L, 2);
  lua_createtable(L, 0, 3);
  km_lua_set_text(L, "name", at->name);
  km_lua_set_time(L, "written", at->written);
  lua_rawseti(L, 1, (int)lua_objlen(L, 1) + 1);
  return 0;
}

static bool each_subkey(void *user, const char *name, km_time written) {
  walk *at = user;
  at->name = name;
  at->written = written;
  lua_pushvalue(at->L, at->add);
  lua_pushvalue(at->L, at->list);
  lua_pushlightuserdata(at->L, at);
  at->failed = lua_pcall(at->L, 2, 0, 0) != 0;
  return !at->failed;
}

/* target:registry_keys(key) -> {{name, written}, ...} */
static int target_registry_keys(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *key = km_lua_check_text(L, 2);
  km_error error;
  lua_settop(L, 2);
  lua_pushcfunction(L, add_subkey);
  lua_newtable(L);
  walk at = {.L = L, .add = 3, .list = 4};
  km_status status = km_registry_keys(self->target, key, each_subkey, &at, &error);
  if (at.failed)
    return lua_error(L);
  if (status != KM_OK)
    return km_lua_fail(L, &error);
  lua_settop(L, 4);
  return 1;
}

const luaL_Reg km_lua_store_methods[] = {
    {"survey", target_survey},
    {"inspect", target_inspect},
    {"access", target_access},
    {"master_key_present", target_master_key_present},
    {"master_key", target_master_key},
    {"registry", target_registry},
    {"registry_keys", target_registry_keys},
    {NULL, NULL},
};
