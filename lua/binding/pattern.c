/* pattern.c: Lua patterns for policies: string.find, match, gmatch and gsub with every step counted
 *
 * Written from the description of patterns in the Lua 5.1 Reference Manual (5.4.1); tests/lua/sandbox_spec.lua compares
 * it with the stock functions, whose messages it has too. What differs: the classes know ASCII alone, whatever the
 * locale; quantifiers and captures go at most MAX_DEPTH deep ("pattern too complex"), where the stock functions would
 * use up the C stack. As there, a NUL ends a pattern, and there is one behind every subject.
 */
#include "sandbox.h"

#include <string.h>

#define MAX_CAPTURES 32
#define MAX_DEPTH 200
#define STEPS_AT_ONCE 1000 /* counted here before they are charged */

#define OPEN (-1)     /* length of a capture that is not closed yet */
#define POSITION (-2) /* and of one that captures its position */

typedef struct capture {
  const char *start;
  ptrdiff_t length;
} capture;

typedef struct matcher {
  lua_State *P;
  const char *text, *end; /* the subject */
  size_t steps;           /* not charged yet */
  int depth;
  int level; /* captures so far */
  capture captures[MAX_CAPTURES];
} matcher;

static const char *match_here(matcher *m, const char *at, const char *pattern);

static void count(matcher *m, size_t steps) {
  m->steps += steps;
  if (m->steps < STEPS_AT_ONCE)
    return;
  size_t due = m->steps;
  m->steps = 0;
  km_lua_charge(m->P, (double)due);
}

static void settle(matcher *m) {
  km_lua_charge(m->P, 1.0 + (double)m->steps);
  m->steps = 0;
}

/* ---- Single characters ---- */

static bool in_range(unsigned char c, char low, char high) {
  return c >= (unsigned char)low && c <= (unsigned char)high;
}

static bool is_digit(unsigned char c) {
  return in_range(c, '0', '9');
}

static bool is_letter(unsigned char c) {
  return in_range(c, 'a', 'z') || in_range(c, 'A', 'Z');
}

static bool is_space(unsigned char c) {
  return c == ' ' || in_range(c, '\t', '\r');
}

/* Whether c fits the class that `letter` names: %a and its kin; upper case: all others; no letter: itself. */
static bool fits_class(unsigned char c, unsigned char letter) {
  bool fits = false;
  switch (letter | 0x20) {
  case 'a':
    fits = is_letter(c);
    break;
  case 'c':
    fits = c < 0x20 || c == 0x7f;
    break;
  case 'd':
    fits = is_digit(c);
    break;
  case 'l':
    fits = in_range(c, 'a', 'z');
    break;
  case 'p':
    fits = in_range(c, '!', '~') && !is_letter(c) && !is_digit(c);
    break;
  case 's':
    fits = is_space(c);
    break;
  case 'u':
    fits = in_range(c, 'A', 'Z');
    break;
  case 'w':
    fits = is_letter(c) || is_digit(c);
    break;
  case 'x':
    fits = is_digit(c) || in_range(c, 'a', 'f') || in_range(c, 'A', 'F');
    break;
  case 'z':
    fits = c == '\0';
    break;
  default:
    return c == letter;
  }
  return in_range(letter, 'a', 'z') ? fits : !fits;
}

/* Whether c is in the set that begins with '[' at `set`; `last` is its ']'. */
static bool fits_set(matcher *m, unsigned char c, const char *set, const char *last) {
  bool listed = true;
  const char *p = set + 1;
  count(m, (size_t)(last - set) / 4);
  if (*p == '^') {
    listed = false;
    p++;
  }
  for (; p < last; p++) {
    if (*p == '%') {
      p++;
      if (fits_class(c, (unsigned char)*p))
        return listed;
    } else if (p[1] == '-' && p + 2 < last) {
      if (in_range(c, p[0], p[2]))
        return listed;
      p += 2;
    } else if ((unsigned char)*p == c) {
      return listed;
    }
  }
  return !listed;
}

/* The end of the single-character item that `item` begins; raises when it has none. */
static const char *item_end(matcher *m, const char *item) {
  const char *p = item + 1;
  if (*item == '%') {
    if (*p == '\0')
      luaL_error(m->P, "malformed pattern (ends with " LUA_QL("%%") ")");
    return p + 1;
  }
  if (*item != '[')
    return p;
  if (*p == '^')
    p++;
  do { /* a ']' that comes first stands for itself */
    if (*p == '\0')
      luaL_error(m->P, "malformed pattern (missing " LUA_QL("]") ")");
    if (*p++ == '%' && *p != '\0')
      p++;
  } while (*p != ']');
  count(m, (size_t)(p - item) / 4);
  return p + 1;
}

/* Whether the item from `item` to `behind` fits the character at `at`. */
static bool fits_item(matcher *m, const char *at, const char *item, const char *behind) {
  if (at >= m->end)
    return false;
  unsigned char c = (unsigned char)*at;
  switch (*item) {
  case '.':
    return true;
  case '%':
    return fits_class(c, (unsigned char)item[1]);
  case '[':
    return fits_set(m, c, item, behind - 1);
  default:
    return (unsigned char)*item == c;
  }
}

/* ---- Items that are more than a character; each gives the end of what it matched, or NULL ---- */

/* %bxy at `item`. */
static const char *match_balance(matcher *m, const char *at, const char *item) {
  char open = item[2], close = open == '\0' ? '\0' : item[3];
  if (close == '\0')
    luaL_error(m->P, "unbalanced pattern");
  if (at >= m->end || *at != open)
    return NULL;
  size_t depth = 1;
  for (const char *s = at + 1; s < m->end; s++) {
    count(m, 1);
    if (*s == close) {
      if (--depth == 0)
        return s + 1;
    } else if (*s == open) {
      depth++;
    }
  }
  return NULL;
}

/* %f[set] with the set from `set` to `behind`: between a character outside and one inside. */
static bool is_frontier(matcher *m, const char *at, const char *set, const char *behind) {
  unsigned char before = at == m->text ? '\0' : (unsigned char)at[-1];
  return !fits_set(m, before, set, behind - 1) && fits_set(m, (unsigned char)*at, set, behind - 1);
}

/* %1 to %9. */
static const char *match_back(matcher *m, const char *at, char digit) {
  int number = digit - '1';
  if (number < 0 || number >= m->level || m->captures[number].length == OPEN)
    luaL_error(m->P, "invalid capture index");
  const capture *one = &m->captures[number];
  if (one->length == POSITION || one->length > m->end - at)
    return NULL;
  count(m, (size_t)one->length / KM_LUA_BYTES_PER_WORK);
  return memcmp(one->start, at, (size_t)one->length) == 0 ? at + one->length : NULL;
}

static const char *open_capture(matcher *m, const char *at, const char *rest, ptrdiff_t length) {
  if (m->level >= MAX_CAPTURES)
    luaL_error(m->P, "too many captures");
  m->captures[m->level++] = (capture){at, length};
  const char *end = match_here(m, at, rest);
  if (end == NULL)
    m->level--;
  return end;
}

static const char *close_capture(matcher *m, const char *at, const char *rest) {
  int number = m->level - 1;
  while (number >= 0 && m->captures[number].length != OPEN)
    number--;
  if (number < 0)
    luaL_error(m->P, "invalid pattern capture");
  capture *one = &m->captures[number];
  one->length = at - one->start;
  const char *end = match_here(m, at, rest);
  if (end == NULL)
    one->length = OPEN;
  return end;
}

/* As often as the item fits, then less often until the rest fits. */
static const char *match_most(matcher *m, const char *at, const char *item, const char *behind) {
  const char *s = at;
  for (; fits_item(m, s, item, behind); s++)
    count(m, 1);
  for (;; s--) {
    const char *end = match_here(m, s, behind + 1);
    if (end != NULL || s == at)
      return end;
  }
}

/* As seldom as the rest lets it. */
static const char *match_least(matcher *m, const char *at, const char *item, const char *behind) {
  for (;; at++) {
    const char *end = match_here(m, at, behind + 1);
    if (end != NULL || !fits_item(m, at, item, behind))
      return end;
  }
}

/* ---- The pattern ---- */

/* What may go on without a call of its own: %b, %f, %1 and plain items move *at and *pattern and give true; false when
 * they do not match. */
static bool match_item(matcher *m, const char **at, const char **pattern) {
  const char *item = *pattern, *behind;
  if (*item == '%' && item[1] == 'b') {
    *at = match_balance(m, *at, item);
    *pattern = item + 4;
    return *at != NULL;
  }
  if (*item == '%' && item[1] == 'f') {
    if (item[2] != '[')
      luaL_error(m->P, "missing " LUA_QL("[") " after " LUA_QL("%%f") " in pattern");
    behind = item_end(m, item + 2);
    *pattern = behind;
    return is_frontier(m, *at, item + 2, behind);
  }
  if (*item == '%' && is_digit((unsigned char)item[1])) {
    *at = match_back(m, *at, item[1]);
    *pattern = item + 2;
    return *at != NULL;
  }
  behind = item_end(m, item);
  *pattern = behind;
  return fits_item(m, (*at)++, item, behind);
}

/* Whether the item at `item` is followed by a quantifier; sets what stands behind the item. */
static char quantifier_of(matcher *m, const char *item, const char **behind) {
  bool special =
      *item == '%' && (item[1] == 'b' || item[1] == 'f' || is_digit((unsigned char)item[1]));
  if (special)
    return '\0';
  *behind = item_end(m, item);
  return **behind != '\0' && strchr("*+-?", **behind) != NULL ? **behind : '\0';
}

static const char *match_repeated(matcher *m, const char *at, const char *item,
                                  const char *behind) {
  if (*behind == '*')
    return match_most(m, at, item, behind);
  if (*behind == '+')
    return fits_item(m, at, item, behind) ? match_most(m, at + 1, item, behind) : NULL;
  if (*behind == '-')
    return match_least(m, at, item, behind);
  const char *end = fits_item(m, at, item, behind) ? match_here(m, at + 1, behind + 1) : NULL;
  return end != NULL ? end : match_here(m, at, behind + 1);
}

/* The end of what the pattern matches from `at` on, or NULL. */
static const char *match_here(matcher *m, const char *at, const char *pattern) {
  if (++m->depth > MAX_DEPTH)
    luaL_error(m->P, "pattern too complex");
  const char *end = NULL, *behind = NULL;
  for (bool more = true; more;) {
    count(m, 1);
    more = false;
    if (*pattern == '\0')
      end = at;
    else if (*pattern == '$' && pattern[1] == '\0')
      end = at == m->end ? at : NULL;
    else if (*pattern == '(')
      end = pattern[1] == ')' ? open_capture(m, at, pattern + 2, POSITION)
                              : open_capture(m, at, pattern + 1, OPEN);
    else if (*pattern == ')')
      end = close_capture(m, at, pattern + 1);
    else if (quantifier_of(m, pattern, &behind) != '\0')
      end = match_repeated(m, at, pattern, behind);
    else
      more = match_item(m, &at, &pattern);
  }
  m->depth--;
  return end;
}

/* Looks for the pattern at `at` and behind; sets *found. NULL: nowhere. */
static const char *search(matcher *m, const char *at, const char *pattern, const char **found) {
  bool anchored = *pattern == '^';
  if (anchored)
    pattern++;
  for (;; at++) {
    m->level = m->depth = 0;
    const char *end = match_here(m, at, pattern);
    *found = at;
    if (end != NULL || anchored || at == m->end)
      return end;
  }
}

/* ---- Captures ---- */

/* Pushes capture `number`; capture 0 of a pattern without any is the whole match. */
static void push_capture(const matcher *m, int number, const char *start, const char *end) {
  if (number >= m->level) {
    if (number != 0)
      luaL_error(m->P, "invalid capture index");
    lua_pushlstring(m->P, start, (size_t)(end - start));
    return;
  }
  const capture *one = &m->captures[number];
  if (one->length == OPEN)
    luaL_error(m->P, "unfinished capture");
  if (one->length == POSITION) {
    lua_pushinteger(m->P, one->start - m->text + 1);
    return;
  }
  km_lua_charge_bytes(m->P, (size_t)one->length);
  lua_pushlstring(m->P, one->start, (size_t)one->length);
}

/* Pushes all captures; the whole match when there is none and `start` is set. */
static int push_captures(const matcher *m, const char *start, const char *end) {
  int number = m->level == 0 && start != NULL ? 1 : m->level;
  luaL_checkstack(m->P, number, "too many captures");
  for (int i = 0; i < number; i++)
    push_capture(m, i, start, end);
  return number;
}

/* ---- find and match ---- */

/* The first place of `wanted` in `text`, or NULL. */
static const char *find_plain(matcher *m, const char *text, const char *wanted, size_t length) {
  if (length == 0)
    return text;
  while ((size_t)(m->end - text) >= length) {
    const char *first = memchr(text, wanted[0], (size_t)(m->end - text) - length + 1);
    size_t passed = (size_t)((first != NULL ? first : m->end) - text);
    count(m, 1 + (passed + length) / KM_LUA_BYTES_PER_WORK);
    if (first == NULL)
      return NULL;
    if (memcmp(first, wanted, length) == 0)
      return first;
    text = first + 1;
  }
  return NULL;
}

/* Where argument 3 says that the search begins. */
static const char *begin_of(lua_State *P, const char *text, size_t length) {
  lua_Integer begin = luaL_optinteger(P, 3, 1);
  if (begin < 0)
    begin += (lua_Integer)length + 1;
  if (begin <= 0)
    begin = 1;
  return (size_t)(begin - 1) > length ? text + length : text + (begin - 1);
}

static int find_or_match(lua_State *P, bool find) {
  size_t length = 0, wanted = 0;
  matcher m = {.P = P};
  const char *found = NULL, *end = NULL;
  m.text = luaL_checklstring(P, 1, &length);
  m.end = m.text + length;
  const char *pattern = luaL_checklstring(P, 2, &wanted);
  const char *begin = begin_of(P, m.text, length);
  if (find && (lua_toboolean(P, 4) || strpbrk(pattern, "^$*+?.([%-") == NULL)) {
    found = find_plain(&m, begin, pattern, wanted);
    end = found == NULL ? NULL : found + wanted;
  } else {
    end = search(&m, begin, pattern, &found);
  }
  settle(&m);
  if (end == NULL) {
    lua_pushnil(P);
    return 1;
  }
  if (!find)
    return push_captures(&m, found, end);
  lua_pushinteger(P, found - m.text + 1);
  lua_pushinteger(P, end - m.text);
  return 2 + push_captures(&m, NULL, NULL);
}

int km_lua_find(lua_State *P) {
  return find_or_match(P, true);
}

int km_lua_match(lua_State *P) {
  return find_or_match(P, false);
}

/* ---- gmatch ---- */

/* Upvalues: text, pattern, offset where the next search begins. '^' is no anchor here. */
static int next_match(lua_State *P) {
  size_t length = 0;
  matcher m = {.P = P};
  m.text = lua_tolstring(P, lua_upvalueindex(1), &length);
  m.end = m.text + length;
  const char *pattern = lua_tostring(P, lua_upvalueindex(2));
  const char *at = m.text + lua_tointeger(P, lua_upvalueindex(3));
  for (; at <= m.end; at++) {
    m.level = m.depth = 0;
    const char *end = match_here(&m, at, pattern);
    if (end == NULL)
      continue;
    settle(&m);
    lua_pushinteger(P, end - m.text + (end == at ? 1 : 0));
    lua_replace(P, lua_upvalueindex(3));
    return push_captures(&m, at, end);
  }
  settle(&m);
  return 0;
}

int km_lua_gmatch(lua_State *P) {
  luaL_checkstring(P, 1);
  luaL_checkstring(P, 2);
  lua_settop(P, 2);
  lua_pushinteger(P, 0);
  lua_pushcclosure(P, next_match, 3);
  return 1;
}

/* ---- gsub ---- */

/* Text that grows, in a userdata at a fixed place of the stack: a luaL_Buffer would take 8 KiB of the C stack in every
 * replacement that calls gsub itself. */
typedef struct growing {
  lua_State *P;
  int index;
  char *bytes;
  size_t size, room;
} growing;

static void append(growing *text, const char *bytes, size_t size) {
  if (bytes == NULL || size == 0)
    return;
  km_lua_charge_bytes(text->P, size);
  if (size > text->room - text->size) {
    if (size > ((size_t)-1) / 4 - text->size)
      luaL_error(text->P, "resulting string too large");
    size_t room = (text->size + size) * 2;
    char *larger = lua_newuserdata(text->P, room);
    if (text->size > 0)
      memcpy(larger, text->bytes, text->size);
    lua_replace(text->P, text->index);
    text->bytes = larger;
    text->room = room;
  }
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
}

/* Appends the value at the top, a text or number, and pops it. */
static void append_value(growing *text) {
  size_t size = 0;
  const char *bytes = lua_tolstring(text->P, -1, &size);
  append(text, bytes, size);
  lua_pop(text->P, 1);
}

/* The replacement text of argument 3, with %0 to %9 filled in. */
static void append_template(growing *text, const matcher *m, const char *start, const char *end) {
  size_t length = 0;
  const char *template = lua_tolstring(m->P, 3, &length);
  for (size_t i = 0; i < length; i++) {
    if (template[i] != '%') {
      append(text, template + i, 1);
      continue;
    }
    i++; /* behind the last one stands a NUL */
    if (!is_digit((unsigned char)template[i])) {
      append(text, template + i, 1);
    } else if (template[i] == '0') {
      append(text, start, (size_t)(end - start));
    } else {
      push_capture(m, template[i] - '1', start, end);
      append_value(text);
    }
  }
}

/* What argument 3, a table or function, gives for a match; nil and false leave it as it is. */
static void append_answer(growing *text, const matcher *m, const char *start, const char *end) {
  lua_State *P = m->P;
  if (lua_istable(P, 3)) {
    push_capture(m, 0, start, end);
    lua_gettable(P, 3);
  } else {
    lua_pushvalue(P, 3);
    lua_call(P, push_captures(m, start, end), 1);
  }
  if (lua_toboolean(P, -1)) {
    if (!lua_isstring(P, -1))
      luaL_error(P, "invalid replacement value (a %s)", luaL_typename(P, -1));
    append_value(text);
    return;
  }
  lua_pop(P, 1);
  append(text, start, (size_t)(end - start));
}

static void replace_matches(matcher *m, growing *text, const char *pattern, lua_Integer most) {
  bool anchored = *pattern == '^', template = lua_isstring(m->P, 3);
  const char *at = m->text;
  lua_Integer done = 0;
  if (anchored)
    pattern++;
  while (done < most) {
    m->level = m->depth = 0;
    const char *end = match_here(m, at, pattern);
    settle(m);
    if (end != NULL) {
      done++;
      if (template)
        append_template(text, m, at, end);
      else
        append_answer(text, m, at, end);
    }
    if (end != NULL && end > at)
      at = end;
    else if (at < m->end)
      append(text, at++, 1);
    else
      break;
    if (anchored)
      break;
  }
  append(text, at, (size_t)(m->end - at));
  lua_pushlstring(m->P, text->bytes, text->size);
  lua_pushinteger(m->P, done);
}

int km_lua_gsub(lua_State *P) {
  size_t length = 0;
  matcher m = {.P = P};
  m.text = luaL_checklstring(P, 1, &length);
  m.end = m.text + length;
  const char *pattern = luaL_checkstring(P, 2);
  int type = lua_type(P, 3);
  lua_Integer most = luaL_optinteger(P, 4, (lua_Integer)length + 1);
  luaL_argcheck(
      P, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE || type == LUA_TFUNCTION,
      3, "string/function/table expected");
  lua_settop(P, 4);
  if (type == LUA_TNUMBER)
    lua_tostring(P, 3);
  growing text = {.P = P, .index = 4, .bytes = "", .size = 0, .room = 0};
  replace_matches(&m, &text, pattern, most);
  return 2;
}
