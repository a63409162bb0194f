/* xml.h: reading an XML file of a target with expat, within bounds; internal to core/. */
#ifndef KM_XML_H
#define KM_XML_H

#include "backend.h"

/* Told of each element, depth 0 being the outermost, and of its end. Attributes are pairs of name and value, ended by
 * NULL, in UTF-8. A status other than KM_OK ends the reading: KM_END as a success. `end` may be NULL. */
typedef struct km_xml_reader {
  km_status (*begin)(void *user, size_t depth, const char *name, const char **attributes);
  void (*end)(void *user, size_t depth, const char *name);
  void *user;
  size_t max_depth;
} km_xml_reader;

/* Reads a whole document. No entity is fetched from anywhere, and a document type is refused, since it could make the
 * text grow without bounds. KM_DAMAGED with the line: it is not well-formed, has a document type or nests too deep;
 * KM_LIMIT above 2 GiB; KM_MEMORY; or what `begin` gave. */
km_status km_xml_read(const uint8_t *data, size_t size, const km_xml_reader *reader,
                      km_error *error);

/* The value of an attribute, or NULL. */
const char *km_xml_attribute(const char **attributes, const char *name);

#endif
