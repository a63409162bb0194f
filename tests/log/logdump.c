/* logdump.c: prints the events of an event log's file as core/offline reads it, much in the words of evtexport and evtxexport
 *
 * Usage: logdump [--newest] [--quiet] [--id N]... [--source NAME] [--text TEXT] [--from SECONDS] FILE. For tests and the
 * bench: what keymend reads is compared with what other programs read. --quiet prints the number of events alone. Data
 * of an event comes after its strings, as a string of hexadecimal digits. Recovered records are marked.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eventlog.h"

#define MAX_IDS 64

static bool is_evtx;

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "logdump: %s\n", what);
  exit(1);
}

/* As each of the two programs writes it: .evt has seconds, .evtx 100 nanoseconds, written as nine digits. */
static void print_time(const char *label, km_time time) {
  char text[32] = "";
  time_t seconds = (time_t)km_time_to_unix(time);
  struct tm utc;
  if (gmtime_r(&seconds, &utc) != NULL)
    (void)strftime(text, sizeof text, "%b %d, %Y %H:%M:%S", &utc);
  printf("%s\t\t\t: %s", label, text);
  if (is_evtx)
    printf(".%09ld", (long)(time % 10000000) * 100);
  printf(" UTC\n");
}

static void print_event(const km_event *event) {
  printf("Event number\t\t\t: %u%s\n", (unsigned)event->record,
         event->recovered ? " (recovered)" : "");
  if (!is_evtx)
    print_time("Creation time", event->generated);
  print_time("Written time", event->written);
  printf("Event type\t\t\t: %u\n", (unsigned)event->type);
  printf("Computer name\t\t\t: %s\n", event->computer);
  printf("Source name\t\t\t: %s\n", event->source);
  if (!is_evtx)
    printf("Event category\t\t\t: %u\n", (unsigned)event->category);
  printf("Event identifier\t\t: 0x%08x (%u)\n", (unsigned)event->full_id, (unsigned)event->full_id);
  printf("Number of strings\t\t: %zu\n", event->string_count + (is_evtx && event->data_size > 0));
  for (size_t i = 0; i < event->string_count; i++)
    printf("String: %zu\t\t\t: %s\n", i + 1, event->strings[i]);
  if (event->data_size > 0) {
    printf(is_evtx ? "String: %zu\t\t\t: " : "Data %zu\t\t\t: ", event->string_count + 1);
    for (size_t i = 0; i < event->data_size; i++)
      printf("%02X", event->data[i]);
    putchar('\n');
  }
  putchar('\n');
}

/* The events through core/event.c's filter and the format's own; the count. */
static unsigned long dump(km_event_log *log, const km_event_filter *filter, bool quiet,
                          unsigned long *damaged) {
  unsigned long count = 0;
  for (;;) {
    km_event event;
    km_error error;
    km_status status = km_offline_event_next(log, &event, &error);
    if (status == KM_END)
      return count;
    if (status == KM_DAMAGED && strstr(error.message, "its ") != NULL) {
      fprintf(stderr, "logdump: %s\n", error.message);
      ++*damaged;
      continue;
    }
    if (status != KM_OK)
      fail(error.message);
    if (!km_event_fits(&event, filter))
      continue;
    count++;
    if (!quiet)
      print_event(&event);
  }
}

int main(int count, char **words) {
  static uint32_t ids[MAX_IDS];
  km_event_filter filter = {.ids = ids, .oldest_first = true};
  bool quiet = false;
  const char *path = NULL;
  for (int i = 1; i < count; i++) {
    const char *value = i + 1 < count ? words[i + 1] : "";
    if (strcmp(words[i], "--newest") == 0)
      filter.oldest_first = false;
    else if (strcmp(words[i], "--quiet") == 0)
      quiet = true;
    else if (strcmp(words[i], "--id") == 0 && filter.id_count < MAX_IDS)
      ids[filter.id_count++] = (uint32_t)strtoul(value, NULL, 10), i++;
    else if (strcmp(words[i], "--source") == 0)
      filter.source = value, i++;
    else if (strcmp(words[i], "--text") == 0)
      filter.text = value, i++;
    else if (strcmp(words[i], "--from") == 0)
      filter.from = km_time_from_unix(strtoll(value, NULL, 10), 0), i++;
    else
      path = words[i];
  }
  km_error error;
  km_event_log *log = NULL;
  int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0)
    fail("give a file that can be read");
  if (km_log_open(fd, "System", path, filter.oldest_first, &log, &error) != KM_OK)
    fail(error.message);
  is_evtx = log->format == &km_log_evtx;
  km_offline_event_filter(log, &filter);
  unsigned long damaged = 0, events = dump(log, &filter, quiet, &damaged);
  const char *problem = km_offline_event_problem(log);
  if (quiet)
    printf("%lu\n", events);
  if (problem != NULL)
    fprintf(stderr, "logdump: %s\n", problem);
  km_offline_event_close(log);
  return damaged == 0 ? 0 : 2;
}
