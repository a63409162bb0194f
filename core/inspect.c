/* inspect.c: what one file of a store is, and whether a DPAPI master key is there. */
#include "backend.h"
#include "keyfile.h"

#include <stdio.h>
#include <string.h>

#define KM_MAX_MASTER_KEYS 100000 /* names read in a folder of master keys */

static const char *const time_source_ids[] = {
    [KM_TIME_NONE] = "none",
    [KM_TIME_NTFS] = "ntfs",
    [KM_TIME_FILE] = "times-file",
    [KM_TIME_BIRTH] = "birth",
};

const char *km_time_source_id(km_time_source source) {
  return (unsigned)source <= KM_TIME_BIRTH ? time_source_ids[source] : "none";
}

/* ---- One file ---- */

static void say(km_key_info *out, km_status status, const char *text) {
  out->parse_status = status;
  snprintf(out->damage, sizeof out->damage, "%.*s", (int)sizeof out->damage - 1, text);
}

/* A CNG file's key stands where a CAPI file's exchange key does. */
static km_status parse_cng(const uint8_t *data, size_t size, km_key_file *out, km_error *error) {
  km_cng_file file;
  km_status status = km_cng_file_read(data, size, &file, error);
  memcpy(out->container, file.container, sizeof out->container);
  if (!status) {
    out->exchange = file.key;
  }
  return status;
}

static void parse(km_key_info *out, const uint8_t *data, size_t size) {
  km_error why;
  km_key_file *key = &out->key;
  why.message[0] = 0;
  km_sha256(data, size, out->sha256);
  out->parse_status =
      out->cng ? parse_cng(data, size, key, &why) : km_key_file_parse(data, size, key, &why);
  if (out->parse_status) {
    say(out, out->parse_status, why.message);
  } else if (out->cng && km_cng_container_hash(key->container, key->container_hash, NULL)) {
    key->container_hash[0] = 0;
  }
}

/* Why a file is not even opened, or NULL. */
static const char *oddity(const km_file_info *file) {
  if (file->reparse) {
    return "a reparse point or link; keymend follows none";
  }
  return file->regular ? NULL : "not an ordinary file";
}

static km_status inspect(km_folder *folder, const km_backend *backend, const char *name,
                         km_key_info *out, km_error *error) {
  km_error why;
  uint8_t *data = NULL;
  size_t size = 0;
  km_status status = backend->file_info(folder, name, &out->file, &why);
  if (status == KM_NOT_FOUND || status == KM_MEMORY) {
    if (error) {
      *error = why;
    }
    return status;
  }
  if (status) {
    say(out, status, why.message);
    return KM_OK;
  }
  const char *odd = oddity(&out->file);
  if (odd) {
    say(out, KM_REFUSED, odd);
    return KM_OK;
  }
  status = backend->file_read(folder, name, KM_MAX_KEY_FILE, &data, &size, &out->file, &why);
  if (status == KM_NOT_FOUND || status == KM_MEMORY) {
    if (error) {
      *error = why;
    }
    return status;
  }
  if (status) {
    say(out, status, why.message);
    return KM_OK;
  }
  parse(out, data, size);
  km_secret_free(data, size);
  return KM_OK;
}

km_status km_key_inspect(km_target *target, km_store_kind kind, const char *name, km_key_info *out,
                         km_error *error) {
  km_folder *folder;
  memset(out, 0, sizeof *out);
  out->cng = kind != KM_STORE_RSA;
  km_status status = km_store_folder(target, kind, &folder, error);
  if (status) {
    return status;
  }
  status = inspect(folder, target->backend, name, out, error);
  target->backend->folder_close(folder);
  return status;
}

/* ---- Master keys ---- */

static bool same_name(const char *name, size_t length, const char *guid) {
  if (length != KM_GUID_TEXT - 1) {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    char lower = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    if (lower != guid[i]) {
      return false;
    }
  }
  return true;
}

/* Looks for a file named `guid`, in any case (copies do not always keep it); *found with its name and *info. */
static km_status find_master_key(km_folder *folder, const km_backend *backend, const char *guid,
                                 char found_name[KM_GUID_TEXT], km_file_info *info, bool *found,
                                 km_error *error) {
  km_listing *listing;
  const char *name;
  size_t length;
  bool is_folder;
  size_t budget = KM_MAX_MASTER_KEYS;
  km_status status = backend->folder_list(folder, &listing, error);
  if (status) {
    return status;
  }
  while (!*found && !(status = backend->listing_next(listing, &name, &length, &is_folder, error))) {
    if (budget-- == 0) {
      status =
          km_fail(error, KM_LIMIT, 0, "look for a master key: the folder has more than %d names",
                  KM_MAX_MASTER_KEYS);
      break;
    }
    *found = !is_folder && same_name(name, length, guid) &&
             !backend->file_info(folder, name, info, NULL) && info->regular && info->size > 0;
    if (*found) {
      memcpy(found_name, name, KM_GUID_TEXT - 1);
      found_name[KM_GUID_TEXT - 1] = 0;
    }
  }
  backend->listing_close(listing);
  return status == KM_END ? KM_OK : status;
}

/* Opens S-1-5-18 and then its folder User, which is where Windows puts the keys of what machine services protect and
 * which not every Windows has. */
km_status km_master_key_each(km_target *target, const char *guid,
                             bool (*each)(void *user, const km_master_key_file *file), void *user,
                             km_error *error) {
  static const char *const folders[] = {"", "\\User"};
  const km_backend *backend = target->backend;
  char path[4096], name[KM_GUID_TEXT];
  bool more = true;
  for (size_t i = 0; i < sizeof folders / sizeof *folders && more; i++) {
    km_master_key_file file = {.name = name, .user_folder = i > 0};
    bool found = false;
    snprintf(path, sizeof path, "%s\\System32\\Microsoft\\Protect\\S-1-5-18%s",
             target->info.windows, folders[i]);
    km_status status = backend->folder_open(target, path, &file.folder, error);
    if (status == KM_NOT_FOUND && i > 0) {
      break;
    }
    if (!status) {
      status = find_master_key(file.folder, backend, guid, name, &file.info, &found, error);
      more = !found || status || each(user, &file);
      backend->folder_close(file.folder);
    }
    if (status) {
      return status;
    }
  }
  return KM_OK;
}

typedef struct first_key {
  km_file_info *info;
  bool found;
} first_key;

static bool take_first(void *user, const km_master_key_file *file) {
  first_key *first = user;
  *first->info = file->info;
  first->found = true;
  return false;
}

static km_status look_for(km_target *target, const char *name, km_file_info *info, bool *found,
                          km_error *error) {
  first_key first = {info, false};
  km_status status = km_master_key_each(target, name, take_first, &first, error);
  *found = first.found;
  return status;
}

static km_status check_guid(const char *guid, char name[KM_GUID_TEXT], km_error *error) {
  if (km_guid_parse(guid, name) == KM_GUID_MALFORMED || !name[0]) {
    return km_fail(error, KM_MISUSE, 0, "\"%.64s\" is not the GUID of a master key",
                   guid ? guid : "");
  }
  return KM_OK;
}

km_status km_master_key_present(km_target *target, const char *guid, bool *present,
                                km_error *error) {
  char name[KM_GUID_TEXT];
  km_file_info info = {0};
  *present = false;
  km_status status = check_guid(guid, name, error);
  return status ? status : look_for(target, name, &info, present, error);
}

km_status km_master_key_info(km_target *target, const char *guid, km_file_info *out,
                             km_error *error) {
  char name[KM_GUID_TEXT];
  bool found = false;
  memset(out, 0, sizeof *out);
  km_status status = check_guid(guid, name, error);
  if (!status) {
    status = look_for(target, name, out, &found, error);
  }
  if (status || found) {
    return status;
  }
  memset(out, 0, sizeof *out);
  return km_fail(
      error, KM_NOT_FOUND, 0,
      "the master key %s is neither in %s\\System32\\Microsoft\\Protect\\S-1-5-18 nor in "
      "its folder User",
      name, target->info.windows);
}
