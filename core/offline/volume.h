/* volume.h: the drivers through which a volume is seen, and what each of them keeps. */
#ifndef KM_VOLUME_H
#define KM_VOLUME_H

#include "offline.h"

typedef enum km_driver_kind {
  KM_DRIVER_NTFS_3G, /* gives and takes times, attributes and descriptors */
  KM_DRIVER_NTFS3,   /* the kernel's: gives them, cannot set creation times */
  KM_DRIVER_PLAIN,   /* a file system of this system that holds a copy: modes and owners, no SIDs */
  KM_DRIVER_FOREIGN  /* only read */
} km_driver_kind;

struct km_driver {
  const char *name; /* the type in /proc/self/mountinfo */
  uint32_t magic;   /* statfs f_type, for systems without /proc; 0: not told apart by it */
  km_driver_kind kind;
  const char *refusal; /* why it is not written to; NULL: it is */
};

/* The extended attribute that holds the security descriptor, or NULL. */
const char *km_driver_descriptor(const km_driver *driver);

/* Fills driver, driver_name, source, device, owner and noatime of an opened volume. */
void km_volume_identify(km_volume *volume);

#endif
