/* crash.c: linked into keymend.exe's own objects, ends the process at a chosen change of the running Windows
 *
 * Linked with --wrap=km_live_backend, so that the live backend's table is a copy in which every operation that changes
 * something counts: made private folders, copies, links, renames, removals, metadata, flushes, the machine GUID, the
 * journal, services. By the environment:
 *   KEYMEND_CRASH_AT=n     TerminateProcess before operation n (from 1)
 *   KEYMEND_CRASH_HALF=n   within it: half of a journal record's bytes are written; any other operation is not begun
 *   KEYMEND_CRASH_AFTER=n  right after it
 *   KEYMEND_CRASH_LOG=FILE a line "n operation" for each that was begun
 * The process then ends with 99. Unset, it is keymend.exe.
 *
 *   KEYMEND_BLOB=HEX   DPAPI blobs of key files get this provider (16 bytes) and these flags (4) before CryptUnprotectData
 *                      gets them: Wine opens only those that are as it writes them
 */
#include "backend.h"
#include "windows/cryptoapi.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRASHED 99

const km_backend *__real_km_live_backend(void);
const km_backend *__wrap_km_live_backend(void);

static const km_backend *real;
static unsigned long count;

/* The number in an environment variable; 0 when it is not set. */
static unsigned long number(const char *name) {
  char text[32] = "";
  DWORD length = GetEnvironmentVariableA(name, text, sizeof text);
  return length > 0 && length < sizeof text ? strtoul(text, NULL, 10) : 0;
}

static void end(void) {
  TerminateProcess(GetCurrentProcess(), CRASHED);
}

static void note(const char *operation) {
  char path[MAX_PATH] = "", line[64];
  DWORD length = GetEnvironmentVariableA("KEYMEND_CRASH_LOG", path, sizeof path), written;
  if (length == 0 || length >= sizeof path)
    return;
  HANDLE file = CreateFileA(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                            OPEN_ALWAYS, 0, NULL);
  if (file == INVALID_HANDLE_VALUE)
    return;
  int size = snprintf(line, sizeof line, "%lu %s\n", count, operation);
  WriteFile(file, line, (DWORD)size, &written, NULL);
  CloseHandle(file);
}

static void before(const char *operation) {
  count++;
  note(operation);
  if (count == number("KEYMEND_CRASH_AT") || count == number("KEYMEND_CRASH_HALF"))
    end();
}

static km_status after(km_status status) {
  if (count == number("KEYMEND_CRASH_AFTER"))
    end();
  return status;
}

static km_status private_folder(km_folder *parent, const char *name, bool create, km_folder **out,
                                km_error *error) {
  if (!create)
    return real->private_folder(parent, name, create, out, error);
  before("private_folder");
  return after(real->private_folder(parent, name, create, out, error));
}

static km_status file_copy(km_folder *from, const char *name, km_folder *to, const char *new_name,
                           char sha256[KM_SHA256_TEXT], km_error *error) {
  before("file_copy");
  return after(real->file_copy(from, name, to, new_name, sha256, error));
}

static km_status file_link(km_folder *from, const char *name, km_folder *to, const char *new_name,
                           km_error *error) {
  before("file_link");
  return after(real->file_link(from, name, to, new_name, error));
}

static km_status file_rename(km_folder *from, const char *name, km_folder *to, const char *new_name,
                             bool replace, km_error *error) {
  before("file_rename");
  return after(real->file_rename(from, name, to, new_name, replace, error));
}

static km_status file_rename_known(km_folder *from, const char *name, km_folder *to,
                                   const char *new_name, bool replace,
                                   const char sha256[KM_SHA256_TEXT], km_error *error) {
  before("file_rename_known");
  return after(real->file_rename_known(from, name, to, new_name, replace, sha256, error));
}

static km_status file_remove(km_folder *folder, const char *name, km_error *error) {
  before("file_remove");
  return after(real->file_remove(folder, name, error));
}

static km_status folder_remove(km_folder *parent, const char *name, km_error *error) {
  before("folder_remove");
  return after(real->folder_remove(parent, name, error));
}

static km_status meta_write(km_folder *folder, const char *name, const km_file_meta *meta,
                            km_error *error) {
  before("meta_write");
  return after(real->meta_write(folder, name, meta, error));
}

static km_status folder_flush(km_folder *folder, km_error *error) {
  before("folder_flush");
  return after(real->folder_flush(folder, error));
}

static km_status machine_guid_write(km_target *target, const char *old, const char *new,
                                    km_error *error) {
  before("machine_guid_write");
  return after(real->machine_guid_write(target, old, new, error));
}

static km_status machine_guid_settle(km_target *target, const char *now, km_error *error) {
  before("machine_guid_settle");
  return after(real->machine_guid_settle(target, now, error));
}

static km_status journal_create(km_folder *folder, const char *name, size_t size, km_file **out,
                                km_error *error) {
  before("journal_create");
  return after(real->journal_create(folder, name, size, out, error));
}

static km_status journal_write(km_file *file, uint64_t offset, const void *data, size_t size,
                               km_error *error) {
  if (count + 1 == number("KEYMEND_CRASH_HALF"))
    real->journal_write(file, offset, data, size / 2, error);
  before("journal_write");
  return after(real->journal_write(file, offset, data, size, error));
}

static km_status service_stop(km_target *target, const char *name, const km_wait *wait,
                              km_service_status *out, km_error *error) {
  before("service_stop");
  return after(real->service_stop(target, name, wait, out, error));
}

static km_status service_start(km_target *target, const char *name, const km_wait *wait,
                               km_service_status *out, km_error *error) {
  before("service_start");
  return after(real->service_start(target, name, wait, out, error));
}

enum { PROVIDER_AT = 4, PROVIDER_SIZE = 16, FLAGS_AT = 40, FLAGS_SIZE = 4 };

static uint8_t header[PROVIDER_SIZE + FLAGS_SIZE];

/* False when the environment tells none. */
static bool take_header(void) {
  char text[2 * sizeof header + 1] = "";
  if (GetEnvironmentVariableA("KEYMEND_BLOB", text, sizeof text) != 2 * sizeof header)
    return false;
  for (size_t i = 0; i < sizeof header; i++) {
    const char pair[3] = {text[2 * i], text[2 * i + 1], 0};
    header[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  return true;
}

static km_status unprotect(km_target *target, const uint8_t *blob, size_t size,
                           const uint8_t *entropy, size_t entropy_size, uint8_t *out,
                           size_t *out_size, km_decryptable *verdict, km_error *error) {
  uint8_t copy[4096];
  if (size < FLAGS_AT + FLAGS_SIZE || size > sizeof copy)
    return real->unprotect(target, blob, size, entropy, entropy_size, out, out_size, verdict,
                           error);
  memcpy(copy, blob, size);
  memcpy(copy + PROVIDER_AT, header, PROVIDER_SIZE);
  memcpy(copy + FLAGS_AT, header + PROVIDER_SIZE, FLAGS_SIZE);
  km_status status =
      real->unprotect(target, copy, size, entropy, entropy_size, out, out_size, verdict, error);
  if (status != KM_OK && error != NULL)
    *verdict = km_win_unprotect_verdict(target, blob, size, (uint32_t)error->native);
  return status;
}

const km_backend *__wrap_km_live_backend(void) {
  static km_backend table;
  real = __real_km_live_backend();
  if (real == NULL)
    return NULL;
  table = *real;
  table.private_folder = private_folder;
  table.file_copy = file_copy;
  table.file_link = file_link;
  table.file_rename = file_rename;
  table.file_rename_known = real->file_rename_known == NULL ? NULL : file_rename_known;
  table.file_remove = file_remove;
  table.folder_remove = folder_remove;
  table.meta_write = meta_write;
  table.folder_flush = folder_flush;
  table.machine_guid_write = machine_guid_write;
  table.machine_guid_settle = machine_guid_settle;
  table.journal_create = journal_create;
  table.journal_write = journal_write;
  table.service_stop = service_stop;
  table.service_start = service_start;
  if (take_header())
    table.unprotect = unprotect;
  return &table;
}
