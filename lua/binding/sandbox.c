/* sandbox.c: the Lua state of a policy: limits, and the parts of base, coroutine, string, table and math in it */
#include "sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_STEP 100     /* instructions between two looks at the limits */
#define LOOK_STEP 20000   /* work between two looks at the clock inside a C function */
#define SOURCE_PIECE 4096 /* bytes compiled between two looks */
#define MAX_SHARES 10     /* all calls together: this many times what one call may use */
#define MAX_UNPACKED 8000 /* as much as a C function's stack holds */
#define WATCHDOG_STATUS 8 /* "the operation failed", as keymend's exit status */

static const char no_work[] = "the policy used up its instructions: it may run in a circle";
static const char no_memory[] = "the policy used up its memory";
static const char no_time[] = "the policy used up its time: it may run in a circle";

km_lua_sandbox *km_lua_sandbox_of(lua_State *P) {
  void *box = NULL;
  lua_getallocf(P, &box);
  return box;
}

/* ---- Limits ---- */

static void look_at_limits(km_lua_sandbox *box) {
  if (box->exhausted == NULL && box->work > box->work_limit)
    box->exhausted = no_work;
  if (box->exhausted == NULL && km_console_clock() - box->started > box->time_limit)
    box->exhausted = no_time;
}

/* Goes on with the error that means a used-up limit. */
static void pass_limit(lua_State *P) {
  const km_lua_sandbox *box = km_lua_sandbox_of(P);
  if (box->exhausted != NULL)
    luaL_error(P, "%s", box->exhausted);
}

void km_lua_charge(lua_State *P, double work) {
  km_lua_sandbox *box = km_lua_sandbox_of(P);
  box->work += work;
  box->unseen += work;
  if (box->unseen >= LOOK_STEP || box->work > box->work_limit) {
    box->unseen = 0;
    look_at_limits(box);
  }
  pass_limit(P);
}

void km_lua_charge_unknown(lua_State *P, double work) {
  km_lua_sandbox_of(P)->unseen = LOOK_STEP;
  km_lua_charge(P, work);
}

void km_lua_charge_bytes(lua_State *P, size_t bytes) {
  km_lua_charge(P, (double)bytes / KM_LUA_BYTES_PER_WORK);
}

static void count_instructions(lua_State *P, lua_Debug *where) {
  km_lua_sandbox *box = km_lua_sandbox_of(P);
  (void)where;
  box->work += HOOK_STEP;
  look_at_limits(box);
  pass_limit(P);
}

/* Every growth is work too. It is refused from the moment a limit is used up, so that nothing goes on for long. */
static void *count_memory(void *user, void *block, size_t old_size, size_t new_size) {
  km_lua_sandbox *box = user;
  if (new_size == 0) {
    box->memory -= old_size;
    free(block);
    return NULL;
  }
  if (new_size > old_size) {
    box->work += (double)(new_size - old_size) / KM_LUA_BYTES_PER_WORK;
    if (box->exhausted == NULL && new_size - old_size > box->memory_limit - box->memory)
      box->exhausted = no_memory;
    if (box->exhausted != NULL)
      return NULL;
  }
  void *moved = realloc(block, new_size);
  if (moved != NULL)
    box->memory = box->memory - old_size + new_size;
  return moved;
}

/* lua_pcall with `arguments` above the function, which does not hold up a limit. */
static int call_protected(lua_State *P, int arguments, int handler) {
  pass_limit(P);
  int status = lua_pcall(P, arguments, LUA_MULTRET, handler);
  pass_limit(P);
  return status;
}

/* ---- Errors ---- */

/* pcall(f, ...) */
static int protected_call(lua_State *P) {
  luaL_checkany(P, 1);
  int status = call_protected(P, lua_gettop(P) - 1, 0);
  lua_pushboolean(P, status == 0);
  lua_insert(P, 1);
  return lua_gettop(P);
}

/* Calls xpcall's handler unless a limit is used up: handlers that fail in turn could go on for ever. */
static int call_handler(lua_State *P) {
  if (km_lua_sandbox_of(P)->exhausted != NULL)
    return 1;
  lua_settop(P, 1);
  lua_pushvalue(P, lua_upvalueindex(1));
  lua_insert(P, 1);
  lua_call(P, 1, 1);
  return 1;
}

/* xpcall(f, handler) */
static int handled_call(lua_State *P) {
  luaL_checkany(P, 2);
  lua_settop(P, 2);
  lua_pushcclosure(P, call_handler, 1);
  lua_insert(P, 1);
  int status = call_protected(P, 0, 1);
  lua_pushboolean(P, status == 0);
  lua_replace(P, 1);
  return lua_gettop(P);
}

/* ---- Coroutines; the stock coroutine.resume is the first upvalue ---- */

/* Resumes the coroutine at 1 with what stands above it; leaves what the stock function returns. A new coroutine counts
 * its instructions from 0, so each resumption is charged as if it ran to the next look, and looked at. */
static void resume(lua_State *P) {
  km_lua_charge_unknown(P, HOOK_STEP);
  lua_pushvalue(P, lua_upvalueindex(1));
  lua_insert(P, 1);
  lua_call(P, lua_gettop(P) - 1, LUA_MULTRET);
  pass_limit(P);
}

/* coroutine.resume(co, ...) */
static int resume_coroutine(lua_State *P) {
  luaL_argcheck(P, lua_isthread(P, 1), 1, "coroutine expected");
  resume(P);
  return lua_gettop(P);
}

/* What coroutine.wrap returns; the second upvalue is the coroutine. */
static int call_wrapped(lua_State *P) {
  lua_pushvalue(P, lua_upvalueindex(2));
  lua_insert(P, 1);
  resume(P);
  if (lua_toboolean(P, 1))
    return lua_gettop(P) - 1;
  if (lua_isstring(P,
                   -1)) { /* an error's text gets the caller's place, as the stock function does */
    luaL_where(P, 1);
    lua_insert(P, -2);
    lua_concat(P, 2);
  }
  return lua_error(P);
}

/* coroutine.wrap(f) */
static int wrap_coroutine(lua_State *P) {
  luaL_argcheck(P, lua_isfunction(P, 1) && !lua_iscfunction(P, 1), 1, "Lua function expected");
  lua_settop(P, 1);
  lua_pushvalue(P, lua_upvalueindex(1));
  lua_State *made = lua_newthread(P);
  lua_pushvalue(P, 1);
  lua_xmove(P, made, 1);
  lua_pushcclosure(P, call_wrapped, 2);
  return 1;
}

/* ---- Strings ---- */

/* A stock function, the first upvalue, whose work shows in what it returns. */
static int charged(lua_State *P) {
  lua_CFunction stock = lua_tocfunction(P, lua_upvalueindex(1));
  int results = stock(P);
  size_t bytes = 0;
  for (int i = 1; i <= results; i++) {
    if (lua_type(P, -i) == LUA_TSTRING)
      bytes += lua_objlen(P, -i);
  }
  km_lua_charge(P, 1.0 + results + (double)bytes / KM_LUA_BYTES_PER_WORK);
  return results;
}

/* A stock function, the first upvalue, that reads a text as a number. */
static int charged_by_argument(lua_State *P) {
  lua_CFunction stock = lua_tocfunction(P, lua_upvalueindex(1));
  if (lua_type(P, 1) == LUA_TSTRING)
    km_lua_charge(P, (double)lua_objlen(P, 1));
  return stock(P);
}

/* string.rep(text, n) */
static int repeat(lua_State *P) {
  const km_lua_sandbox *box = km_lua_sandbox_of(P);
  size_t length = 0;
  const char *text = luaL_checklstring(P, 1, &length);
  lua_Integer times = luaL_checkinteger(P, 2);
  if (length == 0 || times <= 0) {
    lua_pushliteral(P, "");
    return 1;
  }
  size_t most = box->memory_limit / length +
                1; /* what is more cannot be had, and the product stays in range */
  size_t count = (size_t)times < most ? (size_t)times : most;
  km_lua_charge(P, 1.0 + (double)count * (double)length / KM_LUA_BYTES_PER_WORK);
  char *room = lua_newuserdata(P, count * length);
  for (size_t i = 0; i < count; i++)
    memcpy(room + i * length, text, length);
  lua_pushlstring(P, room, count * length);
  return 1;
}

/* tostring(value): an address tells nothing about the target, and would differ from run to run. */
static int to_text(lua_State *P) {
  luaL_checkany(P, 1);
  if (luaL_callmeta(P, 1, "__tostring"))
    return 1;
  switch (lua_type(P, 1)) {
  case LUA_TNUMBER:
    lua_settop(P, 1);
    lua_tostring(P, 1);
    break;
  case LUA_TSTRING:
    lua_settop(P, 1);
    break;
  case LUA_TBOOLEAN:
    lua_pushstring(P, lua_toboolean(P, 1) ? "true" : "false");
    break;
  default:
    lua_pushstring(P, luaL_typename(P, 1));
  }
  return 1;
}

/* ---- Tables ---- */

/* unpack(list, i, j). The stock function's check of a range that int cannot count is one that compilers leave out: it
 * then writes behind the stack. */
static int unpack_list(lua_State *P) {
  luaL_checktype(P, 1, LUA_TTABLE);
  lua_Number first = (lua_Number)luaL_optint(P, 2, 1);
  lua_Number last = (lua_Number)luaL_opt(P, luaL_checkint, 3, (int)lua_objlen(P, 1));
  if (first > last)
    return 0;
  if (last - first >= MAX_UNPACKED || !lua_checkstack(P, (int)(last - first) + 1))
    return luaL_error(P, "too many results to unpack");
  km_lua_charge(P, 2.0 + last - first);
  for (int i = 0; i <= (int)(last - first); i++)
    lua_rawgeti(P, 1, (int)first + i);
  return (int)(last - first) + 1;
}

/* table.concat(list, separator, i, j) */
static int concat(lua_State *P) {
  luaL_Buffer text;
  size_t gap = 0, length = 0;
  luaL_checktype(P, 1, LUA_TTABLE);
  const char *separator = luaL_optlstring(P, 2, "", &gap);
  int first = luaL_optint(P, 3, 1);
  int last = luaL_opt(P, luaL_checkint, 4, (int)lua_objlen(P, 1));
  luaL_buffinit(P, &text);
  for (int i = first; i <= last; i++) {
    lua_rawgeti(P, 1, i);
    if (!lua_isstring(P, -1))
      return luaL_error(P, "invalid value (%s) at index %d in table for " LUA_QL("concat"),
                        luaL_typename(P, -1), i);
    lua_tolstring(P, -1, &length);
    km_lua_charge(P, 1.0 + (double)(length + gap) / KM_LUA_BYTES_PER_WORK);
    luaL_addvalue(&text);
    if (i == last)
      break;
    luaL_addlstring(&text, separator, gap);
  }
  luaL_pushresult(&text);
  return 1;
}

/* Charges what table.insert and remove move: all entries of the list at 1 behind the place, argument 2, which the stock
 * functions read as an int. */
static void charge_moves(lua_State *P) {
  double moves = lua_istable(P, 1) ? (double)lua_objlen(P, 1) - luaL_checkint(P, 2) : 0;
  km_lua_charge(P, moves > 0 ? 1.0 + moves : 1.0);
}

/* table.insert(list, value) and insert(list, place, value), whose stock function is the first upvalue */
static int insert(lua_State *P) {
  if (lua_gettop(P) == 3)
    charge_moves(P);
  return lua_tocfunction(P, lua_upvalueindex(1))(P);
}

/* table.remove(list, place), whose stock function is the first upvalue */
static int remove_entry(lua_State *P) {
  if (!lua_isnoneornil(P, 2))
    charge_moves(P);
  return lua_tocfunction(P, lua_upvalueindex(1))(P);
}

/* next(t, key): the slots that it walks over to the next entry cannot be counted. */
static int next_entry(lua_State *P) {
  luaL_checktype(P, 1, LUA_TTABLE);
  lua_settop(P, 2);
  km_lua_charge_unknown(P, 1);
  if (lua_next(P, 1) != 0)
    return 2;
  lua_pushnil(P);
  return 1;
}

/* pairs(t) */
static int all_entries(lua_State *P) {
  luaL_checktype(P, 1, LUA_TTABLE);
  lua_pushcfunction(P, next_entry);
  lua_pushvalue(P, 1);
  lua_pushnil(P);
  return 3;
}

/* table.maxn(t) */
static int largest_index(lua_State *P) {
  lua_Number largest = 0;
  luaL_checktype(P, 1, LUA_TTABLE);
  lua_settop(P, 1);
  km_lua_charge_unknown(P, 1);
  for (lua_pushnil(P); lua_next(P, 1) != 0; lua_pop(P, 1)) {
    km_lua_charge(P, 1);
    if (lua_type(P, 2) == LUA_TNUMBER && lua_tonumber(P, 2) > largest)
      largest = lua_tonumber(P, 2);
  }
  lua_pushnumber(P, largest);
  return 1;
}

/* The order that sort uses: the function that is the upvalue, or "<". */
static int is_before(lua_State *P) {
  size_t one = lua_type(P, 1) == LUA_TSTRING ? lua_objlen(P, 1) : 0;
  size_t other = lua_type(P, 2) == LUA_TSTRING ? lua_objlen(P, 2) : 0;
  km_lua_charge(P, 1.0 + (double)(one < other ? one : other) / KM_LUA_BYTES_PER_WORK);
  if (lua_isnil(P, lua_upvalueindex(1))) {
    lua_pushboolean(P, lua_lessthan(P, 1, 2));
    return 1;
  }
  lua_settop(P, 2);
  lua_pushvalue(P, lua_upvalueindex(1));
  lua_insert(P, 1);
  lua_call(P, 2, 1);
  return 1;
}

/* table.sort(list, order); the stock function is the first upvalue */
static int sort(lua_State *P) {
  lua_CFunction stock = lua_tocfunction(P, lua_upvalueindex(1));
  luaL_checktype(P, 1, LUA_TTABLE);
  if (!lua_isnoneornil(P, 2))
    luaL_checktype(P, 2, LUA_TFUNCTION);
  lua_settop(P, 2);
  lua_pushcclosure(P, is_before, 1);
  return stock(P);
}

/* ---- What a policy finds ---- */

typedef struct entry {
  const char *name;
  lua_CFunction
      own; /* NULL: the stock function itself; else it gets that one as its first upvalue */
} entry;

typedef struct library {
  const char *name; /* of the global; "_G" for the globals themselves */
  lua_CFunction open;
  const char *opened; /* as its opener wants it */
  entry allowed[24];
} library;

/* Random numbers are left out: the same facts must give the same answer. */
static const library libraries[] = {
    {"_G",
     luaopen_base,
     "",
     {{"_VERSION", NULL},       {"_G", NULL},           {"assert", NULL},
      {"error", NULL},          {"getmetatable", NULL}, {"ipairs", NULL},
      {"next", next_entry},     {"pairs", all_entries}, {"pcall", protected_call},
      {"rawequal", NULL},       {"rawget", NULL},       {"rawset", NULL},
      {"select", NULL},         {"setmetatable", NULL}, {"tonumber", charged_by_argument},
      {"tostring", to_text},    {"type", NULL},         {"unpack", unpack_list},
      {"xpcall", handled_call}, {"coroutine", NULL}}},
    {"coroutine", /* opened with base */
     NULL,
     NULL,
     {{"create", NULL},
      {"resume", resume_coroutine},
      {"running", NULL},
      {"status", NULL},
      {"wrap", wrap_coroutine},
      {"yield", NULL}}},
    {"string",
     luaopen_string,
     "string",
     {{"byte", charged},
      {"char", charged},
      {"find", km_lua_find},
      {"format", charged},
      {"gmatch", km_lua_gmatch},
      {"gsub", km_lua_gsub},
      {"len", NULL},
      {"lower", charged},
      {"match", km_lua_match},
      {"rep", repeat},
      {"reverse", charged},
      {"sub", charged},
      {"upper", charged}}},
    {"table",
     luaopen_table,
     "table",
     {{"concat", concat},
      {"insert", insert},
      {"maxn", largest_index},
      {"remove", remove_entry},
      {"sort", sort}}},
    {"math",
     luaopen_math,
     "math",
     {{"abs", NULL},
      {"ceil", NULL},
      {"floor", NULL},
      {"fmod", NULL},
      {"huge", NULL},
      {"max", NULL},
      {"min", NULL},
      {"modf", NULL},
      {"pi", NULL}}},
};

#define LIBRARY_COUNT (sizeof libraries / sizeof libraries[0])

static const entry *find_allowed(const library *lib, const char *name) {
  for (const entry *one = lib->allowed; one->name != NULL; one++) {
    if (strcmp(one->name, name) == 0)
      return one;
  }
  return NULL;
}

/* Removes from the table at the top whatever the library's list does not name, and puts its own functions in. Changing
 * fields that are there is allowed during lua_next. */
static void keep_allowed(lua_State *P, const library *lib) {
  for (lua_pushnil(P); lua_next(P, -2) != 0;) {
    const entry *one =
        lua_type(P, -2) == LUA_TSTRING ? find_allowed(lib, lua_tostring(P, -2)) : NULL;
    if (one == NULL) {
      lua_pop(P, 1);
      lua_pushnil(P);
    } else if (one->own != NULL) {
      lua_pushcclosure(P, one->own, 1);
    }
    lua_pushvalue(P, -2);
    lua_insert(P, -2);
    lua_settable(P, -4);
  }
}

static int prepare_state(lua_State *P) {
  lua_gc(P, LUA_GCSETPAUSE, 125); /* garbage counts as used memory, so there should be little */
  for (size_t i = 0; i < LIBRARY_COUNT; i++) {
    if (libraries[i].open != NULL) {
      lua_pushcfunction(P, libraries[i].open);
      lua_pushstring(P, libraries[i].opened);
      lua_call(P, 1, 0);
    }
    lua_getglobal(P, libraries[i].name);
    if (libraries[i].open == NULL) { /* wrap resumes too: for its entry stands what resume was */
      lua_getfield(P, -1, "resume");
      lua_setfield(P, -2, "wrap");
    }
    keep_allowed(P, &libraries[i]);
    lua_pop(P, 1);
  }
  return 0;
}

/* ---- Life ---- */

bool km_lua_sandbox_open(km_lua_sandbox *box) {
  box->state = lua_newstate(count_memory, box);
  if (box->state == NULL || lua_cpcall(box->state, prepare_state, NULL) != 0)
    return false;
  lua_sethook(box->state, count_instructions, LUA_MASKCOUNT, HOOK_STEP); /* coroutines inherit it */
  return true;
}

void km_lua_sandbox_close(km_lua_sandbox *box) {
  if (box->state != NULL)
    lua_close(box->state);
  box->state = NULL;
}

/* Why the call failed: from the limits, or from the error at the top of the stack. */
static const char *reason_of(km_lua_sandbox *box) {
  lua_State *P = box->state;
  if (box->exhausted != NULL)
    return box->exhausted;
  if (lua_type(P, -1) == LUA_TSTRING)
    return lua_tostring(P, -1);
  snprintf(box->message, sizeof box->message, "the policy raised an error that is a %s, not a text",
           luaL_typename(P, -1));
  return box->message;
}

/* Whether a call may begin: what runs in a circle does so once, and not again for every container. */
static bool may_begin(km_lua_sandbox *box) {
  if (box->exhausted == NULL && box->earlier_work > MAX_SHARES * box->work_limit)
    box->exhausted = no_work;
  if (box->exhausted == NULL && box->earlier_time > MAX_SHARES * (double)box->time_limit)
    box->exhausted = no_time;
  return box->exhausted == NULL;
}

const char *km_lua_sandbox_call(km_lua_sandbox *box, lua_CFunction function, void *argument) {
  if (!may_begin(box))
    return box->exhausted;
  lua_settop(box->state, 0); /* the message of the call before */
  box->work = box->unseen = 0;
  box->started = km_console_clock();
  km_console_watch *watch =
      km_console_watch_begin(2 * box->time_limit,
                             "keymend: a policy did not end and could not be stopped, so keymend "
                             "ends; no target was being changed\n",
                             WATCHDOG_STATUS);
  if (watch == NULL)
    return "the system gives no thread to watch over the policy";
  int status = lua_cpcall(box->state, function, argument);
  km_console_watch_end(watch);
  box->earlier_work += box->work;
  box->earlier_time += (double)(km_console_clock() - box->started);
  return status == 0 && box->exhausted == NULL ? NULL : reason_of(box);
}

/* ---- Compiling ---- */

typedef struct source {
  const char *text;
  size_t left;
} source;

/* The next piece of the text. Compiling has no instructions to be counted, and some texts take it time that grows with
 * the square of their length. */
static const char *read_piece(lua_State *P, void *user, size_t *size) {
  source *from = user;
  const char *piece = from->text;
  *size = from->left < SOURCE_PIECE ? from->left : SOURCE_PIECE;
  from->text += *size;
  from->left -= *size;
  km_lua_sandbox_of(P)->work += (double)*size;
  look_at_limits(km_lua_sandbox_of(P));
  pass_limit(P);
  return piece;
}

void km_lua_load(lua_State *P, const char *text, size_t size, const char *name) {
  source from = {text, size};
  if (size > 0 && text[0] == LUA_SIGNATURE[0])
    luaL_error(P, "this is Lua bytecode; a policy must be text");
  if (lua_load(P, read_piece, &from, name) != 0)
    lua_error(P);
}
