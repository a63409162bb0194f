/* journal.c: reads and writes the journal of a transaction */
#include "journal.h"

#include "bytes.h"
#include "grant.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "keymend journal 1\n";

/* ---- small helpers ---- */

char *km_copy_text(const char *text) {
  if (text == NULL)
    return NULL;
  size_t size = strlen(text) + 1;
  char *copy = malloc(size);
  if (copy != NULL)
    memcpy(copy, text, size);
  return copy;
}

char *km_copy_text_within(const char *text, size_t max) {
  char *copy = km_copy_text(text != NULL ? text : "");
  if (copy != NULL && strlen(copy) >= max) {
    size_t end = max - 1;
    while (end > 0 && ((unsigned char)copy[end] & 0xC0) == 0x80)
      end--;
    copy[end] = '\0';
  }
  return copy;
}

void km_free_texts(char **texts) {
  if (texts == NULL)
    return;
  for (size_t i = 0; texts[i] != NULL; i++)
    free(texts[i]);
  free(texts);
}

char **km_copy_texts(const char *const *list) {
  size_t count = 0;
  while (list != NULL && list[count] != NULL)
    count++;
  char **copy = calloc(count + 1, sizeof *copy);
  for (size_t i = 0; copy != NULL && i < count; i++) {
    copy[i] = km_copy_text(list[i]);
    if (copy[i] == NULL) {
      km_free_texts(copy);
      return NULL;
    }
  }
  return copy;
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool km_same_name(const char *a, const char *b) {
  while (*a != '\0' && lower(*a) == lower(*b)) {
    a++;
    b++;
  }
  return lower(*a) == lower(*b);
}

bool km_store_name_valid(const char *name) {
  size_t length = 0;
  for (; name[length] != '\0'; length++) {
    unsigned char c = (unsigned char)name[length];
    if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == ':')
      return false;
    if (length + 1 >= KM_MAX_NAME)
      return false;
  }
  return length > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void put32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(value >> (8 * i));
}

static void clear_entry(km_entry *entry) {
  free(entry->container);
  free(entry->reason);
  free(entry->before);
  free(entry->after);
  free(entry->meta.descriptor);
  free(entry->granted);
}

void km_journal_clear(km_journal *journal) {
  free(journal->made_by);
  free(journal->store);
  free(journal->machine_guid);
  free(journal->policies);
  free(journal->overrides);
  free(journal->guid_before);
  free(journal->guid_after);
  free(journal->problem);
  for (size_t i = 0; i < journal->entry_count; i++)
    clear_entry(&journal->entries[i]);
  free(journal->entries);
  km_free_texts(journal->stop);
  km_free_texts(journal->start);
  km_free_texts(journal->ran);
  memset(journal, 0, sizeof *journal);
}

static size_t text_memory(const char *text) {
  return text != NULL ? strlen(text) + 1 : 0;
}

static size_t texts_memory(char *const *texts) {
  size_t total = 0;
  for (; texts != NULL && *texts != NULL; texts++)
    total += sizeof *texts + text_memory(*texts);
  return total;
}

size_t km_journal_memory(const km_journal *j) {
  size_t total = sizeof *j + text_memory(j->made_by) + text_memory(j->store) +
                 text_memory(j->machine_guid) + text_memory(j->policies) +
                 text_memory(j->overrides) + text_memory(j->guid_before) +
                 text_memory(j->guid_after) + text_memory(j->problem) + texts_memory(j->stop) +
                 texts_memory(j->start) + texts_memory(j->ran);
  for (size_t i = 0; i < j->entry_count; i++) {
    const km_entry *e = &j->entries[i];
    total += sizeof *e + text_memory(e->container) + text_memory(e->reason) +
             text_memory(e->before) + text_memory(e->after) + e->meta.descriptor_size +
             e->granted_size;
  }
  return total;
}

/* ---- a record's frame ---- */

/* The CRC of all but the record's number. */
static uint32_t bytes_crc(const uint8_t *record, uint32_t length) {
  return km_crc32c(km_crc32c(0, record, 4), record + 8, length);
}

static uint32_t with_number(uint32_t crc, uint32_t number) {
  uint8_t tail[4];
  put32(tail, number);
  return km_crc32c(crc, tail, sizeof tail);
}

static uint32_t record_crc(const uint8_t *record, uint32_t length, uint32_t number) {
  return with_number(bytes_crc(record, length), number);
}

/* The length that the record at `offset` tells; false when it does not lie inside the file. */
static bool record_length(const uint8_t *data, size_t size, size_t offset, uint32_t *length) {
  if (size - offset < 8)
    return false;
  *length = km_u32(data + offset);
  return *length != 0 && *length <= size - offset - 8;
}

/* Whether a sound record with this number stands at `offset`; its payload's length goes to *length.
 */
static bool sound_record(const uint8_t *data, size_t size, size_t offset, uint32_t number,
                         uint32_t *length) {
  return record_length(data, size, offset, length) &&
         record_crc(data + offset, *length, number) == km_u32(data + offset + 4);
}

/* Whether a sound record numbered above `number` stands behind a bad one at `offset`: then the bad
 * one is no torn tail. Candidates are found by their first key, and only a begin record, right
 * behind the header, may be long: so this is one pass with few and short checksums, whatever a
 * hostile file says. */
static bool record_behind(const uint8_t *data, size_t size, size_t offset, uint32_t number) {
  uint32_t budget = KM_MAX_JOURNAL_RECORDS;
  for (size_t at = offset + 1; at + 13 <= size && budget > 0; at++) {
    uint32_t length = 0;
    if (data[at + 8] != 'k' || memcmp(data + at + 8, "kind", 5) != 0)
      continue;
    budget--;
    if (!record_length(data, size, at, &length) ||
        (length > KM_MAX_SHORT_RECORD && at != KM_JOURNAL_HEADER))
      continue;
    uint32_t crc = bytes_crc(data + at, length), told = km_u32(data + at + 4);
    for (uint32_t i = 1; i <= 8; i++)
      if (with_number(crc, number + i) == told)
        return true;
  }
  return false;
}

/* ---- reading a payload ---- */

typedef struct reader {
  const uint8_t *at, *end;
  const char *key, *value;
} reader;

/* The next pair; false at the end. A payload that does not end with a NUL was refused before. */
static bool next_pair(reader *r) {
  if (r->at == r->end)
    return false;
  r->key = (const char *)r->at;
  r->at += strlen(r->key) + 1;
  if (r->at == r->end)
    return false;
  r->value = (const char *)r->at;
  r->at += strlen(r->value) + 1;
  return true;
}

/* Every payload ends with NUL and has an even number of strings. */
static bool payload_sound(const uint8_t *payload, uint32_t length) {
  size_t strings = 0;
  if (length == 0 || payload[length - 1] != 0)
    return false;
  for (uint32_t i = 0; i < length; i++)
    strings += payload[i] == 0;
  return strings % 2 == 0;
}

static bool read_number(const char *text, uint64_t max, uint64_t *out) {
  uint64_t value = 0;
  if (*text == '\0')
    return false;
  for (; *text != '\0'; text++) {
    if (*text < '0' || *text > '9')
      return false;
    uint64_t digit = (uint64_t)(*text - '0');
    if (value > (max - digit) / 10)
      return false;
    value = value * 10 + digit;
  }
  *out = value;
  return true;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return -1;
}

static bool read_sha256(const char *text, char out[KM_SHA256_TEXT]) {
  size_t length = strlen(text);
  if (length != KM_SHA256_TEXT - 1)
    return false;
  for (size_t i = 0; i < length; i++)
    if (hex_digit(text[i]) < 0)
      return false;
  memcpy(out, text, length + 1);
  return true;
}

static bool read_descriptor(const char *text, uint8_t **out, size_t *size) {
  size_t length = strlen(text);
  if (length == 0 || length % 2 != 0 || length / 2 > KM_MAX_DESCRIPTOR)
    return false;
  if (*out != NULL)
    return false;
  *out = malloc(length / 2);
  if (*out == NULL)
    return false;
  for (size_t i = 0; i < length / 2; i++) {
    int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    (*out)[i] = (uint8_t)(high * 16 + low);
  }
  *size = length / 2;
  return true;
}

static bool read_text(const char *value, size_t max, char **out) {
  if (*out != NULL || strlen(value) >= max)
    return false;
  *out = km_copy_text(value);
  return *out != NULL;
}

/* A machine GUID as it may be stored, in the form that file names have. */
static bool read_guid(const char *value, char **out) {
  char guid[KM_GUID_TEXT];
  km_guid_form form = km_guid_parse(value, guid);
  return (form == KM_GUID_PLAIN || form == KM_GUID_CASE) && read_text(value, KM_GUID_TEXT, out);
}

static bool read_name(const char *value, char **out) {
  return km_store_name_valid(value) && read_text(value, KM_MAX_NAME, out);
}

static bool add_text(char ***list, const char *value) {
  size_t count = 0;
  if (*value == '\0' || strlen(value) >= KM_MAX_NAME)
    return false;
  while (*list != NULL && (*list)[count] != NULL)
    count++;
  if (count >= KM_MAX_JOURNAL_SERVICES)
    return false;
  char **grown = realloc(*list, (count + 2) * sizeof *grown);
  if (grown == NULL)
    return false;
  *list = grown;
  grown[count] = km_copy_text(value);
  grown[count + 1] = NULL;
  return grown[count] != NULL;
}

static bool read_time(const char *text, km_time *out) {
  uint64_t value = 0;
  if (!read_number(text, INT64_MAX, &value))
    return false;
  *out = (km_time)value;
  return true;
}

static bool read_u32(const char *text, uint32_t *out) {
  uint64_t value = 0;
  if (!read_number(text, UINT32_MAX, &value))
    return false;
  *out = (uint32_t)value;
  return true;
}

/* One pair of a file. */
static bool read_entry_pair(km_entry *e, const char *key, const char *value) {
  if (strcmp(key, "container") == 0)
    return read_text(value, KM_MAX_CONTAINER, &e->container);
  if (strcmp(key, "reason") == 0)
    return read_text(value, KM_MAX_TEXT, &e->reason);
  if (strcmp(key, "before") == 0)
    return read_name(value, &e->before);
  if (strcmp(key, "after") == 0)
    return read_name(value, &e->after);
  if (strcmp(key, "size") == 0)
    return read_number(value, KM_MAX_KEY_FILE, &e->size);
  if (strcmp(key, "identity") == 0)
    return read_number(value, UINT64_MAX, &e->identity);
  if (strcmp(key, "sha256") == 0)
    return read_sha256(value, e->sha256);
  if (strcmp(key, "seen-created") == 0)
    return read_time(value, &e->seen_created);
  if (strcmp(key, "created") == 0)
    return read_time(value, &e->meta.created);
  if (strcmp(key, "written") == 0)
    return read_time(value, &e->meta.written);
  if (strcmp(key, "attributes") == 0)
    return read_u32(value, &e->meta.attributes);
  if (strcmp(key, "mode") == 0)
    return read_u32(value, &e->meta.mode) && e->meta.mode <= KM_MODE_KEPT;
  if (strcmp(key, "uid") == 0)
    return read_u32(value, &e->meta.uid);
  if (strcmp(key, "gid") == 0)
    return read_u32(value, &e->meta.gid);
  if (strcmp(key, "descriptor") == 0)
    return read_descriptor(value, &e->meta.descriptor, &e->meta.descriptor_size);
  if (strcmp(key, "descriptor-after") == 0)
    return read_descriptor(value, &e->granted, &e->granted_size);
  return false;
}

static bool add_entry(km_journal *j, const char *value) {
  uint64_t index = 0;
  if (!read_number(value, KM_MAX_STEPS, &index) || index != j->entry_count)
    return false;
  if (j->entry_count >= KM_MAX_STEPS)
    return false;
  if (j->entries == NULL)
    j->entries = calloc(KM_MAX_STEPS, sizeof *j->entries);
  if (j->entries == NULL)
    return false;
  j->entry_count++;
  return true;
}

/* One pair before the first file. */
static bool read_begin_pair(km_journal *j, const char *key, const char *value) {
  if (strcmp(key, "time") == 0)
    return read_time(value, &j->begun);
  if (strcmp(key, "made-by") == 0)
    return read_text(value, KM_MAX_TEXT, &j->made_by);
  if (strcmp(key, "store") == 0)
    return read_text(value, KM_MAX_TEXT, &j->store);
  if (strcmp(key, "machine-guid") == 0)
    return read_text(value, KM_MAX_NAME, &j->machine_guid);
  if (strcmp(key, "policies") == 0)
    return read_text(value, KM_MAX_TEXT, &j->policies);
  if (strcmp(key, "overrides") == 0)
    return read_text(value, KM_MAX_TEXT, &j->overrides);
  if (strcmp(key, "guid-before") == 0)
    return read_guid(value, &j->guid_before);
  if (strcmp(key, "guid-after") == 0)
    return read_guid(value, &j->guid_after);
  if (strcmp(key, "stop") == 0)
    return add_text(&j->stop, value);
  if (strcmp(key, "start") == 0)
    return add_text(&j->start, value);
  if (strcmp(key, "ran") == 0)
    return add_text(&j->ran, value);
  return false;
}

/* One file in two spellings, as Windows sees it. */
static bool respelled(const char *after, const char *before) {
  return after != NULL && km_same_name(after, before) && strcmp(after, before) != 0;
}

/* A name may be the `before` of one file and the `after` of another one, in the same spelling, and
 * no more. */
static bool names_unique(const km_journal *j) {
  for (size_t i = 0; i < j->entry_count; i++)
    for (size_t k = 0; k < i; k++) {
      const km_entry *a = &j->entries[i], *b = &j->entries[k];
      if (km_same_name(a->before, b->before))
        return false;
      if (a->after != NULL && b->after != NULL && km_same_name(a->after, b->after))
        return false;
      if (respelled(a->after, b->before) || respelled(b->after, a->before))
        return false;
    }
  return true;
}

/* Files, or the machine GUID: never both, since file names tell of the one that stands. */
static km_status check_change(const km_journal *j, km_error *error) {
  if (j->guid_before == NULL && j->guid_after == NULL)
    return j->entry_count > 0
               ? KM_OK
               : km_fail(error, KM_DAMAGED, 0, "journal: the begin record names no file");
  if (j->guid_before == NULL || j->guid_after == NULL)
    return km_fail(error, KM_DAMAGED, 0, "journal: one of the two machine GUIDs is missing");
  if (j->entry_count > 0)
    return km_fail(error, KM_DAMAGED, 0, "journal: it changes files and the machine GUID");
  if (km_same_name(j->guid_before, j->guid_after))
    return km_fail(error, KM_DAMAGED, 0, "journal: the machine GUID stays what it is");
  return KM_OK;
}

/* A journal that was forged gives nobody rights but the accounts of the system and services: see grant.h. */
static bool grant_sound(const km_entry *e) {
  size_t count;
  return e->after != NULL && strcmp(e->before, e->after) == 0 && e->meta.descriptor != NULL &&
         km_descriptor_added(e->meta.descriptor, e->meta.descriptor_size, e->granted,
                             e->granted_size, NULL, &count);
}

static km_status begin_complete(km_journal *j, km_error *error) {
  if (j->made_by == NULL || j->store == NULL || j->machine_guid == NULL || j->policies == NULL ||
      j->overrides == NULL || j->begun == 0)
    return km_fail(error, KM_DAMAGED, 0, "journal: the begin record lacks a field");
  km_status status = check_change(j, error);
  if (status != KM_OK)
    return status;
  for (size_t i = 0; i < j->entry_count; i++) {
    const km_entry *e = &j->entries[i];
    if (e->before == NULL || e->container == NULL || e->reason == NULL || e->sha256[0] == '\0')
      return km_fail(error, KM_DAMAGED, 0, "journal: file %zu lacks a field", i);
    if ((e->granted != NULL) != (j->entries[0].granted != NULL))
      return km_fail(error, KM_DAMAGED, 0, "journal: it moves files and adds entries too");
    if (e->granted != NULL && !grant_sound(e))
      return km_fail(error, KM_DAMAGED, 0,
                     "journal: file %zu gets another security descriptor than with entries added",
                     i);
    km_unique_name unique;
    if (e->after != NULL && !km_unique_name_parse(e->after, &unique))
      return km_fail(error, KM_DAMAGED, 0, "journal: file %zu gets a name that is not unique", i);
    if (e->granted == NULL && e->after != NULL && km_same_name(e->before, e->after))
      return km_fail(error, KM_DAMAGED, 0, "journal: file %zu keeps its name", i);
  }
  if (!names_unique(j))
    return km_fail(error, KM_DAMAGED, 0, "journal: a file name stands there twice");
  if (j->stop == NULL)
    j->stop = calloc(1, sizeof *j->stop);
  if (j->start == NULL)
    j->start = calloc(1, sizeof *j->start);
  if (j->stop == NULL || j->start == NULL)
    return km_fail(error, KM_MEMORY, 0, "journal: out of memory");
  return KM_OK;
}

static km_status fold_begin(km_journal *j, reader *r, km_error *error) {
  while (next_pair(r)) {
    bool good;
    if (strcmp(r->key, "file") == 0)
      good = add_entry(j, r->value);
    else if (j->entry_count > 0)
      good = read_entry_pair(&j->entries[j->entry_count - 1], r->key, r->value);
    else
      good = read_begin_pair(j, r->key, r->value);
    if (!good) {
      char key[64];
      km_escape(r->key, strlen(r->key), key, sizeof key);
      return km_fail(error, KM_DAMAGED, 0, "journal: begin record: \"%s\" is not understood", key);
    }
  }
  km_status status = begin_complete(j, error);
  if (status != KM_OK)
    return status;
  km_entry *exact = j->entry_count > 0 ? realloc(j->entries, j->entry_count * sizeof *exact) : NULL;
  if (exact != NULL)
    j->entries = exact;
  j->phase = KM_PHASE_APPLYING;
  return KM_OK;
}

/* ---- the fold ---- */

static const struct result_row {
  km_txn_state state;
  const char *id;
} result_rows[] = {{KM_TXN_COMMITTED, "committed"},
                   {KM_TXN_ROLLED_BACK, "rolled-back"},
                   {KM_TXN_UNDONE, "undone"}};

#define RESULT_ROWS (sizeof result_rows / sizeof *result_rows)

/* Which record may follow in which phase, and the phase it leads to. */
static const struct record_row {
  const char *kind;
  km_record record;
  km_phase from, to;
} record_rows[] = {
    {"commit", KM_RECORD_COMMIT, KM_PHASE_APPLYING, KM_PHASE_APPLIED},
    {"end", KM_RECORD_END, KM_PHASE_APPLYING, KM_PHASE_ENDED},
    {"end", KM_RECORD_END, KM_PHASE_APPLIED, KM_PHASE_ENDED},
    {"end", KM_RECORD_END, KM_PHASE_UNDOING, KM_PHASE_ENDED},
    {"end", KM_RECORD_END, KM_PHASE_UNDO_APPLIED, KM_PHASE_ENDED},
    {"undo-begin", KM_RECORD_UNDO_BEGIN, KM_PHASE_ENDED, KM_PHASE_UNDOING},
    {"undo-commit", KM_RECORD_UNDO_COMMIT, KM_PHASE_UNDOING, KM_PHASE_UNDO_APPLIED},
    {"purged", KM_RECORD_PURGED, KM_PHASE_ENDED, KM_PHASE_ENDED},
};

#define RECORD_ROWS (sizeof record_rows / sizeof *record_rows)

/* Takes over what a short record says; false when it does not belong here. */
static bool fold(km_journal *j, km_record record, km_time time, km_txn_state result,
                 const char *problem) {
  const struct record_row *row = NULL;
  for (size_t i = 0; i < RECORD_ROWS; i++)
    if (record_rows[i].record == record && record_rows[i].from == j->phase)
      row = &record_rows[i];
  if (row == NULL)
    return false;
  if (record == KM_RECORD_UNDO_BEGIN && (j->result != KM_TXN_COMMITTED || j->purged))
    return false;
  j->phase = row->to;
  if (record == KM_RECORD_PURGED)
    j->purged = true;
  if (record != KM_RECORD_END)
    return true;
  j->result = result;
  j->ended = time;
  free(j->problem);
  j->problem = km_copy_text(problem);
  return true;
}

static bool read_result(const char *value, km_txn_state *out) {
  for (size_t i = 0; i < RESULT_ROWS; i++)
    if (strcmp(value, result_rows[i].id) == 0) {
      *out = result_rows[i].state;
      return true;
    }
  return false;
}

static bool fold_short(km_journal *j, const char *kind, reader *r) {
  km_txn_state result = KM_TXN_OPEN;
  km_time time = 0;
  const char *problem = NULL;
  size_t row = 0;
  while (row < RECORD_ROWS && strcmp(record_rows[row].kind, kind) != 0)
    row++;
  if (row == RECORD_ROWS)
    return false;
  bool end = record_rows[row].record == KM_RECORD_END;
  while (next_pair(r)) {
    if (strcmp(r->key, "time") == 0) {
      if (!read_time(r->value, &time))
        return false;
    } else if (end && strcmp(r->key, "result") == 0) {
      if (!read_result(r->value, &result))
        return false;
    } else if (end && strcmp(r->key, "problem") == 0) {
      problem = r->value;
    } else {
      return false;
    }
  }
  if (time == 0 || (end && result == KM_TXN_OPEN))
    return false;
  return fold(j, record_rows[row].record, time, result, problem);
}

static km_status fold_record(km_journal *j, const uint8_t *payload, uint32_t length, size_t offset,
                             km_error *error) {
  reader r = {payload, payload + length, NULL, NULL};
  if (!payload_sound(payload, length) || !next_pair(&r) || strcmp(r.key, "kind") != 0)
    return km_fail(error, KM_DAMAGED, 0, "journal: the record at byte %zu has no kind", offset);
  if (strcmp(r.value, "begin") == 0 && j->phase == KM_PHASE_NONE)
    return fold_begin(j, &r, error);
  if (j->phase != KM_PHASE_NONE && fold_short(j, r.value, &r))
    return KM_OK;
  char kind[64];
  km_escape(r.value, strlen(r.value), kind, sizeof kind);
  return km_fail(error, KM_DAMAGED, 0, "journal: the record \"%s\" at byte %zu is out of place",
                 kind, offset);
}

km_status km_journal_parse(const uint8_t *data, size_t size, km_journal *out, km_error *error) {
  memset(out, 0, sizeof *out);
  out->capacity = size;
  out->tail = KM_JOURNAL_HEADER;
  if (size > KM_MAX_JOURNAL)
    return km_fail(error, KM_LIMIT, 0, "journal: larger than %u bytes", KM_MAX_JOURNAL);
  if (km_all_zero(data, size < KM_JOURNAL_HEADER ? size : KM_JOURNAL_HEADER)) {
    if (size <= KM_JOURNAL_HEADER || !record_behind(data, size, KM_JOURNAL_HEADER - 1, UINT32_MAX))
      return KM_OK;
    return km_fail(error, KM_DAMAGED, 0, "journal: its header is gone");
  }
  if (size < KM_JOURNAL_HEADER || memcmp(data, magic, sizeof magic - 1) != 0 ||
      !km_all_zero(data + sizeof magic - 1, KM_JOURNAL_HEADER - (sizeof magic - 1)))
    return km_fail(
        error, KM_DAMAGED, 0,
        "journal: the first line is not \"keymend journal 1\": it is damaged, or of another"
        " version of keymend");
  while (out->records < KM_MAX_JOURNAL_RECORDS) {
    uint32_t length = 0;
    if (!sound_record(data, size, out->tail, out->records, &length))
      break;
    km_status status = fold_record(out, data + out->tail + 8, length, out->tail, error);
    if (status != KM_OK)
      return status;
    out->tail += 8 + (size_t)length;
    out->records++;
  }
  if (record_behind(data, size, out->tail, out->records))
    return km_fail(error, KM_DAMAGED, 0,
                   "journal: record %" PRIu32 " at byte %zu is damaged, but a sound one follows it",
                   out->records, out->tail);
  return KM_OK;
}

/* ---- writing ---- */

typedef struct writer {
  uint8_t *data;
  size_t size, space;
  bool failed;
} writer;

static void write_bytes(writer *w, const void *data, size_t size) {
  if (w->failed)
    return;
  if (size > w->space - w->size) {
    size_t space = (w->size + size) * 2 + 256;
    uint8_t *grown = space > KM_MAX_JOURNAL ? NULL : realloc(w->data, space);
    if (grown == NULL) {
      w->failed = true;
      return;
    }
    w->data = grown;
    w->space = space;
  }
  memcpy(w->data + w->size, data, size);
  w->size += size;
}

static void write_text(writer *w, const char *key, const char *value) {
  write_bytes(w, key, strlen(key) + 1);
  write_bytes(w, value, strlen(value) + 1);
}

static void write_number(writer *w, const char *key, uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, value);
  write_text(w, key, text);
}

static void write_descriptor(writer *w, const char *key, const uint8_t *data, size_t size) {
  static const char digits[] = "0123456789abcdef";
  if (data == NULL)
    return;
  write_bytes(w, key, strlen(key) + 1);
  for (size_t i = 0; i < size; i++) {
    char pair[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
    write_bytes(w, pair, 2);
  }
  write_bytes(w, "", 1);
}

static void write_entry(writer *w, size_t index, const km_entry *e) {
  write_number(w, "file", index);
  write_text(w, "container", e->container);
  write_text(w, "reason", e->reason);
  write_text(w, "before", e->before);
  if (e->after != NULL)
    write_text(w, "after", e->after);
  write_number(w, "size", e->size);
  write_text(w, "sha256", e->sha256);
  write_number(w, "identity", e->identity);
  write_number(w, "seen-created", (uint64_t)e->seen_created);
  write_number(w, "created", (uint64_t)e->meta.created);
  write_number(w, "written", (uint64_t)e->meta.written);
  write_number(w, "attributes", e->meta.attributes);
  write_number(w, "mode", e->meta.mode);
  write_number(w, "uid", e->meta.uid);
  write_number(w, "gid", e->meta.gid);
  write_descriptor(w, "descriptor", e->meta.descriptor, e->meta.descriptor_size);
  write_descriptor(w, "descriptor-after", e->granted, e->granted_size);
}

/* Fills in length and checksum of the record that starts at `start`, and ends the journal behind
 * it. */
static void close_record(writer *w, size_t start, uint32_t number) {
  if (w->failed)
    return;
  uint32_t length = (uint32_t)(w->size - start - 8);
  put32(w->data + start, length);
  put32(w->data + start + 4, record_crc(w->data + start, length, number));
  write_bytes(w, "\0\0\0", 4);
}

km_status km_journal_encode(const km_journal *journal, uint8_t **data, size_t *size,
                            km_error *error) {
  writer w = {0};
  uint8_t header[KM_JOURNAL_HEADER + 8] = {0};
  memcpy(header, magic, sizeof magic - 1);
  write_bytes(&w, header, sizeof header);
  write_text(&w, "kind", "begin");
  write_number(&w, "time", (uint64_t)journal->begun);
  write_text(&w, "made-by", journal->made_by);
  write_text(&w, "store", journal->store);
  write_text(&w, "machine-guid", journal->machine_guid);
  write_text(&w, "policies", journal->policies);
  write_text(&w, "overrides", journal->overrides);
  if (journal->guid_before != NULL) {
    write_text(&w, "guid-before", journal->guid_before);
    write_text(&w, "guid-after", journal->guid_after);
  }
  for (size_t i = 0; journal->stop[i] != NULL; i++)
    write_text(&w, "stop", journal->stop[i]);
  for (size_t i = 0; journal->start[i] != NULL; i++)
    write_text(&w, "start", journal->start[i]);
  for (size_t i = 0; journal->ran != NULL && journal->ran[i] != NULL; i++)
    write_text(&w, "ran", journal->ran[i]);
  for (size_t i = 0; i < journal->entry_count; i++)
    write_entry(&w, i, &journal->entries[i]);
  close_record(&w, KM_JOURNAL_HEADER, 0);
  if (w.failed || w.size > KM_MAX_JOURNAL - KM_JOURNAL_RESERVE) {
    free(w.data);
    return km_fail(error, KM_LIMIT, 0, "the journal of this plan would be too large");
  }
  *data = w.data;
  *size = w.size;
  return KM_OK;
}

size_t km_journal_capacity(size_t begin_size) {
  return (begin_size + KM_JOURNAL_RESERVE + 4095) / 4096 * 4096;
}

bool km_journal_has_room(const km_journal *journal, size_t records) {
  return journal->records + records <= KM_MAX_JOURNAL_RECORDS &&
         journal->capacity - journal->tail >= records * (KM_MAX_SHORT_RECORD + 4);
}

/* A record that could not be flushed may stand there all the same: it is taken back as far as that
 * works. */
static km_status write_record(const km_backend *backend, km_file *file, size_t offset,
                              const writer *w, km_error *error) {
  static const uint8_t none[4];
  km_error later;
  km_status status = backend->journal_write(file, offset, w->data, w->size, error);
  if (status != KM_OK)
    backend->journal_write(file, offset, none, sizeof none, &later);
  return status;
}

km_status km_journal_append(const km_backend *backend, km_file *file, km_journal *journal,
                            km_record record, km_txn_state result, const char *problem,
                            km_error *error) {
  const char *kind = "";
  km_time now = km_time_now();
  writer w = {0};
  for (size_t i = 0; i < RECORD_ROWS; i++)
    if (record_rows[i].record == record)
      kind = record_rows[i].kind;
  write_bytes(&w, "\0\0\0\0\0\0\0", 8);
  write_text(&w, "kind", kind);
  write_number(&w, "time", (uint64_t)now);
  if (record == KM_RECORD_END)
    for (size_t i = 0; i < RESULT_ROWS; i++)
      if (result_rows[i].state == result)
        write_text(&w, "result", result_rows[i].id);
  if (problem != NULL) {
    char text[KM_MAX_MESSAGE];
    snprintf(text, sizeof text, "%s", problem);
    write_text(&w, "problem", text);
  }
  close_record(&w, 0, journal->records);
  km_status status = KM_OK;
  if (w.failed)
    status = km_fail(error, KM_MEMORY, 0, "journal: out of memory");
  else if (!km_journal_has_room(journal, 1))
    status = km_fail(error, KM_LIMIT, 0, "journal: it is full");
  else
    status = write_record(backend, file, journal->tail, &w, error);
  if (status == KM_OK && !fold(journal, record, now, result, problem))
    status = km_fail(error, KM_MISUSE, 0, "journal: the record \"%s\" is out of place", kind);
  if (status == KM_OK) {
    journal->tail += w.size - 4;
    journal->records++;
  }
  free(w.data);
  return status;
}
