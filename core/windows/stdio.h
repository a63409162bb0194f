/* stdio.h: files, standard streams and the environment with UTF-8 texts, in place of the C run-time's ANSI ones
 *
 * Force-included into every source of Lua, the binding and the host, so that the same C works as on POSIX: file names
 * and environment are UTF-8 and may be long (over 260 characters), and a stream that is a console is written and read in
 * Unicode. A stream that is a file or pipe gets the bytes as they are. Self-contained for lua51.dll but for wide.c.
 *
 * Everything here is made of what Windows 2000's msvcrt and kernel32 have. Contracts are those of the C functions of
 * the same name; what differs stands here.
 */
#ifndef KM_STDIO_H
#define KM_STDIO_H

#include <stdio.h>
#include <stdlib.h>

#if defined(__GNUC__)
#define KM_STDIO_FORMAT(at, first) __attribute__((format(gnu_printf, at, first)))
#else
#define KM_STDIO_FORMAT(at, first)
#endif

/* A file name as the W functions and _wfopen want it: a long one becomes absolute with \\?\ before it. malloc'ed; NULL
 * with errno. */
wchar_t *km_stdio_path(const char *name);

/* What a person entered at the console: one line with its "\n" in *text (malloc'ed). KM_INPUT_END: Ctrl-Z at the
 * beginning of a line, or the input is gone; KM_INPUT_BREAK: Ctrl-C or Ctrl-Break. */
typedef enum km_input { KM_INPUT_LINE, KM_INPUT_BREAK, KM_INPUT_END } km_input;
km_input km_stdio_line(char **text, size_t *size);

FILE *km_stdio_fopen(const char *name, const char *mode);
FILE *km_stdio_freopen(const char *name, const char *mode, FILE *file);
FILE *km_stdio_popen(const char *command, const char *mode);
FILE *km_stdio_tmpfile(
    void); /* in the user's folder for such files; the C run-time's is made in the root */
char *km_stdio_tmpnam(
    char *name); /* KM_STDIO_NAME bytes; the file is made, so that nobody else makes it */
int km_stdio_remove(const char *name);
int km_stdio_rename(const char *from, const char *to);
int km_stdio_system(const char *command);
char *km_stdio_getenv(const char *name); /* lives until 64 more variables were asked for */

size_t km_stdio_fwrite(const void *data, size_t size, size_t count, FILE *file);
int km_stdio_fputs(const char *text, FILE *file);
int km_stdio_fputc(int byte, FILE *file);
int km_stdio_puts(const char *text);
int km_stdio_printf(const char *format, ...) KM_STDIO_FORMAT(1, 2);
int km_stdio_fprintf(FILE *file, const char *format, ...) KM_STDIO_FORMAT(2, 3);

size_t km_stdio_fread(void *data, size_t size, size_t count, FILE *file);
char *km_stdio_fgets(char *text, int size, FILE *file);
int km_stdio_getc(FILE *file);
int km_stdio_ungetc(int byte, FILE *file);
int km_stdio_fscanf(FILE *file, const char *format, double *number); /* "%lf", all that Lua scans */
int km_stdio_ferror(FILE *file);
int km_stdio_feof(FILE *file);
void km_stdio_clearerr(FILE *file);

#ifdef KM_STDIO_MODULES /* for Lua's own sources; windows.h takes names that others need */
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>
#undef LoadString /* a function of Lua's */

/* A DLL by the path that is given, which its own DLLs are looked for beside; and the path of a module. UTF-8. */
HMODULE km_stdio_load_library(const char *path);
DWORD km_stdio_module_name(HMODULE module, char *name, DWORD size);
#endif

#ifndef KM_STDIO_PLAIN /* stdio.c itself */

#define KM_STDIO_NAME 1024
#undef L_tmpnam
#define L_tmpnam KM_STDIO_NAME

#undef popen
#undef getc
#undef fgetc
#undef putc
#undef putchar
#undef ferror
#undef feof
#undef clearerr

#define fopen(name, mode) km_stdio_fopen(name, mode)
#define freopen(name, mode, file) km_stdio_freopen(name, mode, file)
#define popen km_stdio_popen
#define _popen(command, mode) km_stdio_popen(command, mode)
#define tmpfile() km_stdio_tmpfile()
#define tmpnam km_stdio_tmpnam
#define remove(name) km_stdio_remove(name)
#define rename(from, to) km_stdio_rename(from, to)
#define system km_stdio_system
#define getenv(name) km_stdio_getenv(name)

#define fwrite(data, size, count, file) km_stdio_fwrite(data, size, count, file)
#define fputs(text, file) km_stdio_fputs(text, file)
#define fputc(byte, file) km_stdio_fputc(byte, file)
#define putc(byte, file) km_stdio_fputc(byte, file)
#define putchar(byte) km_stdio_fputc(byte, stdout)
#define puts(text) km_stdio_puts(text)
#define printf(...) km_stdio_printf(__VA_ARGS__)
#define fprintf(...) km_stdio_fprintf(__VA_ARGS__)

#define fread(data, size, count, file) km_stdio_fread(data, size, count, file)
#define fgets(text, size, file) km_stdio_fgets(text, size, file)
#define getc(file) km_stdio_getc(file)
#define fgetc(file) km_stdio_getc(file)
#define ungetc(byte, file) km_stdio_ungetc(byte, file)
#define fscanf(file, format, number) km_stdio_fscanf(file, format, number)
#define ferror(file) km_stdio_ferror(file)
#define feof(file) km_stdio_feof(file)
#define clearerr(file) km_stdio_clearerr(file)

#ifdef KM_STDIO_MODULES
#define LoadLibraryA(path) km_stdio_load_library(path)
#define GetModuleFileNameA(module, name, size) km_stdio_module_name(module, name, size)
#endif

#endif
#endif
