/* bench.c: the parts of tests/bench/run: fills a store, walks it, measures programs.
 *
 *   bench fill STORE COUNT GUID
 *       makes COUNT empty files <made-up hash>_<GUID>
 *   bench bare STORE
 *       reads the folder's names with getdents64 and counts them
 *   bench scan ROOT HASH...
 *       surveys the key store; prints files and matches
 *   bench flat SMALL LARGE ROUNDS HASH
 *       surveys two targets in turn; prints the median nanoseconds a file of each
 *   bench time ROUNDS PROGRAM... [+ PROGRAM...]...
 *       runs the programs in turn, ROUNDS times; prints for each the median in microseconds, the
 *       largest peak of memory in KiB, and the exit status
 */
#include "keymend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536 /* as the core's listing */
#define MAX_PROGRAMS 16
#define MAX_ROUNDS 1001

static int complain(const char *what) {
  fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
  return 2;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* splitmix64: the same store every time. */
static uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

static int fill(const char *store, const char *count_text, const char *guid) {
  unsigned long count = strtoul(count_text, NULL, 10);
  uint64_t state = count ^ (uint64_t)(unsigned char)guid[0] << 32;
  int folder = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return complain(store);
  }
  for (unsigned long i = 0; i < count; i++) {
    char name[128];
    unsigned long long high = next_random(&state), low = next_random(&state);
    snprintf(name, sizeof name, "%016llx%016llx_%s", high, low, guid);
    int file = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
      return complain(name);
    }
    close(file);
  }
  close(folder);
  return 0;
}

static int bare(const char *store) {
  static char buffer[BUFFER] __attribute__((aligned(16)));
  unsigned long names = 0;
  ssize_t size;
  int folder = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return complain(store);
  }
  while ((size = getdents64(folder, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < size;) {
      const struct dirent64 *entry = (const void *)(buffer + at);
      at += entry->d_reclen;
      names++;
    }
  }
  close(folder);
  printf("%lu\n", names);
  return size == 0 ? 0 : complain("getdents64");
}

static int complain_of(const km_error *error) {
  fprintf(stderr, "bench: %s\n", error->message);
  return 2;
}

static int scan(const char *root, const char *const *hashes, size_t hash_count) {
  km_target_options options = {.root = root};
  km_target *target;
  km_survey *survey;
  km_error error;
  if (km_target_open(&options, &target, &error)) {
    return complain_of(&error);
  }
  if (km_survey_store(target, hashes, hash_count, &survey, &error)) {
    km_target_close(target);
    return complain_of(&error);
  }
  printf("%llu %zu\n", (unsigned long long)survey->files, survey->match_count);
  km_survey_free(survey);
  km_target_close(target);
  return 0;
}

static int by_double(const void *left, const void *right) {
  const double *a = left, *b = right;
  return *a < *b ? -1 : *a > *b;
}

/* Surveys of the small store beside one of the large one, so that both are timed about as long. */
#define SMALL_TURNS 20

/* Nobody walks a store twenty times in a row: each survey begins with the processor's caches full
 * of other things, as the large one, which they cannot hold, always does. */
static void fill_caches(void) {
  static unsigned char other[32 << 20];
  for (size_t i = 0; i < sizeof other; i += 64) {
    other[i]++;
  }
}

static int flat(const char *const roots[2], const char *rounds_text, const char *hash) {
  static double times[2][MAX_ROUNDS * SMALL_TURNS];
  size_t counts[2] = {0}, rounds = strtoul(rounds_text, NULL, 10);
  km_target *targets[2] = {NULL};
  km_survey *survey;
  km_error error;
  km_status status = rounds > 0 && rounds <= MAX_ROUNDS ? KM_OK : KM_MISUSE;
  for (size_t i = 0; i < 2 && !status; i++) {
    km_target_options options = {.root = roots[i]};
    status = km_target_open(&options, &targets[i], &error);
  }
  for (size_t round = 0; round < rounds * (SMALL_TURNS + 1) && !status; round++) {
    size_t which = round % (SMALL_TURNS + 1) == 0;
    fill_caches();
    uint64_t start = now();
    status = km_survey_store(targets[which], &hash, 1, &survey, &error);
    if (!status) {
      times[which][counts[which]++] = (double)(now() - start) / (double)(survey->files + 1);
      km_survey_free(survey);
    }
  }
  km_target_close(targets[0]);
  km_target_close(targets[1]);
  if (status) {
    return complain_of(&error);
  }
  for (size_t i = 0; i < 2; i++) {
    qsort(times[i], counts[i], sizeof times[i][0], by_double);
    printf("%.1f%s", times[i][counts[i] / 2], i ? "\n" : " ");
  }
  return 0;
}

typedef struct program {
  char **arguments;
  uint64_t times[MAX_ROUNDS]; /* nanoseconds */
  long peak;                  /* KiB */
  int exit_status;
} program;

static int run_once(program *it, size_t round) {
  posix_spawn_file_actions_t actions;
  struct rusage usage;
  pid_t child;
  int status;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  uint64_t start = now();
  errno = posix_spawnp(&child, it->arguments[0], &actions, NULL, it->arguments, environ);
  if (errno != 0) {
    return complain(it->arguments[0]);
  }
  if (wait4(child, &status, 0, &usage) != child) {
    return complain("wait4");
  }
  it->times[round] = now() - start;
  it->peak = usage.ru_maxrss > it->peak ? usage.ru_maxrss : it->peak;
  it->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  posix_spawn_file_actions_destroy(&actions);
  return 0;
}

static int by_value(const void *left, const void *right) {
  const uint64_t *a = left, *b = right;
  return *a < *b ? -1 : *a > *b;
}

static int time_programs(const char *rounds_text, char **arguments) {
  static program programs[MAX_PROGRAMS];
  size_t count = 0, rounds = strtoul(rounds_text, NULL, 10);
  bool begins = true;
  if (rounds == 0 || rounds > MAX_ROUNDS) {
    return complain("1 to 1001 rounds");
  }
  for (; *arguments; arguments++) {
    if (!strcmp(*arguments, "+")) {
      *arguments = NULL;
      begins = true;
    } else if (begins && count < MAX_PROGRAMS) {
      programs[count++].arguments = arguments;
      begins = false;
    }
  }
  /* Interleaved, so that whatever disturbs the machine disturbs all alike. */
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < count; i++) {
      int failed = run_once(&programs[i], round);
      if (failed) {
        return failed;
      }
    }
  }
  for (size_t i = 0; i < count; i++) {
    qsort(programs[i].times, rounds, sizeof programs[i].times[0], by_value);
    const uint64_t median = programs[i].times[rounds / 2];
    printf("%.1f %ld %d\n", (double)median / 1000, programs[i].peak, programs[i].exit_status);
  }
  return 0;
}

int main(int count, char **arguments) {
  const char *verb = count > 1 ? arguments[1] : "";
  if (!strcmp(verb, "fill") && count == 5) {
    return fill(arguments[2], arguments[3], arguments[4]);
  }
  if (!strcmp(verb, "bare") && count == 3) {
    return bare(arguments[2]);
  }
  if (!strcmp(verb, "scan") && count >= 3) {
    return scan(arguments[2], (const char *const *)arguments + 3, (size_t)(count - 3));
  }
  if (!strcmp(verb, "flat") && count == 6) {
    return flat((const char *const *)arguments + 2, arguments[4], arguments[5]);
  }
  if (!strcmp(verb, "time") && count >= 4) {
    return time_programs(arguments[2], arguments + 3);
  }
  fprintf(stderr, "usage: bench fill|bare|scan|flat|time ...: see its first lines\n");
  return 2;
}
