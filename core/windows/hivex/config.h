/* config.h: stands in for the configuration that hivex's own configure would find; seen by hivex's sources alone
 *
 * hivex is built for Windows from its unchanged source (.ci/windows) with this folder first on its include path.
 * The descriptor that it opens, asks for its size, maps and closes is one of shim.c: a hive in memory.
 */
#ifndef KM_HIVEX_CONFIG_H
#define KM_HIVEX_CONFIG_H

#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#define PACKAGE_NAME "hivex"
#define PACKAGE_VERSION "1.3.24"
#define HAVE_MMAP 1
#define ICONV_CONST const

#define __LITTLE_ENDIAN 1234
#define __BIG_ENDIAN 4321
#define __BYTE_ORDER __LITTLE_ENDIAN

/* As POSIX says, for the names that memory.h tells. */
int km_hivex_open(const char *name, int flags, ...);
int km_hivex_close(int descriptor);

/* Fills st_size alone. */
struct km_hivex_stat {
  size_t st_size;
};
int km_hivex_fstat(int descriptor, struct km_hivex_stat *out);

#undef fstat
#undef stat
#define open km_hivex_open
#define close km_hivex_close
#define fstat km_hivex_fstat
#define stat km_hivex_stat

#endif
