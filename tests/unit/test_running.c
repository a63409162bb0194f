/* test_running.c: services of a running Windows during apply, undo and recover: order, what runs again, what fails,
 * and every crash */
#include "fake_backend.h"
#include "transaction.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "c2319c42033a5ca7f44e731bfd3fa2b5"
#define GUID "767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define NEW HASH "_" GUID
#define OLD HASH "_2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"

enum { AUTOMATIC = 2, MANUAL = 3, DISABLED = 4 };

/* ---- the KB's case on a running Windows ---- */

/* Dependents first: what a plan has. Not known to Windows: GONE. */
static const char *const stop_list[] = {"W3SVC", "MSFTPSVC", "CcmExec",  "SMTPSVC",
                                        "GONE",  "NntpSvc",  "IISADMIN", NULL};
static const char *const start_list[] = {"IISADMIN", "SMTPSVC", "W3SVC", NULL};

static fake_volume *make_volume(void) {
  fake_volume *v = fake_new();
  km_target *target = fake_target(v);
  target->info.machine_guid = GUID;
  target->info.guid_form = KM_GUID_PLAIN;
  snprintf(target->info.guid, sizeof target->info.guid, "%s", GUID);
  fake_put(v, FAKE_STORE, NEW, "regenerated", 126000000000000000);
  fake_put(v, FAKE_STORE, OLD, "the old key", 125000000000000000);
  fake_add_service(v, "W3SVC", true, AUTOMATIC);
  fake_add_service(v, "MSFTPSVC", true, DISABLED);
  fake_add_service(v, "CcmExec", true, MANUAL);
  fake_add_service(v, "SMTPSVC", false, AUTOMATIC);
  fake_add_service(v, "NntpSvc", false, MANUAL);
  fake_add_service(v, "IISADMIN", true, AUTOMATIC);
  fake_restart(v);
  return v;
}

/* What the callbacks were told. */
typedef struct told {
  char progress[8192];
  char results[4096]; /* "stop W3SVC ok 0", the number is the exit code */
  volatile int interrupted;
} told;

static void on_progress(void *user, const char *stage, const char *text) {
  told *t = user;
  size_t used = strlen(t->progress);
  snprintf(t->progress + used, sizeof t->progress - used, "%s: %s\n", stage, text);
}

static void on_service(void *user, const km_service_result *result) {
  told *t = user;
  size_t used = strlen(t->results);
  assert_int_equal(result->status == KM_OK, result->message[0] == '\0');
  snprintf(t->results + used, sizeof t->results - used, "%s %s %s %u\n",
           result->start ? "start" : "stop", result->name, km_status_id(result->status),
           (unsigned)result->now.exit_code);
}

static km_txn_options options_of(told *t) {
  memset(t, 0, sizeof *t);
  return (km_txn_options){on_progress, on_service, t, &t->interrupted};
}

static km_status apply_lists(fake_volume *v, const char *const *stop, const char *const *start,
                             told *t, km_outcome *outcome, km_txn **txn, km_error *error) {
  const km_step steps[] = {fake_step(v, NEW, NULL), fake_step(v, OLD, NEW)};
  const km_plan plan = {.machine_guid = GUID,
                        .key_store = fake_target(v)->info.key_store,
                        .policies = "iis5",
                        .overrides = "",
                        .steps = steps,
                        .step_count = COUNT_OF(steps),
                        .stop = stop,
                        .start = start};
  const km_txn_options options = options_of(t);
  for (size_t i = 0; stop[i] != NULL; i++) { /* scripted services reach into this run's flag */
    fake_service *s = fake_find_service(v, stop[i]);
    if (s != NULL && s->interrupts != NULL)
      s->interrupts = &t->interrupted;
  }
  memset(error, 0, sizeof *error);
  return km_apply(fake_target(v), &plan, &options, outcome, txn, error);
}

static km_status apply(fake_volume *v, told *t, km_outcome *outcome, km_error *error) {
  return apply_lists(v, stop_list, start_list, t, outcome, NULL, error);
}

static void applied(fake_volume *v, told *t) {
  km_outcome outcome;
  km_error error;
  if (apply(v, t, &outcome, &error) != KM_OK)
    fail_msg("%s", error.message);
  assert_int_equal(outcome, KM_DONE);
}

/* The id of the newest transaction. */
static void newest(fake_volume *v, char id[KM_TXN_ID]) {
  km_history *history = NULL;
  assert_int_equal(km_history_read(fake_target(v), &history, NULL), KM_OK);
  assert_true(history->count > 0);
  snprintf(id, KM_TXN_ID, "%s", history->txns[history->count - 1]->id);
  km_history_free(history);
}

/* The lines of the log that begin with "stop " or "start ", as one text. */
static const char *service_lines(fake_volume *v, char text[4096]) {
  size_t used = 0;
  text[0] = '\0';
  for (const char *line = fake_log(v); *line != '\0';) {
    size_t length = strcspn(line, "\n") + 1;
    if (strncmp(line, "stop ", 5) == 0 || strncmp(line, "start ", 6) == 0) {
      memcpy(text + used, line, length);
      used += length;
      text[used] = '\0';
    }
    line += length;
  }
  return text;
}

static void assert_services(fake_volume *v, const char *expected) {
  char lines[4096];
  assert_string_equal(service_lines(v, lines), expected);
}

static void assert_told(const char *text, const char *part) {
  if (strstr(text, part) == NULL)
    fail_msg("\"%s\" was not told, but:\n%s", part, text);
}

/* Where `text` stands in the log; its last place with `last`. */
static size_t place(fake_volume *v, const char *text, bool last) {
  const char *at = strstr(fake_log(v), text);
  if (at == NULL)
    fail_msg("\"%s\" was not done, but:\n%s", text, fake_log(v));
  for (const char *next = at; last && next != NULL; next = strstr(at + 1, text))
    at = next;
  return (size_t)(at - fake_log(v));
}

static bool running(fake_volume *v, const char *name) {
  return fake_find_service(v, name)->runs;
}

/* ---- apply ---- */

static void test_apply_order(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  km_txn *txn = NULL;
  fake_volume *v = make_volume();
  assert_int_equal(apply_lists(v, stop_list, start_list, &t, &outcome, &txn, &error), KM_OK);
  assert_int_equal(outcome, KM_DONE);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\nstop IISADMIN\n"
                     "start IISADMIN\nstart SMTPSVC\nstart CcmExec\nstart W3SVC\n");
  assert_string_equal(t.results, "stop W3SVC ok 0\nstop MSFTPSVC ok 0\nstop CcmExec ok 0\n"
                                 "stop IISADMIN ok 0\nstart IISADMIN ok 0\nstart SMTPSVC ok 0\n"
                                 "start CcmExec ok 0\nstart W3SVC ok 0\n");
  /* Copies before the first stop; every stop before the swap; the commit before the first start. */
  assert_true(place(v, "1.copy", true) < place(v, "stop W3SVC", false));
  assert_true(place(v, "stop IISADMIN", false) < place(v, "0.link", false));
  assert_true(place(v, "report 1", false) < place(v, "start IISADMIN", false));
  assert_true(place(v, "start W3SVC", false) < place(v, "write journal", true));
  static const char *const started[] = {"IISADMIN", "SMTPSVC", "CcmExec", "W3SVC", NULL};
  for (size_t i = 0; started[i] != NULL; i++)
    assert_string_equal(txn->start[i], started[i]);
  assert_null(txn->start[4]);
  assert_told(t.progress, "MSFTPSVC: it is disabled, so it cannot be started again");
  assert_told(t.progress, "GONE: Windows knows no such service");
  assert_told(t.progress, "wait: waiting");
  assert_false(running(v, "MSFTPSVC"));
  assert_false(running(v, "NntpSvc"));
  km_txn_free(txn);
  fake_free(v);
}

/* A service of the start list alone comes before what follows it there. */
static void test_start_alone(void **state) {
  (void)state;
  static const char *const stop[] = {"W3SVC", "IISADMIN", NULL};
  static const char *const start[] = {"IISADMIN", "SMTPSVC", "NntpSvc", "W3SVC", NULL};
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  fake_find_service(v, "NntpSvc")->runs = true; /* and so is not touched */
  assert_int_equal(apply_lists(v, stop, start, &t, &outcome, NULL, &error), KM_OK);
  assert_services(v, "stop W3SVC\nstop IISADMIN\nstart IISADMIN\nstart SMTPSVC\nstart W3SVC\n");
  assert_told(t.progress, "start: NntpSvc: running already");
  fake_free(v);
}

static void start_nntp(fake_volume *v, const char *operation, void *user) {
  int *calls = user;
  (void)operation;
  if (++*calls == 1)
    fake_find_service(v, "NntpSvc")->runs = true;
}

/* One that somebody starts behind the begin record is stopped with the others, and so runs again afterwards. */
static void test_started_meanwhile(void **state) {
  (void)state;
  told t;
  int calls = 0;
  fake_volume *v = make_volume();
  fake_faults(v)->meddle = start_nntp;
  fake_faults(v)->meddle_user = &calls;
  applied(v, &t);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\nstop NntpSvc\nstop IISADMIN\n"
                     "start IISADMIN\nstart SMTPSVC\nstart CcmExec\nstart W3SVC\n"
                     "start NntpSvc\n");
  assert_true(running(v, "NntpSvc"));
  assert_false(running(v, "MSFTPSVC"));
  fake_free(v);
}

/* --no-services: both lists empty. */
static void test_no_services(void **state) {
  (void)state;
  static const char *const none[] = {NULL};
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  assert_int_equal(apply_lists(v, none, none, &t, &outcome, NULL, &error), KM_OK);
  assert_services(v, "");
  assert_string_equal(t.results, "");
  fake_free(v);
}

static void test_rights(void **state) {
  (void)state;
  told t;
  char id[KM_TXN_ID];
  size_t count;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  fake_set_rights(v, "no administrator");
  assert_int_equal(apply(v, &t, &outcome, &error), KM_ACCESS);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_string_equal(error.message, "no administrator");
  assert_int_equal(fake_operations(v), 0);
  fake_set_rights(v, NULL);
  applied(v, &t);
  newest(v, id);
  fake_restart(v);
  fake_set_rights(v, "no administrator");
  assert_int_equal(km_undo(fake_target(v), id, NULL, &outcome, NULL, &error), KM_ACCESS);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_ACCESS);
  assert_int_equal(km_purge(fake_target(v), id, &error), KM_ACCESS);
  assert_int_equal(fake_operations(v), 0);
  assert_int_equal(km_service_query(fake_target(v), "GONE", &(km_service_status){0}, &error),
                   KM_NOT_FOUND);
  fake_free(v);
}

static void test_takes_no_stop(void **state) {
  (void)state;
  told t;
  fake_volume *v = make_volume();
  fake_find_service(v, "CcmExec")->stop_status = KM_UNSUPPORTED;
  applied(v, &t);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\nstop IISADMIN\n"
                     "start IISADMIN\nstart SMTPSVC\nstart W3SVC\n");
  assert_told(t.results, "stop CcmExec unsupported 0\n");
  assert_told(t.progress, "until Windows is restarted");
  assert_true(running(v, "CcmExec"));
  fake_free(v);
}

/* A stop that fails: all is as before, and what was stopped runs again, the one that did not stop in time included. */
static void test_stop_fails(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  char *before = fake_snapshot(v);
  fake_find_service(v, "CcmExec")->stop_status = KM_BUSY;
  assert_int_equal(apply(v, &t, &outcome, &error), KM_BUSY);
  assert_int_equal(outcome, KM_ROLLED_BACK);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\n"
                     "start CcmExec\nstart MSFTPSVC\nstart W3SVC\n");
  assert_told(t.results, "stop CcmExec busy 0\n");
  assert_true(place(v, "report 4", false) > place(v, "start W3SVC", false));
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  assert_true(running(v, "W3SVC") && running(v, "MSFTPSVC") && running(v, "IISADMIN"));
  free(now);
  free(before);
  fake_free(v);
}

/* A start that fails after the commit is told with its code; the change stands and the others start. */
static void test_start_fails(void **state) {
  (void)state;
  told t;
  fake_volume *v = make_volume();
  fake_service *s = fake_find_service(v, "IISADMIN");
  s->start_status = KM_IO;
  s->exit_code = 1008;
  applied(v, &t);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\nstop IISADMIN\n"
                     "start IISADMIN\nstart SMTPSVC\nstart CcmExec\nstart W3SVC\n");
  assert_told(t.results, "start IISADMIN io 1008\n");
  assert_told(t.progress, "start: start IISADMIN: ordered");
  fake_free(v);
}

static void test_interrupted(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  volatile int armed = 0;
  fake_find_service(v, "CcmExec")->interrupts = &armed;
  char *before = fake_snapshot(v);
  assert_int_equal(apply(v, &t, &outcome, &error), KM_INTERRUPTED);
  assert_int_equal(outcome, KM_ROLLED_BACK);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\n"
                     "start CcmExec\nstart MSFTPSVC\nstart W3SVC\n");
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  free(now);
  free(before);
  fake_free(v);
}

/* A fault in the middle of the swap: back, and what was stopped runs again. */
static void test_swap_fails(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  applied(v, &t);
  unsigned total = fake_operations(v);
  fake_free(v);
  unsigned rolled_back = 0;
  for (unsigned at = 1; at <= total; at++) {
    v = make_volume();
    fake_faults(v)->fail_at = at;
    fake_faults(v)->fail_status = KM_IO;
    km_status status = apply(v, &t, &outcome, &error);
    if (status != KM_OK && outcome == KM_ROLLED_BACK) {
      rolled_back++;
      if (!running(v, "W3SVC") || !running(v, "IISADMIN") || !running(v, "CcmExec"))
        fail_msg("operation %u: not all that ran runs:\n%s", at, fake_log(v));
    }
    fake_free(v);
  }
  assert_true(rolled_back > 5);
}

/* A Windows that does not run: its services' states cannot be asked. */
static void test_query_offline(void **state) {
  (void)state;
  km_service_status now;
  km_error error;
  fake_volume *v = fake_new();
  assert_int_equal(km_service_query(fake_target(v), "W3SVC", &now, &error), KM_UNSUPPORTED);
  assert_int_equal(now.state, 0);
  assert_int_equal(km_service_query(fake_target(v), NULL, &now, &error), KM_MISUSE);
  fake_free(v);
}

/* ---- undo ---- */

static void test_undo(void **state) {
  (void)state;
  told t;
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  char *before = fake_snapshot(v);
  applied(v, &t);
  newest(v, id);
  /* Meanwhile: one was stopped by hand, one started. */
  fake_find_service(v, "CcmExec")->runs = false;
  fake_find_service(v, "NntpSvc")->runs = true;
  fake_restart(v);
  km_txn_options options = options_of(&t);
  assert_int_equal(km_undo(fake_target(v), id, &options, &outcome, NULL, &error), KM_OK);
  assert_int_equal(outcome, KM_DONE);
  assert_services(v, "stop W3SVC\nstop SMTPSVC\nstop NntpSvc\nstop IISADMIN\n"
                     "start IISADMIN\nstart NntpSvc\nstart SMTPSVC\nstart W3SVC\n");
  assert_true(place(v, "report 2", false) < place(v, "start IISADMIN", false));
  assert_false(running(v, "CcmExec"));
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  free(now);
  free(before);
  fake_free(v);
}

static void test_undo_fails(void **state) {
  (void)state;
  told t;
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  applied(v, &t);
  newest(v, id);
  char *after = fake_snapshot(v);
  fake_restart(v);
  fake_find_service(v, "IISADMIN")->stop_status = KM_BUSY;
  km_txn_options options = options_of(&t);
  assert_int_equal(km_undo(fake_target(v), id, &options, &outcome, NULL, &error), KM_BUSY);
  assert_int_equal(outcome, KM_ROLLED_BACK);
  assert_services(v, "stop W3SVC\nstop CcmExec\nstop SMTPSVC\nstop IISADMIN\n"
                     "start IISADMIN\nstart SMTPSVC\nstart CcmExec\nstart W3SVC\n");
  char *now = fake_snapshot(v);
  assert_string_equal(now, after);
  free(now);
  free(after);
  fake_free(v);
}

/* What was applied offline and is undone on the running Windows: its start list ran since the boot. */
static void test_undo_of_offline(void **state) {
  (void)state;
  told t;
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  const km_backend *live = fake_target(v)->backend;
  km_backend offline = *live;
  offline.service_query = NULL;
  offline.service_stop = NULL;
  offline.service_start = NULL;
  fake_target(v)->backend = &offline;
  applied(v, &t);
  assert_services(v, "");
  assert_told(t.progress, "start: W3SVC: deferred until the next boot of this Windows");
  newest(v, id);
  fake_target(v)->backend = live;
  fake_restart(v);
  km_txn_options options = options_of(&t);
  assert_int_equal(km_undo(fake_target(v), id, &options, &outcome, NULL, &error), KM_OK);
  assert_services(v, "stop W3SVC\nstop MSFTPSVC\nstop CcmExec\nstop IISADMIN\n"
                     "start IISADMIN\nstart CcmExec\nstart MSFTPSVC\nstart W3SVC\n");
  fake_free(v);
}

/* ---- a journal that another process keeps closed for a while ---- */

static km_status busy_read(km_folder *folder, const char *name, size_t max, uint8_t **data,
                           /* NOLINTNEXTLINE(readability-non-const-parameter): the backend's type */
                           size_t *size, km_file_info *info, km_error *error) {
  if (strcmp(name, "journal") == 0)
    return km_fail(error, KM_BUSY, 32, "read journal: in use; try again");
  fail_msg("%s was read", name);
  (void)folder, (void)max, (void)data, (void)size, (void)info;
  return KM_IO;
}

/* Nothing is wrong with it: nobody is told to move its folder away. */
static void test_journal_in_use(void **state) {
  (void)state;
  told t;
  size_t count;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  fake_faults(v)->die_at = 12;
  apply(v, &t, &outcome, &error);
  fake_restart(v);
  const km_backend *live = fake_target(v)->backend;
  km_backend busy = *live;
  busy.file_read = busy_read;
  fake_target(v)->backend = &busy;
  assert_int_equal(apply(v, &t, &outcome, &error), KM_BUSY);
  assert_int_equal(outcome, KM_UNTOUCHED);
  assert_null(strstr(error.message, "move"));
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_BUSY);
  assert_int_equal(outcome, KM_ATTENTION);
  assert_null(strstr(error.message, "move"));
  km_history *history = NULL;
  assert_int_equal(km_history_read(fake_target(v), &history, &error), KM_OK);
  assert_int_equal(history->count, 1);
  assert_int_equal(history->txns[0]->state, KM_TXN_UNREADABLE);
  assert_int_equal(history->txns[0]->problem_status, KM_BUSY);
  km_history_free(history);
  fake_target(v)->backend = live;
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
  assert_int_equal(count, 1);
  fake_free(v);
}

/* ---- recover after a power cut: Windows was booted and runs services ---- */

static void boot(fake_volume *v) {
  fake_restart(v);
  for (size_t i = 0; stop_list[i] != NULL; i++) {
    fake_service *s = fake_find_service(v, stop_list[i]);
    if (s != NULL)
      s->runs = s->start == AUTOMATIC;
  }
}

/* While a name changes no service runs that takes a stop. */
static void none_runs(fake_volume *v, const char *operation, void *user) {
  (void)user;
  if (strncmp(operation, "rename ", 7) != 0 && strncmp(operation, "remove " HASH, 7 + 32) != 0)
    return;
  for (size_t i = 0; stop_list[i] != NULL; i++) {
    const fake_service *s = fake_find_service(v, stop_list[i]);
    if (s != NULL && s->runs && s->stop_status == KM_OK)
      fail_msg("%s: %s runs:\n%s", operation, s->name, fake_log(v));
  }
}

static km_status recover(fake_volume *v, told *t, km_outcome *outcome, km_error *error) {
  size_t count;
  const km_txn_options options = options_of(t);
  fake_faults(v)->meddle = none_runs;
  memset(error, 0, sizeof *error);
  return km_recover(fake_target(v), &options, &count, outcome, error);
}

/* A volume whose apply was cut off right before the first operation that begins with `operation`, and booted. */
static fake_volume *cut_at(const char *operation) {
  told t;
  km_outcome outcome;
  km_error error;
  for (unsigned at = 1; at < 1000; at++) {
    fake_volume *v = make_volume();
    fake_faults(v)->die_at = at;
    apply(v, &t, &outcome, &error);
    if (strncmp(fake_last_operation(v), operation, strlen(operation)) == 0) {
      boot(v);
      return v;
    }
    fake_free(v);
  }
  fail_msg("no operation %s", operation);
  return NULL;
}

/* Cut off in the middle of the swap: OLD's name has fallen free. */
static fake_volume *cut_halfway(void) {
  told t;
  km_outcome outcome;
  km_error error;
  for (unsigned at = 1; at < 1000; at++) {
    fake_volume *v = make_volume();
    fake_faults(v)->die_at = at;
    apply(v, &t, &outcome, &error);
    if (!fake_has(v, FAKE_STORE, OLD)) {
      boot(v);
      return v;
    }
    fake_free(v);
  }
  fail_msg("no swap");
  return NULL;
}

static void test_recover_stops(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  char *before = fake_snapshot(v);
  fake_free(v);
  v = cut_halfway();
  assert_int_equal(recover(v, &t, &outcome, &error), KM_OK);
  assert_int_equal(outcome, KM_DONE);
  assert_services(v, "stop W3SVC\nstop SMTPSVC\nstop IISADMIN\n"
                     "start IISADMIN\nstart CcmExec\nstart MSFTPSVC\nstart W3SVC\nstart SMTPSVC\n");
  assert_true(place(v, "start SMTPSVC", false) < place(v, "write journal", true));
  assert_string_equal(t.results, "stop W3SVC ok 0\nstop SMTPSVC ok 0\nstop IISADMIN ok 0\n"
                                 "start IISADMIN ok 0\nstart CcmExec ok 0\nstart MSFTPSVC ok 0\n"
                                 "start W3SVC ok 0\nstart SMTPSVC ok 0\n");
  char *now = fake_snapshot(v);
  assert_string_equal(now, before);
  free(now);
  free(before);
  fake_free(v);
}

static void test_recover_takes_no_stop(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = cut_halfway();
  fake_find_service(v, "SMTPSVC")->stop_status = KM_UNSUPPORTED;
  assert_int_equal(recover(v, &t, &outcome, &error), KM_OK);
  assert_services(v, "stop W3SVC\nstop SMTPSVC\nstop IISADMIN\n"
                     "start IISADMIN\nstart CcmExec\nstart MSFTPSVC\nstart W3SVC\n");
  assert_told(t.results, "stop SMTPSVC unsupported 0\n");
  assert_told(t.progress, "until Windows is restarted");
  assert_true(fake_has(v, FAKE_STORE, OLD));
  fake_free(v);
}

/* Nothing is moved then, what was stopped runs again, and the next recover does it. */
static void test_recover_stop_fails(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  fake_volume *v = cut_halfway();
  char *halfway = fake_snapshot(v);
  fake_find_service(v, "IISADMIN")->stop_status = KM_BUSY;
  assert_int_equal(recover(v, &t, &outcome, &error), KM_BUSY);
  assert_int_equal(outcome, KM_ATTENTION);
  assert_services(v, "stop W3SVC\nstop SMTPSVC\nstop IISADMIN\n"
                     "start IISADMIN\nstart SMTPSVC\nstart W3SVC\n");
  assert_told(t.results, "stop IISADMIN busy 0\n");
  assert_told(error.message, "recover moved nothing");
  assert_told(error.message, "IISADMIN");
  assert_told(fake_log(v), "report 5");
  char *now = fake_snapshot(v);
  assert_string_equal(now, halfway);
  free(now);
  free(halfway);
  fake_find_service(v, "IISADMIN")->stop_status = KM_OK;
  fake_restart(v);
  assert_int_equal(recover(v, &t, &outcome, &error), KM_OK);
  assert_true(fake_has(v, FAKE_STORE, OLD));
  assert_true(running(v, "IISADMIN") && running(v, "CcmExec") && running(v, "SMTPSVC"));
  fake_free(v);
}

/* Before anything was moved, recover can be interrupted. */
static void test_recover_interrupted(void **state) {
  (void)state;
  told t;
  size_t count;
  km_outcome outcome;
  km_error error;
  fake_volume *v = cut_halfway();
  char *halfway = fake_snapshot(v);
  const km_txn_options options = options_of(&t);
  fake_find_service(v, "SMTPSVC")->interrupts = &t.interrupted;
  assert_int_equal(km_recover(fake_target(v), &options, &count, &outcome, &error), KM_INTERRUPTED);
  assert_int_equal(outcome, KM_ATTENTION);
  assert_services(v, "stop W3SVC\nstop SMTPSVC\nstart SMTPSVC\nstart W3SVC\n");
  assert_told(error.message, "recover moved nothing; run it again");
  char *now = fake_snapshot(v);
  assert_string_equal(now, halfway);
  free(now);
  free(halfway);
  fake_free(v);
}

/* Where every file stands on its side already nothing is stopped, nor for what a service made since. */
static void test_recover_in_place(void **state) {
  (void)state;
  told t;
  km_outcome outcome;
  km_error error;
  static const char *const cut[] = {"create 0.copy", "stop IISADMIN", "link 0.link"};
  for (size_t i = 0; i < COUNT_OF(cut); i++) {
    fake_volume *v = cut_at(cut[i]);
    assert_int_equal(recover(v, &t, &outcome, &error), KM_OK);
    assert_null(strstr(t.results, "stop"));
    assert_services(v, "start CcmExec\nstart MSFTPSVC\n");
    fake_free(v);
  }
  for (int renewed = 0; renewed < 2; renewed++) {
    fake_volume *v = cut_at("start IISADMIN");
    if (renewed) {
      fake_drop(v, FAKE_STORE, NEW);
      fake_put(v, FAKE_STORE, NEW, "renewed since", 127000000000000000);
    }
    assert_int_equal(recover(v, &t, &outcome, &error), KM_OK);
    assert_services(v, "start CcmExec\n");
    assert_true(!renewed || strstr(t.progress, "something later: it stays") != NULL);
    fake_free(v);
  }
}

/* ---- every crash ---- */

static void recovered(fake_volume *v, bool booted, unsigned point) {
  told t;
  size_t count;
  km_outcome outcome;
  km_error error;
  (booted ? boot : fake_restart)(v);
  if (recover(v, &t, &outcome, &error) != KM_OK)
    fail_msg("point %u: recover: %s", point, error.message);
  const char *const ran[] = {"W3SVC", "IISADMIN", booted ? "SMTPSVC" : "CcmExec"};
  for (size_t i = 0; i < COUNT_OF(ran); i++)
    if (!running(v, ran[i]))
      fail_msg("point %u: %s does not run after recover:\n%s", point, ran[i], fake_log(v));
  fake_restart(v);
  assert_int_equal(km_recover(fake_target(v), NULL, &count, &outcome, &error), KM_OK);
  assert_int_equal(fake_operations(v), 0);
}

/* Dies at operation `first` of apply or undo and, unless 0, at `second` of the recover behind it; `booted`: with the
 * machine each time, else keymend alone; false: there are no such operations. What ran before runs after the last
 * recover, and what did not run and was not asked for does not. */
static bool crash_point(bool undo, bool booted, unsigned first, unsigned second) {
  told t;
  char id[KM_TXN_ID];
  km_outcome outcome;
  km_error error;
  fake_volume *v = make_volume();
  if (undo) {
    applied(v, &t);
    newest(v, id);
    fake_restart(v);
  }
  fake_faults(v)->die_at = first;
  if (undo)
    km_undo(fake_target(v), id, NULL, &outcome, NULL, &error);
  else
    apply(v, &t, &outcome, &error);
  bool reached = fake_operations(v) >= first;
  if (reached && second > 0) {
    (booted ? boot : fake_restart)(v);
    fake_faults(v)->die_at = second;
    recover(v, &t, &outcome, &error);
    reached = fake_operations(v) >= second;
  }
  if (reached)
    recovered(v, booted, first * 1000 + second);
  assert_false(running(v, "NntpSvc"));
  fake_free(v);
  return reached;
}

static void crash_everywhere(bool undo, bool booted) {
  unsigned points = 0;
  for (unsigned first = 1; crash_point(undo, booted, first, 0); first++) {
    points++;
    for (unsigned second = 1; crash_point(undo, booted, first, second); second++)
      points++;
  }
  print_message("%s%s: %u crash points\n", undo ? "undo" : "apply", booted ? ", booted" : "",
                points);
  assert_true(points > 100);
}

static void test_crash_apply(void **state) {
  (void)state;
  crash_everywhere(false, false);
  crash_everywhere(false, true);
}

static void test_crash_undo(void **state) {
  (void)state;
  crash_everywhere(true, false);
  crash_everywhere(true, true);
}

/* A recover before the commit starts only what had run, not what the plan would have started. */
static void test_recover_back(void **state) {
  (void)state;
  told t;
  size_t count;
  km_outcome outcome;
  km_error error;
  fake_volume *v;
  for (unsigned at = 1;; at++) { /* until it is the last stop that does not happen */
    v = make_volume();
    fake_faults(v)->die_at = at;
    apply(v, &t, &outcome, &error);
    if (strcmp(fake_last_operation(v), "stop IISADMIN") == 0)
      break;
    fake_free(v);
  }
  assert_false(running(v, "W3SVC"));
  fake_restart(v);
  km_txn_options options = options_of(&t);
  assert_int_equal(km_recover(fake_target(v), &options, &count, &outcome, &error), KM_OK);
  assert_int_equal(count, 1);
  assert_services(v, "start CcmExec\nstart MSFTPSVC\nstart W3SVC\n");
  assert_told(t.progress, "start: IISADMIN: running already");
  assert_told(fake_log(v), "report 3");
  assert_false(running(v, "SMTPSVC"));
  fake_free(v);
}

int test_running(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_apply_order),
      cmocka_unit_test(test_start_alone),
      cmocka_unit_test(test_started_meanwhile),
      cmocka_unit_test(test_no_services),
      cmocka_unit_test(test_rights),
      cmocka_unit_test(test_takes_no_stop),
      cmocka_unit_test(test_stop_fails),
      cmocka_unit_test(test_start_fails),
      cmocka_unit_test(test_interrupted),
      cmocka_unit_test(test_swap_fails),
      cmocka_unit_test(test_query_offline),
      cmocka_unit_test(test_undo),
      cmocka_unit_test(test_undo_fails),
      cmocka_unit_test(test_undo_of_offline),
      cmocka_unit_test(test_journal_in_use),
      cmocka_unit_test(test_recover_stops),
      cmocka_unit_test(test_recover_takes_no_stop),
      cmocka_unit_test(test_recover_stop_fails),
      cmocka_unit_test(test_recover_interrupted),
      cmocka_unit_test(test_recover_in_place),
      cmocka_unit_test(test_crash_apply),
      cmocka_unit_test(test_crash_undo),
      cmocka_unit_test(test_recover_back),
  };
  return cmocka_run_group_tests_name("running", tests, NULL, NULL);
}
