/* services.h: the service graph as services.c loads it and order.c walks it; internal to core/. */
#ifndef KM_SERVICES_H
#define KM_SERVICES_H

#include "backend.h"

#define KM_MAX_SERVICES 20000
#define KM_MAX_DEPENDENCIES 1000                 /* of one service, groups too */
#define KM_MAX_EDGES 1000000                     /* dependencies of all services together */
#define KM_MAX_SERVICES_BYTES ((size_t)64 << 20) /* texts of all services together */

struct km_services {
  km_service *list; /* sorted by name, ignoring case */
  size_t count, room;
  size_t edges; /* dependencies of all */
  struct km_pool_block *blocks;
  size_t pooled;
};

/* Orders two names as strcmp does, ignoring case. */
int km_services_compare(const char *a, const char *b);

/* A key with neither Type nor Start: left over from a removed program, or settings only. */
bool km_service_is_leftover(const km_service *service);

#endif
