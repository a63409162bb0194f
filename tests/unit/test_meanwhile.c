/* test_meanwhile.c: what others do to the store or the vault while a transaction is open stays as
 * they made it, as far as that can be; what is refused or told before anything is made */
#include "fake_backend.h"
#include "tests.h"
#include "transaction.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "c2319c42033a5ca7f44e731bfd3fa2b5"
#define GUID "767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define NEW HASH "_" GUID
#define OLD HASH "_2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"

/* ---- the KB's case: NEW is retired, OLD adopted as NEW ---- */

static fake_volume *make_volume(void) {
  fake_volume *v = fake_new();
  km_target *target = fake_target(v);
  target->info.machine_guid = GUID;
  target->info.guid_form = KM_GUID_PLAIN;
  snprintf(target->info.guid, sizeof target->info.guid, "%s", GUID);
  fake_put(v, FAKE_STORE, NEW, "regenerated", 126000000000000000);
  fake_put(v, FAKE_STORE, OLD, "the old key", 125000000000000000);
  return v;
}

typedef struct told {
  char text[8192];
} told;

static void listen(void *user, const char *stage, const char *text) {
  told *t = user;
  size_t used = strlen(t->text);
  snprintf(t->text + used, sizeof t->text - used, "%s: %s\n", stage, text);
}

static km_status apply_steps(fake_volume *v, size_t count, told *t, km_outcome *outcome,
                             km_error *error) {
  static const char *const services[] = {"W3SVC", NULL};
  km_step steps[2] = {fake_step(v, NEW, NULL), fake_step(v, OLD, NEW)};
  km_plan plan = {.machine_guid = GUID,
                  .key_store = fake_target(v)->info.key_store,
                  .policies = "iis5",
                  .overrides = "",
                  .steps = steps,
                  .step_count = count,
                  .stop = services,
                  .start = services};
  km_txn_options options = {.progress = listen, .user = t, .interrupted = NULL};
  t->text[0] = '\0';
  return km_apply(fake_target(v), &plan, &options, outcome, NULL, error);
}

static km_status apply(fake_volume *v, told *t, km_outcome *outcome, km_error *error) {
  return apply_steps(v, 2, t, outcome, error);
}

static km_status recover(fake_volume *v, told *t, size_t *count, km_outcome *outcome,
                         km_error *error) {
  km_txn_options options = {.progress = listen, .user = t, .interrupted = NULL};
  t->text[0] = '\0';
  fake_restart(v);
  return km_recover(fake_target(v), &options, count, outcome, error);
}

/* The only transaction: its state, and "app/keymend/<id>" in `folder` (64 bytes, or NULL). */
static km_txn_state only(fake_volume *v, char *folder) {
  km_history *history = NULL;
  km_error error;
  if (km_history_read(fake_target(v), &history, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_int_equal(history->count, 1);
  km_txn_state state = history->txns[0]->state;
  if (folder != NULL)
    snprintf(folder, 64, "app/keymend/%s", history->txns[0]->id);
  km_history_free(history);
  return state;
}

typedef struct killer {
  const char *operation;
  unsigned nth; /* of these */
} killer;

static void kill_at(fake_volume *v, const char *operation, void *user) {
  killer *k = user;
  if (strcmp(operation, k->operation) == 0 && --k->nth == 0)
    fake_faults(v)->die_at = fake_operations(v);
}

/* Applies, or undoes `id`, and is killed when the nth `operation` is the next one. */
static void killed_at(fake_volume *v, const char *id, const char *operation, unsigned nth) {
  killer k = {operation, nth};
  km_outcome outcome;
  km_error error;
  told t;
  fake_restart(v);
  fake_faults(v)->meddle = kill_at;
  fake_faults(v)->meddle_user = &k;
  if (id != NULL)
    km_undo(fake_target(v), id, NULL, &outcome, NULL, &error);
  else
    apply(v, &t, &outcome, &error);
  assert_int_equal(k.nth, 0);
  fake_restart(v);
}

static bool stands(fake_volume *v, const char *name, const char *content) {
  size_t size;
  if (!fake_has(v, FAKE_STORE, name))
    return content == NULL;
  const uint8_t *bytes = fake_bytes(v, FAKE_STORE, name, &size);
  return content != NULL && size == strlen(content) && memcmp(bytes, content, size) == 0;
}

/* ---- before the swap ---- */

typedef enum harm { CHANGE_NEW, CHANGE_OLD, DROP_OLD, DROP_BOTH, HARMS } harm;

static void replace(fake_volume *v, const char *name, const char *content) {
  fake_drop(v, FAKE_STORE, name);
  fake_put(v, FAKE_STORE, name, content, 127000000000000000);
}

static void do_harm(fake_volume *v, harm what) {
  if (what == CHANGE_NEW)
    replace(v, NEW, "a service's");
  if (what == CHANGE_OLD)
    replace(v, OLD, "an admin's");
  if (what == DROP_OLD || what == DROP_BOTH)
    fake_drop(v, FAKE_STORE, OLD);
  if (what == DROP_BOTH)
    fake_drop(v, FAKE_STORE, NEW);
}

/* Killed while the copies were made: the store was never touched, so recover does not either. */
static void test_killed_while_copying(void **state) {
  static const char *const operations[] = {"create 0.copy", "copy 0.copy", "create 1.copy",
                                           "copy 1.copy"};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(operations); i++)
    for (harm what = CHANGE_NEW; what < HARMS; what++) {
      km_outcome outcome;
      km_error error;
      size_t count;
      char folder[64];
      told t;
      fake_volume *v = make_volume();
      killed_at(v, NULL, operations[i], 1);
      do_harm(v, what);
      char *before = fake_snapshot(v);
      if (recover(v, &t, &count, &outcome, &error) != KM_OK)
        fail_msg("%s, harm %d: %s", operations[i], (int)what, error.message);
      char *after = fake_snapshot(v);
      assert_string_equal(before, after);
      assert_int_equal(only(v, folder), KM_TXN_ROLLED_BACK);
      assert_false(fake_has(v, folder, "intruder-1"));
      assert_non_null(strstr(t.text, what == CHANGE_NEW ? "rollback: " NEW : "rollback: " OLD));
      assert_int_equal(recover(v, &t, &count, &outcome, &error), KM_OK);
      assert_int_equal(count, 0);
      free(before);
      free(after);
      fake_free(v);
    }
}

typedef struct meddler {
  const char *operation; /* before which it comes */
  harm what;
  bool done;
} meddler;

static void meddle(fake_volume *v, const char *operation, void *user) {
  meddler *m = user;
  if (m->done || strcmp(operation, m->operation) != 0)
    return;
  m->done = true;
  do_harm(v, m->what);
}

/* The same in one run: between the check and the copy, and between the copies and the swap. */
static void test_changed_meanwhile(void **state) {
  static const struct {
    meddler meddler;
    km_status status;
  } rows[] = {{{"create journal", CHANGE_NEW, false}, KM_STALE},
              {{"create journal", CHANGE_OLD, false}, KM_STALE},
              {{"create journal", DROP_OLD, false}, KM_NOT_FOUND},
              {{"create 1.copy", CHANGE_NEW, false}, KM_STALE},
              {{"copy meta 1.copy", CHANGE_NEW, false}, KM_STALE},
              {{"copy meta 1.copy", CHANGE_OLD, false}, KM_STALE}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    meddler m = rows[i].meddler;
    km_outcome outcome;
    km_error error = {0};
    told t;
    size_t count;
    char folder[64];
    fake_volume *wanted = make_volume(), *v = make_volume();
    do_harm(wanted, m.what);
    fake_faults(v)->meddle = meddle;
    fake_faults(v)->meddle_user = &m;
    km_status status = apply(v, &t, &outcome, &error);
    if (status != rows[i].status || !m.done)
      fail_msg("row %zu: %s: %s", i, km_status_id(status), error.message);
    assert_int_equal(outcome, KM_ROLLED_BACK);
    assert_int_equal(only(v, folder), KM_TXN_ROLLED_BACK);
    assert_false(fake_has(v, folder, "intruder-1"));
    char *before = fake_snapshot(wanted), *after = fake_snapshot(v);
    assert_string_equal(before, after);
    assert_non_null(strstr(t.text, "not by keymend"));
    assert_int_equal(recover(v, &t, &count, &outcome, &error), KM_OK);
    assert_int_equal(count, 0);
    free(before);
    free(after);
    fake_free(v);
    fake_free(wanted);
  }
}

/* ---- in the middle of the swap ---- */

/* A file that is nowhere: nothing is moved, and what stands in the way stays where it is. */
static void test_nowhere(void **state) {
  km_outcome outcome;
  km_error error;
  size_t count;
  char folder[64];
  told t;
  (void)state;
  fake_volume *v = make_volume();
  killed_at(v, NULL, "write journal", 2); /* the commit record */
  assert_true(stands(v, NEW, "the old key"));
  assert_int_equal(only(v, folder), KM_TXN_OPEN);
  fake_drop(v, folder, "0.copy");
  fake_drop(v, folder, "0.link");
  fake_put(v, folder, "0.link", "something else", 5);
  replace(v, NEW, "a service's");
  char *before = fake_snapshot(v);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(recover(v, &t, &count, &outcome, &error), KM_NOT_FOUND);
    assert_int_equal(outcome, KM_ATTENTION);
    assert_null(strstr(error.message, "every file"));
    char *after = fake_snapshot(v);
    assert_string_equal(before, after);
    assert_false(fake_has(v, folder, "intruder-1"));
    free(after);
  }
  free(before);
  fake_free(v);
}

/* All copies are there, but one went bad after the swap: that is no reason to leave it halfway. */
static void test_copy_gone_bad(void **state) {
  km_outcome outcome;
  km_error error;
  size_t count, size;
  char folder[64];
  told t;
  (void)state;
  fake_volume *v = make_volume();
  char *before = fake_snapshot(v);
  killed_at(v, NULL, "write journal", 2);
  assert_int_equal(only(v, folder), KM_TXN_OPEN);
  fake_bytes(v, folder, "1.copy", &size)[0] ^= 1;
  if (recover(v, &t, &count, &outcome, &error) != KM_OK)
    fail_msg("%s", error.message);
  char *after = fake_snapshot(v);
  assert_string_equal(before, after);
  free(before);
  free(after);
  fake_free(v);
}

/* ---- behind the commit record ---- */

/* Killed right behind the commit record; then Windows ran, and a service renewed the key. */
static void test_later_version(void **state) {
  (void)state;
  for (int undo = 0; undo < 2; undo++) {
    km_outcome outcome;
    km_error error;
    size_t count;
    char folder[64];
    told t;
    fake_volume *v = make_volume();
    if (undo) {
      assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
      only(v, folder);
      killed_at(v, strrchr(folder, '/') + 1, "write journal", 3);
    } else {
      killed_at(v, NULL, "write journal", 3);
      only(v, folder);
    }
    replace(v, NEW, "a service's");
    if (!undo) /* where the transaction left no file, one came to be */
      fake_put(v, FAKE_STORE, OLD, "an admin's", 9);
    char *before = fake_snapshot(v);
    if (recover(v, &t, &count, &outcome, &error) != KM_OK)
      fail_msg("%s", error.message);
    assert_int_equal(count, 1);
    assert_int_equal(outcome, KM_DONE);
    assert_int_equal(only(v, NULL), undo ? KM_TXN_UNDONE : KM_TXN_COMMITTED);
    char *after = fake_snapshot(v);
    assert_string_equal(before, after);
    assert_non_null(strstr(t.text, "recover: " NEW));
    assert_false(fake_has(v, folder, "intruder-1"));
    assert_true(fake_somewhere(v, "regenerated") && fake_somewhere(v, "the old key"));
    free(before);
    free(after);
    fake_free(v);
  }
}

/* The current file was retired, and a service made a new one at its name. */
static void test_later_at_a_free_name(void **state) {
  km_outcome outcome;
  km_error error;
  size_t count;
  told t;
  killer k = {"write journal", 3};
  (void)state;
  fake_volume *v = make_volume();
  fake_faults(v)->meddle = kill_at;
  fake_faults(v)->meddle_user = &k;
  apply_steps(v, 1, &t, &outcome, &error);
  fake_restart(v);
  fake_put(v, FAKE_STORE, NEW, "a service's", 9);
  assert_int_equal(recover(v, &t, &count, &outcome, &error), KM_OK);
  assert_true(stands(v, NEW, "a service's"));
  assert_true(fake_somewhere(v, "regenerated"));
  assert_int_equal(only(v, NULL), KM_TXN_COMMITTED);
  fake_free(v);
}

/* A disk lost the change, and then a service made a file: it goes to the vault. */
static void test_lying_disk(void **state) {
  km_outcome outcome;
  km_error error;
  size_t count;
  char folder[64];
  told t;
  (void)state;
  fake_volume *v = make_volume();
  killed_at(v, NULL, "write journal", 3);
  only(v, folder);
  fake_link(v, FAKE_STORE, NEW, OLD);
  replace(v, NEW, "a service's");
  if (recover(v, &t, &count, &outcome, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_true(stands(v, NEW, "the old key"));
  assert_true(stands(v, OLD, NULL));
  assert_true(fake_has(v, folder, "intruder-1"));
  assert_int_equal(only(v, NULL), KM_TXN_COMMITTED);
  fake_free(v);
}

/* ---- purge ---- */

/* A folder that came into the vault as an intruder. */
static void test_purge_of_a_folder(void **state) {
  (void)state;
  for (int full = 0; full < 2; full++) {
    km_outcome outcome;
    km_error error;
    char folder[64], inner[96];
    told t;
    size_t count;
    fake_volume *v = make_volume();
    killed_at(v, NULL, "write journal", 2);
    assert_true(stands(v, OLD, NULL));
    fake_folder(v, FAKE_STORE, OLD, false);
    if (recover(v, &t, &count, &outcome, &error) != KM_OK)
      fail_msg("%s", error.message);
    assert_int_equal(only(v, folder), KM_TXN_ROLLED_BACK);
    assert_true(fake_has(v, folder, "intruder-1"));
    snprintf(inner, sizeof inner, "%s/intruder-1", folder);
    if (full)
      fake_put(v, inner, "a file", "of somebody", 9);
    const char *id = strrchr(folder, '/') + 1;
    km_status status = km_purge(fake_target(v), id, &error);
    assert_int_equal(status, full ? KM_REFUSED : KM_OK);
    if (full) {
      assert_non_null(strstr(error.message, "intruder-1"));
      assert_true(fake_has(v, inner, "a file"));
    }
    assert_int_equal(fake_has(v, folder, "intruder-1"), full);
    assert_false(fake_has(v, folder, "0.copy") || fake_has(v, folder, "1.copy"));
    assert_int_equal(only(v, NULL), KM_TXN_PURGED);
    fake_free(v);
  }
}

/* What cannot be removed does not keep the others; only an emptied vault is called purged. */
static void fail_once(fake_volume *v, const char *operation, void *user) {
  bool *done = user;
  if (*done || strcmp(operation, "remove 0.copy") != 0)
    return;
  *done = true;
  fake_faults(v)->fail_at = fake_operations(v);
  fake_faults(v)->fail_status = KM_IO;
}

static void test_purge_fails(void **state) {
  km_outcome outcome;
  km_error error;
  char folder[64];
  told t;
  bool done = false;
  (void)state;
  fake_volume *v = make_volume();
  assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
  only(v, folder);
  fake_faults(v)->meddle = fail_once;
  fake_faults(v)->meddle_user = &done;
  assert_int_equal(km_purge(fake_target(v), strrchr(folder, '/') + 1, &error), KM_IO);
  assert_true(done && fake_has(v, folder, "0.copy"));
  assert_false(fake_has(v, folder, "0.link") || fake_has(v, folder, "1.copy"));
  assert_int_equal(only(v, NULL), KM_TXN_COMMITTED);
  assert_int_equal(km_purge(fake_target(v), strrchr(folder, '/') + 1, &error), KM_OK);
  assert_int_equal(only(v, NULL), KM_TXN_PURGED);
  fake_free(v);
}

/* ---- before anything is made ---- */

static void expect_untouched(fake_volume *v, km_status wanted) {
  km_outcome outcome;
  km_error error = {0};
  told t;
  unsigned operations = fake_operations(v);
  km_status status = apply(v, &t, &outcome, &error);
  if (status != wanted)
    fail_msg("%s: %s", km_status_id(status), error.message);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_int_equal(fake_operations(v), operations);
}

static void test_owner_is_checked(void **state) {
  (void)state;
  fake_volume *v = make_volume();
  fake_faults(v)->foreign = OLD;
  expect_untouched(v, KM_ACCESS);
  fake_free(v);
}

/* A descriptor takes twice its size in the journal. */
static void test_space_for_descriptors(void **state) {
  km_outcome outcome;
  km_error error;
  told t;
  (void)state;
  fake_volume *v = make_volume();
  km_file_meta *meta = fake_meta(v, FAKE_STORE, OLD);
  free(meta->descriptor);
  meta->descriptor_size = KM_MAX_DESCRIPTOR;
  meta->descriptor = calloc(1, KM_MAX_DESCRIPTOR);
  fake_faults(v)->space = (1u << 20) + KM_JOURNAL_RESERVE + KM_MAX_DESCRIPTOR;
  expect_untouched(v, KM_NO_SPACE);
  fake_faults(v)->space += KM_MAX_DESCRIPTOR + 16384;
  assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
  fake_free(v);
}

static void test_unclean_is_told(void **state) {
  km_outcome outcome;
  km_error error;
  told t;
  (void)state;
  for (int unknown = 0; unknown < 2; unknown++) {
    fake_volume *v = make_volume();
    fake_faults(v)->unclean_unknown = unknown;
    assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
    const char *line =
        "check: whether the volume is clean could not be told: the driver has no say";
    assert_int_equal(strstr(t.text, line) != NULL, unknown);
    fake_free(v);
  }
}

/* ---- leftovers, limits, small things ---- */

static void test_half_made_folders(void **state) {
  km_outcome outcome;
  km_error error;
  told t;
  (void)state;
  fake_volume *v = make_volume();
  fake_folder(v, FAKE_APP_DATA, "keymend", true);
  fake_folder(v, "app/keymend", "20261123T121959Z-3f9a2c.new", false);
  fake_folder(v, "app/keymend", "20261123T121959Z-3f9a2c.new-0badcafe", false);
  fake_folder(v, "app/keymend", "20261123T122000Z-3f9a2c.new", false);
  fake_put(v, "app/keymend/20261123T122000Z-3f9a2c.new", "file", "somebody's", 9);
  fake_folder(v, "app/keymend", "an admin's.new", false);
  assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
  assert_false(fake_has(v, "app/keymend", "20261123T121959Z-3f9a2c.new"));
  assert_false(fake_has(v, "app/keymend", "20261123T121959Z-3f9a2c.new-0badcafe"));
  assert_true(fake_has(v, "app/keymend", "20261123T122000Z-3f9a2c.new"));
  assert_true(fake_has(v, "app/keymend", "an admin's.new"));
  fake_free(v);
}

/* A begin record of `count` files with the largest descriptors, but for the last file's. */
static uint8_t *large_journal(const char *store, size_t count, size_t last, size_t *size) {
  static uint8_t descriptor[KM_MAX_DESCRIPTOR];
  static char names[KM_MAX_STEPS][32];
  static km_entry entries[KM_MAX_STEPS];
  char *none[1] = {NULL};
  uint8_t *data = NULL;
  for (size_t i = 0; i < count; i++) {
    snprintf(names[i], sizeof names[i], "file %zu", i);
    entries[i] = (km_entry){.container = names[i], .reason = names[i], .before = names[i]};
    memset(entries[i].sha256, 'a', sizeof entries[i].sha256 - 1);
    entries[i].meta.descriptor = descriptor;
    entries[i].meta.descriptor_size = i + 1 < count ? sizeof descriptor : last;
  }
  char made_by[] = "test", text[] = "", path[128];
  snprintf(path, sizeof path, "%s", store);
  km_journal j = {.begun = 1,
                  .made_by = made_by,
                  .store = path,
                  .machine_guid = made_by,
                  .policies = text,
                  .overrides = text,
                  .entries = entries,
                  .entry_count = count,
                  .stop = none,
                  .start = none};
  assert_int_equal(km_journal_encode(&j, &data, size, NULL), KM_OK);
  return data;
}

/* The records that a repair's journal has behind its first, with a zero length behind them; they fit any journal. */
static uint8_t *closing_records(size_t *size) {
  char folder[64];
  km_outcome outcome;
  km_error error;
  told t;
  fake_volume *v = make_volume();
  assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
  only(v, folder);
  const uint8_t *data = fake_bytes(v, folder, "journal", size);
  size_t at = KM_JOURNAL_HEADER;
  at += 8 + (data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16);
  *size = *size - at < KM_MAX_SHORT_RECORD ? *size - at : KM_MAX_SHORT_RECORD;
  uint8_t *records = malloc(*size);
  assert_non_null(records);
  memcpy(records, data + at, *size);
  fake_free(v);
  return records;
}

/* Puts a transaction with this journal into the keymend folder; whether all can still be read. */
static bool put_journal(fake_volume *v, unsigned number, size_t count, size_t last) {
  km_history *history = NULL;
  char id[KM_TXN_ID], folder[64];
  size_t size, more;
  uint8_t *begun =
      large_journal(km_without_letter(fake_target(v)->info.key_store), count, last, &size);
  uint8_t *closing = closing_records(&more), *data = malloc(size + more);
  assert_non_null(data);
  memcpy(data, begun, size);
  free(begun);
  memcpy(data + size - 4, closing, more); /* over the zero length */
  size += more - 4;
  free(closing);
  snprintf(id, sizeof id, "20261123T1219%02uZ-3f9a2c", number);
  snprintf(folder, sizeof folder, "app/keymend/%s", id);
  if (!fake_has(v, "app/keymend", id))
    fake_folder(v, "app/keymend", id, true);
  else
    fake_drop(v, folder, "journal");
  fake_put_bytes(v, folder, "journal", data, size);
  free(data);
  bool good = km_history_read(fake_target(v), &history, NULL) == KM_OK;
  km_history_free(history);
  return good;
}

/* What can be read as it is, but not with one more transaction: none is begun. */
static void test_room_for_one_more(void **state) {
  km_history *history = NULL;
  km_outcome outcome;
  km_error error;
  told t;
  (void)state;
  fake_volume *v = make_volume();
  fake_folder(v, FAKE_APP_DATA, "keymend", true);
  unsigned number = 0;
  while (put_journal(v, number, KM_MAX_STEPS, KM_MAX_DESCRIPTOR))
    number++;
  size_t count = KM_MAX_STEPS - 1;
  while (!put_journal(v, number, count, KM_MAX_DESCRIPTOR))
    count--;
  size_t fits = 0; /* bytes of one more file's descriptor */
  for (size_t step = KM_MAX_DESCRIPTOR / 2; step >= 32; step /= 2)
    if (put_journal(v, number, count + 1, fits + step))
      fits += step;
  assert_true(fits > 0);
  assert_true(put_journal(v, number, count + 1, fits));
  assert_int_equal(apply(v, &t, &outcome, &error), KM_LIMIT);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_non_null(strstr(error.message, "has no room for one more transaction"));
  assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_OK);
  km_history_free(history);
  fake_free(v);
}

static void test_memory_for_journals(void **state) {
  km_history *history = NULL;
  km_error error;
  size_t size;
  (void)state;
  fake_volume *v = make_volume();
  uint8_t *data = large_journal(km_without_letter(fake_target(v)->info.key_store), KM_MAX_STEPS,
                                KM_MAX_DESCRIPTOR, &size);
  fake_folder(v, FAKE_APP_DATA, "keymend", true);
  for (unsigned i = 0; i < KM_MAX_RECORDS_BYTES / (KM_MAX_STEPS * KM_MAX_DESCRIPTOR); i++) {
    char id[KM_TXN_ID], folder[64];
    assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_OK);
    assert_int_equal(history->count, i);
    km_history_free(history);
    snprintf(id, sizeof id, "20261123T1219%02uZ-3f9a2c", i);
    fake_folder(v, "app/keymend", id, true);
    snprintf(folder, sizeof folder, "app/keymend/%s", id);
    fake_put_bytes(v, folder, "journal", data, size);
  }
  assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_LIMIT);
  assert_non_null(strstr(error.message, "move old transactions away"));
  free(data);
  fake_free(v);
}

/* What a file system stores in its own way, as compression, is no part of a file's state, nor is that a backup ran. */
static void test_attributes_compared(void **state) {
  static const struct {
    uint32_t a, b;
    bool equal;
  } rows[] = {{0x820, 0x20, true},
              {0x80, 0, true},
              {0, 0x20, true},
              {0x21, 0x20, false},
              {0x26, 0x20, false}};
  (void)state;
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    const char *what;
    const km_file_meta a = {.attributes = rows[i].a}, b = {.attributes = rows[i].b};
    assert_int_equal(km_meta_equal(&a, &b, &what), rows[i].equal);
  }
}

/* An undo is told to be done when it is, and services after it. */
static void test_undo_tells_in_order(void **state) {
  km_outcome outcome;
  km_error error;
  char folder[64];
  told t;
  (void)state;
  fake_volume *v = make_volume();
  assert_int_equal(apply(v, &t, &outcome, &error), KM_OK);
  only(v, folder);
  km_txn_options options = {.progress = listen, .user = &t, .interrupted = NULL};
  t.text[0] = '\0';
  assert_int_equal(
      km_undo(fake_target(v), strrchr(folder, '/') + 1, &options, &outcome, NULL, &error), KM_OK);
  const char *undone = strstr(t.text, "undone"), *start = strstr(t.text, "start: W3SVC");
  assert_true(undone != NULL && start != NULL && undone < start);
  fake_free(v);
}

int test_meanwhile(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_killed_while_copying),
      cmocka_unit_test(test_changed_meanwhile),
      cmocka_unit_test(test_nowhere),
      cmocka_unit_test(test_copy_gone_bad),
      cmocka_unit_test(test_later_version),
      cmocka_unit_test(test_later_at_a_free_name),
      cmocka_unit_test(test_lying_disk),
      cmocka_unit_test(test_purge_of_a_folder),
      cmocka_unit_test(test_purge_fails),
      cmocka_unit_test(test_owner_is_checked),
      cmocka_unit_test(test_space_for_descriptors),
      cmocka_unit_test(test_unclean_is_told),
      cmocka_unit_test(test_half_made_folders),
      cmocka_unit_test(test_memory_for_journals),
      cmocka_unit_test(test_room_for_one_more),
      cmocka_unit_test(test_attributes_compared),
      cmocka_unit_test(test_undo_tells_in_order),
  };
  return cmocka_run_group_tests_name("meanwhile", tests, NULL, NULL);
}
