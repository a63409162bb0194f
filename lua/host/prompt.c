/* prompt.c: the interactive prompt; lua/keymend/repl.lua evaluates, prints and completes */
#include "prompt.h"

#include "binding.h"
#include "console.h"
#include "editor.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Stack slots of km_prompt. */
enum { SESSION = 1, OPTIONS = 2, OWNED = 3, SLOTS = OWNED };

/* ---- Ctrl-C ---- */

static lua_State *volatile running;  /* the state whose chunk runs, else NULL */
static volatile sig_atomic_t broken; /* Ctrl-C came */

#define EVERYTHING (LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT)
#define HOOK_STEP 1000

/* Stops a chunk that is to end, and stays until it has ended, so that no pcall in it holds the interruption up. The
 * handler sets it for the state alone; coroutines, which the handler does not know, have it from the start. */
static void stop_chunk(lua_State *L, lua_Debug *where) {
  (void)where;
  if (!broken)
    return;
  lua_sethook(L, stop_chunk, EVERYTHING, 1);
  luaL_error(L, "interrupted");
}

/* A second Ctrl-C in the same chunk ends the program, since a call that hangs runs no Lua. */
static void on_break(int number) {
  broken = 1;
  if (running == NULL) {
    km_console_on_break(on_break);
    return;
  }
  signal(number, SIG_DFL);
  /* It only stores its arguments. NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c) */
  lua_sethook(running, stop_chunk, EVERYTHING, 1);
}

/* ---- One line ---- */

typedef enum outcome { DONE, INCOMPLETE, FAILED, QUIT } outcome;

/* Prints what the chunk gave: results to stdout, errors to stderr. Takes the text off the stack. */
static void print_text(lua_State *L, FILE *out) {
  size_t length = 0;
  const char *text = lua_tolstring(L, -1, &length);
  if (text != NULL && length > 0) {
    fwrite(text, 1, length, out);
    if (text[length - 1] != '\n')
      fputc('\n', out);
  }
  fflush(out);
  lua_pop(L, 1);
}

/* Calls a function of the session with what stands above the function on the stack. */
static bool call_session(lua_State *L, const char *name, int arguments, int results) {
  lua_getfield(L, SESSION, name);
  lua_insert(L, -1 - arguments);
  return lua_pcall(L, arguments, results, 0) == 0;
}

/* Gives up the lines of an unfinished chunk. */
static void reset_session(lua_State *L) {
  if (!call_session(L, "reset", 0, 0))
    lua_pop(L, 1);
}

static outcome outcome_of(const char *word) {
  if (word == NULL || strcmp(word, "error") == 0)
    return FAILED;
  if (strcmp(word, "incomplete") == 0)
    return INCOMPLETE;
  return strcmp(word, "quit") == 0 ? QUIT : DONE;
}

/* Gives the line at the top of the stack to session.eval and prints what comes back. */
static outcome evaluate(lua_State *L) {
  broken = 0;
  lua_sethook(L, stop_chunk, LUA_MASKCOUNT, HOOK_STEP);
  running = L;
  bool fine = call_session(L, "eval", 1, 2);
  running = NULL;
  lua_sethook(L, NULL, 0, 0);
  fflush(stdout);
  outcome result = fine ? outcome_of(lua_tostring(L, -2)) : FAILED;
  if (result == FAILED && broken) { /* the traceback of a chunk that was stopped helps nobody */
    lua_pushliteral(L, "interrupted");
    lua_replace(L, -2);
  }
  print_text(L, result == FAILED ? stderr : stdout);
  if (fine)
    lua_pop(L, 1);
  else
    reset_session(L);
  return result;
}

/* ---- Without a terminal ---- */

/* Pushes the next line of stdin without its newline; false at the end. */
static bool push_line(lua_State *L) {
  luaL_Buffer line;
  bool any = false, ended = false;
  luaL_buffinit(L, &line);
  while (!ended) {
    char *room = luaL_prepbuffer(&line);
    if (fgets(room, LUAL_BUFFERSIZE, stdin) == NULL)
      break;
    size_t length = strlen(room);
    any = true;
    ended = length > 0 && room[length - 1] == '\n';
    luaL_addsize(&line, length - (ended ? 1 : 0));
  }
  luaL_pushresult(&line);
  if (!any)
    lua_pop(L, 1);
  return any;
}

static int read_plainly(lua_State *L) {
  outcome last = DONE;
  int failed = 0;
  while (last != QUIT && push_line(L)) {
    last = evaluate(L);
    failed += last == FAILED;
  }
  if (last == INCOMPLETE) {
    fputs("keymend: the input ended in the middle of a chunk\n", stderr);
    failed++;
  }
  return failed;
}

/* ---- On a terminal ---- */

typedef struct completion {
  lua_State *L;
  km_editor *editor;
  const char *line;
  size_t length, word;
} completion;

/* Calls session.complete(line) -> word, {candidates}; may raise. */
static int complete_protected(lua_State *L) {
  completion *wish = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "keymend.prompt");
  lua_getfield(L, -1, "complete");
  lua_pushlstring(L, wish->line, wish->length);
  lua_call(L, 1, 2);
  luaL_checktype(L, -1, LUA_TTABLE);
  luaL_checklstring(L, -2, &wish->word);
  for (size_t i = 1; i <= lua_objlen(L, -1); i++) {
    lua_rawgeti(L, -1, (int)i);
    km_editor_offer(wish->editor, luaL_checkstring(L, -1));
    lua_pop(L, 1);
  }
  return 0;
}

static size_t complete(void *user, km_editor *editor, const char *line, size_t length) {
  completion wish = {.L = user, .editor = editor, .line = line, .length = length};
  if (lua_cpcall(wish.L, complete_protected, &wish) != 0)
    lua_pop(wish.L, 1);
  return wish.word;
}

/* Appends the line at the top to the chunk below it and keeps both. */
static void extend_chunk(lua_State *L) {
  lua_pushvalue(L, -2);
  lua_pushvalue(L, -2);
  lua_concat(L, 2);
  lua_replace(L, -3);
}

static void read_edited(lua_State *L, km_editor *editor) {
  const char *line = NULL;
  size_t length = 0;
  outcome last = DONE;
  lua_pushliteral(L, ""); /* the chunk so far, for the history */
  while (last != QUIT) {
    lua_getfield(L, OPTIONS, last == INCOMPLETE ? "more" : "prompt");
    km_line kind = km_editor_read(editor, luaL_optstring(L, -1, "> "), &line, &length);
    lua_pop(L, 1);
    if (kind == KM_LINE_END)
      break;
    if (kind == KM_LINE_BREAK) {
      putchar('\n');
      reset_session(L);
      lua_pushlstring(L, "", 0);
      lua_replace(L, -2);
      last = DONE;
      continue;
    }
    lua_pushlstring(L, line, length);
    extend_chunk(L);
    if (length > 0 && line[length - 1] == '\n') {
      lua_pushlstring(L, line, length - 1);
      lua_replace(L, -2);
    }
    last = evaluate(L);
    km_console_on_break(on_break);
    if (last == INCOMPLETE)
      continue;
    km_editor_remember(editor, lua_tostring(L, -1));
    lua_pushliteral(L, "");
    lua_replace(L, -2);
  }
  if (last != QUIT)
    putchar('\n');
}

static void release_editor(void *object) {
  km_editor_close(object);
}

/* Opens the editor into the slot OWNED, where an error finds it. */
static km_editor *open_editor(lua_State *L) {
  static char history[KM_MAX_CONSOLE_PATH];
  km_lua_owned *owned = km_lua_own(L, release_editor, 0);
  lua_pushvalue(L, SESSION);
  lua_setfield(L, LUA_REGISTRYINDEX, "keymend.prompt");
  lua_getfield(L, OPTIONS, "history");
  bool keep = lua_toboolean(L, -1) && km_console_history(history);
  lua_pop(L, 1);
  if (km_console_is_terminal(0) && km_console_is_terminal(1))
    owned->object = km_editor_open(keep ? history : NULL, complete, L);
  return owned->object;
}

int km_prompt(lua_State *L) {
  luaL_checktype(L, SESSION, LUA_TTABLE);
  luaL_checktype(L, OPTIONS, LUA_TTABLE);
  lua_settop(L, OPTIONS);
  km_editor *editor = open_editor(L);
  int failed = 0;
  if (editor == NULL) {
    failed = read_plainly(L);
  } else {
    km_console_on_break(on_break);
    read_edited(L, editor);
    signal(SIGINT, SIG_DFL);
  }
  km_lua_release(lua_touserdata(L, OWNED));
  lua_pushinteger(L, failed);
  return 1;
}
