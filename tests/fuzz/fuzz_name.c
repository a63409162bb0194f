/* fuzz_name.c: any bytes as a name, a GUID, a time, a pattern, and through the escaping. */
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A macro, so that the analyzer sees what holds behind it. */
#define require(truth) ((truth) ? (void)0 : abort())

static void check_names(const char *text, size_t length) {
  static const char machine[] = "767e77b0-c6ad-4d27-8f44-b62351b7069a";
  char guid[KM_GUID_TEXT];
  km_unique_name name;
  km_guid_form form = km_guid_parse(text, guid);
  require((form == KM_GUID_MALFORMED) == (guid[0] == '\0'));
  bool unique = km_unique_name_parse(text, &name);
  km_name_class kind = km_name_classify(text, strlen(text), machine);
  require(unique == (kind != KM_NAME_STRAY));
  require(!unique || (kind == KM_NAME_CURRENT) == (strcmp(name.guid, machine) == 0));
  km_name_classify(text, length, machine);
  km_name_classify(text, length, NULL);
  km_known_container(text);
}

static void check_hashes(const char *text) {
  char hash[KM_HASH_TEXT];
  km_error error;
  km_status status = km_container_hash(text, hash, &error);
  require(strlen(hash) == (status == KM_OK ? 32u : 0u));
  status = km_cng_container_hash(text, hash, &error);
  require(strlen(hash) == (status == KM_OK ? 32u : 0u));
}

static void check_time(const char *text) {
  km_time t;
  km_time again;
  char written[KM_TIME_TEXT];
  if (!km_time_parse(text, &t)) {
    require(t == 0);
    return;
  }
  km_time_text(t, written);
  require(strlen(written) == 20);
  require(km_time_parse(written, &again) ? again == t - t % 10000000 : t < 10000000);
}

/* What comes out has no control byte, is UTF-8, needs no further escaping, and says its length
 * right. */
static void check_escape(const char *text, size_t length) {
  size_t needed = km_escape(text, length, NULL, 0);
  char *out = malloc(needed + 1);
  char *again = malloc(needed + 1);
  require(out != NULL && again != NULL);
  require(km_escape(text, length, out, needed + 1) == needed && strlen(out) == needed);
  require(km_escape(out, needed, again, needed + 1) == needed && strcmp(out, again) == 0);
  size_t used = 0;
  for (size_t at = 0; at < needed; at += used) {
    uint32_t code = km_utf8_next(out + at, needed - at, &used);
    require(code >= ' ' && code != 0x7F && code < KM_BROKEN_BYTE);
  }
  size_t room = length % (needed + 1);
  km_escape(text, length, again, room);
  require(room == 0 || strncmp(again, out, strlen(again)) == 0);
  free(again);
  free(out);
}

/* The first half as a pattern for the second. A text without its own wildcards fits itself. */
static void check_pattern(char *text) {
  require(km_pattern_match("*", text));
  require(km_pattern_match(text, text)); /* '*' and '?' fit themselves too */
  size_t half = strlen(text) / 2;
  char *name = text + half;
  char kept = *name;
  km_pattern_match(name, text);
  *name = '\0';
  km_pattern_match(text, name + (kept != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > 4096)
    return 0;
  char *text = malloc(size + 1);
  require(text != NULL);
  if (size > 0)
    memcpy(text, data, size);
  text[size] = '\0';
  check_names(text, size);
  check_hashes(text);
  check_time(text);
  check_escape(text, size);
  check_pattern(text);
  free(text);
  return 0;
}
