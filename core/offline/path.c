/* path.c: Windows paths of a target, and the volumes that they name by letter. */
#include "path.h"

#include "text.h"
#include "times.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Volumes ---- */

km_volume *km_offline_volume(km_offline *offline, char letter) {
  for (size_t i = 0; i < offline->volume_count; i++) {
    if (offline->volumes[i].letter == toupper((unsigned char)letter)) {
      return &offline->volumes[i];
    }
  }
  return NULL;
}

static km_status add_volume(km_offline *offline, char letter, const char *folder, km_error *error) {
  bool is_letter = (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
  if (!is_letter || !folder || !*folder) {
    return km_fail(error, KM_MISUSE, 0, "a volume needs a drive letter and a folder, as in D:=DIR");
  }
  if (km_offline_volume(offline, letter)) {
    return km_fail(error, KM_MISUSE, 0, "the volume %c: was given twice",
                   toupper((unsigned char)letter));
  }
  km_volume *volume = &offline->volumes[offline->volume_count];
  *volume = (km_volume){.letter = (char)toupper((unsigned char)letter), .folder = strdup(folder)};
  km_status status =
      volume->folder ? km_volume_open(folder, volume, error)
                     : km_fail(error, KM_MEMORY, 0, "open the volume %s: out of memory", folder);
  if (status) {
    free(volume->folder);
    return status;
  }
  offline->volume_count++;
  return KM_OK;
}

km_status km_offline_volumes_open(km_offline *offline, const km_target_options *options,
                                  km_error *error) {
  offline->lock = -1;
  km_status status = add_volume(offline, 'C', options->root, error);
  /* --volume may give C: to another folder when --root's letter is another; it is known later. */
  if (!status) {
    offline->volumes[0].letter = '?';
  }
  for (size_t i = 0; i < options->volume_count && !status; i++) {
    const km_volume_option *volume = &options->volumes[i];
    status = offline->volume_count < KM_MAX_VOLUMES
                 ? add_volume(offline, volume->letter, volume->folder, error)
                 : km_fail(error, KM_LIMIT, 0, "more than %d volumes were given", KM_MAX_VOLUMES);
  }
  if (!status && options->times_file) {
    status = km_times_load(options->times_file, &offline->times, error);
  }
  if (status) {
    km_offline_volumes_close(offline);
  } else if (!km_offline_volume(offline, 'C')) {
    offline->volumes[0].letter = 'C';
  }
  return status;
}

void km_offline_volumes_close(km_offline *offline) {
  for (size_t i = 0; i < offline->volume_count; i++) {
    km_volume_close(&offline->volumes[i]);
    free(offline->volumes[i].folder);
  }
  offline->volume_count = 0;
  km_times_free(offline->times);
  offline->times = NULL;
}

km_status km_offline_set_letter(km_offline *offline, char letter, km_error *error) {
  km_volume *taken = km_offline_volume(offline, letter);
  if (!isalpha((unsigned char)letter)) {
    return km_fail(error, KM_MISUSE, 0, "'%c' is not a drive letter", letter);
  }
  if (taken && taken != &offline->volumes[0]) {
    return km_fail(
        error, KM_MISUSE, 0,
        "%s holds the Windows of volume %c:, but --volume gives that letter to %s; leave "
        "that option out",
        offline->volumes[0].folder, toupper((unsigned char)letter), taken->folder);
  }
  offline->volumes[0].letter = (char)toupper((unsigned char)letter);
  return KM_OK;
}

/* ---- Paths ---- */

/* CON, NUL, COM1 and kin name devices in every folder, with any extension too. */
static bool is_device_name(const char *name) {
  static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"};
  char folded[16];
  size_t length = strcspn(name, ".:");
  while (length > 0 && name[length - 1] == ' ') {
    length--;
  }
  if (length == 0 || length > 7) {
    return false;
  }
  km_fold_text(name, length, folded, sizeof folded);
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    if (!strcmp(folded, devices[i])) {
      return true;
    }
  }
  return length == 4 && (!strncmp(folded, "com", 3) || !strncmp(folded, "lpt", 3)) &&
         folded[3] >= '0' && folded[3] <= '9';
}

/* Why a component of a Windows path cannot be looked up, or NULL. */
static const char *component_problem(const char *name) {
  size_t length = strlen(name);
  if (length == 0) {
    return "an empty component";
  }
  if (!strcmp(name, ".") || !strcmp(name, "..")) {
    return "a component that leaves the path";
  }
  for (size_t i = 0; i < length; i++) {
    if ((unsigned char)name[i] < 32 || strchr("<>:\"|?*", name[i])) {
      return "a character that no Windows name has";
    }
  }
  if (name[length - 1] == '.' || name[length - 1] == ' ') {
    return "a component that ends in a dot or a space";
  }
  return is_device_name(name) ? "the name of a device" : NULL;
}

km_status km_path_fail(km_error *error, km_status status, int native, const char *path,
                       const char *problem) {
  char shown[512];
  km_escape(path, strlen(path), shown, sizeof shown);
  return km_fail(error, status, native, "look up %s: %s", shown, problem);
}

/* Splits a path into components in place; checks all of them before anything is opened. */
static km_status split_path(char *path, const char *whole, char **parts, size_t *count,
                            km_error *error) {
  char problem[128];
  char *rest = path;
  *count = 0;
  while (*rest) {
    if (*count == KM_MAX_PATH_PARTS) {
      return km_path_fail(error, KM_LIMIT, 0, whole, "the path has too many components");
    }
    char *end = rest + strcspn(rest, "\\/");
    bool last = !*end;
    *end = 0;
    const char *reason = (size_t)(end - rest) < KM_MAX_NAME ? component_problem(rest)
                                                            : "a component that is too long";
    if (reason) {
      snprintf(problem, sizeof problem, "the path has %s", reason);
      return km_path_fail(error, KM_OUTSIDE, 0, whole, problem);
    }
    parts[(*count)++] = rest;
    rest = last ? end : end + 1;
  }
  return KM_OK;
}

/* Takes "C:\a\b" apart: its volume, and a copy of the rest. */
static km_status start_path(km_offline *offline, const char *path, km_volume **volume, char **copy,
                            km_error *error) {
  char problem[192];
  size_t length = path ? strnlen(path, KM_MAX_WINDOWS_PATH) : 0;
  if (length == KM_MAX_WINDOWS_PATH) {
    return km_fail(error, KM_LIMIT, 0, "look up a path: it is longer than %d bytes",
                   KM_MAX_WINDOWS_PATH - 1);
  }
  if (length > 1 && strchr("\\/", path[0]) && strchr("\\/", path[1])) {
    return km_path_fail(error, KM_OUTSIDE, 0, path, "it is not on a volume of the target");
  }
  /* '?' stands for --root's volume until its letter is known. */
  char letter = length > 2 ? path[0] : 0;
  bool named =
      (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z') || letter == '?';
  if (!named || path[1] != ':' || !strchr("\\/", path[2])) {
    return km_path_fail(error, KM_MISUSE, 0, path ? path : "(null)",
                        "it is not an absolute path with a drive letter");
  }
  *volume = km_offline_volume(offline, letter);
  if (!*volume) {
    int upper = toupper((unsigned char)letter);
    snprintf(problem, sizeof problem,
             "the volume %c: was not given; mount it too and add --volume %c:=DIR", upper, upper);
    return km_path_fail(error, KM_NOT_FOUND, 0, path, problem);
  }
  *copy = strdup(path + 3);
  return *copy ? KM_OK : km_fail(error, KM_MEMORY, 0, "look up %s: out of memory", path);
}

km_status km_path_take(km_offline *offline, const char *path, km_path *out, km_error *error) {
  *out = (km_path){.volume = NULL};
  km_status status = start_path(offline, path, &out->volume, &out->copy, error);
  return status ? status : split_path(out->copy, path, out->parts, &out->count, error);
}

void km_path_free(km_path *path) {
  free(path->copy);
}
