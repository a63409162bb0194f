/* test_hivelog.c: transaction logs of hives, sound, incomplete and damaged, and those of real dirty hives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data.h"
#include "hive_builder.h"
#include "offline/hive.h"
#include "unit.h"

#define BASE 4096
#define PAGE 4096
#define BLOCK 512
#define OLD_LOG 1
#define NEW_LOG 6

/* ---- Hives and logs to play with ---- */

typedef struct bytes {
  uint8_t *data;
  size_t size;
} bytes;

static void put32(uint8_t *p, uint32_t number) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(number >> (8 * i));
}

static void put64(uint8_t *p, uint64_t number) {
  put32(p, (uint32_t)number);
  put32(p + 4, (uint32_t)(number >> 32));
}

static uint8_t *append(bytes *to, const void *data, size_t size) {
  to->data = realloc(to->data, to->size + size);
  assert_non_null(to->data);
  uint8_t *at = to->data + to->size;
  if (data != NULL)
    memcpy(at, data, size);
  else
    memset(at, 0, size);
  to->size += size;
  return at;
}

/* A dirty hive (8, 7) whose key K has the value V; `more` bytes of another value make it longer. */
static bytes hive_with(const char *text, size_t more) {
  bytes out;
  hive_builder *builder = hive_new();
  size_t at = hive_key(builder, "K");
  hive_text(builder, at, "V", SZ, text);
  uint8_t *filler = calloc(1, more + 1);
  assert_non_null(filler);
  if (more > 0)
    hive_data(builder, at, "More", BINARY, filler, more);
  free(filler);
  out.data = hive_bytes(builder, 8, 7, HIVE_TIME, &out.size);
  return out;
}

static bytes log_begin(uint32_t kind, uint32_t sequence, const bytes *hive) {
  bytes log = {NULL, 0};
  uint8_t *p = append(&log, hive->data, BLOCK);
  put32(p + 4, sequence);
  put32(p + 8, sequence);
  put32(p + 28, kind);
  hive_checksum(p);
  return log;
}

static void hash_entry(uint8_t *entry, uint32_t size) {
  put64(entry + 24, km_marvin32(entry + 40, size - 40));
  put64(entry + 32, km_marvin32(entry, 32));
}

/* An entry with every page of the hive `after`. */
static void log_entry(bytes *log, uint32_t sequence, const bytes *after) {
  uint32_t bins = (uint32_t)(after->size - BASE), pages = bins / PAGE;
  uint32_t size = (40 + pages * (8 + PAGE) + BLOCK - 1) / BLOCK * BLOCK;
  uint8_t *p = append(log, NULL, size);
  memcpy(p, "HvLE", 4);
  put32(p + 4, size);
  put32(p + 12, sequence);
  put32(p + 16, bins);
  put32(p + 20, pages);
  for (uint32_t i = 0; i < pages; i++) {
    put32(p + 40 + 8 * i, i * PAGE);
    put32(p + 44 + 8 * i, PAGE);
    memcpy(p + 40 + 8 * pages + i * PAGE, after->data + BASE + i * PAGE, PAGE);
  }
  hash_entry(p, size);
}

/* A log of the old kind: the blocks of `after` that `before` has not. */
static bytes old_log(const bytes *before, const bytes *after) {
  bytes log = log_begin(OLD_LOG, 8, after);
  size_t bins = after->size - BASE, map = (4 + bins / PAGE + BLOCK - 1) / BLOCK * BLOCK;
  memcpy(append(&log, NULL, map), "DIRT", 4);
  for (size_t i = 0; i < bins / BLOCK; i++) {
    size_t at = BASE + i * BLOCK;
    if (at + BLOCK <= before->size && memcmp(before->data + at, after->data + at, BLOCK) == 0)
      continue;
    log.data[BLOCK + 4 + i / 8] |= (uint8_t)(1 << i % 8);
    (void)append(&log, after->data + at, BLOCK);
  }
  return log;
}

static int file_of(const bytes *content) {
  int fd = memfd_create("test", MFD_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, content->data, content->size), content->size);
  return fd;
}

/* Opens the hive with LOG, LOG1, LOG2; NULL: not there. */
static km_hive *open_with(const bytes *content, const bytes *log, const bytes *log1,
                          const bytes *log2) {
  const bytes *all[KM_HIVE_LOGS] = {log, log1, log2};
  static const char *const names[] = {"H.LOG", "H.LOG1", "H.LOG2"};
  km_hive_log logs[KM_HIVE_LOGS] = {{"", NULL, 0}};
  for (size_t i = 0; i < KM_HIVE_LOGS; i++) {
    (void)snprintf(logs[i].name, sizeof logs[i].name, "%s", names[i]);
    if (all[i] != NULL) {
      logs[i].data = all[i]->size > 0 ? all[i]->data : (const uint8_t *)"";
      logs[i].size = all[i]->size;
    }
  }
  km_hive *hive = NULL;
  km_error error = {KM_OK, 0, ""};
  int fd = file_of(content);
  const km_hive_source source = {.path = "C:\\H", .fd = fd, .logs = logs};
  km_status status = km_hive_open_source(&source, &hive, &error);
  close(fd);
  if (status != KM_OK)
    print_message("%s\n", error.message);
  assert_int_equal(status, KM_OK);
  return hive;
}

static void check_value(km_hive *hive, const char *expected) {
  uint64_t key = 0;
  km_registry_value value;
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "K", &key, NULL), KM_OK);
  assert_int_equal(km_hive_value(hive, key, "V", &value, NULL), KM_OK);
  assert_string_equal(value.text, expected);
  km_registry_value_free(&value);
}

/* What the hive reads as, and what is told of it; closes it. */
static void expect(km_hive *hive, bool replayed, const char *value, const char *text) {
  const char *told;
  bool done = km_hive_replayed(hive, &told);
  assert_string_equal(told, text);
  assert_int_equal(done, replayed);
  check_value(hive, value);
  assert_int_equal(km_hive_header_of(hive)->sequence1, 8); /* the file's, as it stands */
  assert_int_equal(km_hive_header_of(hive)->sequence2, 7);
  km_hive_close(hive);
}

static const bytes nothing = {NULL, 0};

/* ---- Sound logs ---- */

static void hashes_as_marvin(void **state) {
  (void)state;
  assert_true(km_marvin32((const uint8_t *)"", 0) == 0xb39efca403966e08);
  assert_true(km_marvin32((const uint8_t *)"a", 1) == 0x21a013c726f292f4);
  assert_true(km_marvin32((const uint8_t *)"keymend", 7) == 0x18b7c99b625761fd);
  assert_true(km_marvin32((const uint8_t *)"0123456789abcdef", 16) == 0xcc4f0e82f8d77b4b);
}

static void replays_entries(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes log = log_begin(NEW_LOG, 7, &before);
  log_entry(&log, 7, &after);
  expect(open_with(&before, NULL, &log, &nothing), true, "two", "1 entry (7) of H.LOG1");
  expect(open_with(&before, &log, NULL, NULL), true, "two", "1 entry (7) of H.LOG");
  expect(open_with(&before, &nothing, &nothing, &log), true, "two", "1 entry (7) of H.LOG2");
  bytes last = hive_with("three", 0);
  log_entry(&log, 8, &last);
  expect(open_with(&before, NULL, &log, &nothing), true, "three", "2 entries (7 to 8) of H.LOG1");
  free(before.data);
  free(after.data);
  free(last.data);
  free(log.data);
}

/* Whichever of the two begins earlier comes first; what is older than the hive is left out, and so is what an earlier
 * round left behind. */
static void replays_two_logs_in_order(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), two = hive_with("two", 0), three = hive_with("three", 0);
  bytes stale = hive_with("zero", 0);
  bytes early = log_begin(NEW_LOG, 6, &before), late = log_begin(NEW_LOG, 8, &before);
  log_entry(&early, 6, &stale);
  log_entry(&early, 7, &two);
  log_entry(&late, 8, &three);
  log_entry(&late, 3, &stale);
  expect(open_with(&before, NULL, &early, &late), true, "three",
         "2 entries (7 to 8) of H.LOG1 and H.LOG2");
  expect(open_with(&before, NULL, &late, &early), true, "three",
         "2 entries (7 to 8) of H.LOG2 and H.LOG1");
  bytes old = log_begin(NEW_LOG, 5, &before);
  log_entry(&old, 5, &stale);
  bytes whole = log_begin(NEW_LOG, 7, &before);
  log_entry(&whole, 7, &two);
  expect(open_with(&before, NULL, &whole, &old), true, "two", "1 entry (7) of H.LOG1");
  /* As Windows 10 leaves it: the hive does not tell how new its pages are. */
  bytes later = log_begin(NEW_LOG, 90, &before);
  log_entry(&later, 90, &two);
  expect(open_with(&before, NULL, &later, &old), true, "two", "1 entry (90) of H.LOG1");
  const bytes all[] = {before, two, three, stale, early, late, old, whole, later};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    free(all[i].data);
}

/* Sequence numbers wrap around. */
static void counts_beyond_the_last_number(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), two = hive_with("two", 0), three = hive_with("three", 0);
  put32(before.data + 4, 0);
  put32(before.data + 8, 0xffffffff);
  hive_checksum(before.data);
  bytes log = log_begin(NEW_LOG, 0xffffffff, &before), next = log_begin(NEW_LOG, 0, &before);
  log_entry(&log, 0xffffffff, &two);
  log_entry(&next, 0, &three);
  km_hive *hive = open_with(&before, NULL, &next, &log);
  const char *text;
  assert_true(km_hive_replayed(hive, &text));
  assert_string_equal(text, "2 entries (4294967295 to 0) of H.LOG2 and H.LOG1");
  check_value(hive, "three");
  km_hive_close(hive);
  const bytes all[] = {before, two, three, log, next};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    free(all[i].data);
}

static void grows_the_hive(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 40000);
  assert_true(after.size > before.size + 32768);
  bytes log = log_begin(NEW_LOG, 7, &before), old = old_log(&before, &after);
  log_entry(&log, 7, &after);
  expect(open_with(&before, NULL, &log, &nothing), true, "two", "1 entry (7) of H.LOG1");
  const char *text;
  km_hive *hive = open_with(&before, &old, NULL, NULL);
  assert_true(km_hive_replayed(hive, &text));
  assert_non_null(strstr(text, " pages of H.LOG"));
  check_value(hive, "two");
  km_hive_close(hive);
  free(before.data);
  free(after.data);
  free(log.data);
  free(old.data);
}

static void replays_the_old_kind(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes log = old_log(&before, &after);
  expect(open_with(&before, &log, NULL, NULL), true, "two", "1 page of H.LOG");
  expect(open_with(&before, &nothing, &log, &nothing), true, "two", "1 page of H.LOG1");
  put32(log.data + 28, 2); /* as Windows NT 4 and 2000 count */
  hive_checksum(log.data);
  expect(open_with(&before, &log, NULL, NULL), true, "two", "1 page of H.LOG");
  put64(log.data + 12, HIVE_TIME - 600000000);
  hive_checksum(log.data);
  expect(open_with(&before, &log, NULL, NULL), false, "one",
         "H.LOG is of another state of the hive (2004-09-14T13:00:50Z, the hive of "
         "2004-09-14T13:01:50Z)");
  bytes same = old_log(&before, &before);
  put32(same.data + 4, 8);
  hive_checksum(same.data);
  (void)append(&same, NULL, BLOCK);
  expect(open_with(&before, &same, NULL, NULL), true, "one", "0 pages of H.LOG");
  free(before.data);
  free(after.data);
  free(log.data);
  free(same.data);
}

static void leaves_a_clean_hive_alone(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes log = log_begin(NEW_LOG, 7, &before);
  log_entry(&log, 7, &after);
  put32(before.data + 4, 7);
  hive_checksum(before.data);
  km_hive *hive = open_with(&before, NULL, &log, &nothing);
  const char *text;
  assert_false(km_hive_replayed(hive, &text));
  assert_string_equal(text, "");
  check_value(hive, "one");
  km_hive_close(hive);
  free(before.data);
  free(after.data);
  free(log.data);
}

/* ---- Logs that do not serve ---- */

static void tells_which_log_is_not_there(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes log = log_begin(NEW_LOG, 7, &before), zeros = {NULL, 0};
  log_entry(&log, 7, &after);
  (void)append(&zeros, NULL, 1024);
  expect(open_with(&before, NULL, NULL, NULL), false, "one",
         "none of them is there (H.LOG, H.LOG1, H.LOG2)");
  expect(open_with(&before, NULL, &log, NULL), false, "one", "H.LOG2 is missing");
  expect(open_with(&before, NULL, NULL, &log), false, "one", "H.LOG1 is missing");
  expect(open_with(&before, &nothing, &nothing, &zeros), false, "one", "all of them are empty");
  expect(open_with(&before, NULL, &log, &zeros), true, "two", "1 entry (7) of H.LOG1");
  log.data[30] ^= 1;
  expect(open_with(&before, NULL, &log, &nothing), false, "one",
         "H.LOG1 is damaged: it does not begin with a sound base block");
  free(before.data);
  free(after.data);
  free(log.data);
  free(zeros.data);
}

static void tells_which_entry_is_missing(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes first = log_begin(NEW_LOG, 7, &before), third = log_begin(NEW_LOG, 9, &before);
  bytes stale = log_begin(NEW_LOG, 5, &before);
  log_entry(&first, 7, &after);
  log_entry(&third, 9, &after);
  log_entry(&stale, 5, &after);
  expect(open_with(&before, NULL, &first, &third), false, "one",
         "H.LOG2 begins with entry 9, and the entries from 8 are missing");
  expect(open_with(&before, NULL, &stale, &nothing), false, "one",
         "they hold no entry as new as the hive itself (7)");
  const bytes all[] = {before, after, first, third, stale};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    free(all[i].data);
}

/* What an earlier log lost may have been what the later one's first entry follows. */
static void tells_what_a_damaged_log_may_have_held(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), two = hive_with("two", 0);
  bytes early = log_begin(NEW_LOG, 4, &before), late = log_begin(NEW_LOG, 9, &before);
  log_entry(&early, 4, &before);
  size_t second = early.size;
  log_entry(&early, 5, &before);
  log_entry(&early, 6, &before);
  log_entry(&late, 9, &two);
  expect(open_with(&before, NULL, &early, &late), true, "two", "1 entry (9) of H.LOG2");
  early.data[second + BLOCK - 1] ^= 1;
  expect(open_with(&before, NULL, &early, &late), false, "one",
         "H.LOG2 begins with entry 9, and the entries from 7 are missing");
  const bytes all[] = {before, two, early, late};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    free(all[i].data);
}

/* A log whose first block was lost is none that was never used. */
static void tells_a_lost_block_from_an_unused_log(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), two = hive_with("two", 0), three = hive_with("three", 0);
  bytes log = log_begin(NEW_LOG, 7, &before), next = log_begin(NEW_LOG, 8, &before);
  log_entry(&log, 7, &two);
  log_entry(&next, 8, &three);
  memset(next.data, 0, BLOCK);
  expect(open_with(&before, NULL, &log, &next), false, "one",
         "H.LOG2 is damaged: it does not begin with a sound base block");
  const bytes all[] = {before, two, three, log, next};
  for (size_t i = 0; i < COUNT_OF(all); i++)
    free(all[i].data);
}

/* An entry that was only begun, one with a wrong byte, one that is gone before later ones. */
static void tells_which_entry_is_damaged(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), two = hive_with("two", 0), three = hive_with("three", 0);
  bytes log = log_begin(NEW_LOG, 7, &before);
  log_entry(&log, 7, &two);
  size_t second = log.size;
  log_entry(&log, 8, &three);
  bytes cut = {log.data, log.size - BLOCK};
  expect(open_with(&before, NULL, &cut, &nothing), false, "one", "entry 8 of H.LOG1 is damaged");
  log.data[second - 1] ^= 1;
  expect(open_with(&before, NULL, &log, &nothing), false, "one", "entry 7 of H.LOG1 is damaged");
  log.data[second - 1] ^= 1;
  memset(log.data + BLOCK, 0, 4);
  expect(open_with(&before, NULL, &log, &nothing), false, "one", "entry 7 of H.LOG1 is damaged");
  free(before.data);
  free(two.data);
  free(three.data);
  free(log.data);
}

/* The hashes are right, and what they say is not. */
static void refuses_entries_made_to_harm(void **state) {
  (void)state;
  static const struct {
    size_t at;
    uint32_t number;
  } harms[] = {
      {4, 513},         {4, 0x7ffffe00},  {4, 0},           {16, 0}, {16, 4097},
      {16, 0xfffff000}, {16, 0x20000000}, {20, 0xffffffff}, {20, 3}, {40, 0x1000},
      {40, 0xfffff000}, {44, 0xffffffff}, {44, 0x2000},
  };
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  for (size_t i = 0; i < COUNT_OF(harms); i++) {
    bytes log = log_begin(NEW_LOG, 7, &before);
    log_entry(&log, 7, &after);
    uint32_t size = (uint32_t)(log.size - BLOCK);
    put32(log.data + BLOCK + harms[i].at, harms[i].number);
    hash_entry(log.data + BLOCK, size);
    expect(open_with(&before, NULL, &log, &nothing), false, "one", "entry 7 of H.LOG1 is damaged");
    free(log.data);
  }
  free(before.data);
  free(after.data);
}

static void refuses_old_logs_made_to_harm(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes log = old_log(&before, &after);
  bytes cut = {log.data, log.size - 1};
  expect(open_with(&before, &cut, NULL, NULL), false, "one",
         "H.LOG ends before the last of its 1 pages");
  cut.size = BLOCK + 1;
  expect(open_with(&before, &cut, NULL, NULL), false, "one",
         "H.LOG is damaged: it holds no map of pages");
  static const uint32_t bins[] = {0, 4097, 0xfffff000, 0x10000000};
  for (size_t i = 0; i < COUNT_OF(bins); i++) {
    put32(log.data + 40, bins[i]);
    hive_checksum(log.data);
    expect(open_with(&before, &log, NULL, NULL), false, "one",
           "H.LOG is damaged: it holds no map of pages");
  }
  free(before.data);
  free(after.data);
  free(log.data);
}

/* Sound logs that lead to a hive with a damaged key: the file as it stands is read. */
static void refuses_what_makes_no_sound_hive(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  km_hive *hive = open_with(&before, NULL, NULL, NULL);
  uint64_t key = 0;
  assert_int_equal(km_hive_child(hive, km_hive_root(hive), "K", &key, NULL), KM_OK);
  km_hive_close(hive);
  static const size_t places[] = {4, 0x2b, 0x4d};
  for (size_t i = 0; i < COUNT_OF(places); i++) { /* "nk", the list of values, the name's length */
    bytes broken = {NULL, 0}, log = log_begin(NEW_LOG, 7, &before);
    (void)append(&broken, after.data, after.size);
    broken.data[key + places[i]] ^= 0x70;
    log_entry(&log, 7, &broken);
    expect(open_with(&before, NULL, &log, &nothing), false, "one",
           "what H.LOG1 makes of it is no sound hive");
    free(broken.data);
    free(log.data);
  }
  free(before.data);
  free(after.data);
}

/* Whatever byte is wrong: the hive reads as before or as after, never as anything between. */
static void bears_every_changed_byte(void **state) {
  (void)state;
  bytes before = hive_with("one", 0), after = hive_with("two", 0);
  bytes logs[] = {log_begin(NEW_LOG, 7, &before), old_log(&before, &after)};
  log_entry(&logs[0], 7, &after);
  for (size_t k = 0; k < COUNT_OF(logs); k++) {
    for (size_t i = 0; i < logs[k].size; i++) {
      logs[k].data[i] ^= 0x41;
      km_hive *hive = k == 0 ? open_with(&before, NULL, &logs[k], &nothing)
                             : open_with(&before, &logs[k], NULL, NULL);
      if (k == 0) /* pages of the old kind have no hash */
        check_value(hive, km_hive_replayed(hive, NULL) ? "two" : "one");
      km_hive_close(hive);
      logs[k].data[i] ^= 0x41;
    }
  }
  free(before.data);
  free(after.data);
  free(logs[0].data);
  free(logs[1].data);
}

/* ---- Real dirty hives ---- */

typedef struct real_case {
  const char *hive;
  const char *text;
  size_t keys, replayed_keys,
      only_one; /* keys before, after, and paths that only one of both has */
} real_case;

/* regipy's own tests publish for NTUSER.DAT 132 pages and 527 subkeys that only one of both has, for SYSTEM 315 pages. */
static const real_case real_cases[] = {
    {"hives/museum_win11/SECURITY", "1 entry (115) of SECURITY.LOG1", 100, 100, 0},
    {"hives/frnsc/SECURITY", "2 entries (139 to 140) of SECURITY.LOG1 and SECURITY.LOG2", 85, 85,
     0},
    {"hives/regipy_transactions/NTUSER.DAT", "23 entries (566 to 588) of NTUSER.DAT.LOG1", 2590,
     3105, 527},
    {"hives/regipy_SYSTEM_B/SYSTEM", "24 entries (2107 to 2130) of SYSTEM.LOG1 and SYSTEM.LOG2",
     33123, 35595, 2472},
};

#define MAX_KEYS 40000

typedef struct paths {
  uint64_t key[MAX_KEYS];
  char *path[MAX_KEYS];
  size_t count, parent;
} paths;

static bool keep_path(void *user, const char *name, uint64_t child) {
  paths *all = user;
  char path[4096];
  assert_true(all->count < MAX_KEYS);
  (void)snprintf(path, sizeof path, "%s\\%s", all->path[all->parent], name);
  all->key[all->count] = child;
  all->path[all->count++] = strdup(path);
  return true;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The sorted paths of all keys. */
static paths *all_paths(km_hive *hive) {
  paths *all = calloc(1, sizeof *all);
  assert_non_null(all);
  all->key[0] = km_hive_root(hive);
  all->path[all->count++] = strdup("");
  for (all->parent = 0; all->parent < all->count; all->parent++) {
    (void)km_hive_root(hive); /* every key is an operation of its own */
    assert_int_equal(km_hive_children(hive, all->key[all->parent], keep_path, all, NULL), KM_OK);
  }
  qsort(all->path, all->count, sizeof all->path[0], by_text);
  return all;
}

static size_t only_in_one(const paths *a, const paths *b) {
  size_t i = 0, k = 0, count = 0;
  while (i < a->count || k < b->count) {
    int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->path[i], b->path[k]);
    i += order <= 0;
    k += order >= 0;
    count += order != 0;
  }
  return count;
}

static void free_paths(paths *all) {
  for (size_t i = 0; i < all->count; i++)
    free(all->path[i]);
  free(all);
}

static km_hive *open_real(const real_case *real, bool with_logs) {
  static const char *const extensions[] = {".LOG", ".LOG1", ".LOG2"};
  km_hive_log logs[KM_HIVE_LOGS] = {{"", NULL, 0}};
  uint8_t *log_bytes[KM_HIVE_LOGS] = {NULL};
  bytes content;
  km_hive *hive = NULL;
  content.data = test_data_read(real->hive, &content.size);
  if (content.data == NULL)
    return NULL;
  for (size_t i = 0; i < KM_HIVE_LOGS; i++) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s%s", real->hive, extensions[i]);
    (void)snprintf(logs[i].name, sizeof logs[i].name, "%s", strrchr(path, '/') + 1);
    if (i > 0)
      logs[i].data = log_bytes[i] = test_data_read(path, &logs[i].size);
  }
  int fd = file_of(&content);
  const km_hive_source source = {.path = "C:\\H", .fd = fd, .logs = with_logs ? logs : NULL};
  assert_int_equal(km_hive_open_source(&source, &hive, NULL), KM_OK);
  close(fd);
  for (size_t i = 0; i < KM_HIVE_LOGS; i++)
    free(log_bytes[i]);
  free(content.data);
  return hive;
}

static void replays_real_logs(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(real_cases); i++) {
    const real_case *real = &real_cases[i];
    const char *text;
    km_hive *raw = open_real(real, false), *replayed = open_real(real, true);
    if (raw == NULL || replayed == NULL)
      skip();
    assert_false(km_hive_replayed(raw, NULL));
    (void)km_hive_replayed(replayed, &text);
    assert_string_equal(text, real->text);
    assert_true(km_hive_replayed(replayed, NULL));
    paths *before = all_paths(raw), *after = all_paths(replayed);
    assert_int_equal(before->count, real->keys);
    assert_int_equal(after->count, real->replayed_keys);
    assert_int_equal(only_in_one(before, after), real->only_one);
    free_paths(before);
    free_paths(after);
    km_hive_close(raw);
    km_hive_close(replayed);
  }
}

int test_hivelog(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes_as_marvin),
      cmocka_unit_test(replays_entries),
      cmocka_unit_test(replays_two_logs_in_order),
      cmocka_unit_test(counts_beyond_the_last_number),
      cmocka_unit_test(grows_the_hive),
      cmocka_unit_test(replays_the_old_kind),
      cmocka_unit_test(leaves_a_clean_hive_alone),
      cmocka_unit_test(tells_which_log_is_not_there),
      cmocka_unit_test(tells_which_entry_is_missing),
      cmocka_unit_test(tells_what_a_damaged_log_may_have_held),
      cmocka_unit_test(tells_a_lost_block_from_an_unused_log),
      cmocka_unit_test(tells_which_entry_is_damaged),
      cmocka_unit_test(refuses_entries_made_to_harm),
      cmocka_unit_test(refuses_old_logs_made_to_harm),
      cmocka_unit_test(refuses_what_makes_no_sound_hive),
      cmocka_unit_test(bears_every_changed_byte),
      cmocka_unit_test(replays_real_logs),
  };
  return cmocka_run_group_tests_name("hivelog", tests, NULL, NULL);
}
