/* stdio.c: files, standard streams and the environment with UTF-8 texts */
#define KM_STDIO_PLAIN
#define KM_STDIO_MODULES
#include "stdio.h"

#include "wide.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define LONGEST_PLAIN 247    /* units of a path that every function takes as it stands */
#define SEARCH_BESIDE 0x900u /* LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32 */

/* ---- Names ---- */

static wchar_t *wide_or_errno(const char *text) {
  wchar_t *wide = km_wide(text);
  if (wide == NULL)
    errno = ENOMEM;
  return wide;
}

/* The absolute path of `name` with \\?\ before it; NULL with errno. */
static wchar_t *extended(const wchar_t *name, DWORD room) {
  static const wchar_t local[] = L"\\\\?\\", share[] = L"\\\\?\\UNC";
  wchar_t *full = calloc(room + sizeof share / sizeof *share, sizeof *full);
  if (full == NULL) {
    errno = ENOMEM;
    return NULL;
  }
  DWORD length = GetFullPathNameW(name, room, full, NULL);
  if (length == 0 || length >= room) {
    free(full);
    errno = ENOENT;
    return NULL;
  }
  bool is_share = full[0] == L'\\' && full[1] == L'\\';
  const wchar_t *before = is_share ? share : local;
  size_t kept = is_share ? 1 : 0; /* \\server becomes \\?\UNC\server */
  memmove(full + wcslen(before), full + kept, (length + 1 - kept) * sizeof *full);
  memcpy(full, before, wcslen(before) * sizeof *full);
  return full;
}

wchar_t *km_stdio_path(const char *name) {
  wchar_t *wide = wide_or_errno(name);
  if (wide == NULL || wcsncmp(wide, L"\\\\?\\", 4) == 0 || wcsncmp(wide, L"\\\\.\\", 4) == 0)
    return wide;
  DWORD room = GetFullPathNameW(wide, 0, NULL, NULL);
  if (room <= LONGEST_PLAIN)
    return wide;
  wchar_t *full = extended(wide, room);
  free(wide);
  return full;
}

/* A mode of fopen, which is ASCII. */
static const wchar_t *wide_mode(const char *mode, wchar_t out[8]) {
  size_t length = 0;
  for (; length < 7 && mode[length] != '\0'; length++)
    out[length] = (wchar_t)(unsigned char)mode[length];
  out[length] = 0;
  return out;
}

FILE *km_stdio_fopen(const char *name, const char *mode) {
  wchar_t letters[8], *path = km_stdio_path(name);
  if (path == NULL)
    return NULL;
  FILE *file = _wfopen(path, wide_mode(mode, letters));
  int problem = errno;
  free(path);
  errno = problem;
  return file;
}

FILE *km_stdio_freopen(const char *name, const char *mode, FILE *file) {
  wchar_t letters[8], *path = km_stdio_path(name);
  if (path == NULL) {
    (void)fclose(file);
    return NULL;
  }
  FILE *again = _wfreopen(path, wide_mode(mode, letters), file);
  int problem = errno;
  free(path);
  errno = problem;
  return again;
}

FILE *km_stdio_popen(const char *command, const char *mode) {
  wchar_t letters[8], *wide = wide_or_errno(command);
  if (wide == NULL)
    return NULL;
  (void)fflush(NULL);
  FILE *pipe = _wpopen(wide, wide_mode(mode, letters));
  int problem = errno;
  free(wide);
  errno = problem;
  return pipe;
}

int km_stdio_remove(const char *name) {
  wchar_t *path = km_stdio_path(name);
  if (path == NULL)
    return -1;
  int result = _wremove(path), problem = errno;
  free(path);
  errno = problem;
  return result;
}

int km_stdio_rename(const char *from, const char *to) {
  wchar_t *old_path = km_stdio_path(from), *new_path = km_stdio_path(to);
  int result = -1;
  if (old_path != NULL && new_path != NULL)
    result = _wrename(old_path, new_path);
  int problem = errno;
  free(old_path);
  free(new_path);
  errno = problem;
  return result;
}

int km_stdio_system(const char *command) {
  if (command == NULL)
    return _wsystem(NULL);
  wchar_t *wide = wide_or_errno(command);
  if (wide == NULL)
    return -1;
  (void)fflush(NULL);
  int result = _wsystem(wide), problem = errno;
  free(wide);
  errno = problem;
  return result;
}

/* The C function's result has no owner. */
char *km_stdio_getenv(const char *name) {
  static PVOID volatile kept[64];
  static LONG next;
  wchar_t *wide = wide_or_errno(name);
  if (wide == NULL)
    return NULL;
  const wchar_t *found = _wgetenv(wide);
  char *text = found != NULL ? km_narrow(found) : NULL;
  free(wide);
  if (text != NULL)
    free(InterlockedExchangePointer(&kept[(ULONG)InterlockedIncrement(&next) % 64], text));
  return text;
}

/* ---- Temporary files ---- */

/* Makes a new, empty file. */
static bool make_temporary(wchar_t path[MAX_PATH]) {
  wchar_t folder[MAX_PATH];
  DWORD length = GetTempPathW(MAX_PATH, folder);
  if (length > 0 && length < MAX_PATH && GetTempFileNameW(folder, L"km", 0, path) != 0)
    return true;
  errno = EACCES;
  return false;
}

FILE *km_stdio_tmpfile(void) {
  wchar_t path[MAX_PATH];
  if (!make_temporary(path))
    return NULL;
  HANDLE handle =
      CreateFileW(path, GENERIC_READ | GENERIC_WRITE | DELETE, 0, NULL, TRUNCATE_EXISTING,
                  FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    errno = EACCES;
    return NULL;
  }
  int file = _open_osfhandle((intptr_t)handle, _O_RDWR | _O_BINARY);
  if (file < 0) {
    CloseHandle(handle);
    return NULL;
  }
  FILE *stream = _fdopen(file, "w+b");
  if (stream == NULL)
    _close(file);
  return stream;
}

char *km_stdio_tmpnam(char *name) {
  wchar_t path[MAX_PATH];
  if (name == NULL || !make_temporary(path)) /* the form without a buffer cannot be kept safe */
    return NULL;
  km_narrow_into(path, wcslen(path), name); /* 3 * MAX_PATH bytes at most */
  return name;
}

/* ---- Writing to a console ---- */

typedef struct output {
  char torn[4]; /* the beginning of a character whose rest comes with the next write */
  size_t length;
  bool failed;
} output;

static output outputs[2]; /* stdout, stderr */

/* The console behind a standard stream, else NULL. */
static HANDLE console_of(FILE *file) {
  DWORD mode;
  int number = _fileno(file);
  if (number < 0)
    return NULL;
  HANDLE handle = (HANDLE)_get_osfhandle(number);
  return handle != INVALID_HANDLE_VALUE && GetConsoleMode(handle, &mode) ? handle : NULL;
}

/* The console and the state of stdout or stderr; NULL for everything else. */
static output *output_of(FILE *file, HANDLE *console) {
  if (file != stdout && file != stderr)
    return NULL;
  *console = console_of(file);
  return *console != NULL ? &outputs[file == stderr] : NULL;
}

/* How many of the bytes stand before a character whose end is missing. */
static size_t whole_characters(const char *text, size_t length) {
  for (size_t back = 1; back <= 3 && back <= length; back++) {
    unsigned char byte = (unsigned char)text[length - back];
    if ((byte & 0xC0) == 0x80)
      continue;
    size_t need = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return need > back ? length - back : length;
  }
  return length;
}

/* Writes whole characters. A NUL byte, which no console shows, becomes a space. */
static bool write_units(HANDLE console, char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] == '\0')
      text[i] = ' ';
  }
  text[length] = '\0';
  wchar_t *units = km_wide(text);
  if (units == NULL)
    return false;
  DWORD count = (DWORD)wcslen(units), at = 0, done = 0;
  while (at < count && WriteConsoleW(console, units + at, count - at, &done, NULL) && done > 0)
    at += done;
  free(units);
  return at == count;
}

#define PIECE 4096 /* bytes; WriteConsoleW of old systems fails beyond some 26000 units */

static bool write_console(output *out, HANDLE console, const char *data, size_t size) {
  char piece[PIECE + 1];
  while (size > 0) {
    size_t held = out->length, taken = size < PIECE - held ? size : PIECE - held;
    memcpy(piece, out->torn, held);
    memcpy(piece + held, data, taken);
    data += taken;
    size -= taken;
    size_t whole = whole_characters(piece, held + taken);
    out->length = held + taken - whole;
    memcpy(out->torn, piece + whole, out->length);
    if (!write_units(console, piece, whole)) {
      out->failed = true;
      errno = EIO;
      return false;
    }
  }
  return true;
}

size_t km_stdio_fwrite(const void *data, size_t size, size_t count, FILE *file) {
  HANDLE console;
  output *out = output_of(file, &console);
  if (out == NULL || size == 0 || count > SIZE_MAX / size)
    return fwrite(data, size, count, file);
  (void)fflush(file);
  return write_console(out, console, data, size * count) ? count : 0;
}

int km_stdio_fputs(const char *text, FILE *file) {
  size_t length = strlen(text);
  return km_stdio_fwrite(text, 1, length, file) == length ? 0 : EOF;
}

int km_stdio_fputc(int byte, FILE *file) {
  char one = (char)byte;
  return km_stdio_fwrite(&one, 1, 1, file) == 1 ? (unsigned char)one : EOF;
}

int km_stdio_puts(const char *text) {
  return km_stdio_fputs(text, stdout) == 0 && km_stdio_fputc('\n', stdout) != EOF ? 0 : EOF;
}

static int print(FILE *file, const char *format, va_list arguments) {
  char small[512];
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(small, sizeof small, format, arguments);
  char *text = small;
  if (length >= (int)sizeof small) {
    text = malloc((size_t)length + 1);
    if (text != NULL)
      length = vsnprintf(text, (size_t)length + 1, format, again);
  }
  va_end(again);
  if (text == NULL || length < 0 ||
      km_stdio_fwrite(text, 1, (size_t)length, file) != (size_t)length)
    length = -1;
  if (text != small)
    free(text);
  return length;
}

int km_stdio_printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = print(stdout, format, arguments);
  va_end(arguments);
  return length;
}

int km_stdio_fprintf(FILE *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = print(file, format, arguments);
  va_end(arguments);
  return length;
}

/* ---- Reading from a console ---- */

#define LINE_UNITS 4096 /* what one read takes; longer lines come in pieces */
#define CTRL_Z 0x1A

static struct {
  char *text; /* what was read and not yet taken */
  size_t at, length;
  bool ended;
  wchar_t high; /* the first half of a pair whose second comes with the next read, or 0 */
} input;

/* "\r\n" becomes "\n". */
static DWORD drop_returns(wchar_t *units, DWORD count) {
  DWORD kept = 0;
  for (DWORD i = 0; i < count; i++) {
    if (units[i] != L'\r')
      units[kept++] = units[i];
  }
  return kept;
}

static km_input read_units(HANDLE console, char **text, size_t *size) {
  wchar_t *units = malloc((LINE_UNITS + 1) * sizeof *units);
  DWORD count = 0, before = input.high != 0;
  km_input kind = KM_INPUT_END;
  if (units == NULL)
    return KM_INPUT_END;
  units[0] = input.high;
  SetLastError(ERROR_SUCCESS);
  if (!ReadConsoleW(console, units + before, LINE_UNITS, &count, NULL)) {
    kind = GetLastError() == ERROR_OPERATION_ABORTED ? KM_INPUT_BREAK : KM_INPUT_END;
  } else if (count == 0) { /* Ctrl-C; its handler runs in a thread of its own */
    kind = KM_INPUT_BREAK;
  } else if (units[before] != CTRL_Z) {
    count = drop_returns(units, count + before);
    input.high = count > 0 && units[count - 1] >= 0xD800 && units[count - 1] <= 0xDBFF
                     ? units[count - 1]
                     : 0;
    *text = km_narrow_count(units, count - (input.high != 0), size);
    kind = *text != NULL ? KM_INPUT_LINE : KM_INPUT_END;
  }
  free(units);
  return kind;
}

km_input km_stdio_line(char **text, size_t *size) {
  HANDLE console = console_of(stdin);
  char *whole = NULL;
  size_t length = 0;
  *text = NULL;
  (void)fflush(stdout);
  while (console != NULL) {
    char *piece = NULL;
    size_t more = 0;
    km_input kind = read_units(console, &piece, &more);
    if (kind == KM_INPUT_BREAK || (kind == KM_INPUT_END && length == 0)) {
      free(whole);
      return kind;
    }
    char *longer = kind == KM_INPUT_LINE ? realloc(whole, length + more + 1) : NULL;
    if (longer != NULL) {
      memcpy(longer + length, piece, more + 1);
      whole = longer;
      length += more;
    }
    free(piece);
    if (longer == NULL || (length > 0 && whole[length - 1] == '\n')) {
      *text = whole;
      *size = length;
      return KM_INPUT_LINE;
    }
  }
  return KM_INPUT_END;
}

/* Whether stdin is a console; then something is there to be taken unless the input has ended. */
static bool from_console(FILE *file) {
  if (file != stdin || (input.at == input.length && !input.ended && console_of(file) == NULL))
    return false;
  if (input.at == input.length && !input.ended) {
    free(input.text);
    input.text = NULL;
    input.at = input.length = 0;
    if (km_stdio_line(&input.text, &input.length) != KM_INPUT_LINE) {
      input.length = 0;
      input.ended = true;
    }
  }
  return true;
}

size_t km_stdio_fread(void *data, size_t size, size_t count, FILE *file) {
  size_t done = 0;
  if (size != 1 || !from_console(file))
    return fread(data, size, count, file);
  while (done < count && from_console(file) && input.at < input.length) {
    size_t part = input.length - input.at < count - done ? input.length - input.at : count - done;
    memcpy((char *)data + done, input.text + input.at, part);
    input.at += part;
    done += part;
  }
  return done;
}

int km_stdio_getc(FILE *file) {
  unsigned char byte;
  if (!from_console(file))
    return getc(file);
  return km_stdio_fread(&byte, 1, 1, file) == 1 ? byte : EOF;
}

int km_stdio_ungetc(int byte, FILE *file) {
  if (file == stdin && byte != EOF && input.at > 0) {
    input.text[--input.at] = (char)byte;
    return byte;
  }
  return file == stdin && (input.ended || console_of(file) != NULL) ? EOF : ungetc(byte, file);
}

char *km_stdio_fgets(char *text, int size, FILE *file) {
  int length = 0, byte = 0;
  if (!from_console(file))
    return fgets(text, size, file);
  while (length < size - 1 && byte != '\n' && (byte = km_stdio_getc(file)) != EOF)
    text[length++] = (char)byte;
  text[length] = '\0';
  return length > 0 ? text : NULL;
}

#define NUMBER_LENGTH 200

int km_stdio_fscanf(FILE *file, const char *format, double *number) {
  char text[NUMBER_LENGTH + 1], *end = text;
  size_t length = 0;
  int byte;
  if (!from_console(file))
    return strcmp(format, "%lf") == 0 ? fscanf(file, "%lf", number) : 0;
  do
    byte = km_stdio_getc(file);
  while (byte != EOF && isspace(byte));
  for (; byte != EOF && length < NUMBER_LENGTH && (isalnum(byte) || strchr("+-.", byte) != NULL);
       byte = km_stdio_getc(file))
    text[length++] = (char)byte;
  km_stdio_ungetc(byte, file);
  if (length == 0)
    return byte == EOF ? EOF : 0;
  text[length] = '\0';
  *number = strtod(text, &end);
  return end != text ? 1 : 0;
}

int km_stdio_ferror(FILE *file) {
  bool failed = (file == stdout || file == stderr) && outputs[file == stderr].failed;
  return failed ? 1 : ferror(file);
}

int km_stdio_feof(FILE *file) {
  return file == stdin && input.ended ? 1 : feof(file);
}

void km_stdio_clearerr(FILE *file) {
  if (file == stdin)
    input.ended = false;
  if (file == stdout || file == stderr)
    outputs[file == stderr].failed = false;
  clearerr(file);
}

/* ---- Modules ---- */

HMODULE km_stdio_load_library(const char *path) {
  wchar_t *wide = wide_or_errno(path);
  DWORD room = wide != NULL ? GetFullPathNameW(wide, 0, NULL, NULL) : 0;
  wchar_t *full = room > 0 ? calloc(room, sizeof *full) : NULL;
  HMODULE module = NULL;
  DWORD problem = ERROR_MOD_NOT_FOUND;
  if (full != NULL && GetFullPathNameW(wide, room, full, NULL) < room) {
    bool restricted = km_windows_function("kernel32.dll", "SetDefaultDllDirectories") != NULL;
    module = LoadLibraryExW(full, NULL, restricted ? SEARCH_BESIDE : LOAD_WITH_ALTERED_SEARCH_PATH);
    problem = GetLastError();
  }
  free(wide);
  free(full);
  SetLastError(problem);
  return module;
}

DWORD km_stdio_module_name(HMODULE module, char *name, DWORD size) {
  wchar_t path[MAX_PATH];
  char text[3 * MAX_PATH + 1];
  DWORD length = GetModuleFileNameW(module, path, MAX_PATH);
  size_t used = length > 0 && length < MAX_PATH ? km_narrow_into(path, length, text) : 0;
  if (used == 0 || used >= size) /* what Lua takes for an error */
    return size > 0 ? (name[0] = '\0', 0) : 0;
  memcpy(name, text, used + 1);
  return (DWORD)used;
}
