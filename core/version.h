/* version.h: the version resource of a program file, read in pieces; internal to core/.
 *
 * Only the headers, three resource directories and the first 92 bytes of the resource are read, whatever the size of the
 * file. Little endian; sources: MS "PE Format" (headers, section table, .rsrc), "VS_VERSIONINFO", "VS_FIXEDFILEINFO".
 *
 *   file            "MZ"; 60 u32 offset of the PE header
 *   PE header       "PE\0\0"; 6 u16 sections; 20 u16 size of the optional header, which begins at 24
 *   optional header 0 u16 0x10B (PE32) or 0x20B (PE32+); at 92 or 108 u32 number of data directories, then these,
 *                   8 bytes each (address, size); the third is that of the resources
 *   section, 40     8 u32 size in memory; 12 u32 address; 16 u32 size in the file; 20 u32 offset in the file
 *   directory       12 u16 entries with names, 14 u16 entries with ids; 16 the entries, 8 bytes each: id, offset from the
 *                   first directory; its top bit says that another directory stands there. Levels: type (16 is the
 *                   version), name (1), language
 *   data entry      0 u32 address, 4 u32 size
 *   resource        0 u16 length; 2 u16 length of the value; 6 "VS_VERSION_INFO" in UTF-16 with NUL; 40 the value:
 *                   0 u32 0xFEEF04BD; 8 u32 first two parts of the file's version, 12 u32 last two
 */
#ifndef KM_VERSION_H
#define KM_VERSION_H

#include "backend.h"

#define KM_MAX_PROGRAM_FILE 0x40000000u /* bytes; Windows' own stay below 64 MiB */
#define KM_MAX_PROGRAM_SECTIONS 96      /* what the loader of Windows before Vista takes */
#define KM_MAX_RESOURCE_ENTRIES 4096    /* of one directory */

/* Where the bytes come from. `read` reads exactly `size` bytes that lie within `size` of the file. */
typedef struct km_version_source {
  km_status (*read)(void *user, void *data, size_t size, uint64_t offset, km_error *error);
  void *user;
  uint64_t size;
} km_version_source;

/* Reads the four parts of the file's version. KM_DAMAGED: it is no program file (PE32 or PE32+), or it has no version
 * resource; KM_LIMIT; what `read` gives. The message has no object: the caller puts it before. */
km_status km_version_parse(const km_version_source *source, uint16_t part[4], km_error *error);

/* Fills `out` from an open file (km_disk_*): all of it, or size and time alone. KM_DAMAGED also for what is no ordinary
 * file. What is known is filled in on failure, too; the message has no object. */
km_status km_version_of_file(int fd, km_version_info *out, km_error *error);
km_status km_version_stat(int fd, km_version_info *out, km_error *error);

#endif
