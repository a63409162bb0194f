/* system.c: the registry, the services and the rights of a running Windows, as core/windows gives them to the core
 *
 *   system SERVICE.EXE [wow64]    SERVICE.EXE: the test service program (service.c); wow64: this is a 32-bit process on
 *                                 a 64-bit Windows
 *
 * Makes and removes the key HKLM\SOFTWARE\keymend-test and services named Test*. Each check is a line "ok" or "FAIL";
 * the last line is "N passed, N failed, N skipped".
 */
#include "backend.h"
#include "windows/privilege.h"
#include "windows/registry.h"
#include "windows/service.h"
#include "windows/wide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY L"SOFTWARE\\keymend-test"
#define BIG (300 * 1024)
#define SUBKEYS 300

static unsigned passed, failed, skipped;

static void check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void check(bool good, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  printf(good ? "ok    " : "FAIL  ");
  vprintf(format, arguments);
  printf("\n");
  fflush(stdout);
  va_end(arguments);
  *(good ? &passed : &failed) += 1;
}

static void skip(const char *what, const char *why) {
  printf("skip: %s: %s\n", what, why);
  skipped++;
}

static const km_backend backend = {
    .name = "test",
    .running = true,
    .registry_root = km_win_registry_root,
    .registry_child = km_win_registry_child,
    .registry_children = km_win_registry_children,
    .registry_value = km_win_registry_value,
    .registry_time = km_win_registry_time,
    .registry_close = km_win_registry_close,
    .service_query = km_win_service_query,
};

static km_target target = {.backend = &backend};

/* ---- Registry ---- */

static HKEY make_key(const wchar_t *path) {
  HKEY key = NULL;
  if (RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL))
    abort();
  return key;
}

static void set(HKEY key, const wchar_t *name, DWORD type, const void *data, size_t size) {
  if (RegSetValueExW(key, name, 0, type, data, (DWORD)size))
    abort();
}

/* Removes a key and what stands below it; Windows 2000 has no RegDeleteTree. */
static void remove_tree(HKEY parent, const wchar_t *name) {
  wchar_t child[256];
  HKEY key;
  if (RegOpenKeyExW(parent, name, 0, KEY_ALL_ACCESS, &key))
    return;
  for (DWORD units = 256; RegEnumKeyExW(key, 0, child, &units, NULL, NULL, NULL, NULL) == 0;
       units = 256)
    remove_tree(key, child);
  RegCloseKey(key);
  RegDeleteKeyW(parent, name);
}

static km_status read_value(const char *name, km_registry_value *out, km_error *error) {
  return km_registry_read(&target, "SOFTWARE\\keymend-test", name, out, error);
}

static void expect_text(const char *name, uint32_t type, const char *text) {
  km_registry_value value;
  km_error error;
  km_status status = read_value(name, &value, &error);
  check(status == KM_OK && value.type == type && value.text != NULL &&
            strcmp(value.text, text) == 0,
        "registry: value \"%s\" is \"%s\" (%s)", name, text,
        status != KM_OK      ? error.message
        : value.text != NULL ? value.text
                             : "no text");
  if (status == KM_OK)
    km_registry_value_free(&value);
}

static void test_values(HKEY key) {
  static const wchar_t text[] = L"M\u00fcnchen \u65e5\u672c \xd83d\xde00";
  static const wchar_t lines[] = L"one\0two\0";
  static uint8_t big[BIG], huge[(1 << 20) + 1];
  const DWORD number = 0x12345678;
  uint32_t read = 0;
  km_registry_value value;
  km_error error;
  km_key open = 0;
  memset(big, 0x5a, sizeof big);
  set(key, L"text", REG_SZ, text, sizeof text);
  set(key, L"no end", REG_SZ, text, sizeof text - 2);
  set(key, L"lines", REG_MULTI_SZ, lines, sizeof lines);
  set(key, NULL, REG_EXPAND_SZ, L"%SystemRoot%", 26);
  set(key, L"number", REG_DWORD, &number, sizeof number);
  set(key, L"empty", REG_BINARY, big, 0);
  set(key, L"big", REG_BINARY, big, sizeof big);
  set(key, L"huge", REG_BINARY, huge, sizeof huge);
  expect_text("text", REG_SZ, "M\xc3\xbcnchen \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
  expect_text("TEXT", REG_SZ, "M\xc3\xbcnchen \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
  expect_text("no end", REG_SZ, "M\xc3\xbcnchen \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
  expect_text("lines", REG_MULTI_SZ, "one\ntwo");
  expect_text("", REG_EXPAND_SZ, "%SystemRoot%");
  check(read_value("big", &value, &error) == KM_OK && value.size == sizeof big &&
            memcmp(value.data, big, sizeof big) == 0,
        "registry: a value of %d KiB", BIG / 1024);
  km_registry_value_free(&value);
  check(read_value("empty", &value, &error) == KM_OK && value.size == 0,
        "registry: an empty value");
  km_registry_value_free(&value);
  check(read_value("huge", &value, &error) == KM_LIMIT, "registry: a value beyond the limit: %s",
        error.message);
  check(read_value("absent", &value, &error) == KM_NOT_FOUND, "registry: no such value: %s",
        error.message);
  check(km_registry_read(&target, "SOFTWARE\\keymend-test\\absent", "x", &value, &error) ==
            KM_NOT_FOUND,
        "registry: no such key: %s", error.message);
  check(km_registry_open_path(&target, "SOFTWARE\\keymend-test", &open, &error) == KM_OK &&
            km_registry_number(&target, open, "number", &read) && read == number,
        "registry: a number");
  km_win_registry_close(&target, open);
}

typedef struct walk {
  size_t count, limit;
  bool readable, odd; /* every child's value could be read; the name beyond ASCII was there */
} walk;

static bool each_child(void *user, const char *name, km_key child) {
  walk *w = user;
  uint32_t number;
  w->count++;
  w->readable = w->readable && km_registry_number(&target, child, "n", &number);
  w->odd = w->odd || strcmp(name, "\xc3\xa4"
                                  "299") == 0;
  return w->limit == 0 || w->count < w->limit;
}

static void test_children(HKEY key) {
  km_key open = 0;
  km_error error;
  walk w = {.readable = true};
  for (DWORD i = 0; i < SUBKEYS; i++) {
    wchar_t name[32];
    HKEY child;
    swprintf(name, 32, L"\u00e4%lu", (unsigned long)i);
    if (RegCreateKeyExW(key, name, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &child, NULL))
      abort();
    set(child, L"n", REG_DWORD, &i, sizeof i);
    RegCloseKey(child);
  }
  check(km_registry_open_path(&target, "software\\KEYMEND-test", &open, &error) == KM_OK,
        "registry: a key in another case");
  km_status status = km_win_registry_children(&target, open, each_child, &w, &error);
  check(status == KM_OK && w.count == SUBKEYS && w.readable && w.odd,
        "registry: %u subkeys, readable, with names beyond ASCII", (unsigned)w.count);
  w = (walk){.limit = 3, .readable = true};
  check(km_win_registry_children(&target, open, each_child, &w, &error) == KM_OK && w.count == 3,
        "registry: a walk is ended");
  km_key child = 0;
  check(km_win_registry_child(&target, open,
                              "\xc3\xa4"
                              "0\\x",
                              &child, &error) == KM_NOT_FOUND,
        "registry: a subkey's name is no path");
  check(km_win_registry_child(&target, 0, "x", &child, &error) == KM_MISUSE,
        "registry: no key is no key");
  km_time written = km_win_registry_time(&target, open), now = km_time_now();
  check(written < now + 20000000 && now - written < (km_time)600 * 10000000,
        "registry: the last write of a key (%.1f s ago)", (double)(now - written) / 1e7);
  km_win_registry_close(&target, open);
}

typedef struct writer {
  HKEY key;
  volatile LONG end;
} writer;

/* Rewrites a value in ever other sizes, each time with one byte over all of it. */
static DWORD WINAPI rewrite(void *argument) {
  static uint8_t data[8192];
  writer *w = argument;
  for (DWORD i = 0; w->end == 0; i++) {
    DWORD size = 1 + i * 2654435761u % sizeof data;
    memset(data, (int)(i & 0xff), size);
    set(w->key, L"changing", REG_BINARY, data, size);
  }
  return 0;
}

static void test_changing(HKEY key) {
  writer w = {key, 0};
  unsigned torn = 0, refused = 0;
  set(key, L"changing", REG_BINARY, "x", 1);
  HANDLE thread = CreateThread(NULL, 0, rewrite, &w, 0, NULL);
  for (int i = 0; i < 500; i++) {
    km_registry_value value;
    if (read_value("changing", &value, NULL) != KM_OK) {
      refused++;
      continue;
    }
    for (size_t k = 1; k < value.size; k++)
      torn += value.data[k] != value.data[0];
    km_registry_value_free(&value);
  }
  InterlockedExchange(&w.end, 1);
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
  check(torn == 0 && refused == 0, "registry: a value that changes its size meanwhile");
}

static void test_handles(void) {
  typedef BOOL(WINAPI * get_count)(HANDLE, DWORD *);
  get_count count =
      (get_count)km_windows_function("kernel32.dll", "GetProcessHandleCount"); /* Windows XP */
  DWORD before = 0, after = 0;
  if (count == NULL || !count(GetCurrentProcess(), &before) || before == 0) {
    skip("registry: no handle leaks", "this Windows does not count them");
    return;
  }
  for (int i = 0; i < 200; i++) {
    km_registry_value value;
    km_key open;
    walk w = {.limit = 2};
    if (read_value("text", &value, NULL) == KM_OK)
      km_registry_value_free(&value);
    (void)read_value("absent", &value, NULL);
    (void)km_registry_open_path(&target, "SOFTWARE\\keymend-test\\absent", &open, NULL);
    if (km_registry_open_path(&target, "SOFTWARE\\keymend-test", &open, NULL) == KM_OK) {
      (void)km_win_registry_children(&target, open, each_child, &w, NULL);
      km_win_registry_close(&target, open);
    }
  }
  count(GetCurrentProcess(), &after);
  check(after < before + 20, "registry: no handle leaks (%lu, then %lu)", (unsigned long)before,
        (unsigned long)after);
}

static void test_registry(void) {
  km_services *services = NULL;
  km_error error = {0};
  remove_tree(HKEY_LOCAL_MACHINE, KEY);
  HKEY key = make_key(KEY);
  test_values(key);
  test_children(key);
  test_changing(key);
  test_handles();
  RegCloseKey(key);
  remove_tree(HKEY_LOCAL_MACHINE, KEY);
  check(km_services_load(&target, &services, &error) == KM_OK &&
            km_services_find(services, "EVENTLOG") != NULL,
        "registry: the services of the current control set %s", error.message);
  km_services_free(services);
}

/* ---- Services ---- */

static const char *service_program;

static bool service_tool(const char *arguments) {
  char line[1024];
  STARTUPINFOA start = {.cb = sizeof start};
  PROCESS_INFORMATION made;
  DWORD code = 1;
  snprintf(line, sizeof line, "\"%s\" %s", service_program, arguments);
  if (!CreateProcessA(NULL, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &made))
    return false;
  WaitForSingleObject(made.hProcess, INFINITE);
  GetExitCodeProcess(made.hProcess, &code);
  CloseHandle(made.hProcess);
  CloseHandle(made.hThread);
  return code == 0;
}

typedef struct ear {
  char text[4096];
  unsigned lines;
} ear;

static void hear(void *user, const char *text) {
  ear *l = user;
  size_t used = strlen(l->text);
  snprintf(l->text + used, sizeof l->text - used, "%s\n", text);
  l->lines++;
}

static ear heard;
static volatile int interrupted;
static const km_wait wait = {hear, &heard, &interrupted};

static DWORD seconds_of(km_status (*act)(km_target *, const char *, const km_wait *,
                                         km_service_status *, km_error *),
                        const char *name, km_status *status, km_service_status *now,
                        km_error *error) {
  DWORD begun = GetTickCount();
  memset(&heard, 0, sizeof heard);
  memset(now, 0, sizeof *now);
  memset(error, 0, sizeof *error);
  *status = act(&target, name, &wait, now, error);
  return (GetTickCount() - begun) / 1000;
}

static void test_start_and_stop(void) {
  km_service_status now;
  km_status status;
  km_error error;
  check(service_tool("install TestSlow start=demand start-ms=2500 stop-ms=2500"),
        "services: TestSlow is there");
  memset(&error, 0, sizeof error);
  status = km_service_query(&target, "TESTSLOW", &now, &error);
  check(status == KM_OK && now.state == SERVICE_STOPPED && now.exit_code == 1077 &&
            now.start == SERVICE_DEMAND_START && now.started == 0 && !now.stoppable,
        "services: a service that never ran (state %lu, code %lu, start %ld) %s",
        (unsigned long)now.state, (unsigned long)now.exit_code, (long)now.start, error.message);
  km_time begun = km_time_now();
  DWORD took = seconds_of(km_win_service_start, "TestSlow", &status, &now, &error);
  check(status == KM_OK && now.state == SERVICE_RUNNING && took >= 2 && took < 20,
        "services: a slow start is waited for, %lu s %s", (unsigned long)took, error.message);
  check(strstr(heard.text, "starting TestSlow: 1 s, it asks for up to ") != NULL,
        "services: what is waited for is told: %s", heard.text);
  check(now.stoppable && now.started >= begun - (km_time)20000000 && now.started <= km_time_now(),
        "services: since when a service runs");
  status = km_win_service_start(&target, "TestSlow", &wait, &now, &error);
  check(status == KM_OK && now.state == SERVICE_RUNNING, "services: one that runs is started");
  took = seconds_of(km_win_service_stop, "TestSlow", &status, &now, &error);
  check(status == KM_OK && now.state == SERVICE_STOPPED && took >= 2 && took < 20 &&
            strstr(heard.text, "stopping TestSlow: 1 s") != NULL,
        "services: a slow stop is waited for, %lu s %s", (unsigned long)took, error.message);
  status = km_win_service_stop(&target, "TestSlow", &wait, &now, &error);
  check(status == KM_OK && now.state == SERVICE_STOPPED,
        "services: one that is stopped is stopped");
  check(km_win_service_stop(&target, "TestSlow", &wait, NULL, &error) == KM_OK,
        "services: the status is not asked for");
  (void)km_win_service_start(&target, "TestSlow", &wait, NULL, &error);
  interrupted = 1;
  took = seconds_of(km_win_service_stop, "TestSlow", &status, &now, &error);
  interrupted = 0;
  check(status == KM_INTERRUPTED && took < 2, "services: waiting is interrupted: %s",
        error.message);
  status = km_win_service_start(&target, "TestSlow", &wait, &now, &error);
  check(status == KM_OK && now.state == SERVICE_RUNNING,
        "services: one that still stops is started again %s", error.message);
  (void)km_win_service_stop(&target, "TestSlow", &wait, NULL, &error);
  check(service_tool("remove TestSlow"), "services: TestSlow is gone");
}

/* A service whose key file is another one than the first it saw, as IIS in the KB. */
static void test_failing(void) {
  km_service_status now;
  km_error error;
  check(service_tool("install TestKey hash=00112233445566778899aabbccddeeff container=Test "
                     "master=11111111-2222-3333-4444-555555555555 exit=1008"),
        "services: TestKey is there");
  check(km_win_service_start(&target, "TestKey", &wait, &now, &error) == KM_OK,
        "services: TestKey runs with its own key file");
  (void)km_win_service_stop(&target, "TestKey", &wait, &now, &error);
  HKEY key = make_key(L"SYSTEM\\CurrentControlSet\\Services\\TestKey\\Parameters");
  set(key, L"FirstKey", REG_BINARY, "other", 5);
  km_status status = km_win_service_start(&target, "TestKey", &wait, &now, &error);
  check(status == KM_IO && error.native == 1008 && now.state == SERVICE_STOPPED &&
            now.exit_code == 1008,
        "services: a start that fails: %s", error.message);
  (void)service_tool("set TestKey specific=0x80090006");
  status = km_win_service_start(&target, "TestKey", &wait, &now, &error);
  check(status == KM_IO && (uint32_t)error.native == 0x80090006 && now.exit_code == 1066 &&
            now.specific_code == 0x80090006,
        "services: one that fails with its own code: %s", error.message);
  RegCloseKey(key);
  check(service_tool("remove TestKey"), "services: TestKey is gone");
  check(service_tool("install TestOff start=disabled"), "services: TestOff is there");
  status = km_win_service_query(&target, "TestOff", &now, &error);
  check(status == KM_OK && now.start == SERVICE_DISABLED, "services: a disabled one says so");
  status = km_win_service_start(&target, "TestOff", &wait, &now, &error);
  check(status == KM_IO && error.native == ERROR_SERVICE_DISABLED,
        "services: a disabled one does not start: %s", error.message);
  (void)service_tool("remove TestOff");
  static const char *const absent[] = {"TestAbsent", "", "a/b", "\xff"};
  for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
    status = km_win_service_query(&target, absent[i], &now, &error);
    check(status == KM_NOT_FOUND, "services: there is no \"%s\": %s", i == 3 ? "?" : absent[i],
          error.message);
  }
  check(km_win_service_stop(&target, "TestAbsent", &wait, &now, &error) == KM_NOT_FOUND &&
            km_win_service_start(&target, "TestAbsent", &wait, &now, &error) == KM_NOT_FOUND,
        "services: what is not there is neither stopped nor started");
}

/* Ends the process of a service that does not stop by itself. */
static void end_process(const char *name) {
  SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
  SC_HANDLE service = OpenServiceA(manager, name, SERVICE_QUERY_STATUS | DELETE);
  SERVICE_STATUS_PROCESS status;
  DWORD size;
  if (QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status,
                           &size)) {
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, status.dwProcessId);
    TerminateProcess(process, 1);
    CloseHandle(process);
  }
  DeleteService(service);
  CloseServiceHandle(service);
  CloseServiceHandle(manager);
}

static void test_stubborn(void) {
  km_service_status now;
  km_status status;
  km_error error;
  check(service_tool("install TestStays unstoppable=1") &&
            km_win_service_start(&target, "TestStays", &wait, NULL, &error) == KM_OK,
        "services: TestStays runs");
  status = km_win_service_stop(&target, "TestStays", &wait, &now, &error);
  check(status == KM_UNSUPPORTED && now.state == SERVICE_RUNNING && !now.stoppable,
        "services: one that takes no stop: %s", error.message);
  end_process("TestStays");
  check(service_tool("install TestHangs hang=stop") &&
            km_win_service_start(&target, "TestHangs", &wait, NULL, &error) == KM_OK,
        "services: TestHangs runs");
  DWORD took = seconds_of(km_win_service_stop, "TestHangs", &status, &now, &error);
  check(status == KM_BUSY && took >= KM_SERVICE_PATIENCE / 1000 &&
            took < KM_SERVICE_PATIENCE / 1000 + 15 && now.state == SERVICE_STOP_PENDING,
        "services: one that hangs: %s", error.message);
  check(strstr(error.message, "its wait hint is 2 s, its checkpoint 1") != NULL,
        "services: a time-out is named");
  end_process("TestHangs");
}

/* ---- Rights ---- */

static bool is_enabled(const wchar_t *name) {
  HANDLE token;
  PRIVILEGE_SET set_of = {.PrivilegeCount = 1, .Control = PRIVILEGE_SET_ALL_NECESSARY};
  BOOL answer = FALSE;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
    return false;
  if (LookupPrivilegeValueW(NULL, name, &set_of.Privilege[0].Luid))
    (void)PrivilegeCheck(token, &set_of, &answer);
  CloseHandle(token);
  return answer;
}

static void test_rights(bool wow64) {
  char text[400];
  check(km_is_elevated(), "rights: an administrator is elevated");
  check(km_is_wow64() == wow64, "rights: %s", wow64 ? "32 bit on 64" : "the machine's own width");
  check(!km_privileges_used(text, sizeof text) && text[0] == '\0', "rights: none was used");
  check(km_privilege_held(KM_PRIVILEGE_BACKUP) && km_privilege_held(KM_PRIVILEGE_RESTORE),
        "rights: backup and restore are held");
  bool begun = km_privilege_begin(KM_PRIVILEGE_BACKUP);
  check(is_enabled(L"SeBackupPrivilege"), "rights: a privilege is enabled for a while");
  check(!km_privilege_begin(KM_PRIVILEGE_BACKUP), "rights: one that is enabled is left so");
  SetLastError(1234);
  if (begun)
    km_privilege_end(KM_PRIVILEGE_BACKUP, true);
  check(!begun || (GetLastError() == 1234 && !is_enabled(L"SeBackupPrivilege")),
        "rights: and no longer");
  check(!begun || (km_privileges_used(text, sizeof text) &&
                   strstr(text, "SeBackupPrivilege was used") != NULL),
        "rights: what was used is told: %s", text);
}

int main(int count, char **words) {
  if (count < 2) {
    fprintf(stderr, "usage: system SERVICE.EXE [wow64]\n");
    return 2;
  }
  service_program = words[1];
  test_rights(count > 2 && strcmp(words[2], "wow64") == 0);
  test_registry();
  test_start_and_stop();
  test_failing();
  test_stubborn();
  printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}
