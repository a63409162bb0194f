/* core.c: the module keymend.core: pure functions, this machine, what is embedded
 *
 * Failure that can happen: nil, message, code, native. Misuse raises.
 */
#include "binding.h"
#include "console.h"
#include "embedded.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FOLDERS 64  /* a root and a volume for every letter */
#define MAX_TRUSTED 256 /* files that the user vouches for */

/* ---- Names and hashes ---- */

static int hash_with(lua_State *L,
                     km_status (*hash)(const char *, char text[KM_HASH_TEXT], km_error *)) {
  char text[KM_HASH_TEXT];
  km_error error;
  if (hash(km_lua_check_text(L, 1), text, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushstring(L, text);
  return 1;
}

/* hash(container) -> 32 hex digits */
static int core_hash(lua_State *L) {
  return hash_with(L, km_container_hash);
}

/* cng_hash(container) -> 32 hex digits */
static int core_cng_hash(lua_State *L) {
  return hash_with(L, km_cng_container_hash);
}

/* known_container(hash) -> name or nil */
static int core_known_container(lua_State *L) {
  lua_pushstring(L, km_known_container(km_lua_check_text(L, 1)));
  return 1;
}

/* unique_name(name) -> {hash, guid, upper}, or nil when it is none */
static int core_unique_name(lua_State *L) {
  size_t length = 0;
  const char *name = luaL_checklstring(L, 1, &length);
  km_unique_name parts;
  if (strlen(name) != length || !km_unique_name_parse(name, &parts))
    return 0;
  lua_createtable(L, 0, 3);
  km_lua_set_text(L, "hash", parts.hash);
  km_lua_set_text(L, "guid", parts.guid);
  km_lua_set_flag(L, "upper", parts.upper);
  return 1;
}

/* guid(raw or nil) -> guid or "", form */
static int core_guid(lua_State *L) {
  char guid[KM_GUID_TEXT];
  km_guid_form form = km_guid_parse(lua_isnoneornil(L, 1) ? NULL : km_lua_check_text(L, 1), guid);
  lua_pushstring(L, guid);
  lua_pushstring(L, km_lua_guid_form(form));
  return 2;
}

/* escape(text) -> text that cannot harm a terminal */
static int core_escape(lua_State *L) {
  char small[256];
  size_t length = 0;
  const char *text = luaL_checklstring(L, 1, &length);
  size_t need = km_escape(text, length, small, sizeof small);
  if (need < sizeof small) {
    lua_pushlstring(L, small, need);
    return 1;
  }
  char *large = lua_newuserdata(L, need + 1);
  km_escape(text, length, large, need + 1);
  lua_pushlstring(L, large, need);
  return 1;
}

/* sha256(text) -> 64 hex digits */
static int core_sha256(lua_State *L) {
  size_t length = 0;
  const char *data = luaL_checklstring(L, 1, &length);
  char text[KM_SHA256_TEXT];
  km_sha256(data, length, text);
  lua_pushstring(L, text);
  return 1;
}

/* match(pattern, name) -> whether the name fits */
static int core_match(lua_State *L) {
  lua_pushboolean(L, km_pattern_match(km_lua_check_text(L, 1), km_lua_check_text(L, 2)));
  return 1;
}

/* status_text(code) -> its meaning, or nil for an unknown code */
static int core_status_text(lua_State *L) {
  const char *id = km_lua_check_text(L, 1);
  for (int status = 0; status < KM_STATUS_COUNT; status++) {
    if (strcmp(id, km_status_id((km_status)status)) == 0) {
      lua_pushstring(L, km_status_text((km_status)status));
      return 1;
    }
  }
  return 0;
}

/* ---- Time ---- */

static int push_both(lua_State *L, km_time time) {
  lua_pushnumber(L, km_time_to_unix(time));
  km_lua_push_ticks(L, time);
  return 2;
}

/* time_now() -> Unix seconds, ticks */
static int core_time_now(lua_State *L) {
  return push_both(L, km_time_now());
}

/* time_text(Unix seconds or ticks as text) -> RFC 3339 in UTC */
static int core_time_text(lua_State *L) {
  const double far = 4e11; /* seconds; beyond what FILETIME holds */
  char text[KM_TIME_TEXT];
  km_time time;
  if (lua_type(L, 1) == LUA_TNUMBER) {
    double seconds = lua_tonumber(L, 1);
    luaL_argcheck(L, seconds > -far && seconds < far, 1, "time out of range");
    int64_t whole = (int64_t)seconds;
    if ((double)whole > seconds)
      whole--; /* the cast goes towards zero */
    time = km_time_from_unix(whole, (uint32_t)((seconds - (double)whole) * 1e9));
  } else {
    time = km_lua_check_ticks(L, 1);
  }
  lua_pushstring(L, km_time_text(time, text));
  return 1;
}

/* time_parse(RFC 3339 with a zone) -> Unix seconds, ticks */
static int core_time_parse(lua_State *L) {
  km_time time = 0;
  const char *text = km_lua_check_text(L, 1);
  if (km_time_parse(text, &time))
    return push_both(L, time);
  lua_pushnil(L);
  lua_pushfstring(L,
                  "\"%s\" is no time with a zone; write it like 2004-09-14T07:08:00Z or "
                  "2004-09-14T09:08:00+02:00",
                  text);
  return 2;
}

/* ---- This machine ---- */

/* host() -> name, "" when it has none */
static int core_host(lua_State *L) {
  char name[KM_MAX_HOST];
  lua_pushstring(L, km_console_host(name));
  return 1;
}

/* is_terminal(0, 1 or 2) -> boolean */
static int core_is_terminal(lua_State *L) {
  lua_pushboolean(L, km_console_is_terminal((int)luaL_checkinteger(L, 1)));
  return 1;
}

/* width() -> columns of the terminal */
static int core_width(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)km_console_width());
  return 1;
}

/* colour() -> whether stdout is a terminal with colours */
static int core_colour(lua_State *L) {
  lua_pushboolean(L, km_console_colour());
  return 1;
}

/* user_is_root() -> boolean */
static int core_user_is_root(lua_State *L) {
  lua_pushboolean(L, km_console_is_root());
  return 1;
}

/* clock() -> seconds since some moment; see km_console_clock */
static int core_clock(lua_State *L) {
  lua_pushnumber(L, km_console_clock() / 1000.0);
  return 1;
}

/* save_file(path, text, {folders}) -> true; the file must not lie in one of the folders */
static int core_save_file(lua_State *L) {
  size_t length = 0, count = 0;
  km_error error;
  const char *path = km_lua_check_text(L, 1);
  const char *text = luaL_checklstring(L, 2, &length);
  const char *const *folders = km_lua_check_texts(L, 3, MAX_FOLDERS, "save_file: folders", &count);
  if (km_console_save(path, text, length, folders, count, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static void free_text(void *text) {
  free(text);
}

/* read_trusted(path, most bytes or nil, {trusted paths}) -> text, the number of the trusted path that was needed or nil.
 * Without a size nothing is read: true takes the text's place. km_console_read_trusted says what is refused. */
static int core_read_trusted(lua_State *L) {
  size_t count = 0, size = 0;
  char *text = NULL;
  int needed = -1;
  km_error error;
  const char *path = km_lua_check_text(L, 1);
  lua_Number max = luaL_optnumber(L, 2, 0);
  luaL_argcheck(L, max >= 0 && max <= 1e9, 2, "size out of range");
  lua_settop(L, 3);
  const char *const *trusted = km_lua_check_texts(L, 3, MAX_TRUSTED, "trusted files", &count);
  bool check_only = lua_isnoneornil(L, 2);
  km_lua_owned *owned = km_lua_own(L, free_text, 0);
  if (km_console_read_trusted(path, (size_t)max, trusted, count, check_only ? NULL : &text, &size,
                              &needed, &error) != KM_OK)
    return km_lua_fail(L, &error);
  owned->object = text;
  if (check_only)
    lua_pushboolean(L, 1);
  else
    lua_pushlstring(L, text, size);
  km_lua_release(owned);
  if (needed < 0)
    return 1;
  lua_pushinteger(L, needed + 1);
  return 2;
}

/* policies_folder() -> the folder of this machine's own policies, "" when there is none */
static int core_policies_folder(lua_State *L) {
  char path[KM_MAX_CONSOLE_PATH];
  lua_pushstring(L, km_console_policies_folder(path));
  return 1;
}

/* The names so far, in C's memory: no Lua call may raise inside the core's callback. */
typedef struct name_list {
  char *text; /* each with its NUL */
  size_t used, room;
} name_list;

static bool add_name(void *user, const char *name) {
  name_list *list = user;
  size_t length = strlen(name) + 1;
  if (length > list->room - list->used) {
    size_t room = 2 * (list->room + length);
    char *larger = realloc(list->text, room);
    if (larger == NULL)
      return false;
    list->text = larger;
    list->room = room;
  }
  memcpy(list->text + list->used, name, length);
  list->used += length;
  return true;
}

/* list_folder(folder, suffix) -> {names of its ordinary files that end so}, in no order */
static int core_list_folder(lua_State *L) {
  name_list list = {NULL, 0, 0};
  km_error error;
  const char *folder = km_lua_check_text(L, 1), *suffix = km_lua_check_text(L, 2);
  km_lua_owned *owned = km_lua_own(L, free_text, 0);
  km_status status = km_console_list(folder, suffix, add_name, &list, &error);
  owned->object = list.text;
  if (status != KM_OK)
    return km_lua_fail(L, &error);
  lua_newtable(L);
  int count = 0;
  for (size_t at = 0; at < list.used; at += strlen(list.text + at) + 1) {
    lua_pushstring(L, list.text + at);
    lua_rawseti(L, -2, ++count);
  }
  km_lua_release(owned);
  return 1;
}

/* ---- What is embedded ---- */

/* embedded_policies() -> {name = source} */
static int core_embedded_policies(lua_State *L) {
  lua_newtable(L);
  for (const km_embedded *policy = km_embedded_policies; policy->name != NULL; policy++) {
    lua_pushlstring(L, policy->data, policy->size);
    lua_setfield(L, -2, policy->name);
  }
  return 1;
}

/* embedded_cases() -> {name = source}: the golden cases */
static int core_embedded_cases(lua_State *L) {
  lua_newtable(L);
  for (const km_embedded *one = km_embedded_cases; one->name != NULL; one++) {
    lua_pushlstring(L, one->data, one->size);
    lua_setfield(L, -2, one->name);
  }
  return 1;
}

/* embedded_modules() -> {names} */
static int core_embedded_modules(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; km_embedded_modules[i].name != NULL; i++) {
    lua_pushstring(L, km_embedded_modules[i].name);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* embedded_module(name) -> source or nil */
static int core_embedded_module(lua_State *L) {
  const char *name = km_lua_check_text(L, 1);
  for (const km_embedded *module = km_embedded_modules; module->name != NULL; module++) {
    if (strcmp(module->name, name) == 0) {
      lua_pushlstring(L, module->data, module->size);
      return 1;
    }
  }
  return 0;
}

static const luaL_Reg functions[] = {
    {"hash", core_hash},
    {"cng_hash", core_cng_hash},
    {"known_container", core_known_container},
    {"unique_name", core_unique_name},
    {"guid", core_guid},
    {"escape", core_escape},
    {"sha256", core_sha256},
    {"match", core_match},
    {"status_text", core_status_text},
    {"time_now", core_time_now},
    {"clock", core_clock},
    {"time_text", core_time_text},
    {"time_parse", core_time_parse},
    {"host", core_host},
    {"is_terminal", core_is_terminal},
    {"width", core_width},
    {"colour", core_colour},
    {"user_is_root", core_user_is_root},
    {"save_file", core_save_file},
    {"read_trusted", core_read_trusted},
    {"policies_folder", core_policies_folder},
    {"list_folder", core_list_folder},
    {"embedded_policies", core_embedded_policies},
    {"embedded_cases", core_embedded_cases},
    {"embedded_modules", core_embedded_modules},
    {"embedded_module", core_embedded_module},
    {"open", km_lua_open},
    {"forbid_writing", km_lua_forbid_writing},
    {"policy_new", km_lua_policy_new},
    {NULL, NULL},
};

int luaopen_keymend_core(lua_State *L) {
  km_lua_register_target(L);
  km_lua_register_keys(L);
  km_lua_register_services(L);
  km_lua_register_proof(L);
  km_lua_register_identities(L);
  km_lua_register_events(L);
  km_lua_register_policy(L);
  lua_newtable(L);
  luaL_register(L, NULL, functions);
  luaL_register(L, NULL, km_lua_scratch_functions);
  km_lua_set_text(L, "version", km_version());
  return 1;
}
