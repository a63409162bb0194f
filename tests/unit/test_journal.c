/* test_journal.c: the journal's format: round trip, torn tails, damage, hostile content */
#include "descriptor_builder.h"
#include "journal.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HASH_A "1111111111111111111111111111111111111111111111111111111111111111"
#define HASH_B "2222222222222222222222222222222222222222222222222222222222222222"

#define OLD "c2319c42033a5ca7f44e731bfd3fa2b5_2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"
#define NEW "c2319c42033a5ca7f44e731bfd3fa2b5_767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define OLD_UPPER "C2319C42033A5CA7F44E731BFD3FA2B5_2EF9F45E-4DC2-48B1-9D10-86F5079E23F1"
#define NEW_UPPER "C2319C42033A5CA7F44E731BFD3FA2B5_767E77B0-C6AD-4D27-8F44-B62351B7069A"

/* ---- a journal in memory ---- */

typedef struct memory_file {
  uint8_t *data;
  size_t size;
} memory_file;

static km_status memory_write(km_file *file, uint64_t offset, const void *data, size_t size,
                              km_error *error) {
  memory_file *memory = (memory_file *)file;
  (void)error;
  assert_true(offset + size <= memory->size);
  memcpy(memory->data + offset, data, size);
  return KM_OK;
}

static const km_backend memory_backend = {.name = "memory", .journal_write = memory_write};

static char *text(const char *value) {
  return km_copy_text(value);
}

static void make_entry(km_entry *entry, const char *before, const char *after, const char *hash) {
  entry->container = text("Microsoft Internet Information Server");
  entry->reason = text("because");
  entry->before = text(before);
  entry->after = text(after);
  entry->size = 2081;
  entry->identity = UINT64_MAX;
  snprintf(entry->sha256, sizeof entry->sha256, "%s", hash);
  entry->seen_created = 125912345678901234;
  entry->meta = (km_file_meta){.created = 125912345678901234,
                               .written = 125912345678901235,
                               .attributes = 0x24,
                               .mode = 0600,
                               .uid = 1000,
                               .gid = 4294967295u};
  entry->meta.descriptor = malloc(KM_MAX_DESCRIPTOR);
  entry->meta.descriptor_size = KM_MAX_DESCRIPTOR;
  for (size_t i = 0; i < KM_MAX_DESCRIPTOR; i++)
    entry->meta.descriptor[i] = (uint8_t)(i * 7);
}

static void make_journal(km_journal *j) {
  memset(j, 0, sizeof *j);
  j->begun = 133000000000000000;
  j->made_by = text("keymend 0.1.0, test");
  j->store = text("\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys");
  j->machine_guid = text("767e77b0-c6ad-4d27-8f44-b62351b7069a");
  j->policies = text("iis5,rdp");
  j->overrides = text("--adopt \xC3\xA4");
  j->stop = calloc(3, sizeof *j->stop);
  j->start = calloc(1, sizeof *j->start);
  j->stop[0] = text("W3SVC");
  j->stop[1] = text("IISADMIN");
  j->ran = calloc(2, sizeof *j->ran);
  j->ran[0] = text("IISADMIN");
  j->entries = calloc(2, sizeof *j->entries);
  j->entry_count = 2;
  make_entry(&j->entries[0], NEW, NULL, HASH_A);
  make_entry(&j->entries[1], OLD, NEW, HASH_B);
}

/* Encodes `j` into a file of full size and sets its tail, as apply does. */
static memory_file make_file(km_journal *j) {
  memory_file file;
  uint8_t *begin = NULL;
  size_t size = 0;
  assert_int_equal(km_journal_encode(j, &begin, &size, NULL), KM_OK);
  file.size = km_journal_capacity(size);
  file.data = calloc(1, file.size);
  memcpy(file.data, begin, size);
  free(begin);
  j->phase = KM_PHASE_APPLYING;
  j->tail = size - 4;
  j->capacity = file.size;
  j->records = 1;
  return file;
}

static km_status append(memory_file *file, km_journal *j, km_record record, km_txn_state result,
                        const char *problem) {
  return km_journal_append(&memory_backend, (km_file *)file, j, record, result, problem, NULL);
}

static km_status parse(const memory_file *file, km_journal *out) {
  km_error error;
  return km_journal_parse(file->data, file->size, out, &error);
}

/* ---- round trip ---- */

static void same_entry(const km_entry *a, const km_entry *b) {
  assert_string_equal(a->container, b->container);
  assert_string_equal(a->reason, b->reason);
  assert_string_equal(a->before, b->before);
  if (a->after != NULL)
    assert_string_equal(a->after, b->after);
  else
    assert_null(b->after);
  assert_string_equal(a->sha256, b->sha256);
  assert_true(a->size == b->size && a->identity == b->identity);
  assert_true(a->seen_created == b->seen_created && a->meta.created == b->meta.created);
  assert_true(a->meta.written == b->meta.written && a->meta.attributes == b->meta.attributes);
  assert_true(a->meta.mode == b->meta.mode && a->meta.uid == b->meta.uid);
  assert_true(a->meta.gid == b->meta.gid);
  assert_int_equal(a->meta.descriptor_size, b->meta.descriptor_size);
  assert_memory_equal(a->meta.descriptor, b->meta.descriptor, a->meta.descriptor_size);
}

static void test_round_trip(void **state) {
  km_journal j, again;
  (void)state;
  make_journal(&j);
  memory_file file = make_file(&j);
  assert_int_equal(parse(&file, &again), KM_OK);
  assert_int_equal(again.phase, KM_PHASE_APPLYING);
  assert_true(again.begun == j.begun);
  assert_string_equal(again.made_by, j.made_by);
  assert_string_equal(again.store, j.store);
  assert_string_equal(again.machine_guid, j.machine_guid);
  assert_string_equal(again.policies, j.policies);
  assert_string_equal(again.overrides, j.overrides);
  assert_string_equal(again.stop[1], "IISADMIN");
  assert_null(again.stop[2]);
  assert_null(again.start[0]);
  assert_string_equal(again.ran[0], "IISADMIN");
  assert_null(again.ran[1]);
  assert_int_equal(again.entry_count, 2);
  same_entry(&j.entries[0], &again.entries[0]);
  same_entry(&j.entries[1], &again.entries[1]);
  assert_int_equal(again.tail, j.tail);
  assert_int_equal(again.capacity, j.capacity);
  km_journal_clear(&again);
  km_journal_clear(&j);
  free(file.data);
}

typedef struct fold_row {
  km_record record;
  km_txn_state result;
  km_status status;
  km_phase phase;
} fold_row;

/* One after the other; a refused one changes nothing. */
static const fold_row fold_rows[] = {
    {KM_RECORD_UNDO_BEGIN, KM_TXN_OPEN, KM_MISUSE, KM_PHASE_APPLYING},
    {KM_RECORD_PURGED, KM_TXN_OPEN, KM_MISUSE, KM_PHASE_APPLYING},
    {KM_RECORD_COMMIT, KM_TXN_OPEN, KM_OK, KM_PHASE_APPLIED},
    {KM_RECORD_COMMIT, KM_TXN_OPEN, KM_MISUSE, KM_PHASE_APPLIED},
    {KM_RECORD_END, KM_TXN_COMMITTED, KM_OK, KM_PHASE_ENDED},
    {KM_RECORD_END, KM_TXN_COMMITTED, KM_MISUSE, KM_PHASE_ENDED},
    {KM_RECORD_UNDO_BEGIN, KM_TXN_OPEN, KM_OK, KM_PHASE_UNDOING},
    {KM_RECORD_END, KM_TXN_COMMITTED, KM_OK, KM_PHASE_ENDED},
    {KM_RECORD_UNDO_BEGIN, KM_TXN_OPEN, KM_OK, KM_PHASE_UNDOING},
    {KM_RECORD_UNDO_COMMIT, KM_TXN_OPEN, KM_OK, KM_PHASE_UNDO_APPLIED},
    {KM_RECORD_END, KM_TXN_UNDONE, KM_OK, KM_PHASE_ENDED},
    {KM_RECORD_UNDO_BEGIN, KM_TXN_OPEN, KM_MISUSE, KM_PHASE_ENDED},
    {KM_RECORD_PURGED, KM_TXN_OPEN, KM_OK, KM_PHASE_ENDED},
};

static void test_fold(void **state) {
  km_journal j, again;
  (void)state;
  make_journal(&j);
  memory_file file = make_file(&j);
  for (size_t i = 0; i < COUNT_OF(fold_rows); i++) {
    const fold_row *row = &fold_rows[i];
    assert_int_equal(append(&file, &j, row->record, row->result, NULL), row->status);
    assert_int_equal(j.phase, row->phase);
    if (row->status != KM_OK)
      continue;
    assert_int_equal(parse(&file, &again), KM_OK);
    assert_int_equal(again.phase, row->phase);
    assert_int_equal(again.tail, j.tail);
    assert_int_equal(again.records, j.records);
    km_journal_clear(&again);
  }
  assert_int_equal(parse(&file, &again), KM_OK);
  assert_true(again.purged);
  assert_int_equal(again.result, KM_TXN_UNDONE);
  km_journal_clear(&again);
  km_journal_clear(&j);
  free(file.data);
}

/* ---- torn tails and damage ---- */

static memory_file committed(km_journal *j) {
  make_journal(j);
  /* small descriptors: every byte is tried below */
  for (size_t i = 0; i < 2; i++)
    j->entries[i].meta.descriptor_size = 24;
  memory_file file = make_file(j);
  assert_int_equal(append(&file, j, KM_RECORD_COMMIT, KM_TXN_OPEN, NULL), KM_OK);
  assert_int_equal(append(&file, j, KM_RECORD_END, KM_TXN_COMMITTED, "a problem"), KM_OK);
  return file;
}

/* A last record of which only a part was written is ignored, whatever the part. */
static void test_torn_tail(void **state) {
  km_journal j, again;
  (void)state;
  memory_file file = committed(&j);
  size_t end = j.tail;
  assert_int_equal(append(&file, &j, KM_RECORD_UNDO_BEGIN, KM_TXN_OPEN, NULL), KM_OK);
  for (size_t cut = end; cut < j.tail - 1; cut++) { /* the last byte is zero anyway */
    memory_file torn = {malloc(file.size), file.size};
    memcpy(torn.data, file.data, file.size);
    memset(torn.data + cut, 0, file.size - cut);
    assert_int_equal(parse(&torn, &again), KM_OK);
    assert_int_equal(again.phase, KM_PHASE_ENDED);
    assert_int_equal(again.tail, end);
    /* and written over */
    assert_int_equal(append(&torn, &again, KM_RECORD_PURGED, KM_TXN_OPEN, NULL), KM_OK);
    km_journal_clear(&again);
    assert_int_equal(parse(&torn, &again), KM_OK);
    assert_true(again.purged);
    km_journal_clear(&again);
    free(torn.data);
  }
  km_journal_clear(&j);
  free(file.data);
}

/* No flipped byte gives another transaction: the journal is damaged, or ends before that record. */
static void test_every_byte(void **state) {
  km_journal j, again;
  (void)state;
  memory_file file = committed(&j);
  size_t last = j.tail;
  for (size_t at = 0; at < last; at++) {
    file.data[at] ^= 0x20;
    km_status status = parse(&file, &again);
    if (status == KM_OK)
      assert_true(again.phase == KM_PHASE_APPLIED && again.records == 2);
    else
      assert_int_equal(status, KM_DAMAGED);
    km_journal_clear(&again);
    file.data[at] ^= 0x20;
  }
  km_journal_clear(&j);
  free(file.data);
}

static void test_every_length(void **state) {
  km_journal j, again;
  (void)state;
  memory_file file = committed(&j);
  for (size_t size = 0; size < j.tail + 8; size++) {
    uint8_t *part = malloc(size + 1); /* exact, so that a sanitizer sees reading behind it */
    memcpy(part, file.data, size);
    km_status status = km_journal_parse(part, size, &again, NULL);
    assert_true(status == KM_OK || status == KM_DAMAGED);
    if (status == KM_OK && size < j.tail)
      assert_int_not_equal(again.phase, KM_PHASE_ENDED);
    km_journal_clear(&again);
    free(part);
  }
  km_journal_clear(&j);
  free(file.data);
}

static void test_empty(void **state) {
  km_journal j;
  uint8_t zeros[4096] = {0};
  (void)state;
  assert_int_equal(km_journal_parse(zeros, sizeof zeros, &j, NULL), KM_OK);
  assert_int_equal(j.phase, KM_PHASE_NONE);
  assert_int_equal(km_journal_parse(zeros, 0, &j, NULL), KM_OK);
  memcpy(zeros, "keymend journal 2\n", 18);
  assert_int_equal(km_journal_parse(zeros, sizeof zeros, &j, NULL), KM_DAMAGED);
  memcpy(zeros, "keymend journal 1\n", 18);
  assert_int_equal(km_journal_parse(zeros, sizeof zeros, &j, NULL), KM_OK);
  assert_int_equal(j.phase, KM_PHASE_NONE);
  zeros[30] = 1;
  assert_int_equal(km_journal_parse(zeros, sizeof zeros, &j, NULL), KM_DAMAGED);
}

/* ---- hostile names ---- */

static const char *const bad_names[] = {"",    ".",    "..",     "a/b",   "a\\b",
                                        "C:x", "a:$D", "a\001b", "a\x7f", "a\nb"};

static void test_bad_names(void **state) {
  (void)state;
  assert_true(km_store_name_valid("c2319c42033a5ca7f44e731bfd3fa2b5_x.OLD"));
  for (size_t i = 0; i < COUNT_OF(bad_names); i++) {
    km_journal j, again;
    assert_false(km_store_name_valid(bad_names[i]));
    for (int which = 0; which < 2; which++) {
      make_journal(&j);
      char **name = which ? &j.entries[1].after : &j.entries[0].before;
      free(*name);
      *name = text(bad_names[i]);
      memory_file file = make_file(&j);
      assert_int_equal(parse(&file, &again), KM_DAMAGED);
      km_journal_clear(&again);
      km_journal_clear(&j);
      free(file.data);
    }
  }
}

static void expect_damaged(km_journal *j) {
  km_journal again;
  memory_file file = make_file(j);
  assert_int_equal(parse(&file, &again), KM_DAMAGED);
  km_journal_clear(&again);
  km_journal_clear(j);
  free(file.data);
}

/* Names that differ in case alone are one name for Windows. */
static void test_double_names(void **state) {
  static const struct {
    size_t entry;
    bool after;
    const char *name;
  } rows[] = {{0, false, OLD_UPPER}, {1, true, OLD},       {1, true, OLD_UPPER},
              {1, true, NEW_UPPER},  {0, true, NEW_UPPER}, {0, true, OLD_UPPER}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    km_journal j;
    make_journal(&j);
    km_entry *entry = &j.entries[rows[i].entry];
    char **name = rows[i].after ? &entry->after : &entry->before;
    free(*name);
    *name = text(rows[i].name);
    expect_damaged(&j);
  }
}

static void test_bad_values(void **state) {
  km_journal j;
  (void)state;
  make_journal(&j);
  free(j.entries[1].after);
  j.entries[1].after = text("SAM"); /* only a unique name is given to a file */
  expect_damaged(&j);
  make_journal(&j);
  j.entries[1].meta.mode = 04755;
  expect_damaged(&j);
}

static void set_bytes(uint8_t **to, size_t *size, const built_descriptor *from) {
  free(*to);
  *to = malloc(from->size);
  memcpy(*to, from->data, from->size);
  *size = from->size;
}

/* A journal of one file whose descriptor after has a second entry, `added`. */
static void make_grant(km_journal *j, const built_entry *added) {
  const built_entry entries[] = {{0, 0, KM_GRANT_FULL, "5 32 544", 0}, *added};
  built_descriptor before, after;
  make_journal(j);
  build_descriptor(&before, entries, 1, 0);
  build_descriptor(&after, entries, 2, 0);
  for (size_t i = 0; i < 2; i++) {
    km_entry *entry = &j->entries[i];
    free(entry->before);
    free(entry->after);
    entry->before = text(i ? OLD : NEW);
    entry->after = text(i ? OLD : NEW);
    set_bytes(&entry->meta.descriptor, &entry->meta.descriptor_size, &before);
    set_bytes(&entry->granted, &entry->granted_size, &after);
  }
}

/* A forged journal gives rights to nobody but accounts of the system and services, and moves nothing meanwhile. */
static void test_grants(void **state) {
  static const built_entry good = {0, 0, KM_GRANT_FULL, "5 18", 0};
  static const built_entry bad[] = {{0, 0, KM_GRANT_FULL, "1 0", 0},
                                    {0, 0, KM_GRANT_FULL, "5 21 7", 0},
                                    {0, 0, 0x10000000, "5 18", 0},
                                    {0, 0x10, KM_GRANT_READ, "5 18", 0},
                                    {1, 0, KM_GRANT_READ, "5 18", 0}};
  km_journal j, again;
  (void)state;
  make_grant(&j, &good);
  memory_file file = make_file(&j);
  assert_int_equal(parse(&file, &again), KM_OK);
  assert_int_equal(again.entries[1].granted_size, j.entries[1].granted_size);
  assert_memory_equal(again.entries[1].granted, j.entries[1].granted, j.entries[1].granted_size);
  km_journal_clear(&again);
  km_journal_clear(&j);
  free(file.data);
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    make_grant(&j, &bad[i]);
    expect_damaged(&j);
  }
  for (int change = 0; change < 5; change++) {
    make_grant(&j, &good);
    km_entry *entry = &j.entries[1];
    if (change == 0)
      entry->granted_size = 40; /* cut off */
    if (change == 1)
      free(entry->meta.descriptor), entry->meta.descriptor = NULL;
    if (change == 2)
      free(entry->after), entry->after = NULL;
    if (change == 3)
      memcpy(entry->after, "d", 1); /* another name */
    if (change == 4) {              /* another file moves */
      free(entry->granted), entry->granted = NULL;
      memcpy(entry->after, "d", 1);
    }
    expect_damaged(&j);
  }
}

/* As many marks of a record as a journal can have, each told to be as long as the file: the time
 * for them must not grow with the file. */
static void test_hostile_lengths(void **state) {
  const size_t size = KM_MAX_JOURNAL;
  uint8_t *data = calloc(1, size);
  km_journal j;
  (void)state;
  memcpy(data, "keymend journal 1\n", 18);
  for (size_t i = 0; i < KM_MAX_JOURNAL_RECORDS; i++) {
    size_t at = KM_JOURNAL_HEADER + 16 * i;
    uint32_t length = (uint32_t)(size - at - 8);
    for (int b = 0; b < 4; b++)
      data[at + (size_t)b] = (uint8_t)(length >> (8 * b));
    memcpy(data + at + 8, "kind", 5);
  }
  clock_t start = clock();
  assert_int_equal(km_journal_parse(data, size, &j, NULL), KM_OK);
  assert_int_equal(j.phase, KM_PHASE_NONE);
  km_journal_clear(&j);
  memset(data, 0, KM_JOURNAL_HEADER);
  assert_int_equal(km_journal_parse(data, size, &j, NULL), KM_OK);
  km_journal_clear(&j);
  assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
  free(data);
}

static void test_full(void **state) {
  km_journal j, again;
  char problem[KM_MAX_MESSAGE];
  size_t rounds = 0;
  (void)state;
  memory_file file = committed(&j);
  memset(problem, 'x', sizeof problem);
  problem[sizeof problem - 1] = '\0';
  while (km_journal_has_room(&j, 4)) {
    assert_int_equal(append(&file, &j, KM_RECORD_UNDO_BEGIN, KM_TXN_OPEN, NULL), KM_OK);
    assert_int_equal(append(&file, &j, KM_RECORD_END, KM_TXN_COMMITTED, problem), KM_OK);
    rounds++;
  }
  assert_true(rounds > 20);
  assert_int_equal(parse(&file, &again), KM_OK);
  assert_int_equal(again.phase, KM_PHASE_ENDED);
  assert_string_equal(again.problem, problem);
  km_journal_clear(&again);
  km_journal_clear(&j);
  free(file.data);
}

int test_journal(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_fold),
      cmocka_unit_test(test_torn_tail),    cmocka_unit_test(test_every_byte),
      cmocka_unit_test(test_every_length), cmocka_unit_test(test_empty),
      cmocka_unit_test(test_bad_names),    cmocka_unit_test(test_double_names),
      cmocka_unit_test(test_full),         cmocka_unit_test(test_bad_values),
      cmocka_unit_test(test_grants),       cmocka_unit_test(test_hostile_lengths),
  };
  return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
