/* run.h: runs keymend over a written-out tree, under the shim or not */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include "power.h"

/* Where everything is; paths absolute. */
typedef struct bench {
  const char *keymend, *shim, *policy;
  bool script;      /* policy is a script that applies its own plan */
  char root[1024];  /* the volume that is worked on */
  char times[1024]; /* its bodyfile */
  char trace[1024], log[1024], strace[1024];
  const char *store, *vault, *config; /* folders below the root, with '/' */
  bool no_links;                      /* as if the file system had no hard links */
} bench;

typedef enum verb { VERB_APPLY, VERB_UNDO, VERB_RECOVER } verb;

const char *verb_name(verb v);

/* What the shim shall do; at 0: only record. */
typedef struct order {
  unsigned at;
  const char *how; /* "before", "after", "half", or an errno number */
} order;

/* Writes the tree to the root and runs the verb over it. `order` NULL: without the shim. Exit
 * status, or 256 + signal. The trace is at bench->trace, what keymend printed at bench->log. */
int run_verb(const bench *b, const tree *t, verb v, const order *o);
/* The same over what stands at the root. */
int run_again(const bench *b, verb v, const order *o);
/* The same under strace as well; its output is at bench->strace. */
int run_straced(const bench *b, const tree *t, verb v);

/* Compares the mutations that strace saw below the root with the trace: the same kinds in the same
 * order. false: `why` tells the first difference. `count`: how many. */
bool strace_agrees(const bench *b, const trace *calls, int *count, char why[512]);

#endif
