/* test_writers.c: who may change a file, by descriptors made here. */
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "writers.h"

/* ---- Descriptors ---- */

#define READ_RIGHTS 0x001200A9u /* read and execute */
#define MODIFY 0x001301BFu
#define FULL 0x001F01FFu
#define NO_DACL 0x100u /* instead of a number of entries */
#define NULL_DACL 0x101u

typedef struct entry {
  uint8_t type, flags;
  uint32_t mask;
  const char *sid;
} entry;

typedef struct writers_case {
  const char *what, *owner;
  entry entries[3];
  unsigned count;
  uint32_t rights;
  km_writers wanted;
  const char *who;
} writers_case;

static size_t put32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++)
    at[i] = (uint8_t)(value >> 8 * i);
  return 4;
}

/* "S-1-5-32-545" as bytes. */
static size_t put_sid(uint8_t *at, const char *text) {
  size_t size = 8;
  char *end = NULL;
  assert_memory_equal(text, "S-1-", 4);
  memset(at, 0, 8);
  at[0] = 1;
  at[7] = (uint8_t)strtoul(text + 4, &end, 10); /* the authority */
  while (*end == '-') {
    size += put32(at + size, (uint32_t)strtoul(end + 1, &end, 10));
    at[1]++;
  }
  return size;
}

static size_t put_entry(uint8_t *at, const entry *what) {
  size_t size = 8 + put_sid(at + 8, what->sid);
  at[0] = what->type;
  at[1] = what->flags;
  at[2] = (uint8_t)size;
  at[3] = 0;
  put32(at + 4, what->mask);
  return size;
}

static size_t build(const writers_case *what, uint8_t out[512]) {
  size_t size = KM_DESCRIPTOR_HEADER;
  memset(out, 0, 512);
  out[0] = 1;
  out[2] = what->count == NO_DACL ? 0 : KM_CONTROL_DACL_PRESENT;
  out[3] = KM_CONTROL_SELF_RELATIVE >> 8;
  put32(out + 4, (uint32_t)size);
  size += put_sid(out + size, what->owner);
  if (what->count >= NO_DACL)
    return size;
  put32(out + 16, (uint32_t)size);
  uint8_t *acl = out + size;
  size_t length = 8;
  for (unsigned i = 0; i < what->count; i++)
    length += put_entry(acl + length, &what->entries[i]);
  acl[0] = 2;
  acl[2] = (uint8_t)length;
  acl[4] = (uint8_t)what->count;
  return size + length;
}

/* ---- Cases ---- */

#define SYSTEM "S-1-5-18"
#define ADMINS "S-1-5-32-544"
#define USERS "S-1-5-32-545"
#define EVERYONE "S-1-1-0"
#define OWN "S-1-5-21-1-2-3-1001"
#define OTHER "S-1-5-21-1-2-3-1002"
#define INSTALLER "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

static const writers_case cases[] = {
    {"administrators alone",
     ADMINS,
     {{0, 0, FULL, ADMINS}, {0, 0, FULL, SYSTEM}},
     2,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"others read",
     SYSTEM,
     {{0, 0, READ_RIGHTS, USERS}, {0, 0, READ_RIGHTS, EVERYONE}},
     2,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"nobody may do anything",
     SYSTEM,
     {{0, 0, 0, NULL}},
     0,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"TrustedInstaller",
     INSTALLER,
     {{0, 0, FULL, INSTALLER}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"the caller's own", OWN, {{0, 0, FULL, OWN}}, 1, KM_RIGHTS_FILE, KM_WRITERS_TRUSTED, ""},
    {"another user's", OTHER, {{0, 0, FULL, ADMINS}}, 1, KM_RIGHTS_FILE, KM_WRITERS_OWNER, OTHER},
    {"another user writes",
     ADMINS,
     {{0, 0, FULL, ADMINS}, {0, 0, MODIFY, OTHER}},
     2,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     OTHER},
    {"domain administrators",
     "S-1-5-21-7-8-9-512",
     {{0, 0, FULL, "S-1-5-21-7-8-9-519"}, {0, 0, FULL, "S-1-5-21-7-8-9-500"}},
     2,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"domain users",
     ADMINS,
     {{0, 0, FULL, "S-1-5-21-7-8-9-513"}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     "S-1-5-21-7-8-9-513"},
    {"power users",
     ADMINS,
     {{0, 0, MODIFY, "S-1-5-32-547"}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     "S-1-5-32-547"},
    {"everyone appends",
     ADMINS,
     {{0, 0, 4, EVERYONE}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     EVERYONE},
    {"everyone deletes",
     ADMINS,
     {{0, 0, 0x10000, EVERYONE}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     EVERYONE},
    {"everyone changes the DACL",
     ADMINS,
     {{0, 0, 0x40000, EVERYONE}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     EVERYONE},
    {"everyone takes it",
     ADMINS,
     {{0, 0, 0x80000, EVERYONE}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     EVERYONE},
    {"generic write",
     ADMINS,
     {{0, 0, 0x40000000, USERS}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     USERS},
    {"generic write in a folder",
     ADMINS,
     {{0, 0, 0x40000000, USERS}},
     1,
     KM_RIGHTS_FOLDER,
     KM_WRITERS_TRUSTED,
     ""},
    {"generic all", ADMINS, {{0, 0, 0x10000000, USERS}}, 1, KM_RIGHTS_TOP, KM_WRITERS_OTHER, USERS},
    {"generic read",
     ADMINS,
     {{0, 0, 0xA0000000, USERS}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"inherited by others only",
     ADMINS,
     {{0, 0x0B, FULL, EVERYONE}},
     1,
     KM_RIGHTS_FOLDER,
     KM_WRITERS_TRUSTED,
     ""},
    {"creator owner",
     ADMINS,
     {{0, 0, FULL, "S-1-3-0"}, {0, 0, FULL, "S-1-3-4"}},
     2,
     KM_RIGHTS_FILE,
     KM_WRITERS_TRUSTED,
     ""},
    {"denied first, allowed then",
     ADMINS,
     {{1, 0, FULL, USERS}, {0, 0, FULL, USERS}},
     2,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     USERS},
    {"denied alone", ADMINS, {{1, 0, FULL, USERS}}, 1, KM_RIGHTS_FILE, KM_WRITERS_TRUSTED, ""},
    {"allowed on a condition",
     ADMINS,
     {{9, 0, FULL, USERS}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_OTHER,
     USERS},
    {"an entry of another kind",
     ADMINS,
     {{5, 0, FULL, ADMINS}},
     1,
     KM_RIGHTS_FILE,
     KM_WRITERS_UNKNOWN,
     ""},
    {"files may be made in a folder",
     ADMINS,
     {{0, 0, 6, USERS}},
     1,
     KM_RIGHTS_FOLDER,
     KM_WRITERS_TRUSTED,
     ""},
    {"children deleted",
     ADMINS,
     {{0, 0, 0x40, USERS}},
     1,
     KM_RIGHTS_FOLDER,
     KM_WRITERS_OTHER,
     USERS},
    {"children deleted at the root",
     ADMINS,
     {{0, 0, 0x40, USERS}},
     1,
     KM_RIGHTS_TOP,
     KM_WRITERS_OTHER,
     USERS},
    {"a folder renamed",
     ADMINS,
     {{0, 0, 0x10000, USERS}},
     1,
     KM_RIGHTS_FOLDER,
     KM_WRITERS_OTHER,
     USERS},
    {"the root renamed",
     ADMINS,
     {{0, 0, 0x10000, USERS}},
     1,
     KM_RIGHTS_TOP,
     KM_WRITERS_TRUSTED,
     ""},
    {"no DACL", ADMINS, {{0, 0, 0, NULL}}, NO_DACL, KM_RIGHTS_FILE, KM_WRITERS_EVERYONE, ""},
    {"a DACL that is NULL",
     ADMINS,
     {{0, 0, 0, NULL}},
     NULL_DACL,
     KM_RIGHTS_FILE,
     KM_WRITERS_EVERYONE,
     ""},
};

static void judged(void **state) {
  uint8_t data[512];
  char sid[KM_SID_TEXT];
  (void)state;
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    size_t size = build(&cases[i], data);
    km_writers found = km_writers_judge(data, size, cases[i].rights, OWN, sid);
    if (found != cases[i].wanted || strcmp(sid, cases[i].who) != 0)
      print_error("%s: %d, \"%s\"\n", cases[i].what, (int)found, sid);
    assert_int_equal(found, cases[i].wanted);
    assert_string_equal(sid, cases[i].who);
  }
}

/* Nobody's own file is nobody's. */
static void without_own(void **state) {
  uint8_t data[512];
  char sid[KM_SID_TEXT];
  writers_case mine = {"", OWN, {{0, 0, FULL, OWN}}, 1, KM_RIGHTS_FILE, KM_WRITERS_OWNER, OWN};
  (void)state;
  size_t size = build(&mine, data);
  assert_int_equal(km_writers_judge(data, size, KM_RIGHTS_FILE, NULL, sid), KM_WRITERS_OWNER);
}

/* What is cut or changed is never trusted by mistake for what it was: a cut descriptor is unknown. */
static void cut(void **state) {
  uint8_t data[512];
  char sid[KM_SID_TEXT];
  (void)state;
  size_t size = build(&cases[0], data);
  for (size_t length = 0; length < size; length++)
    assert_int_equal(km_writers_judge(data, length, KM_RIGHTS_FILE, OWN, sid), KM_WRITERS_UNKNOWN);
  assert_int_equal(km_writers_judge(NULL, 0, KM_RIGHTS_FILE, OWN, sid), KM_WRITERS_UNKNOWN);
  /* An entry whose SID claims more than the entry has. */
  size_t acl = data[16];
  data[acl + 8 + 8 + 1] = 15;
  assert_int_equal(km_writers_judge(data, size, KM_RIGHTS_FILE, OWN, sid), KM_WRITERS_UNKNOWN);
}

int test_writers(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(judged),
      cmocka_unit_test(without_own),
      cmocka_unit_test(cut),
  };
  return cmocka_run_group_tests_name("writers", tests, NULL, NULL);
}
