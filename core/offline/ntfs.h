/* ntfs.h: what an NTFS driver stores of a file beside its bytes: times, attributes, security
 * descriptor.
 *
 * ntfs-3g gives them as extended attributes (its documentation, "Extended attributes"):
 * system.ntfs_times_be (creation, last write, last access, change: four FILETIME, big endian;
 * writing 16 bytes sets the first two), system.ntfs_attrib_be (u32, big endian), system.ntfs_acl
 * (the self-relative security descriptor). The kernel's ntfs3 gives system.ntfs_attrib_be and
 * system.ntfs_security, and the creation time as statx birth time.
 */
#ifndef KM_NTFS_H
#define KM_NTFS_H

#include "descriptor.h"

#define KM_ATTRIBUTE_REPARSE 0x400u
/* FILE_ATTRIBUTE_* that can be set: read-only, hidden, system, archive, normal, temporary, offline,
 * not content indexed. */
#define KM_ATTRIBUTES_SETTABLE (KM_ATTRIBUTES_KEPT | 0x80u)

/* ---- Through a driver, on an open file or folder; false with errno ---- */

bool km_ntfs_get_times(int fd, km_time *created, km_time *written);
bool km_ntfs_set_times(int fd, km_time created, km_time written);
bool km_ntfs_get_attributes(int fd, uint32_t *attributes);
/* The short name (C2319C~1) that the file has beside its own, as Windows gives every long one: ntfs-3g counts it as a
 * hard link, Windows does not. It is also told of a file whose own name is short. false: there is none. */
#define KM_SHORT_NAME 40 /* bytes of 12 characters in UTF-8 with NUL */
bool km_ntfs_get_dos_name(int fd, char name[KM_SHORT_NAME]);
bool km_ntfs_set_attributes(int fd, uint32_t attributes);
/* `name`: "system.ntfs_acl" or "system.ntfs_security". *out is malloc'ed. */
bool km_ntfs_get_descriptor(int fd, const char *name, uint8_t **out, size_t *size);
bool km_ntfs_set_descriptor(int fd, const char *name, const uint8_t *descriptor, size_t size);

/* ---- The volume's own state ---- */

typedef enum km_ntfs_state {
  KM_NTFS_CLEAN,
  KM_NTFS_DIRTY,  /* the dirty flag of $Volume is set: chkdsk is due */
  KM_NTFS_UNKNOWN /* cannot be read, or is not NTFS */
} km_ntfs_state;

/* Reads the dirty flag of the NTFS volume in a block device or image. errno tells why it is unknown
 * (0: not NTFS). Layout: boot sector and MFT record 3, $Volume. */
km_ntfs_state km_ntfs_volume_state(const char *source);

#endif
