/* expat_config.h: what expat may use of mingw's C library; in place of the one that its configure writes
 *
 * Its own random numbers for Windows come from rand_s, which Windows 2000 lacks: see random.c.
 */
#define BYTEORDER 1234
#define HAVE_ARC4RANDOM_BUF 1
#define HAVE_MEMMOVE 1
#define STDC_HEADERS 1
#define XML_CONTEXT_BYTES 1024
#define XML_DTD 1
#define XML_GE 1
#define XML_NS 1

#include <stddef.h>

void arc4random_buf(void *buffer, size_t size);
