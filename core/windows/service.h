/* service.h: the services of the running Windows, as the backend's operations; internal to core/windows.
 *
 * Waiting goes by the documented rule: a service has its wait hint's time to raise its checkpoint, and every raise
 * starts that time anew. keymend gives at least KM_SERVICE_PATIENCE, since many services tell no hint or too short a
 * one, and KM_MAX_SERVICE_WAIT in all.
 */
#ifndef KM_WIN_SERVICE_H
#define KM_WIN_SERVICE_H

#include "backend.h"

#define KM_SERVICE_PATIENCE 30000  /* ms without a sign of progress */
#define KM_MAX_SERVICE_WAIT 300000 /* ms for one stop or start */
#define KM_MAX_SERVICE_NAME 256    /* units, as Windows limits it */
#define KM_MAX_DEPENDENTS_TOLD 10  /* named when a stop is refused for their sake */

km_status km_win_service_query(km_target *target, const char *name, km_service_status *out,
                               km_error *error);
km_status km_win_service_stop(km_target *target, const char *name, const km_wait *wait,
                              km_service_status *out, km_error *error);
km_status km_win_service_start(km_target *target, const char *name, const km_wait *wait,
                               km_service_status *out, km_error *error);

#endif
