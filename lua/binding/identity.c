/* identity.c: keymend.identities, what in a target names key containers */
#include "binding.h"

#include <string.h>

#define MAX_ROWS 256 /* told of one key; more sources of one container are counted, not asked */

typedef struct identities_box {
  km_lua_child child; /* first: km_lua_child * is identities_box * */
  km_identity_set *set;
} identities_box;

static void release_identities(km_lua_child *child) {
  identities_box *box = (identities_box *)child;
  km_identity_free(box->set);
  box->set = NULL;
}

/* target:identities() -> keymend.identities; the registry and IIS's files are read once */
static int target_identities(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_error error;
  identities_box *box = lua_newuserdata(L, sizeof *box);
  *box = (identities_box){.set = NULL};
  luaL_getmetatable(L, KM_META_IDENTITIES);
  lua_setmetatable(L, -2);
  km_lua_adopt_child(L, &box->child, 1, release_identities);
  if (km_identity_find(self->target, &box->set, &error) != KM_OK) {
    box->set = NULL;
    km_lua_close_child(&box->child);
    return km_lua_fail(L, &error);
  }
  return 1;
}

static const km_identity_set *check_identities(lua_State *L) {
  const identities_box *box = luaL_checkudata(L, 1, KM_META_IDENTITIES);
  if (!box->child.open)
    luaL_error(L, box->child.parent->target == NULL ? "the target of these identities is closed"
                                                    : "these identities are closed");
  if (box->child.parent->busy)
    luaL_error(L, "the target of these identities is in use by apply, undo or recover");
  return box->set;
}

/* identities:list() -> {{kind, container, where, what, use, cng, history, dated, dated_ticks}, ...}: certificates,
 * configuration, metabase; of each what is in use first, then the newest. kind: "certificate", "configuration",
 * "metabase"; use: what uses it now, nil when nothing is known to */
static int identities_list(lua_State *L) {
  const km_identity_set *set = check_identities(L);
  size_t count = km_identity_count(set);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    const km_identity_source *source = km_identity_at(set, i);
    lua_createtable(L, 0, 9);
    km_lua_set_text(L, "kind", km_identity_kind_id(source->kind));
    km_lua_set_text(L, "container", source->container);
    km_lua_set_text(L, "where", source->where);
    km_lua_set_text(L, "what", source->what);
    km_lua_set_text(L, "use", source->use);
    km_lua_set_flag(L, "cng", source->cng);
    km_lua_set_flag(L, "history", source->history);
    km_lua_set_time(L, "dated", source->dated);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static void push_row(lua_State *L, const km_identity *row) {
  lua_createtable(L, 0, 12);
  km_lua_set_text(L, "kind", km_identity_kind_id(row->kind));
  km_lua_set_text(L, "verdict", km_identity_verdict_id(row->verdict));
  km_lua_set_text(L, "container", row->container);
  km_lua_set_text(L, "where", row->where);
  km_lua_set_text(L, "what", row->what);
  km_lua_set_text(L, "use", row->use);
  km_lua_set_text(L, "text", row->text);
  km_lua_set_text(L, "part", row->part);
  km_lua_set_time(L, "dated", row->dated);
  km_lua_set_flag(L, "history", row->history);
}

/* identities:try(proof, container, kind, name) -> {{verdict, text, kind, container, where, what, use, part, history,
 * dated, dated_ticks}, ...}, a row a source of the container, in the order of the list. part: "signature" or "exchange",
 * which key of the file it was made with; nil: both, or not told. proof: target:proof(), or nil: what
 * takes the private key is then unknown. kind: "rsa", "cng", "cng-system". verdict: "proved", "consistent", "disproved",
 * "unknown". */
static int identities_try(lua_State *L) {
  const km_identity_set *set = check_identities(L);
  km_proof *proof = lua_isnoneornil(L, 2) ? NULL : km_lua_check_proof(L, 2);
  const char *container = km_lua_check_text(L, 3);
  km_store_kind kind = km_lua_check_kind(L, 4);
  const char *name = km_lua_check_text(L, 5);
  km_error error;
  size_t count = 0;
  km_identity *rows = lua_newuserdata(L, MAX_ROWS * sizeof *rows);
  if (km_identity_try(set, proof, container, kind, name, rows, MAX_ROWS, &count, &error) != KM_OK)
    return km_lua_fail(L, &error);
  if (count > MAX_ROWS)
    count = MAX_ROWS;
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_row(L, &rows[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* identities:problem() -> what could not be read, a line each; nil: nothing */
static int identities_problem(lua_State *L) {
  const char *problem = km_identity_problem(check_identities(L));
  if (problem == NULL)
    return 0;
  lua_pushstring(L, problem);
  return 1;
}

static int identities_close(lua_State *L) {
  identities_box *box = luaL_checkudata(L, 1, KM_META_IDENTITIES);
  km_lua_close_child(&box->child);
  return 0;
}

static int identities_tostring(lua_State *L) {
  const identities_box *box = luaL_checkudata(L, 1, KM_META_IDENTITIES);
  if (box->child.open)
    lua_pushfstring(L, "keymend.identities (%d)", (int)km_identity_count(box->set));
  else
    lua_pushliteral(L, "keymend.identities (closed)");
  return 1;
}

/* ---- Certificates of users and services ---- */

typedef struct found_reference {
  lua_State *L;
  const km_reference *reference;
  bool failed; /* the error is at the top of the stack */
} found_reference;

/* Appends one reference to the list at 1; the protected part of the callback. */
static int add_reference(lua_State *L) {
  const found_reference *at = lua_touserdata(L, 2);
  lua_createtable(L, 0, 3);
  km_lua_set_text(L, "container", at->reference->container);
  km_lua_set_text(L, "where", at->reference->where);
  km_lua_set_text(L, "problem", at->reference->problem);
  lua_rawseti(L, 1, (int)lua_objlen(L, 1) + 1);
  return 0;
}

static bool each_reference(void *user, const km_reference *reference) {
  found_reference *at = user;
  at->reference = reference;
  lua_pushvalue(at->L, 2);
  lua_pushvalue(at->L, 3);
  lua_pushlightuserdata(at->L, at);
  at->failed = lua_pcall(at->L, 2, 0, 0) != 0;
  return !at->failed;
}

/* target:references() -> {{container, where}, {where, problem}, ...}: the machine key containers that certificates of
 * users and services name, and what could not be looked at */
static int target_references(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_error error;
  lua_settop(L, 1);
  lua_pushcfunction(L, add_reference);
  lua_newtable(L);
  found_reference at = {.L = L};
  km_status status = km_references_find(self->target, each_reference, &at, &error);
  if (at.failed)
    return lua_error(L);
  return status == KM_OK ? 1 : km_lua_fail(L, &error);
}

const luaL_Reg km_lua_identity_methods[] = {
    {"identities", target_identities}, {"references", target_references}, {NULL, NULL}};

void km_lua_register_identities(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"list", identities_list},
      {"try", identities_try},
      {"problem", identities_problem},
      {"close", identities_close},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", identities_close},
      {"__tostring", identities_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_IDENTITIES, methods, meta);
}
