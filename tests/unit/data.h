/* data.h: real files for tests, which are no part of the project. */
#ifndef KM_UNIT_DATA_H
#define KM_UNIT_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The path of a file of the data folder: $KEYMEND_DATA, else ../shared/data beside the checkout,
 * in which the tests run. false: it is not there; the reason is printed and the caller calls
 * skip(). */
bool test_data_path(const char *relative, char *path, size_t size);

/* Reads a file of the data folder whole; free() it. NULL: as above. */
uint8_t *test_data_read(const char *relative, size_t *size);

#endif
