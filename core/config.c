/* config.c: what IIS 7's applicationHost.config says of key containers. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "cipher.h"
#include "secret.h"
#include "text.h"
#include "xml.h"

/* ---- Base64 ---- */

static int digit_of(char c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *found = c != '\0' ? strchr(digits, c) : NULL;
  return found != NULL ? (int)(found - digits) : -1;
}

bool km_base64_decode(const char *text, size_t length, uint8_t *out, size_t *size) {
  uint32_t bits = 0;
  size_t digits = 0, pads = 0;
  *size = 0;
  for (size_t i = 0; i < length; i++) {
    char c = text[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
      continue;
    int digit = digit_of(c);
    if (c == '=' ? ++pads > 2 : digit < 0 || pads > 0)
      return false;
    bits = bits << 6 | (c == '=' ? 0 : (uint32_t)digit);
    if (++digits % 4 != 0)
      continue;
    for (size_t k = 0; k < 3 - pads; k++)
      out[(*size)++] = (uint8_t)(bits >> (16 - 8 * k));
  }
  return digits % 4 == 0;
}

/* ---- What is kept ---- */

typedef struct reading {
  km_configuration *out;
  size_t matched; /* how many of the outermost elements are those of `providers_path` */
} reading;

static const char *const providers_path[] = {"configuration", "configProtectedData", "providers"};

enum { PATH_LENGTH = sizeof providers_path / sizeof providers_path[0] };

static bool says(const char *value, const char *word) {
  return value != NULL && km_pattern_match(word, value);
}

static char *copy(const char *text, size_t length) {
  char *result = malloc(length + 1);
  if (result == NULL)
    return NULL;
  memcpy(result, text, length);
  result[length] = '\0';
  return result;
}

static char *copy_or_empty(const char *text) {
  return text != NULL ? copy(text, strlen(text)) : copy("", 0);
}

/* Decodes into memory of its own; *out stays NULL where it is no base64 or nothing. false: out of memory. */
static bool decode(const char *text, size_t length, uint8_t **out, size_t *size) {
  *out = malloc(length / 4 * 3 + 3);
  if (*out == NULL)
    return false;
  if (!km_base64_decode(text, length, *out, size) || *size == 0) {
    free(*out);
    *out = NULL;
    *size = 0;
  }
  return true;
}

/* Makes room for one more entry of a list that grows by doubling. */
static void *grow(void *list, size_t count, size_t entry) {
  bool full = count == 0 || (count & (count - 1)) == 0;
  return full ? realloc(list, (count == 0 ? 1 : count * 2) * entry) : list;
}

static km_status keep_provider(km_configuration *out, const char **attributes) {
  if (out->provider_count == KM_MAX_PROVIDERS)
    return KM_OK;
  km_provider *list = grow(out->providers, out->provider_count, sizeof *list);
  if (list == NULL)
    return KM_MEMORY;
  out->providers = list;
  km_provider *p = &list[out->provider_count++];
  memset(p, 0, sizeof *p);
  const char *key = km_xml_attribute(attributes, "sessionKey");
  p->name = copy_or_empty(km_xml_attribute(attributes, "name"));
  p->container = copy_or_empty(km_xml_attribute(attributes, "keyContainerName"));
  p->type = copy_or_empty(km_xml_attribute(attributes, "type"));
  p->machine = !says(km_xml_attribute(attributes, "useMachineContainer"), "false");
  p->oaep = says(km_xml_attribute(attributes, "useOAEP"), "true");
  p->has_session_key = key != NULL && key[0] != '\0';
  if (p->name == NULL || p->container == NULL || p->type == NULL)
    return KM_MEMORY;
  if (p->has_session_key && !decode(key, strlen(key), &p->session_key, &p->session_key_size))
    return KM_MEMORY;
  return KM_OK;
}

/* Keeps "[enc:<provider>:<base64>:enc]"; what is not of this form is no encrypted value. */
static km_status keep_value(km_configuration *out, const char *text) {
  static const char head[] = "[enc:", tail[] = ":enc]";
  size_t length = strlen(text);
  const char *provider = text + sizeof head - 1;
  if (length < sizeof head + sizeof tail - 2 || strncmp(text, head, sizeof head - 1) != 0 ||
      strcmp(text + length - (sizeof tail - 1), tail) != 0)
    return KM_OK;
  const char *end = text + length - (sizeof tail - 1);
  const char *colon = memchr(provider, ':', (size_t)(end - provider));
  if (colon == NULL || out->value_count == KM_MAX_ENCRYPTED ||
      (size_t)(end - colon) > KM_MAX_ENCRYPTED_SIZE / 3 * 4)
    return KM_OK;
  km_encrypted value = {NULL, NULL, 0};
  if (!decode(colon + 1, (size_t)(end - colon) - 1, &value.data, &value.size))
    return KM_MEMORY;
  if (value.data == NULL)
    return KM_OK;
  value.provider = copy(provider, (size_t)(colon - provider));
  km_encrypted *list = grow(out->values, out->value_count, sizeof *list);
  if (list != NULL)
    out->values = list;
  if (list == NULL || value.provider == NULL) {
    free(value.provider);
    free(value.data);
    return KM_MEMORY;
  }
  list[out->value_count++] = value;
  return KM_OK;
}

static km_status begin_element(void *user, size_t depth, const char *name,
                               const char **attributes) {
  reading *r = user;
  km_status status = KM_OK;
  if (r->matched == depth && depth < PATH_LENGTH && strcmp(name, providers_path[depth]) == 0)
    r->matched++;
  else if (r->matched == PATH_LENGTH && depth == PATH_LENGTH && strcmp(name, "add") == 0)
    status = keep_provider(r->out, attributes);
  else if (depth == 1 && strcmp(name, "configurationRedirection") == 0)
    r->out->redirected = says(km_xml_attribute(attributes, "enabled"), "true");
  else if (depth == 2 && strcmp(name, "configHistory") == 0 && r->out->history == NULL &&
           km_xml_attribute(attributes, "path") != NULL)
    r->out->history = copy_or_empty(km_xml_attribute(attributes, "path"));
  for (size_t i = 0; status == KM_OK && attributes[i] != NULL; i += 2)
    status = keep_value(r->out, attributes[i + 1]);
  return status;
}

static void end_element(void *user, size_t depth, const char *name) {
  reading *r = user;
  (void)name;
  if (r->matched > depth)
    r->matched = depth;
}

km_status km_configuration_parse(const uint8_t *data, size_t size, km_configuration *out,
                                 km_error *error) {
  memset(out, 0, sizeof *out);
  reading r = {out, 0};
  km_xml_reader reader = {begin_element, end_element, &r, KM_MAX_XML_DEPTH};
  if (size > KM_MAX_CONFIGURATION)
    return km_fail(error, KM_LIMIT, 0, "the configuration is larger than %zu MiB",
                   KM_MAX_CONFIGURATION >> 20);
  return km_xml_read(data, size, &reader, error);
}

void km_configuration_free(km_configuration *configuration) {
  for (size_t i = 0; i < configuration->provider_count; i++) {
    free(configuration->providers[i].name);
    free(configuration->providers[i].container);
    free(configuration->providers[i].type);
    free(configuration->providers[i].session_key);
  }
  for (size_t i = 0; i < configuration->value_count; i++) {
    free(configuration->values[i].provider);
    free(configuration->values[i].data);
  }
  free(configuration->providers);
  free(configuration->values);
  free(configuration->history);
  memset(configuration, 0, sizeof *configuration);
}

/* ---- Encrypted values ---- */

enum { VALUE_HEAD = 4 /* bytes before the text */, MAX_BLOCK = 16 };

/* How much is left without padding of n bytes of value n; all of it where there is none. */
static size_t without_padding(const uint8_t *data, size_t size, size_t block) {
  size_t count = data[size - 1];
  if (count > block || count > size)
    return size;
  for (size_t i = 0; i < count; i++)
    if (data[size - 1 - i] != count)
      return size;
  return size - count;
}

/* UTF-16LE without unpaired surrogates and control characters; behind the first NUL stand NULs alone. */
static bool is_text(const uint8_t *data, size_t size, bool *ended) {
  *ended = false;
  if (size % 2 != 0)
    return false;
  for (size_t left = size / 2, units = 0; left > 0; left -= units, data += units * 2) {
    uint32_t code = km_utf16_next(data, left, &units);
    *ended = *ended || code == 0;
    if (*ended ? code != 0 : code < 0x20 && code != '\t' && code != '\r' && code != '\n')
      return false;
    if (code >= 0xD800 && code <= 0xDFFF)
      return false;
  }
  return true;
}

bool km_encrypted_opens(uint32_t algorithm, const uint8_t *key, size_t key_size,
                        const uint8_t *data, size_t size) {
  static const uint8_t zeros[MAX_BLOCK] = {0};
  const km_cipher_kind *cipher = km_cipher_find(algorithm);
  bool ended = false;
  if (cipher == NULL || cipher->block == 0 || cipher->block > MAX_BLOCK || size == 0 ||
      size > KM_MAX_ENCRYPTED_SIZE)
    return false;
  uint8_t *plain = km_locked_alloc(size);
  bool good = plain != NULL && km_cipher_decrypt(cipher, (km_bytes){key, key_size}, zeros,
                                                 (km_bytes){data, size}, plain);
  size_t length = good ? without_padding(plain, size, cipher->block) : 0;
  /* Without any sign of an end almost every other key would give a text too. */
  good = good && length >= VALUE_HEAD && is_text(plain + VALUE_HEAD, length - VALUE_HEAD, &ended) &&
         (length < size || ended);
  km_locked_free(plain, size);
  return good;
}
