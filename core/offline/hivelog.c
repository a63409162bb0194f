/* hivelog.c: judges and replays the transaction logs of a registry hive. */
#include "hivelog.h"

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BASE_BLOCK 4096 /* of a hive */
#define BLOCK 512       /* what everything in a log is aligned to */
#define ENTRY_HEADER 40
#define REFERENCE 8
#define MAX_BINS ((uint32_t)512 << 20) /* KM_MAX_HIVE with the base block */

/* Offsets in a base block. */
enum {
  SEQUENCE1 = 4,
  SEQUENCE2 = 8,
  WRITTEN = 12,
  MINOR = 24,
  KIND = 28,
  ROOT = 36,
  BINS = 40,
  SUM = 508
};

typedef enum log_kind {
  LOG_ABSENT,
  LOG_UNUSED, /* empty, or zeros */
  LOG_OLD,
  LOG_NEW,
  LOG_BAD
} log_kind;

static void write32(uint8_t *p, uint32_t number) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(number >> (8 * i));
}

/* Whether sequence number a is b or later; they wrap around. */
static bool not_before(uint32_t a, uint32_t b) {
  return a - b < 0x80000000u;
}

uint32_t km_base_block_checksum(const uint8_t base[KM_LOG_BASE_BLOCK]) {
  uint32_t sum = 0;
  for (size_t i = 0; i < SUM; i += 4)
    sum ^= km_u32(base + i);
  return sum == 0 ? 1 : sum == 0xffffffffu ? 0xfffffffeu : sum;
}

/* ---- Marvin32 ---- */

static uint32_t rotate(uint32_t number, int bits) {
  return number << bits | number >> (32 - bits);
}

static void mix(uint32_t state[2], uint32_t word) {
  state[0] += word;
  state[1] ^= state[0];
  state[0] = rotate(state[0], 20) + state[1];
  state[1] = rotate(state[1], 9) ^ state[0];
  state[0] = rotate(state[0], 27) + state[1];
  state[1] = rotate(state[1], 19);
}

uint64_t km_marvin32(const uint8_t *data, size_t size) {
  uint32_t state[2] = {0x7a4e55c5, 0x82ef4d88}, last = 0x80;
  size_t i = 0;
  for (; size - i >= 4; i += 4)
    mix(state, km_u32(data + i));
  for (size_t k = size; k > i; k--)
    last = last << 8 | data[k - 1];
  mix(state, last);
  mix(state, 0);
  return (uint64_t)state[1] << 32 | state[0];
}

/* ---- What a log is ---- */

/* Puts the reason and gives false. */
KM_FORMAT(2, 3)
static bool cannot(km_replay *out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(out->text, sizeof out->text, format, arguments);
  va_end(arguments);
  return false;
}

/* Whether something that is written to logs stands in this one, whose first block is gone. */
static bool holds_entries(const km_hive_log *log) {
  for (size_t at = BLOCK; at < log->size && log->size - at >= 4; at += BLOCK) {
    if (memcmp(log->data + at, "HvLE", 4) == 0 || memcmp(log->data + at, "DIRT", 4) == 0)
      return true;
  }
  return false;
}

static log_kind kind_of(const km_hive_log *log) {
  if (log->data == NULL)
    return LOG_ABSENT;
  if (km_all_zero(log->data, log->size < BLOCK ? log->size : BLOCK))
    return holds_entries(log) ? LOG_BAD : LOG_UNUSED;
  if (log->size <= BLOCK || memcmp(log->data, "regf", 4) != 0 ||
      km_base_block_checksum(log->data) != km_u32(log->data + SUM) ||
      km_u32(log->data + SEQUENCE1) != km_u32(log->data + SEQUENCE2))
    return LOG_BAD;
  uint32_t kind = km_u32(log->data + KIND);
  return kind == 6 ? LOG_NEW : kind == 1 || kind == 2 ? LOG_OLD : LOG_BAD;
}

static bool sound_bins(uint32_t bins) {
  return bins >= BASE_BLOCK && bins % BASE_BLOCK == 0 && bins <= MAX_BINS - BASE_BLOCK;
}

/* ---- The new kind ---- */

typedef struct entry {
  const uint8_t *data;
  uint32_t size, sequence, bins, pages;
} entry;

/* A log's entries, one after the other. */
typedef struct entries {
  const km_hive_log *log;
  size_t at;
  uint32_t next; /* sequence number of the entry that belongs at `at` */
} entries;

typedef enum found { FOUND_ENTRY, FOUND_END, FOUND_DAMAGE } found;

static entries begin_entries(const km_hive_log *log) {
  return (entries){log, BLOCK, km_u32(log->data + SEQUENCE1)};
}

/* Whether an entry's header stands at `at` and its hash is right; its pages are not looked at. */
static bool header_at(const km_hive_log *log, size_t at, entry *out) {
  if (log->size - at < ENTRY_HEADER || memcmp(log->data + at, "HvLE", 4) != 0)
    return false;
  const uint8_t *p = log->data + at;
  *out = (entry){p, km_u32(p + 4), km_u32(p + 12), km_u32(p + 16), km_u32(p + 20)};
  return km_u64(p + 32) == km_marvin32(p, 32);
}

/* Whether everything that the entry refers to is in it, and in the bins. */
static bool sound_entry(const km_hive_log *log, size_t at, const entry *e) {
  if (e->size > log->size - at || e->size % BLOCK != 0 || e->size < BLOCK || !sound_bins(e->bins) ||
      e->pages > (e->size - ENTRY_HEADER) / REFERENCE ||
      km_u64(e->data + 24) != km_marvin32(e->data + ENTRY_HEADER, e->size - ENTRY_HEADER))
    return false;
  size_t left = e->size - ENTRY_HEADER - (size_t)e->pages * REFERENCE;
  for (uint32_t i = 0; i < e->pages; i++) {
    const uint8_t *reference = e->data + ENTRY_HEADER + (size_t)i * REFERENCE;
    uint32_t offset = km_u32(reference), length = km_u32(reference + 4);
    if (length > left || offset > e->bins || length > e->bins - offset)
      return false;
    left -= length;
  }
  return true;
}

/* Whether an entry that belongs behind the one expected stands further on: then the log is no log that ends here. */
static bool later_entry(const entries *walk) {
  for (size_t at = walk->at; walk->log->size - at >= ENTRY_HEADER; at += BLOCK) {
    entry e;
    if (header_at(walk->log, at, &e) && not_before(e.sequence, walk->next))
      return true;
    if (walk->log->size - at < BLOCK)
      break;
  }
  return false;
}

static found next_entry(entries *walk, entry *out) {
  bool header = header_at(walk->log, walk->at, out);
  if (header && out->sequence == walk->next && sound_entry(walk->log, walk->at, out)) {
    walk->at += out->size;
    walk->next++;
    return FOUND_ENTRY;
  }
  /* One that was being written when the machine stopped. */
  bool begun = walk->log->size - walk->at >= ENTRY_HEADER && out->data != NULL &&
               km_u32(walk->log->data + walk->at + 12) == walk->next;
  return begun || later_entry(walk) ? FOUND_DAMAGE : FOUND_END;
}

/* Takes the entries of one log that come after what was taken before. A log that ends in damage before anything of it
 * was needed (*broken) may have held what the next one's first entry follows. */
static bool take_log(km_replay *out, const km_hive_log *log, uint32_t from, bool *broken) {
  entries walk = begin_entries(log);
  entry e = {0};
  size_t taken = 0;
  found result;
  while ((result = next_entry(&walk, &e)) == FOUND_ENTRY) {
    uint32_t expected = out->log_count == 0 && taken == 0 ? from : out->last + 1;
    if (!not_before(e.sequence, expected))
      continue;
    if (e.sequence != expected && (out->log_count > 0 || *broken) && taken == 0)
      return cannot(out, "%s begins with entry %u, and the entries from %u are missing", log->name,
                    (unsigned)e.sequence, (unsigned)expected);
    if (out->log_count == 0 && taken == 0)
      out->first = e.sequence;
    out->last = e.sequence;
    out->pages += e.pages;
    out->bins = e.bins > out->bins ? e.bins : out->bins;
    taken++;
    e = (entry){0};
  }
  if (taken > 0)
    out->logs[out->log_count++] = log;
  uint32_t expected = out->log_count == 0 ? from : out->last + 1;
  if (result == FOUND_DAMAGE && not_before(walk.next, expected))
    return cannot(out, "entry %u of %s is damaged", (unsigned)walk.next, log->name);
  *broken = *broken || result == FOUND_DAMAGE;
  return true;
}

static void tell_entries(km_replay *out) {
  uint32_t count = out->last - out->first + 1;
  char range[40];
  if (count == 1)
    (void)snprintf(range, sizeof range, "1 entry (%u)", (unsigned)out->first);
  else
    (void)snprintf(range, sizeof range, "%u entries (%u to %u)", (unsigned)count,
                   (unsigned)out->first, (unsigned)out->last);
  (void)snprintf(out->text, sizeof out->text, "%s of %s%s%s", range, out->logs[0]->name,
                 out->log_count > 1 ? " and " : "", out->log_count > 1 ? out->logs[1]->name : "");
}

/* `logs` are one or two. The one that begins earlier comes first. */
static void plan_new(const uint8_t *base, const km_hive_log *const logs[2], size_t count,
                     km_replay *out) {
  uint32_t from = km_u32(base + SEQUENCE2);
  bool swap = count == 2 &&
              !not_before(km_u32(logs[1]->data + SEQUENCE1), km_u32(logs[0]->data + SEQUENCE1));
  bool broken = false;
  for (size_t i = 0; i < count; i++) {
    if (!take_log(out, logs[swap ? 1 - i : i], from, &broken))
      return;
  }
  out->complete = out->log_count > 0;
  if (out->complete)
    tell_entries(out);
  else
    (void)cannot(out, "they hold no entry as new as the hive itself (%u)", (unsigned)from);
}

static void apply_new(const km_replay *replay, uint8_t *hive) {
  for (size_t i = 0; i < replay->log_count; i++) {
    entries walk = begin_entries(replay->logs[i]);
    entry e = {0};
    while (next_entry(&walk, &e) == FOUND_ENTRY) {
      const uint8_t *page = e.data + ENTRY_HEADER + (size_t)e.pages * REFERENCE;
      for (uint32_t k = 0; k < e.pages && not_before(e.sequence, replay->first); k++) {
        const uint8_t *reference = e.data + ENTRY_HEADER + (size_t)k * REFERENCE;
        uint32_t length = km_u32(reference + 4);
        memcpy(hive + BASE_BLOCK + km_u32(reference), page, length);
        page += length;
      }
      write32(hive + BINS, e.bins);
      e = (entry){0};
    }
  }
}

/* ---- The old kind ---- */

static bool is_dirty_page(const km_hive_log *log, size_t page) {
  return (log->data[BLOCK + 4 + page / 8] >> (page % 8) & 1) != 0;
}

/* Where the pages begin: behind the bitmap of bins / 512 bits. */
static size_t first_page(uint32_t bins) {
  return (BLOCK + 4 + (size_t)bins / BLOCK / 8 + BLOCK - 1) / BLOCK * BLOCK;
}

static bool plan_old(const uint8_t *base, const km_hive_log *log, km_replay *out) {
  uint32_t bins = km_u32(log->data + BINS);
  if (memcmp(log->data + WRITTEN, base + WRITTEN, 8) != 0) {
    char hive[KM_TIME_TEXT], own[KM_TIME_TEXT];
    uint64_t a = km_u64(base + WRITTEN), b = km_u64(log->data + WRITTEN);
    return cannot(out, "%s is of another state of the hive (%s, the hive of %s)", log->name,
                  km_time_text(b > INT64_MAX ? 0 : (km_time)b, own),
                  km_time_text(a > INT64_MAX ? 0 : (km_time)a, hive));
  }
  if (!sound_bins(bins) || first_page(bins) > log->size ||
      memcmp(log->data + BLOCK, "DIRT", 4) != 0)
    return cannot(out, "%s is damaged: it holds no map of pages", log->name);
  size_t pages = 0;
  for (size_t i = 0; i < bins / BLOCK; i++)
    pages += is_dirty_page(log, i);
  if (pages > (log->size - first_page(bins)) / BLOCK)
    return cannot(out, "%s ends before the last of its %zu pages", log->name, pages);
  out->complete = true;
  out->pages = pages;
  out->bins = bins;
  out->logs[out->log_count++] = log;
  out->first = out->last = km_u32(base + SEQUENCE1);
  (void)snprintf(out->text, sizeof out->text, "%zu page%s of %s", pages, pages == 1 ? "" : "s",
                 log->name);
  return true;
}

static void apply_old(const km_replay *replay, uint8_t *hive) {
  const km_hive_log *log = replay->logs[0];
  const uint8_t *page = log->data + first_page(replay->bins);
  for (size_t i = 0; i < replay->bins / BLOCK; i++) {
    if (is_dirty_page(log, i)) {
      memcpy(hive + BASE_BLOCK + i * BLOCK, page, BLOCK);
      page += BLOCK;
    }
  }
  write32(hive + BINS, replay->bins);
}

/* ---- Both ---- */

static bool is_sound(log_kind kind) {
  return kind == LOG_NEW || kind == LOG_OLD;
}

/* What hinders whatever kind the logs are of. LOG1 and LOG2 are a pair: the newest entries may stand in either. */
static bool all_there(const km_hive_log logs[KM_HIVE_LOGS], const log_kind kinds[KM_HIVE_LOGS],
                      km_replay *out) {
  size_t absent = 0, unused = 0;
  for (size_t i = 0; i < KM_HIVE_LOGS; i++) {
    absent += kinds[i] == LOG_ABSENT;
    unused += kinds[i] == LOG_UNUSED;
    if (kinds[i] == LOG_BAD && (i > 0 || (!is_sound(kinds[1]) && !is_sound(kinds[2]))))
      return cannot(out, "%s is damaged: it does not begin with a sound base block", logs[i].name);
  }
  if (absent == KM_HIVE_LOGS)
    return cannot(out, "none of them is there (%s, %s, %s)", logs[0].name, logs[1].name,
                  logs[2].name);
  if ((kinds[1] == LOG_ABSENT) != (kinds[2] == LOG_ABSENT))
    return cannot(out, "%s is missing", logs[kinds[1] == LOG_ABSENT ? 1 : 2].name);
  if (absent + unused == KM_HIVE_LOGS)
    return cannot(out, "all of them are empty");
  return true;
}

void km_replay_plan(const uint8_t base[KM_LOG_BASE_BLOCK], const km_hive_log logs[KM_HIVE_LOGS],
                    km_replay *out) {
  log_kind kinds[KM_HIVE_LOGS];
  const km_hive_log *newer[2];
  size_t count = 0;
  memset(out, 0, sizeof *out);
  for (size_t i = 0; i < KM_HIVE_LOGS; i++)
    kinds[i] = kind_of(&logs[i]);
  if (!all_there(logs, kinds, out))
    return;
  for (size_t i = 1; i < KM_HIVE_LOGS; i++) {
    if (kinds[i] == LOG_NEW)
      newer[count++] = &logs[i];
  }
  if (count == 0 && kinds[0] == LOG_NEW)
    newer[count++] = &logs[0];
  if (count > 0)
    plan_new(base, newer, count, out);
  for (size_t i = KM_HIVE_LOGS; i-- > 0 && !out->complete && count == 0;) {
    if (kinds[i] == LOG_OLD)
      (void)plan_old(base, &logs[i], out);
  }
}

void km_replay_apply(const km_replay *replay, uint8_t *hive, size_t size) {
  if (!replay->complete || size < BASE_BLOCK || size - BASE_BLOCK < replay->bins)
    return;
  const km_hive_log *last = replay->logs[replay->log_count - 1];
  if (km_u32(last->data + KIND) == 6)
    apply_new(replay, hive);
  else
    apply_old(replay, hive);
  if (km_u64(last->data + WRITTEN) > km_u64(hive + WRITTEN))
    memcpy(hive + WRITTEN, last->data + WRITTEN, 8);
  memcpy(hive + MINOR, last->data + MINOR, 4);
  memcpy(hive + ROOT, last->data + ROOT, 4);
  write32(hive + SEQUENCE1, replay->last);
  write32(hive + SEQUENCE2, replay->last);
  write32(hive + SUM, km_base_block_checksum(hive));
}
