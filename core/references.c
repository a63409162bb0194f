/* references.c: machine key containers that certificates of users and services name
 *
 * A certificate that was imported for a user, with its key among the machine's keys, stands in a file of the profile:
 * <profile>\AppData\Roaming\Microsoft\SystemCertificates\<store>\Certificates\<SHA-1>, on Windows 2000 to 2003 below the
 * folder Application Data, whose name is localized. The certificates of a service stand in the registry below
 * Cryptography\Services. Both are a Blob as in the machine's own stores (certificate.h).
 */
#include "certificate.h"
#include "folders.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROFILES "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
#define SERVICES "SOFTWARE\\Microsoft\\Cryptography\\Services"
#define STORES "Microsoft\\SystemCertificates"
#define KM_MAX_PROFILE_NAMES 10000 /* names of one folder that are looked at */
#define KM_MAX_USER_CERTIFICATES 100000

enum { MAX_PATH_TEXT = 2 * KM_MAX_FOLDER_TEXT };

typedef struct search {
  km_target *target;
  bool (*each)(void *user, const km_reference *reference);
  void *user;
  km_certificate *certificate;
  size_t seen;
  bool stopped; /* by each, or by a limit */
  const char *path;
} search;

static void give(search *s, const char *container, const char *where, const char *problem) {
  const km_reference reference = {.container = container, .where = where, .problem = problem};
  if (!s->stopped && !s->each(s->user, &reference))
    s->stopped = true;
}

/* What is not there is no problem. */
static void complain(search *s, km_status status, const char *where, const km_error *why) {
  if (status != KM_OK && status != KM_END && status != KM_NOT_FOUND)
    give(s, NULL, where, why->message);
}

static void take_blob(search *s, const char *where, const uint8_t *data, size_t size) {
  km_error why = {KM_OK, 0, ""};
  if (s->stopped)
    return;
  if (++s->seen > KM_MAX_USER_CERTIFICATES) {
    give(s, NULL, where, "there are too many certificates; the rest was left out");
    s->stopped = true;
    return;
  }
  km_status status = km_certificate_parse(data, size, s->certificate, &why);
  complain(s, status, where, &why);
  const km_certificate *c = s->certificate;
  bool machine = (c->flags & KM_MACHINE_KEYSET) != 0 && c->provider_type != 0;
  if (status == KM_OK && c->names_container && machine)
    give(s, c->container, where, NULL);
}

/* ---- Folders ---- */

static void take_file(search *s, km_folder *folder, const char *path, const char *name) {
  char where[MAX_PATH_TEXT];
  km_error why = {KM_OK, 0, ""};
  km_file_info info;
  uint8_t *data = NULL;
  size_t size = 0;
  (void)snprintf(where, sizeof where, "%s\\%s", path, name);
  km_status status =
      s->target->backend->file_read(folder, name, KM_MAX_CERTIFICATE, &data, &size, &info, &why);
  if (status == KM_OK)
    take_blob(s, where, data, size);
  complain(s, status, where, &why);
  km_secret_free(data, size);
}

typedef void visit(search *s, km_folder *folder, const char *path, const char *name,
                   bool is_folder);

/* Visits the names of a folder. */
static void walk_folder(search *s, const char *path, visit *visit_name) {
  const km_backend *backend = s->target->backend;
  km_error why = {KM_OK, 0, ""};
  km_folder *folder = NULL;
  km_listing *listing = NULL;
  const char *name = NULL;
  size_t length = 0;
  bool is_folder = false;
  km_status status = backend->folder_open(s->target, path, &folder, &why);
  if (status == KM_OK)
    status = backend->folder_list(folder, &listing, &why);
  for (size_t i = 0; status == KM_OK && !s->stopped; i++) {
    status = backend->listing_next(listing, &name, &length, &is_folder, &why);
    if (status == KM_OK && i >= KM_MAX_PROFILE_NAMES)
      status = km_fail(&why, KM_LIMIT, 0, "%s: it holds too many names", path);
    if (status == KM_OK && length < KM_MAX_NAME)
      visit_name(s, folder, path, name, is_folder);
  }
  complain(s, status, path, &why);
  if (listing != NULL)
    backend->listing_close(listing);
  if (folder != NULL)
    backend->folder_close(folder);
}

static void visit_certificate(search *s, km_folder *folder, const char *path, const char *name,
                              bool is_folder) {
  if (!is_folder)
    take_file(s, folder, path, name);
}

static void visit_store(search *s, km_folder *folder, const char *path, const char *name,
                        bool is_folder) {
  char inner[MAX_PATH_TEXT];
  (void)folder;
  if (is_folder &&
      snprintf(inner, sizeof inner, "%s\\%s\\Certificates", path, name) < (int)sizeof inner)
    walk_folder(s, inner, visit_certificate);
}

/* Any folder of a profile may be its Application Data. */
static void visit_profile(search *s, km_folder *folder, const char *path, const char *name,
                          bool is_folder) {
  char inner[MAX_PATH_TEXT];
  km_error why = {KM_OK, 0, ""};
  km_file_info info = {0};
  const char *below = km_pattern_match("AppData", name) ? "\\Roaming" : "";
  if (!is_folder)
    return;
  km_status status = s->target->backend->file_info(folder, name, &info, &why);
  complain(s, status, path, &why);
  /* Since Vista, Application Data is a junction to AppData\Roaming, which is visited itself. */
  bool real = status == KM_OK && !info.reparse && !info.regular;
  if (real &&
      snprintf(inner, sizeof inner, "%s\\%s%s\\" STORES, path, name, below) < (int)sizeof inner)
    walk_folder(s, inner, visit_store);
}

/* Whether the volume of a path can be looked at: offline it may not have been given. */
static bool volume_there(search *s, const char *path) {
  char root[4];
  km_error why = {KM_OK, 0, ""};
  km_folder *folder = NULL;
  (void)snprintf(root, sizeof root, "%.3s", path);
  km_status status = s->target->backend->folder_open(s->target, root, &folder, &why);
  if (status == KM_OK)
    s->target->backend->folder_close(folder);
  else
    give(s, NULL, path, why.message);
  return status == KM_OK;
}

/* ---- Registry ---- */

static bool each_profile(void *user, const char *name, km_time written) {
  search *s = user;
  char path[MAX_PATH_TEXT];
  km_registry_value value;
  km_error why = {KM_OK, 0, ""};
  (void)written;
  (void)snprintf(path, sizeof path, PROFILES "\\%s", name);
  km_status status = km_registry_read(s->target, path, "ProfileImagePath", &value, &why);
  complain(s, status, path, &why);
  if (status != KM_OK)
    return !s->stopped;
  char *folder = km_folders_expand(s->target, value.text);
  if (folder == NULL)
    give(s, NULL, path, "its ProfileImagePath is no path");
  else if (volume_there(s, folder))
    walk_folder(s, folder, visit_profile);
  free(folder);
  km_registry_value_free(&value);
  return !s->stopped;
}

/* Calls `each` for the subkeys of `path`, which is s->path meanwhile. */
static void walk_keys(search *s, const char *path,
                      bool (*each)(void *user, const char *name, km_time written)) {
  km_error why = {KM_OK, 0, ""};
  const char *above = s->path;
  if (s->stopped)
    return;
  s->path = path;
  km_status status = km_registry_keys(s->target, path, each, s, &why);
  /* Every Windows has profiles; one without would have no certificate of any user. */
  if (status == KM_NOT_FOUND && strcmp(path, PROFILES) == 0)
    give(s, NULL, path, why.message);
  complain(s, status, path, &why);
  s->path = above;
}

static bool each_blob(void *user, const char *name, km_time written) {
  search *s = user;
  char path[MAX_PATH_TEXT];
  km_registry_value value;
  km_error why = {KM_OK, 0, ""};
  (void)written;
  (void)snprintf(path, sizeof path, "%s\\%s", s->path, name);
  km_status status = km_registry_read(s->target, path, "Blob", &value, &why);
  complain(s, status, path, &why);
  if (status != KM_OK)
    return !s->stopped;
  take_blob(s, path, value.data, value.size);
  km_registry_value_free(&value);
  return !s->stopped;
}

static bool each_store(void *user, const char *name, km_time written) {
  search *s = user;
  char path[MAX_PATH_TEXT];
  (void)written;
  (void)snprintf(path, sizeof path, "%s\\%s\\Certificates", s->path, name);
  walk_keys(s, path, each_blob);
  return !s->stopped;
}

static bool each_service(void *user, const char *name, km_time written) {
  search *s = user;
  char path[MAX_PATH_TEXT];
  (void)written;
  (void)snprintf(path, sizeof path, SERVICES "\\%s\\SystemCertificates", name);
  walk_keys(s, path, each_store);
  return !s->stopped;
}

km_status km_references_find(km_target *target,
                             bool (*each)(void *user, const km_reference *reference), void *user,
                             km_error *error) {
  search s = {.target = target, .each = each, .user = user};
  if (target == NULL || each == NULL)
    return km_fail(error, KM_MISUSE, 0, "references: there is no target or no function");
  s.certificate = malloc(sizeof *s.certificate);
  if (s.certificate == NULL)
    return km_fail(error, KM_MEMORY, 0, "references: out of memory");
  walk_keys(&s, SERVICES, each_service);
  walk_keys(&s, PROFILES, each_profile);
  free(s.certificate);
  return KM_OK;
}
