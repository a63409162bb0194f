/* push.c: structs of the core as Lua tables, arguments as C values, ownership of what the core hands out */
#include "binding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define META_OWNED "keymend.owned"
#define DECIMAL_TEXT 24 /* sign, 20 digits and NUL */

/* ---- Ownership ---- */

void km_lua_release(km_lua_owned *owned) {
  void *object = owned->object;
  owned->object = NULL;
  if (object != NULL)
    owned->release(object);
}

static int owned_gc(lua_State *L) {
  km_lua_release(luaL_checkudata(L, 1, META_OWNED));
  return 0;
}

km_lua_owned *km_lua_own(lua_State *L, void (*release)(void *object), size_t extra) {
  km_lua_owned *owned = lua_newuserdata(L, sizeof *owned + extra);
  memset(owned, 0, sizeof *owned + extra);
  owned->release = release;
  if (luaL_newmetatable(L, META_OWNED)) {
    lua_pushcfunction(L, owned_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return owned;
}

void km_lua_register_type(lua_State *L, const char *name, const luaL_Reg *methods,
                          const luaL_Reg *meta) {
  if (luaL_newmetatable(L, name)) {
    luaL_register(L, NULL, meta);
    km_lua_set_text(L, "__name", name); /* for help in the prompt */
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}

/* ---- Fields ---- */

int km_lua_fail(lua_State *L, const km_error *error) {
  lua_pushnil(L);
  lua_pushstring(L, error->message);
  lua_pushstring(L, km_status_id(error->status));
  lua_pushinteger(L, error->native);
  return 4;
}

void km_lua_set_text(lua_State *L, const char *name, const char *text) {
  if (text == NULL)
    return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

void km_lua_set_number(lua_State *L, const char *name, lua_Number number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, name);
}

void km_lua_set_flag(lua_State *L, const char *name, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, name);
}

void km_lua_set_decimal(lua_State *L, const char *name, uint64_t number) {
  char text[DECIMAL_TEXT];
  snprintf(text, sizeof text, "%" PRIu64, number);
  km_lua_set_text(L, name, text);
}

void km_lua_push_ticks(lua_State *L, km_time time) {
  char text[DECIMAL_TEXT];
  snprintf(text, sizeof text, "%" PRId64, time);
  lua_pushstring(L, text);
}

void km_lua_set_time(lua_State *L, const char *name, km_time time) {
  if (time == 0)
    return;
  km_lua_set_number(L, name, km_time_to_unix(time));
  lua_pushfstring(L, "%s_ticks", name);
  km_lua_push_ticks(L, time);
  lua_settable(L, -3);
}

static void push_texts(lua_State *L, char *const *texts, size_t count) {
  lua_newtable(L);
  for (size_t i = 0; texts != NULL && i < count && texts[i] != NULL; i++) {
    lua_pushstring(L, texts[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

void km_lua_set_texts(lua_State *L, const char *name, char *const *texts) {
  push_texts(L, texts, SIZE_MAX);
  lua_setfield(L, -2, name);
}

/* The same for arrays of constant texts, which C does not take for the other kind. */
static void set_names(lua_State *L, const char *name, const char *const *texts) {
  lua_newtable(L);
  for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
    lua_pushstring(L, texts[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, name);
}

/* ---- Words for numbers ---- */

const char *km_lua_class(km_name_class kind) {
  static const char *const words[] = {"current", "foreign", "stray"};
  return words[kind];
}

const char *km_lua_guid_form(km_guid_form form) {
  static const char *const words[] = {"absent", "plain", "case", "braces", "malformed"};
  return words[form];
}

static const char *start_word(int32_t start) {
  static const char *const words[] = {"boot", "system", "automatic", "manual", "disabled"};
  return start >= 0 && start <= 4 ? words[start] : "unknown";
}

void km_lua_push_lower(lua_State *L, const char *text, size_t length) {
  luaL_Buffer lower;
  luaL_buffinit(L, &lower);
  for (size_t i = 0; i < length; i++)
    luaL_addchar(&lower, (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]));
  luaL_pushresult(&lower);
}

/* ---- Target ---- */

static void push_hives(lua_State *L, const km_target_info *info) {
  lua_createtable(L, (int)info->hive_count, 0);
  for (size_t i = 0; i < info->hive_count; i++) {
    const km_hive_info *hive = &info->hives[i];
    lua_createtable(L, 0, 5);
    km_lua_set_text(L, "name", hive->name);
    km_lua_set_text(L, "path", hive->path);
    km_lua_set_number(L, "sequence1", hive->sequence1);
    km_lua_set_number(L, "sequence2", hive->sequence2);
    km_lua_set_flag(L, "dirty", hive->dirty);
    if (hive->dirty)
      km_lua_set_flag(L, "replayed", hive->replayed);
    km_lua_set_text(L, "replay", hive->replay);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

static void push_old_guids(lua_State *L, const km_target_info *info) {
  lua_createtable(L, (int)info->old_guid_count, 0);
  for (size_t i = 0; i < info->old_guid_count; i++) {
    const km_old_guid *old = &info->old_guids[i];
    lua_createtable(L, 0, 6);
    km_lua_set_text(L, "guid", old->guid);
    km_lua_set_text(L, "path", old->path);
    km_lua_set_time(L, "written", old->written);
    km_lua_set_time(L, "saved", old->saved);
    if (old->before_logs)
      km_lua_set_flag(L, "before_logs", true);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

/* Sets `capabilities`, the rows, and `can`, the same as a map from id to true. */
static void set_capabilities(lua_State *L, const km_target_info *info) {
  lua_createtable(L, (int)info->capability_count, 0);
  lua_newtable(L);
  for (size_t i = 0; i < info->capability_count; i++) {
    const km_capability *row = &info->capabilities[i];
    if (row->available)
      km_lua_set_flag(L, row->id, true);
    lua_createtable(L, 0, 3);
    km_lua_set_text(L, "id", row->id);
    km_lua_set_flag(L, "available", row->available);
    km_lua_set_text(L, "text", row->text);
    lua_rawseti(L, -3, (int)i + 1);
  }
  lua_setfield(L, -3, "can");
  lua_setfield(L, -2, "capabilities");
}

void km_lua_push_info(lua_State *L, const km_target_info *info) {
  lua_newtable(L);
  km_lua_set_text(L, "backend", info->backend);
  km_lua_set_text(L, "root", info->root);
  km_lua_set_text(L, "driver", info->driver);
  km_lua_set_text(L, "windows", info->windows);
  km_lua_set_text(L, "product", info->product);
  km_lua_set_text(L, "version", info->version);
  km_lua_set_text(L, "build", info->build);
  km_lua_set_text(L, "service_pack", info->service_pack);
  km_lua_set_text(L, "computer", info->computer);
  km_lua_set_time(L, "installed", info->installed);
  km_lua_set_text(L, "machine_guid", info->machine_guid);
  km_lua_set_text(L, "guid_form", km_lua_guid_form(info->guid_form));
  km_lua_set_text(L, "guid", info->guid);
  km_lua_set_time(L, "guid_written", info->guid_written);
  km_lua_set_text(L, "app_data", info->app_data);
  km_lua_set_text(L, "key_store", info->key_store);
  km_lua_set_flag(L, "key_store_found", info->key_store_found);
  km_lua_set_text(L, "key_store_problem", info->key_store_problem);
  push_hives(L, info);
  lua_setfield(L, -2, "hives");
  push_old_guids(L, info);
  lua_setfield(L, -2, "old_guids");
  set_capabilities(L, info);
}

/* ---- Key store ---- */

static void set_matches(lua_State *L, const km_survey *survey, const char *const *hashes) {
  lua_createtable(L, (int)survey->match_count, 0);
  for (size_t i = 0; i < survey->match_count; i++) {
    const km_match *match = &survey->matches[i];
    lua_createtable(L, 0, 3);
    km_lua_set_text(L, "name", match->name);
    km_lua_set_text(L, "class", km_lua_class(match->kind));
    km_lua_push_lower(L, hashes[match->hash], strlen(hashes[match->hash]));
    lua_setfield(L, -2, "hash");
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "matches");
}

void km_lua_push_survey(lua_State *L, const km_survey *survey, const char *const *hashes) {
  lua_newtable(L);
  set_matches(L, survey, hashes);
  km_lua_set_number(L, "files", (lua_Number)survey->files);
  km_lua_set_number(L, "current", (lua_Number)survey->current);
  km_lua_set_number(L, "foreign", (lua_Number)survey->foreign);
  km_lua_set_number(L, "stray", (lua_Number)survey->stray);
  km_lua_set_number(L, "other_guids", (lua_Number)survey->other_guids);
  km_lua_set_flag(L, "truncated", survey->truncated);
  lua_createtable(L, (int)survey->guid_count, 0);
  for (size_t i = 0; i < survey->guid_count; i++) {
    lua_createtable(L, 0, 2);
    km_lua_set_text(L, "guid", survey->guids[i].guid);
    km_lua_set_number(L, "files", (lua_Number)survey->guids[i].files);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "guids");
}

static void set_modulus(lua_State *L, const km_public_key *key) {
  static const char digits[] = "0123456789abcdef";
  size_t size = key->bits / 8 <= KM_MAX_MODULUS ? key->bits / 8 : KM_MAX_MODULUS;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (size_t i = size; i-- > 0;) { /* people write the highest byte first */
    luaL_addchar(&text, digits[key->modulus[i] >> 4]);
    luaL_addchar(&text, digits[key->modulus[i] & 15]);
  }
  luaL_pushresult(&text);
  lua_setfield(L, -2, "modulus");
}

static void set_public_key(lua_State *L, const char *name, const km_public_key *key) {
  if (!key->present)
    return;
  lua_createtable(L, 0, 5);
  km_lua_set_number(L, "bits", key->bits);
  km_lua_set_number(L, "exponent", key->exponent);
  set_modulus(L, key);
  km_lua_set_text(L, "master_key", key->master_key);
  km_lua_set_text(L, "export_master_key", key->export_master_key);
  lua_setfield(L, -2, name);
}

static void set_file(lua_State *L, const km_file_info *file) {
  km_lua_set_number(L, "size", (lua_Number)file->size);
  km_lua_set_decimal(L, "identity", file->identity);
  km_lua_set_decimal(L, "device", file->device);
  km_lua_set_time(L, "created", file->created);
  km_lua_set_text(L, "created_source", km_time_source_id(file->created_source));
  km_lua_set_time(L, "written", file->written);
  km_lua_set_number(L, "attributes", file->attributes);
  km_lua_set_number(L, "links", file->links);
  km_lua_set_flag(L, "regular", file->regular);
  km_lua_set_flag(L, "reparse", file->reparse);
  km_lua_set_text(L, "owner", file->owner);
  km_lua_set_flag(L, "owner_trusted", file->owner_trusted);
}

void km_lua_push_file(lua_State *L, const km_file_info *file) {
  lua_createtable(L, 0, 16);
  set_file(L, file);
}

void km_lua_push_key(lua_State *L, const char *name, const char *guid, const km_key_info *key) {
  km_unique_name parts;
  lua_newtable(L);
  km_lua_set_text(L, "name", name);
  km_lua_set_text(L, "class", km_lua_class(km_name_classify(name, strlen(name), guid)));
  if (km_unique_name_parse(name, &parts)) {
    km_lua_set_text(L, "hash", parts.hash);
    km_lua_set_text(L, "guid", parts.guid);
    km_lua_set_flag(L, "upper", parts.upper);
  }
  set_file(L, &key->file);
  if (key->sha256[0] != '\0')
    km_lua_set_text(L, "sha256", key->sha256);
  km_lua_set_text(L, "status", km_status_id(key->parse_status));
  if (key->damage[0] != '\0')
    km_lua_set_text(L, "damage", key->damage);
  km_lua_set_flag(L, "cng", key->cng);
  km_lua_set_text(L, "container", key->key.container);
  km_lua_set_text(L, "container_hash", key->key.container_hash);
  km_lua_set_number(L, "version", key->key.version);
  km_lua_set_flag(L, "keyless", key->key.keyless);
  set_public_key(L, "signature", &key->key.signature);
  set_public_key(L, "exchange", &key->key.exchange);
}

/* ---- Services ---- */

void km_lua_push_service(lua_State *L, const km_service *service) {
  const int32_t drivers =
      0x0f; /* kernel, file system, adapter, recognizer: SERVICE_DRIVER and kin */
  lua_createtable(L, 0, 10);
  km_lua_set_text(L, "name", service->name);
  km_lua_set_text(L, "display", service->display);
  km_lua_set_text(L, "group", service->group);
  km_lua_set_text(L, "account", service->account);
  km_lua_set_text(L, "start", start_word(service->start));
  km_lua_set_number(L, "type", service->type);
  km_lua_set_flag(L, "driver", service->type >= 0 && (service->type & drivers) != 0);
  set_names(L, "depends", service->depends);
  set_names(L, "depends_groups", service->depends_groups);
}

void km_lua_set_service_status(lua_State *L, const km_service_status *status) {
  static const char *const words[] = {
      NULL,      "stopped",          "start-pending", "stop-pending",
      "running", "continue-pending", "pause-pending", "paused"};
  if (status->state == 0 || status->state >= sizeof words / sizeof words[0])
    return;
  km_lua_set_text(L, "state", words[status->state]);
  if (status->state == 1) {
    km_lua_set_number(L, "exit_code", status->exit_code);
    km_lua_set_number(L, "specific_code", status->specific_code);
  } else {
    km_lua_set_flag(L, "stoppable", status->stoppable);
    km_lua_set_time(L, "started", status->started);
  }
}

static void set_services(lua_State *L, const char *name, const km_service **services,
                         size_t count) {
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, services[i]->name);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, name);
}

void km_lua_push_order(lua_State *L, const km_service_order *order) {
  lua_createtable(L, 0, 4);
  set_services(L, "stop", order->stop, order->stop_count);
  set_services(L, "start", order->start, order->start_count);
  push_texts(L, order->cycles, order->cycle_count);
  lua_setfield(L, -2, "cycles");
  push_texts(L, order->missing, order->missing_count);
  lua_setfield(L, -2, "missing");
}

/* ---- Transactions ---- */

void km_lua_push_entry(lua_State *L, const km_access_entry *entry) {
  static const char *const types[] = {"allow", "deny"};
  lua_createtable(L, 0, 4);
  km_lua_set_text(L, "type", entry->type <= KM_ACCESS_DENY ? types[entry->type] : "other");
  km_lua_set_number(L, "flags", entry->flags);
  km_lua_set_number(L, "mask", entry->mask);
  km_lua_set_text(L, "sid", entry->sid);
}

/* What a grant added: {{type, flags, mask, sid}}. */
static void set_added(lua_State *L, const km_txn_file *file) {
  lua_createtable(L, (int)file->added_count, 0);
  for (size_t i = 0; i < file->added_count; i++) {
    km_lua_push_entry(L, &file->added[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "added");
}

static void push_txn_file(lua_State *L, const km_txn_file *file) {
  lua_createtable(L, 0, 11);
  km_lua_set_text(L, "container", file->container);
  km_lua_set_text(L, "before", file->before);
  km_lua_set_text(L, "after", file->after);
  km_lua_set_text(L, "reason", file->reason);
  km_lua_set_text(L, "sha256", file->sha256);
  km_lua_set_number(L, "size", (lua_Number)file->size);
  km_lua_set_time(L, "created", file->created);
  km_lua_set_time(L, "written", file->written);
  if (file->added != NULL)
    set_added(L, file);
}

void km_lua_push_txn(lua_State *L, const km_txn *txn) {
  lua_newtable(L);
  km_lua_set_text(L, "id", txn->id);
  km_lua_set_text(L, "state", km_txn_state_id(txn->state));
  km_lua_set_text(L, "result", km_txn_state_id(txn->result));
  km_lua_set_time(L, "begun", txn->begun);
  km_lua_set_time(L, "ended", txn->ended);
  km_lua_set_text(L, "vault", txn->vault);
  km_lua_set_text(L, "key_store", txn->key_store);
  km_lua_set_text(L, "policies", txn->policies);
  km_lua_set_text(L, "overrides", txn->overrides);
  km_lua_set_text(L, "machine_guid", txn->machine_guid);
  km_lua_set_text(L, "guid_before", txn->guid_before);
  km_lua_set_text(L, "guid_after", txn->guid_after);
  km_lua_set_text(L, "made_by", txn->made_by);
  km_lua_set_text(L, "problem", txn->problem);
  if (txn->problem_status != KM_OK)
    km_lua_set_text(L, "problem_code", km_status_id(txn->problem_status));
  km_lua_set_texts(L, "stop", txn->stop);
  km_lua_set_texts(L, "start", txn->start);
  lua_createtable(L, (int)txn->file_count, 0);
  for (size_t i = 0; i < txn->file_count; i++) {
    push_txn_file(L, &txn->files[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "files");
}

/* ---- Arguments ---- */

const char *km_lua_check_text(lua_State *L, int index) {
  size_t length = 0;
  luaL_checktype(L, index, LUA_TSTRING);
  const char *text = lua_tolstring(L, index, &length);
  luaL_argcheck(L, strlen(text) == length, index, "text without NUL bytes expected");
  return text;
}

bool km_lua_decimal(const char *text, uint64_t *out) {
  uint64_t number = 0;
  if (*text == '\0')
    return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9')
      return false;
    uint64_t digit = (uint64_t)(*text - '0');
    if (number > (UINT64_MAX - digit) / 10)
      return false;
    number = number * 10 + digit;
  }
  *out = number;
  return true;
}

km_time km_lua_check_ticks(lua_State *L, int index) {
  uint64_t ticks = 0;
  luaL_argcheck(L, km_lua_decimal(km_lua_check_text(L, index), &ticks) && ticks <= INT64_MAX, index,
                "time as decimal text (FILETIME ticks) expected");
  return (km_time)ticks;
}

const char *const *km_lua_check_texts(lua_State *L, int index, size_t max, const char *what,
                                      size_t *count) {
  if (lua_type(L, index) != LUA_TTABLE)
    luaL_error(L, "%s: array of texts expected, got %s", what, luaL_typename(L, index));
  size_t length = lua_objlen(L, index);
  if (length > max)
    luaL_error(L, "%s: more than %d texts", what, (int)max);
  lua_createtable(L, (int)length, 0); /* keeps the texts when the array is changed */
  const char **texts = lua_newuserdata(L, (length + 1) * sizeof *texts);
  for (size_t i = 0; i < length; i++) {
    size_t size = 0;
    lua_rawgeti(L, index, (int)i + 1);
    texts[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
    if (texts[i] == NULL || strlen(texts[i]) != size)
      luaL_error(L, "%s[%d]: text without NUL bytes expected, got %s", what, (int)i + 1,
                 luaL_typename(L, -1));
    lua_rawseti(L, -3, (int)i + 1);
  }
  texts[length] = NULL;
  *count = length;
  return texts;
}
