/* embedded.h: the Lua source text, policies and golden cases that are linked into the module and the host
 *
 * The tables stand in build/gen/embedded.c, which `premake5 embed` (lua/embed.lua) writes before each build.
 */
#ifndef KM_EMBEDDED_H
#define KM_EMBEDDED_H

#include <stddef.h>

/* One file: `data` is its text as it stands on disk, so that line numbers in messages fit; `size` bytes and a
 * NUL that `size` does not count. */
typedef struct km_embedded {
  const char *name;
  const char *data;
  size_t size;
} km_embedded;

/* Lua modules by the name given to require: "keymend" (lua/keymend/init.lua), "keymend.cli", ..., "dkjson".
 * Sorted by name; the last has a NULL name. */
extern const km_embedded km_embedded_modules[];

/* The shipped policies by name: "iis5" (scripts/policies/iis5.lua), ... Sorted and ended likewise. */
extern const km_embedded km_embedded_policies[];

/* The golden cases by name: "kb" (tests/golden/cases/kb.lua), ..., whose volumes `policies test` makes. */
extern const km_embedded km_embedded_cases[];

#endif
