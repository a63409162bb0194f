/* editor.h: line editing on a terminal, the seam between the prompt and the library that does it
 *
 * editor.c does it with libedit. Lengths are in bytes, texts in the locale's encoding.
 */
#ifndef KM_EDITOR_H
#define KM_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct km_editor km_editor;

typedef enum km_line {
  KM_LINE,       /* a line was read */
  KM_LINE_BREAK, /* the user gave it up with Ctrl-C */
  KM_LINE_END    /* end of input */
} km_line;

/* What the editor asks for when Tab is pressed: `line` is the text before the cursor. It calls
 * offer(editor, text) for every text that the word at the cursor could become, and gives that word's length. */
typedef size_t (*km_completer)(void *user, km_editor *editor, const char *line, size_t length);
void km_editor_offer(km_editor *editor, const char *text);

/* NULL when the terminal cannot be used. `history_file` may be NULL. Release: km_editor_close. */
km_editor *km_editor_open(const char *history_file, km_completer completer, void *user);
void km_editor_close(km_editor *editor);

/* Reads one line. *text has *length bytes with the newline, if there was one, and lives until the next call. */
km_line km_editor_read(km_editor *editor, const char *prompt, const char **text, size_t *length);

/* Keeps a chunk, which may have several lines, in the history, and writes that to its file. */
void km_editor_remember(km_editor *editor, const char *text);

#endif
