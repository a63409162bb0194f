/* prompt.h: the interactive prompt of the host */
#ifndef KM_PROMPT_H
#define KM_PROMPT_H

#include <lua.h>

/* keymend.core.prompt(session, {history = boolean}) -> number of lines that failed.
 *
 * Reads lines until the end of input and gives each to session.eval(line) -> "ok" | "incomplete" | "error", text.
 * On a terminal: line editing, history, completion by session.complete(line) -> word, {candidates}, and Ctrl-C
 * stops the chunk that runs. Elsewhere lines are read without a prompt. */
int km_prompt(lua_State *L);

#endif
