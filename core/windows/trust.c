/* trust.c: files whose text is acted on, by Windows owners and DACLs */
#include "console.h"

#include "place.h"
#include "stdio.h"
#include "writers.h"

#include <sddl.h>
#include <string.h>

#define MAX_ACCOUNT 512 /* bytes of "DOMAIN\name (SID)" */
#define PREFIX 4        /* units of \\?\ */

/* ---- Who somebody is ---- */

/* The caller's own SID as text, "" when it cannot be told. */
static const char *own_sid(char text[KM_SID_TEXT]) {
  union {
    TOKEN_USER user;
    BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  } data;
  HANDLE token;
  DWORD size = 0;
  text[0] = '\0';
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return text;
  if (GetTokenInformation(token, TokenUser, &data, sizeof data, &size))
    (void)km_sid_text(data.user.User.Sid, GetLengthSid(data.user.User.Sid), text);
  CloseHandle(token);
  return text;
}

/* "BUILTIN\Users (S-1-5-32-545)", or the SID alone when Windows knows no name. */
static const char *account(const char *sid, char text[MAX_ACCOUNT]) {
  wchar_t name[80], domain[80], both[164];
  DWORD name_size = 80, domain_size = 80;
  SID_NAME_USE use;
  PSID bytes = NULL;
  wchar_t *wide = km_wide(sid);
  snprintf(text, MAX_ACCOUNT, "%s", sid);
  if (wide != NULL && ConvertStringSidToSidW(wide, &bytes) &&
      LookupAccountSidW(NULL, bytes, name, &name_size, domain, &domain_size, &use)) {
    _snwprintf(both, 164, L"%ls%ls%ls", domain, domain[0] != 0 ? L"\\" : L"", name);
    char *narrow = km_narrow(both);
    if (narrow != NULL)
      snprintf(text, MAX_ACCOUNT, "%s (%s)", narrow, sid);
    free(narrow);
  }
  if (bytes != NULL)
    LocalFree(bytes);
  free(wide);
  return text;
}

/* ---- Judging one file or folder ---- */

static km_status refuse(km_error *error, const char *asked, const char *why) {
  char named[KM_MAX_MESSAGE / 4], folder[KM_MAX_CONSOLE_PATH];
  km_escape(asked, strlen(asked), named, sizeof named);
  km_console_policies_folder(folder);
  return km_fail(error, KM_REFUSED, 0,
                 "%s is not used with an administrator's rights: %s. Put it where only "
                 "administrators may write, such "
                 "as %s, or vouch for the file: --trust-file %s",
                 named, why, folder[0] != '\0' ? folder : "Program Files", named);
}

static const wchar_t *without_prefix(const wchar_t *path) {
  return wcsncmp(path, L"\\\\?\\", PREFIX) == 0 ? path + PREFIX : path;
}

/* `at`: its path, for the message. */
static km_status refuse_writers(km_error *error, const char *asked, bool folder, const wchar_t *at,
                                km_writers who, const char *sid) {
  char why[KM_MAX_MESSAGE / 2], shown[KM_MAX_MESSAGE / 4], name[MAX_ACCOUNT] = "";
  char *path = km_narrow(without_prefix(at));
  const char *what = folder ? "the folder" : "the file";
  km_escape(path != NULL ? path : "", path != NULL ? strlen(path) : 0, shown, sizeof shown);
  free(path);
  if (sid[0] != '\0')
    account(sid, name);
  if (who == KM_WRITERS_OWNER)
    snprintf(why, sizeof why, "%s %s belongs to %s", what, shown, name);
  else if (who == KM_WRITERS_OTHER)
    snprintf(why, sizeof why, "%s %s may be changed by %s", what, shown, name);
  else if (who == KM_WRITERS_EVERYONE)
    snprintf(why, sizeof why, "%s %s has no access list, so everybody may change it", what, shown);
  else
    snprintf(why, sizeof why, "who may change %s %s cannot be told", what, shown);
  return refuse(error, asked, why);
}

/* The self-relative descriptor of an open file or folder; NULL when it cannot be read. */
static uint8_t *descriptor_of(HANDLE handle, DWORD *size) {
  const SECURITY_INFORMATION parts =
      OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  *size = 0;
  (void)GetKernelObjectSecurity(handle, parts, NULL, 0, size);
  uint8_t *data = *size > 0 && *size <= KM_MAX_DESCRIPTOR ? malloc(*size) : NULL;
  if (data != NULL && !GetKernelObjectSecurity(handle, parts, data, *size, size)) {
    free(data);
    data = NULL;
  }
  return data;
}

static km_status judge(HANDLE handle, const char *asked, const wchar_t *at, uint32_t rights,
                       const char *own, km_error *error) {
  char sid[KM_SID_TEXT] = "";
  DWORD size;
  uint8_t *data = descriptor_of(handle, &size);
  km_writers who =
      data != NULL ? km_writers_judge(data, size, rights, own, sid) : KM_WRITERS_UNKNOWN;
  free(data);
  return who == KM_WRITERS_TRUSTED
             ? KM_OK
             : refuse_writers(error, asked, (rights & KM_RIGHTS_TOP) == KM_RIGHTS_TOP, at, who,
                              sid);
}

/* ---- The folders above ---- */

/* Whether a folder is one that Windows itself stands on: a drive's root, the Windows folder, Program Files. They are in
 * use at all times, so nobody renames them, and who can change what is above them can change Windows itself. */
static bool is_top(const wchar_t *folder) {
  wchar_t windows[MAX_PATH];
  char policies[KM_MAX_CONSOLE_PATH];
  const wchar_t *plain = folder + PREFIX;
  if (wcslen(plain) <= 3)
    return true;
  UINT length = GetSystemWindowsDirectoryW(windows, MAX_PATH);
  if (length > 0 && length < MAX_PATH && km_place_same(plain, windows))
    return true;
  char *below = strstr(km_console_policies_folder(policies), "\\keymend\\");
  if (below == NULL)
    return false;
  *below = '\0';
  wchar_t *programs = km_wide(policies);
  bool same = programs != NULL && km_place_same(plain, programs);
  free(programs);
  return same;
}

/* Judges the folders above the file `path` (\\?\C:\...), which is changed on the way. */
static km_status judge_folders(wchar_t *path, const char *asked, const char *own, km_error *error) {
  km_status status = KM_OK;
  for (bool top = false; status == KM_OK && !top;) {
    wchar_t *end = wcsrchr(path + PREFIX, L'\\');
    if (end == NULL)
      return refuse_writers(error, asked, true, path, KM_WRITERS_UNKNOWN, "");
    bool root = end == path + PREFIX + 2; /* C:\ keeps its backslash */
    end[root] = 0;
    top = root || is_top(path);
    HANDLE folder = CreateFileW(path, READ_CONTROL, KM_SHARE_ALL, NULL, OPEN_EXISTING,
                                FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (folder == INVALID_HANDLE_VALUE)
      return refuse_writers(error, asked, true, path, KM_WRITERS_UNKNOWN, "");
    status = judge(folder, asked, path, top ? KM_RIGHTS_TOP : KM_RIGHTS_FOLDER, own, error);
    CloseHandle(folder);
  }
  return status;
}

/* ---- Paths ---- */

/* The absolute path with long names; NULL when it is no path. */
static wchar_t *long_form(const char *path) {
  wchar_t *wide = km_stdio_path(path);
  DWORD room = wide != NULL ? GetFullPathNameW(wide, 0, NULL, NULL) : 0;
  wchar_t *full = room > 0 ? malloc(room * sizeof *full) : NULL, *whole = NULL;
  if (full != NULL && GetFullPathNameW(wide, room, full, NULL) < room) {
    room = GetLongPathNameW(full, NULL, 0);
    whole = room > 0 ? malloc(room * sizeof *whole) : NULL;
    if (whole != NULL && GetLongPathNameW(full, whole, room) >= room) {
      free(whole);
      whole = NULL;
    }
    if (whole == NULL) { /* it is not there, or a folder above cannot be listed */
      whole = full;
      full = NULL;
    }
  }
  free(full);
  free(wide);
  return whole;
}

/* The open file's own path, \\?\C:\..., without links: from Vista on Windows tells it; before, the name within the volume
 * is put behind the drive of the path that was opened. NULL when it has none. */
static wchar_t *real_path(HANDLE file, const wchar_t *opened) {
  typedef DWORD(WINAPI * final_path)(HANDLE, wchar_t *, DWORD, DWORD);
  final_path ask = (final_path)km_windows_function("kernel32.dll", "GetFinalPathNameByHandleW");
  wchar_t *path = calloc(KM_MAX_WIDE_PATH, sizeof *path);
  if (path == NULL)
    return NULL;
  if (ask != NULL) {
    DWORD length = ask(file, path, KM_MAX_WIDE_PATH, 0);
    if (length > 0 && length < KM_MAX_WIDE_PATH)
      return path;
  } else {
    wchar_t *name = km_place_name(file);
    size_t length = name != NULL ? wcslen(name) : KM_MAX_WIDE_PATH;
    if (length < KM_MAX_WIDE_PATH - PREFIX - 2) {
      memcpy(path, L"\\\\?\\", PREFIX * sizeof *path);
      memcpy(path + PREFIX, without_prefix(opened), 2 * sizeof *path);
      memcpy(path + PREFIX + 2, name, length * sizeof *path);
      free(name);
      return path;
    }
    free(name);
  }
  free(path);
  return NULL;
}

/* ---- Judging a path ---- */

/* Refuses what has no owners to be judged by. */
static km_status judge_volume(HANDLE file, const char *asked, km_error *error) {
  km_native_volume volume;
  if (km_native_volume_get(file, &volume) != 0)
    return refuse(error, asked, "its volume does not tell whether it keeps access rights");
  if ((volume.characteristics & KM_DEVICE_REMOTE) != 0)
    return refuse(error, asked, "it is on another machine, whose users cannot be judged here");
  if ((volume.flags & FILE_PERSISTENT_ACLS) == 0)
    return refuse(error, asked, "its volume keeps no access rights, so everybody may change it");
  return KM_OK;
}

static km_status judge_path(HANDLE file, const wchar_t *opened, const char *asked,
                            km_error *error) {
  char own[KM_SID_TEXT], why[KM_MAX_MESSAGE / 2];
  own_sid(own);
  km_status status = judge_volume(file, asked, error);
  wchar_t *real = status == KM_OK ? real_path(file, opened) : NULL;
  if (status != KM_OK)
    return status;
  if (real == NULL || wcslen(real) <= PREFIX) {
    status = refuse(error, asked, "its path cannot be told");
  } else if (!km_place_same(real + PREFIX, without_prefix(opened))) {
    char *path = km_narrow(real + PREFIX);
    snprintf(why, sizeof why,
             "a link or substituted drive leads to it, which may be changed; its own path is %s",
             path != NULL ? path : "not known");
    free(path);
    status = refuse(error, asked, why);
  } else {
    status = judge(file, asked, real, KM_RIGHTS_FILE, own, error);
    if (status == KM_OK)
      status = judge_folders(real, asked, own, error);
  }
  free(real);
  return status;
}

/* ---- Reading ---- */

/* The index of the trusted path that names the open file, or -1. */
static int vouched(HANDLE file, const char *const *trusted, size_t count) {
  BY_HANDLE_FILE_INFORMATION info, other;
  int found = -1;
  if (!GetFileInformationByHandle(file, &info))
    return -1;
  for (size_t i = 0; i < count && found < 0; i++) {
    wchar_t *path = km_stdio_path(trusted[i]);
    HANDLE handle = path == NULL ? INVALID_HANDLE_VALUE
                                 : CreateFileW(path, FILE_READ_ATTRIBUTES, KM_SHARE_ALL, NULL,
                                               OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    free(path);
    if (handle == INVALID_HANDLE_VALUE)
      continue;
    if (GetFileInformationByHandle(handle, &other) &&
        other.dwVolumeSerialNumber == info.dwVolumeSerialNumber &&
        other.nFileIndexHigh == info.nFileIndexHigh && other.nFileIndexLow == info.nFileIndexLow)
      found = (int)i;
    CloseHandle(handle);
  }
  return found;
}

static km_status read_whole(HANDLE file, const char *path, size_t max, char **data, size_t *size,
                            km_error *error) {
  BY_HANDLE_FILE_INFORMATION info;
  if (!GetFileInformationByHandle(file, &info))
    return km_windows_fail(error, GetLastError(), "read", path);
  uint64_t length = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
  if (length > max)
    return km_fail(error, KM_LIMIT, 0, "read %s: it has more than %lu bytes", path,
                   (unsigned long)max);
  char *text = malloc((size_t)length + 1);
  if (text == NULL)
    return km_windows_fail(error, ERROR_NOT_ENOUGH_MEMORY, "read", path);
  size_t at = 0;
  DWORD got = 1;
  while (at < (size_t)length && got > 0) {
    size_t rest = (size_t)length - at;
    if (!ReadFile(file, text + at, rest < 0x10000 ? (DWORD)rest : 0x10000, &got, NULL)) {
      km_status status = km_windows_fail(error, GetLastError(), "read", path);
      free(text);
      return status;
    }
    at += got;
  }
  text[at] = '\0';
  *data = text;
  *size = at;
  return KM_OK;
}

km_status km_console_read_trusted(const char *path, size_t max, const char *const *trusted,
                                  size_t count, char **data, size_t *size, int *needed,
                                  km_error *error) {
  bool strict = km_console_is_root();
  int index = -1;
  wchar_t *whole = long_form(path);
  if (whole == NULL)
    return km_windows_fail(error, ERROR_BAD_PATHNAME, "read", path);
  /* While it is judged and read nobody may write to it or put another in its place. */
  HANDLE file = CreateFileW(whole, GENERIC_READ, strict ? FILE_SHARE_READ : KM_SHARE_ALL, NULL,
                            OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN, NULL);
  km_status status = KM_OK;
  if (file == INVALID_HANDLE_VALUE)
    status = km_windows_fail(error, GetLastError(), "read", path);
  else if (GetFileType(file) != FILE_TYPE_DISK)
    status = refuse(error, path, "it is no ordinary file");
  else if (strict)
    status = judge_path(file, whole, path, error);
  if (status == KM_REFUSED && (index = vouched(file, trusted, count)) >= 0)
    status = KM_OK;
  if (status == KM_OK && data != NULL)
    status = read_whole(file, path, max, data, size, error);
  if (file != INVALID_HANDLE_VALUE)
    CloseHandle(file);
  free(whole);
  if (needed != NULL)
    *needed = status == KM_OK ? index : -1;
  return status;
}
