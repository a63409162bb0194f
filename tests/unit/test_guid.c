/* test_guid.c: a transaction that puts the machine GUID back, over a volume in memory: every crash and fault in turn */
#include "fake_backend.h"
#include "transaction.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "c2319c42033a5ca7f44e731bfd3fa2b5"
#define B "7a436fe806e483969f48a894af2fe9a1"
#define NEW "767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define OLD "2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"
#define OTHER "00000000-1111-2222-3333-444444444444"
#define UPPER "767E77B0-C6AD-4D27-8F44-B62351B7069A"
#define STORE_PATH "C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys"

static fake_volume *make_volume(bool no_links, const char *guid) {
  fake_volume *v = fake_new();
  km_target *target = fake_target(v);
  target->info.machine_guid = guid;
  target->info.guid_form = km_guid_parse(guid, target->info.guid);
  fake_faults(v)->no_links = no_links;
  fake_put(v, FAKE_STORE, A "_" NEW, "made since", 126000000000000000);
  fake_put(v, FAKE_STORE, A "_" OLD, "the old key", 126000000000000001);
  fake_put(v, FAKE_STORE, B "_" OLD, "another old key", 126000000000000002);
  fake_set_guid(v, guid);
  return v;
}

static km_step restore_step(const char *name, const char *to) {
  return (km_step){
      .kind = KM_STEP_RESTORE_GUID, .name = name, .to = to, .reason = "most of the store"};
}

static km_status apply_steps(fake_volume *v, const km_step *steps, size_t count,
                             km_outcome *outcome, km_txn **txn, km_error *error) {
  static const char *const services[] = {"IISADMIN", NULL};
  const km_plan plan = {.machine_guid = fake_target(v)->info.machine_guid,
                        .key_store = STORE_PATH,
                        .policies = "iis5",
                        .overrides = "",
                        .accept_dirty_hive = true, /* it does not help */
                        .steps = steps,
                        .step_count = count,
                        .stop = services,
                        .start = services};
  return km_apply(fake_target(v), &plan, NULL, outcome, txn, error);
}

static km_status apply(fake_volume *v, km_outcome *outcome, km_error *error) {
  const km_step step = restore_step(NEW, OLD);
  return apply_steps(v, &step, 1, outcome, NULL, error);
}

static void applied(fake_volume *v, const km_step *step, char id[KM_TXN_ID]) {
  km_outcome outcome;
  km_error error;
  km_txn *txn = NULL;
  if (apply_steps(v, step, 1, &outcome, &txn, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_int_equal(outcome, KM_DONE);
  snprintf(id, KM_TXN_ID, "%s", txn->id);
  km_txn_free(txn);
}

static void restored(fake_volume *v, char id[KM_TXN_ID]) {
  const km_step step = restore_step(NEW, OLD);
  applied(v, &step, id);
}

/* ---- the plain way ---- */

static void test_apply_and_undo(void **state) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  km_history *history = NULL;
  (void)state;
  fake_volume *v = make_volume(false, UPPER);
  const km_target_info *info = &fake_target(v)->info;
  char *before = fake_snapshot(v);
  const km_step step = restore_step(UPPER, OLD);
  applied(v, &step, id);
  assert_string_equal(fake_guid(v), OLD);
  assert_string_equal(info->machine_guid, OLD);
  assert_string_equal(info->guid, OLD);
  assert_int_equal(info->guid_form, KM_GUID_PLAIN);
  assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_OK);
  assert_int_equal(history->count, 1);
  assert_int_equal(history->txns[0]->state, KM_TXN_COMMITTED);
  assert_int_equal(history->txns[0]->file_count, 0);
  assert_string_equal(history->txns[0]->guid_before, UPPER);
  assert_string_equal(history->txns[0]->guid_after, OLD);
  assert_string_equal(history->txns[0]->machine_guid, UPPER);
  km_history_free(history);
  if (km_undo(fake_target(v), id, NULL, &outcome, NULL, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_int_equal(outcome, KM_DONE);
  assert_string_equal(info->machine_guid, UPPER);
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  free(now);
  free(before);
  assert_int_equal(km_purge(fake_target(v), id, &error), KM_OK);
  fake_free(v);
}

/* ---- every crash and fault ---- */

typedef enum verb { APPLY, UNDO } verb;

static fake_volume *prepare(verb run, bool no_links, char id[KM_TXN_ID]) {
  fake_volume *v = make_volume(no_links, NEW);
  id[0] = '\0';
  if (run == UNDO)
    restored(v, id);
  fake_restart(v);
  return v;
}

static km_status run_verb(fake_volume *v, verb run, const char *id, km_outcome *outcome,
                          km_error *error) {
  return run == APPLY ? apply(v, outcome, error)
                      : km_undo(fake_target(v), id, NULL, outcome, NULL, error);
}

/* At every instant one of the two stands there whole. */
static void is_whole(fake_volume *v) {
  const char *now = fake_guid(v);
  if (now == NULL || (strcmp(now, OLD) != 0 && strcmp(now, NEW) != 0))
    fail_msg("after \"%s\" the hive holds %s", fake_last_operation(v),
             now != NULL ? now : "nothing");
}

/* The snapshot that a verb leaves, fresh; free(). */
static char *snapshot_of(bool no_links, bool after) {
  char id[KM_TXN_ID];
  fake_volume *v = make_volume(no_links, NEW);
  if (after)
    restored(v, id);
  char *text = fake_snapshot(v);
  fake_free(v);
  return text;
}

static void check_recovered(fake_volume *v, bool no_links, unsigned point) {
  char *sides[2] = {snapshot_of(no_links, false), snapshot_of(no_links, true)};
  km_outcome outcome;
  km_error error;
  size_t count = 9;
  fake_restart(v);
  if (km_recover(fake_target(v), NULL, &count, &outcome, &error) != KM_OK)
    fail_msg("point %u: recover: %s", point, error.message);
  is_whole(v);
  char *now = fake_snapshot(v);
  if (strcmp(now, sides[0]) != 0 && strcmp(now, sides[1]) != 0)
    fail_msg("point %u: neither before nor after:\n%s", point, now);
  for (int i = 0; i < 2; i++)
    free(sides[i]);
  free(now);
  if (count > 0)
    assert_int_equal(outcome, KM_DONE);
  fake_restart(v);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
  assert_int_equal(count, 0);
  assert_int_equal(fake_operations(v), 0);
}

/* Dies at operation `first` of the verb and, unless 0, at `second` of the recover after it. */
static bool crash_point(verb run, bool no_links, unsigned first, unsigned second) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  size_t count;
  fake_volume *v = prepare(run, no_links, id);
  fake_faults(v)->die_at = first;
  run_verb(v, run, id, &outcome, &error);
  bool reached = fake_operations(v) >= first;
  is_whole(v);
  if (reached && second > 0) {
    fake_restart(v);
    fake_faults(v)->die_at = second;
    km_recover(fake_target(v), NULL, &count, &outcome, &error);
    reached = fake_operations(v) >= second;
    is_whole(v);
  }
  check_recovered(v, no_links, first * 1000 + second);
  fake_free(v);
  return reached;
}

static void test_crashes(void **state) {
  unsigned points = 0;
  (void)state;
  for (int variant = 0; variant < 4; variant++) {
    verb run = variant & 1 ? UNDO : APPLY;
    bool no_links = variant & 2;
    for (unsigned first = 1; crash_point(run, no_links, first, 0); first++)
      for (unsigned second = 1; crash_point(run, no_links, first, second); second++)
        points++;
  }
  print_message("machine GUID: %u crash points\n", points);
  assert_true(points > 80);
}

static bool fault_point(verb run, bool no_links, unsigned point, km_status what) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error = {0};
  fake_volume *v = prepare(run, no_links, id);
  fake_faults(v)->fail_at = point;
  fake_faults(v)->fail_status = what;
  km_status status = run_verb(v, run, id, &outcome, &error);
  bool reached = fake_operations(v) >= point;
  is_whole(v);
  if (outcome == KM_ATTENTION)
    fail_msg("one fault needs attention: %s", error.message);
  assert_int_equal(status == KM_OK, outcome == KM_DONE);
  bool new_one = (run == APPLY) == (outcome != KM_DONE);
  assert_string_equal(fake_guid(v), new_one ? NEW : OLD);
  char *was = fake_snapshot(v);
  check_recovered(v, no_links, point);
  char *now = fake_snapshot(v);
  assert_string_equal(now, was);
  free(was);
  free(now);
  fake_free(v);
  return reached;
}

static void test_faults(void **state) {
  static const km_status faults[] = {KM_IO, KM_NO_SPACE, KM_ACCESS};
  unsigned points = 0;
  (void)state;
  for (int variant = 0; variant < 4; variant++)
    for (size_t f = 0; f < COUNT_OF(faults); f++)
      for (unsigned point = 1;
           fault_point(variant & 1 ? UNDO : APPLY, variant & 2, point, faults[f]); point++)
        points++;
  print_message("machine GUID: %u faults\n", points);
  assert_true(points > 100);
}

/* ---- what is refused ---- */

static void test_plans(void **state) {
  (void)state;
  fake_volume *v = make_volume(false, NEW);
  km_step retire = fake_step(v, A "_" NEW, NULL);
  const struct {
    km_step steps[2];
    size_t count;
    km_status status;
  } rows[] = {
      {{restore_step(OLD, OLD)}, 1, KM_MISUSE},
      {{restore_step(NULL, OLD)}, 1, KM_MISUSE},
      {{restore_step(NEW, NULL)}, 1, KM_MISUSE},
      {{restore_step(NEW, NEW)}, 1, KM_MISUSE},
      {{restore_step(NEW, "2EF9F45E-4DC2-48B1-9D10-86F5079E23F1")}, 1, KM_MISUSE},
      {{restore_step(NEW, "{" OLD "}")}, 1, KM_MISUSE},
      {{restore_step(NEW, "old")}, 1, KM_MISUSE},
      {{restore_step(NEW, OLD), restore_step(NEW, OLD)}, 2, KM_MISUSE},
      {{restore_step(NEW, OLD), retire}, 2, KM_MISUSE},
      {{retire, restore_step(NEW, OLD)}, 2, KM_MISUSE},
      {{{.kind = KM_STEP_RESTORE_GUID, .name = NEW, .to = OLD, .container = "x"}}, 1, KM_MISUSE},
      {{{.kind = KM_STEP_RESTORE_GUID, .name = NEW, .to = OLD, .size = 1}}, 1, KM_MISUSE},
      {{restore_step(NEW, OTHER)}, 1, KM_REFUSED},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    km_outcome outcome;
    km_error error;
    fake_restart(v);
    if (apply_steps(v, rows[i].steps, rows[i].count, &outcome, NULL, &error) != rows[i].status)
      fail_msg("plan %zu: %s", i, error.message);
    assert_int_equal(outcome, KM_UNTOUCHED);
    assert_int_equal(fake_operations(v), 0);
  }
  assert_string_equal(fake_guid(v), NEW);
  fake_free(v);
}

static void refuses(fake_volume *v, km_status wanted, const char *guid) {
  km_outcome outcome;
  km_error error;
  km_status status = apply(v, &outcome, &error);
  if (status != wanted)
    fail_msg("%d: %s", (int)status, error.message);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_string_equal(fake_guid(v), guid);
  fake_free(v);
}

static void test_refused(void **state) {
  (void)state;
  fake_volume *v = make_volume(false, NEW);
  fake_faults(v)->dirty_hive = true;
  refuses(v, KM_REFUSED, NEW);
  v = make_volume(false, NEW);
  fake_set_guid(v, OTHER); /* since it was opened */
  refuses(v, KM_STALE, OTHER);
  v = make_volume(false, NEW);
  fake_drop(v, FAKE_STORE, A "_" OLD);
  fake_make_odd(v, FAKE_STORE, B "_" OLD); /* no key file carries it */
  refuses(v, KM_REFUSED, NEW);
  v = make_volume(false, NEW);
  km_backend without = *fake_target(v)->backend;
  without.machine_guid_write = NULL;
  fake_target(v)->backend = &without;
  refuses(v, KM_UNSUPPORTED, NEW);
}

/* ---- somebody else's value ---- */

/* A volume where apply died after the hive was replaced and before it was committed. */
static fake_volume *interrupted(void) {
  km_outcome outcome;
  km_error error;
  for (unsigned point = 1;; point++) {
    fake_volume *v = make_volume(false, NEW);
    fake_faults(v)->die_at = point;
    assert_int_not_equal(apply(v, &outcome, &error), KM_OK);
    if (strcmp(fake_guid(v), OLD) == 0)
      return v;
    fake_free(v);
  }
}

/* A rollback that finds another value leaves it, and tells. */
static void test_neither_before_commit(void **state) {
  km_outcome outcome;
  km_error error;
  size_t count;
  (void)state;
  fake_volume *v = interrupted();
  fake_set_guid(v, OTHER);
  fake_restart(v);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_STALE);
  assert_int_equal(outcome, KM_ATTENTION);
  assert_non_null(strstr(error.message, OTHER));
  assert_non_null(strstr(error.message, "regedit"));
  assert_string_equal(fake_guid(v), OTHER);
  fake_set_guid(v, NEW);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
  assert_int_equal(outcome, KM_DONE);
  assert_string_equal(fake_guid(v), NEW);
  fake_free(v);
}

/* A power cut within the write leaves characters of both: that is the transaction's own, and goes back. */
static void test_parted(void **state) {
  char parted[] = OLD;
  km_outcome outcome;
  km_error error;
  size_t count;
  (void)state;
  memcpy(parted, NEW, 11);
  fake_volume *v = interrupted();
  fake_set_guid(v, parted);
  fake_restart(v);
  if (km_recover(fake_target(v), NULL, &count, &outcome, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_int_equal(outcome, KM_DONE);
  assert_string_equal(fake_guid(v), NEW);
  fake_set_guid(v, parted); /* nothing is open: it is somebody's */
  assert_int_not_equal(apply(v, &outcome, &error), KM_OK);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_string_equal(fake_guid(v), parted);
  fake_free(v);
}

/* Behind the commit record it is a later change, and no business of the transaction. */
static void test_neither_behind_commit(void **state) {
  km_outcome outcome;
  km_error error;
  km_history *history = NULL;
  size_t count = 0;
  bool met = false;
  (void)state;
  for (unsigned point = 1; !met; point++) {
    fake_volume *v = make_volume(false, NEW);
    fake_faults(v)->die_at = point;
    km_status status = apply(v, &outcome, &error);
    met = status == KM_OK && strcmp(fake_guid(v), OLD) == 0 && outcome == KM_DONE;
    fake_restart(v);
    if (met) {
      fake_set_guid(v, OTHER);
      assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
      assert_int_equal(count, 1);
      assert_string_equal(fake_guid(v), OTHER);
      assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_OK);
      assert_int_equal(history->txns[0]->state, KM_TXN_COMMITTED);
      assert_int_equal(km_undo(fake_target(v), history->txns[0]->id, NULL, &outcome, NULL, &error),
                       KM_REFUSED);
      assert_int_equal(outcome, KM_UNTOUCHED);
      km_history_free(history);
    }
    fake_free(v);
  }
}

static void test_undo_refused(void **state) {
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  (void)state;
  fake_volume *v = make_volume(false, NEW);
  restored(v, id);
  fake_faults(v)->dirty_hive = true;
  assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, &error), KM_REFUSED);
  assert_int_equal(outcome, KM_UNTOUCHED);
  fake_faults(v)->dirty_hive = false;
  for (int i = 0; i < 2; i++) { /* somebody else's, and the former one, set by hand */
    fake_set_guid(v, i == 0 ? OTHER : NEW);
    assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, &error), KM_REFUSED);
    assert_int_equal(outcome, KM_UNTOUCHED);
  }
  fake_free(v);
}

/* ---- other transactions around it ---- */

static void test_order(void **state) {
  char first[KM_TXN_ID], guid[KM_TXN_ID], last[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  (void)state;
  fake_volume *v = make_volume(false, NEW);
  km_target *target = fake_target(v);
  const km_step retire = fake_step(v, A "_" NEW, NULL);
  applied(v, &retire, first);
  restored(v, guid);
  km_step stale = fake_step(v, B "_" OLD, B "_" NEW); /* made for the GUID that was */
  assert_int_equal(apply_steps(v, &stale, 1, &outcome, NULL, &error), KM_MISUSE);
  assert_int_equal(km_undo(target, first, NULL, &outcome, NULL, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, guid));
  const km_step now = fake_step(v, A "_" OLD, NULL);
  applied(v, &now, last);
  assert_int_equal(km_undo(target, guid, NULL, &outcome, NULL, &error), KM_REFUSED);
  assert_non_null(strstr(error.message, last));
  assert_int_equal(km_undo(target, last, NULL, &outcome, NULL, &error), KM_OK);
  assert_int_equal(km_undo(target, guid, NULL, &outcome, NULL, &error), KM_OK);
  assert_int_equal(km_undo(target, first, NULL, &outcome, NULL, &error), KM_OK);
  assert_string_equal(fake_guid(v), NEW);
  assert_true(fake_has(v, FAKE_STORE, A "_" NEW));
  fake_free(v);
}

/* ---- the journal ---- */

static km_status parse_with(const char *before, const char *after, bool file) {
  char *none[] = {NULL};
  km_entry entry = {.container = "c", .reason = "r", .before = A "_" NEW};
  km_journal journal = {.begun = 1,
                        .made_by = "m",
                        .store = "s",
                        .machine_guid = NEW,
                        .policies = "",
                        .overrides = "",
                        .guid_before = (char *)(uintptr_t)before,
                        .guid_after = (char *)(uintptr_t)after,
                        .entries = &entry,
                        .entry_count = file,
                        .stop = none,
                        .start = none};
  km_journal again;
  uint8_t *data = NULL;
  size_t size = 0;
  memset(entry.sha256, 'a', sizeof entry.sha256 - 1);
  assert_int_equal(km_journal_encode(&journal, &data, &size, NULL), KM_OK);
  km_status status = km_journal_parse(data, size, &again, NULL);
  if (status == KM_OK) {
    assert_string_equal(again.guid_before, before);
    assert_string_equal(again.guid_after, after);
  }
  km_journal_clear(&again);
  free(data);
  return status;
}

/* A journal may be made to harm: nothing but a GUID can be written through it. */
static void test_hostile_journal(void **state) {
  (void)state;
  assert_int_equal(parse_with(NEW, OLD, false), KM_OK);
  assert_int_equal(parse_with(UPPER, OLD, false), KM_OK);
  assert_int_equal(parse_with(NEW, OLD, true), KM_DAMAGED);
  assert_int_equal(parse_with(NEW, NEW, false), KM_DAMAGED);
  assert_int_equal(parse_with(NEW, UPPER, false), KM_DAMAGED);
  assert_int_equal(parse_with("{" NEW "}", OLD, false), KM_DAMAGED);
  assert_int_equal(parse_with(NEW, "", false), KM_DAMAGED);
  assert_int_equal(parse_with(NEW, OLD "0", false), KM_DAMAGED);
  assert_int_equal(parse_with(NEW, "2ef9f45e-4dc2-48b1-9d10-86f5079e23fg", false), KM_DAMAGED);
  assert_int_equal(parse_with(NEW, "C:\\Windows", false), KM_DAMAGED);
}

int test_guid(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_apply_and_undo),  cmocka_unit_test(test_crashes),
      cmocka_unit_test(test_faults),          cmocka_unit_test(test_plans),
      cmocka_unit_test(test_refused),         cmocka_unit_test(test_neither_before_commit),
      cmocka_unit_test(test_parted),          cmocka_unit_test(test_neither_behind_commit),
      cmocka_unit_test(test_undo_refused),    cmocka_unit_test(test_order),
      cmocka_unit_test(test_hostile_journal),
  };
  return cmocka_run_group_tests_name("guid", tests, NULL, NULL);
}
