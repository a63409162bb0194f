/* service.c: asks, stops and starts services of the running Windows through its service control manager. */
#include "service.h"

#include "wide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAP 100                   /* ms between two looks at the interrupt flag */
#define LAST_MOMENT 5000          /* ms that a process may take to end behind its service */
#define EAGER 1000                /* ms in which a service is asked at every nap */
#define QUERY_LIMITED 0x1000      /* PROCESS_QUERY_LIMITED_INFORMATION: since Windows Vista */
#define SERVICE_CONFIG_BYTES 8192 /* the most that QueryServiceConfig gives */

/* An open service during one operation. */
typedef struct service {
  SC_HANDLE manager, handle;
  const char *name, *act; /* act: "stop", "start", "query" */
  SERVICE_STATUS_PROCESS status;
  bool changes;   /* it is being stopped or started */
  HANDLE process; /* the one it has for itself, to be waited for; or NULL */
} service;

static const struct pending_row {
  DWORD state;
  const char *doing;
} pending_rows[] = {
    {SERVICE_START_PENDING, "starting"},
    {SERVICE_STOP_PENDING, "stopping"},
    {SERVICE_CONTINUE_PENDING, "continuing"},
    {SERVICE_PAUSE_PENDING, "pausing"},
};

/* What a service in a pending state is doing; NULL for one at rest. */
static const char *doing(DWORD state) {
  for (size_t i = 0; i < sizeof pending_rows / sizeof *pending_rows; i++)
    if (pending_rows[i].state == state)
      return pending_rows[i].doing;
  return NULL;
}

/* ---- Opening and asking ---- */

/* Windows' codes for services that are not those of a file or of the disk. */
static km_status fail(km_error *error, const service *s, DWORD code) {
  char operation[64], words[KM_MAX_WORDS];
  km_status status = code == ERROR_SERVICE_DOES_NOT_EXIST ? KM_NOT_FOUND
                     : code == ERROR_ACCESS_DENIED        ? KM_ACCESS
                     : code == ERROR_OUTOFMEMORY          ? KM_MEMORY
                                                          : KM_IO;
  if (status != KM_IO) {
    snprintf(operation, sizeof operation, "%s service", s->act);
    return km_windows_fail(error, code, operation, s->name);
  }
  return km_fail(error, status, (int32_t)code, "%s service %s: %s", s->act, s->name,
                 km_windows_words(code, words));
}

static void close_service(service *s) {
  if (s->process != NULL)
    CloseHandle(s->process);
  if (s->handle != NULL)
    CloseServiceHandle(s->handle);
  if (s->manager != NULL)
    CloseServiceHandle(s->manager);
  s->handle = s->manager = s->process = NULL;
}

static km_status ask(service *s, km_error *error) {
  DWORD size;
  if (QueryServiceStatusEx(s->handle, SC_STATUS_PROCESS_INFO, (BYTE *)&s->status, sizeof s->status,
                           &size)) {
    if (s->process == NULL && s->changes && s->status.dwProcessId != 0 &&
        (s->status.dwServiceType & SERVICE_WIN32_OWN_PROCESS) != 0)
      s->process = OpenProcess(SYNCHRONIZE, FALSE, s->status.dwProcessId);
    return KM_OK;
  }
  return fail(error, s, GetLastError());
}

/* Opens a service with `rights` and asks its status. close_service in every case. */
static km_status open_service(service *s, const char *name, const char *act, DWORD rights,
                              km_error *error) {
  *s = (service){.name = name, .act = act, .changes = (rights & ~SERVICE_QUERY_CONFIG) != 0};
  wchar_t *wide = km_wide(name);
  if (wide == NULL)
    return km_fail(error, KM_MEMORY, 0, "%s service %s: out of memory", act, name);
  s->manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
  if (s->manager != NULL)
    s->handle = OpenServiceW(s->manager, wide, SERVICE_QUERY_STATUS | rights);
  DWORD code = s->handle == NULL ? GetLastError() : ERROR_SUCCESS;
  free(wide);
  if (code == ERROR_INVALID_NAME) /* what no service can be called */
    code = ERROR_SERVICE_DOES_NOT_EXIST;
  return code == ERROR_SUCCESS ? ask(s, error) : fail(error, s, code);
}

/* The start type as km_service.start; -1 when it may not be read. */
static int32_t start_type(const service *s) {
  QUERY_SERVICE_CONFIGW *config = malloc(SERVICE_CONFIG_BYTES);
  DWORD size;
  int32_t type = -1;
  if (config != NULL && QueryServiceConfigW(s->handle, config, SERVICE_CONFIG_BYTES, &size))
    type = (int32_t)config->dwStartType;
  free(config);
  return type;
}

/* When the process was made in which the service runs; 0: it runs in none, or that may not be asked. */
static km_time process_made(DWORD id) {
  FILETIME made, gone, kernel, user;
  if (id == 0)
    return 0;
  HANDLE process = OpenProcess(QUERY_LIMITED, FALSE, id);
  if (process == NULL)
    process = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, id);
  if (process == NULL)
    return 0;
  BOOL good = GetProcessTimes(process, &made, &gone, &kernel, &user);
  CloseHandle(process);
  return good ? (km_time)((uint64_t)made.dwHighDateTime << 32 | made.dwLowDateTime) : 0;
}

static void tell_status(const service *s, km_service_status *out) {
  const SERVICE_STATUS_PROCESS *now = &s->status;
  if (out == NULL)
    return;
  out->state = now->dwCurrentState;
  out->exit_code = now->dwWin32ExitCode;
  out->specific_code = now->dwServiceSpecificExitCode;
  out->stoppable =
      (now->dwCurrentState == SERVICE_RUNNING || now->dwCurrentState == SERVICE_PAUSED) &&
      (now->dwControlsAccepted & SERVICE_ACCEPT_STOP) != 0;
  out->started = now->dwCurrentState == SERVICE_STOPPED ? 0 : process_made(now->dwProcessId);
}

km_status km_win_service_query(km_target *target, const char *name, km_service_status *out,
                               km_error *error) {
  service s;
  (void)target;
  *out = (km_service_status){.start = -1};
  km_status status = open_service(&s, name, "query", SERVICE_QUERY_CONFIG, error);
  if (status == KM_ACCESS) { /* its state alone may be open to the caller */
    close_service(&s);
    status = open_service(&s, name, "query", 0, error);
  }
  if (status == KM_OK) {
    tell_status(&s, out);
    out->start = start_type(&s);
  }
  close_service(&s);
  return status;
}

/* ---- Waiting ---- */

typedef struct patience {
  DWORD begun, progress, told; /* GetTickCount, of which only differences count */
  DWORD checkpoint;
} patience;

static void tell(const service *s, const km_wait *wait, patience *p, DWORD now) {
  char text[KM_MAX_SERVICE_NAME * 3 + 128];
  DWORD waited = now - p->begun, hint = s->status.dwWaitHint;
  if (waited < EAGER || now - p->told < EAGER)
    return;
  p->told = now;
  int used = snprintf(text, sizeof text, "%s %s: %lu s", doing(s->status.dwCurrentState), s->name,
                      (unsigned long)(waited / 1000));
  if (hint > now - p->progress && hint >= 1000 && used > 0)
    snprintf(text + used, sizeof text - (size_t)used, ", it asks for up to %lu s more",
             (unsigned long)((hint - (now - p->progress)) / 1000));
  wait->tell(wait->user, text);
}

static km_status timed_out(const service *s, const patience *p, DWORD now, km_error *error) {
  return km_fail(
      error, KM_BUSY, ERROR_SERVICE_REQUEST_TIMEOUT,
      "%s service %s: it is still %s after %lu s (its wait hint is %lu s, its checkpoint "
      "%lu); look at what it waits for, or end its process, then try again",
      s->act, s->name, doing(s->status.dwCurrentState), (unsigned long)((now - p->begun) / 1000),
      (unsigned long)(s->status.dwWaitHint / 1000), (unsigned long)s->status.dwCheckPoint);
}

/* Sleeps until the service is worth another question. */
static bool nap(const service *s, const km_wait *wait, const patience *p) {
  DWORD pause = NAP;
  if (GetTickCount() - p->begun > EAGER) {
    DWORD tenth = s->status.dwWaitHint / 10;
    pause = tenth < 1000 ? 1000 : tenth > 10000 ? 10000 : tenth;
  }
  for (DWORD slept = 0; slept < pause; slept += NAP) {
    if (wait->interrupted != NULL && *wait->interrupted != 0)
      return false;
    Sleep(NAP);
  }
  return true;
}

/* Waits until the service is at rest, whatever it then is. */
static km_status settle(service *s, const km_wait *wait, km_error *error) {
  DWORD now = GetTickCount();
  patience p = {now, now, now, s->status.dwCheckPoint};
  DWORD state = s->status.dwCurrentState;
  while (doing(s->status.dwCurrentState) != NULL) {
    now = GetTickCount();
    if (s->status.dwCurrentState != state || s->status.dwCheckPoint > p.checkpoint) {
      state = s->status.dwCurrentState;
      p.progress = now;
    }
    p.checkpoint = s->status.dwCheckPoint;
    DWORD hint = s->status.dwWaitHint;
    if (now - p.progress > (hint > KM_SERVICE_PATIENCE ? hint : KM_SERVICE_PATIENCE) ||
        now - p.begun > KM_MAX_SERVICE_WAIT)
      return timed_out(s, &p, now, error);
    tell(s, wait, &p, now);
    if (!nap(s, wait, &p))
      return km_fail(error, KM_INTERRUPTED, 0, "%s service %s: interrupted", s->act, s->name);
    km_status status = ask(s, error);
    if (status != KM_OK)
      return status;
  }
  return KM_OK;
}

/* A service says that it has stopped a moment before its process ends, which until then may hold files open and be in
 * the way of the next start. That it does not end is no failure of the service. */
static void await_process(const service *s) {
  if (s->process != NULL && s->status.dwCurrentState == SERVICE_STOPPED)
    (void)WaitForSingleObject(s->process, LAST_MOMENT);
}

/* ---- Stopping ---- */

static bool takes_no_stop(const SERVICE_STATUS *now) {
  return (now->dwCurrentState == SERVICE_RUNNING || now->dwCurrentState == SERVICE_PAUSED) &&
         (now->dwControlsAccepted & SERVICE_ACCEPT_STOP) == 0;
}

/* The dependents that still run: those that the registry's graph did not show, or that take no stop. With one of these it
 * goes on as they do. */
static km_status name_dependents(const service *s, km_error *error) {
  char names[KM_MAX_MESSAGE / 2] = "";
  DWORD size = 0, count = 0;
  size_t used = 0;
  (void)EnumDependentServicesW(s->handle, SERVICE_ACTIVE, NULL, 0, &size, &count);
  ENUM_SERVICE_STATUSW *rows = size > 0 ? malloc(size) : NULL;
  if (rows == NULL || !EnumDependentServicesW(s->handle, SERVICE_ACTIVE, rows, size, &size, &count))
    count = 0;
  for (DWORD i = 0; i < count && i < KM_MAX_DEPENDENTS_TOLD && used < sizeof names; i++) {
    char *name = km_narrow(rows[i].lpServiceName);
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ",
                             name != NULL ? name : "?");
    free(name);
  }
  bool stuck = false;
  for (DWORD i = 0; i < count; i++)
    stuck |= takes_no_stop(&rows[i].ServiceStatus);
  free(rows);
  if (stuck)
    return km_fail(error, KM_UNSUPPORTED, ERROR_DEPENDENT_SERVICES_RUNNING,
                   "service %s cannot be stopped, since one of those that need it takes no stop on "
                   "this Windows (%s)",
                   s->name, names);
  return km_fail(
      error, KM_BUSY, ERROR_DEPENDENT_SERVICES_RUNNING,
      "stop service %s: services that need it still run: %s%s; name them in the policy's "
      "services, or stop them first",
      s->name, count == 0 ? "Windows does not say which" : names,
      count > KM_MAX_DEPENDENTS_TOLD ? ", ..." : "");
}

static km_status cannot_stop(const service *s, km_error *error) {
  return km_fail(error, KM_UNSUPPORTED, ERROR_INVALID_SERVICE_CONTROL,
                 "service %s takes no stop on this Windows", s->name);
}

/* One request to stop. *again: the service was busy with something else. */
static km_status request_stop(service *s, bool *again, km_error *error) {
  SERVICE_STATUS ignored;
  *again = false;
  if (ControlService(s->handle, SERVICE_CONTROL_STOP, &ignored))
    return ask(s, error);
  DWORD code = GetLastError();
  switch (code) {
  case ERROR_SERVICE_NOT_ACTIVE:
    return ask(s, error);
  case ERROR_SERVICE_CANNOT_ACCEPT_CTRL:
    *again = true;
    return ask(s, error);
  case ERROR_INVALID_SERVICE_CONTROL:
    return cannot_stop(s, error);
  case ERROR_DEPENDENT_SERVICES_RUNNING:
    return name_dependents(s, error);
  case ERROR_SERVICE_REQUEST_TIMEOUT:
    return km_fail(error, KM_BUSY, (int32_t)code,
                   "stop service %s: it did not answer the request to stop; end its process, then "
                   "try again",
                   s->name);
  default:
    return fail(error, s, code);
  }
}

static km_status goes_on(const service *s, const km_wait *wait, DWORD since, km_error *error) {
  if (wait->interrupted != NULL && *wait->interrupted != 0)
    return km_fail(error, KM_INTERRUPTED, 0, "stop service %s: interrupted", s->name);
  if (GetTickCount() - since > KM_SERVICE_PATIENCE)
    return km_fail(error, KM_BUSY, ERROR_SERVICE_REQUEST_TIMEOUT,
                   "stop service %s: it was asked to stop, and goes on running after %u s; end its "
                   "process, then try again",
                   s->name, KM_SERVICE_PATIENCE / 1000);
  Sleep(NAP);
  return KM_OK;
}

/* One request that is taken; a service need not say at once that it stops, and is then asked for its state alone. */
static km_status stop(service *s, const km_wait *wait, km_error *error) {
  bool taken = false;
  km_status status = settle(s, wait, error);
  DWORD since = GetTickCount();
  while (status == KM_OK && s->status.dwCurrentState != SERVICE_STOPPED) {
    bool again = false;
    if (!taken && (s->status.dwControlsAccepted & SERVICE_ACCEPT_STOP) == 0)
      return cannot_stop(s, error);
    status = taken ? ask(s, error) : request_stop(s, &again, error);
    taken = taken || !again;
    if (status == KM_OK && doing(s->status.dwCurrentState) == NULL &&
        s->status.dwCurrentState != SERVICE_STOPPED)
      status = goes_on(s, wait, since, error);
    if (status == KM_OK)
      status = settle(s, wait, error);
  }
  return status;
}

km_status km_win_service_stop(km_target *target, const char *name, const km_wait *wait,
                              km_service_status *out, km_error *error) {
  service s;
  (void)target;
  km_status status =
      open_service(&s, name, "stop", SERVICE_STOP | SERVICE_ENUMERATE_DEPENDENTS, error);
  if (status == KM_OK) {
    status = stop(&s, wait, error);
    await_process(&s);
    tell_status(&s, out);
  }
  close_service(&s);
  return status;
}

/* ---- Starting ---- */

/* "1008 (words)", a service's own code as Windows' tools show an HRESULT: "0x80090006 (words)"; words where there are. */
static const char *show_code(DWORD code, char *text, size_t size) {
  char words[KM_MAX_WORDS];
  bool known = strncmp(km_windows_words(code, words), "error ", 6) != 0;
  (void)snprintf(text, size, code > 0xffff ? "0x%08lX%s%s%s" : "%lu%s%s%s", (unsigned long)code,
                 known ? " (" : "", known ? words : "", known ? ")" : "");
  return text;
}

/* Why a service that was started is stopped again. */
static km_status ended(const service *s, km_error *error) {
  char text[KM_MAX_WORDS + 32];
  DWORD code = s->status.dwWin32ExitCode;
  bool own = code == ERROR_SERVICE_SPECIFIC_ERROR;
  if (own)
    code = s->status.dwServiceSpecificExitCode;
  if (code == ERROR_SUCCESS)
    return km_fail(error, KM_IO, 0, "start service %s: it ended at once, and tells no error",
                   s->name);
  return km_fail(error, KM_IO, (int32_t)code, "start service %s: it ended with %s %s", s->name,
                 own ? "its own code" : "code", show_code(code, text, sizeof text));
}

/* One request to start. *again: the service manager's database is locked for a moment, or the process of the run before
 * is still there. */
static km_status request_start(service *s, bool *again, km_error *error) {
  km_error ignored;
  *again = false;
  if (StartServiceW(s->handle, 0, NULL))
    return ask(s, error);
  DWORD code = GetLastError();
  if (code == ERROR_SERVICE_DATABASE_LOCKED) {
    *again = true;
    return KM_OK;
  }
  (void)ask(s, &ignored); /* the exit code tells more */
  if (code != ERROR_SERVICE_ALREADY_RUNNING)
    return fail(error, s, code);
  *again = s->status.dwCurrentState == SERVICE_STOPPED;
  return KM_OK;
}

static km_status start(service *s, const km_wait *wait, km_error *error) {
  bool again = true;
  km_status status = settle(s, wait, error);
  if (status != KM_OK || s->status.dwCurrentState != SERVICE_STOPPED)
    return status;
  for (DWORD begun = GetTickCount(); status == KM_OK && again;) {
    status = request_start(s, &again, error);
    if (again && GetTickCount() - begun > KM_SERVICE_PATIENCE)
      return km_fail(error, KM_BUSY, ERROR_SERVICE_DATABASE_LOCKED,
                     "start service %s: the service control manager is busy with other services; "
                     "start it by hand",
                     s->name);
    if (again)
      Sleep(NAP);
  }
  if (status == KM_OK)
    status = settle(s, wait, error);
  if (status == KM_OK && s->status.dwCurrentState == SERVICE_STOPPED)
    status = ended(s, error);
  return status;
}

km_status km_win_service_start(km_target *target, const char *name, const km_wait *wait,
                               km_service_status *out, km_error *error) {
  service s;
  (void)target;
  km_status status = open_service(&s, name, "start", SERVICE_START, error);
  if (status == KM_OK) {
    status = start(&s, wait, error);
    await_process(&s);
    tell_status(&s, out);
  }
  close_service(&s);
  return status;
}
