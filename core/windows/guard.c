/* guard.c: the stack protector's value and what happens when it was overwritten
 *
 * gcc's own libssp would take them from CryptoAPI in every start of the program and of each DLL, under the loader's lock.
 * The value is mixed from what differs between two starts, as Microsoft's compiler does it.
 */
#if defined(__GNUC__)
#include <stdint.h>
#include <windows.h>

#define STACK_OVERRUN 0xc0000409u /* STATUS_STACK_BUFFER_OVERRUN */

/* The names are the compiler's. */
extern uintptr_t __stack_chk_guard;
void __stack_chk_fail(void) __attribute__((noreturn));

uintptr_t __stack_chk_guard = (uintptr_t)UINT64_C(0x6b65796d656e6400);

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 32) * UINT64_C(0x9e3779b97f4a7c15);
  return value ^ value >> 29;
}

__attribute__((constructor, no_stack_protector)) static void set_guard(void) {
  FILETIME now;
  LARGE_INTEGER counter;
  GetSystemTimeAsFileTime(&now);
  (void)QueryPerformanceCounter(&counter);
  uint64_t value = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
  value = mix(value + (uint64_t)counter.QuadPart);
  value = mix(value + GetCurrentProcessId());
  value = mix(value + (uint64_t)(uintptr_t)&now + GetCurrentThreadId());
  __stack_chk_guard = (uintptr_t)value | 1;
}

void __stack_chk_fail(void) {
  static const char words[] = "keymend: internal error, please report it: the stack is damaged\r\n";
  DWORD written;
  (void)WriteFile(GetStdHandle(STD_ERROR_HANDLE), words, sizeof words - 1, &written, NULL);
  (void)TerminateProcess(GetCurrentProcess(), STACK_OVERRUN);
  for (;;)
    Sleep(INFINITE);
}
#else
typedef int km_guard_is_gcc_only;
#endif
