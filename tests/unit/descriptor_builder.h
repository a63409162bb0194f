/* descriptor_builder.h: security descriptors for tests, from rows of entries. */
#ifndef KM_DESCRIPTOR_BUILDER_H
#define KM_DESCRIPTOR_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#define BUILT_DESCRIPTOR 2048

/* An entry; `sid` is a row of numbers behind S-1-, "5 18". */
typedef struct built_entry {
  uint8_t type, flags;
  uint32_t mask;
  const char *sid;
  unsigned guids; /* of an object's entry: flags 1, 2 */
} built_entry;

typedef struct built_descriptor {
  uint8_t data[BUILT_DESCRIPTOR];
  size_t size, dacl; /* where its DACL begins */
} built_descriptor;

/* Owner S-1-5-21-7, group SYSTEM, a SACL of one entry, then the DACL; `slack` bytes of room behind its
 * last entry count as its own. Control: DACL and SACL present, auto-inherited, self-relative. */
void build_descriptor(built_descriptor *out, const built_entry *entries, size_t count,
                      size_t slack);

#endif
