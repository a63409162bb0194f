/* pattern.c: service-name patterns. */
#include <string.h>

#include "keymend.h"
#include "text.h"

/* Takes one character, folded, off the front of *text; false at the end. */
static bool take(const char **text, const char *end, uint32_t *code) {
  if (*text == end)
    return false;
  size_t used = 0;
  *code = km_fold(km_utf8_next(*text, (size_t)(end - *text), &used));
  *text += used;
  return true;
}

/* Only the last star met can need another try, since what stood before it matched as early as
 * possible: the time is at most the product of both lengths. */
bool km_pattern_match(const char *pattern, const char *name) {
  const char *pattern_end = pattern + strlen(pattern);
  const char *name_end = name + strlen(name);
  const char *after_star = NULL; /* the pattern behind the last star */
  const char *star_name = NULL;  /* where its part of the name is tried to end */
  while (name != name_end) {
    const char *p = pattern;
    const char *n = name;
    uint32_t wanted = 0;
    uint32_t found = 0;
    bool more = take(&p, pattern_end, &wanted);
    if (more && wanted == '*') {
      after_star = pattern = p;
      star_name = name;
      continue;
    }
    take(&n, name_end, &found);
    if (more && (wanted == '?' || wanted == found)) {
      pattern = p;
      name = n;
      continue;
    }
    if (after_star == NULL)
      return false;
    take(&star_name, name_end, &found);
    pattern = after_star;
    name = star_name;
  }
  while (pattern != pattern_end && *pattern == '*')
    pattern++;
  return pattern == pattern_end;
}
