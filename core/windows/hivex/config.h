/* config.h: stands in for the configuration that hivex's own configure would find; seen by hivex's sources alone
 *
 * hivex is built for Windows from its unchanged source (.ci/windows) with this folder first on its include path:
 * mmap, iconv and mutexes, which Windows' C run-time lacks, are shim.c's, and so is open.
 */
#ifndef KM_HIVEX_CONFIG_H
#define KM_HIVEX_CONFIG_H

#include <fcntl.h>
#include <io.h>

#define PACKAGE_NAME "hivex"
#define PACKAGE_VERSION "1.3.24"
#define HAVE_MMAP 1
#define ICONV_CONST const

#define __LITTLE_ENDIAN 1234
#define __BIG_ENDIAN 4321
#define __BYTE_ORDER __LITTLE_ENDIAN

/* hivex may open nothing by name: `name` is "/proc/self/fd/<n>", with <n> an open descriptor of this process's C
 * run-time, and the result a duplicate of it. It shares the position in the file. Only O_RDONLY (with O_BINARY):
 * -1 with EACCES else; EBADF for a number that is none. */
int km_hivex_open(const char *name, int flags, ...);
#define open km_hivex_open

#endif
