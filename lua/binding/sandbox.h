/* sandbox.h: the Lua state that a policy runs in: its limits, and what it finds there; internal to lua/binding
 *
 * What it stops. A policy reaches no file, process, environment variable or library, no other Lua state, no bytecode, no
 * debug library and no metatable of the caller: its state is its own, made from an allow-list (sandbox.c), and only
 * copies of plain data cross (data.c). What it may use up is counted:
 *   memory   every byte of the state, through its allocator;
 *   work     instructions of Lua, counted by a hook, and what the C functions of the allow-list do for one instruction:
 *            a step of a pattern, an entry that is moved or compared, KM_LUA_BYTES_PER_WORK bytes that are copied.
 *            Patterns are matched by an own matcher (pattern.c), since the stock one can run for hours, and overflow the C
 *            stack, inside one instruction;
 *   time     of the wall clock; looked at with the work;
 *   depth    of calls from C (Lua's own limit, 200 with all coroutines) and of patterns, for the C stack.
 * A used-up limit stays used up: pcall, xpcall and coroutines pass it on instead of returning it, no memory is given any
 * more, and later calls into the policy fail at once.
 *
 * What it does not stop:
 *   - Lua's own operators are one instruction each, however much they do: two texts of megabytes joined or compared, a
 *     look-up among keys made to collide, a number read from a text of megabytes. So is one step of a walk over a large
 *     table that was emptied. The memory limit bounds each of them (tens of milliseconds); that many follow each other
 *     only the time stops, so that what a slow machine gives up a fast one may finish.
 *   - Should one step not come to an end at all, which none is known to do, a watchdog ends the whole process at twice the
 *     time, with a message and no JSON document. Nothing is lost by it: a policy never runs while a target is changed
 *     (policy.c refuses), so no transaction is open.
 *   - A fault of Lua's own virtual machine or of the C library. Bytecode, the known way to one, is refused.
 *   - A wrong answer. A policy can name the wrong key among those that it is shown; a plan tells which and why, the core
 *     checks what may be adopted at all, and undo takes it back.
 *   - What a policy learns: the facts of the target that rules are given (names, times, owners of keys; services), but
 *     no private key. It can put them into the texts that it returns, and has no other way out.
 *   - Differences of time. It has no clock, but whoever runs it has.
 * Scripts (keymend run, the prompt) do not run here: they are the caller's own programs and may use io and os.
 */
#ifndef KM_SANDBOX_H
#define KM_SANDBOX_H

#include "binding.h"

#include "console.h"

#define KM_LUA_BYTES_PER_WORK 16

typedef struct km_lua_sandbox {
  lua_State *state; /* NULL when closed */
  size_t memory, memory_limit;
  double work, work_limit; /* of the call that runs */
  double unseen;           /* work since the clock was looked at */
  double earlier_work;     /* of the calls before */
  double earlier_time;     /* milliseconds */
  uint32_t started;        /* km_console_clock */
  uint32_t time_limit;     /* milliseconds; the watchdog waits twice as long */
  const char *exhausted;   /* what was used up, else NULL; static */
  char message[80];
} km_lua_sandbox;

/* Makes the state within the limits that are set in `box`, which must not move from then on. false: no memory. */
bool km_lua_sandbox_open(km_lua_sandbox *box);
void km_lua_sandbox_close(km_lua_sandbox *box); /* also one that could not be made */

/* Calls a function in the state as lua_cpcall does. Each call may use all of the work and time, and all calls together ten
 * times as much. NULL when it ended well; else why not: a limit, or what it raised, which lives until the next call. */
const char *km_lua_sandbox_call(km_lua_sandbox *box, lua_CFunction function, void *argument);

/* ---- For the functions in the state ---- */

km_lua_sandbox *km_lua_sandbox_of(lua_State *P);

/* Adds to the work of the call that runs; raises when a limit is used up. */
void km_lua_charge(lua_State *P, double work);
void km_lua_charge_bytes(lua_State *P, size_t bytes);
/* As km_lua_charge, for a step whose length cannot be counted: the clock is looked at, at once. */
void km_lua_charge_unknown(lua_State *P, double work);

/* Compiles a text and pushes the function; raises for a text that is none, and for bytecode. */
void km_lua_load(lua_State *P, const char *text, size_t size, const char *name);

/* string.find, match, gmatch and gsub (pattern.c). */
int km_lua_find(lua_State *P);
int km_lua_match(lua_State *P);
int km_lua_gmatch(lua_State *P);
int km_lua_gsub(lua_State *P);

#endif
