/* policy.c: keymend.policy, a policy's own Lua state (sandbox.h says what that stops and what it does not)
 *
 * Only copies of plain data cross. Every call into the state is protected, so that an error in it cannot unwind the
 * caller's state; and while it runs, the caller's does not.
 */
#include "sandbox.h"

#include <string.h>

#define DEFAULT_MEMORY (64u * 1024 * 1024)
#define DEFAULT_INSTRUCTIONS                                                                       \
  200e6 /* about two seconds; a policy of the size of iis5 needs some thousands */
#define DEFAULT_SECONDS 30 /* old machines run a tenth of the instructions in a second */
#define MAX_SECONDS 3600
#define MAX_ARGUMENTS 16
#define MAX_MESSAGE 2000 /* bytes */

#define FUNCTIONS "functions" /* in the policy's registry: n -> function and function -> n */

typedef struct policy_state {
  km_lua_sandbox box;
  km_lua_data data;    /* on its way in or out */
  const char *problem; /* why data could not go */
} policy_state;

/* ---- Calls into the state; each runs inside lua_cpcall ---- */

typedef struct request {
  policy_state *policy;
  const char *source, *name;
  size_t size;
  lua_Integer function; /* 0: run `source` */
  int arguments;        /* packed in policy->data */
  int results;
} request;

static int make_functions(lua_State *P) {
  lua_newtable(P);
  lua_setfield(P, LUA_REGISTRYINDEX, FUNCTIONS);
  return 0;
}

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
    km_lua_load(P, what->source, what->size, what->name);
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
    policy->problem =
        km_lua_pack(P, i, &policy->data, (km_lua_packing){number_function, km_lua_charge_unknown});
  return 0;
}

/* Pushes nil and a message, which a policy may have made megabytes long. */
static int push_problem(lua_State *L, policy_state *policy, const char *message) {
  size_t length = strlen(message);
  km_lua_data_clear(&policy->data);
  lua_pushnil(L);
  lua_pushlstring(L, message, length < MAX_MESSAGE ? length : MAX_MESSAGE);
  if (length > MAX_MESSAGE) {
    lua_pushliteral(L, " ...");
    lua_concat(L, 2);
  }
  return 2;
}

/* Runs a request and pushes copies of what it returns, or nil and a message. */
static int enter(lua_State *L, request *what) {
  policy_state *policy = what->policy;
  if (km_lua_is_changing())
    return push_problem(L, policy, "a policy does not run while a target is changed");
  policy->problem = NULL;
  const char *message = km_lua_sandbox_call(&policy->box, run_request, what);
  if (message != NULL)
    return push_problem(L, policy, message);
  if (policy->problem != NULL) {
    lua_pushfstring(L, "what the policy returned: %s", policy->problem);
    return push_problem(L, policy, lua_tostring(L, -1));
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
  luaL_argcheck(L, policy->box.state != NULL, 1, "the policy is closed");
  return policy;
}

/* policy:run(source, chunk name) -> copies of what the chunk returns, or nil, message. Text only. */
static int policy_run(lua_State *L) {
  request what = {.policy = check_policy(L)};
  what.source = luaL_checklstring(L, 2, &what.size);
  what.name = luaL_optstring(L, 3, "=policy");
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
    const char *problem = km_lua_pack(L, i + 3, &what.policy->data, (km_lua_packing){0});
    if (problem != NULL)
      return luaL_argerror(L, i + 3, problem);
  }
  return enter(L, &what);
}

/* The assignment of a global that no file has set. */
static int refuse_global(lua_State *P) {
  const char *name = lua_type(P, 2) == LUA_TSTRING ? lua_tostring(P, 2) : luaL_typename(P, 2);
  return luaL_error(P, "%s: a global variable that the file itself does not set; write local %s",
                    name, name);
}

static int seal_globals(lua_State *P) {
  lua_settop(P, 0);
  lua_pushvalue(P, LUA_GLOBALSINDEX);
  if (!lua_getmetatable(P, 1))
    lua_newtable(P);
  lua_pushcfunction(P, refuse_global);
  lua_setfield(P, 2, "__newindex");
  lua_pushboolean(P, 0);
  lua_setfield(P, 2, "__metatable");
  lua_setmetatable(P, 1);
  return 0;
}

/* policy:seal() -> true, or nil, message: from now on functions of the policy raise when they set a global that is not
 * there yet. */
static int policy_seal(lua_State *L) {
  policy_state *policy = check_policy(L);
  const char *message = km_lua_sandbox_call(&policy->box, seal_globals, NULL);
  if (message != NULL)
    return push_problem(L, policy, message);
  lua_pushboolean(L, 1);
  return 1;
}

static int policy_close(lua_State *L) {
  policy_state *policy = luaL_checkudata(L, 1, KM_META_POLICY);
  km_lua_sandbox_close(&policy->box);
  km_lua_data_clear(&policy->data);
  return 0;
}

static int policy_tostring(lua_State *L) {
  const policy_state *policy = luaL_checkudata(L, 1, KM_META_POLICY);
  lua_pushstring(L, policy->box.state != NULL ? "keymend.policy" : "keymend.policy (closed)");
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

/* policy_new{memory = bytes, instructions = number, seconds = number} -> keymend.policy, or nil, message */
int km_lua_policy_new(lua_State *L) {
  double memory = option_number(L, "memory", DEFAULT_MEMORY);
  double instructions = option_number(L, "instructions", DEFAULT_INSTRUCTIONS);
  double seconds = option_number(L, "seconds", DEFAULT_SECONDS);
  luaL_argcheck(L, memory < 1e9, 1, "memory must stay below 1 GB");
  luaL_argcheck(L, seconds <= MAX_SECONDS, 1, "seconds must be 3600 at most");
  policy_state *policy = lua_newuserdata(L, sizeof *policy);
  *policy = (policy_state){.box = {.memory_limit = (size_t)memory,
                                   .work_limit = instructions,
                                   .time_limit = (uint32_t)(seconds * 1000)}};
  luaL_getmetatable(L, KM_META_POLICY);
  lua_setmetatable(L, -2);
  if (!km_lua_sandbox_open(&policy->box) ||
      lua_cpcall(policy->box.state, make_functions, NULL) != 0) {
    km_lua_sandbox_close(&policy->box);
    lua_pushnil(L);
    lua_pushstring(L, "no memory for a policy's Lua state");
    lua_pushstring(L, km_status_id(KM_MEMORY));
    return 3;
  }
  return 1;
}

void km_lua_register_policy(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"run", policy_run},     {"call", policy_call}, {"seal", policy_seal},
      {"close", policy_close}, {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", policy_close},
      {"__tostring", policy_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_POLICY, methods, meta);
}
