/* power.h: what a volume may hold after a power cut, made from a trace of calls
 *
 * The model. A file's bytes and metadata are durable once the file was flushed after the change; an
 * entry of a folder once the folder was flushed after it, a rename between two folders once both
 * were. What is not durable may or may not be there, in any combination; a rename is there whole or
 * not at all; a write may be torn at sectors.
 */
#ifndef CRASH_POWER_H
#define CRASH_POWER_H

#include "tree.h"

#define MAX_CALLS 2000

typedef struct trace_call {
  char op[16];
  unsigned long ino, dir, dir2;
  char name[256], name2[256];
  long long value;
  const uint8_t *data;
  size_t size;
  long result;
  int number;
} trace_call;

typedef struct trace {
  trace_call calls[MAX_CALLS];
  int count;
} trace;

/* Reads a trace that the shim wrote; an absent file is an empty trace. */
void trace_read(trace *out, const char *path);

/* When the power went: before the commit record was written, between that and its flush, or later.
 */
typedef enum moment { UNCOMMITTED, COMMITTING, COMMITTED } moment;

/* Calls `each` with every state that a power cut during the trace may leave, each distinct one once
 * a moment. `start` is the tree before it; `commit` is the index of the call that writes the commit
 * record, -1: there is none (all states are UNCOMMITTED); `seed` chooses the random combinations.
 * Returns how many states there were. */
long power_cuts(const tree *start, const trace *calls, int commit, unsigned seed,
                void (*each)(void *user, const tree *state, moment when, const char *what),
                void *user);

#endif
