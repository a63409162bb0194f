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

/* A SID's bytes as text. false: not a whole one; `text` is then "". */
bool km_sid_text(const uint8_t *sid, size_t size, char text[KM_SID_TEXT]);

/* The parts of a self-relative descriptor that keymend keeps; they point into it. A part that it does not have is NULL;
 * a DACL that is present and NULL gives everyone everything. `dacl_size` ends with its last entry. */
typedef struct km_descriptor_parts {
  unsigned control; /* SE_* bits */
  const uint8_t *owner, *group, *dacl;
  size_t owner_size, group_size, dacl_size;
} km_descriptor_parts;

#define KM_CONTROL_DACL_PRESENT 0x0004u
#define KM_CONTROL_DACL_AUTO_INHERIT_REQUEST 0x0100u
#define KM_CONTROL_DACL_AUTO_INHERITED 0x0400u
#define KM_CONTROL_DACL_PROTECTED 0x1000u
#define KM_CONTROL_SELF_RELATIVE 0x8000u

/* false: not a whole, well-formed one. */
bool km_descriptor_take(const uint8_t *descriptor, size_t size, km_descriptor_parts *out);

/* Whether two descriptors say the same: owner, group, and a DACL of the same entries that is protected or is not. How
 * they lie in memory does not count, so what one driver told may be compared with what another tells; neither do the
 * SACL, which Windows shows to few, and the auto-inherited mark, which says how a DACL came to be. */
bool km_descriptor_equal(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);

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
