/* main.c: the program keymend: Lua, the module, and the prompt in one file; lua/keymend/cli.lua does the rest
 *
 * LUA_PATH, LUA_CPATH and LUA_INIT have no effect, so that an environment cannot put other code into a repair.
 */
#include "binding.h"
#include "console.h"
#include "prompt.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_FAILED 8

/* The message of an error with its traceback; as a Lua function. */
static int add_traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  lua_getfield(L, LUA_GLOBALSINDEX, "debug");
  lua_getfield(L, -1, "traceback");
  lua_pushstring(L, message != NULL ? message : "an error that is no text");
  lua_pushinteger(L, 2);
  lua_call(L, 2, 1);
  return 1;
}

/* Modules come from the program itself; `run` adds the folder of its script. */
static void clear_search_paths(lua_State *L) {
  lua_getglobal(L, "package");
  km_lua_set_text(L, "path", "");
  km_lua_set_text(L, "cpath", "");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_keymend);
  lua_setfield(L, -2, "keymend");
  lua_pop(L, 2);
}

/* Pushes what require gives for a module. */
static void push_module(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

typedef struct arguments {
  int count;
  char **texts;
  bool changed; /* set by run: the target is another now */
} arguments;

/* keymend.cli.main(arguments) -> exit status; everything that may raise. */
static int run(lua_State *L) {
  arguments *given = lua_touserdata(L, 1);
  luaL_openlibs(L);
  clear_search_paths(L);
  push_module(L, "keymend");
  push_module(L, "keymend.core");
  lua_pushcfunction(L, km_prompt);
  lua_setfield(L, -2, "prompt");
  push_module(L, "keymend.cli");
  lua_getfield(L, -1, "main");
  lua_createtable(L, given->count, 0);
  for (int i = 1; i < given->count; i++) {
    lua_pushstring(L, given->texts[i]);
    lua_rawseti(L, -2, i);
  }
  lua_call(L, 1, 2);
  given->changed = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return 1;
}

/* Prints a message that may hold names from a volume: its line breaks and tabs as they are, all else escaped. */
static void print_safely(const char *text) {
  while (*text != '\0') {
    size_t length = strcspn(text, "\n\t");
    size_t need = km_escape(text, length, NULL, 0);
    char *shown = malloc(need + 1);
    if (shown != NULL) {
      km_escape(text, length, shown, need + 1);
      fwrite(shown, 1, need, stderr);
      free(shown);
    }
    text += length;
    if (*text != '\0')
      fputc(*text++, stderr);
  }
}

static int run_lua(int count, char **texts, bool *changed) {
  arguments given = {count, texts, false};
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("keymend: out of memory\n", stderr);
    return STATUS_FAILED;
  }
  lua_pushcfunction(L, add_traceback);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &given);
  int status = STATUS_FAILED;
  if (lua_pcall(L, 1, 1, 1) == 0)
    status = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : 0;
  else {
    const char *message = lua_tostring(L, -1);
    fputs("keymend: internal error, please report it: ", stderr);
    print_safely(message != NULL ? message : "an error that is no text");
    fputc('\n', stderr);
  }
  *changed = given.changed;
  lua_close(L);
  return status;
}

int main(int count, char **texts) {
  int status = 0;
  bool changed = false;
  km_console_start(&count, &texts);
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN); /* a reader that went away is told of below */
#endif
  if (count == 2 && strcmp(texts[1], "--version") == 0)
    puts("keymend " KM_VERSION);
  else
    status = run_lua(count, texts, &changed);
  if (fflush(stdout) == 0 && !ferror(stdout))
    return status;
  fputs("keymend: the output could not be written completely\n", stderr);
  if (changed)
    fputs("keymend: the change itself was done and stands; see it with keymend history\n", stderr);
  return status | STATUS_FAILED;
}
