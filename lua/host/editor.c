/* editor.c: line editing with libedit */
#include "editor.h"

#include "console.h"

#include <histedit.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_SIZE 1000
#define MAX_OFFERS 500 /* more candidates than anybody reads */

struct km_editor {
  EditLine *edit;
  History *history;
  const char *history_file;
  const char *prompt;
  km_completer completer;
  void *user;
  char *offers[MAX_OFFERS]; /* of the completion that runs */
  size_t offer_count;
};

static km_editor *editor_of(EditLine *edit) {
  void *editor = NULL;
  el_get(edit, EL_CLIENTDATA, &editor);
  return editor;
}

static const char *prompt_of(EditLine *edit) {
  return editor_of(edit)->prompt;
}

/* ---- Completion ---- */

void km_editor_offer(km_editor *editor, const char *text) {
  if (editor->offer_count == MAX_OFFERS)
    return;
  char *copy = strdup(text);
  if (copy != NULL)
    editor->offers[editor->offer_count++] = copy;
}

static void drop_offers(km_editor *editor) {
  for (size_t i = 0; i < editor->offer_count; i++)
    free(editor->offers[i]);
  editor->offer_count = 0;
}

/* Length of what all offers begin with. */
static size_t common_length(const km_editor *editor) {
  size_t length = strlen(editor->offers[0]);
  for (size_t i = 1; i < editor->offer_count; i++) {
    size_t same = 0;
    while (same < length && editor->offers[i][same] == editor->offers[0][same])
      same++;
    length = same;
  }
  return length;
}

/* Inserts what all offers have in common; false when that is no more than the word. */
static bool insert_common(km_editor *editor, size_t word) {
  size_t length = common_length(editor);
  if (length <= word)
    return false;
  char *text = strdup(editor->offers[0] + word);
  if (text == NULL)
    return false;
  text[length - word] = '\0';
  bool inserted = el_insertstr(editor->edit, text) == 0;
  free(text);
  return inserted;
}

static void show_offers(const km_editor *editor) {
  size_t width = km_console_width(), column = 0;
  for (size_t i = 0; i < editor->offer_count; i++) {
    size_t length = strlen(editor->offers[i]) + 2;
    bool wraps = i == 0 || column + length > width;
    printf("%s%s", wraps ? "\n" : "  ", editor->offers[i]);
    column = wraps ? length : column + length;
  }
  putchar('\n');
  fflush(stdout);
}

static unsigned char on_tab(EditLine *edit, int key) {
  km_editor *editor = editor_of(edit);
  const LineInfo *line = el_line(edit);
  (void)key;
  size_t word =
      editor->completer(editor->user, editor, line->buffer, (size_t)(line->cursor - line->buffer));
  unsigned char action = CC_ERROR; /* rings */
  if (editor->offer_count > 0 && insert_common(editor, word)) {
    action = CC_REFRESH;
  } else if (editor->offer_count > 1) {
    show_offers(editor);
    action = CC_REDISPLAY;
  }
  drop_offers(editor);
  return action;
}

/* ---- Life ---- */

static void open_history(km_editor *editor) {
  HistEvent event;
  editor->history = history_init();
  if (editor->history == NULL)
    return;
  history(editor->history, &event, H_SETSIZE, HISTORY_SIZE);
  history(editor->history, &event, H_SETUNIQUE, 1);
  if (editor->history_file != NULL)
    history(editor->history, &event, H_LOAD, editor->history_file);
  el_set(editor->edit, EL_HIST, history, editor->history);
}

km_editor *km_editor_open(const char *history_file, km_completer completer, void *user) {
  km_editor *editor = calloc(1, sizeof *editor);
  if (editor == NULL)
    return NULL;
  setlocale(LC_CTYPE, ""); /* libedit then reads and shows UTF-8 */
  editor->edit = el_init("keymend", stdin, stdout, stderr);
  if (editor->edit == NULL) {
    free(editor);
    return NULL;
  }
  editor->history_file = history_file;
  editor->completer = completer;
  editor->user = user;
  editor->prompt = "";
  el_set(editor->edit, EL_CLIENTDATA, editor);
  el_set(editor->edit, EL_PROMPT, prompt_of);
  el_set(editor->edit, EL_EDITOR, "emacs");
  el_set(editor->edit, EL_SIGNAL, 1); /* a resized window; the prompt handles SIGINT itself */
  el_set(editor->edit, EL_ADDFN, "keymend-complete", "Complete a name", on_tab);
  el_set(editor->edit, EL_BIND, "^I", "keymend-complete", NULL);
  open_history(editor);
  el_source(editor->edit, NULL);
  return editor;
}

void km_editor_close(km_editor *editor) {
  if (editor == NULL)
    return;
  el_end(editor->edit);
  if (editor->history != NULL)
    history_end(editor->history);
  drop_offers(editor);
  free(editor);
}

km_line km_editor_read(km_editor *editor, const char *prompt, const char **text, size_t *length) {
  int count = 0;
  editor->prompt = prompt;
  *text = el_gets(editor->edit, &count);
  if (*text != NULL && count > 0) {
    *length = (size_t)count;
    return KM_LINE;
  }
  if (count == 0)
    return KM_LINE_END;
  el_reset(editor->edit); /* interrupted: libedit has put the terminal back already */
  return KM_LINE_BREAK;
}

/* Saved at once, since a terminal may be closed, or a later chunk hang and take the program with it. */
void km_editor_remember(km_editor *editor, const char *text) {
  HistEvent event;
  if (editor->history == NULL || text[strspn(text, " \t\n")] == '\0')
    return;
  history(editor->history, &event, H_ENTER, text);
  if (editor->history_file != NULL)
    history(editor->history, &event, H_SAVE, editor->history_file);
}
