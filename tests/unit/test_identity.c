/* test_identity.c: what in a target names key containers, and what it says of a key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "certificate_builder.h"
#include "hive_builder.h"
#include "identity.h"
#include "unit.h"
#include "volume_builder.h"

#define STORES "Microsoft\\SystemCertificates\\"
#define CONFIG "Windows/System32/inetsrv/config/applicationHost.config"
#define IIS_STORE "Microsoft Internet Information Server"

/* ---- A volume ---- */

typedef struct fixture {
  char *root;
  hive_builder *software, *system;
  km_target *target;
  km_identity_set *set;
} fixture;

static void begin(fixture *f) {
  f->root = volume_new();
  f->software = hive_new();
  hive_text(f->software, hive_key(f->software, "Microsoft\\Cryptography"), "MachineGuid", SZ,
            "767e77b0-c6ad-4d27-8f44-b62351b7069a");
  size_t version = hive_key(f->software, "Microsoft\\Windows NT\\CurrentVersion");
  hive_text(f->software, version, "CurrentVersion", SZ, "6.1");
  hive_text(f->software, version, "SystemRoot", SZ, "C:\\Windows");
  f->system = hive_new();
  hive_number(f->system, hive_key(f->system, "Select"), "Current", 1);
  (void)hive_key(f->system, "ControlSet001");
  volume_folder(f->root, "ProgramData/Microsoft/Crypto/RSA/MachineKeys");
}

static void save(const fixture *f, const char *path, hive_builder *hive) {
  volume_folder(f->root, "Windows/System32/config");
  char *whole = volume_path(f->root, path);
  hive_save(hive, whole, 1, 1, HIVE_TIME);
  free(whole);
}

static void find(fixture *f) {
  km_error error = {KM_OK, 0, ""};
  save(f, "Windows/System32/config/SOFTWARE", f->software);
  save(f, "Windows/System32/config/SYSTEM", f->system);
  km_target_options options = {.root = f->root};
  if (km_target_open(&options, &f->target, &error) != KM_OK ||
      km_identity_find(f->target, &f->set, &error) != KM_OK)
    fail_msg("%s", error.message);
}

static void end(fixture *f) {
  km_identity_free(f->set);
  km_target_close(f->target);
  volume_remove(f->root);
}

static void put_text(const fixture *f, const char *path, const char *text) {
  volume_file(f->root, path, text, strlen(text));
}

/* Puts a certificate under its thumbprint, which is told. */
static void put_certificate(fixture *f, const char *store, const made_certificate *m,
                            char thumbprint[KM_THUMBPRINT_TEXT]) {
  char path[256];
  km_certificate read;
  bytes *blob = certificate_blob(m);
  assert_int_equal(km_certificate_parse(blob->data, blob->size, &read, NULL), KM_OK);
  memcpy(thumbprint, read.thumbprint, KM_THUMBPRINT_TEXT);
  for (char *p = read.thumbprint; *p != '\0'; p++)
    *p = *p >= 'a' ? (char)(*p - 32) : *p;
  (void)snprintf(path, sizeof path, STORES "%s\\Certificates\\%s", store, read.thumbprint);
  hive_data(f->software, hive_key(f->software, path), "Blob", BINARY, blob->data, blob->size);
  free(blob);
}

static void put_use(fixture *f, const char *key, const char *name, const char *thumbprint) {
  uint8_t hash[20];
  for (size_t i = 0; i < sizeof hash; i++) {
    char digits[3] = {thumbprint[2 * i], thumbprint[2 * i + 1], '\0'};
    hash[i] = (uint8_t)strtoul(digits, NULL, 16);
  }
  hive_data(f->system, hive_key(f->system, key), name, BINARY, hash, sizeof hash);
}

static const km_identity_source *at(const fixture *f, size_t index) {
  const km_identity_source *source = km_identity_at(f->set, index);
  assert_non_null(source);
  return source;
}

static void expect_problem(const fixture *f, const char *words) {
  const char *problem = km_identity_problem(f->set);
  if (problem == NULL || strstr(problem, words) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", words, problem != NULL ? problem : "(none)");
}

/* ---- Finding ---- */

static void nothing_is_found_where_nothing_is(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  find(&f);
  assert_int_equal(km_identity_count(f.set), 0);
  assert_null(km_identity_at(f.set, 0));
  assert_null(km_identity_problem(f.set));
  km_identity row;
  size_t count = 9;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(km_identity_try(f.set, NULL, "SMS", KM_STORE_RSA, "no", &row, 1, &count, &error),
                   KM_NOT_FOUND);
  assert_int_equal(count, 0);
  put_text(&f, "ProgramData/Microsoft/Crypto/RSA/MachineKeys/short", "no key file");
  assert_int_equal(
      km_identity_try(f.set, NULL, "SMS", KM_STORE_RSA, "short", &row, 1, &count, &error),
      KM_DAMAGED);
  assert_non_null(strstr(error.message, "short"));
  end(&f);
}

#define WINSTATIONS "ControlSet001\\Control\\Terminal Server\\WinStations"
#define BINDINGS "ControlSet001\\Services\\HTTP\\Parameters\\SslBindingInfo"

static void certificates_are_found_with_their_use(void **state) {
  (void)state;
  fixture f;
  char used[KM_THUMBPRINT_TEXT], other[KM_THUMBPRINT_TEXT];
  made_certificate m = usual_certificate;
  begin(&f);
  m.from = "180102030405Z";
  put_certificate(&f, "Remote Desktop", &m, used);
  m.from = "200102030405Z";
  put_certificate(&f, "Remote Desktop", &m, other);
  m.until = "210102030405Z";
  m.container = "SMS";
  put_certificate(&f, "SMS", &m, other);
  m = usual_certificate;
  m.container = "{site}";
  m.provider_type = 0;
  put_certificate(&f, "MY", &m, other);
  m.flags = 0;
  m.subject = "user";
  char users[KM_THUMBPRINT_TEXT];
  put_certificate(&f, "MY", &m, users);
  put_use(&f, WINSTATIONS, "SelfSignedCertificate", used);
  put_use(&f, BINDINGS "\\0.0.0.0:8172", "SslCertHash", other);
  put_use(&f, BINDINGS "\\0.0.0.0:443", "SslCertHash", users);
  find(&f);
  assert_int_equal(km_identity_count(f.set), 5);
  assert_null(km_identity_problem(f.set));
  /* In use first, of these the newest; then the rest. */
  assert_string_equal(at(&f, 0)->container, "{site}");
  assert_string_equal(at(&f, 0)->use, "HTTP (0.0.0.0:8172)");
  assert_true(at(&f, 0)->cng && !at(&f, 0)->history);
  assert_string_equal(at(&f, 1)->container, "TSSecKeySet1");
  assert_string_equal(at(&f, 1)->use, "Remote Desktop");
  assert_true(!at(&f, 1)->cng && !at(&f, 1)->history);
  assert_string_equal(at(&f, 1)->what, "certificate of WEB01, valid until 2049-12-31T23:59:59Z");
  assert_non_null(strstr(
      at(&f, 1)->where, "SOFTWARE\\Microsoft\\SystemCertificates\\Remote Desktop\\Certificates\\"));
  assert_null(at(&f, 2)->use);
  char text[KM_TIME_TEXT];
  assert_string_equal(km_time_text(at(&f, 2)->dated, text), "2020-01-02T03:04:05Z");
  assert_null(at(&f, 3)->use); /* a user's container */
  assert_non_null(strstr(at(&f, 3)->what, "user"));
  assert_string_equal(at(&f, 4)->container, "SMS");
  assert_true(at(&f, 4)->history);
  end(&f);
}

/* A certificate that an administrator chose for a listener takes the place of the one that Windows made. */
static void a_listeners_own_certificate_counts(void **state) {
  (void)state;
  fixture f;
  char own[KM_THUMBPRINT_TEXT], made[KM_THUMBPRINT_TEXT];
  made_certificate m = usual_certificate;
  begin(&f);
  put_certificate(&f, "Remote Desktop", &m, made);
  m.subject = "own";
  put_certificate(&f, "MY", &m, own);
  put_use(&f, WINSTATIONS, "SelfSignedCertificate", made);
  put_use(&f, WINSTATIONS "\\RDP-Tcp", "SSLCertificateSHA1Hash", own);
  find(&f);
  assert_int_equal(km_identity_count(f.set), 2);
  assert_string_equal(at(&f, 0)->use, "Remote Desktop (RDP-Tcp)");
  assert_non_null(strstr(at(&f, 0)->what, "own"));
  assert_null(at(&f, 1)->use);
  end(&f);
}

static void zeros_are_no_thumbprint(void **state) {
  (void)state;
  fixture f;
  char made[KM_THUMBPRINT_TEXT];
  begin(&f);
  put_certificate(&f, "Remote Desktop", &usual_certificate, made);
  put_use(&f, WINSTATIONS, "SelfSignedCertificate", made);
  put_use(&f, WINSTATIONS "\\RDP-Tcp", "SSLCertificateSHA1Hash",
          "0000000000000000000000000000000000000000");
  find(&f);
  assert_string_equal(at(&f, 0)->use, "Remote Desktop");
  end(&f);
}

static void certificates_that_lie_are_told(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  bytes *blob = certificate_blob(&usual_certificate);
  hive_data(f.software, hive_key(f.software, STORES "MY\\Certificates\\00"), "Blob", BINARY,
            blob->data, blob->size);
  hive_data(f.software, hive_key(f.software, STORES "MY\\Certificates\\01"), "Blob", BINARY, "x",
            1);
  (void)hive_key(f.software, STORES "MY\\Certificates\\02");
  (void)hive_key(f.software, STORES "CA");
  free(blob);
  find(&f);
  assert_int_equal(km_identity_count(f.set), 0);
  expect_problem(&f, "MY\\Certificates\\00: certificate: its SHA-1 is ");
  expect_problem(&f, "MY\\Certificates\\01: certificate: ");
  assert_null(strstr(km_identity_problem(f.set), "02"));
  end(&f);
}

#define CONFIGURATION(rows, more)                                                                  \
  "<configuration><configProtectedData><providers>" rows "</providers></configProtectedData>" more \
  "</configuration>"
#define AES(name, container, key)                                                                  \
  "<add name=\"" name "\" keyContainerName=\"" container "\" sessionKey=\"" key "\" />"
/* SIMPLEBLOBs with eight bytes behind the header. */
#define KEY_1 "AQIAAA5mAAAApAAAAQEBAQEBAQE="
#define KEY_2 "AQIAAA5mAAAApAAAAgICAgICAgI="

static void configurations_are_found_with_their_backups(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put_text(&f, CONFIG,
           CONFIGURATION(
               AES("A", "iisWasKey",
                   KEY_1) "<add name=\"C\" type=\"X.Cng.Y\" keyContainerName=\"iisCngWasKey\" />"
                          "<add name=\"N\" />",
               ""));
  put_text(&f, "inetpub/history/CFGHISTORY_0000000003/applicationHost.config",
           CONFIGURATION(AES("A", "iisWasKey", KEY_1), "")); /* the same again */
  put_text(
      &f, "inetpub/history/CFGHISTORY_0000000002/applicationHost.config",
      CONFIGURATION(AES("A", "IISWASKEY", KEY_2) "<add name=\"C\" keyContainerName=\"c\" />", ""));
  put_text(&f, "Windows/System32/inetsrv/backup/mine/applicationHost.config",
           CONFIGURATION(AES("A", "iisConfigurationKey", KEY_2), ""));
  put_text(&f, "Windows/System32/inetsrv/history/CFGHISTORY_0000000001/applicationHost.config",
           CONFIGURATION(AES("A", "other", KEY_2), ""));
  put_text(&f, "Windows/System32/inetsrv/history/CFGHISTORY_0000000001/more", "");
  find(&f);
  assert_null(km_identity_problem(f.set));
  assert_int_equal(km_identity_count(f.set), 5);
  assert_string_equal(at(&f, 0)->container, "iisWasKey");
  assert_string_equal(at(&f, 0)->use, "IIS");
  assert_string_equal(at(&f, 0)->what, "provider A (AES-128 session key)");
  assert_string_equal(at(&f, 0)->where,
                      "C:\\Windows\\System32\\inetsrv\\config\\applicationHost.config");
  assert_false(at(&f, 0)->history);
  assert_true(at(&f, 0)->dated > 0);
  assert_string_equal(at(&f, 1)->container, "iisCngWasKey");
  assert_true(at(&f, 1)->cng);
  for (size_t i = 2; i < 5; i++) {
    assert_true(at(&f, i)->history);
    assert_null(at(&f, i)->use);
  }
  end(&f);
}

static void a_configuration_that_iis_does_not_read_only_proves(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put_text(&f, CONFIG, CONFIGURATION(AES("A", "iisWasKey", KEY_1), ""));
  put_text(&f, "Windows/System32/inetsrv/config/redirection.config",
           "<configuration><configurationRedirection enabled=\"true\" /></configuration>");
  find(&f);
  assert_int_equal(km_identity_count(f.set), 1);
  assert_null(at(&f, 0)->use);
  end(&f);

  begin(&f);
  put_text(&f, CONFIG, CONFIGURATION(AES("A", "iisWasKey", KEY_1), "") "<torn");
  find(&f);
  assert_int_equal(km_identity_count(f.set), 1);
  assert_null(at(&f, 0)->use);
  expect_problem(&f, "applicationHost.config: line 1: ");
  end(&f);
}

static void backups_are_where_the_configuration_says(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  put_text(&f, CONFIG,
           CONFIGURATION(AES("A", "iisWasKey", KEY_1),
                         "<x><configHistory path=\"%SystemDrive%\\elsewhere\" /></x>"));
  put_text(&f, "elsewhere/CFGHISTORY_0000000002/applicationHost.config",
           CONFIGURATION(AES("A", "iisWasKey", KEY_2), ""));
  find(&f);
  assert_int_equal(km_identity_count(f.set), 2);
  assert_string_equal(at(&f, 1)->where,
                      "C:\\elsewhere\\CFGHISTORY_0000000002\\applicationHost.config");
  end(&f);
}

static void only_the_newest_backups_are_read(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  for (int i = 1; i <= KM_MAX_BACKUPS + 3; i++) {
    char path[128], text[512];
    (void)snprintf(path, sizeof path, "inetpub/history/CFGHISTORY_%010d/applicationHost.config", i);
    (void)snprintf(text, sizeof text, CONFIGURATION(AES("A", "c%d", KEY_1), ""), i);
    put_text(&f, path, text);
  }
  find(&f);
  assert_int_equal(km_identity_count(f.set), KM_MAX_BACKUPS);
  for (size_t i = 0; i < KM_MAX_BACKUPS; i++)
    assert_string_not_equal(at(&f, i)->container, "c3");
  expect_problem(&f, "53 backups; the newest 50 are read");
  end(&f);
}

static void metabases_are_found(void **state) {
  (void)state;
  fixture f;
  uint8_t binary[64] = {0};
  begin(&f);
  put_text(&f, "Windows/System32/inetsrv/MetaBase.xml",
           "<x><IIS_Global SessionKey=\"49634B620100\"/></x>");
  put_text(&f, "Windows/System32/inetsrv/History/MetaBase_0000000002_0000000000.xml",
           "<x><IIS_Global SessionKey=\"49634B620200\"/></x>");
  put_text(&f, "Windows/System32/inetsrv/History/MetaBase_0000000001_0000000000.xml",
           "<x><IIS_Global SessionKey=\"49634B620100\"/></x>");
  put_text(&f, "Windows/System32/inetsrv/History/MBSchema_0000000001_0000000000.xml", "<no");
  memcpy(binary + 7, "IcKb\x18\0\0\0\x08\0\0\0\x08\0\0\0", 16);
  volume_file(f.root, "Windows/System32/inetsrv/MetaBase.bin", binary, sizeof binary);
  find(&f);
  assert_null(km_identity_problem(f.set));
  assert_int_equal(km_identity_count(f.set), 3);
  assert_int_equal(at(&f, 0)->kind, KM_IDENTITY_METABASE);
  assert_string_equal(at(&f, 0)->container, IIS_STORE);
  assert_string_equal(at(&f, 0)->use, "IIS");
  assert_string_equal(at(&f, 1)->what, "SessionKey at offset 7");
  assert_null(at(&f, 1)->use);
  assert_true(at(&f, 2)->history);
  end(&f);

  begin(&f);
  hive_text(f.software, hive_key(f.software, "Microsoft\\InetMgr\\Parameters"), "MetadataFile", SZ,
            "%SystemDrive%\\iis\\mine.xml");
  put_text(&f, "iis/mine.xml", "<x><IIS_Global/></x>");
  find(&f);
  assert_int_equal(km_identity_count(f.set), 0);
  expect_problem(&f, "C:\\iis\\mine.xml: it has no SessionKey");
  end(&f);
}

/* ---- Asking ---- */

enum { BITS = 1024, BYTES = BITS / 8 };

static km_key_file *new_key(bool signature, bool exchange) {
  km_key_file *key = calloc(1, sizeof *key);
  assert_non_null(key);
  km_public_key *parts[] = {&key->signature, &key->exchange};
  for (size_t i = 0; i < 2; i++) {
    *parts[i] =
        (km_public_key){.present = i == 0 ? signature : exchange, .bits = BITS, .exponent = 65537};
    certificate_modulus(&usual_certificate, parts[i]->modulus);
    parts[i]->modulus[5] = (uint8_t)i;
  }
  return key;
}

typedef struct fake_rsa {
  const uint8_t *block;
  km_status status;
} fake_rsa;

static km_status fake_private(void *user, const uint8_t *in_le, size_t size, uint8_t *out_be,
                              km_error *error) {
  const fake_rsa *fake = user;
  (void)in_le;
  assert_int_equal(size, BYTES);
  if (fake->status != KM_OK)
    return km_fail(error, fake->status, 0, "the master key is not here");
  memcpy(out_be, fake->block, size);
  return KM_OK;
}

static void ask(const km_source *source, km_store_kind kind, const km_key_file *key,
                const fake_rsa *fake, km_identity_verdict verdict, const char *words) {
  km_identity row = {.verdict = KM_IDENTITY_CONSISTENT};
  fake_rsa copy = fake != NULL ? *fake : (fake_rsa){NULL, KM_OK};
  assert_int_equal(
      km_source_ask(source, kind, key, fake != NULL ? fake_private : NULL, &copy, &row, NULL),
      KM_OK);
  if (row.verdict != verdict || strstr(row.text, words) == NULL)
    fail_msg("%s, \"%s\" is not in \"%s\"", km_identity_verdict_id(row.verdict), words, row.text);
}

static void a_certificate_proves_and_disproves(void **state) {
  (void)state;
  km_key_file *key = new_key(true, true);
  uint8_t modulus[BYTES];
  memcpy(modulus, key->exchange.modulus, BYTES);
  km_source source = {.about = {.kind = KM_IDENTITY_CERTIFICATE, .use = "Remote Desktop"},
                      .modulus = modulus,
                      .modulus_size = BYTES,
                      .exponent = 65537};
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_PROVED, "1024 bits");
  memcpy(modulus, key->signature.modulus, BYTES);
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_PROVED, "");
  source.exponent = 3;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "Remote Desktop uses it");
  source.exponent = 65537;
  modulus[0] ^= 2;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "another key");
  ask(&source, KM_STORE_CNG, key, NULL, KM_IDENTITY_UNKNOWN, "");
  source.about.cng = true;
  ask(&source, KM_STORE_CNG, key, NULL, KM_IDENTITY_DISPROVED, "");
  source.about.cng = false;
  source.about.history = true;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "of the past");
  source.about.history = false;
  source.about.use = NULL;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "nothing is known to use it");
  modulus[0] ^= 2;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_PROVED, "");
  source.unusable = "its key is not of RSA";
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "not of RSA");
  source.unusable = NULL;
  key->signature.present = key->exchange.present = false;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "no key");
  free(key);
}

/* A whole block with the session key 00 01 .. 0F at its end. */
static void make_block(uint8_t block[BYTES]) {
  memset(block, 0xA5, BYTES);
  block[0] = 0;
  block[1] = 2;
  block[BYTES - 17] = 0;
  for (size_t i = 0; i < 16; i++)
    block[BYTES - 16 + i] = (uint8_t)i;
}

static void make_session(uint8_t blob[KM_SIMPLEBLOB_HEADER + BYTES], uint32_t algorithm) {
  const uint8_t head[KM_SIMPLEBLOB_HEADER] = {
      1, 2, 0, 0, (uint8_t)algorithm, (uint8_t)(algorithm >> 8), 0, 0, 0, 0xA4, 0, 0};
  memcpy(blob, head, sizeof head);
  memset(blob + sizeof head, 0x11, BYTES);
}

/* By `openssl enc -aes-128-cbc -iv 0` under 00 01 .. 0F. */
static const uint8_t sealed_text[] = {
    0x75, 0xb2, 0x6c, 0x48, 0x75, 0x51, 0xb1, 0x58, 0xb2, 0x1c, 0xff, 0x40, 0x5c, 0xda, 0xba, 0xd4,
    0x59, 0x82, 0x64, 0x24, 0x1c, 0xa5, 0xc8, 0x4d, 0xe3, 0x34, 0xeb, 0x2b, 0x8e, 0x0c, 0xe5, 0x0d};

static void a_configuration_proves_and_disproves(void **state) {
  (void)state;
  km_key_file *key = new_key(false, true);
  uint8_t blob[KM_SIMPLEBLOB_HEADER + BYTES], block[BYTES];
  km_sealed values[] = {{sealed_text, sizeof sealed_text}, {sealed_text, 16}};
  fake_rsa fake = {block, KM_OK};
  km_source source = {.about = {.kind = KM_IDENTITY_CONFIGURATION, .use = "IIS"},
                      .blob = blob,
                      .blob_size = sizeof blob};
  make_session(blob, 0x660E);
  make_block(block);
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_PROVED, "once in 2^24.6");
  source.values = values;
  source.value_count = 2;
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_PROVED, "1 of the 2 encrypted values");
  source.values = values + 1;
  source.value_count = 1;
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_CONSISTENT, "none of the 1 ");
  block[1] = 3;
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_DISPROVED,
      "does not open with this key, and IIS");
  source.about.history = true;
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_UNKNOWN, "of the past");
  source.about.history = false;
  fake.status = KM_REFUSED;
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_UNKNOWN, "the master key is not here");
  fake.status = KM_DAMAGED; /* of the key file, not of the padding */
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_UNKNOWN, "the master key is not here");
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "takes the private key");
  free(key);
}

/* Without any secret: a ciphertext is as long as the modulus, and below it. */
static void a_configuration_disproves_by_length(void **state) {
  (void)state;
  km_key_file *key = new_key(true, true);
  uint8_t blob[KM_SIMPLEBLOB_HEADER + BYTES];
  km_source source = {.about = {.kind = KM_IDENTITY_CONFIGURATION, .use = "IIS"},
                      .blob = blob,
                      .blob_size = sizeof blob - 1};
  make_session(blob, 0x660E);
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "1016 bits");
  source.blob_size = sizeof blob;
  blob[sizeof blob - 1] = 0xFF;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "does not go into this key");
  key->exchange.present = false;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "has none");
  blob[0] = 9;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "SIMPLEBLOB");
  free(key);
}

static void put_word(uint8_t *to, size_t value) {
  for (size_t i = 0; i < 4; i++)
    to[i] = (uint8_t)(value >> 8 * i);
}

/* A SessionKey whose signature is the number `signature`: under an exponent of 1 it reads as itself. */
static size_t make_ickb(uint8_t *data, const uint8_t signature_be[BYTES]) {
  size_t blob = KM_SIMPLEBLOB_HEADER + BYTES, padded = (16 + blob + 7) / 8 * 8;
  memset(data, 0, padded);
  memcpy(data, "IcKb", 4);
  put_word(data + 4, padded + BYTES - 8);
  put_word(data + 8, blob);
  put_word(data + 12, BYTES);
  make_session(data + 16, 0x6801);
  for (size_t i = 0; i < BYTES; i++)
    data[padded + i] = signature_be[BYTES - 1 - i];
  return padded + BYTES;
}

static void make_signature(uint8_t block[BYTES]) {
  static const uint8_t head[] = {0,    0x30, 0x20, 0x30, 0x0C, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                 0x86, 0xF7, 0x0D, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10};
  memset(block, 0xFF, BYTES);
  block[0] = 0;
  block[1] = 1;
  memcpy(block + BYTES - 16 - sizeof head, head, sizeof head);
}

static void a_metabase_is_consistent_or_not(void **state) {
  (void)state;
  km_key_file *key = new_key(true, true);
  uint8_t data[512], signature[BYTES], block[BYTES];
  fake_rsa fake = {block, KM_OK};
  km_source source = {.about = {.kind = KM_IDENTITY_METABASE, .use = "IIS"}, .blob = data};
  key->signature.exponent = 1; /* no real key has that; it leaves the signature as it is */
  make_signature(signature);
  make_block(block);
  source.blob_size = make_ickb(data, signature);
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_CONSISTENT, "its signature reads right");
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_CONSISTENT, "its session key opens");
  signature[BYTES - 20] ^= 1; /* in the DigestInfo */
  source.blob_size = make_ickb(data, signature);
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_CONSISTENT, "lengths fit, its session key");
  block[0] = 1;
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_UNKNOWN, "its session key does not open");
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "does not read as one of this key");
  memset(signature, 0xFF, sizeof signature); /* above any modulus */
  source.blob_size = make_ickb(data, signature);
  ask(&source, KM_STORE_RSA, key, &fake, KM_IDENTITY_UNKNOWN, "does not read as one of this key");
  key->signature.bits = 512;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "a signature key of 1024 bits");
  source.about.use = NULL;
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "a signature key of 1024 bits");
  key->signature.present = false;
  source.about.use = "IIS";
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_DISPROVED, "");
  data[0] = 'x';
  ask(&source, KM_STORE_RSA, key, NULL, KM_IDENTITY_UNKNOWN, "IcKb");
  free(key);
}

static void ids_are_stable(void **state) {
  (void)state;
  assert_string_equal(km_identity_kind_id(KM_IDENTITY_CERTIFICATE), "certificate");
  assert_string_equal(km_identity_kind_id(KM_IDENTITY_CONFIGURATION), "configuration");
  assert_string_equal(km_identity_kind_id(KM_IDENTITY_METABASE), "metabase");
  assert_string_equal(km_identity_kind_id((km_identity_kind)77), "unknown");
  assert_string_equal(km_identity_verdict_id(KM_IDENTITY_UNKNOWN), "unknown");
  assert_string_equal(km_identity_verdict_id(KM_IDENTITY_PROVED), "proved");
  assert_string_equal(km_identity_verdict_id(KM_IDENTITY_CONSISTENT), "consistent");
  assert_string_equal(km_identity_verdict_id(KM_IDENTITY_DISPROVED), "disproved");
}

int test_identity(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_found_where_nothing_is),
      cmocka_unit_test(certificates_are_found_with_their_use),
      cmocka_unit_test(a_listeners_own_certificate_counts),
      cmocka_unit_test(zeros_are_no_thumbprint),
      cmocka_unit_test(certificates_that_lie_are_told),
      cmocka_unit_test(configurations_are_found_with_their_backups),
      cmocka_unit_test(a_configuration_that_iis_does_not_read_only_proves),
      cmocka_unit_test(backups_are_where_the_configuration_says),
      cmocka_unit_test(only_the_newest_backups_are_read),
      cmocka_unit_test(metabases_are_found),
      cmocka_unit_test(a_certificate_proves_and_disproves),
      cmocka_unit_test(a_configuration_proves_and_disproves),
      cmocka_unit_test(a_configuration_disproves_by_length),
      cmocka_unit_test(a_metabase_is_consistent_or_not),
      cmocka_unit_test(ids_are_stable),
  };
  return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
