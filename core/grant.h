/* grant.h: allow entries that are added to a security descriptor; internal to core/.
 *
 * Only the lists of access entries grow: no entry is taken away, changed or moved, and owner, group,
 * SACL and control bits stay as they are.
 */
#ifndef KM_GRANT_H
#define KM_GRANT_H

#include "backend.h"

/* Whether a plan or a journal may give this: read or full rights for an account of the system or a
 * service (km_sid_trusted), its SID spelled as Windows spells it. */
bool km_grant_allowed(const char *sid, uint32_t mask);

/* The same descriptor with an allow entry more for each of `grants` that its entries do not give yet,
 * behind the explicit entries and before the inherited ones. *out: free(). KM_REFUSED says why nothing
 * can or need be added: nothing is missing; everyone may do everything (no DACL); an entry denies; the
 * entries do not stand in Windows' order, or one is of a kind that is not known. KM_LIMIT: there is no
 * room for more; KM_MISUSE: a grant that is not allowed; KM_MEMORY. Messages begin in lower case and
 * do not name the file. Pure. */
km_status km_descriptor_grant(const uint8_t *descriptor, size_t size, const km_grant *grants,
                              size_t count, uint8_t **out, size_t *out_size, km_error *error);

/* Whether `after` is `before` with allow entries added as km_descriptor_grant adds them, which may be
 * given. `added` (may be NULL) gets them; *count says how many there are, 1 to KM_MAX_GRANTS. Pure. */
bool km_descriptor_added(const uint8_t *before, size_t before_size, const uint8_t *after,
                         size_t after_size, km_access_entry added[KM_MAX_GRANTS], size_t *count);

/* The SHA-256 of what km_descriptor_equal compares, as text; "" for what is no descriptor. Pure. */
void km_descriptor_sha256(const uint8_t *descriptor, size_t size, char text[KM_SHA256_TEXT]);

#endif
