/* identity_files.c: what IIS keeps that was made with a container's key: configuration and metabase, with their backups. */
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "folders.h"
#include "metabase.h"

#define CONFIGURATION "applicationHost.config"
#define METABASE_CONTAINER "Microsoft Internet Information Server"
#define METABASE_KEY "SOFTWARE\\Microsoft\\InetMgr\\Parameters"

enum { MAX_PATH_TEXT = KM_MAX_FOLDER_TEXT + KM_MAX_NAME, MAX_KEYS_IN_BINARY = 4 };

/* ---- Files ---- */

typedef struct file {
  char path[MAX_PATH_TEXT];
  uint8_t *data;
  size_t size;
  km_file_info info;
} file;

/* Reads a file whole. false: it is not there, or it cannot be read, which is told. */
static bool read_file(km_identity_set *set, const char *folder, const char *name, size_t max,
                      file *out) {
  km_target *target = km_identity_target(set);
  km_error why = {KM_OK, 0, ""};
  km_folder *opened = NULL;
  out->data = NULL;
  (void)snprintf(out->path, sizeof out->path, "%s\\%s", folder, name);
  km_status status = target->backend->folder_open(target, folder, &opened, &why);
  if (status == KM_OK) {
    status =
        target->backend->file_read(opened, name, max, &out->data, &out->size, &out->info, &why);
    target->backend->folder_close(opened);
  }
  if (status != KM_OK && status != KM_NOT_FOUND)
    km_identity_complain(set, "%s: %s", out->path, why.message);
  return status == KM_OK;
}

static void release(file *f) {
  km_secret_free(f->data, f->size);
  f->data = NULL;
}

/* ---- Names of backups ---- */

typedef struct names {
  const char **list;
  size_t count;
} names;

static int newest_first(const void *a, const void *b) {
  return strcmp(*(const char *const *)b, *(const char *const *)a);
}

static void collect(km_identity_set *set, km_listing *listing, const char *pattern, names *out,
                    km_error *why) {
  const km_backend *backend = km_identity_target(set)->backend;
  const char *name = NULL;
  size_t length = 0;
  bool is_folder = false;
  km_status status = KM_OK;
  for (size_t seen = 0; seen < KM_MAX_BACKUP_NAMES && out->count < KM_MAX_BACKUP_NAMES; seen++) {
    status = backend->listing_next(listing, &name, &length, &is_folder, why);
    if (status != KM_OK)
      break;
    if (length >= KM_MAX_NAME || !km_pattern_match(pattern, name))
      continue;
    out->list[out->count] = km_identity_keep(set, name, length + 1);
    if (out->list[out->count] != NULL)
      out->count++;
  }
  if (status != KM_OK && status != KM_END)
    km_identity_complain(set, "%s", why->message);
}

/* The names in a folder that fit a pattern, the newest first: backups have a rising number in their names. */
static names list_names(km_identity_set *set, const char *folder, const char *pattern) {
  km_target *target = km_identity_target(set);
  km_error why = {KM_OK, 0, ""};
  km_folder *opened = NULL;
  km_listing *listing = NULL;
  names out = {NULL, 0};
  km_status status = target->backend->folder_open(target, folder, &opened, &why);
  if (status == KM_OK) {
    status = target->backend->folder_list(opened, &listing, &why);
    if (status == KM_OK) {
      out.list = km_identity_keep(set, NULL, KM_MAX_BACKUP_NAMES * sizeof *out.list);
      if (out.list != NULL)
        collect(set, listing, pattern, &out, &why);
      target->backend->listing_close(listing);
    }
    target->backend->folder_close(opened);
  }
  if (status != KM_OK && status != KM_NOT_FOUND)
    km_identity_complain(set, "%s: %s", folder, why.message);
  if (out.count > 0)
    qsort(out.list, out.count, sizeof *out.list, newest_first);
  if (out.count > KM_MAX_BACKUPS) {
    km_identity_complain(set, "%s: %zu backups; the newest %d are read", folder, out.count,
                         KM_MAX_BACKUPS);
    out.count = KM_MAX_BACKUPS;
  }
  return out;
}

/* ---- Configuration ---- */

static const char *why_unusable(const km_provider *provider) {
  if (!provider->has_session_key)
    return "it keeps no session key in the file, so nothing there tells which key it was made with";
  if (provider->session_key == NULL)
    return "its session key is not base64";
  return provider->oaep ? "its session key is padded with OAEP, which keymend does not open" : NULL;
}

/* The values that a provider encrypted. */
static void keep_values(km_identity_set *set, const km_configuration *from, const char *provider,
                        km_source *source) {
  km_sealed *kept = km_identity_keep(set, NULL, (from->value_count + 1) * sizeof *kept);
  if (kept == NULL)
    return;
  source->values = kept;
  for (size_t i = 0; i < from->value_count; i++) {
    const km_encrypted *value = &from->values[i];
    if (strcmp(value->provider, provider) != 0)
      continue;
    const uint8_t *data = km_identity_keep(set, value->data, value->size);
    if (data != NULL)
      kept[source->value_count++] = (km_sealed){data, value->size};
  }
}

static void add_provider(km_identity_set *set, const km_configuration *from,
                         const km_provider *provider, const file *f, const char *use,
                         bool history) {
  char what[KM_MAX_NAME];
  km_session_key session;
  bool read = provider->session_key != NULL &&
              km_session_key_parse(provider->session_key, provider->session_key_size, &session,
                                   NULL) == KM_OK;
  (void)snprintf(what, sizeof what, "provider %.900s (%s%s)", provider->name,
                 read ? km_session_key_name(&session) : "no", " session key");
  km_source source = {
      .about =
          {
              .kind = KM_IDENTITY_CONFIGURATION,
              .container = provider->container,
              .where = f->path,
              .what = what,
              .use = provider->machine ? use : NULL,
              .cng = km_pattern_match("*Cng*", provider->type),
              .history = history,
              .dated = f->info.written,
          },
      .unusable = why_unusable(provider),
      .blob = provider->session_key,
      .blob_size = provider->session_key_size,
  };
  /* A backup tells something new only where its session key is another one. */
  if (history && (provider->session_key == NULL || km_identity_known(set, &source)))
    return;
  keep_values(set, from, provider->name, &source);
  km_identity_add(set, &source);
}

/* Reads one configuration file. *history_path gets what the file says of its backups' place; it may be NULL. */
static void read_configuration(km_identity_set *set, const char *folder, const char *use,
                               bool history, char **history_path) {
  km_configuration found;
  km_error why = {KM_OK, 0, ""};
  file f;
  if (!read_file(set, folder, CONFIGURATION, KM_MAX_CONFIGURATION, &f))
    return;
  if (km_configuration_parse(f.data, f.size, &found, &why) != KM_OK) {
    km_identity_complain(set, "%s: %s", f.path, why.message);
    use = NULL; /* IIS does not read it either */
  }
  for (size_t i = 0; i < found.provider_count; i++)
    if (found.providers[i].container[0] != '\0')
      add_provider(set, &found, &found.providers[i], &f, use, history);
  if (history_path != NULL && found.history != NULL)
    *history_path = km_folders_expand(km_identity_target(set), found.history);
  km_configuration_free(&found);
  release(&f);
}

static void read_backups(km_identity_set *set, const char *folder, const char *pattern) {
  char path[MAX_PATH_TEXT];
  names backups = list_names(set, folder, pattern);
  for (size_t i = 0; i < backups.count; i++) {
    (void)snprintf(path, sizeof path, "%s\\%s", folder, backups.list[i]);
    read_configuration(set, path, NULL, true, NULL);
  }
}

/* Whether IIS reads its configuration from another place than this system's. */
static bool is_redirected(km_identity_set *set, const char *folder) {
  km_configuration found;
  km_error why = {KM_OK, 0, ""};
  file f;
  if (!read_file(set, folder, "redirection.config", KM_MAX_CONFIGURATION, &f))
    return false;
  if (km_configuration_parse(f.data, f.size, &found, &why) != KM_OK)
    km_identity_complain(set, "%s: %s", f.path, why.message);
  bool redirected = found.redirected;
  km_configuration_free(&found);
  release(&f);
  return redirected;
}

static void find_configuration(km_identity_set *set, const char *inetsrv) {
  char path[MAX_PATH_TEXT];
  char *history = NULL;
  (void)snprintf(path, sizeof path, "%s\\config", inetsrv);
  const char *use = is_redirected(set, path) ? NULL : "IIS";
  read_configuration(set, path, use, false, &history);
  if (history == NULL)
    history = km_folders_expand(km_identity_target(set), "%SystemDrive%\\inetpub\\history");
  if (history != NULL)
    read_backups(set, history, "CFGHISTORY_*");
  (void)snprintf(path, sizeof path, "%s\\history", inetsrv);
  if (history == NULL || !km_pattern_match(history, path))
    read_backups(set, path, "CFGHISTORY_*");
  (void)snprintf(path, sizeof path, "%s\\backup", inetsrv);
  read_backups(set, path, "*");
  free(history);
}

/* ---- Metabase ---- */

static void add_metabase(km_identity_set *set, const file *f, const char *what, const char *use,
                         bool history, const uint8_t *key, size_t size) {
  km_source source = {
      .about =
          {
              .kind = KM_IDENTITY_METABASE,
              .container = METABASE_CONTAINER,
              .where = f->path,
              .what = what,
              .use = use,
              .history = history,
              .dated = f->info.written,
          },
      .blob = key,
      .blob_size = size,
  };
  if (!history || !km_identity_known(set, &source))
    km_identity_add(set, &source);
}

static void read_metabase(km_identity_set *set, const char *folder, const char *name,
                          bool history) {
  km_error why = {KM_OK, 0, ""};
  uint8_t *key = NULL;
  size_t size = 0;
  file f;
  if (!read_file(set, folder, name, KM_MAX_METABASE, &f))
    return;
  km_status status = km_metabase_xml_find(f.data, f.size, &key, &size, &why);
  if (status == KM_OK)
    add_metabase(set, &f, "SessionKey", history ? NULL : "IIS", history, key, size);
  else
    km_identity_complain(set, "%s: %s", f.path, why.message);
  free(key);
  release(&f);
}

/* The binary metabase of IIS 5: where in it the key stands is not known, so that nothing there disproves. */
static void read_binary_metabase(km_identity_set *set, const char *folder) {
  km_metabase_key key;
  char what[64];
  size_t at = 0;
  file f;
  if (!read_file(set, folder, "MetaBase.bin", KM_MAX_METABASE, &f))
    return;
  for (int i = 0; i < MAX_KEYS_IN_BINARY && km_metabase_search(f.data, f.size, &at, &key); i++) {
    (void)snprintf(what, sizeof what, "SessionKey at offset %zu", at);
    add_metabase(set, &f, what, NULL, false, f.data + at, key.size);
    at += key.size;
  }
  release(&f);
}

/* Where the metabase is: System32\inetsrv\MetaBase.xml unless the registry says otherwise. */
static void place_metabase(km_identity_set *set, const char *inetsrv, char folder[MAX_PATH_TEXT],
                           char name[KM_MAX_NAME]) {
  km_registry_value value;
  char *told = NULL;
  (void)snprintf(folder, MAX_PATH_TEXT, "%s", inetsrv);
  (void)snprintf(name, KM_MAX_NAME, "MetaBase.xml");
  if (km_registry_read(km_identity_target(set), METABASE_KEY, "MetadataFile", &value, NULL) ==
      KM_OK) {
    told = km_folders_expand(km_identity_target(set), value.text);
    km_registry_value_free(&value);
  }
  const char *separator = told != NULL ? strrchr(told, '\\') : NULL;
  if (separator != NULL && strlen(separator + 1) < KM_MAX_NAME) {
    (void)snprintf(name, KM_MAX_NAME, "%s", separator + 1);
    /* A volume's root keeps its backslash. */
    int length = (int)(separator - told);
    (void)snprintf(folder, MAX_PATH_TEXT, "%.*s", length == 2 ? 3 : length, told);
  }
  free(told);
}

static void find_metabase(km_identity_set *set, const char *inetsrv) {
  char folder[MAX_PATH_TEXT], history[MAX_PATH_TEXT + sizeof "\\History"], name[KM_MAX_NAME];
  place_metabase(set, inetsrv, folder, name);
  read_metabase(set, folder, name, false);
  (void)snprintf(history, sizeof history, "%s\\History", folder);
  names backups = list_names(set, history, "MetaBase_*.xml");
  for (size_t i = 0; i < backups.count; i++)
    read_metabase(set, history, backups.list[i], true);
  read_binary_metabase(set, inetsrv);
}

void km_identity_find_files(km_identity_set *set) {
  char inetsrv[KM_MAX_FOLDER_TEXT];
  (void)snprintf(inetsrv, sizeof inetsrv, "%s\\System32\\inetsrv",
                 km_identity_target(set)->info.windows);
  find_configuration(set, inetsrv);
  find_metabase(set, inetsrv);
}
