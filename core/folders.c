/* folders.c: where a target's well-known folders are.
 *
 * Windows asks Explorer\User Shell Folders, whose values hold environment variables; Shell Folders is its copy
 * with them expanded. The variables come from the profile list, since folder names are localized on Windows
 * 2000 to 2003.
 */
#include "folders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPLORER "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Explorer\\"
#define PROFILE_LIST "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
#define MAX_PASSES 4 /* of expansion: a variable's value may hold variables */

static const char *const app_data_keys[] = {EXPLORER "Shell Folders",
                                            EXPLORER "User Shell Folders"};

/* The text of a registry value, or of `other` when it is absent; NULL: out of memory. */
static char *text_or(km_target *target, const char *key, const char *value, const char *other) {
  km_registry_value found;
  if (km_registry_read(target, key, value, &found, NULL) != KM_OK)
    return other == NULL ? NULL : strdup(other);
  char *text = found.text != NULL && found.text[0] != '\0' ? strdup(found.text) : NULL;
  km_registry_value_free(&found);
  return text == NULL && other != NULL ? strdup(other) : text;
}

static bool is_vista_or_later(const km_target *target) {
  return target->info.version != NULL && strtol(target->info.version, NULL, 10) >= 6;
}

static char *all_users(km_target *target) {
  if (is_vista_or_later(target))
    return strdup("%ProgramData%");
  char *profiles =
      text_or(target, PROFILE_LIST, "ProfilesDirectory", "%SystemDrive%\\Documents and Settings");
  char *name = text_or(target, PROFILE_LIST, "AllUsersProfile", "All Users");
  char *path = NULL;
  if (profiles != NULL && name != NULL) {
    size_t size = strlen(profiles) + strlen(name) + 2;
    path = malloc(size);
    if (path != NULL)
      (void)snprintf(path, size, "%s\\%s", profiles, name);
  }
  free(profiles);
  free(name);
  return path;
}

/* The value of an environment variable of the target, which may hold variables again; NULL: not known. */
static char *variable(km_target *target, const char *name) {
  const char *windows = target->info.windows;
  if (km_pattern_match("SystemDrive", name)) {
    char drive[] = {windows[0], ':', '\0'};
    return strdup(drive);
  }
  if (km_pattern_match("SystemRoot", name) || km_pattern_match("windir", name))
    return strdup(windows);
  if (km_pattern_match("ProgramData", name))
    return text_or(target, PROFILE_LIST, "ProgramData", "%SystemDrive%\\ProgramData");
  if (km_pattern_match("Public", name))
    return text_or(target, PROFILE_LIST, "Public", NULL);
  return km_pattern_match("AllUsersProfile", name) ? all_users(target) : NULL;
}

/* Appends `length` bytes to a text of at most KM_MAX_FOLDER_TEXT; false when they do not fit. */
static bool append(char *out, size_t *used, const char *text, size_t length) {
  if (length >= KM_MAX_FOLDER_TEXT - *used)
    return false;
  memcpy(out + *used, text, length);
  *used += length;
  out[*used] = '\0';
  return true;
}

/* One pass over `text`; an unknown variable stays as it is. false: too long. */
static bool expand_once(km_target *target, const char *text, char *out, bool *changed) {
  size_t used = 0;
  out[0] = '\0';
  *changed = false;
  while (*text != '\0') {
    const char *end = *text == '%' ? strchr(text + 1, '%') : NULL;
    char name[64];
    char *value = NULL;
    if (end != NULL && (size_t)(end - text) <= sizeof name) {
      (void)snprintf(name, sizeof name, "%.*s", (int)(end - text - 1), text + 1);
      value = variable(target, name);
    }
    bool fits =
        value != NULL ? append(out, &used, value, strlen(value)) : append(out, &used, text, 1);
    text = value != NULL ? end + 1 : text + 1;
    *changed = *changed || value != NULL;
    free(value);
    if (!fits)
      return false;
  }
  return true;
}

/* Expands variables; NULL when nothing sensible comes out. The caller frees it. */
static char *expand(km_target *target, const char *text) {
  char *now = malloc(KM_MAX_FOLDER_TEXT), *next = malloc(KM_MAX_FOLDER_TEXT);
  size_t used = 0;
  bool good = now != NULL && next != NULL && append(now, &used, text, strlen(text));
  bool changed = good;
  for (int pass = 0; good && changed && pass < MAX_PASSES; pass++) {
    good = expand_once(target, now, next, &changed);
    char *swap = now;
    now = next;
    next = swap;
  }
  free(next);
  if (good)
    return now;
  free(now);
  return NULL;
}

static bool is_absolute(const char *path) {
  return ((path[0] >= 'A' && path[0] <= 'Z') || (path[0] >= 'a' && path[0] <= 'z')) &&
         path[1] == ':' && path[2] == '\\' && path[3] != '\0';
}

static void cut_trailing_backslash(char *path) {
  size_t length = strlen(path);
  while (length > 3 && path[length - 1] == '\\')
    path[--length] = '\0';
}

char *km_folders_expand(km_target *target, const char *text) {
  char *path = text == NULL ? NULL : expand(target, text);
  if (path != NULL && is_absolute(path)) {
    cut_trailing_backslash(path);
    return path;
  }
  free(path);
  return NULL;
}

char *km_folders_app_data(km_target *target) {
  bool vista = is_vista_or_later(target);
  char *path = NULL;
  for (size_t i = 0; path == NULL && i < sizeof app_data_keys / sizeof app_data_keys[0]; i++) {
    char *stored = text_or(target, app_data_keys[i], "Common AppData", NULL);
    path = km_folders_expand(target, stored);
    free(stored);
  }
  if (path == NULL)
    path =
        km_folders_expand(target, vista ? "%ProgramData%" : "%AllUsersProfile%\\Application Data");
  if (path == NULL)
    path = km_folders_expand(
        target, vista ? "%SystemDrive%\\ProgramData"
                      : "%SystemDrive%\\Documents and Settings\\All Users\\Application Data");
  return path;
}
