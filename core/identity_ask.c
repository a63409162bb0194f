/* identity_ask.c: what one source says of one key: a certificate, a configuration, a metabase. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "metabase.h"
#include "secret.h"

/* Takes the last character off a text that was cut: it may be half a one. */
static void trim(char *text) {
  size_t end = strlen(text);
  while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80)
    end--;
  if (end > 0)
    text[end - 1] = '\0';
}

KM_FORMAT(3, 4)
static void say(km_identity *row, km_identity_verdict verdict, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(row->text, sizeof row->text, format, arguments);
  va_end(arguments);
  row->verdict = verdict;
  if (length >= (int)sizeof row->text)
    trim(row->text);
}

/* Whether a key that this source was not made with is a wrong one: something uses the source now, and means a container of
 * the key's kind. */
static bool can_disprove(const km_source *source, km_store_kind kind) {
  return source->about.use != NULL && !source->about.history &&
         source->about.cng == (kind != KM_STORE_RSA);
}

/* The source was made with another key. */
static void say_other(const km_source *source, km_store_kind kind, km_identity *row,
                      const char *why) {
  if (can_disprove(source, kind))
    say(row, KM_IDENTITY_DISPROVED, "%s, and %s uses it", why, source->about.use);
  else if (source->about.history)
    say(row, KM_IDENTITY_UNKNOWN, "%s; it is of the past and says nothing of the present key", why);
  else
    say(row, KM_IDENTITY_UNKNOWN, "%s; nothing is known to use it, so this says no more", why);
}

/* ---- Certificates ---- */

static bool same_key(const km_source *source, const km_public_key *key) {
  return key->present && source->modulus_size == key->bits / 8 &&
         source->exponent == key->exponent &&
         memcmp(source->modulus, key->modulus, source->modulus_size) == 0;
}

static void ask_certificate(const km_source *source, km_store_kind kind, const km_key_file *key,
                            km_identity *row) {
  bool exchange = same_key(source, &key->exchange);
  if (exchange || same_key(source, &key->signature)) {
    row->part = exchange ? "exchange" : "signature";
    say(row, KM_IDENTITY_PROVED, "the public key is the one of the certificate (%u bits)",
        (unsigned)source->modulus_size * 8);
  } else {
    say_other(source, kind, row, "the certificate is of another key");
  }
}

/* ---- Session keys ---- */

/* An opened session key, in locked memory. */
typedef struct opened {
  uint8_t plain[KM_MAX_SESSION_KEY];
  size_t length;
} opened;

/* Opens a session key, as km_session_key_open: with length 0 it was made for another key. *out is to be closed whatever
 * comes of it. */
static km_status open_session(const km_session_key *session, km_private_operation rsa, void *user,
                              opened **out, km_error *why) {
  *out = km_locked_alloc(sizeof **out);
  if (*out == NULL)
    return km_fail(why, KM_MEMORY, 0, "open a session key: out of memory");
  return km_session_key_open(session, rsa, user, (*out)->plain, &(*out)->length, why);
}

static void close_session(opened *session) {
  km_locked_free(session, sizeof *session);
  km_wipe_stack();
}

/* ---- Configuration ---- */

static void say_opened(const km_source *source, const km_session_key *session, const opened *key,
                       km_identity *row) {
  char odds[64];
  size_t good = 0;
  row->part = "exchange";
  for (size_t i = 0; i < source->value_count; i++)
    good += km_encrypted_opens(session->algorithm, key->plain, key->length, source->values[i].data,
                               source->values[i].size);
  (void)snprintf(odds, sizeof odds, "a wrong key does that once in 2^%.1f",
                 km_session_key_odds(session));
  if (source->value_count == 0)
    say(row, KM_IDENTITY_PROVED, "it opens the session key (%s)", odds);
  else if (good > 0)
    say(row, KM_IDENTITY_PROVED,
        "it opens the session key, and %zu of the %zu encrypted values with that", good,
        source->value_count);
  else
    say(row, KM_IDENTITY_CONSISTENT,
        "it opens the session key (%s), but none of the %zu encrypted values reads as a text with "
        "that",
        odds, source->value_count);
}

static km_status ask_configuration(const km_source *source, km_store_kind kind,
                                   const km_key_file *key, km_private_operation rsa, void *user,
                                   km_identity *row, km_error *error) {
  km_session_key session;
  km_error why = {KM_OK, 0, ""};
  opened *opening = NULL;
  if (km_session_key_parse(source->blob, source->blob_size, &session, &why) != KM_OK) {
    say(row, KM_IDENTITY_UNKNOWN, "%s", why.message);
    return KM_OK;
  }
  if (!km_session_key_fits(&session, &key->exchange)) {
    char text[120] = "its session key needs an exchange key, and the file has none";
    if (key->exchange.present)
      (void)snprintf(text, sizeof text,
                     "its session key of %zu bits does not go into this key of %u bits",
                     session.size * 8, (unsigned)key->exchange.bits);
    say_other(source, kind, row, text);
    return KM_OK;
  }
  if (rsa == NULL) {
    say(row, KM_IDENTITY_UNKNOWN,
        "its session key has the length of this key; telling more takes the private key");
    return KM_OK;
  }
  km_status status = open_session(&session, rsa, user, &opening, &why);
  if (status != KM_OK)
    say(row, KM_IDENTITY_UNKNOWN, "the private key is not to be had: %s", why.message);
  else if (opening->length > 0)
    say_opened(source, &session, opening, row);
  else
    say_other(source, kind, row, "its session key does not open with this key");
  close_session(opening);
  return status == KM_MEMORY ? km_fail(error, KM_MEMORY, 0, "%s", why.message) : KM_OK;
}

/* ---- Metabase ---- */

/* Whether the signature is as long as the key. Its value is not asked: no real pair has confirmed how it is written. */
static bool signature_fits(const km_metabase_key *found, const km_public_key *key) {
  return key->present && found->signature_size == key->bits / 8;
}

static bool is_below(const uint8_t *number_le, const km_public_key *key) {
  for (size_t i = key->bits / 8; i-- > 0;)
    if (number_le[i] != key->modulus[i])
      return number_le[i] < key->modulus[i];
  return false;
}

static km_status try_signature(const km_metabase_key *found, const km_public_key *key, bool *good,
                               km_error *error) {
  *good = false;
  if (!is_below(found->signature, key))
    return KM_OK;
  uint8_t *block = malloc(found->signature_size);
  if (block == NULL)
    return km_fail(error, KM_MEMORY, 0, "check a signature: out of memory");
  km_status status = km_rsa_public(key, found->signature, block, error);
  if (status == KM_OK)
    *good = km_signature_block(block, found->signature_size);
  free(block);
  return status;
}

static km_status ask_metabase(const km_source *source, km_store_kind kind, const km_key_file *key,
                              km_private_operation rsa, void *user, km_identity *row,
                              km_error *error) {
  km_metabase_key found;
  km_session_key session;
  km_error why = {KM_OK, 0, ""};
  opened *opening = NULL;
  bool is_signed = false;
  if (km_metabase_key_parse(source->blob, source->blob_size, &found, &why) != KM_OK ||
      km_session_key_parse(found.blob, found.blob_size, &session, &why) != KM_OK) {
    say(row, KM_IDENTITY_UNKNOWN, "%s", why.message);
    return KM_OK;
  }
  if (!km_session_key_fits(&session, &key->exchange) || !signature_fits(&found, &key->signature)) {
    char text[120];
    (void)snprintf(
        text, sizeof text,
        "it needs an exchange key of %zu and a signature key of %zu bits, not this file's",
        session.size * 8, found.signature_size * 8);
    say_other(source, kind, row, text);
    return KM_OK;
  }
  km_status status = try_signature(&found, &key->signature, &is_signed, error);
  if (status != KM_OK)
    return status;
  status = rsa != NULL ? open_session(&session, rsa, user, &opening, &why) : KM_REFUSED;
  bool opens = status == KM_OK && opening->length > 0;
  close_session(opening);
  if (opens || is_signed)
    say(row, KM_IDENTITY_CONSISTENT,
        "lengths fit%s%s; this is no proof until a real pair has shown it",
        is_signed ? ", its signature reads right under the signature key" : "",
        opens ? ", its session key opens with the exchange key" : "");
  else
    say(row, KM_IDENTITY_UNKNOWN,
        "lengths fit, but its signature does not read as one of this key%s",
        status == KM_OK ? ", and its session key does not open" : "");
  return status == KM_MEMORY ? km_fail(error, KM_MEMORY, 0, "%s", why.message) : KM_OK;
}

/* ---- */

km_status km_source_ask(const km_source *source, km_store_kind kind, const km_key_file *key,
                        km_private_operation rsa, void *user, km_identity *row, km_error *error) {
  if (source->unusable != NULL) {
    say(row, KM_IDENTITY_UNKNOWN, "%s", source->unusable);
    return KM_OK;
  }
  if (!key->signature.present && !key->exchange.present) {
    say(row, KM_IDENTITY_UNKNOWN, "%s",
        kind == KM_STORE_RSA ? "the file holds no key" : "the file's public key was not read");
    return KM_OK;
  }
  switch (source->about.kind) {
  case KM_IDENTITY_CERTIFICATE:
    ask_certificate(source, kind, key, row);
    return KM_OK;
  case KM_IDENTITY_CONFIGURATION:
    return ask_configuration(source, kind, key, rsa, user, row, error);
  default:
    return ask_metabase(source, kind, key, rsa, user, row, error);
  }
}
