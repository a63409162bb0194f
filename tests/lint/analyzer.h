/* analyzer.h: what clang-tidy cannot see: after a failure neither km_fail's result nor errno is 0
 *
 * tests/lint/run includes it before every file of core/ but error.c, which defines km_fail. Without it the
 * analyzer follows paths on which a function has failed and yet says KM_OK.
 */
#include "backend.h"
#include <errno.h>

#define km_fail(error, status, ...) (km_fail(error, status, __VA_ARGS__), (status))

static inline int *km_errno_set(void) {
  int *place = &errno;
  __builtin_assume(*place != 0);
  return place;
}

#undef errno
#define errno (*km_errno_set())
