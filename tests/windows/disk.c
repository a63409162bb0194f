/* disk.c: files and folders on Windows: what core/windows does with them, in a folder of its own
 *
 * disk FOLDER               runs all checks in FOLDER ("C:\disk"), which is made; ends with "N passed, N failed, N skipped"
 * disk lock FOLDER          takes the lock of the folder and says "locked" or why not; for the other process of a check
 * disk scan FOLDER          lists a folder: names, milliseconds, kilobytes that the listing took
 *
 * What the system under it does not keep (Wine: creation times, owners, data streams) is told as NOT SHOWN.
 */
#include "descriptor.h"
#include "windows/handle.h"
#include "windows/native.h"

#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winioctl.h>

static unsigned passed, failed, skipped;

static void check(bool good, const char *what, int line) {
  if (good) {
    passed++;
  } else {
    failed++;
    printf("FAIL  line %d: %s\n", line, what);
  }
}

static km_error why;

static void check_status(km_status got, km_status wanted, const char *what, int line) {
  check(got == wanted, what, line);
  if (got != wanted) {
    printf("      %s, not %s: %s\n", km_status_id(got), km_status_id(wanted),
           got ? why.message : "");
  }
}

#define CHECK(what) check((what), #what, __LINE__)
#define STATUS(wanted, call) check_status((call), (wanted), #call, __LINE__)
#define OK(call) STATUS(KM_OK, call)

static void not_shown(const char *what) {
  skipped++;
  printf("NOT SHOWN: %s\n", what);
}

/* ---- The place ---- */

static km_win_volume *volume;
static km_folder *here;
static char place[600]; /* the Windows path of `here` */

/* "\\?\<folder>\<name>" */
static wchar_t *full(const char *name) {
  static wchar_t paths[4][2000];
  static unsigned next;
  wchar_t *out = paths[next++ % 4];
  char text[1800];
  snprintf(text, sizeof text, "\\\\?\\%s%s%s", here ? here->path : place, *name ? "\\" : "", name);
  km_wide_into(text, out);
  return out;
}

static HANDLE open_win32(const char *name, DWORD access, DWORD share, DWORD disposition) {
  return CreateFileW(full(name), access, share, NULL, disposition, FILE_ATTRIBUTE_NORMAL, NULL);
}

static void make(const char *name, const char *content) {
  DWORD done;
  SetFileAttributesW(full(name), FILE_ATTRIBUTE_NORMAL);
  HANDLE file = open_win32(name, GENERIC_WRITE, 0, CREATE_ALWAYS);
  bool good =
      file != INVALID_HANDLE_VALUE && WriteFile(file, content, (DWORD)strlen(content), &done, NULL);
  CloseHandle(file);
  if (!good) {
    printf("FAIL  the file %s cannot be made: %lu\n", name, GetLastError());
    exit(1);
  }
}

/* Under Wine every file has the archive attribute. */
static DWORD kept(DWORD bits) {
  return bits & KM_ATTRIBUTES_KEPT & ~(DWORD)(volume->wine ? FILE_ATTRIBUTE_ARCHIVE : 0);
}

static DWORD attributes(const char *name) {
  return kept(GetFileAttributesW(full(name)));
}

static bool is_there(const char *name) {
  return GetFileAttributesW(full(name)) != INVALID_FILE_ATTRIBUTES;
}

/* Whether a file has this content. */
static bool has(const char *name, const char *content) {
  uint8_t *data;
  size_t size;
  bool same = km_disk_file_read(here, name, 1 << 20, &data, &size, NULL, &why) == KM_OK &&
              size == strlen(content) && !memcmp(data, content, size);
  km_secret_free(data, data ? size : 0);
  return same;
}

static km_folder *open_folder(const char *path) {
  km_folder *folder = NULL;
  km_win_folder_open(volume, NULL, path, &folder, &why);
  return folder;
}

/* ---- Texts ---- */

static void test_wide(void) {
  static const wchar_t odd[] = {L'a', 0xD800, L'b', 0xDC00, 0xD83D, 0xDD11, 0xFFFF, 0x20AC, 0};
  wchar_t back[64];
  char *text = km_narrow(odd);
  CHECK(!strcmp(text, "a\xED\xA0\x80"
                      "b\xED\xB0\x80\xF0\x9F\x94\x91\xEF\xBF\xBF\xE2\x82\xAC"));
  CHECK(km_wide_into(text, back) == wcslen(odd) && !wcscmp(back, odd));
  free(text);
  wchar_t *broken = km_wide("x\xFFy\xE2\x82");
  CHECK(!wcscmp(broken, L"x\xFFFDy\xFFFD\xFFFD"));
  free(broken);
  char words[KM_MAX_WORDS];
  CHECK(!strcmp(km_windows_words(0x20001234, words), "error 0x20001234"));
  CHECK(*km_windows_words(ERROR_ACCESS_DENIED, words) && words[strlen(words) - 1] != '.');
  STATUS(KM_BUSY, km_windows_fail(&why, ERROR_SHARING_VIOLATION, "open", "C:\\x\x1b"));
  CHECK(strstr(why.message, "\\u{001B}") && why.native == ERROR_SHARING_VIOLATION);
  CHECK(km_windows_load(L"..\\kernel32.dll") == NULL && km_windows_load(L"version.dll") != NULL);
}

static void test_names(void) {
  static const char *const bad[] = {"", ".", "..", "a\\b", "a/b", "a:b", ":$DATA", "x\xFF"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    STATUS(KM_MISUSE, km_disk_check_name(bad[i], &why));
  }
  char longest[KM_MAX_NAME + 1];
  memset(longest, 'a', sizeof longest);
  longest[KM_MAX_NAME] = 0;
  STATUS(KM_MISUSE, km_disk_check_name(longest, &why));
  STATUS(KM_MISUSE, km_disk_check_name(NULL, &why));
  OK(km_disk_check_name("c23_\xED\xA0\x80 ", &why));
}

/* ---- Folders ---- */

static void test_paths(void) {
  char path[900];
  km_folder *folder;
  int fd;
  char four[4];
  make("file", "abcd");
  snprintf(path, sizeof path, "%s\\absent", place);
  STATUS(KM_NOT_FOUND, km_win_folder_open(volume, NULL, path, &folder, &why));
  snprintf(path, sizeof path, "%s\\absent\\more", place);
  STATUS(KM_NOT_FOUND, km_win_folder_open(volume, NULL, path, &folder, &why));
  snprintf(path, sizeof path, "%s\\file", place);
  STATUS(KM_NOT_FOUND, km_win_folder_open(volume, NULL, path, &folder, &why));
  OK(km_win_file_open(volume, path, &fd, &why));
  CHECK(fd >= 0 && _read(fd, four, 4) == 4 && !memcmp(four, "abcd", 4) && _close(fd) == 0);
  STATUS(KM_NOT_FOUND, km_win_file_open(volume, place, &fd, &why));
  snprintf(path, sizeof path, "%s\\..\\disk", place);
  STATUS(KM_OUTSIDE, km_win_folder_open(volume, NULL, path, &folder, &why));
  STATUS(KM_MISUSE, km_win_folder_open(volume, NULL, "disk", &folder, &why));
  STATUS(KM_MISUSE, km_win_folder_open(volume, NULL, "\\\\?\\C:\\disk", &folder, &why));
  snprintf(path, sizeof path, "%s\\", place);
  _strupr(path + 2);
  OK(km_win_folder_open(volume, NULL, path, &folder, &why));
  km_file_info info;
  OK(km_disk_file_info(folder, "FILE", &info, &why));
  km_disk_folder_close(folder);
  OK(km_win_folder_open(volume, NULL, "C:\\", &folder, &why));
  CHECK(folder && !strcmp(folder->path, "C:\\"));
  km_disk_folder_close(folder);
}

/* Names of a whole path beyond Windows' 260 characters. */
static void test_long_path(void) {
  char path[900] = "", name[41];
  km_folder *top = here, *deep;
  uint8_t *data;
  size_t size;
  memset(name, 'n', 40);
  name[40] = 0;
  snprintf(path, sizeof path, "%s", here->path);
  for (int i = 0; i < 12; i++) {
    snprintf(path + strlen(path), sizeof path - strlen(path), "\\%s", name);
    wchar_t wide[900];
    char prefixed[910];
    snprintf(prefixed, sizeof prefixed, "\\\\?\\%s", path);
    km_wide_into(prefixed, wide);
    CreateDirectoryW(wide, NULL);
  }
  deep = open_folder(path);
  CHECK(deep && strlen(deep->path) > 450);
  if (deep) {
    here = deep;
    make("old", "content");
    OK(km_disk_file_rename(deep, "old", deep, "new", false, &why));
    OK(km_disk_file_link(deep, "new", deep, "other", &why));
    OK(km_disk_file_read(deep, "other", 100, &data, &size, NULL, &why));
    km_secret_free(data, size);
    OK(km_disk_file_remove(deep, "new", &why));
    OK(km_disk_file_remove(deep, "other", &why));
    here = top;
    km_disk_folder_close(deep);
  }
}

static void test_listing(void) {
  static const char *const names[] = {"listed", "\xC3\xA9t\xC3\xA9", "\xF0\x9F\x94\x91 key"};
  unsigned found = 0, count = 0;
  km_listing *listing;
  const char *name;
  size_t length;
  bool folder, dots = false;
  km_status status;
  CreateDirectoryW(full("listing"), NULL);
  char path[700];
  snprintf(path, sizeof path, "%s\\listing", place);
  km_folder *top = here;
  here = open_folder(path);
  for (size_t i = 0; i < 3; i++) {
    make(names[i], "");
  }
  CreateDirectoryW(full("sub"), NULL);
  OK(km_disk_folder_list(here, &listing, &why));
  while ((status = km_disk_listing_next(listing, &name, &length, &folder, &why)) == KM_OK) {
    count++;
    dots |= name[0] == '.';
    CHECK(length == strlen(name) && folder == !strcmp(name, "sub"));
    for (size_t i = 0; i < 3; i++) {
      found += !strcmp(name, names[i]);
    }
  }
  CHECK(status == KM_END && count == 4 && found == 3 && !dots);
  STATUS(KM_END, km_disk_listing_next(listing, &name, &length, &folder, &why));
  km_disk_listing_close(listing);
  km_disk_folder_close(here);
  here = top;
}

/* Two thousand names need several of the system's answers. */
static void test_many(void) {
  char name[32], path[700];
  km_listing *first, *second;
  const char *got;
  size_t length, count = 0;
  bool folder;
  km_folder *top = here;
  CreateDirectoryW(full("many"), NULL);
  snprintf(path, sizeof path, "%s\\many", place);
  here = open_folder(path);
  for (int i = 0; i < 2000; i++) {
    snprintf(name, sizeof name, "a rather long name %05d", i);
    make(name, "");
  }
  OK(km_disk_folder_list(here, &first, &why));
  OK(km_disk_listing_next(first, &got, &length, &folder, &why));
  OK(km_disk_folder_list(here, &second, &why));
  while (km_disk_listing_next(second, &got, &length, &folder, &why) == KM_OK) {
    count++;
  }
  CHECK(count == 2000);
  for (count = 1; km_disk_listing_next(first, &got, &length, &folder, &why) == KM_OK;) {
    count++;
  }
  CHECK(count == 2000);
  km_disk_listing_close(first);
  km_disk_listing_close(second);
  km_disk_folder_close(here);
  here = top;
}

/* ---- What a file is ---- */

static void test_info(void) {
  km_file_info info, other;
  make("info", "12345");
  SetFileAttributesW(full("info"), FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM);
  OK(km_disk_file_link(here, "info", here, "info2", &why));
  OK(km_disk_file_info(here, "info", &info, &why));
  OK(km_disk_file_info(here, "info2", &other, &why));
  CHECK(info.size == 5 && info.links == 2 && info.regular && !info.reparse);
  CHECK(info.identity != 0 && info.identity == other.identity && info.device == other.device);
  CHECK(kept(info.attributes) == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM));
  CHECK(llabs(km_time_now() - info.written) < INT64_C(600000000)); /* a minute */
  if (volume->wine) {
    CHECK(info.created == 0 && info.created_source == KM_TIME_NONE && info.owner_trusted);
  } else {
    CHECK(info.created != 0 && info.created_source == KM_TIME_NTFS && info.owner[0] == 'S');
  }
  OK(km_disk_file_info(here, "many", &info, &why));
  CHECK(!info.regular && (info.attributes & FILE_ATTRIBUTE_DIRECTORY));
  const km_opening look = {.share = KM_SHARE_ALL, .disposition = KM_OPEN_EXISTING, .look = true};
  km_native_standard standard;
  HANDLE handle;
  CHECK(km_native_open(here->handle, L"info", &look, &handle) == ERROR_SUCCESS &&
        km_native_standard_get(handle, &standard) == ERROR_SUCCESS && standard.size == 5);
  CloseHandle(handle);
  STATUS(KM_NOT_FOUND, km_disk_file_info(here, "absent", &info, &why));
  STATUS(KM_NOT_FOUND, km_disk_file_info(here, "a*", &info, &why));
  STATUS(KM_MISUSE, km_disk_file_info(here, "info:stream", &info, &why));
  OK(km_disk_file_remove(here, "info2", &why));
}

static void test_times_file(void) {
  static const char rows[] = "path,created\nC:\\Microsoft\\Crypto\\x\\told,2004-09-14T07:08:00Z\n";
  km_times *times = NULL;
  km_file_info info;
  km_folder folder = *here;
  FILE *stream = tmpfile();
  if (!stream) {
    not_shown("a times file (no temporary file can be made here)");
    return;
  }
  fputs(rows, stream);
  rewind(stream);
  OK(km_times_read(stream, "rows", &times, &why));
  fclose(stream);
  make("told", "");
  folder.times = times;
  folder.path = "C:\\Microsoft\\Crypto\\x";
  OK(km_disk_file_info(&folder, "told", &info, &why));
  char text[KM_TIME_TEXT];
  CHECK(!strcmp(km_time_text(info.created, text), "2004-09-14T07:08:00Z"));
  CHECK(info.created_source == KM_TIME_FILE);
  km_times_free(times);
}

/* ---- Reading ---- */

typedef struct release {
  HANDLE handle;
  DWORD milliseconds;
} release;

static DWORD WINAPI release_later(void *user) {
  release *it = user;
  Sleep(it->milliseconds);
  CloseHandle(it->handle);
  return 0;
}

static void test_read(void) {
  uint8_t *data;
  size_t size;
  km_file_info info;
  make("read", "hello");
  OK(km_disk_file_read(here, "read", 5, &data, &size, &info, &why));
  CHECK(size == 5 && !memcmp(data, "hello", 5) && info.size == 5);
  km_secret_free(data, size);
  STATUS(KM_LIMIT, km_disk_file_read(here, "read", 4, &data, &size, &info, &why));
  CHECK(data == NULL && info.size == 5);
  STATUS(KM_REFUSED, km_disk_file_read(here, "many", 4, &data, &size, &info, &why));
  STATUS(KM_NOT_FOUND, km_disk_file_read(here, "absent", 4, &data, &size, &info, &why));
  make("empty", "");
  OK(km_disk_file_read(here, "empty", 4, &data, &size, &info, &why));
  CHECK(size == 0 && data != NULL);
  km_secret_free(data, size);
  /* A service that has it open, also for writing, is not disturbed, and does not disturb. */
  HANDLE service =
      open_win32("read", GENERIC_READ | GENERIC_WRITE,
                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_EXISTING);
  CHECK(service != INVALID_HANDLE_VALUE && has("read", "hello"));
  CloseHandle(service);
}

static void test_sharing(void) {
  uint8_t *data;
  size_t size;
  km_file_info info = {0};
  make("shared", "hello");
  km_disk_patience(1);
  HANDLE alone = open_win32("shared", GENERIC_READ, 0, OPEN_EXISTING);
  DWORD begun = GetTickCount();
  STATUS(KM_BUSY, km_disk_file_read(here, "shared", 100, &data, &size, &info, &why));
  DWORD took = GetTickCount() - begun;
  CHECK(took >= 950 && took < 3000);
  CHECK(info.size == 5 && info.regular); /* what it is, is told nonetheless */
  begun = GetTickCount();
  STATUS(KM_BUSY, km_disk_file_read(here, "shared", 100, &data, &size, &info, &why));
  CHECK(GetTickCount() - begun < 500); /* the next ones are not waited for */
  km_disk_patience(5);
  release later = {alone, 300};
  HANDLE thread = CreateThread(NULL, 0, release_later, &later, 0, NULL);
  CHECK(has("shared", "hello"));
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

/* Who has an oplock of a file and does not give it up keeps nobody waiting for ever. */
static void test_oplock(void) {
  uint8_t *data;
  size_t size;
  DWORD got;
  km_file_info info = {0};
  OVERLAPPED request = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
  make("oplocked", "hello");
  HANDLE holder = CreateFileW(full("oplocked"), GENERIC_READ, KM_SHARE_ALL, NULL, OPEN_EXISTING,
                              FILE_FLAG_OVERLAPPED, NULL);
  if (DeviceIoControl(holder, FSCTL_REQUEST_BATCH_OPLOCK, NULL, 0, NULL, 0, &got, &request) ||
      GetLastError() != ERROR_IO_PENDING) {
    not_shown("an oplock that is not given up (there are none here)");
  } else {
    km_disk_patience(1);
    DWORD begun = GetTickCount();
    OK(km_disk_file_info(here, "oplocked", &info, &why));
    CHECK(info.size == 5 && !info.owner_trusted);
    STATUS(KM_BUSY, km_disk_file_read(here, "oplocked", 100, &data, &size, &info, &why));
    STATUS(KM_BUSY, km_disk_file_rename(here, "oplocked", here, "oplocked2", false, &why));
    CHECK(GetTickCount() - begun < 5000);
    km_disk_patience(5);
  }
  CloseHandle(holder);
  CHECK(has("oplocked", "hello"));
  CloseHandle(request.hEvent);
}

/* ---- Meta ---- */

static void test_meta(void) {
  km_file_meta meta, again;
  make("meta", "x");
  SetFileAttributesW(full("meta"), FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_READONLY);
  OK(km_disk_meta_read(here, "meta", &meta, &why));
  CHECK(kept(meta.attributes) == (FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_READONLY));
  CHECK(meta.descriptor != NULL && (meta.created != 0) == !volume->wine);
  OK(km_disk_meta_settable(here, "meta", &meta, &why));
  km_time written = meta.written;
  meta.written -= INT64_C(864000000000) * 400 + 1234567; /* 400 days, and an odd part of a second */
  if (meta.created) {
    meta.created -= INT64_C(864000000000) * 800 + 7654321;
  }
  meta.attributes = FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
  OK(km_disk_meta_write(here, "meta", &meta, &why));
  OK(km_disk_meta_read(here, "meta", &again, &why));
  CHECK(again.written == meta.written && again.created == meta.created && written != meta.written);
  CHECK(again.attributes == meta.attributes);
  CHECK(km_descriptor_equal(again.descriptor, again.descriptor_size, meta.descriptor,
                            meta.descriptor_size));
  free(again.descriptor);
  meta.attributes = 0;
  OK(km_disk_meta_write(here, "meta", &meta, &why));
  CHECK(attributes("meta") == 0);
  OK(km_disk_meta_write(here, "meta", &meta, &why));
  free(meta.descriptor);
  STATUS(KM_REFUSED, km_disk_meta_read(here, "many", &meta, &why));
  STATUS(KM_NOT_FOUND, km_disk_meta_read(here, "absent", &meta, &why));
}

/* Another DACL is read as it was set, and the one before it again. */
static void test_descriptor(void) {
  uint8_t private[KM_PRIVATE_DESCRIPTOR];
  km_file_meta meta, again;
  make("dacl", "x");
  OK(km_disk_meta_read(here, "dacl", &meta, &why));
  uint8_t *before = meta.descriptor;
  size_t before_size = meta.descriptor_size;
  meta.descriptor = private;
  meta.descriptor_size = km_descriptor_private(false, private);
  memset(private + 4, 0, 8); /* owner and group stay */
  OK(km_disk_meta_write(here, "dacl", &meta, &why));
  OK(km_disk_meta_read(here, "dacl", &again, &why));
  CHECK(!km_descriptor_equal(again.descriptor, again.descriptor_size, before, before_size));
  if (volume->wine) {
    not_shown("descriptors are kept exactly (Wine keeps mode bits)");
  } else {
    km_descriptor_parts wanted, parts;
    CHECK(km_descriptor_take(private, sizeof private, &wanted) &&
          km_descriptor_take(again.descriptor, again.descriptor_size, &parts));
    CHECK((parts.control & KM_CONTROL_DACL_PROTECTED) && parts.dacl_size == wanted.dacl_size &&
          !memcmp(parts.dacl + 4, wanted.dacl + 4, wanted.dacl_size - 4));
  }
  free(again.descriptor);
  meta.descriptor = before;
  meta.descriptor_size = before_size;
  OK(km_disk_meta_write(here, "dacl", &meta, &why));
  OK(km_disk_meta_read(here, "dacl", &again, &why));
  CHECK(km_descriptor_equal(again.descriptor, again.descriptor_size, before, before_size));
  free(again.descriptor);
  meta.descriptor_size = 30; /* a damaged one is not given to the system */
  STATUS(KM_IO, km_disk_meta_write(here, "dacl", &meta, &why));
  free(before);
}

static void test_streams(void) {
  km_file_meta meta;
  char name[] = "streams:extra";
  make("streams", "x");
  HANDLE stream = open_win32(name, GENERIC_WRITE, 0, CREATE_ALWAYS);
  if (volume->wine) {
    if (stream != INVALID_HANDLE_VALUE) {
      CloseHandle(stream);
    }
    not_shown("a file with further data streams is refused (Wine has none)");
    return;
  }
  CHECK(stream != INVALID_HANDLE_VALUE);
  CloseHandle(stream);
  STATUS(KM_IO, km_disk_meta_read(here, "streams", &meta, &why));
  CHECK(strstr(why.message, ":extra:$DATA") != NULL);
}

/* ---- Private folders ---- */

static void test_private(void) {
  km_folder *folder, *again, *inner;
  km_file *journal;
  STATUS(KM_NOT_FOUND, km_disk_private_folder(here, "keymend", false, &folder, &why));
  OK(km_disk_private_folder(here, "keymend", true, &folder, &why));
  CHECK(is_there("keymend") && !is_there("keymend.new"));
  OK(km_disk_private_folder(here, "KEYMEND", true, &again, &why));
  km_disk_folder_close(again);
  OK(km_disk_private_folder(folder, "inner", true, &inner, &why));
  CHECK(strlen(inner->path) == strlen(place) + strlen("\\keymend\\inner"));
  OK(km_disk_journal_create(inner, "journal", 10, &journal, &why));
  km_disk_journal_close(journal);
  STATUS(KM_EXISTS, km_disk_folder_remove(folder, "inner", &why));
  OK(km_disk_file_remove(inner, "journal", &why));
  km_disk_folder_close(inner);
  OK(km_disk_folder_remove(folder, "inner", &why));
  STATUS(KM_NOT_FOUND, km_disk_folder_remove(folder, "inner", &why));
  km_disk_folder_close(folder);

  CreateDirectoryW(full("forged"), NULL);
  STATUS(KM_FORGED, km_disk_private_folder(here, "forged", true, &folder, &why));
  make("forged2", "");
  STATUS(KM_FORGED, km_disk_private_folder(here, "forged2", true, &folder, &why));
  STATUS(KM_REFUSED, km_disk_folder_remove(here, "forged2", &why));
  /* What an interrupted run left is taken away; what others put there is not. */
  CreateDirectoryW(full("left.new"), NULL);
  OK(km_disk_private_folder(here, "left", true, &folder, &why));
  km_disk_folder_close(folder);
  CHECK(!is_there("left.new"));
  make("taken.new", "");
  OK(km_disk_private_folder(here, "taken", true, &folder, &why));
  km_disk_folder_close(folder);
  CHECK(is_there("taken.new"));
}

/* ---- Copies, names ---- */

static void test_copy(void) {
  char sha256[KM_SHA256_TEXT], wanted[KM_SHA256_TEXT];
  km_file_meta meta, copied;
  const char content[] = "the bytes of a key";
  make("source", content);
  SetFileAttributesW(full("source"), FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_READONLY);
  OK(km_disk_meta_read(here, "source", &meta, &why));
  meta.written -= INT64_C(864000000000);
  OK(km_disk_meta_write(here, "source", &meta, &why));
  OK(km_disk_file_copy(here, "source", here, "copy", sha256, &why));
  km_sha256(content, strlen(content), wanted);
  CHECK(!strcmp(sha256, wanted) && has("copy", content));
  OK(km_disk_meta_read(here, "copy", &copied, &why));
  CHECK(copied.written == meta.written && copied.created == meta.created &&
        copied.attributes == meta.attributes);
  CHECK(km_descriptor_equal(copied.descriptor, copied.descriptor_size, meta.descriptor,
                            meta.descriptor_size));
  free(copied.descriptor);
  free(meta.descriptor);
  STATUS(KM_EXISTS, km_disk_file_copy(here, "source", here, "copy", sha256, &why));
  STATUS(KM_NOT_FOUND, km_disk_file_copy(here, "absent", here, "copy2", sha256, &why));
  STATUS(KM_REFUSED, km_disk_file_copy(here, "many", here, "copy2", sha256, &why));
  CHECK(!is_there("copy2"));
  km_disk_patience(0);
  make("written", "x");
  HANDLE writer = open_win32("written", GENERIC_WRITE,
                             FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, OPEN_EXISTING);
  STATUS(KM_BUSY, km_disk_file_copy(here, "written", here, "copy2", sha256, &why));
  CloseHandle(writer);
  km_disk_patience(5);
}

static void test_link(void) {
  km_file_info info;
  make("one", "1");
  OK(km_disk_file_link(here, "one", here, "two", &why));
  OK(km_disk_file_info(here, "two", &info, &why));
  CHECK(info.links == 2 && has("two", "1"));
  STATUS(KM_EXISTS, km_disk_file_link(here, "one", here, "two", &why));
  STATUS(KM_NOT_FOUND, km_disk_file_link(here, "absent", here, "three", &why));
  STATUS(KM_UNSUPPORTED, km_disk_file_link(here, "many", here, "three", &why));
  OK(km_disk_file_remove(here, "one", &why));
  OK(km_disk_file_info(here, "two", &info, &why));
  CHECK(info.links == 1);
}

static void test_rename(void) {
  km_file_info before, after;
  make("from", "from");
  make("to", "to");
  OK(km_disk_file_info(here, "from", &before, &why));
  STATUS(KM_EXISTS, km_disk_file_rename(here, "from", here, "to", false, &why));
  CHECK(has("from", "from") && has("to", "to"));
  OK(km_disk_file_rename(here, "from", here, "to", true, &why));
  CHECK(!is_there("from") && has("to", "from"));
  OK(km_disk_file_info(here, "to", &after, &why));
  CHECK(before.identity == after.identity && before.written == after.written &&
        before.created == after.created);
  STATUS(KM_NOT_FOUND, km_disk_file_rename(here, "from", here, "to", true, &why));
  CHECK(has("to", "from"));
  CreateDirectoryW(full("folder"), NULL);
  OK(km_disk_file_rename(here, "folder", here, "folder2", false, &why));
  CHECK(is_there("folder2") && !is_there("folder"));
  OK(km_disk_folder_remove(here, "folder2", &why));
  OK(km_disk_file_rename(here, "to", here, "To", true, &why));
  OK(km_disk_file_rename(here, "To", here, "to", false, &why));
}

static void test_rename_known(void) {
  char sha256[KM_SHA256_TEXT], other[KM_SHA256_TEXT];
  km_sha256("bytes", 5, sha256);
  km_sha256("others", 6, other);
  make("known", "bytes");
  make("place", "place");
  STATUS(KM_STALE, km_disk_file_rename_known(here, "known", here, "place", true, other, &why));
  STATUS(KM_EXISTS, km_disk_file_rename_known(here, "known", here, "place", false, sha256, &why));
  CHECK(has("known", "bytes") && has("place", "place"));
  OK(km_disk_file_rename_known(here, "known", here, "place", true, sha256, &why));
  CHECK(!is_there("known") && has("place", "bytes"));
  STATUS(KM_NOT_FOUND, km_disk_file_rename_known(here, "known", here, "place", true, sha256, &why));
  STATUS(KM_REFUSED, km_disk_file_rename_known(here, "many", here, "place", true, sha256, &why));
  /* Nobody may be writing to it meanwhile. */
  km_disk_patience(0);
  HANDLE writer = open_win32("place", GENERIC_WRITE, KM_SHARE_ALL, OPEN_EXISTING);
  STATUS(KM_BUSY, km_disk_file_rename_known(here, "place", here, "known", false, sha256, &why));
  CloseHandle(writer);
  km_disk_patience(5);
}

static void test_replace_read_only(void) {
  make("fresh", "fresh");
  make("kept", "kept");
  OK(km_disk_file_link(here, "kept", here, "kept2", &why));
  SetFileAttributesW(full("kept"), FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN);
  SetFileAttributesW(full("fresh"), FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM);
  OK(km_disk_file_rename(here, "fresh", here, "kept", true, &why));
  CHECK(has("kept", "fresh") && has("kept2", "kept"));
  CHECK(attributes("kept") == (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM));
}

/* A service that has the replaced file open: tried again until it lets go, else busy, and nothing is changed. */
static void test_replace_open(void) {
  make("new", "new");
  make("used", "used");
  SetFileAttributesW(full("used"), FILE_ATTRIBUTE_READONLY);
  km_disk_patience(1);
  HANDLE service = open_win32("used", GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING);
  STATUS(KM_BUSY, km_disk_file_rename(here, "new", here, "used", true, &why));
  CHECK(has("new", "new") && has("used", "used") && attributes("used") == FILE_ATTRIBUTE_READONLY);
  release later = {service, 300};
  HANDLE thread = CreateThread(NULL, 0, release_later, &later, 0, NULL);
  km_disk_patience(5);
  OK(km_disk_file_rename(here, "new", here, "used", true, &why));
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
  CHECK(has("used", "new") && !is_there("new"));
  /* The same for the file that is renamed. */
  make("moved", "moved");
  km_disk_patience(0);
  service = open_win32("moved", GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING);
  STATUS(KM_BUSY, km_disk_file_rename(here, "moved", here, "moved2", false, &why));
  STATUS(KM_BUSY, km_disk_file_remove(here, "moved", &why));
  CloseHandle(service);
  OK(km_disk_file_rename(here, "moved", here, "moved2", false, &why));
  km_disk_patience(5);
}

/* ---- A name that is replaced is there at every moment ---- */

static volatile LONG watching;
static LONG opened, absent, kept_out;

static DWORD WINAPI watch(void *user) {
  const wchar_t *path = user;
  while (watching) {
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    DWORD code = GetLastError();
    if (file != INVALID_HANDLE_VALUE) {
      opened++;
      CloseHandle(file);
    } else if (code == ERROR_FILE_NOT_FOUND) {
      absent++;
    } else {
      kept_out++;
    }
  }
  return 0;
}

static void test_no_gap(void) {
  wchar_t path[2000];
  make("watched", "x");
  wcscpy(path, full("watched"));
  watching = 1;
  HANDLE thread = CreateThread(NULL, 0, watch, path, 0, NULL);
  for (int i = 0; i < 50; i++) {
    make("next", "y");
    OK(km_disk_file_rename(here, "next", here, "watched", true, &why));
  }
  watching = 0;
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
  CHECK(opened > 50 && absent == 0);
  printf("watched name: %ld times opened, %ld absent, %ld kept out\n", opened, absent, kept_out);
}

static void test_remove(void) {
  make("gone", "x");
  OK(km_disk_file_link(here, "gone", here, "stays", &why));
  SetFileAttributesW(full("gone"), FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM);
  OK(km_disk_file_remove(here, "gone", &why));
  CHECK(!is_there("gone") &&
        attributes("stays") == (FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_SYSTEM));
  STATUS(KM_NOT_FOUND, km_disk_file_remove(here, "gone", &why));
  STATUS(KM_REFUSED, km_disk_file_remove(here, "many", &why));
  OK(km_disk_folder_flush(here, &why));
}

/* NTFS gives a file that gets a name freed within 15 seconds the creation time of the one that had it. */
static void test_tunnel(void) {
  km_file_info before, after;
  if (volume->wine) {
    not_shown("a rename to a name just freed keeps the creation time (Wine has none)");
    return;
  }
  make("tunnel", "old");
  Sleep(50);
  make("later", "new");
  OK(km_disk_file_info(here, "later", &before, &why));
  OK(km_disk_file_remove(here, "tunnel", &why));
  OK(km_disk_file_rename(here, "later", here, "tunnel", false, &why));
  OK(km_disk_file_info(here, "tunnel", &after, &why));
  CHECK(before.created == after.created);
}

/* ---- The journal, the volume, the lock ---- */

static void test_journal(void) {
  km_file *file;
  uint8_t *data;
  size_t size;
  OK(km_disk_journal_create(here, "journal", 100000, &file, &why));
  OK(km_disk_journal_write(file, 99995, "12345", 5, &why));
  OK(km_disk_journal_write(file, 0, "begin", 5, &why));
  STATUS(KM_LIMIT, km_disk_journal_write(file, 99996, "12345", 5, &why));
  STATUS(KM_LIMIT, km_disk_journal_write(file, UINT64_MAX, "12345", 5, &why));
  OK(km_disk_file_read(here, "journal", 200000, &data, &size, NULL, &why));
  CHECK(size == 100000 && !memcmp(data, "begin", 5) && !memcmp(data + 99995, "12345", 5) &&
        data[5] == 0);
  km_secret_free(data, size);
  km_disk_journal_close(file);
  STATUS(KM_EXISTS, km_disk_journal_create(here, "journal", 10, &file, &why));
  OK(km_disk_journal_open(here, "journal", &file, &why));
  OK(km_disk_journal_write(file, 5, "again", 5, &why));
  km_disk_journal_close(file);
  OK(km_disk_file_link(here, "journal", here, "journal2", &why));
  STATUS(KM_FORGED, km_disk_journal_open(here, "journal", &file, &why));
  STATUS(KM_REFUSED, km_disk_journal_open(here, "many", &file, &why));
  STATUS(KM_NOT_FOUND, km_disk_journal_open(here, "absent", &file, &why));
}

static void test_volume(void) {
  km_capability rows[KM_MAX_CAPABILITIES];
  size_t count = km_win_capabilities(volume, NULL, rows, KM_MAX_CAPABILITIES);
  CHECK(count == 8 && !strcmp(rows[0].id, "creation-times"));
  for (size_t i = 0; i < count; i++) {
    printf("%-16s %-3s %s\n", rows[i].id, rows[i].available ? "yes" : "no", rows[i].text);
  }
  OK(km_disk_volume_check(here, 1 << 20, &why));
  OK(km_disk_volume_check(here, 0, &why));
  STATUS(KM_NO_SPACE, km_disk_volume_check(here, UINT64_C(1) << 60, &why));
  CHECK(strstr(why.message, place) != NULL);
  bool wine = volume->wine;
  char driver[sizeof volume->driver];
  memcpy(driver, volume->driver, sizeof driver);
  strcpy(volume->driver, "fat32");
  STATUS(KM_REFUSED, km_disk_volume_check(here, 0, &why));
  strcpy(volume->driver, "zfs");
  STATUS(KM_REFUSED, km_disk_volume_check(here, 0, &why));
  memcpy(volume->driver, driver, sizeof driver);
  volume->read_only = true;
  STATUS(KM_READ_ONLY, km_disk_volume_check(here, 0, &why));
  volume->read_only = false;
  volume->wine = wine;
  km_win_volume *missing;
  STATUS(KM_NOT_FOUND, km_win_volume_open(L"\\??\\C:\\no such folder\\", false, &missing, &why));
}

/* A hibernated Windows that is mounted. */
static void test_hibernation(void) {
  char root[700];
  wchar_t nt[800];
  km_win_volume *mounted;
  km_folder *folder, *top = here;
  CreateDirectoryW(full("mounted"), NULL);
  snprintf(root, sizeof root, "\\??\\%s\\mounted\\", place);
  km_wide_into(root, nt);
  OK(km_win_volume_open(nt, false, &mounted, &why));
  CHECK(mounted && !strncmp(mounted->root, place, strlen(place)) &&
        !strcmp(mounted->root + strlen(place), "\\mounted"));
  OK(km_win_folder_open(mounted, NULL, "D:\\", &folder, &why));
  OK(km_disk_volume_check(folder, 0, &why));
  make("mounted\\hiberfil.sys", "hibr....");
  STATUS(KM_REFUSED, km_disk_volume_check(folder, 0, &why));
  make("mounted\\hiberfil.sys", "wake....");
  OK(km_disk_volume_check(folder, 0, &why));
  here = top;
  km_disk_folder_close(folder);
  km_win_volume_close(mounted);
}

/* Runs this program once more; what it printed. */
static void run_again(const char *folder, char *out, size_t size) {
  char command[1200], own[MAX_PATH];
  GetModuleFileNameA(NULL, own, sizeof own);
  snprintf(command, sizeof command, "\"%s\" lock %s", own, folder);
  out[0] = 0;
  FILE *pipe = _popen(command, "r");
  if (pipe) {
    if (!fgets(out, (int)size, pipe)) {
      out[0] = 0;
    }
    _pclose(pipe);
  }
}

static void test_lock(void) {
  void *lock, *second;
  char said[600];
  OK(km_win_lock(volume, place, &lock, &why));
  STATUS(KM_BUSY, km_win_lock(volume, place, &second, &why));
  run_again(place, said, sizeof said);
  CHECK(!strncmp(said, "busy", 4));
  km_win_unlock(lock);
  run_again(place, said, sizeof said);
  CHECK(!strncmp(said, "locked", 6));
  OK(km_win_lock(volume, place, &lock, &why)); /* the other process ended without letting go */
  km_win_unlock(lock);
  STATUS(KM_NOT_FOUND, km_win_lock(volume, "C:\\no such folder", &lock, &why));
}

/* A junction made with the system's own control code; Wine has none. */
static void test_reparse(void) {
  struct {
    DWORD tag;
    WORD bytes, reserved, name, name_bytes, print, print_bytes;
    wchar_t text[64];
  } junction = {0xA0000003, 0, 0, 0, 0, 0, 0, L"\\??\\C:\\"};
  km_file_info info;
  km_folder *folder;
  char path[700];
  DWORD size;
  junction.name_bytes = (WORD)(wcslen(junction.text) * 2);
  junction.print = (WORD)(junction.name_bytes + 2);
  junction.bytes = (WORD)(8 + junction.name_bytes + 4);
  CreateDirectoryW(full("junction"), NULL);
  HANDLE handle = CreateFileW(full("junction"), GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  bool made = DeviceIoControl(handle, 0x900A4 /* FSCTL_SET_REPARSE_POINT */, &junction,
                              8 + junction.bytes, NULL, 0, &size, NULL);
  CloseHandle(handle);
  if (!made) {
    not_shown("junctions are not followed (they cannot be made here)");
    return;
  }
  OK(km_disk_file_info(here, "junction", &info, &why));
  CHECK(info.reparse && !info.regular);
  snprintf(path, sizeof path, "%s\\junction", place);
  STATUS(KM_OUTSIDE, km_win_folder_open(volume, NULL, path, &folder, &why));
  snprintf(path, sizeof path, "%s\\junction\\disk", place);
  STATUS(KM_OUTSIDE, km_win_folder_open(volume, NULL, path, &folder, &why));
  STATUS(KM_FORGED, km_disk_private_folder(here, "junction", false, &folder, &why));
}

/* ---- All of it ---- */

static bool open_place(const char *folder) {
  wchar_t root[] = L"\\??\\C:\\";
  root[4] = (wchar_t)folder[0];
  snprintf(place, sizeof place, "%s", folder);
  return km_win_volume_open(root, true, &volume, &why) == KM_OK &&
         km_win_folder_open(volume, NULL, place, &here, &why) == KM_OK;
}

static int lock_it(void) {
  void *lock;
  km_status status = km_win_lock(volume, place, &lock, &why);
  printf("%s\n", status ? km_status_id(status) : "locked");
  return 0;
}

static int scan(void) {
  km_listing *listing;
  const char *name;
  size_t length, count = 0;
  bool folder;
  DWORD begun = GetTickCount();
  if (km_disk_folder_list(here, &listing, &why)) {
    printf("%s\n", why.message);
    return 1;
  }
  while (km_disk_listing_next(listing, &name, &length, &folder, &why) == KM_OK) {
    count++;
  }
  printf("%zu names in %lu ms, %zu KB for the listing\n", count, GetTickCount() - begun,
         _msize(listing) / 1024);
  km_disk_listing_close(listing);
  return 0;
}

static void run_all(void) {
  test_wide();
  test_names();
  test_paths();
  test_long_path();
  test_listing();
  test_many();
  test_info();
  test_times_file();
  test_read();
  test_sharing();
  test_oplock();
  test_meta();
  test_descriptor();
  test_streams();
  test_private();
  test_copy();
  test_link();
  test_rename();
  test_rename_known();
  test_replace_read_only();
  test_replace_open();
  test_no_gap();
  test_remove();
  test_tunnel();
  test_journal();
  test_volume();
  test_hibernation();
  test_lock();
  test_reparse();
}

int main(int count, char **texts) {
  const char *folder = count > 1 ? texts[count - 1] : "C:\\disk";
  if (count < 3) {
    snprintf(place, sizeof place, "%s", folder);
    CreateDirectoryW(full(""), NULL);
  }
  if (!open_place(folder)) {
    printf("%s\n", why.message);
    return 1;
  }
  if (count == 3) {
    return !strcmp(texts[1], "lock") ? lock_it() : scan();
  }
  setvbuf(stdout, NULL, _IONBF, 0);
  run_all();
  km_disk_folder_close(here);
  km_win_volume_close(volume);
  printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
  return failed != 0;
}
