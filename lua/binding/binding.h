/* binding.h: shared by the C side of the Lua module; internal to lua/binding
 *
 * One file, one userdata type: core.c the module keymend.core, target.c keymend.target, store.c its reading of
 * keys, keys.c keymend.keys, services.c keymend.services, events.c keymend.events and the trial of containers,
 * proof.c keymend.proof, identity.c keymend.identities, version.c versions of files, scratch.c temporary folders,
 * transaction.c apply, undo and recover, policy.c keymend.policy; push.c turns structs into tables, data.c copies plain data between Lua states.
 *
 * Manners. Failure that can happen: nil, message, code, native. Misuse raises. A Lua function may raise at any
 * allocation, so whatever has to be released belongs to a userdata before the next Lua call, and no Lua error
 * ever crosses a function of the core: its callbacks enter Lua through lua_pcall.
 */
#ifndef KM_BINDING_H
#define KM_BINDING_H

#include "keymend.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define KM_META_TARGET "keymend.target"
#define KM_META_KEYS "keymend.keys"
#define KM_META_SERVICES "keymend.services"
#define KM_META_EVENTS "keymend.events"
#define KM_META_PROOF "keymend.proof"
#define KM_META_IDENTITIES "keymend.identities"
#define KM_META_POLICY "keymend.policy"

/* ---- Libraries and types: each pushes or registers its own ---- */

KM_API int luaopen_keymend(lua_State *L);      /* the whole module */
KM_API int luaopen_keymend_core(lua_State *L); /* facts and acts alone */

int km_lua_open(lua_State *L);           /* core.open */
int km_lua_forbid_writing(lua_State *L); /* core.forbid_writing */
int km_lua_policy_new(lua_State *L);     /* core.policy_new */

/* Makes a metatable named `name` with `meta`, and `methods` as its __index; pushes nothing. */
void km_lua_register_type(lua_State *L, const char *name, const luaL_Reg *methods,
                          const luaL_Reg *meta);
void km_lua_register_target(lua_State *L);
void km_lua_register_keys(lua_State *L);
void km_lua_register_services(lua_State *L);
void km_lua_register_events(lua_State *L);
void km_lua_register_proof(lua_State *L);
void km_lua_register_identities(lua_State *L);
void km_lua_register_policy(lua_State *L);

extern const luaL_Reg km_lua_scratch_functions[]; /* of keymend.core; NULL-ended */

/* ---- keymend.target ---- */

typedef struct km_lua_child km_lua_child;

/* A target in Lua. `target` is NULL once it is closed, and then no child holds anything of it either. */
typedef struct km_lua_target {
  km_target *target;
  bool write;             /* opened with write = true */
  bool busy;              /* inside apply, undo or recover: their callbacks must not use it */
  km_lua_child *children; /* open ones; each pins this userdata through its environment */
} km_lua_target;

/* First member of the userdata of whatever uses a target's state while it lives. */
struct km_lua_child {
  km_lua_target *parent;
  km_lua_child *next, *previous;
  void (*release)(km_lua_child *child); /* closes the resource; called once */
  bool open;
};

/* The open target at a stack index; raises when it is closed or busy. */
km_lua_target *km_lua_check_target(lua_State *L, int index);

/* Makes the child at the top of the stack depend on the target at `parent`. */
void km_lua_adopt_child(lua_State *L, km_lua_child *child, int parent,
                        void (*release)(km_lua_child *child));
void km_lua_close_child(km_lua_child *child); /* idempotent */

/* Whether apply, undo or recover is at work in this process. */
bool km_lua_is_changing(void);

/* Methods that other files bring to keymend.target; NULL-ended. */
extern const luaL_Reg km_lua_store_methods[];
extern const luaL_Reg km_lua_transaction_methods[];
extern const luaL_Reg km_lua_event_methods[];
extern const luaL_Reg km_lua_version_methods[];
extern const luaL_Reg km_lua_proof_methods[];
extern const luaL_Reg km_lua_identity_methods[];
int km_lua_target_keys(lua_State *L);
int km_lua_target_services(lua_State *L);

/* The open proof at a stack index; raises when it is closed. */
km_proof *km_lua_check_proof(lua_State *L, int index);

/* ---- Ownership (push.c) ---- */

/* Pushes a userdata that calls release(object) when it is collected or km_lua_release is called. Set `object`
 * right after the core has handed it out. `extra` zeroed bytes follow the struct, for a caller's own object that
 * must not be collected earlier. */
typedef struct km_lua_owned {
  void *object;
  void (*release)(void *object);
} km_lua_owned;
km_lua_owned *km_lua_own(lua_State *L, void (*release)(void *object), size_t extra);
void km_lua_release(km_lua_owned *owned);

/* ---- Results (push.c) ---- */

/* Pushes nil, message, code, native; returns 4. */
int km_lua_fail(lua_State *L, const km_error *error);

/* Set a field of the table at the top of the stack. NULL text and time 0 set nothing; a time `name` sets
 * <name> (Unix seconds) and <name>_ticks (FILETIME ticks as decimal text). */
void km_lua_set_text(lua_State *L, const char *name, const char *text);
void km_lua_set_number(lua_State *L, const char *name, lua_Number number);
void km_lua_set_flag(lua_State *L, const char *name, bool flag);
void km_lua_set_decimal(lua_State *L, const char *name, uint64_t number);
void km_lua_set_time(lua_State *L, const char *name, km_time time);
void km_lua_set_texts(lua_State *L, const char *name, char *const *texts);

void km_lua_push_ticks(lua_State *L, km_time time); /* decimal text */
const char *km_lua_class(km_name_class kind);       /* "current", "foreign", "stray" */
const char *km_lua_guid_form(km_guid_form form);

void km_lua_push_info(lua_State *L, const km_target_info *info);
void km_lua_push_lower(lua_State *L, const char *text, size_t length); /* ASCII lower case */
void km_lua_push_survey(lua_State *L, const km_survey *survey, const char *const *hashes);
void km_lua_push_file(lua_State *L, const km_file_info *file); /* size, times, owner, ... */
void km_lua_push_key(lua_State *L, const char *name, const char *guid, const km_key_info *key);
void km_lua_push_service(lua_State *L, const km_service *service);
/* Sets in the table at the top: state, and what is told in that state: started, stoppable; exit_code, specific_code.
 * Nothing for a state that is not known. */
void km_lua_set_service_status(lua_State *L, const km_service_status *status);
void km_lua_push_order(lua_State *L, const km_service_order *order);
void km_lua_push_txn(lua_State *L, const km_txn *txn);
void km_lua_push_entry(lua_State *L, const km_access_entry *entry); /* {type, flags, mask, sid} */

/* ---- Arguments (push.c) ---- */

/* Text without embedded NULs at `index`; raises otherwise. */
const char *km_lua_check_text(lua_State *L, int index);

/* FILETIME ticks as decimal text at `index`; raises otherwise. */
km_time km_lua_check_ticks(lua_State *L, int index);

/* Reads decimal text: digits alone, up to UINT64_MAX. */
bool km_lua_decimal(const char *text, uint64_t *out);

/* The kind of store at `index`: "rsa" (default), "cng", "cng-system"; raises otherwise. */
km_store_kind km_lua_check_kind(lua_State *L, int index);

/* The array of texts at `index` as C strings. Pushes two values that keep them alive whatever Lua code does to
 * the array; *count gets their number and one NULL follows them. Raises when an element is no text or there are
 * more than `max`; `what` names the array in messages. */
const char *const *km_lua_check_texts(lua_State *L, int index, size_t max, const char *what,
                                      size_t *count);

/* ---- Plain data between Lua states (data.c) ---- */

#define KM_MAX_DATA_DEPTH 32
#define KM_MAX_DATA_SIZE (16u * 1024 * 1024) /* bytes packed */

/* Packed plain data: nil, booleans, numbers, strings and tables of them. */
typedef struct km_lua_data {
  unsigned char *bytes;
  size_t size, room;
} km_lua_data;

/* What a state wants of packing; both may be NULL. A function becomes {["function"] = n} through `function`, which gives
 * n for the function at the top of its stack; NULL: refused. `charge` is called for every table, and may raise. */
typedef struct km_lua_packing {
  lua_Integer (*function)(lua_State *L);
  void (*charge)(lua_State *L, double work);
} km_lua_packing;

/* Appends the value at `index`. NULL, or why it cannot be packed (static text). May raise a Lua error in `L`; `data`
 * stays valid and is the caller's to clear. */
const char *km_lua_pack(lua_State *L, int index, km_lua_data *data, km_lua_packing how);

/* Pushes the value at *offset and moves the offset behind it. May raise for memory. */
void km_lua_unpack(lua_State *L, const km_lua_data *data, size_t *offset);
void km_lua_data_clear(km_lua_data *data);

#endif
