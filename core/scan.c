/* scan.c: walks a key store's names in one pass, and surveys them. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_LENGTH (KM_HASH_TEXT - 1)
#define GUID_LENGTH (KM_GUID_TEXT - 1)
#define GUID_SLOTS 1024 /* of the hash table; a power of two, four times KM_MAX_GUIDS */

/* ---- Scan ---- */

struct km_scan {
  const km_backend *backend;
  km_folder *folder;
  km_listing *listing;
  const char *guid; /* the target's; NULL when there is none */
};

/* The folder of a kind beneath Common AppData, and its name in messages. */
static const char *const store_folders[] = {
    [KM_STORE_RSA] = "\\Microsoft\\Crypto\\RSA\\MachineKeys",
    [KM_STORE_CNG] = "\\Microsoft\\Crypto\\Keys",
    [KM_STORE_CNG_SYSTEM] = "\\Microsoft\\Crypto\\SystemKeys",
};

km_status km_store_folder(km_target *target, km_store_kind kind, km_folder **out, km_error *error) {
  char path[4096];
  const km_target_info *info = &target->info;
  *out = NULL;
  if ((unsigned)kind > KM_STORE_CNG_SYSTEM) {
    return km_fail(error, KM_MISUSE, 0, "%d is no kind of key store", (int)kind);
  }
  if (kind == KM_STORE_RSA && !info->key_store_found && info->key_store_problem) {
    return km_fail(error, KM_NOT_FOUND, 0, "open the key store: %s", info->key_store_problem);
  }
  if (!info->app_data) {
    return km_fail(error, KM_NOT_FOUND, 0, "open the key store: its path is not known");
  }
  int length = kind == KM_STORE_RSA && info->key_store
                   ? snprintf(path, sizeof path, "%s", info->key_store)
                   : snprintf(path, sizeof path, "%s%s", info->app_data, store_folders[kind]);
  if (length < 0 || (size_t)length >= sizeof path) {
    return km_fail(error, KM_LIMIT, 0, "open the key store: its path is too long");
  }
  return target->backend->folder_open(target, path, out, error);
}

km_status km_scan_open(km_target *target, km_store_kind kind, km_scan **out, km_error *error) {
  km_scan *scan = calloc(1, sizeof *scan);
  *out = NULL;
  if (!scan) {
    return km_fail(error, KM_MEMORY, 0, "scan the key store: out of memory");
  }
  scan->backend = target->backend;
  scan->guid = target->info.guid[0] ? target->info.guid : NULL;
  km_status status = km_store_folder(target, kind, &scan->folder, error);
  if (!status) {
    status = scan->backend->folder_list(scan->folder, &scan->listing, error);
  }
  if (status) {
    km_scan_close(scan);
    return status;
  }
  *out = scan;
  return KM_OK;
}

static km_status next_name(km_scan *scan, km_scan_entry *entry, bool *is_folder, km_error *error) {
  km_status status =
      scan->backend->listing_next(scan->listing, &entry->name, &entry->length, is_folder, error);
  if (!status) {
    entry->kind = km_name_classify(entry->name, entry->length, scan->guid);
  }
  return status;
}

km_status km_scan_next(km_scan *scan, km_scan_entry *entry, km_error *error) {
  bool is_folder;
  km_status status;
  do {
    status = next_name(scan, entry, &is_folder, error);
  } while (!status && is_folder);
  return status;
}

void km_scan_close(km_scan *scan) {
  if (!scan) {
    return;
  }
  if (scan->listing) {
    scan->backend->listing_close(scan->listing);
  }
  if (scan->folder) {
    scan->backend->folder_close(scan->folder);
  }
  free(scan);
}

/* ---- Survey ---- */

typedef struct wanted_hash {
  char text[HASH_LENGTH]; /* lower case */
  size_t matches[3];      /* by km_name_class */
} wanted_hash;

typedef struct surveyor {
  km_survey *survey;
  wanted_hash *wanted;
  size_t wanted_count;
  bool first[256]; /* whether a wanted hash begins with these two digits */
  size_t match_room;
  uint16_t slots[GUID_SLOTS]; /* index into survey->guids plus one */
} surveyor;

static char lower(char digit) {
  return digit >= 'A' && digit <= 'F' ? (char)(digit + 32) : digit;
}

/* The value of a hex digit of any case; 16 for another character. */
static unsigned digit_value(char digit) {
  char low = lower(digit);
  return low >= '0' && low <= '9'   ? (unsigned)(low - '0')
         : low >= 'a' && low <= 'f' ? (unsigned)(low - 'a' + 10)
                                    : 16;
}

static km_status no_memory(km_error *error) {
  return km_fail(error, KM_MEMORY, 0, "survey the key store: out of memory");
}

static km_status take_hashes(surveyor *state, const char *const *hashes, size_t count,
                             km_error *error) {
  state->wanted = calloc(count ? count : 1, sizeof *state->wanted);
  if (!state->wanted) {
    return no_memory(error);
  }
  for (size_t i = 0; i < count; i++) {
    wanted_hash *wanted = &state->wanted[i];
    bool valid = hashes[i] && strlen(hashes[i]) == HASH_LENGTH;
    for (size_t j = 0; valid && j < HASH_LENGTH; j++) {
      wanted->text[j] = lower(hashes[i][j]);
      valid = digit_value(wanted->text[j]) < 16;
    }
    if (!valid) {
      return km_fail(error, KM_MISUSE, 0, "a container hash has 32 hex digits");
    }
    state->first[digit_value(wanted->text[0]) << 4 | digit_value(wanted->text[1])] = true;
  }
  state->wanted_count = count;
  return KM_OK;
}

/* Counts a foreign file under its GUID suffix; open addressing, so no list is walked for a name. */
static void count_guid(surveyor *state, const char *suffix) {
  km_survey *survey = state->survey;
  char guid[KM_GUID_TEXT] = "";
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (size_t i = 0; i < GUID_LENGTH; i++) {
    guid[i] = lower(suffix[i]);
    hash = (hash ^ (unsigned char)guid[i]) * 16777619u;
  }
  for (size_t slot = hash % GUID_SLOTS;; slot = (slot + 1) % GUID_SLOTS) {
    size_t index = state->slots[slot];
    if (index == 0 && survey->guid_count == KM_MAX_GUIDS) {
      survey->other_guids++;
      return;
    }
    if (index == 0) {
      state->slots[slot] = (uint16_t)++survey->guid_count;
      km_guid_count *row = &survey->guids[survey->guid_count - 1];
      memcpy(row->guid, guid, sizeof guid);
      row->files = 1;
      return;
    }
    if (!memcmp(survey->guids[index - 1].guid, guid, GUID_LENGTH)) {
      survey->guids[index - 1].files++;
      return;
    }
  }
}

static bool begins_with(const char *name, const char *hash) {
  for (size_t i = 0; i < HASH_LENGTH; i++) {
    if (lower(name[i]) != hash[i]) {
      return false;
    }
  }
  return true;
}

static km_status keep_match(surveyor *state, const km_scan_entry *entry, size_t hash,
                            km_error *error) {
  km_survey *survey = state->survey;
  size_t *matches = &state->wanted[hash].matches[entry->kind];
  if (*matches == KM_MAX_MATCHES) {
    survey->truncated |= entry->kind != KM_NAME_STRAY;
    return KM_OK;
  }
  if (survey->match_count == state->match_room) {
    size_t room = state->match_room ? state->match_room * 2 : 16;
    km_match *rows = realloc(survey->matches, room * sizeof *rows);
    if (!rows) {
      return no_memory(error);
    }
    survey->matches = rows;
    state->match_room = room;
  }
  char *name = malloc(entry->length + 1);
  if (!name) {
    return no_memory(error);
  }
  memcpy(name, entry->name, entry->length);
  name[entry->length] = 0;
  ++*matches;
  survey->matches[survey->match_count++] = (km_match){name, entry->kind, hash};
  return KM_OK;
}

static km_status match_name(surveyor *state, const km_scan_entry *entry, km_error *error) {
  if (entry->length < HASH_LENGTH) {
    return KM_OK;
  }
  unsigned high = digit_value(entry->name[0]), low = digit_value(entry->name[1]);
  if (high > 15 || low > 15 || !state->first[high << 4 | low]) {
    return KM_OK;
  }
  km_status status = KM_OK;
  for (size_t i = 0; i < state->wanted_count && !status; i++) {
    if (begins_with(entry->name, state->wanted[i].text)) {
      status = keep_match(state, entry, i, error);
    }
  }
  return status;
}

static km_status survey_entries(surveyor *state, km_scan *scan, km_error *error) {
  km_survey *survey = state->survey;
  km_scan_entry entry;
  bool is_folder;
  km_status status;
  while ((status = next_name(scan, &entry, &is_folder, error)) == KM_OK) {
    if (is_folder && entry.kind == KM_NAME_STRAY) {
      continue;
    }
    survey->files += !is_folder;
    if (is_folder) {
      /* no file to count, but it stands where a key file would */
    } else if (entry.kind == KM_NAME_CURRENT) {
      survey->current++;
    } else if (entry.kind == KM_NAME_FOREIGN) {
      survey->foreign++;
      count_guid(state, entry.name + entry.length - GUID_LENGTH);
    } else {
      survey->stray++;
    }
    status = match_name(state, &entry, error);
    if (status) {
      return status;
    }
  }
  return status == KM_END ? KM_OK : status;
}

static int by_files(const void *left, const void *right) {
  const km_guid_count *a = left, *b = right;
  if (a->files != b->files) {
    return a->files < b->files ? 1 : -1;
  }
  return strcmp(a->guid, b->guid);
}

static int by_name(const void *left, const void *right) {
  const km_match *a = left, *b = right;
  int order = strcmp(a->name, b->name);
  return order ? order : a->hash < b->hash ? -1 : a->hash > b->hash;
}

km_status km_survey_store(km_target *target, const char *const *hashes, size_t hash_count,
                          km_survey **out, km_error *error) {
  surveyor *state = calloc(1, sizeof *state);
  km_survey *survey = calloc(1, sizeof *survey);
  km_scan *scan = NULL;
  *out = NULL;
  if (survey) {
    survey->guids = calloc(KM_MAX_GUIDS, sizeof *survey->guids);
  }
  km_status status = !state || !survey || !survey->guids ? no_memory(error) : KM_OK;
  if (!status) {
    state->survey = survey;
    status = take_hashes(state, hashes, hash_count, error);
  }
  if (!status) {
    status = km_scan_open(target, KM_STORE_RSA, &scan, error);
  }
  if (!status) {
    status = survey_entries(state, scan, error);
  }
  km_scan_close(scan);
  if (state) {
    free(state->wanted);
    free(state);
  }
  if (status) {
    km_survey_free(survey);
    return status;
  }
  qsort(survey->guids, survey->guid_count, sizeof *survey->guids, by_files);
  if (survey->match_count) {
    qsort(survey->matches, survey->match_count, sizeof *survey->matches, by_name);
  }
  *out = survey;
  return KM_OK;
}

void km_survey_free(km_survey *survey) {
  if (!survey) {
    return;
  }
  for (size_t i = 0; i < survey->match_count; i++) {
    free(survey->matches[i].name);
  }
  free(survey->matches);
  free(survey->guids);
  free(survey);
}
