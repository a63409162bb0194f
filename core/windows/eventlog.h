/* eventlog.h: the event logs of the running Windows; internal to core/windows.
 *
 * The operations event_open, event_next, event_close, event_filter and report of km_backend. Logs are read through
 * OpenEventLog and ReadEventLog, which every Windows has; since Windows Vista they give what stands in the .evtx files of the
 * classic logs (System, Application, ...) as the same records.
 */
#ifndef KM_EVENTLOG_H
#define KM_EVENTLOG_H

#include "backend.h"

km_status km_win_event_open(km_target *target, const char *log, bool oldest_first,
                            km_event_log **out, km_error *error);
void km_win_event_filter(km_event_log *log, const km_event_filter *filter);
km_status km_win_event_next(km_event_log *log, km_event *out, km_error *error);
void km_win_event_close(km_event_log *log);

/* Writes an event of the source "keymend" to the Application log; Event Viewer takes its words from messages.mc, which
 * keymend.dll holds. Without a registered message file the event is written all the same. */
void km_win_report(km_target *target, km_act act, const char *text);

#endif
