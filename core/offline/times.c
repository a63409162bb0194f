/* times.c: creation times told by --times FILE: a bodyfile or CSV. */
#include "times.h"

#include "offline.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 16

/* A row: the first half of the SHA-256 of the folded path stands for it, so that a million rows
 * stay small; the last bit tells whether it is a file of Microsoft\Crypto. */
typedef struct time_row {
  uint8_t key[KEY_BYTES];
  km_time created;
} time_row;

struct km_times {
  time_row *rows;
  size_t count, room;
};

typedef struct times_reader {
  FILE *stream;
  const char *name;
  size_t line_number;
  char line[KM_MAX_TIMES_LINE + 2];
  size_t length;
  bool csv;
  int path_column, created_column, written_column, columns; /* CSV; -1: no such column */
  km_times *times;
} times_reader;

static km_status fail_line(const times_reader *reader, km_status status, km_error *error,
                           const char *problem) {
  return km_fail(error, status, 0, "read the times file %s, line %zu: %s", reader->name,
                 reader->line_number, problem);
}

/* ---- Paths and keys ---- */

/* Folds a path and turns its slashes: "C:/A\b" and "c:\a\b" become one. */
static size_t normal_path(const char *path, size_t length, char *out, size_t size) {
  size_t used = km_fold_text(path, length, out, size);
  for (size_t i = 0; i < used; i++) {
    if (out[i] == '/') {
      out[i] = '\\';
    }
  }
  return used;
}

static int hex_digit(char digit) {
  return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

static bool is_of_stores(const char *path) {
  return strstr(path, "\\microsoft\\crypto\\") != NULL;
}

/* `path` ends in a NUL at `length`. */
static void make_key(const char *path, size_t length, uint8_t key[KEY_BYTES]) {
  char text[KM_SHA256_TEXT];
  km_sha256(path, length, text);
  for (size_t i = 0; i < KEY_BYTES; i++) {
    key[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
  }
  key[KEY_BYTES - 1] = (uint8_t)((key[KEY_BYTES - 1] & 0xFE) | (is_of_stores(path) ? 1 : 0));
}

static bool ends_with(const char *text, size_t length, const char *tail) {
  size_t size = strlen(tail);
  return length >= size && memcmp(text + length - size, tail, size) == 0;
}

/* What a Windows keeps keys in: key stores, master keys. */
static bool is_of_keys(const char *path) {
  return is_of_stores(path) || strstr(path, "\\microsoft\\protect\\") != NULL;
}

/* Keeps a row when its path is under Microsoft\Crypto or Microsoft\Protect. */
static km_status keep(times_reader *reader, const char *path, size_t length, km_time created,
                      km_error *error) {
  char normal[KM_MAX_TIMES_LINE + 3];
  km_times *times = reader->times;
  size_t used = normal_path(path, length, normal + 1, sizeof normal - 1);
  char *start = normal + 1;
  bool lettered = used > 2 && start[1] == ':' && start[2] == '\\';
  if (!lettered && start[0] != '\\') {
    *--start = '\\';
    used++;
  }
  if (!is_of_keys(start) || created == 0) {
    return KM_OK;
  }
  if (times->count == times->room) {
    if (times->count >= KM_MAX_TIMES_ROWS) {
      return fail_line(reader, KM_LIMIT, error,
                       "too many rows under Microsoft\\Crypto and Protect");
    }
    size_t room = times->room ? times->room * 2 : 256;
    time_row *rows = realloc(times->rows, room * sizeof *rows);
    if (!rows) {
      return fail_line(reader, KM_MEMORY, error, "out of memory");
    }
    times->rows = rows;
    times->room = room;
  }
  time_row *row = &times->rows[times->count++];
  make_key(start, used, row->key);
  row->created = created;
  return KM_OK;
}

/* ---- Times ---- */

/* Reads Unix seconds with sign and fraction. An out-of-range or pre-1601 time is unknown, not an
 * error: tools print -11644473600 for a FILETIME of 0. */
static bool parse_unix(const char *text, km_time *out) {
  bool negative = *text == '-';
  const char *digit = text + negative;
  int64_t seconds = 0;
  uint32_t nanoseconds = 0, unit = 100000000;
  if (*digit < '0' || *digit > '9') {
    return false;
  }
  for (; *digit >= '0' && *digit <= '9'; digit++) {
    seconds = seconds < 1000000000000 ? seconds * 10 + (*digit - '0') : seconds;
  }
  if (*digit == '.') {
    for (digit++; *digit >= '0' && *digit <= '9'; digit++, unit /= 10) {
      nanoseconds += (uint32_t)(*digit - '0') * unit;
    }
  }
  if (*digit) {
    return false;
  }
  if (negative) {
    seconds = -seconds - (nanoseconds > 0);
    nanoseconds = nanoseconds > 0 ? 1000000000 - nanoseconds : 0;
  }
  bool known = (seconds != 0 || nanoseconds != 0) && seconds > -11644473600 &&
               seconds < 253402300800; /* the year 10000 */
  *out = known ? km_time_from_unix(seconds, nanoseconds) : 0;
  return true;
}

static bool parse_either(const char *text, km_time *out) {
  *out = 0;
  return !*text || parse_unix(text, out) || km_time_parse(text, out);
}

/* ---- Bodyfile ---- */

static km_status read_body_row(times_reader *reader, km_error *error) {
  char *line = reader->line;
  char *name = strchr(line, '|');
  char *fields[9]; /* inode mode UID GID size atime mtime ctime crtime */
  char *end = line + reader->length;
  if (!name) {
    return fail_line(reader, KM_DAMAGED, error, "it is not a bodyfile row (no '|')");
  }
  name++;
  /* A name may hold '|', so the other fields are counted from the end. */
  for (int i = 8; i >= 0; i--) {
    while (end > name && end[-1] != '|') {
      end--;
    }
    if (end <= name) {
      return fail_line(reader, KM_DAMAGED, error, "it has fewer than the 11 fields of a bodyfile");
    }
    fields[i] = end;
    *--end = 0;
  }
  size_t length = (size_t)(end - name);
  km_time times[4];
  for (int i = 0; i < 4; i++) {
    if (!parse_unix(fields[5 + i], &times[i])) {
      return fail_line(reader, KM_DAMAGED, error, "a time is not a number of Unix seconds");
    }
  }
  if (ends_with(name, length, " (deleted)") || ends_with(name, length, " (deleted-realloc)") ||
      ends_with(name, length, "($FILE_NAME)")) {
    return KM_OK;
  }
  return keep(reader, name, length, times[3], error);
}

/* ---- CSV ---- */

/* Splits a CSV line in place. -1: a quote is not closed or text follows a closing quote. */
static int split_csv(char *line, char **fields, int max) {
  int count = 0;
  for (char *in = line;; in++) {
    char *out = in;
    if (count == max) {
      return -1;
    }
    fields[count++] = out;
    if (*in == '"') {
      for (in++; *in && (*in != '"' || in[1] == '"'); in++) {
        in += *in == '"';
        *out++ = *in;
      }
      if (*in != '"' || (in[1] && in[1] != ',')) {
        return -1;
      }
      in++;
    } else {
      in += strcspn(in, ",");
      out = in;
    }
    bool last = !*in;
    *out = 0;
    if (last) {
      return count;
    }
  }
}

static km_status read_csv_header(times_reader *reader, km_error *error) {
  char *fields[KM_MAX_TIMES_COLUMNS];
  char folded[64];
  int count = split_csv(reader->line, fields, KM_MAX_TIMES_COLUMNS);
  reader->columns = count;
  reader->path_column = reader->created_column = reader->written_column = -1;
  for (int i = 0; i < count; i++) {
    km_fold_text(fields[i], strlen(fields[i]), folded, sizeof folded);
    if (!strcmp(folded, "path")) {
      reader->path_column = i;
    } else if (!strcmp(folded, "created")) {
      reader->created_column = i;
    } else if (!strcmp(folded, "written")) {
      reader->written_column = i;
    }
  }
  if (reader->path_column < 0 || reader->created_column < 0) {
    return fail_line(reader, KM_DAMAGED, error,
                     "it is neither a bodyfile row nor a CSV header with the columns \"path\" and "
                     "\"created\"");
  }
  return KM_OK;
}

static km_status read_csv_row(times_reader *reader, km_error *error) {
  char *fields[KM_MAX_TIMES_COLUMNS];
  km_time created, written;
  int count = split_csv(reader->line, fields, KM_MAX_TIMES_COLUMNS);
  if (count != reader->columns) {
    return fail_line(reader, KM_DAMAGED, error, "it has not as many fields as the header");
  }
  if (!parse_either(fields[reader->created_column], &created) ||
      (reader->written_column >= 0 && !parse_either(fields[reader->written_column], &written))) {
    return fail_line(reader, KM_DAMAGED, error,
                     "a time is neither RFC 3339 with a zone nor Unix seconds");
  }
  const char *path = fields[reader->path_column];
  return keep(reader, path, strlen(path), created, error);
}

/* ---- Reading ---- */

/* Reads the next line without its end. KM_END at the end of the file. */
static km_status next_line(times_reader *reader, km_error *error) {
  if (!fgets(reader->line, sizeof reader->line, reader->stream)) {
    int number = errno;
    if (!ferror(reader->stream))
      return KM_END;
    return km_fail(error, KM_IO, number,
                   "read the times file %s: %s; check that it is a file, and the disk",
                   reader->name, strerror(number));
  }
  reader->line_number++;
  size_t length = strlen(reader->line);
  bool ended = length > 0 && reader->line[length - 1] == '\n';
  if (!ended && !feof(reader->stream)) {
    return fail_line(reader, KM_DAMAGED, error, "it is too long, or holds a NUL character");
  }
  while (length > 0 && strchr("\r\n", reader->line[length - 1])) {
    length--;
  }
  reader->line[length] = 0;
  reader->length = length;
  if (reader->line_number == 1 && !strncmp(reader->line, "\xEF\xBB\xBF", 3)) {
    memmove(reader->line, reader->line + 3, length - 2);
    reader->length = length - 3;
  } else if (reader->line_number == 1 &&
             (!strncmp(reader->line, "\xFF\xFE", 2) || !strncmp(reader->line, "\xFE\xFF", 2))) {
    return fail_line(reader, KM_DAMAGED, error, "it is UTF-16; save the file as UTF-8");
  }
  return KM_OK;
}

static size_t count_bars(const char *line) {
  size_t bars = 0;
  for (; *line; line++) {
    bars += *line == '|';
  }
  return bars;
}

static km_status read_rows(times_reader *reader, km_error *error) {
  km_status status;
  bool first = true;
  while ((status = next_line(reader, error)) == KM_OK) {
    if (!*reader->line || *reader->line == '#' || !strncmp(reader->line, "MD5|name|", 9)) {
      continue;
    }
    if (first) {
      first = false;
      reader->csv = count_bars(reader->line) < 10;
      if (reader->csv) {
        status = read_csv_header(reader, error);
      } else {
        status = read_body_row(reader, error);
      }
    } else {
      status = reader->csv ? read_csv_row(reader, error) : read_body_row(reader, error);
    }
    if (status) {
      return status;
    }
  }
  return status == KM_END ? KM_OK : status;
}

static int compare_rows(const void *left, const void *right) {
  return memcmp(left, right, KEY_BYTES);
}

/* Sorts the rows; of several with one path the time is kept only when all agree. */
static void settle(km_times *times) {
  size_t kept = 0;
  if (times->count == 0) {
    return;
  }
  qsort(times->rows, times->count, sizeof *times->rows, compare_rows);
  for (size_t i = 1; i < times->count; i++) {
    time_row *last = &times->rows[kept];
    const time_row *row = &times->rows[i];
    if (memcmp(last->key, row->key, KEY_BYTES) != 0) {
      times->rows[++kept] = *row;
    } else if (last->created != row->created) {
      last->created = 0;
    }
  }
  times->count = kept + 1;
}

km_status km_times_read(FILE *stream, const char *name, km_times **out, km_error *error) {
  times_reader *reader = calloc(1, sizeof *reader);
  km_times *times = calloc(1, sizeof *times);
  km_status status;
  *out = NULL;
  if (!reader || !times) {
    status = km_fail(error, KM_MEMORY, 0, "read the times file %s: out of memory", name);
  } else {
    reader->stream = stream;
    reader->name = name;
    reader->times = times;
    status = read_rows(reader, error);
  }
  free(reader);
  if (status) {
    km_times_free(times);
    return status;
  }
  settle(times);
  *out = times;
  return KM_OK;
}

km_status km_times_load(const char *path, km_times **out, km_error *error) {
  FILE *stream;
  *out = NULL;
  km_status status = km_disk_fopen(path, "open the times file", &stream, error);
  if (status) {
    return status;
  }
  status = km_times_read(stream, path, out, error);
  fclose(stream);
  return status;
}

void km_times_free(km_times *times) {
  if (times) {
    free(times->rows);
    free(times);
  }
}

static km_time find(const km_times *times, const char *path, size_t length) {
  time_row wanted;
  make_key(path, length, wanted.key);
  const time_row *row =
      bsearch(&wanted, times->rows, times->count, sizeof *times->rows, compare_rows);
  return row ? row->created : 0;
}

km_time km_times_created(const km_times *times, const char *folder, const char *name) {
  char path[KM_MAX_WINDOWS_PATH + KM_MAX_NAME];
  char normal[sizeof path];
  int length = snprintf(path, sizeof path, "%s\\%s", folder, name);
  if (!times || times->count == 0 || length < 3 || (size_t)length >= sizeof path) {
    return 0;
  }
  size_t used = normal_path(path, (size_t)length, normal, sizeof normal);
  km_time created = find(times, normal, used);
  return created ? created : find(times, normal + 2, used - 2);
}

size_t km_times_count(const km_times *times) {
  size_t count = 0;
  for (size_t i = 0; times && i < times->count; i++) {
    count += times->rows[i].key[KEY_BYTES - 1] & 1;
  }
  return count;
}
