/* proof.c: keymend.proof, what a target's keys are tried with */
#include "binding.h"

typedef struct proof_box {
  km_lua_child child; /* first: km_lua_child * is proof_box * */
  km_proof *proof;
} proof_box;

static void release_proof(km_lua_child *child) {
  proof_box *box = (proof_box *)child;
  km_proof_close(box->proof);
  box->proof = NULL;
}

/* target:proof() -> keymend.proof; the target's secrets are in it, and never in Lua */
static int target_proof(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_error error;
  proof_box *box = lua_newuserdata(L, sizeof *box);
  *box = (proof_box){.proof = NULL};
  luaL_getmetatable(L, KM_META_PROOF);
  lua_setmetatable(L, -2);
  km_lua_adopt_child(L, &box->child, 1, release_proof);
  if (km_proof_open(self->target, &box->proof, &error) != KM_OK) {
    box->proof = NULL;
    km_lua_close_child(&box->child);
    return km_lua_fail(L, &error);
  }
  return 1;
}

km_proof *km_lua_check_proof(lua_State *L, int index) {
  const proof_box *box = luaL_checkudata(L, index, KM_META_PROOF);
  if (!box->child.open)
    luaL_error(L, box->child.parent->target == NULL ? "the target of this proof is closed"
                                                    : "this proof is closed");
  return box->proof;
}

static void push_part(lua_State *L, const char *name, const km_proof_part *part) {
  if (!part->present)
    return;
  lua_createtable(L, 0, 4);
  km_lua_set_text(L, "decryptable", km_decryptable_id(part->decryptable));
  km_lua_set_text(L, "master_key", part->master_key[0] != '\0' ? part->master_key : NULL);
  km_lua_set_text(L, "text", part->text);
  if (part->export_known)
    km_lua_set_flag(L, "exportable", part->exportable);
  lua_setfield(L, -2, name);
}

/* proof:key(kind, name) -> {decryptable, text, cng, signature, exchange}, each of the last two {decryptable, text, master_key,
 * exportable}; nil when there is no such key, exportable nil when it is not known. `decryptable`: "yes", "unknown",
 * "no-master-key", "master-key-closed", "bad-signature", "mismatch". */
static int proof_key(lua_State *L) {
  km_proof *proof = km_lua_check_proof(L, 1);
  km_store_kind kind = km_lua_check_kind(L, 2);
  const char *name = km_lua_check_text(L, 3);
  km_key_proof key;
  km_error error;
  if (km_proof_key(proof, kind, name, &key, &error) != KM_OK)
    return km_lua_fail(L, &error);
  lua_createtable(L, 0, 5);
  km_lua_set_text(L, "decryptable", km_decryptable_id(key.decryptable));
  km_lua_set_text(L, "text", key.text);
  km_lua_set_flag(L, "cng", key.cng);
  push_part(L, "signature", &key.signature);
  push_part(L, "exchange", &key.exchange);
  return 1;
}

/* proof:problem() -> why nothing can be decrypted, or nil: all that is needed is there */
static int proof_problem(lua_State *L) {
  const char *problem = km_proof_problem(km_lua_check_proof(L, 1));
  if (problem == NULL)
    return 0;
  lua_pushstring(L, problem);
  return 1;
}

/* proof:close(): wipes; again is allowed */
static int proof_close(lua_State *L) {
  proof_box *box = luaL_checkudata(L, 1, KM_META_PROOF);
  km_lua_close_child(&box->child);
  return 0;
}

void km_lua_register_proof(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"key", proof_key}, {"problem", proof_problem}, {"close", proof_close}, {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", proof_close}, {NULL, NULL}};
  km_lua_register_type(L, KM_META_PROOF, methods, meta);
}

const luaL_Reg km_lua_proof_methods[] = {
    {"proof", target_proof},
    {NULL, NULL},
};
