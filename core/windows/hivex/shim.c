/* shim.c: what hivex needs and Windows' C run-time lacks: descriptors of memory, mmap, iconv */
#include "config.h"
#include "iconv.h"
#include "memory.h"
#include "sys/mman.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

/* ---- Hives in memory ---- */

#define NAME_BEGIN "memory:"

/* A descriptor is the index of its row. */
typedef struct lent {
  volatile LONG used; /* set by whoever takes the row, before the rest */
  void *data;
  size_t size;
} lent;

static lent table[KM_HIVEX_MAX_OPEN];

const char *km_hivex_name(const void *data, size_t size, char name[KM_HIVEX_NAME]) {
  (void)snprintf(name, KM_HIVEX_NAME, NAME_BEGIN "%" PRIxPTR ":%" PRIxPTR, (uintptr_t)data,
                 (uintptr_t)size);
  return name;
}

static lent *find_row(int descriptor) {
  if (descriptor < 0 || descriptor >= KM_HIVEX_MAX_OPEN || table[descriptor].used == 0) {
    errno = EBADF;
    return NULL;
  }
  return &table[descriptor];
}

int km_hivex_open(const char *name, int flags, ...) {
  uintptr_t data, size;
  char again[KM_HIVEX_NAME];
  if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0 ||
      sscanf(name, NAME_BEGIN "%" SCNxPTR ":%" SCNxPTR, &data, &size) != 2 ||
      strcmp(km_hivex_name((const void *)data, size, again), name) != 0) {
    errno = EACCES;
    return -1;
  }
  for (int i = 0; i < KM_HIVEX_MAX_OPEN; i++) {
    if (InterlockedExchange(&table[i].used, 1) == 0) {
      table[i].data = (void *)data;
      table[i].size = size;
      return i;
    }
  }
  errno = EMFILE;
  return -1;
}

int km_hivex_close(int descriptor) {
  lent *row = find_row(descriptor);
  if (row == NULL)
    return -1;
  (void)InterlockedExchange(&row->used, 0);
  return 0;
}

int km_hivex_fstat(int descriptor, struct km_hivex_stat *out) {
  const lent *row = find_row(descriptor);
  if (row == NULL)
    return -1;
  out->st_size = row->size;
  return 0;
}

void *km_hivex_map(void *at, size_t size, int protection, int flags, int descriptor, long offset) {
  const lent *row = find_row(descriptor);
  if (row == NULL)
    return MAP_FAILED;
  if (at != NULL || size != row->size || protection != PROT_READ || flags != MAP_SHARED ||
      offset != 0) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  return row->data;
}

int km_hivex_unmap(void *at, size_t size) {
  (void)at;
  (void)size;
  return 0;
}

/* ---- iconv ---- */

typedef enum encoding { LATIN1, UTF8, UTF16LE, ENCODINGS } encoding;

typedef struct conversion {
  encoding to, from;
} conversion;

static const char *const encoding_names[ENCODINGS] = {"LATIN1", "UTF-8", "UTF-16LE"};

static conversion conversions[] = {
    {LATIN1, UTF8}, {UTF8, LATIN1}, {UTF16LE, UTF8}, {UTF8, UTF16LE}};

iconv_t km_hivex_iconv_open(const char *to, const char *from) {
  for (size_t i = 0; i < sizeof conversions / sizeof conversions[0]; i++) {
    conversion *row = &conversions[i];
    if (strcmp(to, encoding_names[row->to]) == 0 && strcmp(from, encoding_names[row->from]) == 0)
      return row;
  }
  errno = EINVAL;
  return (iconv_t)(intptr_t)-1; /* what POSIX says */
}

/* A decoder tells the bytes its character takes; 0: the text ends within it; BAD: it is none. An encoder tells the
 * bytes it wrote; 0: no room; BAD: the encoding has no such character. */
#define BAD 8

static size_t decode_latin1(const uint8_t *in, size_t left, uint32_t *c) {
  (void)left;
  *c = in[0];
  return 1;
}

static size_t decode_utf8(const uint8_t *in, size_t left, uint32_t *c) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t need = in[0] < 0x80 ? 1 : in[0] < 0xc2 ? BAD : in[0] < 0xe0 ? 2 : in[0] < 0xf0 ? 3 : 4;
  if (need == BAD || in[0] > 0xf4)
    return BAD;
  *c = need == 1 ? in[0] : in[0] & (0x7fu >> need);
  for (size_t i = 1; i < need; i++) {
    if (i >= left)
      return 0;
    if ((in[i] & 0xc0) != 0x80)
      return BAD;
    *c = *c << 6 | (in[i] & 0x3f);
  }
  return *c < smallest[need] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? BAD : need;
}

static size_t decode_utf16(const uint8_t *in, size_t left, uint32_t *c) {
  if (left < 2)
    return 0;
  *c = in[0] | (uint32_t)in[1] << 8;
  if (*c < 0xd800 || *c >= 0xe000)
    return 2;
  if (*c >= 0xdc00)
    return BAD;
  if (left < 4)
    return 0;
  uint32_t low = in[2] | (uint32_t)in[3] << 8;
  if (low < 0xdc00 || low >= 0xe000)
    return BAD;
  *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
  return 4;
}

static size_t encode_latin1(uint32_t c, uint8_t *out, size_t room) {
  if (c > 0xff)
    return BAD;
  if (room < 1)
    return 0;
  out[0] = (uint8_t)c;
  return 1;
}

static size_t encode_utf8(uint32_t c, uint8_t *out, size_t room) {
  static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
  size_t need = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  if (room < need)
    return 0;
  for (size_t i = need; i-- > 1; c >>= 6)
    out[i] = (uint8_t)(0x80 | (c & 0x3f));
  out[0] = need == 1 ? (uint8_t)c : (uint8_t)(marks[need] | c);
  return need;
}

static size_t encode_utf16(uint32_t c, uint8_t *out, size_t room) {
  size_t need = c < 0x10000 ? 2 : 4;
  if (room < need)
    return 0;
  if (need == 4) {
    uint32_t low = 0xdc00 + ((c - 0x10000) & 0x3ff);
    out[2] = (uint8_t)low;
    out[3] = (uint8_t)(low >> 8);
    c = 0xd800 + ((c - 0x10000) >> 10);
  }
  out[0] = (uint8_t)c;
  out[1] = (uint8_t)(c >> 8);
  return need;
}

static size_t (*const decoders[ENCODINGS])(const uint8_t *, size_t,
                                           uint32_t *) = {decode_latin1, decode_utf8, decode_utf16};
static size_t (*const encoders[ENCODINGS])(uint32_t, uint8_t *,
                                           size_t) = {encode_latin1, encode_utf8, encode_utf16};

size_t km_hivex_iconv(iconv_t handle, const char **in, size_t *in_left, char **out,
                      size_t *out_left) {
  const conversion *row = handle;
  while (in != NULL && *in_left > 0) {
    uint32_t c = 0;
    size_t used = decoders[row->from]((const uint8_t *)*in, *in_left, &c);
    size_t made = 0;
    if (used != 0 && used != BAD)
      made = encoders[row->to](c, (uint8_t *)*out, *out_left);
    if (used == 0 || used == BAD || made == 0 || made == BAD) {
      errno = used == 0 ? EINVAL : used == BAD || made == BAD ? EILSEQ : E2BIG;
      return (size_t)-1;
    }
    *in += used;
    *in_left -= used;
    *out += made;
    *out_left -= made;
  }
  return 0;
}

int km_hivex_iconv_close(iconv_t handle) {
  (void)handle;
  return 0;
}
