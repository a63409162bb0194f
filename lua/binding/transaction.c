/* transaction.c: apply, undo, recover, history and purge of keymend.target
 *
 * Only a target opened with write = true is changed. An interruption (console.h) during a change rolls it back;
 * afterwards the program's own handlers stand again. An error in a progress function rolls back too, as far as
 * that is still possible, and is raised when the core has returned.
 */
#include "binding.h"
#include "console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PLAN_SERVICES 4096

static volatile int interrupted; /* what the core polls */
static int changing;             /* changes under way */

bool km_lua_is_changing(void) {
  return changing > 0;
}

/* ---- What becomes of services ---- */

typedef struct result_row {
  struct result_row *next;
  km_service_result result; /* name and message stand behind the row */
} result_row;

typedef struct result_list {
  result_row *first, **last;
  size_t count;
} result_list;

static void release_results(void *object) {
  result_list *list = object;
  while (list->first != NULL) {
    result_row *row = list->first;
    list->first = row->next;
    free(row);
  }
  free(list);
}

/* Keeps a copy. When there is no memory for it, the progress function has told it all the same. */
static void keep_result(result_list *list, const km_service_result *result) {
  size_t name = strlen(result->name) + 1, message = strlen(result->message) + 1;
  result_row *row = malloc(sizeof *row + name + message);
  if (row == NULL)
    return;
  char *texts = (char *)(row + 1);
  memcpy(texts, result->name, name);
  memcpy(texts + name, result->message, message);
  row->next = NULL;
  row->result = *result;
  row->result.name = texts;
  row->result.message = texts + name;
  *list->last = row;
  list->last = &row->next;
  list->count++;
}

/* Pushes {{name, action, status, state, exit_code, specific_code, message}, ...}. */
static void push_results(lua_State *L, const result_list *list) {
  int i = 0;
  lua_createtable(L, (int)list->count, 0);
  for (const result_row *row = list->first; row != NULL; row = row->next) {
    const km_service_result *result = &row->result;
    lua_createtable(L, 0, 8);
    km_lua_set_text(L, "name", result->name);
    km_lua_set_text(L, "action", result->start ? "start" : "stop");
    km_lua_set_text(L, "status", km_status_id(result->status));
    km_lua_set_text(L, "message", result->message[0] != '\0' ? result->message : NULL);
    km_lua_set_service_status(L, &result->now);
    lua_rawseti(L, -2, ++i);
  }
}

/* ---- A change under way ---- */

/* What stands on the stack during a change, and what the core is given. */
typedef struct change {
  lua_State *L;
  km_lua_target *self;
  int trampoline, progress,
      error;   /* stack slots: C function, the caller's function or nil, first error */
  bool failed; /* the progress function raised */
  const char *stage, *text;
  result_list *results; /* belongs to a userdata on the stack */
  km_txn_options options;
  km_outcome outcome;
} change;

/* Calls the progress function; the protected part of the callback. */
static int call_progress(lua_State *L) {
  const change *now = lua_touserdata(L, 2);
  lua_settop(L, 1);
  lua_pushstring(L, now->stage);
  lua_pushstring(L, now->text);
  lua_call(L, 2, 0);
  return 0;
}

static void on_progress(void *user, const char *stage, const char *text) {
  change *now = user;
  lua_State *L = now->L;
  if (now->failed)
    return;
  now->stage = stage;
  now->text = text;
  lua_pushvalue(L, now->trampoline);
  lua_pushvalue(L, now->progress);
  lua_pushlightuserdata(L, now);
  now->failed = lua_pcall(L, 2, 0, 0) != 0;
  if (now->failed) {
    lua_replace(L, now->error);
    interrupted = 1;
  }
}

static void on_service(void *user, const km_service_result *result) {
  keep_result(((change *)user)->results, result);
}

static void own_results(lua_State *L, change *now) {
  km_lua_owned *owned = km_lua_own(L, release_results, 0);
  now->results = calloc(1, sizeof *now->results);
  if (now->results == NULL) {
    luaL_error(L, "out of memory");
    return;
  }
  now->results->last = &now->results->first;
  owned->object = now->results;
}

/* Reads {progress = f} at `index`, and keeps four slots above the present top. Nothing may raise from
 * begin_change to end_change. */
static void begin_change(lua_State *L, int index, km_lua_target *self, change *now) {
  *now = (change){.L = L, .self = self, .outcome = KM_UNTOUCHED};
  int top = lua_gettop(L);
  lua_pushcfunction(L, call_progress);
  lua_pushnil(L);
  lua_pushnil(L);
  now->trampoline = top + 1;
  now->progress = top + 2;
  now->error = top + 3;
  if (!lua_isnoneornil(L, index)) {
    luaL_checktype(L, index, LUA_TTABLE);
    lua_getfield(L, index, "progress");
    if (!lua_isnil(L, -1) && !lua_isfunction(L, -1))
      luaL_error(L, "progress must be a function, not a %s", luaL_typename(L, -1));
    lua_replace(L, now->progress);
  }
  own_results(L, now);
  luaL_checkstack(L, 8, "progress");
  now->options.progress = lua_isnil(L, now->progress) ? NULL : on_progress;
  now->options.service = on_service;
  now->options.user = now;
  now->options.interrupted = &interrupted;
  self->busy = true;
  changing++;
  km_console_guard_begin(&interrupted);
}

static const char *outcome_word(km_outcome outcome) {
  static const char *const words[] = {"untouched", "done", "rolled-back", "attention"};
  return words[outcome];
}

static void end_change(change *now) {
  km_console_guard_end();
  changing--;
  now->self->busy = false;
}

/* Raises what the progress function raised, with what became of the target. */
static int raise_progress_error(const change *now) {
  static const char *const became[] = {
      "the target was not changed",
      "the change was already done and stands",
      "the change was rolled back",
      "the change could not be rolled back: run recover",
  };
  lua_State *L = now->L;
  const char *message = lua_tostring(L, now->error);
  return luaL_error(L, "the progress function failed: %s (%s)",
                    message != NULL ? message : "an error that is no text", became[now->outcome]);
}

/* nil, message, code, native, outcome */
static int fail_change(const change *now, const km_error *error) {
  km_lua_fail(now->L, error);
  lua_pushstring(now->L, outcome_word(now->outcome));
  return 5;
}

static void release_txn(void *object) {
  km_txn_free(object);
}

/* ---- Write permission ---- */

static int refuse_reading_target(lua_State *L) {
  lua_pushnil(L);
  lua_pushliteral(
      L, "the target was opened read-only; open it with write = true (keymend run and repl: "
         "--write) to change it");
  lua_pushliteral(L, "read-only-target");
  lua_pushinteger(L, 0);
  lua_pushstring(L, outcome_word(KM_UNTOUCHED));
  return 5;
}

/* ---- Plan ---- */

/* Reads one table of the plan. `where` names it in messages: "plan", "plan.steps[2]". Texts are kept in the
 * table at `anchor`, so that a progress function cannot pull them away by changing the plan. */
typedef struct reader {
  lua_State *L;
  int table, anchor;
  char where[32];
} reader;

static void bad_field(const reader *from, const char *name, const char *expected) {
  luaL_error(from->L, "%s.%s: %s expected, got %s", from->where, name, expected,
             luaL_typename(from->L, -1));
}

/* The text of a field, or `standard` when it is absent; NULL for a standard: it must be there. */
static const char *read_text(const reader *from, const char *name, const char *standard) {
  lua_State *L = from->L;
  size_t length = 0;
  lua_getfield(L, from->table, name);
  if (lua_isnil(L, -1) && standard != NULL) {
    lua_pop(L, 1);
    return standard;
  }
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
  if (text == NULL || strlen(text) != length)
    bad_field(from, name, "text without NUL bytes");
  lua_rawseti(L, from->anchor, (int)lua_objlen(L, from->anchor) + 1);
  return text;
}

/* A whole number, as a number or as decimal text; 0 when it is absent. */
static uint64_t read_whole(const reader *from, const char *name) {
  const double exact = 9007199254740992.0; /* 2^53 */
  lua_State *L = from->L;
  uint64_t number = 0;
  lua_getfield(L, from->table, name);
  if (lua_type(L, -1) == LUA_TNUMBER) {
    double value = lua_tonumber(L, -1);
    if (!(value >= 0 && value <= exact) || value != (double)(uint64_t)value)
      bad_field(from, name, "whole number from 0 to 2^53, or decimal text,");
    number = (uint64_t)value;
  } else if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TSTRING || !km_lua_decimal(lua_tostring(L, -1), &number))
      bad_field(from, name, "whole number or decimal text");
  }
  lua_pop(L, 1);
  return number;
}

static km_time read_time(const reader *from, const char *name) {
  uint64_t ticks = read_whole(from, name);
  if (ticks > INT64_MAX)
    luaL_error(from->L, "%s.%s: time out of range", from->where, name);
  return (km_time)ticks;
}

static km_step_kind read_step_kind(const reader *from) {
  const char *word = read_text(from, "kind", NULL);
  for (int kind = KM_STEP_RETIRE; kind <= KM_STEP_RESTORE_GUID; kind++) {
    if (strcmp(word, km_step_kind_id((km_step_kind)kind)) == 0)
      return (km_step_kind)kind;
  }
  luaL_error(
      from->L,
      "%s.kind: \"retire\", \"adopt\", \"prune\", \"grant\" or \"restore-guid\" expected, got"
      " \"%s\"",
      from->where, word);
  return KM_STEP_RETIRE;
}

static km_time_source read_source(const reader *from) {
  const char *word = read_text(from, "created_source", "none");
  for (int source = KM_TIME_NONE; source <= KM_TIME_BIRTH; source++) {
    if (strcmp(word, km_time_source_id((km_time_source)source)) == 0)
      return (km_time_source)source;
  }
  luaL_error(from->L, "%s.created_source: unknown source \"%s\"", from->where, word);
  return KM_TIME_NONE;
}

/* {{sid, mask}, ...} at the top of the stack as a userdata that takes its place; texts are kept in the table at
 * `anchor`. */
static const km_grant *read_grants(const reader *from, size_t *count) {
  lua_State *L = from->L;
  int table = lua_gettop(L);
  if (!lua_istable(L, table))
    bad_field(from, "grants", "array of entries");
  *count = lua_objlen(L, table);
  if (*count == 0 || *count > KM_MAX_GRANTS)
    luaL_error(L, "%s.grants: 1 to %d entries expected, got %d", from->where, KM_MAX_GRANTS,
               (int)*count);
  km_grant *grants = lua_newuserdata(L, *count * sizeof *grants);
  for (size_t i = 0; i < *count; i++) {
    reader entry = {.L = L, .table = table + 2, .anchor = from->anchor};
    snprintf(entry.where, sizeof entry.where, "grants[%d]", (int)i + 1);
    lua_rawgeti(L, table, (int)i + 1);
    if (!lua_istable(L, -1))
      luaL_error(L, "%s.%s: table expected, got %s", from->where, entry.where,
                 luaL_typename(L, -1));
    grants[i].sid = read_text(&entry, "sid", NULL);
    uint64_t mask = read_whole(&entry, "mask");
    if (mask > UINT32_MAX)
      luaL_error(L, "%s.%s.mask: out of range", from->where, entry.where);
    grants[i].mask = (uint32_t)mask;
    lua_settop(L, table + 1);
  }
  lua_replace(L, table);
  return grants;
}

/* The userdata goes into the anchor too. */
static void read_granting(const reader *from, km_step *step) {
  lua_State *L = from->L;
  const char *sha256 = read_text(from, "descriptor_sha256", NULL);
  if (strlen(sha256) != KM_SHA256_TEXT - 1)
    luaL_error(L, "%s.descriptor_sha256: 64 hex digits expected", from->where);
  memcpy(step->descriptor_sha256, sha256, KM_SHA256_TEXT);
  lua_getfield(L, from->table, "grants");
  step->grants = read_grants(from, &step->grant_count);
  lua_rawseti(L, from->anchor, (int)lua_objlen(L, from->anchor) + 1);
}

static void read_step(const reader *from, km_step *step) {
  step->kind = read_step_kind(from);
  step->name = read_text(from, "name", NULL);
  step->reason = read_text(from, "reason", "");
  if (step->kind == KM_STEP_RESTORE_GUID) { /* it is about no file */
    step->to = read_text(from, "to", NULL);
    return;
  }
  step->container = read_text(from, "container", NULL);
  step->to = step->kind == KM_STEP_ADOPT ? read_text(from, "to", NULL) : NULL;
  step->size = read_whole(from, "size");
  step->identity = read_whole(from, "identity");
  step->created = read_time(from, "created_ticks");
  step->created_source = read_source(from);
  step->written = read_time(from, "written_ticks");
  const char *sha256 = read_text(from, "sha256", NULL);
  if (strlen(sha256) != KM_SHA256_TEXT - 1)
    luaL_error(from->L, "%s.sha256: 64 hex digits expected", from->where);
  memcpy(step->sha256, sha256, KM_SHA256_TEXT);
  if (step->kind == KM_STEP_GRANT)
    read_granting(from, step);
}

/* Reads plan.steps into a userdata that stays on the stack. */
static void read_steps(const reader *from, km_plan *plan) {
  lua_State *L = from->L;
  lua_getfield(L, from->table, "steps");
  if (!lua_istable(L, -1))
    bad_field(from, "steps", "array of steps");
  size_t count = lua_objlen(L, -1);
  if (count == 0 || count > KM_MAX_STEPS)
    luaL_error(L, "plan.steps: 1 to %d steps expected, got %d", KM_MAX_STEPS, (int)count);
  int table = lua_gettop(L);
  km_step *steps = lua_newuserdata(L, count * sizeof *steps);
  memset(steps, 0, count * sizeof *steps);
  for (size_t i = 0; i < count; i++) {
    reader step = {.L = L, .table = table + 2, .anchor = from->anchor};
    snprintf(step.where, sizeof step.where, "plan.steps[%d]", (int)i + 1);
    lua_rawgeti(L, table, (int)i + 1);
    if (!lua_istable(L, -1))
      luaL_error(L, "%s: table expected, got %s", step.where, luaL_typename(L, -1));
    read_step(&step, &steps[i]);
    lua_settop(L, table + 1);
  }
  plan->steps = steps;
  plan->step_count = count;
}

/* The service names of a field; an empty list when it is absent. What it pushes keeps them alive. */
static const char *const *read_services(const reader *from, const char *name, const char *what) {
  static const char *const none[] = {NULL};
  lua_State *L = from->L;
  size_t count = 0;
  lua_getfield(L, from->table, name);
  return lua_isnil(L, -1) ? none
                          : km_lua_check_texts(L, lua_gettop(L), MAX_PLAN_SERVICES, what, &count);
}

/* Reads the plan at `index`. What it pushes must stay on the stack as long as the plan is used. */
static void read_plan(lua_State *L, int index, km_plan *plan) {
  reader from = {.L = L, .table = index, .where = "plan"};
  luaL_checktype(L, index, LUA_TTABLE);
  luaL_checkstack(L, 24, "plan");
  lua_newtable(L);
  from.anchor = lua_gettop(L);
  *plan = (km_plan){
      .machine_guid = read_text(&from, "machine_guid", NULL),
      .key_store = read_text(&from, "key_store", NULL),
      .policies = read_text(&from, "policies", ""),
      .overrides = read_text(&from, "overrides", ""),
  };
  lua_getfield(L, index, "accept_dirty_hive");
  plan->accept_dirty_hive = lua_toboolean(L, -1);
  read_steps(&from, plan);
  plan->stop = read_services(&from, "stop", "plan.stop");
  plan->start = read_services(&from, "start", "plan.start");
}

/* ---- Methods ---- */

/* Results of apply and undo: txn, outcome; or nil, message, code, native, outcome, txn when one was begun. txn.services:
 * what became of the services that were stopped or started. */
static int finish(change *now, km_lua_owned *owned, km_status status, const km_error *error) {
  lua_State *L = now->L;
  if (now->failed)
    return raise_progress_error(now);
  int results = status == KM_OK ? 0 : fail_change(now, error);
  if (owned->object != NULL) {
    km_lua_push_txn(L, owned->object);
    push_results(L, now->results);
    lua_setfield(L, -2, "services");
  } else {
    lua_pushnil(L);
  }
  km_lua_release(owned);
  if (status != KM_OK)
    return results + 1;
  lua_pushstring(L, outcome_word(now->outcome));
  return 2;
}

/* target:apply(plan, {progress = f(stage, text)}) */
static int target_apply(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_plan plan;
  km_txn *txn = NULL;
  km_error error;
  change now;
  luaL_checktype(L, 2, LUA_TTABLE);
  if (!self->write)
    return refuse_reading_target(L);
  lua_settop(L, 3);
  read_plan(L, 2, &plan);
  km_lua_owned *owned = km_lua_own(L, release_txn, 0);
  begin_change(L, 3, self, &now);
  km_status status = km_apply(self->target, &plan, &now.options, &now.outcome, &txn, &error);
  end_change(&now);
  owned->object = txn;
  return finish(&now, owned, status, &error);
}

/* target:grantable(name, {{sid, mask}, ...}) -> true, or nil, why a step could not add these entries, code */
static int target_grantable(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *name = km_lua_check_text(L, 2);
  size_t count = 0;
  km_error error;
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  lua_newtable(L);
  const reader from = {.L = L, .table = 3, .anchor = 4, .where = "grantable"};
  luaL_checkstack(L, 8, "grants");
  lua_pushvalue(L, 3);
  const km_grant *grants = read_grants(&from, &count);
  if (km_key_grantable(self->target, name, grants, count, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

/* target:undo(transaction id, {progress = f(stage, text)}) */
static int target_undo(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *id = km_lua_check_text(L, 2);
  km_txn *txn = NULL;
  km_error error;
  change now;
  if (!self->write)
    return refuse_reading_target(L);
  lua_settop(L, 3);
  km_lua_owned *owned = km_lua_own(L, release_txn, 0);
  begin_change(L, 3, self, &now);
  km_status status = km_undo(self->target, id, &now.options, &now.outcome, &txn, &error);
  end_change(&now);
  owned->object = txn;
  return finish(&now, owned, status, &error);
}

/* target:recover{progress = f(stage, text)} -> count, outcome, services; or nil, message, code, native, outcome,
 * {services = services}. services: as txn.services of apply */
static int target_recover(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  size_t count = 0;
  km_error error;
  change now;
  if (!self->write)
    return refuse_reading_target(L);
  lua_settop(L, 2);
  begin_change(L, 2, self, &now);
  km_status status = km_recover(self->target, &now.options, &count, &now.outcome, &error);
  end_change(&now);
  if (now.failed)
    return raise_progress_error(&now);
  if (status != KM_OK) {
    int results = fail_change(&now, &error);
    lua_createtable(L, 0, 1);
    push_results(L, now.results);
    lua_setfield(L, -2, "services");
    return results + 1;
  }
  lua_pushnumber(L, (lua_Number)count);
  lua_pushstring(L, outcome_word(now.outcome));
  push_results(L, now.results);
  return 3;
}

static void release_history(void *object) {
  km_history_free(object);
}

/* target:history() -> {transactions}, oldest first */
static int target_history(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_history *history = NULL;
  km_error error;
  km_lua_owned *owned = km_lua_own(L, release_history, 0);
  if (km_history_read(self->target, &history, &error) != KM_OK)
    return km_lua_fail(L, &error);
  owned->object = history;
  lua_createtable(L, (int)history->count, 0);
  for (size_t i = 0; i < history->count; i++) {
    km_lua_push_txn(L, history->txns[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  km_lua_release(owned);
  return 1;
}

/* target:purge(transaction id) -> true */
static int target_purge(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  const char *id = km_lua_check_text(L, 2);
  km_error error;
  if (!self->write)
    return refuse_reading_target(L);
  if (km_purge(self->target, id, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

const luaL_Reg km_lua_transaction_methods[] = {
    {"apply", target_apply},
    {"grantable", target_grantable},
    {"undo", target_undo},
    {"recover", target_recover},
    {"history", target_history},
    {"purge", target_purge},
    {NULL, NULL},
};
