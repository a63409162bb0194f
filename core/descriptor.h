/* descriptor.h: security descriptors and SIDs as bytes, for every backend; internal to core/.
 *
 * Layout: MS-DTYP 2.4.2 (SID), 2.4.5 (ACL) and 2.4.6 (SECURITY_DESCRIPTOR), little endian.
 */
#ifndef KM_DESCRIPTOR_H
#define KM_DESCRIPTOR_H

#include "backend.h"

#define KM_DESCRIPTOR_HEADER 20 /* bytes of the smallest self-relative descriptor */
#define KM_SID_TEXT 184

/* The owner of a self-relative security descriptor as text ("S-1-5-18"). false: not a descriptor,
 * or it has none; `text` is then "". Layout: MS-DTYP 2.4.2 (SID) and 2.4.6
 * (SECURITY_DESCRIPTOR). */
bool km_descriptor_owner(const uint8_t *descriptor, size_t size, char text[KM_SID_TEXT]);

/* Whether a SID may own a key file that is adopted by rule: SYSTEM, Administrators, LOCAL SERVICE,
 * NETWORK SERVICE, or a service's own SID (TrustedInstaller is one). */
bool km_sid_trusted(const char *sid);

/* The descriptor of keymend's folders, O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA), and of its
 * files, the same with entries that inherit nothing. */
#define KM_PRIVATE_DESCRIPTOR 96
size_t km_descriptor_private(bool folder, uint8_t out[KM_PRIVATE_DESCRIPTOR]);

/* Whether a descriptor says exactly what km_descriptor_private says for a folder: owner and group SYSTEM,
 * a protected DACL of those two entries. The order of its parts in memory may differ: Windows and
 * the drivers lay them out in their own ways. `problem` gets what differs, in words. */
bool km_descriptor_is_private(const uint8_t *descriptor, size_t size, const char **problem);

#endif
