/* registry.h: the registry of the running Windows, as the backend's operations; internal to core/windows.
 *
 * A km_key is an HKEY; every one that is handed out is closed by km_win_registry_close. The process has the machine's
 * own width (live.c refuses a 32-bit process on a 64-bit Windows), so there is only one view.
 */
#ifndef KM_WIN_REGISTRY_H
#define KM_WIN_REGISTRY_H

#include "backend.h"

#define KM_MAX_REGISTRY_DATA ((size_t)1 << 20) /* bytes of one value that is read, as of a hive */
#define KM_MAX_REGISTRY_TRIES 16               /* readings of one value that grows meanwhile */

km_status km_win_registry_root(km_target *target, km_hive_id hive, km_key *out, km_error *error);
km_status km_win_registry_child(km_target *target, km_key key, const char *name, km_key *out,
                                km_error *error);
km_status km_win_registry_children(km_target *target, km_key key,
                                   bool (*each)(void *user, const char *name, km_key child),
                                   void *user, km_error *error);
km_status km_win_registry_value(km_target *target, km_key key, const char *value,
                                km_registry_value *out, km_error *error);
km_time km_win_registry_time(km_target *target, km_key key);
void km_win_registry_close(km_target *target, km_key key);

/* guid.c: the backend's machine_guid_* */
km_status km_win_guid_read(km_target *target, char text[KM_GUID_VALUE], km_error *error);
km_status km_win_guid_check(km_target *target, const char *before, km_error *error);
km_status km_win_guid_write(km_target *target, const char *before, const char *after,
                            km_error *error);
km_status km_win_guid_settle(km_target *target, const char *now, km_error *error);

#endif
