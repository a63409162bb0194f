/* nolive.c: this system is not Windows, so there is no live backend. */
#include "backend.h"

const km_backend *km_live_backend(void) {
  return NULL;
}
