/* error.c: the status table, the making of error messages, the version. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend.h"

typedef struct status_row {
  const char *id;
  const char *text;
} status_row;

static const status_row status_rows[] = {
#define STATUS_ROW(symbol, id, text) {id, text},
    KM_STATUS_LIST(STATUS_ROW)
#undef STATUS_ROW
};

static const status_row unknown_status = {"unknown", "unknown status"};

static const status_row *status_find(km_status status) {
  size_t index = (size_t)status;
  return index < (size_t)KM_STATUS_COUNT ? &status_rows[index] : &unknown_status;
}

const char *km_status_id(km_status status) {
  return status_find(status)->id;
}

const char *km_status_text(km_status status) {
  return status_find(status)->text;
}

const char *km_version(void) {
  return KM_VERSION;
}

/* A message that was cut must not end inside a UTF-8 sequence. */
static void trim_broken_tail(char *message) {
  size_t length = strlen(message);
  size_t start = length;
  while (start > 0 && length - start < 3 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
    start--;
  if (start == 0)
    return;
  unsigned char lead = (unsigned char)message[start - 1];
  size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (wanted > length - start + 1)
    message[start - 1] = '\0';
}

km_status km_fail(km_error *error, km_status status, int32_t native, const char *format, ...) {
  if (error == NULL)
    return status;
  /* The arguments may point into the very message that is replaced here. */
  char text[KM_MAX_MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  int needed = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (needed < 0)
    snprintf(text, sizeof text, "%s", km_status_text(status));
  if (needed >= (int)sizeof text)
    trim_broken_tail(text);
  error->status = status;
  error->native = native;
  memcpy(error->message, text, strlen(text) + 1);
  return status;
}

void km_error_prefix(km_error *error, const char *format, ...) {
  if (error == NULL)
    return;
  char text[KM_MAX_MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  int needed = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (needed < 0)
    return;
  /* "prefix: message", cut at the end where it does not fit. */
  size_t used = strlen(text);
  size_t old = strlen(error->message);
  for (size_t i = 0; i < 2 && used + 1 < sizeof text; i++)
    text[used++] = ": "[i];
  if (old > sizeof text - 1 - used)
    old = sizeof text - 1 - used;
  memcpy(text + used, error->message, old);
  text[used + old] = '\0';
  trim_broken_tail(text);
  memcpy(error->message, text, strlen(text) + 1);
}
