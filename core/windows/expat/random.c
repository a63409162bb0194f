/* random.c: the number that expat's tables of names are salted with
 *
 * It has to be unknown to whoever wrote the file that is read, before it is read; nobody can ask for it meanwhile. So what
 * differs from run to run is enough: the processor's counter, the clock, the process and where its memory lies.
 */
#include "expat_config.h"

#include <stdint.h>
#include <stdlib.h>
#include <windows.h>

/* The finalizer of MurmurHash3: every bit of the input reaches every bit of the result. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 33) * 0xFF51AFD7ED558CCDu;
  x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53u;
  return x ^ x >> 33;
}

void arc4random_buf(void *buffer, size_t size) {
  static uint64_t state;
  LARGE_INTEGER counter;
  FILETIME now;
  void *place = malloc(1);
  uint8_t *out = buffer;
  (void)QueryPerformanceCounter(&counter);
  GetSystemTimeAsFileTime(&now);
  state = mix(state ^ (uint64_t)counter.QuadPart);
  state = mix(state ^ ((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime));
  state = mix(state ^ ((uint64_t)GetCurrentProcessId() << 32 | GetTickCount()));
  state = mix(state ^ (uintptr_t)place);
  state = mix(state ^ (uintptr_t)&counter);
  free(place);
  for (size_t i = 0; i < size; i++) {
    if (i % 8 == 0)
      state = mix(state + 1);
    out[i] = (uint8_t)(state >> i % 8 * 8);
  }
}
