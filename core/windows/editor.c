/* editor.c: line editing by the console itself: its editing keys, history (F7, arrows) and marking; no completion */
#include "../../lua/host/editor.h"

#include "stdio.h"

#include <string.h>

struct km_editor {
  char *line; /* the last one read */
};

void km_editor_offer(km_editor *editor, const char *text) {
  (void)editor;
  (void)text;
}

km_editor *km_editor_open(const char *history_file, km_completer completer, void *user) {
  (void)history_file;
  (void)completer;
  (void)user;
  return calloc(1, sizeof(km_editor));
}

void km_editor_close(km_editor *editor) {
  if (editor == NULL)
    return;
  free(editor->line);
  free(editor);
}

km_line km_editor_read(km_editor *editor, const char *prompt, const char **text, size_t *length) {
  fputs(prompt, stdout);
  free(editor->line);
  km_input kind = km_stdio_line(&editor->line, length);
  *text = editor->line;
  return kind == KM_INPUT_LINE ? KM_LINE : kind == KM_INPUT_BREAK ? KM_LINE_BREAK : KM_LINE_END;
}

void km_editor_remember(km_editor *editor, const char *text) {
  (void)editor;
  (void)text;
}
