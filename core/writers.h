/* writers.h: who may change a file or folder, read from its security descriptor; internal to core/.
 *
 * For files whose text is acted on with an administrator's rights (console.h, km_console_read_trusted).
 */
#ifndef KM_WRITERS_H
#define KM_WRITERS_H

#include "descriptor.h"

/* Access rights (MS-DTYP 2.4.3; winnt.h) that let somebody change what a path leads to. */
#define KM_RIGHTS_TAKE 0x000C0000u                     /* WRITE_DAC, WRITE_OWNER */
#define KM_RIGHTS_FILE (KM_RIGHTS_TAKE | 0x00010006u)  /* and writing, appending, DELETE */
#define KM_RIGHTS_TOP (KM_RIGHTS_TAKE | 0x00000040u)   /* a drive's root: FILE_DELETE_CHILD */
#define KM_RIGHTS_FOLDER (KM_RIGHTS_TOP | 0x00010000u) /* and DELETE, which renames it */

typedef enum km_writers {
  KM_WRITERS_TRUSTED,  /* only SYSTEM, Administrators, services and the caller */
  KM_WRITERS_OWNER,    /* the owner is somebody else, who may change the DACL */
  KM_WRITERS_OTHER,    /* an entry of the DACL lets somebody else */
  KM_WRITERS_EVERYONE, /* there is no DACL */
  KM_WRITERS_UNKNOWN   /* no descriptor, or one that cannot be judged */
} km_writers;

/* Judges a self-relative descriptor. `rights`: those that count. `own`: the caller's SID as text, or NULL. `sid` gets who
 * the somebody is, else "". Administrators of the domain and the built-in account Administrator count as Administrators;
 * entries that deny are passed over, so the answer errs to the safe side. */
km_writers km_writers_judge(const uint8_t *descriptor, size_t size, uint32_t rights,
                            const char *own, char sid[KM_SID_TEXT]);

#endif
