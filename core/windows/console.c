/* console.c: process, terminal, user and machine on Windows */
#include "console.h"

#include "place.h"
#include "privilege.h"
#include "stdio.h"

#include <fcntl.h>
#include <io.h>
#include <string.h>

#define DEFAULT_WIDTH 80
#define MIN_WIDTH 20
#define MAX_WIDTH 1000

#ifndef ENABLE_VIRTUAL_TERMINAL_PROCESSING
#define ENABLE_VIRTUAL_TERMINAL_PROCESSING 0x0004
#endif

/* ---- The command line ---- */

static bool is_blank(wchar_t unit) {
  return unit == L' ' || unit == L'\t';
}

/* Takes a word off the command line as the C run-time does since 2008 (Microsoft: "Parsing C command-line arguments"):
 * 2n backslashes before a quotation mark are n, one more makes the mark a letter; "" within quotation marks is one. The
 * first word, the program, knows no backslashes. `out` has room for the whole line. */
static const wchar_t *take_word(const wchar_t *at, bool program, wchar_t *out) {
  bool quoted = false;
  while (*at != 0 && (quoted || !is_blank(*at))) {
    size_t slashes = 0;
    while (!program && at[slashes] == L'\\')
      slashes++;
    bool mark = at[slashes] == L'"';
    for (size_t i = mark ? slashes / 2 : slashes; i > 0; i--)
      *out++ = L'\\';
    at += slashes;
    if (mark && slashes % 2 != 0) {
      *out++ = *at++;
    } else if (mark) {
      at++;
      if (!program && quoted && *at == L'"')
        *out++ = *at++;
      else
        quoted = !quoted;
    } else if (slashes == 0) {
      *out++ = *at++;
    }
  }
  *out = 0;
  while (is_blank(*at))
    at++;
  return at;
}

/* The words of the command line; NULL: out of memory. They are never freed. */
static char **split_line(const wchar_t *line, int *count) {
  size_t length = wcslen(line);
  char **texts =
      calloc(length / 2 + 3, sizeof *texts); /* a word has a letter and a blank at least */
  wchar_t *word = malloc((length + 1) * sizeof *word);
  int found = 0;
  bool good = texts != NULL && word != NULL;
  while (good && (found == 0 || *line != 0)) {
    line = take_word(line, found == 0, word);
    texts[found] = km_narrow(word);
    good = texts[found++] != NULL;
  }
  free(word);
  *count = found;
  return good ? texts : NULL;
}

/* ---- The process ---- */

/* What newer systems can do for a program that is started from anywhere with all rights. */
static void harden(void) {
  typedef BOOL(WINAPI * heap_set)(HANDLE, int, void *, SIZE_T);
  typedef BOOL(WINAPI * dll_directory)(const wchar_t *);
  typedef BOOL(WINAPI * default_directories)(DWORD);
  const int terminate_on_corruption = 1;   /* HeapEnableTerminationOnCorruption */
  const DWORD system32_alone = 0x00000800; /* LOAD_LIBRARY_SEARCH_SYSTEM32 */
  heap_set set_heap = (heap_set)km_windows_function("kernel32.dll", "HeapSetInformation");
  dll_directory set_directory =
      (dll_directory)km_windows_function("kernel32.dll", "SetDllDirectoryW");
  default_directories set_defaults =
      (default_directories)km_windows_function("kernel32.dll", "SetDefaultDllDirectories");
  if (set_heap != NULL)
    (void)set_heap(NULL, terminate_on_corruption, NULL, 0);
  if (set_directory != NULL)
    (void)set_directory(L""); /* takes the current folder out of the search */
  if (set_defaults != NULL)
    (void)set_defaults(system32_alone);
}

void km_console_start(int *count, char ***texts) {
  (void)SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
  harden();
  (void)_setmode(1, _O_BINARY);
  (void)_setmode(2, _O_BINARY);
  char **words = split_line(GetCommandLineW(), count);
  if (words == NULL) {
    fputs("keymend: out of memory\n", stderr);
    exit(8);
  }
  *texts = words;
}

/* ---- The terminal ---- */

static HANDLE standard(int stream) {
  static const DWORD names[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  return stream >= 0 && stream <= 2 ? GetStdHandle(names[stream]) : INVALID_HANDLE_VALUE;
}

bool km_console_is_terminal(int stream) {
  DWORD mode;
  return GetConsoleMode(standard(stream), &mode) != 0;
}

unsigned km_console_width(void) {
  CONSOLE_SCREEN_BUFFER_INFO info;
  if (!GetConsoleScreenBufferInfo(standard(1), &info))
    return DEFAULT_WIDTH;
  /* A line that fills the last column is followed by an empty one. */
  int width = info.srWindow.Right - info.srWindow.Left;
  if (width < MIN_WIDTH)
    return MIN_WIDTH;
  return width > MAX_WIDTH ? MAX_WIDTH : (unsigned)width;
}

static DWORD mode_before; /* of the console, which the shell goes on using */

static void restore_mode(void) {
  (void)SetConsoleMode(standard(1), mode_before);
}

bool km_console_colour(void) {
  DWORD mode;
  if (!GetConsoleMode(standard(1), &mode))
    return false;
  if ((mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0)
    return true;
  if (!SetConsoleMode(standard(1), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
    return false; /* before Windows 10 */
  mode_before = mode;
  (void)atexit(restore_mode);
  return true;
}

/* ---- The user and the machine ---- */

/* Copies UTF-16 as UTF-8; "" when it is too long. */
static void put(const wchar_t *text, char *out, size_t room) {
  char *narrow = km_narrow(text);
  out[0] = '\0';
  if (narrow != NULL && strlen(narrow) < room)
    memcpy(out, narrow, strlen(narrow) + 1);
  free(narrow);
}

const char *km_console_host(char name[KM_MAX_HOST]) {
  wchar_t text[KM_MAX_HOST];
  DWORD size = KM_MAX_HOST;
  if (GetComputerNameExW(ComputerNamePhysicalDnsHostname, text, &size) && text[0] != 0)
    put(text, name, KM_MAX_HOST);
  else if (size = KM_MAX_HOST, GetComputerNameW(text, &size))
    put(text, name, KM_MAX_HOST);
  else
    name[0] = '\0';
  return name;
}

bool km_console_is_root(void) {
  return km_is_elevated();
}

bool km_console_history(char path[KM_MAX_CONSOLE_PATH]) {
  path[0] = '\0';
  return false;
}

const char *km_console_policies_folder(char path[KM_MAX_CONSOLE_PATH]) {
  static const char below[] = "\\keymend\\policies\\";
  wchar_t folder[MAX_PATH + 1] = L"";
  DWORD size = sizeof folder - sizeof *folder, type = REG_NONE;
  HKEY key;
  path[0] = '\0';
  if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Microsoft\\Windows\\CurrentVersion", 0,
                    KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
    return path;
  if (RegQueryValueExW(key, L"ProgramFilesDir", NULL, &type, (BYTE *)folder, &size) ==
          ERROR_SUCCESS &&
      type == REG_SZ)
    put(folder, path, KM_MAX_CONSOLE_PATH - sizeof below);
  RegCloseKey(key);
  if (path[0] != '\0')
    memcpy(path + strlen(path), below, sizeof below);
  return path;
}

static bool ends_with(const char *name, const char *suffix) {
  size_t length = strlen(name), wanted = strlen(suffix);
  return length > wanted && _stricmp(name + length - wanted, suffix) == 0;
}

km_status km_console_list(const char *folder, const char *suffix,
                          bool (*each)(void *user, const char *name), void *user, km_error *error) {
  char pattern[KM_MAX_CONSOLE_PATH + 2];
  WIN32_FIND_DATAW entry;
  snprintf(pattern, sizeof pattern, "%s\\*", folder);
  wchar_t *path = km_stdio_path(pattern);
  if (path == NULL)
    return km_windows_fail(error, ERROR_NOT_ENOUGH_MEMORY, "list", folder);
  HANDLE search = FindFirstFileW(path, &entry);
  DWORD code = search == INVALID_HANDLE_VALUE ? GetLastError() : ERROR_SUCCESS;
  free(path);
  if (code != ERROR_SUCCESS)
    return km_windows_status(code) == KM_NOT_FOUND ? KM_OK
                                                   : km_windows_fail(error, code, "list", folder);
  bool more = true;
  do {
    char *name = (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0
                     ? km_narrow(entry.cFileName)
                     : NULL;
    if (name != NULL && ends_with(name, suffix))
      more = each(user, name);
    free(name);
  } while (more && FindNextFileW(search, &entry));
  (void)FindClose(search);
  return KM_OK;
}

/* ---- Saving a file ---- */

/* Where a folder is: its volume, and its path there. */
typedef struct place {
  DWORD serial;
  wchar_t *path;
} place;

static bool find_place(const wchar_t *folder, place *out) {
  BY_HANDLE_FILE_INFORMATION info;
  HANDLE handle = CreateFileW(folder, FILE_READ_ATTRIBUTES, KM_SHARE_ALL, NULL, OPEN_EXISTING,
                              FILE_FLAG_BACKUP_SEMANTICS, NULL);
  out->path = NULL;
  if (handle == INVALID_HANDLE_VALUE)
    return false;
  if (GetFileInformationByHandle(handle, &info)) {
    out->serial = info.dwVolumeSerialNumber;
    out->path = km_place_name(handle);
  }
  CloseHandle(handle);
  return out->path != NULL;
}

static bool is_within(const place *inner, const char *folder) {
  place outer = {0, NULL};
  wchar_t *path = km_stdio_path(folder);
  bool within = path != NULL && find_place(path, &outer) && outer.serial == inner->serial &&
                km_place_within(outer.path, inner->path);
  free(outer.path);
  free(path);
  return within;
}

/* Whether the folder of the absolute `path` is one of `folders` or lies below. */
static bool is_below(const wchar_t *path, const char *const *folders, size_t count) {
  place here = {0, NULL};
  wchar_t *parent = _wcsdup(path), *end = parent != NULL ? wcsrchr(parent, L'\\') : NULL;
  bool below = false;
  if (end != NULL) {
    end[1] = 0;
    bool known = find_place(parent, &here);
    for (size_t i = 0; known && i < count && !below; i++)
      below = is_within(&here, folders[i]);
  }
  free(here.path);
  free(parent);
  return below;
}

static DWORD write_whole(const wchar_t *path, const char *data, size_t size) {
  DWORD done = 0, code = ERROR_SUCCESS;
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
  if (file == INVALID_HANDLE_VALUE)
    return GetLastError();
  while (code == ERROR_SUCCESS && size > 0) {
    DWORD part = size < 0x10000 ? (DWORD)size : 0x10000;
    if (!WriteFile(file, data, part, &done, NULL) || done == 0)
      code = GetLastError();
    data += done;
    size -= done;
  }
  if (code == ERROR_SUCCESS && !FlushFileBuffers(file))
    code = GetLastError();
  CloseHandle(file);
  return code;
}

/* Writes beside the absolute `path`, then takes its name. */
static DWORD replace_file(const wchar_t *path, const char *data, size_t size) {
  wchar_t ending[24];
  size_t length = wcslen(path);
  wchar_t *beside = malloc((length + 24) * sizeof *beside);
  if (beside == NULL)
    return ERROR_NOT_ENOUGH_MEMORY;
  memcpy(beside, path, length * sizeof *beside);
  _snwprintf(ending, 24, L".new-%lu", (unsigned long)GetCurrentProcessId());
  memcpy(beside + length, ending, (wcslen(ending) + 1) * sizeof *beside);
  DWORD code = write_whole(beside, data, size);
  if (code == ERROR_SUCCESS &&
      !MoveFileExW(beside, path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
    code = GetLastError();
  if (code != ERROR_SUCCESS && code != ERROR_FILE_EXISTS)
    (void)DeleteFileW(beside);
  free(beside);
  return code;
}

/* The absolute form of a path; NULL with GetLastError. */
static wchar_t *absolute(const char *path) {
  wchar_t *wide = km_stdio_path(path);
  DWORD room = wide != NULL ? GetFullPathNameW(wide, 0, NULL, NULL) : 0;
  wchar_t *full = room > 0 ? malloc(room * sizeof *full) : NULL;
  if (full != NULL && GetFullPathNameW(wide, room, full, NULL) >= room) {
    free(full);
    full = NULL;
  }
  free(wide);
  return full;
}

km_status km_console_save(const char *path, const char *data, size_t size,
                          const char *const *folders, size_t count, km_error *error) {
  const DWORD odd = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DEVICE;
  wchar_t *full = absolute(path);
  km_status status = KM_OK;
  if (full == NULL)
    return km_windows_fail(error, ERROR_BAD_PATHNAME, "save", path);
  DWORD attributes = GetFileAttributesW(full);
  if (is_below(full, folders, count))
    status = km_fail(error, KM_REFUSED, 0,
                     "save %s: it lies where the target is only read; save it elsewhere", path);
  else if (wcsncmp(full, L"\\\\.\\", 4) == 0 ||
           (attributes != INVALID_FILE_ATTRIBUTES && (attributes & odd) != 0))
    status = km_fail(error, KM_REFUSED, 0,
                     "save %s: it is there and no ordinary file; give another name", path);
  DWORD code = status == KM_OK ? replace_file(full, data, size) : ERROR_SUCCESS;
  free(full);
  return code != ERROR_SUCCESS ? km_windows_fail(error, code, "save", path) : status;
}
