/* fuzz_journal.c: a journal of any bytes is read without harm, and what is read keeps its promises
 */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good) {
  if (!good)
    abort();
}

static void check_entry(const km_entry *entry) {
  must(km_store_name_valid(entry->before));
  must(entry->after == NULL || km_store_name_valid(entry->after));
  must(entry->container != NULL && entry->reason != NULL);
  must(strlen(entry->sha256) == KM_SHA256_TEXT - 1);
  must(entry->size <= KM_MAX_KEY_FILE);
  must(entry->meta.descriptor_size <= KM_MAX_DESCRIPTOR);
  must((entry->meta.descriptor == NULL) == (entry->meta.descriptor_size == 0));
}

/* A transaction changes files or the machine GUID, from one GUID to another one. */
static void check_guids(const km_journal *journal) {
  char guid[KM_GUID_TEXT];
  must((journal->entry_count > 0) == (journal->guid_before == NULL));
  must((journal->guid_before == NULL) == (journal->guid_after == NULL));
  for (int i = 0; i < 2 && journal->guid_before != NULL; i++) {
    km_guid_form form = km_guid_parse(i ? journal->guid_after : journal->guid_before, guid);
    must(form == KM_GUID_PLAIN || form == KM_GUID_CASE);
  }
}

/* A begin record that was understood is written the same way again. */
static void check_again(const km_journal *journal) {
  uint8_t *again = NULL;
  size_t size = 0;
  km_journal copy;
  if (km_journal_encode(journal, &again, &size, NULL) != KM_OK)
    return;
  must(km_journal_parse(again, size, &copy, NULL) == KM_OK);
  must(copy.entry_count == journal->entry_count && copy.phase == KM_PHASE_APPLYING);
  for (size_t i = 0; i < copy.entry_count; i++)
    must(strcmp(copy.entries[i].before, journal->entries[i].before) == 0);
  km_journal_clear(&copy);
  free(again);
}

static void check(const uint8_t *data, size_t size) {
  km_error error;
  km_journal journal;
  km_status status = km_journal_parse(data, size, &journal, &error);
  must(status == KM_OK || status == KM_DAMAGED || status == KM_LIMIT || status == KM_MEMORY);
  if (status == KM_OK && journal.phase != KM_PHASE_NONE) {
    must(journal.tail <= size && journal.records > 0);
    check_guids(&journal);
    must(journal.entry_count <= KM_MAX_STEPS && journal.stop != NULL && journal.start != NULL);
    for (size_t i = 0; i < journal.entry_count; i++)
      check_entry(&journal.entries[i]);
    check_again(&journal);
  }
  km_journal_clear(&journal);
}

/* The input as it is, and with the checksums of its records made right, so that what is behind them
 * is reached. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check(data, size);
  if (size < KM_JOURNAL_HEADER + 8 || size > 65536)
    return 0;
  uint8_t *mended = malloc(size);
  if (mended == NULL)
    return 0;
  memcpy(mended, data, size);
  memset(mended, 0, KM_JOURNAL_HEADER);
  memcpy(mended, "keymend journal 1\n", 18);
  uint32_t number = 0;
  for (size_t at = KM_JOURNAL_HEADER; size - at >= 8; number++) {
    uint8_t tail[4] = {(uint8_t)number, (uint8_t)(number >> 8), 0, 0};
    uint32_t length = (uint32_t)mended[at] | (uint32_t)mended[at + 1] << 8;
    mended[at + 2] = mended[at + 3] = 0;
    if (length == 0 || length > size - at - 8)
      break;
    uint32_t crc = km_crc32c(0, mended + at, 4);
    crc = km_crc32c(km_crc32c(crc, mended + at + 8, length), tail, 4);
    for (int i = 0; i < 4; i++)
      mended[at + 4 + (size_t)i] = (uint8_t)(crc >> (8 * i));
    at += 8 + (size_t)length;
  }
  check(mended, size);
  free(mended);
  return 0;
}
