/* running.c: stops and starts the services of a running Windows for a transaction
 *
 * Where the backend reaches no services (offline) every stop and start is deferred to the next boot.
 */
#include "services.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>

enum { STOPPED = 1, STOP_PENDING = 3 }; /* km_service_status.state */
#define DISABLED 4                      /* km_service_status.start */

km_status km_service_query(km_target *target, const char *name, km_service_status *out,
                           km_error *error) {
  if (target == NULL || name == NULL || out == NULL)
    return km_fail(error, KM_MISUSE, 0, "service query: an argument is missing");
  memset(out, 0, sizeof *out);
  out->start = -1;
  if (target->backend->service_query == NULL)
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "service %s: whether it runs can be asked of a running Windows only", name);
  return target->backend->service_query(target, name, out, error);
}

static bool runs(const km_service_status *status) {
  return status->state > STOPPED && status->state != STOP_PENDING;
}

static size_t count_names(char *const *names) {
  size_t count = 0;
  while (names != NULL && names[count] != NULL)
    count++;
  return count;
}

static size_t index_of(char *const *names, size_t count, const char *name) {
  size_t i = 0;
  while (i < count && km_services_compare(names[i], name) != 0)
    i++;
  return i;
}

/* ---- What runs when a transaction begins ---- */

/* One service of the stop list, as it was found. */
typedef struct found {
  bool exists, runs, disabled;
} found;

static km_status ask(km_hold *hold, const char *name, found *out, km_error *error) {
  km_service_status now = {.start = -1};
  memset(out, 0, sizeof *out);
  km_status status = hold->backend->service_query(hold->target, name, &now, error);
  if (status == KM_NOT_FOUND) {
    km_progress(hold, "check", "%s: Windows knows no such service, so it is left out", name);
    return KM_OK;
  }
  if (status != KM_OK) {
    km_error_prefix(error, "the services (--no-services leaves them alone)");
    return status;
  }
  *out = (found){true, runs(&now), now.start == DISABLED};
  return KM_OK;
}

/* The lists that a transaction's begin record gets. */
typedef struct lists {
  char **ran, **start;
  size_t ran_count, start_count;
  bool failed; /* out of memory */
} lists;

static void add(lists *to, char **list, size_t *count, const char *name) {
  list[*count] = km_copy_text(name);
  if (list[*count] != NULL)
    ++*count;
  else
    to->failed = true;
}

static void take_up(km_hold *hold, lists *out, const char *name, const found *is, bool automatic) {
  if (is->runs)
    add(out, out->ran, &out->ran_count, name);
  if (is->exists && !is->disabled && (is->runs || automatic))
    add(out, out->start, &out->start_count, name);
  else if (is->runs)
    km_progress(hold, "check", "%s: it is disabled, so it cannot be started again", name);
}

/* Fills the lists in the order to start: the stop list reversed, the start list's own names before what may need
 * them. */
static km_status fill(km_hold *hold, const km_journal *journal, const found *known, lists *out,
                      km_error *error) {
  char *const *start = journal->start;
  size_t at = count_names(journal->stop), stops = at, starts = count_names(start);
  for (size_t i = 0; i <= starts; i++) {
    size_t until = i < starts ? index_of(journal->stop, stops, start[i]) : 0;
    if (i < starts && until == stops) {
      found alone;
      km_status status = ask(hold, start[i], &alone, error);
      if (status != KM_OK)
        return status;
      alone.runs = false; /* it is not stopped */
      take_up(hold, out, start[i], &alone, true);
      continue;
    }
    while (at > until) {
      --at;
      take_up(hold, out, journal->stop[at], &known[at],
              index_of(start, starts, journal->stop[at]) < starts);
    }
  }
  return out->failed ? km_fail(error, KM_MEMORY, 0, "the services: out of memory") : KM_OK;
}

km_status km_services_note(km_hold *hold, km_journal *journal, km_error *error) {
  if (hold->backend->service_query == NULL)
    return KM_OK;
  size_t stops = count_names(journal->stop), starts = count_names(journal->start);
  found *known = calloc(stops + 1, sizeof *known);
  lists made = {.ran = calloc(stops + 1, sizeof *made.ran),
                .start = calloc(stops + starts + 1, sizeof *made.start)};
  km_status status = known != NULL && made.ran != NULL && made.start != NULL
                         ? KM_OK
                         : km_fail(error, KM_MEMORY, 0, "the services: out of memory");
  for (size_t i = 0; status == KM_OK && i < stops; i++)
    status = ask(hold, journal->stop[i], &known[i], error);
  if (status == KM_OK)
    status = fill(hold, journal, known, &made, error);
  free(known);
  if (status == KM_OK && made.start_count > KM_MAX_JOURNAL_SERVICES)
    status = km_fail(error, KM_LIMIT, 0, "the services: %zu are to be started, %d at most can be",
                     made.start_count, KM_MAX_JOURNAL_SERVICES);
  if (status != KM_OK) {
    km_free_texts(made.ran);
    km_free_texts(made.start);
    return status;
  }
  km_free_texts(journal->ran);
  km_free_texts(journal->start);
  journal->ran = made.ran;
  journal->start = made.start;
  return KM_OK;
}

/* ---- Stopping ---- */

static void tell_wait(void *user, const char *text) {
  km_progress(user, "wait", "%s", text);
}

static void tell_result(const km_hold *hold, const char *name, bool start, km_status status,
                        const km_service_status *now, const km_error *error) {
  const km_service_result result = {name, start, status, *now,
                                    status == KM_OK ? "" : error->message};
  if (hold->options->service != NULL)
    hold->options->service(hold->options->user, &result);
}

static km_status stop_one(km_hold *hold, const char *name, km_error *error) {
  const km_wait wait = {tell_wait, hold, hold->options->interrupted};
  km_service_status now = {.start = -1};
  km_status status = hold->backend->service_query(hold->target, name, &now, error);
  if (status == KM_NOT_FOUND || (status == KM_OK && now.state == STOPPED)) {
    km_progress(hold, "stop", "%s: not running", name);
    return KM_OK;
  }
  if (status != KM_OK)
    return status;
  /* Before the call: a service that does not stop in time may yet stop later. */
  if (runs(&now))
    hold->stopped[hold->stopped_count++] = name;
  status = hold->backend->service_stop(hold->target, name, &wait, &now, error);
  tell_result(hold, name, false, status, &now, error);
  if (status == KM_OK) {
    km_progress(hold, "stop", "stopped %s", name);
  } else if (status == KM_UNSUPPORTED) {
    if (hold->stopped_count > 0 && hold->stopped[hold->stopped_count - 1] == name)
      hold->stopped_count--;
    km_progress(hold, "stop", "%s; it goes on as it is until Windows is restarted", error->message);
    status = KM_OK;
  }
  return status;
}

void km_services_forget(km_hold *hold) {
  hold->stopped_count = 0;
  free(hold->stopped);
  hold->stopped = NULL;
}

static km_status stop_names(km_hold *hold, const char **names, size_t count, km_error *error) {
  km_services_forget(hold);
  hold->stopped = calloc(count + 1, sizeof *hold->stopped);
  if (hold->stopped == NULL)
    return km_fail(error, KM_MEMORY, 0, "the services: out of memory");
  for (size_t i = 0; i < count; i++) {
    if (km_interrupted(hold))
      return km_fail(error, KM_INTERRUPTED, 0, "interrupted");
    km_status status = stop_one(hold, names[i], error);
    if (status != KM_OK)
      return status;
  }
  return KM_OK;
}

km_status km_services_stop_all(km_hold *hold, const km_journal *journal, bool started_too,
                               km_error *error) {
  size_t stops = count_names(journal->stop), starts = count_names(journal->start), count = 0;
  if (hold->backend->service_stop == NULL) {
    for (size_t i = 0; i < stops; i++)
      km_progress(hold, "stop", "%s: not running, since Windows is not", journal->stop[i]);
    return KM_OK;
  }
  const char **names = calloc(stops + starts + 1, sizeof *names);
  if (names == NULL)
    return km_fail(error, KM_MEMORY, 0, "the services: out of memory");
  for (size_t i = started_too ? starts : 0; i > 0; i--)
    if (index_of(journal->stop, stops, journal->start[i - 1]) == stops)
      names[count++] = journal->start[i - 1];
  for (size_t i = 0; i < stops; i++)
    names[count++] = journal->stop[i];
  km_status status = stop_names(hold, names, count, error);
  free(names);
  return status;
}

/* ---- Starting ---- */

static bool stopped_here(const km_hold *hold, const char *name) {
  for (size_t i = 0; i < hold->stopped_count; i++)
    if (km_services_compare(hold->stopped[i], name) == 0)
      return true;
  return false;
}

/* A start is not interrupted: what it waits for comes back to work either way. */
static void start_one(km_hold *hold, const char *name) {
  const km_wait wait = {tell_wait, hold, NULL};
  km_service_status now = {.start = -1};
  km_error error;
  if (!stopped_here(hold, name) &&
      hold->backend->service_query(hold->target, name, &now, &error) == KM_OK && runs(&now)) {
    km_progress(hold, "start", "%s: running already", name);
    return;
  }
  km_status status = hold->backend->service_start(hold->target, name, &wait, &now, &error);
  tell_result(hold, name, true, status, &now, &error);
  if (status == KM_OK)
    km_progress(hold, "start", "started %s", name);
  else
    km_progress(hold, "start", "%s", error.message);
}

void km_services_start_all(km_hold *hold, char *const *names) {
  for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
    if (hold->backend->service_start == NULL)
      km_progress(hold, "start", "%s: deferred until the next boot of this Windows", names[i]);
    else
      start_one(hold, names[i]);
  }
}

void km_services_start_late(km_hold *hold, const km_journal *journal) {
  size_t ran = count_names(journal->ran), starts = count_names(journal->start);
  for (size_t i = hold->stopped_count; i > 0; i--) {
    const char *name = hold->stopped[i - 1];
    if (index_of(journal->ran, ran, name) == ran &&
        index_of(journal->start, starts, name) == starts)
      start_one(hold, name);
  }
}

void km_services_start_again(km_hold *hold, char *const *started) {
  size_t count = count_names(started);
  for (size_t i = hold->stopped_count; i > 0; i--)
    if (index_of(started, count, hold->stopped[i - 1]) == count)
      start_one(hold, hold->stopped[i - 1]);
}
