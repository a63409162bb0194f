/* watch.c: opens a key file again and again, as a service that starts would, and tells whether the name was ever free
 *
 *   watch FILE STOP     until the file STOP is there (at most five minutes); STOP.ready is made after the first look.
 * Prints "opened N absent N busy N failed N contents N": busy are sharing violations, failed any other error, contents how
 * often the bytes were others than at the look before, the first one included. Ends with 0 when it was never absent.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <windows.h>

#define MAX_KEY 16384
#define LONGEST_MS 300000

static unsigned long opened, absent, busy, failed, contents;

/* FNV-1a of the bytes, by which two contents are told apart. */
static uint32_t sum_of(HANDLE file) {
  static BYTE data[MAX_KEY];
  DWORD size = 0;
  uint32_t sum = 2166136261u;
  ReadFile(file, data, sizeof data, &size, NULL);
  for (DWORD i = 0; i < size; i++)
    sum = (sum ^ data[i]) * 16777619u;
  return sum;
}

static void look(const wchar_t *path) {
  static uint32_t last;
  HANDLE file =
      CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                  OPEN_EXISTING, 0, NULL);
  if (file != INVALID_HANDLE_VALUE) {
    uint32_t sum = sum_of(file);
    CloseHandle(file);
    opened++;
    if (contents == 0 || sum != last)
      contents++;
    last = sum;
    return;
  }
  DWORD problem = GetLastError();
  if (problem == ERROR_FILE_NOT_FOUND || problem == ERROR_PATH_NOT_FOUND)
    absent++;
  else if (problem == ERROR_SHARING_VIOLATION)
    busy++;
  else
    failed++;
}

static bool there(const wchar_t *path) {
  return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

int main(int argc, char **argv) {
  static wchar_t path[MAX_PATH], stop[MAX_PATH], ready[MAX_PATH + 8];
  if (argc != 3) {
    fprintf(stderr, "usage: watch FILE STOP\n");
    return 2;
  }
  MultiByteToWideChar(CP_ACP, 0, argv[1], -1, path, MAX_PATH);
  MultiByteToWideChar(CP_ACP, 0, argv[2], -1, stop, MAX_PATH);
  lstrcpyW(ready, stop);
  lstrcatW(ready, L".ready");
  look(path);
  CloseHandle(CreateFileW(ready, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL));
  for (DWORD start = GetTickCount(); GetTickCount() - start < LONGEST_MS && !there(stop);)
    for (int i = 0; i < 20; i++)
      look(path);
  printf("opened %lu absent %lu busy %lu failed %lu contents %lu\n", opened, absent, busy, failed,
         contents);
  return absent == 0 ? 0 : 1;
}
