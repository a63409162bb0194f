/* text.h: characters in UTF-8 and Windows-1252; internal to core/. */
#ifndef KM_TEXT_H
#define KM_TEXT_H

#include "keymend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KM_MAX_CODE_POINT 0x10FFFF
/* What km_utf8_next gives for a byte that belongs to no character: this plus the byte. */
#define KM_BROKEN_BYTE 0x110000

/* Takes one character off the front of `text` (`length` > 0 bytes) and says in *used how many
 * bytes it has. A byte that begins no valid sequence (overlong forms, surrogates and torn
 * sequences included) is given alone, as KM_BROKEN_BYTE + byte. */
uint32_t km_utf8_next(const char *text, size_t length, size_t *used);

/* Writes a code point as 1 to 4 bytes, without NUL; returns how many; 0 for what is no character. */
size_t km_utf8_put(uint32_t code, char out[4]);

/* Takes one character off UTF-16LE `units` (`count` > 0 units of two bytes) and says in *used how
 * many units it has. An unpaired surrogate is given as it stands, in D800..DFFF. */
uint32_t km_utf16_next(const uint8_t *data, size_t count, size_t *used);

/* The Windows-1252 byte of a character, or -1; and back. The five bytes that Windows-1252 leaves
 * undefined stand for the control characters of the same number, as Windows itself converts them. */
int km_cp1252_from_code(uint32_t code);
uint32_t km_cp1252_to_code(uint8_t byte);

/* The text of a GUID as Windows stores it: one u32, two u16, eight bytes. */
void km_guid_bytes_text(const uint8_t bytes[16], char text[KM_GUID_TEXT]);

/* The lower case of a letter of ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic; anything else
 * as it is. For comparing names as Windows does, near enough for services and system folders. */
uint32_t km_fold(uint32_t code);

/* The same of a UTF-8 text. Broken UTF-8 stays as it is. Writes at most size - 1 bytes and a NUL; returns the length. A
 * folded text is never longer than the text. */
size_t km_fold_text(const char *text, size_t length, char *out, size_t size);

#endif
