/* service.c: a test service that needs its machine key, as IIS does, and a small service control program
 *
 *   service install NAME [FIELD=VALUE]...   makes the service NAME, whose program is this one. Fields:
 *     display=TEXT  hash=32 hex digits (of its key container)  container=TEXT  master=GUID (its DPAPI master key)
 *     depends=A,B  start=auto|demand|disabled  exit=N, specific=N (told when its key is the wrong one; 1066 and specific
 *     when specific is given)  start-ms=N, stop-ms=N (how long it takes, with hints)  hang=start|stop  unstoppable=1
 *   service start|stop|query|remove NAME...
 *     one after the other; start and stop wait; each but remove prints a line "NAME STATE EXIT SPECIFIC", the latter in
 *     hexadecimal, and ends with 1 when the service is not in the wanted state
 *   service set NAME FIELD=VALUE...         changes start-ms and what stands after it above
 *   service run NAME                        what the service control manager calls
 *
 * At its start the service opens <Common AppData>\Microsoft\Crypto\RSA\MachineKeys\<hash>_<MachineGuid>; where that is
 * absent it makes a new one: the frame of a CryptoAPI key file around noise (layout: tests/lib/keyfile.lua). It keeps the
 * bytes of the first one it ever saw in its own registry key (Parameters\FirstKey), and fails while the file is another.
 * A service without hash needs no key. It fails with 1068 when a service that it depends on does not run, because Wine
 * starts none by itself. Every start, stop and new key is a line of C:\services.log.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define MAX_KEY 16384 /* bytes of a key file */
#define MAX_TEXT 512
#define WAIT_MS 60000 /* how long start and stop wait for the state */
#define SERVICES "SYSTEM\\CurrentControlSet\\Services\\"

static char service_name[128];
static SERVICE_STATUS_HANDLE service_handle;
static SERVICE_STATUS service_status;
static HANDLE stop_event;

/* ---- Registry and log ---- */

static HKEY parameters(const char *name, REGSAM access) {
  char path[MAX_TEXT];
  HKEY key = NULL;
  snprintf(path, sizeof path, SERVICES "%s\\Parameters", name);
  if (RegCreateKeyExA(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, access, NULL, &key, NULL))
    return NULL;
  return key;
}

/* The text of a value; "" when it is absent. */
static void get_text(HKEY key, const char *value, char *text, DWORD size) {
  DWORD type = 0, length = size - 1;
  memset(text, 0, size);
  if (RegQueryValueExA(key, value, NULL, &type, (BYTE *)text, &length) || type != REG_SZ)
    text[0] = 0;
}

static DWORD get_number(const char *field) {
  char text[32];
  HKEY key = parameters(service_name, KEY_READ);
  get_text(key, field, text, sizeof text);
  RegCloseKey(key);
  return (DWORD)strtoul(text, NULL, 0);
}

static bool set_text(HKEY key, const char *value, const char *text) {
  return RegSetValueExA(key, value, 0, REG_SZ, (const BYTE *)text, (DWORD)strlen(text) + 1) == 0;
}

/* "NAME ACT DETAIL" in one write at the end of the file, so that lines of several services do not mix. */
static void note(const char *act, const char *detail) {
  char line[MAX_TEXT];
  DWORD written;
  HANDLE file =
      CreateFileA("C:\\services.log", FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                  OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
  if (file == INVALID_HANDLE_VALUE)
    return;
  int length = snprintf(line, sizeof line, "%s %s%s%s\n", service_name, act,
                        detail == NULL ? "" : " ", detail == NULL ? "" : detail);
  WriteFile(file, line, (DWORD)length, &written, NULL);
  CloseHandle(file);
}

/* ---- The key file ---- */

/* false: the service needs no key. */
static bool key_path(char *path, size_t size) {
  char folder[MAX_PATH], guid[64], hash[64];
  HKEY key = NULL;
  RegOpenKeyExA(HKEY_LOCAL_MACHINE,
                "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Explorer\\Shell Folders", 0,
                KEY_READ, &key);
  get_text(key, "Common AppData", folder, sizeof folder);
  RegCloseKey(key);
  RegOpenKeyExA(HKEY_LOCAL_MACHINE, "SOFTWARE\\Microsoft\\Cryptography", 0, KEY_READ, &key);
  get_text(key, "MachineGuid", guid, sizeof guid);
  RegCloseKey(key);
  key = parameters(service_name, KEY_READ);
  get_text(key, "hash", hash, sizeof hash);
  RegCloseKey(key);
  snprintf(path, size, "%s\\Microsoft\\Crypto\\RSA\\MachineKeys\\%s_%s", folder, hash, guid);
  return hash[0] != 0;
}

typedef struct buffer {
  BYTE data[MAX_KEY];
  DWORD size;
  DWORD noise;
} buffer;

static void put(buffer *out, const void *data, DWORD size) {
  if (size > MAX_KEY - out->size)
    return;
  memcpy(out->data + out->size, data, size);
  out->size += size;
}

static void put_u32(buffer *out, DWORD number) {
  put(out, &number, sizeof number);
}

/* Xorshift: only so that no two files are equal. */
static void put_noise(buffer *out, DWORD size) {
  while (size-- > 0) {
    out->noise ^= out->noise << 13;
    out->noise ^= out->noise >> 17;
    out->noise ^= out->noise << 5;
    BYTE byte = (BYTE)(out->noise | 1);
    put(out, &byte, 1);
  }
}

static void put_public(buffer *out) {
  static const BYTE zeros[8];
  put(out, "RSA1", 4);
  put_u32(out, 128 + 8);
  put_u32(out, 1024);
  put_u32(out, 127);
  put_u32(out, 65537);
  put_noise(out, 127);
  put(out, "\xc5", 1);
  put(out, zeros, sizeof zeros);
}

static void put_guid(buffer *out, const char *text) {
  unsigned a = 0, b = 0, c = 0, d[8] = {0};
  BYTE bytes[16];
  sscanf(text, "%8x-%4x-%4x-%2x%2x-%2x%2x%2x%2x%2x%2x", &a, &b, &c, &d[0], &d[1], &d[2], &d[3],
         &d[4], &d[5], &d[6], &d[7]);
  for (int i = 0; i < 4; i++)
    bytes[i] = (BYTE)(a >> 8 * i);
  for (int i = 0; i < 2; i++)
    bytes[4 + i] = (BYTE)(b >> 8 * i);
  for (int i = 0; i < 2; i++)
    bytes[6 + i] = (BYTE)(c >> 8 * i);
  for (int i = 0; i < 8; i++)
    bytes[8 + i] = (BYTE)d[i];
  put(out, bytes, sizeof bytes);
}

static void put_blob(buffer *out, const char *master, const wchar_t *description, DWORD size) {
  DWORD length = (DWORD)(wcslen(description) + 1) * 2;
  put_u32(out, 1);
  put_guid(out, "df9d8cd0-1501-11d1-8c7a-00c04fc297eb");
  put_u32(out, 1);
  put_guid(out, master);
  put_u32(out, 0);
  put_u32(out, length);
  put(out, description, length);
  put_u32(out, 0x6603); /* 3DES */
  put_u32(out, 192);
  put_u32(out, 16);
  put_noise(out, 16);
  put_u32(out, 0);
  put_u32(out, 0x8004); /* SHA-1 */
  put_u32(out, 160);
  put_u32(out, 16);
  put_noise(out, 16);
  put_u32(out, size);
  put_noise(out, size);
  put_u32(out, 20);
  put_noise(out, 20);
}

/* A key file with a signature and an exchange key. */
static void compose(buffer *out, const char *container, const char *master) {
  static const wchar_t private_text[] = L"CryptoAPI Private Key", export_text[] = L"Export Flag";
  static const BYTE hash[20];
  DWORD at = 40, name = (DWORD)strlen(container) + 1;
  memset(out, 0, sizeof *out);
  out->noise = GetTickCount() * 2654435761u ^ GetCurrentProcessId() ^ 0x5bd1e995;
  out->size = at;
  put(out, container, name);
  put(out, hash, sizeof hash);
  DWORD parts[6];
  for (int i = 0; i < 6; i += 3) {
    DWORD start = out->size;
    put_public(out);
    parts[i] = out->size - start;
    start = out->size;
    put_blob(out, master, private_text, 776);
    parts[i + 1] = out->size - start;
    start = out->size;
    put_blob(out, master, export_text, 8);
    parts[i + 2] = out->size - start;
  }
  const DWORD head[10] = {2,        0,        name,        parts[0], parts[1],
                          parts[3], parts[4], sizeof hash, parts[2], parts[5]};
  memcpy(out->data, head, sizeof head);
}

/* Makes the folders of a path; those that are there stay. */
static void make_folders(const char *path) {
  char folder[MAX_TEXT];
  for (const char *at = strchr(path, '\\'); at != NULL; at = strchr(at + 1, '\\')) {
    snprintf(folder, sizeof folder, "%.*s", (int)(at - path), path);
    CreateDirectoryA(folder, NULL);
  }
}

static bool make_key(const char *path) {
  static buffer out;
  char container[MAX_TEXT], master[64];
  DWORD written = 0;
  HKEY key = parameters(service_name, KEY_READ);
  get_text(key, "container", container, sizeof container);
  get_text(key, "master", master, sizeof master);
  RegCloseKey(key);
  compose(&out, container, master);
  make_folders(path);
  HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_SYSTEM, NULL);
  if (file == INVALID_HANDLE_VALUE)
    return false;
  bool good = WriteFile(file, out.data, out.size, &written, NULL) && written == out.size;
  CloseHandle(file);
  note("made", strrchr(path, '\\') + 1);
  return good;
}

static bool read_key(const char *path, buffer *out) {
  HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                            OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE)
    return false;
  bool good = ReadFile(file, out->data, MAX_KEY, &out->size, NULL);
  CloseHandle(file);
  return good;
}

/* Whether the key file is the first one that was ever seen; the first time it is. */
static bool key_is_right(void) {
  static buffer now, first;
  char path[MAX_TEXT];
  DWORD type, size = sizeof first.data;
  if (!key_path(path, sizeof path))
    return true;
  if (!read_key(path, &now) &&
      (GetLastError() != ERROR_FILE_NOT_FOUND && GetLastError() != ERROR_PATH_NOT_FOUND))
    return false;
  if (now.size == 0 && (!make_key(path) || !read_key(path, &now)))
    return false;
  HKEY key = parameters(service_name, KEY_READ | KEY_WRITE);
  LONG status = RegQueryValueExA(key, "FirstKey", NULL, &type, first.data, &size);
  if (status == ERROR_FILE_NOT_FOUND) {
    status = RegSetValueExA(key, "FirstKey", 0, REG_BINARY, now.data, now.size);
    RegCloseKey(key);
    return status == 0;
  }
  RegCloseKey(key);
  return status == 0 && size == now.size && memcmp(first.data, now.data, size) == 0;
}

/* ---- The service ---- */

static void tell(DWORD state, DWORD exit_code, DWORD specific, DWORD hint) {
  service_status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
  service_status.dwCurrentState = state;
  service_status.dwControlsAccepted =
      state == SERVICE_RUNNING && get_number("unstoppable") == 0 ? SERVICE_ACCEPT_STOP : 0;
  service_status.dwWin32ExitCode = exit_code;
  service_status.dwServiceSpecificExitCode = specific;
  service_status.dwWaitHint = hint;
  service_status.dwCheckPoint = hint == 0 ? 0 : service_status.dwCheckPoint + 1;
  SetServiceStatus(service_handle, &service_status);
}

/* Spends `ms` in a pending state, with a hint and a checkpoint every half a second. */
static void take_time(DWORD state, DWORD ms) {
  for (DWORD done = 0; done < ms; done += 500) {
    tell(state, 0, 0, 2000);
    Sleep(500);
  }
}

static bool runs(const char *name) {
  SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT);
  SC_HANDLE service = OpenServiceA(manager, name, SERVICE_QUERY_STATUS);
  SERVICE_STATUS status = {0};
  if (service != NULL) {
    QueryServiceStatus(service, &status);
    CloseServiceHandle(service);
  }
  CloseServiceHandle(manager);
  return status.dwCurrentState == SERVICE_RUNNING;
}

/* The first service of DependOnService that does not run; NULL: all do. */
static const char *missing_dependency(void) {
  static char list[MAX_TEXT];
  char path[MAX_TEXT];
  DWORD type = 0, size = sizeof list - 2;
  HKEY key = NULL;
  snprintf(path, sizeof path, SERVICES "%s", service_name);
  memset(list, 0, sizeof list);
  if (RegOpenKeyExA(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &key))
    return "its own registry key";
  RegQueryValueExA(key, "DependOnService", NULL, &type, (BYTE *)list, &size);
  RegCloseKey(key);
  for (const char *name = list; *name != 0; name += strlen(name) + 1)
    if (!runs(name))
      return name;
  return NULL;
}

static void refuse(void) {
  char text[64];
  DWORD code = get_number("exit"), specific = get_number("specific");
  if (specific != 0)
    code = ERROR_SERVICE_SPECIFIC_ERROR;
  snprintf(text, sizeof text, "%lu 0x%08lx", (unsigned long)code, (unsigned long)specific);
  note("refused", text);
  tell(SERVICE_STOPPED, code, specific, 0);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context) {
  (void)type, (void)data, (void)context;
  if (code == SERVICE_CONTROL_STOP) {
    tell(SERVICE_STOP_PENDING, 0, 0, 2000);
    SetEvent(stop_event);
  }
  return NO_ERROR;
}

static bool hangs(const char *when) {
  char text[16];
  HKEY key = parameters(service_name, KEY_READ);
  get_text(key, "hang", text, sizeof text);
  RegCloseKey(key);
  return strcmp(text, when) == 0;
}

static void WINAPI service_main(DWORD argc, char **argv) {
  (void)argc, (void)argv;
  service_handle = RegisterServiceCtrlHandlerExA(service_name, control, NULL);
  tell(SERVICE_START_PENDING, 0, 0, 2000);
  const char *missing = missing_dependency();
  if (missing != NULL) {
    note("missed", missing);
    tell(SERVICE_STOPPED, ERROR_SERVICE_DEPENDENCY_FAIL, 0, 0);
    return;
  }
  if (hangs("start"))
    Sleep(INFINITE);
  take_time(SERVICE_START_PENDING, get_number("start-ms"));
  if (!key_is_right()) {
    refuse();
    return;
  }
  note("started", NULL);
  tell(SERVICE_RUNNING, 0, 0, 0);
  WaitForSingleObject(stop_event, INFINITE);
  if (hangs("stop"))
    Sleep(INFINITE);
  take_time(SERVICE_STOP_PENDING, get_number("stop-ms"));
  note("stopped", NULL);
  tell(SERVICE_STOPPED, 0, 0, 0);
}

static int run(const char *name) {
  SERVICE_TABLE_ENTRYA table[] = {{service_name, service_main}, {NULL, NULL}};
  snprintf(service_name, sizeof service_name, "%s", name);
  stop_event = CreateEventA(NULL, TRUE, FALSE, NULL);
  return StartServiceCtrlDispatcherA(table) ? 0 : 1;
}

/* ---- The control program ---- */

static int problem(const char *what) {
  fprintf(stderr, "service: %s: error %lu\n", what, (unsigned long)GetLastError());
  return 2;
}

/* The value of a field among the arguments, or NULL. */
static const char *field(char **words, const char *name) {
  size_t length = strlen(name);
  for (; *words != NULL; words++)
    if (strncmp(*words, name, length) == 0 && (*words)[length] == '=')
      return *words + length + 1;
  return NULL;
}

static void store_fields(const char *name, char **words) {
  static const char *const fields[] = {"hash",     "container", "master", "exit",       "specific",
                                       "start-ms", "stop-ms",   "hang",   "unstoppable"};
  HKEY key = parameters(name, KEY_WRITE);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const char *value = field(words, fields[i]);
    if (value != NULL)
      set_text(key, fields[i], value);
  }
  RegCloseKey(key);
}

static wchar_t *wide(wchar_t out[MAX_TEXT], const char *text) {
  memset(out, 0, MAX_TEXT * sizeof *out);
  MultiByteToWideChar(CP_UTF8, 0, text, -1, out, MAX_TEXT - 2);
  return out;
}

/* "A,B" as the list of strings that CreateService takes; its narrow form adds garbage under Wine 8. */
static wchar_t *dependencies(wchar_t out[MAX_TEXT], const char *text) {
  wide(out, text == NULL ? "" : text);
  for (wchar_t *at = out; *at != 0; at++)
    if (*at == ',')
      *at = 0;
  return out;
}

static DWORD start_kind(const char *start) {
  if (start != NULL && strcmp(start, "demand") == 0)
    return SERVICE_DEMAND_START;
  if (start != NULL && strcmp(start, "disabled") == 0)
    return SERVICE_DISABLED;
  return SERVICE_AUTO_START;
}

static int install(SC_HANDLE manager, const char *name, char **words) {
  char program[MAX_PATH], line[MAX_TEXT];
  static wchar_t names[4][MAX_TEXT];
  const char *display = field(words, "display");
  GetModuleFileNameA(NULL, program, sizeof program);
  snprintf(line, sizeof line, "\"%s\" run %s", program, name);
  SC_HANDLE service = CreateServiceW(
      manager, wide(names[0], name), wide(names[1], display == NULL ? name : display),
      SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, start_kind(field(words, "start")),
      SERVICE_ERROR_NORMAL, wide(names[2], line), NULL, NULL,
      dependencies(names[3], field(words, "depends")), NULL, NULL);
  if (service == NULL)
    return problem("CreateService");
  CloseServiceHandle(service);
  store_fields(name, words);
  return 0;
}

/* Waits while the state is `pending`, prints what then is, and tells whether it is `wanted`. */
static int show(SC_HANDLE service, const char *name, DWORD pending, DWORD wanted) {
  static const char *const states[] = {
      "?",       "stopped",          "start-pending", "stop-pending",
      "running", "continue-pending", "pause-pending", "paused"};
  SERVICE_STATUS status = {0};
  for (DWORD waited = 0; waited < WAIT_MS; waited += 20) {
    if (!QueryServiceStatus(service, &status))
      return problem("QueryServiceStatus");
    if (status.dwCurrentState != pending)
      break;
    Sleep(20);
  }
  printf("%s %s %lu 0x%08lx\n", name, states[status.dwCurrentState < 8 ? status.dwCurrentState : 0],
         (unsigned long)status.dwWin32ExitCode, (unsigned long)status.dwServiceSpecificExitCode);
  return wanted == 0 || status.dwCurrentState == wanted ? 0 : 1;
}

static int command(SC_HANDLE service, const char *verb, const char *name) {
  SERVICE_STATUS status;
  if (strcmp(verb, "start") == 0) {
    if (!StartServiceA(service, 0, NULL) && GetLastError() != ERROR_SERVICE_ALREADY_RUNNING)
      fprintf(stderr, "service: StartService: error %lu\n", (unsigned long)GetLastError());
    return show(service, name, SERVICE_START_PENDING, SERVICE_RUNNING);
  }
  if (strcmp(verb, "stop") == 0) {
    if (!ControlService(service, SERVICE_CONTROL_STOP, &status) &&
        GetLastError() != ERROR_SERVICE_NOT_ACTIVE)
      fprintf(stderr, "service: ControlService: error %lu\n", (unsigned long)GetLastError());
    return show(service, name, SERVICE_STOP_PENDING, SERVICE_STOPPED);
  }
  if (strcmp(verb, "query") == 0)
    return show(service, name, 0, 0);
  if (strcmp(verb, "remove") == 0)
    return DeleteService(service) ? 0 : problem("DeleteService");
  return problem("no such command");
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: service install|set NAME [FIELD=VALUE]... | "
                    "start|stop|query|remove|run NAME...\n");
    return 2;
  }
  if (strcmp(argv[1], "run") == 0)
    return run(argv[2]);
  if (strcmp(argv[1], "set") == 0) {
    store_fields(argv[2], argv + 3);
    return 0;
  }
  SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_ALL_ACCESS);
  if (manager == NULL)
    return problem("OpenSCManager");
  if (strcmp(argv[1], "install") == 0)
    return install(manager, argv[2], argv + 3);
  int worst = 0;
  for (int i = 2; i < argc; i++) {
    SC_HANDLE service = OpenServiceA(manager, argv[i], SERVICE_ALL_ACCESS);
    int status = service == NULL ? problem("OpenService") : command(service, argv[1], argv[i]);
    if (status > worst)
      worst = status;
    CloseServiceHandle(service);
  }
  return worst;
}
