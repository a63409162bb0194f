/* hive_builder.h: makes small registry hives for the unit tests. */
#ifndef KM_HIVE_BUILDER_H
#define KM_HIVE_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct hive_builder hive_builder;

/* Types of registry values. */
enum { SZ = 1, EXPAND_SZ = 2, BINARY = 3, DWORD = 4, MULTI_SZ = 7 };

#define HIVE_TIME 0x01C49A5B00000000 /* in 2004: a key's last write unless told otherwise */

/* An empty hive: a root key without name that other keys are put under. Released by hive_save or hive_bytes. */
hive_builder *hive_new(void);

/* The key of a path beneath the root ("Microsoft\\Cryptography"), made where it is missing. "" is the root. */
size_t hive_key(hive_builder *hive, const char *path);

/* A child whose name is `units` of UTF-16, never found again by hive_key. */
size_t hive_wide_key(hive_builder *hive, size_t parent, const uint16_t *units, size_t count);
void hive_time(hive_builder *hive, size_t at, int64_t filetime);

/* Gives the key a class name, ASCII. */
void hive_class(hive_builder *hive, size_t at, const char *text);

/* Values of the key `at`. A text is UTF-8 of the basic plane, stored as UTF-16LE with its NUL; in a MULTI_SZ '\n' parts the
 * strings. Data longer than 16344 bytes is stored in pieces. */
void hive_data(hive_builder *hive, size_t at, const char *name, uint32_t type, const void *data,
               size_t size);
void hive_text(hive_builder *hive, size_t at, const char *name, uint32_t type, const char *text);
void hive_number(hive_builder *hive, size_t at, const char *name, uint32_t number);

/* The hive's bytes (free()), with these sequence numbers and last-written time. */
uint8_t *hive_bytes(hive_builder *hive, uint32_t sequence1, uint32_t sequence2, int64_t written,
                    size_t *size);

/* Writes them to a file. */
void hive_save(hive_builder *hive, const char *path, uint32_t sequence1, uint32_t sequence2,
               int64_t written);

/* Sets the checksum of a base block anew, after a test has changed it. */
void hive_checksum(uint8_t *base_block);

/* Writes a file; the test fails where that fails. */
void write_file(const char *path, const void *data, size_t size);

#endif
