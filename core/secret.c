/* secret.c: memory that held key-file content is wiped before it is freed. */
#include <stdlib.h>

#include "backend.h"

/* Through a volatile pointer, so that the compiler cannot drop the writes as dead. */
void km_wipe(void *data, size_t size) {
  volatile unsigned char *bytes = data;
  for (size_t i = 0; i < size; i++)
    bytes[i] = 0;
}

void km_secret_free(void *data, size_t size) {
  if (data == NULL)
    return;
  km_wipe(data, size);
  free(data);
}
