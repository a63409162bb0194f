/* registry.c: paths, texts and numbers of a target's registry, over the backend's operations. */
#include "backend.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KM_MAX_KEY_NAME 1024 /* bytes of one part of a key's path with its NUL: 255 UTF-16 units */
#define KM_MAX_KEY_PARTS 512 /* as Windows limits the depth of its registry */
#define KM_MAX_CONTROL_SET 999

enum { REG_SZ = 1, REG_EXPAND_SZ = 2, REG_DWORD = 4, REG_LINK = 6, REG_MULTI_SZ = 7 };

/* ---- Texts ---- */

static bool is_text(uint32_t type) {
  return type == REG_SZ || type == REG_EXPAND_SZ || type == REG_LINK || type == REG_MULTI_SZ;
}

/* Appends the string that begins at *at and ends at a NUL or at `units`; moves *at behind its NUL. */
static char *put_string(const uint8_t *data, size_t units, size_t *at, char *out) {
  size_t used;
  for (; *at < units; *at += used) {
    uint32_t c = km_utf16_next(data + 2 * *at, units - *at, &used);
    if (c == 0) {
      *at += 1;
      break;
    }
    out += km_utf8_put(c >= 0xd800 && c < 0xe000 ? 0xfffd : c, out);
  }
  return out;
}

km_status km_registry_decode(km_registry_value *value, km_error *error) {
  value->text = NULL;
  if (!is_text(value->type))
    return KM_OK;
  size_t units = value->size / 2, at = 0;
  char *text = malloc(units * 3 + 4);
  if (text == NULL)
    return km_fail(error, KM_MEMORY, 0, "a value of the registry: out of memory");
  char *end = put_string(value->data, units, &at, text);
  while (value->type == REG_MULTI_SZ && end != text && at < units) {
    char *line = end;
    *end++ = '\n';
    end = put_string(value->data, units, &at, end);
    if (end == line + 1) { /* an empty string ends the list */
      end = line;
      break;
    }
  }
  *end = '\0';
  value->text = text;
  return KM_OK;
}

void km_registry_value_free(km_registry_value *value) {
  if (value == NULL)
    return;
  km_secret_free(value->data, value->size);
  km_secret_free(value->text, value->text != NULL ? strlen(value->text) : 0);
  memset(value, 0, sizeof *value);
}

char *km_registry_text(km_target *target, km_key key, const char *value) {
  km_registry_value found;
  if (target->backend->registry_value(target, key, value, &found, NULL) != KM_OK)
    return NULL;
  char *text = found.text;
  found.text = NULL;
  km_registry_value_free(&found);
  return text;
}

static km_status read_number(km_target *target, km_key key, const char *value, uint32_t *out,
                             km_error *error) {
  km_registry_value found;
  km_status status = target->backend->registry_value(target, key, value, &found, error);
  if (status != KM_OK)
    return status;
  if (found.type == REG_DWORD && found.size == 4) {
    const uint8_t *p = found.data;
    *out = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
  } else {
    status = km_fail(error, KM_DAMAGED, 0, "the value %s is no number of 32 bits", value);
  }
  km_registry_value_free(&found);
  return status;
}

bool km_registry_number(km_target *target, km_key key, const char *value, uint32_t *out) {
  return read_number(target, key, value, out, NULL) == KM_OK;
}

/* ---- Paths ---- */

/* Takes the part of a key's path before the next backslash; false at the end. */
static bool next_part(const char **path, char part[KM_MAX_KEY_NAME], bool *too_long) {
  while (**path == '\\')
    (*path)++;
  size_t length = strcspn(*path, "\\");
  if (length == 0)
    return false;
  *too_long = length >= KM_MAX_KEY_NAME;
  if (*too_long)
    return true;
  memcpy(part, *path, length);
  part[length] = '\0';
  *path += length;
  return true;
}

/* Moves *key, which is replaced, to its child `name`; on failure the key is closed and 0. */
static km_status step_down(km_target *target, km_key *key, const char *name, km_error *error) {
  km_key child = 0;
  km_status status = target->backend->registry_child(target, *key, name, &child, error);
  target->backend->registry_close(target, *key);
  *key = status == KM_OK ? child : 0;
  return status;
}

/* The name "ControlSet001" that CurrentControlSet stands for; `root` is the root of SYSTEM. */
static km_status control_set(km_target *target, km_key root, char name[KM_MAX_KEY_NAME],
                             km_error *error) {
  km_key select = 0;
  uint32_t number = 0;
  km_status status = target->backend->registry_child(target, root, "Select", &select, error);
  if (status != KM_OK)
    return status;
  status = read_number(target, select, "Current", &number, error);
  target->backend->registry_close(target, select);
  if (status == KM_MEMORY)
    return status;
  if (status != KM_OK || number == 0 || number > KM_MAX_CONTROL_SET) {
    return km_fail(
        error, KM_DAMAGED, 0,
        "SYSTEM\\Select: the value Current does not tell the current control set; the hive "
        "is damaged or it is no SYSTEM hive");
  }
  (void)snprintf(name, KM_MAX_KEY_NAME, "ControlSet%03u", (unsigned)number);
  return KM_OK;
}

static km_status open_root(km_target *target, const char *name, km_hive_id *hive, km_key *out,
                           km_error *error) {
  if (km_pattern_match("SOFTWARE", name))
    *hive = KM_HIVE_SOFTWARE;
  else if (km_pattern_match("SYSTEM", name))
    *hive = KM_HIVE_SYSTEM;
  else if (km_pattern_match("SECURITY", name))
    *hive = KM_HIVE_SECURITY;
  else
    return km_fail(
        error, KM_NOT_FOUND, 0,
        "there is no hive of this name; a path begins with SOFTWARE, SYSTEM or SECURITY");
  return target->backend->registry_root(target, *hive, out, error);
}

static km_status walk(km_target *target, const char *path, km_key *out, km_error *error) {
  char part[KM_MAX_KEY_NAME];
  bool too_long = false;
  km_hive_id hive = KM_HIVE_SOFTWARE;
  if (!next_part(&path, part, &too_long) || too_long)
    return km_fail(error, KM_MISUSE, 0, "a path begins with SOFTWARE, SYSTEM or SECURITY");
  km_status status = open_root(target, part, &hive, out, error);
  for (size_t depth = 1; status == KM_OK && next_part(&path, part, &too_long); depth++) {
    if (too_long || depth == KM_MAX_KEY_PARTS) {
      target->backend->registry_close(target, *out);
      return km_fail(error, KM_NOT_FOUND, 0, "the path is longer than any key's");
    }
    if (depth == 1 && hive == KM_HIVE_SYSTEM && !target->backend->running &&
        km_pattern_match("CurrentControlSet", part))
      status = control_set(target, *out, part, error);
    if (status == KM_OK)
      status = step_down(target, out, part, error);
    else
      target->backend->registry_close(target, *out);
  }
  return status;
}

km_status km_registry_open_path(km_target *target, const char *path, km_key *out, km_error *error) {
  *out = 0;
  km_status status = walk(target, path, out, error);
  if (status == KM_OK)
    return KM_OK;
  *out = 0;
  km_error_prefix(error, "registry key %s", path);
  return status;
}

km_status km_registry_read(km_target *target, const char *key, const char *value,
                           km_registry_value *out, km_error *error) {
  km_key handle;
  memset(out, 0, sizeof *out);
  km_status status = km_registry_open_path(target, key, &handle, error);
  if (status != KM_OK)
    return status;
  status = target->backend->registry_value(target, handle, value, out, error);
  target->backend->registry_close(target, handle);
  if (status != KM_OK)
    km_error_prefix(error, "registry key %s", key);
  return status;
}

km_status km_registry_class(km_target *target, const char *key, char **text, km_error *error) {
  km_key handle;
  *text = NULL;
  if (target->backend->registry_class == NULL) {
    return km_fail(error, KM_UNSUPPORTED, 0,
                   "registry key %s: class names cannot be read from a running Windows", key);
  }
  km_status status = km_registry_open_path(target, key, &handle, error);
  if (status != KM_OK)
    return status;
  status = target->backend->registry_class(target, handle, text, error);
  target->backend->registry_close(target, handle);
  if (status != KM_OK)
    km_error_prefix(error, "registry key %s", key);
  return status;
}

typedef struct keys_walk {
  km_target *target;
  bool (*each)(void *user, const char *name, km_time written);
  void *user;
} keys_walk;

static bool give_key(void *user, const char *name, km_key child) {
  keys_walk *keys = user;
  return keys->each(keys->user, name, keys->target->backend->registry_time(keys->target, child));
}

km_status km_registry_keys(km_target *target, const char *key,
                           bool (*each)(void *user, const char *name, km_time written), void *user,
                           km_error *error) {
  km_key handle;
  keys_walk keys = {target, each, user};
  km_status status = km_registry_open_path(target, key, &handle, error);
  if (status != KM_OK)
    return status;
  status = target->backend->registry_children(target, handle, give_key, &keys, error);
  target->backend->registry_close(target, handle);
  if (status != KM_OK)
    km_error_prefix(error, "registry key %s", key);
  return status;
}
