/* services.c: keymend.services, the service graph of a target's current control set */
#include "binding.h"

#define MAX_PATTERNS 10000

typedef struct services_box {
  km_lua_child child; /* first: km_lua_child * is services_box * */
  km_services *services;
} services_box;

static void release_services(km_lua_child *child) {
  services_box *box = (services_box *)child;
  km_services_free(box->services);
  box->services = NULL;
}

/* target:services() -> keymend.services */
int km_lua_target_services(lua_State *L) {
  km_lua_target *self = km_lua_check_target(L, 1);
  km_error error;
  services_box *box = lua_newuserdata(L, sizeof *box);
  *box = (services_box){.services = NULL};
  luaL_getmetatable(L, KM_META_SERVICES);
  lua_setmetatable(L, -2);
  km_lua_adopt_child(L, &box->child, 1, release_services);
  if (km_services_load(self->target, &box->services, &error) != KM_OK) {
    box->services = NULL;
    km_lua_close_child(&box->child);
    return km_lua_fail(L, &error);
  }
  return 1;
}

static const km_services *check_services(lua_State *L) {
  const services_box *box = luaL_checkudata(L, 1, KM_META_SERVICES);
  if (!box->child.open)
    luaL_error(L, box->child.parent->target == NULL ? "the target of these services is closed"
                                                    : "these services are closed");
  return box->services;
}

/* Pushes a service; its state as it is now where the target can tell that: a running Windows. */
static void push_with_state(lua_State *L, const km_service *service) {
  const services_box *box = lua_touserdata(L, 1);
  km_service_status now;
  km_lua_push_service(L, service);
  bool is_service = service->type >= 0 && service->start >= 0;
  if (is_service && km_service_query(box->child.parent->target, service->name, &now, NULL) == KM_OK)
    km_lua_set_service_status(L, &now);
}

/* services:list() -> {{name, display, group, account, start, type, driver, depends, depends_groups}, ...}; of a running
 * Windows with state ("running", "stopped", "start-pending", ...), started, stoppable; exit_code, specific_code */
static int services_list(lua_State *L) {
  const km_services *services = check_services(L);
  size_t count = km_services_count(services);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_with_state(L, km_services_at(services, i));
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* services:find(name) -> service, or nil; case is ignored */
static int services_find(lua_State *L) {
  const km_services *services = check_services(L);
  const km_service *service = km_services_find(services, km_lua_check_text(L, 2));
  if (service == NULL)
    return 0;
  push_with_state(L, service);
  return 1;
}

/* services:match(pattern) -> {names} */
static int services_match(lua_State *L) {
  const km_services *services = check_services(L);
  const char *pattern = km_lua_check_text(L, 2);
  int found = 0;
  lua_newtable(L);
  for (size_t i = 0; i < km_services_count(services); i++) {
    const char *name = km_services_at(services, i)->name;
    if (!km_pattern_match(pattern, name))
      continue;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, ++found);
  }
  return 1;
}

static void release_order(void *object) {
  km_service_order_free(object);
}

/* services:order({patterns}, dependents) -> {stop, start, cycles, missing} */
static int services_order(lua_State *L) {
  const km_services *services = check_services(L);
  size_t count = 0;
  km_service_order *order = NULL;
  km_error error;
  bool dependents = lua_toboolean(L, 3);
  const char *const *patterns = km_lua_check_texts(L, 2, MAX_PATTERNS, "order: patterns", &count);
  km_lua_owned *owned = km_lua_own(L, release_order, 0);
  if (km_services_order(services, patterns, count, dependents, &order, &error) != KM_OK)
    return km_lua_fail(L, &error);
  owned->object = order;
  km_lua_push_order(L, order);
  km_lua_release(owned);
  return 1;
}

static int services_close(lua_State *L) {
  services_box *box = luaL_checkudata(L, 1, KM_META_SERVICES);
  km_lua_close_child(&box->child);
  return 0;
}

static int services_tostring(lua_State *L) {
  const services_box *box = luaL_checkudata(L, 1, KM_META_SERVICES);
  if (box->child.open)
    lua_pushfstring(L, "keymend.services (%d)", (int)km_services_count(box->services));
  else
    lua_pushliteral(L, "keymend.services (closed)");
  return 1;
}

void km_lua_register_services(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"list", services_list},   {"find", services_find},   {"match", services_match},
      {"order", services_order}, {"close", services_close}, {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__gc", services_close},
      {"__tostring", services_tostring},
      {NULL, NULL},
  };
  km_lua_register_type(L, KM_META_SERVICES, methods, meta);
}
