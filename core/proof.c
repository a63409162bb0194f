/* proof.c: tries a target's keys with its own secrets, or with the system that runs. */
#include "proof.h"

#include "backend.h"
#include "bytes.h"
#include "dpapi.h"
#include "keyfile.h"
#include "lsa.h"
#include "private.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

#define KM_MAX_HELD_KEYS 1024         /* opened master keys kept; beyond, the oldest is replaced */
#define KM_MAX_MASTER_KEY_FILE 65536  /* bytes; real ones have some hundred */
#define KM_MAX_PROOF_ROUNDS 100000000 /* of all master keys of a proof together */

/* What came of a master key, and itself. */
typedef struct held_key {
  char guid[KM_GUID_TEXT];
  km_decryptable verdict; /* KM_DECRYPT_YES: it is open */
  uint8_t key[KM_MASTER_KEY_SIZE];
  char why[256]; /* unless it is open */
} held_key;

/* All of it stands in locked memory. */
struct km_proof {
  km_target *target;
  bool asked; /* for the secrets */
  bool has_problem;
  bool starved; /* memory ran short since the last question: what came out of it is no verdict */
  uint8_t system[KM_DPAPI_SYSTEM_SIZE];
  held_key *held;
  size_t held_count, held_room, oldest;
  uint64_t rounds; /* that are left */
  char problem[512];
};

static km_status note(km_proof *proof, km_status status) {
  proof->starved = proof->starved || status == KM_MEMORY;
  return status;
}

static const char *const decryptable_ids[] = {
    [KM_DECRYPT_UNKNOWN] = "unknown",
    [KM_DECRYPT_YES] = "yes",
    [KM_DECRYPT_NO_MASTER_KEY] = "no-master-key",
    [KM_DECRYPT_MASTER_KEY_CLOSED] = "master-key-closed",
    [KM_DECRYPT_BAD_SIGNATURE] = "bad-signature",
    [KM_DECRYPT_MISMATCH] = "mismatch",
};

const char *km_decryptable_id(km_decryptable decryptable) {
  return decryptable_ids[(unsigned)decryptable <= KM_DECRYPT_MISMATCH ? decryptable : 0];
}

km_status km_proof_open(km_target *target, km_proof **out, km_error *error) {
  *out = km_locked_alloc(sizeof **out);
  if (!*out) {
    return km_fail(error, KM_MEMORY, 0, "try keys: out of memory");
  }
  (*out)->target = target;
  (*out)->rounds = KM_MAX_PROOF_ROUNDS;
  return KM_OK;
}

void km_proof_close(km_proof *proof) {
  if (!proof) {
    return;
  }
  km_locked_free(proof->held, proof->held_room * sizeof *proof->held);
  km_locked_free(proof, sizeof *proof);
}

/* ---- The system's secrets ---- */

static km_status check_boot_mode(km_target *target, km_error *error) {
  km_registry_value mode;
  if (km_registry_read(target, "SYSTEM\\CurrentControlSet\\Control\\Lsa", "SecureBoot", &mode,
                       NULL)) {
    return KM_OK;
  }
  int kind = mode.size == 4 ? mode.data[0] : 0;
  km_registry_value_free(&mode);
  return kind == 2 || kind == 3 ? km_fail(error, KM_UNSUPPORTED, 0,
                                          "the boot key is not in the registry: this Windows asks "
                                          "for %s when it starts (syskey)",
                                          kind == 2 ? "a password" : "a floppy disk")
                                : KM_OK;
}

static km_status read_boot_key(km_target *target, uint8_t boot_key[KM_BOOT_KEY_SIZE],
                               km_error *error) {
  static const char *const paths[4] = {"SYSTEM\\CurrentControlSet\\Control\\Lsa\\JD",
                                       "SYSTEM\\CurrentControlSet\\Control\\Lsa\\Skew1",
                                       "SYSTEM\\CurrentControlSet\\Control\\Lsa\\GBG",
                                       "SYSTEM\\CurrentControlSet\\Control\\Lsa\\Data"};
  char *classes[4] = {NULL};
  km_status status = check_boot_mode(target, error);
  for (size_t i = 0; i < 4 && !status; i++) {
    status = km_registry_class(target, paths[i], &classes[i], error);
    if (status == KM_NOT_FOUND) {
      status = km_fail(error, KM_NOT_FOUND, 0,
                       "the SYSTEM hive lacks a part of the boot key (there is no key %s with a "
                       "class name), so nothing can be decrypted: restore SYSTEM and SECURITY from "
                       "one backup",
                       paths[i]);
    }
  }
  if (!status) {
    const char *const texts[4] = {classes[0], classes[1], classes[2], classes[3]};
    status = km_lsa_boot_key(texts, boot_key, error);
  }
  for (size_t i = 0; i < 4; i++) {
    km_secret_free(classes[i], classes[i] ? strlen(classes[i]) : 0);
  }
  return status;
}

/* NT 6 and NT 5 keep the LSA key in different places; an upgraded system may have both, and then the newer holds. */
static km_status read_lsa_key(km_target *target, const uint8_t boot_key[KM_BOOT_KEY_SIZE],
                              km_lsa_key *key, km_error *error) {
  km_registry_value value;
  km_lsa_form form = KM_LSA_NT6;
  km_status status = km_registry_read(target, "SECURITY\\Policy\\PolEKList", "", &value, error);
  if (status == KM_NOT_FOUND) {
    form = KM_LSA_NT5;
    status =
        km_registry_read(target, "SECURITY\\Policy\\PolSecretEncryptionKey", "", &value, error);
  }
  if (status) {
    return status;
  }
  status = km_lsa_key_open(form, boot_key, (km_bytes){value.data, value.size}, key, error);
  km_registry_value_free(&value);
  return status;
}

static km_status read_system_secret(km_target *target, const km_lsa_key *key,
                                    uint8_t secret[KM_DPAPI_SYSTEM_SIZE], km_error *error) {
  km_registry_value value;
  km_status status = km_registry_read(target, "SECURITY\\Policy\\Secrets\\DPAPI_SYSTEM\\CurrVal",
                                      "", &value, error);
  if (status) {
    return status;
  }
  status = km_lsa_dpapi_system(key, (km_bytes){value.data, value.size}, secret, error);
  km_registry_value_free(&value);
  return status;
}

/* What leads from the hives to DPAPI_SYSTEM. */
typedef struct chain {
  uint8_t boot_key[KM_BOOT_KEY_SIZE];
  km_lsa_key lsa_key;
} chain;

static km_status read_secrets(km_proof *proof, km_error *error) {
  km_target *target = proof->target;
  chain *secrets = km_locked_alloc(sizeof *secrets);
  if (!secrets) {
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  }
  km_status status = read_boot_key(target, secrets->boot_key, error);
  if (!status) {
    status = read_lsa_key(target, secrets->boot_key, &secrets->lsa_key, error);
  }
  if (!status) {
    status = read_system_secret(target, &secrets->lsa_key, proof->system, error);
  }
  km_locked_free(secrets, sizeof *secrets);
  km_wipe_stack();
  return status;
}

/* Asked once, and again after memory was short; a running system needs none. */
static void ask_secrets(km_proof *proof) {
  km_error why;
  if (proof->asked) {
    return;
  }
  km_status status = proof->target->backend->unprotect ? KM_OK : read_secrets(proof, &why);
  proof->asked = note(proof, status) != KM_MEMORY;
  proof->has_problem = status != KM_OK;
  if (status == KM_OK) {
    return;
  }
  snprintf(proof->problem, sizeof proof->problem, "%.*s", (int)sizeof proof->problem - 1,
           why.message);
}

const char *km_proof_problem(km_proof *proof) {
  ask_secrets(proof);
  return proof->has_problem ? proof->problem : NULL;
}

/* ---- Master keys ---- */

/* What is asked of the files of one master key; each may be another or a copy. */
typedef struct opening {
  km_proof *proof;
  held_key *key;
  bool present, closed;
} opening;

static void tell(char *text, size_t size, const char *words) {
  snprintf(text, size, "%.*s", (int)size - 1, words);
}

/* What a verdict means, in the same words live and offline. */
static void tell_verdict(char *text, size_t size, km_decryptable verdict, const char *guid) {
  switch (verdict) {
  case KM_DECRYPT_NO_MASTER_KEY:
    snprintf(text, size,
             "its master key %s is not here: it was made before a sysprep, or on another system",
             guid);
    break;
  case KM_DECRYPT_MASTER_KEY_CLOSED:
    snprintf(text, size,
             "its master key %s is here, but this system's secret does not open it: it is another "
             "system's, or of before a sysprep",
             guid);
    break;
  case KM_DECRYPT_BAD_SIGNATURE:
    tell(text, size,
         "its master key opens, but the signature of what is encrypted is wrong: the file is "
         "damaged "
         "or forged");
    break;
  default:
    break;
  }
}

/* Leaves the verdict as it is when the file tells nothing. */
static km_status open_bytes(opening *o, const uint8_t *data, size_t size, bool user_folder,
                            km_error *error) {
  km_master_key master;
  km_status status = km_master_key_parse(data, size, &master, error);
  if (status) {
    return status;
  }
  if (master.rounds > o->proof->rounds) {
    return km_fail(error, KM_LIMIT, 0,
                   "the target's master keys ask for more than %d rounds together, and no Windows "
                   "does",
                   KM_MAX_PROOF_ROUNDS);
  }
  o->proof->rounds -= master.rounds;
  const uint8_t *half = o->proof->system + 4 + (user_folder ? KM_SYSTEM_KEY_SIZE : 0);
  status = km_master_key_open(&master, half, o->key->key, error);
  km_wipe_stack();
  return status;
}

static bool open_file(void *user, const km_master_key_file *file) {
  opening *o = user;
  km_error why;
  uint8_t *data = NULL;
  size_t size = 0;
  km_file_info info;
  o->present = true;
  km_status status = o->proof->target->backend->file_read(
      file->folder, file->name, KM_MAX_MASTER_KEY_FILE, &data, &size, &info, &why);
  if (!status) {
    status = open_bytes(o, data, size, file->user_folder, &why);
  }
  (void)note(o->proof, status);
  km_secret_free(data, size);
  if (!status) {
    o->key->verdict = KM_DECRYPT_YES;
  } else if (status == KM_REFUSED) {
    o->closed = true;
  } else {
    tell(o->key->why, sizeof o->key->why, why.message);
  }
  return status != KM_OK;
}

static bool look(void *user, const km_master_key_file *file) {
  (void)file;
  ((opening *)user)->present = true;
  return false;
}

/* Where nothing can be decrypted, a master key that is not there is still told. */
static void open_master_key(km_proof *proof, held_key *key) {
  km_error why;
  opening o = {.proof = proof, .key = key};
  const char *problem = km_proof_problem(proof);
  km_status status =
      km_master_key_each(proof->target, key->guid, problem ? look : open_file, &o, &why);
  if (key->verdict == KM_DECRYPT_YES) {
    return;
  }
  if (note(proof, status)) {
    tell(key->why, sizeof key->why, why.message);
  } else if (!o.present) {
    key->verdict = KM_DECRYPT_NO_MASTER_KEY;
    tell_verdict(key->why, sizeof key->why, key->verdict, key->guid);
  } else if (problem) {
    tell(key->why, sizeof key->why, problem);
  } else if (o.closed && !key->why[0]) {
    key->verdict = KM_DECRYPT_MASTER_KEY_CLOSED;
    tell_verdict(key->why, sizeof key->why, key->verdict, key->guid);
  }
}

/* A place for one more: the next free one, else the oldest. */
static held_key *new_place(km_proof *proof) {
  if (proof->held_count == proof->held_room && proof->held_room < KM_MAX_HELD_KEYS) {
    size_t room = proof->held_room ? proof->held_room * 2 : 16;
    held_key *rows = km_locked_alloc(room * sizeof *rows);
    if (!rows) {
      return NULL;
    }
    if (proof->held) {
      memcpy(rows, proof->held, proof->held_count * sizeof *rows);
    }
    km_locked_free(proof->held, proof->held_room * sizeof *rows);
    proof->held = rows;
    proof->held_room = room;
  }
  if (proof->held_count < proof->held_room) {
    return &proof->held[proof->held_count++];
  }
  held_key *place = &proof->held[proof->oldest];
  proof->oldest = (proof->oldest + 1) % KM_MAX_HELD_KEYS;
  km_wipe(place, sizeof *place);
  return place;
}

/* The master key, opened when it is asked for the first time; NULL: out of memory. */
static const held_key *hold(km_proof *proof, const char *guid) {
  for (size_t i = 0; i < proof->held_count; i++) {
    if (!strcmp(proof->held[i].guid, guid)) {
      return &proof->held[i];
    }
  }
  held_key *key = new_place(proof);
  if (key) {
    memcpy(key->guid, guid, KM_GUID_TEXT);
    open_master_key(proof, key);
  }
  if (key && key->verdict != KM_DECRYPT_YES && proof->starved) {
    km_wipe(key, sizeof *key); /* to be opened again when it is asked for again */
    return NULL;
  }
  return key;
}

/* ---- Blobs ---- */

/* The clear text of a blob, in locked memory. */
typedef struct clear_text {
  uint8_t *data;
  size_t size, room;
} clear_text;

static void drop(clear_text *clear) {
  km_locked_free(clear->data, clear->room);
  memset(clear, 0, sizeof *clear);
}

static km_decryptable say(char text[256], km_decryptable verdict, const char *words) {
  tell(text, 256, words);
  return verdict;
}

static km_decryptable open_live(km_proof *proof, const km_dpapi_blob *blob, km_bytes bytes,
                                km_bytes entropy, clear_text *clear, char text[256]) {
  km_error why;
  km_decryptable verdict = KM_DECRYPT_UNKNOWN;
  km_status status =
      proof->target->backend->unprotect(proof->target, bytes.data, bytes.size, entropy.data,
                                        entropy.size, clear->data, &clear->size, &verdict, &why);
  if (note(proof, status) == KM_OK) {
    return KM_DECRYPT_YES;
  }
  if (verdict == KM_DECRYPT_UNKNOWN) {
    return say(text, KM_DECRYPT_UNKNOWN, why.message);
  }
  tell_verdict(text, 256, verdict, blob->master_key);
  return verdict;
}

static km_decryptable open_own(km_proof *proof, const km_dpapi_blob *blob, km_bytes entropy,
                               clear_text *clear, char text[256]) {
  km_error why;
  const held_key *key = hold(proof, blob->master_key);
  if (!key) {
    (void)note(proof, KM_MEMORY);
    return say(text, KM_DECRYPT_UNKNOWN, "out of memory");
  }
  if (key->verdict == KM_DECRYPT_NO_MASTER_KEY && !km_dpapi_blob_is_of_machine(blob)) {
    snprintf(text, 256,
             "its master key %s is not the system's, and it is for the account alone that made it: "
             "that account's master keys were not looked at",
             blob->master_key);
    return KM_DECRYPT_UNKNOWN;
  }
  if (key->verdict != KM_DECRYPT_YES) {
    return say(text, key->verdict, key->why);
  }
  km_status status = km_dpapi_blob_open(blob, key->key, entropy, clear->data, &clear->size, &why);
  km_wipe_stack();
  if (note(proof, status) == KM_DAMAGED) {
    tell_verdict(text, 256, KM_DECRYPT_BAD_SIGNATURE, key->guid);
    return KM_DECRYPT_BAD_SIGNATURE;
  }
  return status ? say(text, KM_DECRYPT_UNKNOWN, why.message) : KM_DECRYPT_YES;
}

/* Opens a blob; KM_DECRYPT_YES with the clear text, which is to be dropped, or the reason in `text`. */
static km_decryptable open_blob(km_proof *proof, km_bytes bytes, km_bytes entropy, bool other_form,
                                clear_text *clear, char text[256]) {
  km_error why = {KM_OK, 0, ""};
  km_dpapi_blob blob;
  memset(clear, 0, sizeof *clear);
  if (km_dpapi_blob_parse(bytes.data, bytes.size, "encrypted part", 0, &blob, &why)) {
    return say(text, KM_DECRYPT_UNKNOWN, why.message);
  }
  blob.other_form = other_form;
  clear->room = bytes.size;
  clear->data = km_locked_alloc(clear->room);
  if (!clear->data) {
    (void)note(proof, KM_MEMORY);
    return say(text, KM_DECRYPT_UNKNOWN, "out of memory");
  }
  km_decryptable verdict = proof->target->backend->unprotect
                               ? open_live(proof, &blob, bytes, entropy, clear, text)
                               : open_own(proof, &blob, entropy, clear, text);
  if (verdict != KM_DECRYPT_YES) {
    drop(clear);
  }
  return verdict;
}

/* ---- One key ---- */

/* What is read of a key file to try its keys. */
typedef struct key_source {
  bool cng;
  uint8_t *data;
  size_t size;
  km_key_file *capi; /* or the next */
  km_cng_file *cng_file;
  km_key_parts signature, exchange; /* of a CAPI file */
} key_source;

typedef struct one_key {
  const km_public_key *public_key;
  const km_key_parts *parts;
  bool cng;
} one_key;

static one_key choose(const key_source *source, bool exchange) {
  if (source->cng) {
    return (one_key){&source->cng_file->key, &source->cng_file->parts, true};
  }
  return exchange ? (one_key){&source->capi->exchange, &source->exchange, false}
                  : (one_key){&source->capi->signature, &source->signature, false};
}

/* With their NULs. */
static const char export_entropy[] = "Hj1diQ6kpUx7VC4m";
static const char cng_properties_entropy[] = "6jnkd5J3ZdQDtrsu";
static const char cng_key_entropy[] = "xT5rZW5qVVbrvpuA";

#define ENTROPY(text) ((km_bytes){(const uint8_t *)(text), sizeof(text)})

/* The export policy of a CNG key is one of its private properties: u32 size, u32 type, u32 not known, u32 size of the name, u32
 * size of the content, name, content. Bits 0 and 1 allow it to leave. */
static bool export_policy(const clear_text *clear, bool *exportable) {
  enum { HEADER = 20 };
  static const char name[] = "E\0x\0p\0o\0r\0t\0 \0P\0o\0l\0i\0c\0y"; /* its last NUL is C's own */
  for (size_t at = 0; clear->size - at >= HEADER;) {
    const uint8_t *row = clear->data + at;
    size_t size = km_u32(row), name_size = km_u32(row + 12), content = km_u32(row + 16);
    if (size < HEADER || size > clear->size - at || name_size > size - HEADER ||
        content > size - HEADER - name_size) {
      return false;
    }
    if (name_size == sizeof name && content >= 4 && !memcmp(row + HEADER, name, sizeof name)) {
      *exportable = (km_u32(row + HEADER + name_size) & 3) != 0;
      return true;
    }
    at += size;
  }
  return false;
}

/* The clear text of the flag is kept: some write it into the private part's entropy. */
static void read_export(km_proof *proof, const one_key *key, km_proof_part *out,
                        clear_text *clear) {
  char text[256];
  km_bytes entropy = key->cng ? ENTROPY(cng_properties_entropy) : ENTROPY(export_entropy);
  memset(clear, 0, sizeof *clear);
  if (!key->parts->export_flag.size ||
      open_blob(proof, key->parts->export_flag, entropy, false, clear, text) != KM_DECRYPT_YES) {
    return;
  }
  if (key->cng) {
    out->export_known = export_policy(clear, &out->exportable);
  } else if (clear->size >= 4) {
    out->export_known = true;
    out->exportable = (km_u32(clear->data) & 1) != 0;
  }
}

static km_decryptable judge(km_private verdict, const char *why, char text[256]) {
  switch (verdict) {
  case KM_PRIVATE_FITS:
    return say(text, KM_DECRYPT_YES, "it decrypts, and is the private part of the public key");
  case KM_PRIVATE_SYMMETRIC:
    return say(text, KM_DECRYPT_YES, "it decrypts; it is a secret key, without a public part");
  case KM_PRIVATE_MISMATCH:
    snprintf(text, 256, "it decrypts, but is not the private part of the public key: %s", why);
    return KM_DECRYPT_MISMATCH;
  case KM_PRIVATE_UNKNOWN:
  case KM_PRIVATE_NO_MEMORY:
    break;
  }
  snprintf(text, 256, "it decrypts, but could not be compared with the public key: %s", why);
  return KM_DECRYPT_UNKNOWN;
}

/* Opens the private part. CAPI's needs no entropy as a rule; one tool knows files whose entropy is the export flag. */
static km_decryptable open_private(km_proof *proof, const one_key *key, const clear_text *flag,
                                   bool other_form, clear_text *clear, char text[256]) {
  km_bytes entropy = key->cng ? ENTROPY(cng_key_entropy) : (km_bytes){NULL, 0};
  const km_bytes part = key->parts->private_part;
  km_decryptable verdict = open_blob(proof, part, entropy, other_form, clear, text);
  if (verdict == KM_DECRYPT_BAD_SIGNATURE && !key->cng && flag->size) {
    char again[256];
    if (open_blob(proof, part, (km_bytes){flag->data, flag->size}, other_form, clear, again) ==
        KM_DECRYPT_YES) {
      return KM_DECRYPT_YES;
    }
  }
  return verdict;
}

/* Whether own decryption may have brought forth nonsense: a stream cipher's text has no end to check, and its length of the
 * key rests on no real file. What begins as an RSA key is none. */
static bool may_be_nonsense(const km_proof *proof, const one_key *key, km_bytes clear) {
  km_dpapi_blob blob;
  const km_bytes part = key->parts->private_part;
  return !proof->target->backend->unprotect &&
         !km_dpapi_blob_parse(part.data, part.size, "encrypted part", 0, &blob, NULL) &&
         blob.cipher && blob.cipher->block == 0 &&
         (clear.size < 4 || memcmp(clear.data, "RSA", 3) != 0);
}

/* Decrypts the private part in one form and compares it with the public one. */
static km_decryptable try_form(km_proof *proof, const one_key *key, const clear_text *flag,
                               bool other_form, km_rsa *rsa, char text[256]) {
  clear_text clear;
  const char *why = "";
  km_decryptable verdict = open_private(proof, key, flag, other_form, &clear, text);
  if (verdict == KM_DECRYPT_YES) {
    km_bytes bytes = {clear.data, clear.size};
    km_private found = key->cng ? km_private_cng(bytes, key->public_key, rsa, &why)
                                : km_private_capi(bytes, key->public_key, rsa, &why);
    if (found == KM_PRIVATE_MISMATCH && may_be_nonsense(proof, key, bytes)) {
      found = KM_PRIVATE_UNKNOWN;
    }
    (void)note(proof, found == KM_PRIVATE_NO_MEMORY ? KM_MEMORY : KM_OK);
    verdict = judge(found, why, text);
  }
  drop(&clear);
  return verdict;
}

/* Tries one key. With KM_DECRYPT_YES `rsa` is the key (without numbers when it is a secret key); it is to be cleared
 * whatever comes out. What does not fit in the form of the signature may fit in the other one. */
static void try_key(km_proof *proof, const one_key *key, km_proof_part *out, km_rsa *rsa) {
  clear_text flag;
  char again[256];
  memset(rsa, 0, sizeof *rsa);
  memset(out, 0, sizeof *out);
  if (!key->parts->private_part.size) {
    return;
  }
  out->present = true;
  memcpy(out->master_key, key->public_key->master_key, KM_GUID_TEXT);
  read_export(proof, key, out, &flag);
  out->decryptable = try_form(proof, key, &flag, false, rsa, out->text);
  if (out->decryptable == KM_DECRYPT_MISMATCH && !proof->target->backend->unprotect) {
    km_rsa_clear(rsa);
    if (try_form(proof, key, &flag, true, rsa, again) == KM_DECRYPT_YES) {
      out->decryptable = say(out->text, KM_DECRYPT_YES, again);
    }
  }
  drop(&flag);
  km_wipe_stack();
}

/* ---- One file ---- */

static void source_free(key_source *source) {
  km_secret_free(source->data, source->size);
  km_locked_free(source->capi, sizeof *source->capi);
  km_locked_free(source->cng_file, sizeof *source->cng_file);
}

static km_status read_bytes(km_target *target, km_store_kind kind, const char *name,
                            key_source *out, km_error *error) {
  km_folder *folder;
  km_file_info info;
  km_status status = km_store_folder(target, kind, &folder, error);
  if (status) {
    return status;
  }
  status = target->backend->file_info(folder, name, &info, error);
  if (!status && (info.reparse || !info.regular)) {
    status = km_fail(error, KM_REFUSED, 0, "%s: it is not an ordinary file", name);
  }
  if (!status) {
    status = target->backend->file_read(folder, name, KM_MAX_KEY_FILE, &out->data, &out->size,
                                        &info, error);
  }
  target->backend->folder_close(folder);
  return status;
}

/* Reads a key file; it is to be freed whatever comes out. */
static km_status source_read(km_target *target, km_store_kind kind, const char *name,
                             key_source *out, km_error *error) {
  memset(out, 0, sizeof *out);
  out->cng = kind != KM_STORE_RSA;
  out->capi = km_locked_alloc(sizeof *out->capi);
  out->cng_file = km_locked_alloc(sizeof *out->cng_file);
  if (!out->capi || !out->cng_file) {
    return km_fail(error, KM_MEMORY, 0, "try %s: out of memory", name);
  }
  km_status status = read_bytes(target, kind, name, out, error);
  if (status) {
    return status;
  }
  return out->cng ? km_cng_file_read(out->data, out->size, out->cng_file, error)
                  : km_key_file_read(out->data, out->size, out->capi, &out->signature,
                                     &out->exchange, error);
}

static unsigned gravity(km_decryptable verdict) {
  static const unsigned order[] = {
      [KM_DECRYPT_YES] = 0,           [KM_DECRYPT_UNKNOWN] = 1,
      [KM_DECRYPT_NO_MASTER_KEY] = 2, [KM_DECRYPT_MASTER_KEY_CLOSED] = 3,
      [KM_DECRYPT_BAD_SIGNATURE] = 4, [KM_DECRYPT_MISMATCH] = 5,
  };
  return order[verdict];
}

/* The file's verdict is that of its gravest part. */
static void sum_up(km_key_proof *out) {
  const km_proof_part *gravest = NULL;
  const km_proof_part *const parts[] = {&out->signature, &out->exchange};
  for (size_t i = 0; i < 2; i++) {
    if (parts[i]->present &&
        (!gravest || gravity(parts[i]->decryptable) > gravity(gravest->decryptable))) {
      gravest = parts[i];
    }
  }
  if (!gravest) {
    tell(out->text, sizeof out->text, "the container holds no key");
    return;
  }
  out->decryptable = gravest->decryptable;
  snprintf(out->text, sizeof out->text, "%s: %s",
           out->cng                     ? "the key"
           : gravest == &out->signature ? "the signature key"
                                        : "the exchange key",
           gravest->text);
}

km_status km_proof_key(km_proof *proof, km_store_kind kind, const char *name, km_key_proof *out,
                       km_error *error) {
  key_source source;
  km_error why;
  km_rsa rsa;
  memset(out, 0, sizeof *out);
  out->cng = kind != KM_STORE_RSA;
  proof->starved = false;
  km_status status = source_read(proof->target, kind, name, &source, &why);
  if (!status) {
    one_key signature = choose(&source, false), exchange = choose(&source, true);
    if (!out->cng) {
      try_key(proof, &signature, &out->signature, &rsa);
      km_rsa_clear(&rsa);
    }
    try_key(proof, &exchange, &out->exchange, &rsa);
    km_rsa_clear(&rsa);
    sum_up(out);
    if (proof->starved) {
      memset(out, 0, sizeof *out);
      status = km_fail(&why, KM_MEMORY, 0, "try %s: out of memory", name);
    }
  } else {
    tell(out->text, sizeof out->text, why.message);
  }
  source_free(&source);
  if (status == KM_NOT_FOUND || status == KM_MEMORY) {
    if (error) {
      *error = why;
    }
    return status;
  }
  return KM_OK;
}

/* ---- For identity ---- */

static km_status find_key(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                          key_source *source, one_key *key, km_error *error) {
  km_status status = source_read(proof->target, kind, name, source, error);
  if (status) {
    return status;
  }
  *key = choose(source, exchange);
  return key->public_key->present ? KM_OK
                                  : km_fail(error, KM_NOT_FOUND, 0, "%s: it holds no %s", name,
                                            key->cng   ? "RSA key whose public part it tells"
                                            : exchange ? "exchange key"
                                                       : "signature key");
}

km_status km_proof_public(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                          km_public_key *out, km_error *error) {
  key_source source;
  one_key key;
  memset(out, 0, sizeof *out);
  km_status status = find_key(proof, kind, name, exchange, &source, &key, error);
  if (!status) {
    *out = *key.public_key;
  }
  source_free(&source);
  return status;
}

static km_status use_key(km_proof *proof, const one_key *key, const char *name, km_bytes in,
                         uint8_t *out_be, km_error *error) {
  km_proof_part part;
  km_rsa rsa;
  bool memory = false;
  km_status status = KM_OK;
  proof->starved = false;
  try_key(proof, key, &part, &rsa);
  if (part.decryptable != KM_DECRYPT_YES && proof->starved) {
    status = km_fail(error, KM_MEMORY, 0, "use %s: out of memory", name);
  } else if (part.decryptable != KM_DECRYPT_YES) {
    status = km_fail(error, KM_REFUSED, 0, "%s: %s", name, part.text);
  } else if (!km_rsa_private(&rsa, in, out_be, &memory)) {
    status = memory ? km_fail(error, KM_MEMORY, 0, "use %s: out of memory", name)
                    : km_fail(error, KM_MISUSE, 0,
                              "use %s: what is to be decrypted is not below its modulus", name);
  }
  km_rsa_clear(&rsa);
  km_wipe_stack();
  return status;
}

km_status km_proof_rsa(km_proof *proof, km_store_kind kind, const char *name, bool exchange,
                       const uint8_t *in_le, size_t size, uint8_t *out_be, km_error *error) {
  key_source source;
  one_key key;
  if (size > KM_MAX_MODULUS) {
    return km_fail(error, KM_MISUSE, 0, "use %s: %zu bytes are more than any modulus has", name,
                   size);
  }
  km_status status = find_key(proof, kind, name, exchange, &source, &key, error);
  if (!status) {
    status = use_key(proof, &key, name, (km_bytes){in_le, size}, out_be, error);
  }
  source_free(&source);
  return status;
}
