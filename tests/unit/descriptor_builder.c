/* descriptor_builder.c: security descriptors for tests, from rows of entries. */
#include "descriptor_builder.h"

#include <stdlib.h>
#include <string.h>

static void put(uint8_t *at, size_t bytes, uint64_t value) {
  for (size_t i = 0; i < bytes; i++)
    at[i] = (uint8_t)(value >> (8 * i));
}

static size_t put_sid(uint8_t *at, const char *text) {
  char *rest;
  memset(at, 0, 8);
  at[0] = 1;
  at[7] = (uint8_t)strtoul(text, &rest, 10);
  while (*rest == ' ')
    put(at + 8 + 4 * at[1]++, 4, strtoul(rest + 1, &rest, 10));
  return 8 + 4 * (size_t)at[1];
}

static size_t put_entry(uint8_t *at, const built_entry *entry) {
  size_t size = 8;
  at[0] = entry->type;
  at[1] = entry->flags;
  put(at + 4, 4, entry->mask);
  if (entry->guids != 0) {
    put(at + 8, 4, entry->guids);
    size = 12 + (entry->guids & 1 ? 16 : 0) + (entry->guids & 2 ? 16 : 0);
  }
  size += put_sid(at + size, entry->sid);
  put(at + 2, 2, size);
  return size;
}

void build_descriptor(built_descriptor *out, const built_entry *entries, size_t count,
                      size_t slack) {
  static const built_entry audit = {2, 0x40, 0x10000, "1 0", 0};
  uint8_t *d = out->data;
  size_t at = 20;
  memset(out, 0, sizeof *out);
  d[0] = 1;
  put(d + 2, 2, 0x8414);
  put(d + 12, 4, at); /* SACL first, as Windows has it */
  d[at] = 2;
  size_t acl = 8 + put_entry(d + at + 8, &audit);
  put(d + at + 2, 2, acl);
  put(d + at + 4, 2, 1);
  at += acl;
  out->dacl = at;
  put(d + 16, 4, at);
  d[at] = 2;
  acl = 8;
  for (size_t i = 0; i < count; i++)
    acl += put_entry(d + at + acl, &entries[i]);
  put(d + at + 2, 2, acl + slack);
  put(d + at + 4, 2, count);
  at += acl + slack;
  put(d + 4, 4, at);
  at += put_sid(d + at, "5 21 7");
  put(d + 8, 4, at);
  at += put_sid(d + at, "5 18");
  out->size = at;
}
