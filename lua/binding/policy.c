/* policy.c: keymend.policy, a policy's own Lua state
 *
 * It has the parts of base, string, table and math that a policy needs, and nothing that reaches a file, a
 * process, the loader or another state. Memory and instructions are counted; who uses them up is stopped, and
 * pcall in the policy does not hold that up. Only copies of plain data cross. Every call into the state is
 * protected, so that an error in it cannot unwind the caller's state; and while it runs, the caller's does not.
 */
#include "binding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY (64u * 1024 * 1024)
#define DEFAULT_INSTRUCTIONS                                                                       \
  200e6 /* about two seconds; a policy of the size of iis5 needs some thousands */
#define HOOK_STEP 10000
#define MAX_ARGUMENTS 16

#define FUNCTIONS "functions" /* in the policy's registry: n -> function and function -> n */

typedef struct policy_state {
  lua_State *state; /* NULL when closed */
  size_t memory, memory_limit;
  double instructions, instruction_limit; /* of the call that runs */
  const char *exhausted;                  /* what was used up in the call that runs, else NULL */
  km_lua_data data;                       /* on its way in or out */
  const char *problem;                    /* why data could not go */
} policy_state;

static policy_state *state_of(lua_State *P) {
  void *policy = NULL;
  lua_getallocf(P, &policy);
  return policy;
}

/* ---- Limits ---- */

static void *count_memory(void *user, void *block, size_t old_size, size_t new_size) {
  policy_state *policy = user;
  if (new_size == 0) {
    policy->memory -= old_size;
    free(block);
    return NULL;
  }
  if (new_size > old_size && new_size - old_size > policy->memory_limit - policy->memory) {
    policy->exhausted = "the policy used up its memory";
    return NULL;
  }
  void *moved = realloc(block, new_size);
  if (moved != NULL)
    policy->memory = policy->memory - old_size + new_size;
  return moved;
}

static void count_instructions(lua_State *P, lua_Debug *where) {
  policy_state *policy = state_of(P);
  (void)where;
  policy->instructions += HOOK_STEP;
  if (policy->instructions > policy->instruction_limit)
    policy->exhausted = "the policy used up its instructions: it may run in a circle";
  if (policy->exhausted != NULL)
    luaL_error(P, "%s", policy->exhausted);
}

/* Goes on with an error that means a used-up limit. */
static void pass_limit(lua_State *P) {
  if (state_of(P)->exhausted != NULL)
    luaL_error(P, "%s", state_of(P)->exhausted);
}

/* pcall(f, ...) as in base, but it does not hold up a limit. */
static int policy_pcall(lua_State *P) {
  luaL_checkany(P, 1);
  pass_limit(P);
  int status = lua_pcall(P, lua_gettop(P) - 1, LUA_MULTRET, 0);
  pass_limit(P);
  lua_pushboolean(P, status == 0);
  lua_insert(P, 1);
  return lua_gettop(P);
}

/* Calls xpcall's handler unless a limit is used up: handlers that fail in turn could go on for ever. */
static int call_handler(lua_State *P) {
  if (state_of(P)->exhausted != NULL)
    return 1;
  lua_settop(P, 1);
  lua_pushvalue(P, lua_upvalueindex(1));
  lua_insert(P, 1);
  lua_call(P, 1, 1);
  return 1;
}

/* xpcall(f, handler), likewise. */
static int policy_xpcall(lua_State *P) {
  luaL_checkany(P, 2);
  pass_limit(P);
  lua_settop(P, 2);
  lua_pushcclosure(P, call_handler, 1);
  lua_insert(P, 1);
  int status = lua_pcall(P, 0, LUA_MULTRET, 1);
  pass_limit(P);
  lua_pushboolean(P, status == 0);
  lua_replace(P, 1);
  return lua_gettop(P);
}

/* ---- What a policy finds ---- */

typedef struct library {
  const char *name;   /* as its opener wants it */
  const char *global; /* where it stands then */
  lua_CFunction open;
  const char *allowed[24];
} library;

/* Random numbers are left out: the same facts must give the same answer. */
static const library libraries[] = {
    {"",
     "_G",
     luaopen_base,
     {"_VERSION", "_G", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall",
      "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type",
      "unpack", "xpcall"}},
    {"string",
     "string",
     luaopen_string,
     {"byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse",
      "sub", "upper"}},
    {"table", "table", luaopen_table, {"concat", "insert", "maxn", "remove", "sort"}},
    {"math",
     "math",
     luaopen_math,
     {"abs", "ceil", "floor", "fmod", "huge", "max", "min", "modf", "pi"}},
};

#define LIBRARY_COUNT (sizeof libraries / sizeof libraries[0])

static bool is_allowed(const library *lib, const char *name) {
  for (size_t i = 0; lib->allowed[i] != NULL; i++) {
    if (strcmp(lib->allowed[i], name) == 0)
      return true;
  }
  return false;
}

/* Removes from the table at the top whatever the library's list does not name. Setting fields to nil is allowed
 * during lua_next. */
static void keep_allowed(lua_State *P, const library *lib) {
  for (lua_pushnil(P); lua_next(P, -2) != 0;) {
    lua_pop(P, 1);
    if (lua_type(P, -1) == LUA_TSTRING && is_allowed(lib, lua_tostring(P, -1)))
      continue;
    lua_pushvalue(P, -1);
    lua_pushnil(P);
    lua_settable(P, -4);
  }
}

static int prepare_state(lua_State *P) {
  lua_gc(P, LUA_GCSETPAUSE, 125); /* garbage counts as used memory, so there should be little */
  for (size_t i = 0; i < LIBRARY_COUNT; i++) {
    lua_pushcfunction(P, libraries[i].open);
    lua_pushstring(P, libraries[i].name);
    lua_call(P, 1, 0);
    lua_getglobal(P, libraries[i].global);
    keep_allowed(P, &libraries[i]);
    lua_pop(P, 1);
  }
  lua_pushcfunction(P, policy_pcall);
  lua_setglobal(P, "pcall");
  lua_pushcfunction(P, policy_xpcall);
  lua_setglobal(P, "xpcall");
  lua_newtable(P);
  lua_setfield(P, LUA_REGISTRYINDEX, FUNCTIONS);
  return 0;
}

/* ---- Calls into the state; each runs inside lua_cpcall ---- */

typedef struct request {
  policy_state *policy;
  const char *source, *name;
  size_t size;
  lua_Integer function; /* 0: run `source` */
  int arguments;        /* packed in policy->data */
  int results;
} request;

/* The number of the function at the top of the stack; the same function always has the same one. */
static lua_Integer number_function(lua_State *P) {
  lua_getfield(P, LUA_REGISTRYINDEX, FUNCTIONS);
  lua_pushvalue(P, -2);
  lua_rawget(P, -2);
  lua_Integer number = lua_tointeger(P, -1);
  if (number == 0) {
    number = (lua_Integer)lua_objlen(P, -2) + 1;
    lua_pushvalue(P, -3);
    lua_rawseti(P, -3, (int)number);
    lua_pushvalue(P, -3);
    lua_pushinteger(P, number);
    lua_rawset(P, -4);
  }
  lua_pop(P, 2);
  return number;
}

static void push_function(lua_State *P, const request *what) {
  if (what->function == 0) {
    if (luaL_loadbuffer(P, what->source, what->size, what->name) != 0)
      lua_error(P);
    return;
  }
  lua_getfield(P, LUA_REGISTRYINDEX, FUNCTIONS);
  lua_rawgeti(P, -1, (int)what->function);
  lua_remove(P, -2);
  if (!lua_isfunction(P, -1))
    luaL_error(P, "this policy has no function number %d", (int)what->function);
}

static int run_request(lua_State *P) {
  request *what = lua_touserdata(P, 1);
  policy_state *policy = what->policy;
  lua_settop(P, 0);
  push_function(P, what);
  size_t offset = 0;
  for (int i = 0; i < what->arguments; i++)
    km_lua_unpack(P, &policy->data, &offset);
  km_lua_data_clear(&policy->data);
  lua_call(P, what->arguments, LUA_MULTRET);
  what->results = lua_gettop(P) < MAX_ARGUMENTS ? lua_gettop(P) : MAX_ARGUMENTS;
  for (int i = 1; i <= what->results && policy->problem == NULL; i++)
    policy->problem = km_lua_pack(P, i, &policy->data, number_function);
  return 0;
}

/* Pushes nil and the policy's error message on the caller's stack. */
static int push_error(lua_State *L, policy_state *policy) {
  lua_State *P = policy->state;
  lua_pushnil(L);
  if (policy->exhausted != NULL)
    lua_pushstring(L, policy->exhausted);
  else if (lua_type(P, -1) == LUA_TSTRING)
    lua_pushstring(L, lua_tostring(P, -1));
  else
    lua_pushfstring(L, "the policy raised an error that is a %s, not a text", luaL_typename(P, -1));
  lua_settop(P, 0);
  return 2;
}

/* Runs a request and pushes copies of what it returns, or nil and a message. */
static int enter(lua_State *L, request *what) {
  policy_state *policy = what->policy;
  policy->instructions = 0;
  policy->exhausted = policy->problem = NULL;
  int status = lua_cpcall(policy->state, run_request, what);
  if (status != 0 || policy->exhausted != NULL) {
    km_lua_data_clear(&policy->data);
    return push_error(L, policy);
  }
  if (policy->problem != NULL) {
    km_lua_data_clear(&policy->data);
    lua_pushnil(L);
    lua_pushfstring(L, "what the policy returned: %s", policy->problem);
    return 2;
  }
  size_t offset = 0;
  luaL_checkstack(L, what->results, "results of a policy");
  for (int i = 0; i < what->results; i++)
    km_lua_unpack(L, &policy->data, &offset);
  km_lua_data_clear(&policy->data);
  return what->results;
}

/* ---- The userdata ---- */

static policy_state *check_policy(lua_State *L) {
  policy_state *policy = luaL_checkudata(L, 1, KM_META_POLICY);
  luaL_argcheck(L, policy->state != NULL, 1, "the policy is closed");
  return policy;
}

/* policy:run(source, chunk name) -> copies of what the chunk returns, or nil, message. Text only. */
static int policy_run(lua_State *L) {
  request what = {.policy = check_policy(L)};
  what.source = luaL_checklstring(L, 2, &what.size);
  what.name = luaL_optstring(L, 3, "=policy");
  if (what.size > 0 && what.source[0] == LUA_SIGNATURE[0]) {
    lua_pushnil(L);
    lua_pushstring(L, "this is Lua bytecode; a policy must be text");
    return 2;
  }
  return enter(L, &what);
}

/* policy:call(n, ...) -> copies of what function n returns, or nil, message. */
static int policy_call(lua_State *L) {
  request what = {.policy = check_policy(L)};
  what.function = luaL_checkinteger(L, 2);
  what.arguments = lua_gettop(L) - 2;
  luaL_argcheck(L, what.function > 0, 2, "number of a function expected");
  luaL_argcheck(L, what.arguments <= MAX_ARGUMENTS, 2, "more than 16 arguments");
  km_lua_data_clear(&what.policy->data); /* an error below leaves it to the next call or close */
  for (int i = 0; i < what.arguments; i++) {
    const char *problem = km_lua_pack(L, i + 3, &what.policy->data, NULL);
    if (problem != NULL)
      return luaL_argerror(L, i + 3, problem);
  }
  return enter(L, &what);
}

static int policy_close(lua_State *L) {
  policy_state *policy = luaL_checkudata(L, 1, KM_META_POLICY);
  if (policy->state != NULL)
    lua_close(policy->state);
  policy->state = NULL;
  km_lua_data_clear(&policy->data);
  return 0;
}

static int policy_tostring(lua_State *L) {
  const policy_state *policy = luaL_checkudata(L, 1, KM_META_POLICY);
  lua_pushstring(L, policy->state != NULL ? "keymend.policy" : "keymend.policy (closed)");
  return 1;
}

static double option_number(lua_State *L, const char *name, double standard) {
  if (lua_isnoneornil(L, 1))
    return standard;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_getfield(L, 1, name);
  double number = standard;
  if (!lua_isnil(L, -1)) {
    if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) > 0))
      luaL_error(L, "policy_new: %s must be a number above 0", name);
    number = lua_tonumber(L, -1);
  }
  lua_pop(L, 1);
  return number;
}

/* policy_new{memory = bytes, instructions = number} -> keymend.policy, or nil, message */
int km_lua_policy_new(lua_State *L) {
  double memory = option_number(L, "memory", DEFAULT_MEMORY);
  double instructions = option_number(L, "instructions", DEFAULT_INSTRUCTIONS);
  luaL_argcheck(L, memory < 1e9, 1, "memory must stay below 1 GB");
  policy_state *policy = lua_newuserdata(L, sizeof *policy);
  *policy = (policy_state){.memory_limit = (size_t)memory, .instruction_limit = instructions};
  luaL_getmetatable(L, KM_META_POLICY);
  lua_setmetatable(L, -2);
  policy->state = lua_newstate(count_memory, policy);
  if (policy->state == NULL || lua_cpcall(policy->state, prepare_state, NULL) != 0) {
    lua_pushnil(L);
    lua_pushstring(L, "no memory for a policy's Lua state");
    lua_pushstring(L, km_status_id(KM_MEMORY));
    return 3;
  }
  lua_sethook(policy->state, count_instructions, LUA_MASKCOUNT, HOOK_STEP);
  return 1;
}

void km_lua_register_policy(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"run", policy_run},
      {"call", policy_call},
      {"close", policy_close},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", policy_close},
      {"__tostring", policy_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_POLICY, methods, meta);
}
