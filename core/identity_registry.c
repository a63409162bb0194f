/* identity_registry.c: the certificates that name key containers, and what uses them. */
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"

#define STORES "SOFTWARE\\Microsoft\\SystemCertificates"
#define LISTENERS "SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations"
#define HTTP "SYSTEM\\CurrentControlSet\\Services\\HTTP\\Parameters\\"
#define MANAGEMENT "SOFTWARE\\Microsoft\\WebManagement\\Server"

enum { SHA1_SIZE = 20 };

/* Something that uses a certificate, which it names by its SHA-1. */
typedef struct certificate_use {
  uint8_t thumbprint[SHA1_SIZE];
  char by[160];
} certificate_use;

typedef struct search {
  km_identity_set *set;
  km_target *target;
  certificate_use *uses;
  size_t use_count;
  bool listener_chose; /* a listener of Remote Desktop has a certificate of its own */
  const char *value;   /* of the keys that are walked: the value with the SHA-1 */
  const char *by;      /* and the words before the key's name */
  const char *store;   /* the name of the store that is walked */
  size_t seen;
  km_certificate *certificate; /* the last one that was read */
} search;

/* ---- What uses certificates ---- */

static bool is_zero(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (bytes[i] != 0)
      return false;
  return true;
}

/* Keeps a use that a value tells: 20 bytes. false: it tells none. */
static bool add_use(search *s, const km_registry_value *value, const char *by, const char *name) {
  if (value->size != SHA1_SIZE || is_zero(value->data, SHA1_SIZE))
    return false;
  if (s->use_count < KM_MAX_CERTIFICATE_USES) {
    certificate_use *use = &s->uses[s->use_count++];
    memcpy(use->thumbprint, value->data, SHA1_SIZE);
    (void)snprintf(use->by, sizeof use->by, name != NULL ? "%s (%.100s)" : "%s", by, name);
  }
  return true;
}

static bool each_binding(void *user, const char *name, km_key key) {
  search *s = user;
  km_registry_value value;
  if (s->target->backend->registry_value(s->target, key, s->value, &value, NULL) == KM_OK) {
    if (add_use(s, &value, s->by, name))
      s->listener_chose = true;
    km_registry_value_free(&value);
  }
  return s->use_count < KM_MAX_CERTIFICATE_USES;
}

/* Whether a key was there; what cannot be read is told. */
static bool open_key(search *s, const char *path, km_key *key) {
  km_error why = {KM_OK, 0, ""};
  km_status status = km_registry_open_path(s->target, path, key, &why);
  if (status != KM_OK && status != KM_NOT_FOUND)
    km_identity_complain(s->set, "%s", why.message);
  return status == KM_OK;
}

static void walk_bindings(search *s, const char *path, const char *value, const char *by) {
  km_error why = {KM_OK, 0, ""};
  km_key key = 0;
  if (!open_key(s, path, &key))
    return;
  s->value = value;
  s->by = by;
  if (s->target->backend->registry_children(s->target, key, each_binding, s, &why) != KM_OK)
    km_identity_complain(s->set, "registry key %s: %s", path, why.message);
  s->target->backend->registry_close(s->target, key);
}

static void read_binding(search *s, const char *path, const char *name, const char *by) {
  km_registry_value value;
  if (km_registry_read(s->target, path, name, &value, NULL) != KM_OK)
    return;
  (void)add_use(s, &value, by, NULL);
  km_registry_value_free(&value);
}

/* A listener of Remote Desktop takes the certificate that it names, else the one that Windows signed for it itself. */
static void find_uses(search *s) {
  walk_bindings(s, LISTENERS, "SSLCertificateSHA1Hash", "Remote Desktop");
  if (!s->listener_chose)
    read_binding(s, LISTENERS, "SelfSignedCertificate", "Remote Desktop");
  walk_bindings(s, HTTP "SslBindingInfo", "SslCertHash", "HTTP");
  walk_bindings(s, HTTP "SslSniBindingInfo", "SslCertHash", "HTTP");
  read_binding(s, MANAGEMENT, "SslCertificateHash", "the Web Management Service");
}

/* ---- Certificates ---- */

static const char *use_of(const search *s, const char *thumbprint) {
  for (size_t i = 0; i < s->use_count; i++) {
    char text[KM_THUMBPRINT_TEXT];
    for (size_t k = 0; k < SHA1_SIZE; k++)
      (void)snprintf(text + 2 * k, 3, "%02x", s->uses[i].thumbprint[k]);
    if (strcmp(text, thumbprint) == 0)
      return s->uses[i].by;
  }
  return NULL;
}

static void add_certificate(search *s, const char *where) {
  const km_certificate *c = s->certificate;
  char what[KM_MAX_SUBJECT + 64], until[KM_TIME_TEXT];
  (void)snprintf(what, sizeof what, "certificate of %s, valid until %s",
                 c->subject[0] != '\0' ? c->subject : "(no name)",
                 c->until != 0 ? km_time_text(c->until, until) : "(not told)");
  /* One that names a user's container means another key of the same name. */
  bool machine = (c->flags & KM_MACHINE_KEYSET) != 0;
  km_source source = {
      .about =
          {
              .kind = KM_IDENTITY_CERTIFICATE,
              .container = c->container,
              .where = where,
              .what = what,
              .use = machine ? use_of(s, c->thumbprint) : NULL,
              .cng = c->provider_type == 0,
              .history = c->until != 0 && c->until < km_time_now(),
              .dated = c->from,
          },
      .unusable = c->rsa ? NULL : "its key is not of RSA",
      .modulus = c->modulus,
      .modulus_size = c->modulus_size,
      .exponent = c->exponent,
  };
  km_identity_add(s->set, &source);
}

static bool each_certificate(void *user, const char *name, km_key key) {
  search *s = user;
  km_registry_value value;
  km_error why = {KM_OK, 0, ""};
  char where[1024];
  if (++s->seen > KM_MAX_CERTIFICATES) {
    km_identity_complain(s->set, "more than %d certificates; the rest was left out",
                         KM_MAX_CERTIFICATES);
    return false;
  }
  (void)snprintf(where, sizeof where, STORES "\\%s\\Certificates\\%s", s->store, name);
  km_status status = s->target->backend->registry_value(s->target, key, "Blob", &value, &why);
  if (status == KM_OK) {
    status = km_certificate_parse(value.data, value.size, s->certificate, &why);
    km_registry_value_free(&value);
  }
  if (status == KM_OK && s->certificate->names_container &&
      !km_pattern_match(s->certificate->thumbprint, name))
    status = km_fail(&why, KM_DAMAGED, 0, "certificate: its SHA-1 is %s, not the key's name",
                     s->certificate->thumbprint);
  if (status == KM_OK && s->certificate->names_container)
    add_certificate(s, where);
  else if (status != KM_OK && status != KM_NOT_FOUND)
    km_identity_complain(s->set, "%s: %s", where, why.message);
  return true;
}

static bool each_store(void *user, const char *name, km_key key) {
  search *s = user;
  km_error why = {KM_OK, 0, ""};
  km_key certificates = 0;
  const km_backend *backend = s->target->backend;
  km_status status = backend->registry_child(s->target, key, "Certificates", &certificates, &why);
  if (status == KM_OK) {
    s->store = name;
    status = backend->registry_children(s->target, certificates, each_certificate, s, &why);
    backend->registry_close(s->target, certificates);
  }
  if (status != KM_OK && status != KM_NOT_FOUND)
    km_identity_complain(s->set, STORES "\\%s: %s", name, why.message);
  return s->seen <= KM_MAX_CERTIFICATES;
}

void km_identity_find_certificates(km_identity_set *set) {
  search s = {.set = set, .target = km_identity_target(set)};
  km_error why = {KM_OK, 0, ""};
  km_key stores = 0;
  s.uses = km_identity_keep(set, NULL, KM_MAX_CERTIFICATE_USES * sizeof *s.uses);
  s.certificate = km_identity_keep(set, NULL, sizeof *s.certificate);
  if (s.uses == NULL || s.certificate == NULL || !open_key(&s, STORES, &stores))
    return;
  find_uses(&s);
  if (s.target->backend->registry_children(s.target, stores, each_store, &s, &why) != KM_OK)
    km_identity_complain(set, "registry key " STORES ": %s", why.message);
  s.target->backend->registry_close(s.target, stores);
}
