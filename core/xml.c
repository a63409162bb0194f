/* xml.c: reading an XML file of a target with expat, within bounds. */
#include "xml.h"

#include <limits.h>
#include <string.h>

#include <expat.h>

typedef struct reading {
  XML_Parser parser;
  const km_xml_reader *reader;
  size_t depth;
  km_status status;
  const char *refusal; /* why the reading was ended, NULL: the reader wanted it */
} reading;

static void stop(reading *r, km_status status, const char *refusal) {
  r->status = status;
  r->refusal = refusal;
  (void)XML_StopParser(r->parser, XML_FALSE);
}

/* expat may still call for what it has read already, after it was told to stop. */
static void XMLCALL begin_element(void *user, const XML_Char *name, const XML_Char **attributes) {
  reading *r = user;
  if (r->status != KM_OK)
    return;
  if (r->depth >= r->reader->max_depth) {
    stop(r, KM_DAMAGED, "its elements nest deeper than in any such file");
    return;
  }
  km_status status = r->reader->begin(r->reader->user, r->depth, name, attributes);
  r->depth++;
  if (status != KM_OK)
    stop(r, status, NULL);
}

static void XMLCALL end_element(void *user, const XML_Char *name) {
  reading *r = user;
  if (r->status != KM_OK || r->depth == 0)
    return;
  r->depth--;
  if (r->reader->end != NULL)
    r->reader->end(r->reader->user, r->depth, name);
}

static void XMLCALL begin_doctype(void *user, const XML_Char *name, const XML_Char *system,
                                  const XML_Char *public_id, int internal) {
  (void)name, (void)system, (void)public_id, (void)internal;
  stop(user, KM_DAMAGED, "it has a document type, which no such file has");
}

static km_status result(const reading *r, enum XML_Status parsed, km_error *error) {
  if (r->status == KM_END)
    return KM_OK;
  if (r->status == KM_MEMORY ||
      (r->status == KM_OK && XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY))
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  if (r->status == KM_OK && parsed == XML_STATUS_OK)
    return KM_OK;
  const char *why = r->refusal != NULL ? r->refusal : XML_ErrorString(XML_GetErrorCode(r->parser));
  return km_fail(error, r->status != KM_OK ? r->status : KM_DAMAGED, 0, "line %lu: %s",
                 (unsigned long)XML_GetCurrentLineNumber(r->parser),
                 why != NULL ? why : "it is not well-formed");
}

km_status km_xml_read(const uint8_t *data, size_t size, const km_xml_reader *reader,
                      km_error *error) {
  if (size > INT_MAX)
    return km_fail(error, KM_LIMIT, 0, "the file is larger than 2 GiB");
  reading r = {.parser = XML_ParserCreate(NULL), .reader = reader, .status = KM_OK};
  if (r.parser == NULL)
    return km_fail(error, KM_MEMORY, 0, "out of memory");
  XML_SetUserData(r.parser, &r);
  XML_SetElementHandler(r.parser, begin_element, end_element);
  XML_SetStartDoctypeDeclHandler(r.parser, begin_doctype);
  enum XML_Status parsed = XML_Parse(r.parser, (const char *)data, (int)size, XML_TRUE);
  km_status status = result(&r, parsed, error);
  XML_ParserFree(r.parser);
  return status;
}

const char *km_xml_attribute(const char **attributes, const char *name) {
  for (size_t i = 0; attributes[i] != NULL; i += 2)
    if (strcmp(attributes[i], name) == 0)
      return attributes[i + 1];
  return NULL;
}
