/* events.c: keymend.events, a reading of one event log, and the trial of a key container
 *
 *   for event in target:events("System", {source = "W3SVC", ids = {116}}) do ... end
 *
 * The filter: source, ids (array of numbers), from and to (Unix seconds, or FILETIME ticks as decimal text), text,
 * oldest_first; all may be left out, and so may the filter. The walk closes itself at its end; a walk that cannot go on
 * raises, since a loop has no place for a message.
 */
#include "binding.h"

#include <stdio.h>
#include <string.h>

#define MAX_IDS 1024
#define MAX_ID 0xFFFF

typedef struct events_box {
  km_lua_child child; /* first: km_lua_child * is events_box * */
  km_events *events;
  lua_Number damaged; /* once it is closed */
  char problem[512];  /* the same; "": none */
} events_box;

static const char *problem_of(km_events *events) {
  const char *problem = km_events_problem(events);
  return problem != NULL ? problem : "";
}

static void release_events(km_lua_child *child) {
  events_box *box = (events_box *)child;
  if (box->events != NULL) {
    box->damaged = (lua_Number)km_events_damaged(box->events);
    (void)snprintf(box->problem, sizeof box->problem, "%s", problem_of(box->events));
  }
  km_events_close(box->events);
  box->events = NULL;
}

/* ---- The filter ---- */

/* The text of a field, or NULL; the filter's table keeps it alive. */
static const char *filter_text(lua_State *L, int index, const char *name) {
  size_t length = 0;
  lua_getfield(L, index, name);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (!lua_isnil(L, -1) && (text == NULL || strlen(text) != length))
    luaL_error(L, "events: %s must be a text without NUL bytes, not a %s", name,
               luaL_typename(L, -1));
  lua_pop(L, 1);
  return text;
}

/* Unix seconds, or ticks as decimal text. */
static km_time filter_time(lua_State *L, int index, const char *name) {
  km_time time = 0;
  uint64_t ticks = 0;
  lua_getfield(L, index, name);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    lua_Number seconds = lua_tonumber(L, -1);
    /* What no FILETIME can say must not reach the conversion. */
    if (seconds >= -1e11 && seconds <= 1e12)
      time = km_time_from_unix((int64_t)seconds, 0);
    if (time == 0)
      luaL_error(L, "events: %s is no time", name);
  } else if (!lua_isnil(L, -1)) {
    const char *text = lua_tostring(L, -1);
    if (text == NULL || !km_lua_decimal(text, &ticks) || ticks == 0 || ticks > INT64_MAX)
      luaL_error(L, "events: %s must be Unix seconds or FILETIME ticks as decimal text", name);
    time = (km_time)ticks;
  }
  lua_pop(L, 1);
  return time;
}

/* The ids in a userdata, which stays on the stack; *count is how many. */
static const uint32_t *filter_ids(lua_State *L, int index, size_t *count) {
  lua_getfield(L, index, "ids");
  if (!lua_isnil(L, -1) && !lua_istable(L, -1))
    luaL_error(L, "events: ids must be an array of numbers, not a %s", luaL_typename(L, -1));
  *count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
  if (*count > MAX_IDS)
    luaL_error(L, "events: more than %d ids", MAX_IDS);
  uint32_t *ids = lua_newuserdata(L, (*count + 1) * sizeof *ids);
  for (size_t i = 0; i < *count; i++) {
    lua_rawgeti(L, -2, (int)i + 1);
    lua_Number id = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(id >= 0 && id <= MAX_ID))
      luaL_error(L, "events: ids[%d] is no number from 0 to %d", (int)i + 1, MAX_ID);
    ids[i] = (uint32_t)id;
    lua_pop(L, 1);
  }
  return ids;
}

static km_event_filter check_filter(lua_State *L, int index) {
  km_event_filter filter = {.source = NULL};
  if (lua_isnoneornil(L, index))
    return filter;
  luaL_checktype(L, index, LUA_TTABLE);
  filter.source = filter_text(L, index, "source");
  filter.text = filter_text(L, index, "text");
  filter.from = filter_time(L, index, "from");
  filter.to = filter_time(L, index, "to");
  lua_getfield(L, index, "oldest_first");
  filter.oldest_first = lua_toboolean(L, -1);
  lua_pop(L, 1);
  filter.ids = filter_ids(L, index, &filter.id_count);
  return filter;
}

/* target:events(log, filter) -> keymend.events */
static int target_events(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *log = km_lua_check_text(L, 2);
  km_error error;
  km_event_filter filter = check_filter(L, 3);
  events_box *box = lua_newuserdata(L, sizeof *box);
  *box = (events_box){.events = NULL};
  luaL_getmetatable(L, KM_META_EVENTS);
  lua_setmetatable(L, -2);
  km_lua_adopt_child(L, &box->child, 1, release_events);
  if (km_events_open(self->target, log, &filter, &box->events, &error) != KM_OK) {
    box->events = NULL;
    km_lua_close_child(&box->child);
    return km_lua_fail(L, &error);
  }
  return 1;
}

/* ---- The walk ---- */

static const char *type_word(uint16_t type) {
  switch (type) {
  case 1:
    return "error";
  case 2:
    return "warning";
  case 4:
    return "information";
  case 8:
    return "audit-success";
  case 16:
    return "audit-failure";
  default:
    return "success";
  }
}

static void push_event(lua_State *L, const km_event *event) {
  lua_createtable(L, 0, 15);
  km_lua_set_text(L, "log", event->log);
  km_lua_set_number(L, "record", event->record);
  km_lua_set_time(L, "generated", event->generated);
  km_lua_set_time(L, "written", event->written);
  km_lua_set_number(L, "id", event->id);
  km_lua_set_number(L, "full_id", event->full_id);
  km_lua_set_text(L, "type", type_word(event->type));
  km_lua_set_number(L, "category", event->category);
  km_lua_set_text(L, "source", event->source);
  km_lua_set_text(L, "computer", event->computer);
  lua_createtable(L, (int)event->string_count, 0);
  for (size_t i = 0; i < event->string_count; i++) {
    lua_pushstring(L, event->strings[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "strings");
  lua_pushlstring(L, (const char *)event->data, event->data_size);
  lua_setfield(L, -2, "data");
  km_lua_set_flag(L, "recovered", event->recovered);
}

/* One step of the loop: an event, or nil at the end. */
static int events_next(lua_State *L) {
  events_box *box = luaL_checkudata(L, 1, KM_META_EVENTS);
  km_event event;
  km_error error;
  if (box->child.parent->target == NULL)
    return luaL_error(L, "the target of these events is closed");
  if (box->child.parent->busy)
    return luaL_error(L, "the target of these events is in use by apply, undo or recover");
  if (!box->child.open)
    return luaL_error(
        L, "these events are closed, or their walk has ended: call target:events() again");
  km_status status = km_events_next(box->events, &event, &error);
  if (status != KM_OK) {
    km_lua_close_child(&box->child);
    return status == KM_END ? 0 : luaL_error(L, "%s", error.message);
  }
  push_event(L, &event);
  return 1;
}

/* events:damaged() -> how many records were skipped so far, since they are damaged */
static int events_damaged(lua_State *L) {
  const events_box *box = luaL_checkudata(L, 1, KM_META_EVENTS);
  lua_pushnumber(L,
                 box->events != NULL ? (lua_Number)km_events_damaged(box->events) : box->damaged);
  return 1;
}

/* events:problem() -> what of the log could not be read or was recovered, as far as it was read; nil: nothing */
static int events_problem(lua_State *L) {
  events_box *box = luaL_checkudata(L, 1, KM_META_EVENTS);
  const char *problem = box->events != NULL ? problem_of(box->events) : box->problem;
  if (problem[0] == '\0')
    return 0;
  lua_pushstring(L, problem);
  return 1;
}

static int events_close(lua_State *L) {
  events_box *box = luaL_checkudata(L, 1, KM_META_EVENTS);
  km_lua_close_child(&box->child);
  return 0;
}

static int events_tostring(lua_State *L) {
  const events_box *box = luaL_checkudata(L, 1, KM_META_EVENTS);
  lua_pushstring(L, box->child.open ? "keymend.events" : "keymend.events (closed)");
  return 1;
}

void km_lua_register_events(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"damaged", events_damaged},
      {"problem", events_problem},
      {"close", events_close},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__call", events_next},
      {"__gc", events_close},
      {"__tostring", events_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_EVENTS, methods, meta);
}

/* ---- Containers ---- */

/* target:test_container(name) -> {open, signature, exchange, sign, encrypt = codes (0: good), signed, encrypted,
 * unique_name, provider}; nil, message, "unsupported" where no CryptoAPI can be asked */
static int target_test_container(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *name = km_lua_check_text(L, 2);
  km_container_trial trial;
  km_error error;
  if (km_container_test(self->target, name, &trial, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_createtable(L, 0, 9);
  km_lua_set_number(L, "open", trial.open_code);
  km_lua_set_number(L, "signature", trial.signature_code);
  km_lua_set_number(L, "exchange", trial.exchange_code);
  km_lua_set_number(L, "sign", trial.sign_code);
  km_lua_set_number(L, "encrypt", trial.encrypt_code);
  km_lua_set_flag(L, "signed", trial.signed_);
  km_lua_set_flag(L, "encrypted", trial.encrypted);
  km_lua_set_text(L, "unique_name", trial.unique_name);
  km_lua_set_text(L, "provider", trial.provider);
  return 1;
}

const luaL_Reg km_lua_event_methods[] = {
    {"events", target_events},
    {"test_container", target_test_container},
    {NULL, NULL},
};
