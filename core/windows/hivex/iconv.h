/* iconv.h: iconv for the three encodings that hivex converts: LATIN1, UTF-8, UTF-16LE; see shim.c */
#ifndef KM_HIVEX_ICONV_H
#define KM_HIVEX_ICONV_H

#include <errno.h>
#include <stddef.h>

typedef void *iconv_t; /* hivex stores it in an iconv_t * */

/* The names are exactly those three; (iconv_t)-1 with EINVAL else. Nothing is allocated. */
iconv_t km_hivex_iconv_open(const char *to, const char *from);

/* As POSIX says, without a state: (size_t)-1 with E2BIG, EILSEQ or EINVAL, else 0. */
size_t km_hivex_iconv(iconv_t handle, const char **in, size_t *in_left, char **out,
                      size_t *out_left);

/* There is nothing to release. */
int km_hivex_iconv_close(iconv_t handle);

#define iconv_open km_hivex_iconv_open
#define iconv km_hivex_iconv
#define iconv_close km_hivex_iconv_close

#endif
