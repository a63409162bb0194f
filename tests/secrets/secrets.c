/* secrets.c: looks for secrets in the image of a process that tries keys, and in files
 *
 * Usage: secrets image closed|open|leak ROOT
 *          A child opens the volume and tries every key of it, and uses those that decrypt. Its memory is searched while it is
 *          open; after it was closed; or after it was closed, with a deliberate leak: a copy of a part of it.
 *        secrets files FILE...
 *          Searches files: bytes, hexadecimal digits and base64.
 * Secrets come on standard input, a line each: name, a space, hexadecimal digits, big endian. The child is made before they
 * are read, so that it never has them from there. Prints a line for each place: name, file or "locked"/"open" memory (locked:
 * in no core dump either) and what it is mapped from; then "searched N bytes for N patterns".
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proof.h"

#define CHUNK 16        /* bytes of a secret that are looked for: its begin, middle and end */
#define MAX_PATTERN 48  /* bytes: hexadecimal digits of a chunk, or base64 */
#define MAX_SECRET 4096 /* bytes */
#define SLOTS 65536     /* of the table of patterns */
#define PIECE (1 << 20) /* bytes of memory read at once */

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "secrets: %s\n", what);
  exit(1);
}

/* ---- Patterns ---- */

typedef struct pattern {
  struct pattern *next; /* of the same slot */
  const char *name;
  size_t size;
  uint8_t bytes[MAX_PATTERN];
} pattern;

static pattern *slots[SLOTS];
static size_t pattern_count;
static uint64_t searched;

static size_t slot_of(const uint8_t *bytes) {
  uint64_t head;
  memcpy(&head, bytes, sizeof head);
  return (size_t)(head * 0x9E3779B97F4A7C15u >> 48);
}

static void add_pattern(const char *name, const uint8_t *bytes, size_t size) {
  pattern *row = calloc(1, sizeof *row);
  if (row == NULL || size > MAX_PATTERN || size < 8)
    fail("a pattern does not fit");
  row->name = name;
  row->size = size;
  memcpy(row->bytes, bytes, size);
  size_t slot = slot_of(row->bytes);
  row->next = slots[slot];
  slots[slot] = row;
  pattern_count++;
}

static void add_hex(const char *name, const uint8_t *bytes, const char *digits) {
  uint8_t text[2 * CHUNK];
  for (size_t i = 0; i < CHUNK; i++) {
    text[2 * i] = (uint8_t)digits[bytes[i] >> 4];
    text[2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
  }
  add_pattern(name, text, sizeof text);
}

/* As it stands in base64 when 0, 1 or 2 bytes of it belong to the digits before. */
static void add_base64(const char *name, const uint8_t *bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t shift = 0; shift < 3; shift++) {
    uint8_t text[16];
    size_t used = 0;
    for (size_t at = shift; at + 3 <= shift + 12; at += 3) {
      uint32_t bits = (uint32_t)bytes[at] << 16 | (uint32_t)bytes[at + 1] << 8 | bytes[at + 2];
      for (int i = 18; i >= 0; i -= 6)
        text[used++] = (uint8_t)digits[bits >> i & 63];
    }
    add_pattern(name, text, used);
  }
}

static void add_chunks(const char *name, const uint8_t *bytes, size_t size, bool texts) {
  if (size < CHUNK)
    return;
  const size_t places[] = {0, (size - CHUNK) / 2, size - CHUNK};
  for (size_t i = 0; i < (size == CHUNK ? 1 : 3); i++) {
    const uint8_t *chunk = bytes + places[i];
    add_pattern(name, chunk, CHUNK);
    if (texts) {
      add_hex(name, chunk, "0123456789abcdef");
      add_hex(name, chunk, "0123456789ABCDEF");
      add_base64(name, chunk);
    }
  }
}

/* As a number of LibTomMath stands in memory: digits of 60 bits in 64. */
static void add_digits(const char *name, const uint8_t *little_endian, size_t size) {
  uint64_t digits[MAX_SECRET / 7] = {0};
  size_t count = size * 8 / 60;
  for (size_t bit = 0; bit < count * 60; bit++)
    digits[bit / 60] |= (uint64_t)(little_endian[bit / 8] >> (bit % 8) & 1) << (bit % 60);
  if (count >= 2)
    add_chunks(name, (const uint8_t *)digits, count * sizeof *digits, false);
}

static void add_secret(const char *name, const uint8_t *bytes, size_t size, bool texts) {
  static uint8_t reversed[MAX_SECRET];
  for (size_t i = 0; i < size; i++)
    reversed[i] = bytes[size - 1 - i];
  add_chunks(name, bytes, size, texts);
  add_chunks(name, reversed, size, texts);
  if (!texts)
    add_digits(name, reversed, size);
}

static void read_secrets(bool texts) {
  static char line[2 * MAX_SECRET + 256];
  static uint8_t bytes[MAX_SECRET];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *hex = strchr(line, ' ');
    size_t size = 0;
    if (hex == NULL)
      fail("a line of the secrets has no space");
    *hex++ = '\0';
    for (; size < MAX_SECRET && strspn(hex, "0123456789abcdef") >= 2; hex += 2) {
      const char digits[3] = {hex[0], hex[1], '\0'};
      bytes[size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    if (size < CHUNK)
      fail("a secret is too short to be told from chance");
    char *name = strdup(line);
    if (name == NULL)
      fail("out of memory");
    add_secret(name, bytes, size, texts);
  }
  if (pattern_count == 0)
    fail("no secrets were given");
}

/* Prints every pattern that begins in the first `begins` bytes of `data`. */
static void search(const uint8_t *data, size_t size, size_t begins, const char *where,
                   const char *what) {
  for (size_t at = 0; at < begins && at + 8 <= size; at++)
    for (const pattern *row = slots[slot_of(data + at)]; row != NULL; row = row->next)
      if (row->size <= size - at && memcmp(row->bytes, data + at, row->size) == 0)
        printf("%s\t%s\t%s\n", row->name, where, what);
  searched += begins;
}

/* ---- The child ---- */

static void try_file(km_proof *proof, km_store_kind kind, const char *name) {
  static const uint8_t in[48] = {2, 1};
  uint8_t out[KM_MAX_MODULUS];
  km_key_proof key;
  if (km_proof_key(proof, kind, name, &key, NULL) != KM_OK)
    fail("a key could not be tried");
  for (int exchange = 0; exchange < 2; exchange++)
    (void)km_proof_rsa(proof, kind, name, exchange != 0, in, sizeof in, out, NULL);
}

static void try_all(km_target *target, km_proof *proof) {
  size_t tried = 0;
  for (int kind = KM_STORE_RSA; kind <= KM_STORE_CNG_SYSTEM; kind++) {
    km_scan *scan;
    km_scan_entry entry;
    if (km_scan_open(target, (km_store_kind)kind, &scan, NULL) != KM_OK)
      continue;
    for (; km_scan_next(scan, &entry, NULL) == KM_OK; tried++)
      try_file(proof, (km_store_kind)kind, entry.name);
    km_scan_close(scan);
  }
  if (tried == 0)
    fail("there is no key to be tried");
}

static uint8_t *volatile leaked; /* so that the copy is made */

/* Ends the child's work as `mode` says, tells the parent and waits to be killed. */
static _Noreturn void child(const char *mode, const char *root, int tell) {
  const km_target_options options = {.root = root};
  km_target *target;
  km_proof *proof;
  km_error error;
  leaked = malloc(256);
  if (leaked == NULL || km_target_open(&options, &target, &error) != KM_OK ||
      km_proof_open(target, &proof, &error) != KM_OK)
    fail(error.message);
  try_all(target, proof);
  if (strcmp(mode, "leak") == 0)
    memcpy(leaked, (const void *)proof, 256); /* its begin, where the system's secret is */
  if (strcmp(mode, "open") != 0)
    km_proof_close(proof);
  if (write(tell, "r", 1) != 1)
    fail("the parent is gone");
  for (;;)
    (void)pause();
}

/* ---- The image ---- */

typedef struct mapping {
  unsigned long begin, end;
  char rights[8], path[256];
  bool locked;
} mapping;

static void search_mapping(int memory, const mapping *map) {
  static uint8_t piece[PIECE + MAX_PATTERN];
  const char *where = map->locked ? "locked" : "open";
  for (unsigned long at = map->begin; at < map->end; at += PIECE) {
    size_t left = map->end - at, wanted = left < sizeof piece ? left : sizeof piece;
    ssize_t got = pread(memory, piece, wanted, (off_t)at);
    if (got <= 0)
      return; /* a page that is not there, or the kernel's own */
    search(piece, (size_t)got, (size_t)got < PIECE ? (size_t)got : PIECE, where, map->path);
  }
}

/* A line "begin-end rwxp offset device inode path"; the others of smaps are "Name: value". */
static bool read_mapping(char *line, mapping *out) {
  char *at;
  memset(out, 0, sizeof *out);
  out->begin = strtoul(line, &at, 16);
  if (at == line || *at != '-')
    return false;
  out->end = strtoul(at + 1, &at, 16);
  const char *words[5] = {"", "", "", "", ""}; /* rights, offset, device, inode, path */
  for (size_t i = 0; i < 5; i++) {
    at += strspn(at, " \n");
    words[i] = at;
    at += strcspn(at, i < 4 ? " \n" : "\n");
    if (*at != '\0')
      *at++ = '\0';
  }
  (void)snprintf(out->rights, sizeof out->rights, "%s", words[0]);
  (void)snprintf(out->path, sizeof out->path, "%s", words[4][0] != '\0' ? words[4] : "no file");
  return true;
}

static void search_image(pid_t pid) {
  char name[64], line[512];
  mapping map = {0};
  (void)snprintf(name, sizeof name, "/proc/%d/mem", (int)pid);
  int memory = open(name, O_RDONLY | O_CLOEXEC);
  (void)snprintf(name, sizeof name, "/proc/%d/smaps", (int)pid);
  FILE *maps = fopen(name, "re");
  if (memory < 0 || maps == NULL)
    fail("the child's memory cannot be read");
  while (fgets(line, sizeof line, maps) != NULL) {
    mapping next;
    if (read_mapping(line, &next)) {
      map = next;
    } else if (strncmp(line, "VmFlags:", 8) == 0) { /* the last line of a mapping */
      map.locked = strstr(line, " dd") != NULL;
      if (map.rights[0] == 'r')
        search_mapping(memory, &map);
    }
  }
  (void)fclose(maps);
  (void)close(memory);
}

static void image(const char *mode, const char *root) {
  int pipes[2];
  char ready;
  if (pipe(pipes) != 0)
    fail("no pipe could be made");
  pid_t pid = fork();
  if (pid == 0) {
    (void)close(pipes[0]);
    child(mode, root, pipes[1]);
  }
  (void)close(pipes[1]);
  if (pid < 0 || read(pipes[0], &ready, 1) != 1)
    fail("the child ended");
  read_secrets(false);
  search_image(pid);
  (void)kill(pid, SIGKILL);
  (void)waitpid(pid, NULL, 0);
}

/* ---- Files ---- */

static void search_file(const char *path) {
  FILE *file = fopen(path, "re");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0)
    fail(path);
  long size = ftell(file);
  uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
  rewind(file);
  if (size < 0 || data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size)
    fail(path);
  (void)fclose(file);
  search(data, (size_t)size, (size_t)size, "file", path);
  free(data);
}

int main(int argc, char **argv) {
  bool is_image = argc == 4 && strcmp(argv[1], "image") == 0;
  if (!is_image && (argc < 3 || strcmp(argv[1], "files") != 0))
    fail("see its first lines for how it is called");
  if (is_image) {
    image(argv[2], argv[3]);
  } else {
    read_secrets(true);
    for (int i = 2; i < argc; i++)
      search_file(argv[i]);
  }
  printf("searched %llu bytes for %zu patterns\n", (unsigned long long)searched, pattern_count);
  return 0;
}
