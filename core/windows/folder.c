/* folder.c: folders, listings and reading of files on Windows. */
#include "folder.h"

#include "descriptor.h"
#include "privilege.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTING_BYTES 65536

static const char no_links[] = "keymend follows no links and no reparse points";

/* ---- Names and messages ---- */

const char *km_folder_shown(const km_folder *folder, const char *name, char text[KM_MAX_MESSAGE]) {
  char shown[KM_MAX_NAME / 2];
  size_t end = strlen(folder->path);
  km_escape(name, strlen(name), shown, sizeof shown);
  snprintf(text, KM_MAX_MESSAGE, "%.*s%s%s", KM_MAX_MESSAGE / 2, folder->path,
           end > 0 && folder->path[end - 1] == '\\' ? "" : "\\", shown);
  return text;
}

km_status km_folder_fail(km_error *error, uint32_t code, const char *operation,
                         const km_folder *folder, const char *name) {
  char text[KM_MAX_MESSAGE];
  return km_windows_fail(error, code, operation,
                         name ? km_folder_shown(folder, name, text) : folder->path);
}

/* A colon would open a data stream of another file. What else NTFS does not have in names (wildcards) is not found. */
static bool is_name(const char *name, size_t length) {
  return length > 0 && length < KM_MAX_NAME && !strpbrk(name, "/\\:") && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

km_status km_folder_name(const char *name, wchar_t wide[KM_MAX_NAME], km_error *error) {
  char shown[128], back[3 * KM_MAX_NAME + 1];
  name = name ? name : "";
  size_t length = strnlen(name, KM_MAX_NAME);
  if (is_name(name, length)) {
    /* Broken UTF-8 would open another file's name. */
    km_narrow_into(wide, km_wide_into(name, wide), back);
    if (!strcmp(name, back)) {
      return KM_OK;
    }
  }
  km_escape(name, length, shown, sizeof shown);
  return km_fail(error, KM_MISUSE, 0, "\"%s\" is not the name of a file in a folder", shown);
}

km_status km_disk_check_name(const char *name, km_error *error) {
  wchar_t wide[KM_MAX_NAME];
  return km_folder_name(name, wide, error);
}

/* ---- Opening ---- */

static uint32_t look_at(km_opened *file) {
  uint32_t code = km_native_basic_get(file->handle, &file->basic);
  return code ? code : km_native_standard_get(file->handle, &file->standard);
}

/* Opens a component; what it is stands in *out. A Win32 code. */
static uint32_t open_named(HANDLE folder, const wchar_t *name, const km_opening *how,
                           km_opened *out) {
  uint32_t code = km_native_open(folder, name, how, &out->handle);
  if (!code) {
    code = look_at(out);
    if (code) {
      CloseHandle(out->handle);
    }
  }
  if (code) {
    out->handle = NULL;
  }
  return code;
}

km_status km_folder_open_file(const km_folder *folder, const char *name, const km_opening *how,
                              const char *operation, km_opened *out, km_error *error) {
  wchar_t wide[KM_MAX_NAME];
  out->handle = NULL;
  km_status status = km_folder_name(name, wide, error);
  if (status) {
    return status;
  }
  uint32_t code = open_named(folder->handle, wide, how, out);
  return code ? km_folder_fail(error, code, operation, folder, name) : KM_OK;
}

static km_status fail_odd(const km_folder *folder, const char *name, const char *operation,
                          uint32_t attributes, km_error *error) {
  char shown[KM_MAX_MESSAGE];
  km_folder_shown(folder, name, shown);
  if (attributes & FILE_ATTRIBUTE_REPARSE_POINT) {
    return km_fail(error, KM_OUTSIDE, 0, "%s %s: it is a reparse point; %s", operation, shown,
                   no_links);
  }
  return km_fail(error, KM_REFUSED, 0, "%s %s: it is a folder", operation, shown);
}

static bool is_regular(uint32_t attributes) {
  return (attributes &
          (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DEVICE)) == 0;
}

km_status km_folder_open_regular(const km_folder *folder, const char *name, const km_opening *how,
                                 const char *operation, km_opened *out, km_error *error) {
  km_status status = km_folder_open_file(folder, name, how, operation, out, error);
  if (status || is_regular(out->basic.attributes)) {
    return status;
  }
  CloseHandle(out->handle);
  out->handle = NULL;
  return fail_odd(folder, name, operation, out->basic.attributes, error);
}

/* ---- Paths ---- */

static km_status fail_path(km_error *error, km_status status, const char *path,
                           const char *problem) {
  char shown[KM_MAX_MESSAGE / 2];
  km_escape(path, strlen(path), shown, sizeof shown);
  return km_fail(error, status, 0, "look up %s: %s", shown, problem);
}

static bool is_separator(char c) {
  return c == '\\' || c == '/';
}

/* Takes the next component of a path into `name`; *path goes on behind it. KM_END: there is none. */
static km_status next_part(const char *whole, const char **path, char name[KM_MAX_NAME],
                           wchar_t wide[KM_MAX_NAME], km_error *error) {
  while (is_separator(**path)) {
    ++*path;
  }
  size_t length = strcspn(*path, "\\/");
  if (length == 0) {
    return KM_END;
  }
  if (length >= KM_MAX_NAME) {
    return fail_path(error, KM_LIMIT, whole, "a component is too long");
  }
  memcpy(name, *path, length);
  name[length] = 0;
  *path += length;
  return km_folder_name(name, wide, NULL)
             ? fail_path(error, KM_OUTSIDE, whole, "a component leaves the path")
             : KM_OK;
}

static km_status fail_part(const char *path, const char *name, uint32_t code, km_error *error) {
  char problem[KM_MAX_MESSAGE / 2], shown[160];
  if (code != ERROR_CANT_ACCESS_FILE) {
    return km_windows_fail(error, code, "look up", path);
  }
  km_escape(name, strlen(name), shown, sizeof shown);
  snprintf(problem, sizeof problem, "\"%s\" is a reparse point; %s", shown, no_links);
  return fail_path(error, KM_OUTSIDE, path, problem);
}

/* Opens a component of a path: a folder (KM_OPEN_FOLDER in the options) or an ordinary file. To tell a reparse point
 * from them, it is opened whatever it is. */
static uint32_t open_part(HANDLE folder, const wchar_t *name, const km_opening *wanted,
                          HANDLE *out) {
  km_opened file;
  km_opening how = *wanted;
  bool to_folder = (wanted->options & KM_OPEN_FOLDER) != 0;
  how.options = 0;
  uint32_t code = open_named(folder, name, &how, &file);
  *out = file.handle;
  if (code) {
    return code;
  }
  uint32_t attributes = file.basic.attributes;
  if (attributes & FILE_ATTRIBUTE_REPARSE_POINT) {
    code = ERROR_CANT_ACCESS_FILE;
  } else if (to_folder != ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0)) {
    code = to_folder ? ERROR_DIRECTORY : ERROR_FILE_NOT_FOUND;
  }
  if (code) {
    CloseHandle(*out);
    *out = NULL;
  }
  return code;
}

/* Opens what a Windows path names, component by component; the drive letter is not looked at. */
static km_status walk(km_win_volume *volume, const char *path, const km_opening *last, HANDLE *out,
                      km_error *error) {
  static const km_opening on_the_way = {.share = KM_SHARE_ALL,
                                        .disposition = KM_OPEN_EXISTING,
                                        .options = KM_OPEN_FOLDER,
                                        .privileges = KM_PRIVILEGE_BACKUP,
                                        .look = true};
  char name[KM_MAX_NAME], next_name[KM_MAX_NAME];
  wchar_t wide[KM_MAX_NAME], next_wide[KM_MAX_NAME];
  HANDLE here = volume->handle;
  *out = NULL;
  bool letter = (path[0] >= 'A' && path[0] <= 'Z') || (path[0] >= 'a' && path[0] <= 'z');
  if (!letter || path[1] != ':' || !is_separator(path[2])) {
    return fail_path(error, KM_MISUSE, path, "it is no absolute Windows path");
  }
  const char *rest = path + 3;
  km_status status = next_part(path, &rest, name, wide, error);
  if (status == KM_END) {
    name[0] = 0;
    wide[0] = 0;
  }
  while (status == KM_OK || status == KM_END) {
    HANDLE next = NULL;
    km_status more = *name ? next_part(path, &rest, next_name, next_wide, error) : KM_END;
    if (more != KM_OK && more != KM_END) {
      status = more;
      break;
    }
    uint32_t code = open_part(here, wide, more == KM_END ? last : &on_the_way, &next);
    if (here != volume->handle) {
      CloseHandle(here);
    }
    if (code) {
      return fail_part(path, name, code, error);
    }
    if (more == KM_END) {
      *out = next;
      return KM_OK;
    }
    here = next;
    memcpy(name, next_name, sizeof name);
    memcpy(wide, next_wide, sizeof wide);
  }
  if (here != volume->handle) {
    CloseHandle(here);
  }
  return status;
}

/* ---- Folders ---- */

km_status km_folder_make(km_win_volume *volume, const km_times *times, const char *path,
                         const char *name, HANDLE handle, km_folder **out, km_error *error) {
  size_t length = strlen(path), size = length + (name ? strlen(name) : 0) + 2;
  km_folder *folder = malloc(sizeof *folder);
  char *copy = malloc(size);
  if (!folder || !copy) {
    free(folder);
    free(copy);
    CloseHandle(handle);
    return km_fail(error, KM_MEMORY, 0, "open the folder %s: out of memory", path);
  }
  bool separated = length > 0 && is_separator(path[length - 1]);
  if (name) {
    snprintf(copy, size, "%s%s%s", path, separated ? "" : "\\", name);
  } else {
    memcpy(copy, path, length + 1);
    if (separated && length > 3) {
      copy[length - 1] = 0;
    }
  }
  *folder = (km_folder){handle, copy, times, volume};
  *out = folder;
  return KM_OK;
}

static const km_opening to_list = {.access = FILE_LIST_DIRECTORY | FILE_TRAVERSE,
                                   .share = KM_SHARE_ALL,
                                   .disposition = KM_OPEN_EXISTING,
                                   .options = KM_OPEN_FOLDER,
                                   .privileges = KM_PRIVILEGE_BACKUP};

km_status km_win_folder_open(km_win_volume *volume, const km_times *times, const char *windows_path,
                             km_folder **out, km_error *error) {
  HANDLE handle;
  *out = NULL;
  km_status status = walk(volume, windows_path, &to_list, &handle, error);
  return status ? status : km_folder_make(volume, times, windows_path, NULL, handle, out, error);
}

void km_disk_folder_close(km_folder *folder) {
  if (folder) {
    CloseHandle(folder->handle);
    free(folder->path);
    free(folder);
  }
}

km_status km_win_file_open(km_win_volume *volume, const char *windows_path, int *fd,
                           km_error *error) {
  static const km_opening to_read = {.access = FILE_READ_DATA,
                                     .share = KM_SHARE_ALL,
                                     .disposition = KM_OPEN_EXISTING,
                                     .options = KM_OPEN_FILE,
                                     .privileges = KM_PRIVILEGE_BACKUP};
  HANDLE handle;
  *fd = -1;
  km_status status = walk(volume, windows_path, &to_read, &handle, error);
  if (status) {
    return status;
  }
  *fd = _open_osfhandle((intptr_t)handle, _O_RDONLY | _O_BINARY | _O_NOINHERIT);
  if (*fd < 0) {
    CloseHandle(handle);
    return km_windows_fail(error, ERROR_TOO_MANY_OPEN_FILES, "open", windows_path);
  }
  return KM_OK;
}

/* ---- Listings ---- */

/* FILE_DIRECTORY_INFORMATION. */
typedef struct entry {
  ULONG next, index;
  LONGLONG created, accessed, written, changed, size, allocated;
  ULONG attributes;
  ULONG name_bytes;
  wchar_t name[];
} entry;

/* Names are taken out of the buffer that the system filled: constant memory, no sorting, no file opened. */
struct km_listing {
  const km_folder *folder;
  HANDLE handle;
  bool begun, last;
  size_t at;
  char name[KM_MAX_NAME];
  _Alignas(16) uint8_t buffer[LISTING_BYTES];
};

km_status km_disk_folder_list(km_folder *folder, km_listing **out, km_error *error) {
  km_listing *listing = malloc(sizeof *listing);
  *out = NULL;
  if (!listing) {
    return km_fail(error, KM_MEMORY, 0, "list %s: out of memory", folder->path);
  }
  /* A handle of its own: the place in the list belongs to it. */
  uint32_t code = km_native_open(folder->handle, L"", &to_list, &listing->handle);
  if (code) {
    free(listing);
    return km_folder_fail(error, code, "list", folder, NULL);
  }
  listing->folder = folder;
  listing->begun = false;
  listing->last = true;
  listing->at = 0;
  *out = listing;
  return KM_OK;
}

/* The next entry, or NULL at the end (*code 0) or on failure. */
static const entry *next_entry(km_listing *listing, uint32_t *code) {
  *code = ERROR_SUCCESS;
  if (listing->last) {
    *code = km_native_list(listing->handle, listing->buffer, LISTING_BYTES, !listing->begun);
    if (*code) {
      *code = *code == ERROR_NO_MORE_FILES ? ERROR_SUCCESS : *code;
      return NULL;
    }
    listing->begun = true;
    listing->at = 0;
  }
  const entry *here = (const void *)(listing->buffer + listing->at);
  size_t left = LISTING_BYTES - listing->at;
  if (here->name_bytes > left - sizeof *here) {
    *code = ERROR_FILE_CORRUPT;
    return NULL;
  }
  listing->last = here->next < sizeof *here || here->next > left - sizeof *here;
  listing->at += here->next;
  return here;
}

static bool is_dots(const entry *here) {
  return here->name[0] == L'.' &&
         (here->name_bytes == sizeof(wchar_t) ||
          (here->name_bytes == 2 * sizeof(wchar_t) && here->name[1] == L'.'));
}

km_status km_disk_listing_next(km_listing *listing, const char **name, size_t *length,
                               bool *is_folder, km_error *error) {
  for (;;) {
    uint32_t code;
    const entry *here = next_entry(listing, &code);
    if (!here) {
      return code ? km_folder_fail(error, code, "list", listing->folder, NULL) : KM_END;
    }
    size_t units = here->name_bytes / sizeof *here->name;
    if (is_dots(here) || 3 * units + 1 > sizeof listing->name) {
      continue; /* no file system that keymend knows has names of more than 255 units */
    }
    *length = km_narrow_into(here->name, units, listing->name);
    *name = listing->name;
    *is_folder = (here->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    return KM_OK;
  }
}

void km_disk_listing_close(km_listing *listing) {
  if (listing) {
    CloseHandle(listing->handle);
    free(listing);
  }
}

/* ---- What a file is ---- */

/* Where the file system has no owners, everyone may do everything there, and nothing tells files apart. Under Wine all
 * files are the user's own. */
static void fill_owner(const km_folder *folder, HANDLE file, km_file_info *info) {
  uint8_t *descriptor;
  size_t size;
  if (!(folder->volume->flags & FILE_PERSISTENT_ACLS)) {
    info->owner_trusted = true;
    return;
  }
  if (km_meta_descriptor(file, OWNER_SECURITY_INFORMATION, &descriptor, &size)) {
    return;
  }
  km_descriptor_owner(descriptor, size, info->owner);
  info->owner_trusted =
      km_sid_trusted(info->owner) || (folder->volume->wine && km_meta_is_mine(info->owner));
  free(descriptor);
}

/* The creation time: what --times tells overrules, since only the time of the copy is kept when files were copied. */
static void fill_created(const km_folder *folder, const char *name, LONGLONG created,
                         km_file_info *info) {
  km_time told = km_times_created(folder->times, folder->path, name);
  if (told) {
    info->created = told;
    info->created_source = KM_TIME_FILE;
  } else if (created > 0 && !folder->volume->wine) {
    bool ntfs = !strcmp(folder->volume->driver, "ntfs") || !strcmp(folder->volume->driver, "refs");
    info->created = created;
    info->created_source = ntfs ? KM_TIME_NTFS : KM_TIME_BIRTH;
  }
}

static uint32_t fill_info(const km_folder *folder, const char *name, const km_opened *file,
                          km_file_info *info) {
  memset(info, 0, sizeof *info);
  uint32_t code = km_native_identity(file->handle, &info->identity);
  info->size = (uint64_t)file->standard.size;
  info->device = folder->volume->serial;
  info->links = file->standard.links;
  info->written = file->basic.written;
  info->attributes = file->basic.attributes & ~(uint32_t)FILE_ATTRIBUTE_NORMAL;
  info->regular = is_regular(file->basic.attributes);
  info->reparse = (file->basic.attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
  fill_owner(folder, file->handle, info);
  fill_created(folder, name, file->basic.created, info);
  return code;
}

km_status km_disk_file_info(km_folder *folder, const char *name, km_file_info *out,
                            km_error *error) {
  unsigned age = km_patience_age();
  km_opening how = {.access = READ_CONTROL,
                    .share = KM_SHARE_ALL,
                    .disposition = KM_OPEN_EXISTING,
                    .privileges = KM_PRIVILEGE_BACKUP,
                    .hurried = folder->volume->hurried == age};
  km_opened file;
  km_status status = km_folder_open_file(folder, name, &how, "look at", &file, error);
  if (status == KM_BUSY) {
    folder->volume->hurried = age;
  }
  if (status == KM_ACCESS || status == KM_BUSY) { /* then it has no owner that could be trusted */
    how.access = 0;
    how.look = true;
    status = km_folder_open_file(folder, name, &how, "look at", &file, error);
  }
  if (status) {
    return status;
  }
  uint32_t code = fill_info(folder, name, &file, out);
  CloseHandle(file.handle);
  return code ? km_folder_fail(error, code, "look at", folder, name) : KM_OK;
}

/* ---- Content ---- */

/* Windows before Vista, and later ones when told, move the time of the last access. A handle through which -1 was set
 * moves none; a system that takes -1 for a time gets back the one it had. */
static void keep_access_time(const km_opened *file) {
  km_native_basic quiet = {.accessed = -1}, now;
  if (km_native_basic_set(file->handle, &quiet) == ERROR_SUCCESS &&
      km_native_basic_get(file->handle, &now) == ERROR_SUCCESS &&
      now.accessed != file->basic.accessed) {
    quiet.accessed = file->basic.accessed;
    (void)km_native_basic_set(file->handle, &quiet);
  }
}

static km_status open_quietly(km_folder *folder, const char *name, bool hurried, km_opened *file,
                              km_error *error) {
  km_opening how = {.access = FILE_READ_DATA | READ_CONTROL,
                    .share = KM_SHARE_ALL,
                    .disposition = KM_OPEN_EXISTING,
                    .privileges = KM_PRIVILEGE_BACKUP,
                    .hurried = hurried};
  if (folder->volume->moves_access_times) {
    km_opening silent = how;
    silent.access |= FILE_WRITE_ATTRIBUTES;
    silent.privileges = 0;
    km_status status = km_folder_open_regular(folder, name, &silent, "read", file, error);
    if (status == KM_OK) {
      keep_access_time(file);
    }
    if (status != KM_ACCESS && status != KM_READ_ONLY) {
      return status;
    }
    folder->volume->loud |= status == KM_ACCESS;
  }
  return km_folder_open_regular(folder, name, &how, "read", file, error);
}

/* Opens a file for reading while others go on using it. Many files that are kept from being read, perhaps on purpose, cost
 * the patience once: after a first one the others are tried only once, until a patience is set anew. */
static km_status open_to_read(km_folder *folder, const char *name, km_opened *file,
                              km_error *error) {
  unsigned age = km_patience_age();
  km_status status = open_quietly(folder, name, folder->volume->hurried == age, file, error);
  if (status == KM_BUSY) {
    folder->volume->hurried = age;
  }
  return status;
}

static km_status read_whole(const km_folder *folder, const char *name, HANDLE file, size_t size,
                            uint8_t *data, km_error *error) {
  char shown[KM_MAX_MESSAGE];
  uint8_t extra;
  for (size_t used = 0;;) {
    size_t left = size - used;
    DWORD wanted = left == 0 ? 1 : left < 0x100000 ? (DWORD)left : 0x100000, got = 0;
    if (!ReadFile(file, left ? data + used : &extra, wanted, &got, NULL)) {
      return km_folder_fail(error, GetLastError(), "read", folder, name);
    }
    if (got == 0 && left == 0) {
      return KM_OK;
    }
    if (got == 0 || left == 0) {
      return km_fail(error, KM_LIMIT, 0, "read %s: it %s while it was read",
                     km_folder_shown(folder, name, shown), left ? "shrank" : "grew");
    }
    used += got;
  }
}

static km_status read_open(const km_folder *folder, const char *name, const km_opened *file,
                           size_t max, uint8_t **data, size_t *size, km_error *error) {
  char shown[KM_MAX_MESSAGE];
  uint64_t bytes = (uint64_t)file->standard.size;
  if (bytes > max) {
    return km_fail(error, KM_LIMIT, 0, "read %s: it has %llu bytes, more than %zu",
                   km_folder_shown(folder, name, shown), (unsigned long long)bytes, max);
  }
  size_t room = (size_t)bytes;
  uint8_t *buffer = malloc(room ? room : 1);
  if (!buffer) {
    return km_fail(error, KM_MEMORY, 0, "read %s: out of memory",
                   km_folder_shown(folder, name, shown));
  }
  km_status status = read_whole(folder, name, file->handle, room, buffer, error);
  if (status) {
    km_secret_free(buffer, room);
    return status;
  }
  *data = buffer;
  *size = room;
  return KM_OK;
}

km_status km_disk_file_read(km_folder *folder, const char *name, size_t max, uint8_t **data,
                            size_t *size, km_file_info *info, km_error *error) {
  km_file_info own;
  km_error why;
  km_opened file;
  *data = NULL;
  *size = 0;
  km_status status = open_to_read(folder, name, &file, &why);
  if (status) { /* what it is may be told although it cannot be read */
    if (info && (status == KM_ACCESS || status == KM_BUSY || status == KM_REFUSED ||
                 status == KM_OUTSIDE)) {
      (void)km_disk_file_info(folder, name, info, NULL);
    }
    return km_fail(error, status, why.native, "%s", why.message);
  }
  uint32_t code = fill_info(folder, name, &file, info ? info : &own);
  status = code ? km_folder_fail(error, code, "look at", folder, name)
                : read_open(folder, name, &file, max, data, size, error);
  CloseHandle(file.handle);
  return status;
}
