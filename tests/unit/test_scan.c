/* test_scan.c: the key store's scan and survey, one file's inspection, master keys. */
#include "unit.h"

#include "tests.h"
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH "c2319c42033a5ca7f44e731bfd3fa2b5"
#define OTHER_HASH "7a436fe806e483969f48a894af2fe9a1"
#define OLD_GUID "99999999-8888-7777-6666-555555555555"
#define CONTAINER "Microsoft Internet Information Server"

static int set_up(void **state) {
  test_tree *tree = malloc(sizeof *tree);
  assert_non_null(tree);
  tree_open(tree, NULL);
  *state = tree;
  return 0;
}

static int tear_down(void **state) {
  tree_close(*state);
  free(*state);
  return 0;
}

static void store_file(test_tree *tree, const char *name, const void *data, size_t size) {
  char path[512];
  snprintf(path, sizeof path, TREE_STORE "/%s", name);
  tree_file(tree, path, data, size);
}

/* ---- Scan ---- */

static void test_scan_kinds(void **state) {
  test_tree *tree = *state;
  km_scan *scan;
  km_scan_entry entry;
  km_error error;
  km_status status;
  size_t kinds[3] = {0};
  store_file(tree, HASH "_" TREE_GUID, "", 0);
  store_file(tree, HASH "_" OLD_GUID, "", 0);
  store_file(tree, HASH "_" OLD_GUID ".OLD", "", 0);
  store_file(tree, "desktop.ini", "", 0);
  tree_folder(tree, TREE_STORE "/" OTHER_HASH "_" TREE_GUID);
  assert_int_equal(km_scan_open(&tree->target, KM_STORE_RSA, &scan, &error), KM_OK);
  while ((status = km_scan_next(scan, &entry, &error)) == KM_OK) {
    assert_int_equal(strlen(entry.name), entry.length);
    kinds[entry.kind]++;
  }
  assert_int_equal(status, KM_END);
  assert_int_equal(km_scan_next(scan, &entry, &error), KM_END);
  km_scan_close(scan);
  assert_int_equal(kinds[KM_NAME_CURRENT], 1);
  assert_int_equal(kinds[KM_NAME_FOREIGN], 1);
  assert_int_equal(kinds[KM_NAME_STRAY], 2);
  km_scan_close(NULL);
}

/* Without a machine GUID every unique name is foreign. */
static void test_scan_no_guid(void **state) {
  test_tree *tree = *state;
  km_survey *survey;
  km_error error;
  store_file(tree, HASH "_" TREE_GUID, "", 0);
  tree->target.info.guid[0] = 0;
  assert_int_equal(km_survey_store(&tree->target, NULL, 0, &survey, &error), KM_OK);
  assert_int_equal(survey->foreign, 1);
  assert_int_equal(survey->current, 0);
  km_survey_free(survey);
}

static void test_scan_other_stores(void **state) {
  test_tree *tree = *state;
  km_scan *scan;
  km_scan_entry entry;
  km_error error;
  assert_int_equal(km_scan_open(&tree->target, KM_STORE_CNG, &scan, &error), KM_NOT_FOUND);
  assert_null(scan);
  tree_file(tree, "programdata/microsoft/crypto/keys/" HASH "_" TREE_GUID, "x", 1);
  /* Two folders that differ in case alone: the exact one is taken, and it has no Keys. */
  assert_int_equal(km_scan_open(&tree->target, KM_STORE_CNG, &scan, &error), KM_NOT_FOUND);
  tree_file(tree, "ProgramData/Microsoft/Crypto/Keys/" HASH "_" TREE_GUID, "x", 1);
  assert_int_equal(km_scan_open(&tree->target, KM_STORE_CNG, &scan, &error), KM_OK);
  assert_int_equal(km_scan_next(scan, &entry, &error), KM_OK);
  assert_int_equal(entry.kind, KM_NAME_CURRENT);
  km_scan_close(scan);
  assert_int_equal(km_scan_open(&tree->target, (km_store_kind)7, &scan, &error), KM_MISUSE);
  tree->target.info.key_store_found = false;
  tree->target.info.key_store_problem = "the volume D: was not given";
  assert_int_equal(km_scan_open(&tree->target, KM_STORE_RSA, &scan, &error), KM_NOT_FOUND);
  assert_non_null(strstr(error.message, "the volume D: was not given"));
}

/* ---- Survey ---- */

static void test_survey(void **state) {
  test_tree *tree = *state;
  km_survey *survey;
  km_error error;
  const char *const hashes[] = {OTHER_HASH, "C2319C42033A5CA7F44E731BFD3FA2B5"};
  store_file(tree, HASH "_" TREE_GUID, "", 0);
  store_file(tree, HASH "_" OLD_GUID, "", 0);
  store_file(tree, "C2319C42033A5CA7F44E731BFD3FA2B5_" OLD_GUID ".OLD", "", 0);
  store_file(tree, HASH, "", 0);
  store_file(tree, OTHER_HASH "_AAAAAAAA-8888-7777-6666-555555555555", "", 0);
  store_file(tree, "00000000000000000000000000000000_" OLD_GUID, "", 0);
  store_file(tree, "c2319c42033a5ca7f44e731bfd3fa2b", "", 0);
  store_file(tree, "c2", "", 0);
  tree_folder(tree, TREE_STORE "/" HASH "_folder");
  tree_folder(tree, TREE_STORE "/" OTHER_HASH "_" TREE_GUID); /* in the place of a key file */
  tree_folder(tree, TREE_STORE "/"
                               "00000000000000000000000000000000_" TREE_GUID);
  assert_int_equal(km_survey_store(&tree->target, hashes, 2, &survey, &error), KM_OK);
  assert_int_equal(survey->files, 8);
  assert_int_equal(survey->current, 1);
  assert_int_equal(survey->foreign, 3);
  assert_int_equal(survey->stray, 4);
  assert_int_equal(survey->guid_count, 2);
  assert_string_equal(survey->guids[0].guid, OLD_GUID);
  assert_int_equal(survey->guids[0].files, 2);
  assert_string_equal(survey->guids[1].guid, "aaaaaaaa-8888-7777-6666-555555555555");
  assert_int_equal(survey->other_guids, 0);
  assert_int_equal(survey->match_count, 6);
  assert_false(survey->truncated);
  static const char *const names[] = {
      OTHER_HASH "_" TREE_GUID,
      OTHER_HASH "_AAAAAAAA-8888-7777-6666-555555555555",
      "C2319C42033A5CA7F44E731BFD3FA2B5_" OLD_GUID ".OLD",
      HASH,
      HASH "_" TREE_GUID,
      HASH "_" OLD_GUID,
  };
  size_t found = 0;
  for (size_t i = 0; i < survey->match_count; i++) {
    assert_true(i == 0 || strcmp(survey->matches[i - 1].name, survey->matches[i].name) < 0);
    for (size_t j = 0; j < COUNT_OF(names); j++) {
      found += !strcmp(survey->matches[i].name, names[j]);
    }
    assert_int_equal(survey->matches[i].hash, survey->matches[i].name[0] == '7' ? 0 : 1);
  }
  assert_int_equal(found, COUNT_OF(names));
  km_survey_free(survey);
  km_survey_free(NULL);
}

static void test_survey_limits(void **state) {
  test_tree *tree = *state;
  km_survey *survey;
  km_error error;
  const char *const hashes[] = {HASH};
  const int files = KM_MAX_MATCHES + 20;
  for (int i = 0; i < files; i++) {
    char name[128];
    snprintf(name, sizeof name, HASH "_%08x-8888-7777-6666-555555555555", i);
    store_file(tree, name, "", 0);
  }
  assert_int_equal(km_survey_store(&tree->target, hashes, 1, &survey, &error), KM_OK);
  assert_int_equal(survey->foreign, files);
  assert_int_equal(survey->guid_count, KM_MAX_GUIDS);
  assert_int_equal(survey->other_guids, files - KM_MAX_GUIDS);
  assert_int_equal(survey->match_count, KM_MAX_MATCHES);
  assert_true(survey->truncated);
  km_survey_free(survey);
}

/* Anybody may make files in the store: strays never crowd out the names that count. */
static void test_survey_strays(void **state) {
  test_tree *tree = *state;
  km_survey *survey;
  km_error error;
  const char *const hashes[] = {HASH};
  for (int i = 0; i < KM_MAX_MATCHES + 20; i++) {
    char name[128];
    snprintf(name, sizeof name, HASH "_%d", i);
    store_file(tree, name, "", 0);
  }
  store_file(tree, HASH "_" TREE_GUID, "", 0);
  store_file(tree, HASH "_" OLD_GUID, "", 0);
  assert_int_equal(km_survey_store(&tree->target, hashes, 1, &survey, &error), KM_OK);
  assert_int_equal(survey->stray, KM_MAX_MATCHES + 20);
  assert_int_equal(survey->match_count, KM_MAX_MATCHES + 2);
  assert_false(survey->truncated);
  size_t unique = 0;
  for (size_t i = 0; i < survey->match_count; i++) {
    unique += survey->matches[i].kind != KM_NAME_STRAY;
  }
  assert_int_equal(unique, 2);
  km_survey_free(survey);
}

static void test_survey_misuse(void **state) {
  test_tree *tree = *state;
  km_survey *survey;
  km_error error;
  static const char *const bad[] = {"", "c2", "c2319c42033a5ca7f44e731bfd3fa2b5a",
                                    "g2319c42033a5ca7f44e731bfd3fa2b5"};
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    assert_int_equal(km_survey_store(&tree->target, &bad[i], 1, &survey, &error), KM_MISUSE);
    assert_null(survey);
  }
}

/* ---- Inspection ---- */

/* A container without keys: ten u32 (version 2, the name's length third) and the name with its
 * NUL. */
static size_t make_keyless(uint8_t *out) {
  memset(out, 0, 40);
  out[0] = 2;
  out[8] = sizeof CONTAINER;
  memcpy(out + 40, CONTAINER, sizeof CONTAINER);
  return 40 + sizeof CONTAINER;
}

static void test_inspect(void **state) {
  test_tree *tree = *state;
  km_key_info *info = malloc(sizeof *info);
  km_error error;
  uint8_t file[256];
  char hash[KM_SHA256_TEXT];
  size_t size = make_keyless(file);
  assert_non_null(info);
  store_file(tree, HASH "_" OLD_GUID, file, size);
  store_file(tree, "damaged", file, size - 1);
  km_status status = km_key_inspect(&tree->target, KM_STORE_RSA, HASH "_" OLD_GUID, info, &error);
  assert_int_equal(status, KM_OK);
  assert_int_equal(info->parse_status, KM_OK);
  assert_string_equal(info->damage, "");
  assert_string_equal(info->key.container, CONTAINER);
  assert_string_equal(info->key.container_hash, HASH);
  assert_true(info->key.keyless);
  assert_int_equal(info->file.size, size);
  assert_false(info->cng);
  km_sha256(file, size, hash);
  assert_string_equal(info->sha256, hash);
  assert_int_equal(km_key_inspect(&tree->target, KM_STORE_RSA, "damaged", info, &error), KM_OK);
  assert_int_equal(info->parse_status, KM_DAMAGED);
  assert_true(info->damage[0] != 0);
  assert_true(info->sha256[0] != 0);
  assert_int_equal(km_key_inspect(&tree->target, KM_STORE_RSA, "none", info, &error), KM_NOT_FOUND);
  free(info);
}

static void test_inspect_odd(void **state) {
  test_tree *tree = *state;
  km_key_info *info = malloc(sizeof *info);
  km_error error;
  static uint8_t large[KM_MAX_KEY_FILE + 1];
  assert_non_null(info);
  store_file(tree, "large", large, sizeof large);
  assert_int_equal(symlink("large", tree_path(tree, TREE_STORE "/link")), 0);
  assert_int_equal(mkfifo(tree_path(tree, TREE_STORE "/pipe"), 0600), 0);
  tree_folder(tree, TREE_STORE "/folder");
  static const struct {
    const char *name;
    km_status status;
  } odd[] = {{"large", KM_LIMIT},
             {"link", KM_REFUSED},
             {"pipe", KM_REFUSED},
             {"folder", KM_REFUSED},
             {"a\\b", KM_MISUSE}};
  for (size_t i = 0; i < COUNT_OF(odd); i++) {
    km_status status = km_key_inspect(&tree->target, KM_STORE_RSA, odd[i].name, info, &error);
    assert_int_equal(status, KM_OK);
    assert_int_equal(info->parse_status, odd[i].status);
    assert_true(info->damage[0] != 0);
    assert_string_equal(info->sha256, "");
  }
  free(info);
}

static void test_time_source_ids(void **state) {
  (void)state;
  assert_string_equal(km_time_source_id(KM_TIME_NONE), "none");
  assert_string_equal(km_time_source_id(KM_TIME_NTFS), "ntfs");
  assert_string_equal(km_time_source_id(KM_TIME_FILE), "times-file");
  assert_string_equal(km_time_source_id(KM_TIME_BIRTH), "birth");
  assert_string_equal(km_time_source_id((km_time_source)99), "none");
}

/* ---- Master keys ---- */

#define PROTECT "WINDOWS/system32/Microsoft/Protect/S-1-5-18"
#define MASTER "fb1190c1-0000-4000-8000-123456789abc"

static void check_master(test_tree *tree, const char *guid, km_status wanted, bool there) {
  bool present = !there;
  km_error error;
  assert_int_equal(km_master_key_present(&tree->target, guid, &present, &error), wanted);
  assert_int_equal(present, there);
  km_file_info info;
  assert_int_equal(km_master_key_info(&tree->target, guid, &info, &error),
                   wanted == KM_OK && !there ? KM_NOT_FOUND : wanted);
  assert_int_equal(info.size, there ? 1 : 0);
  assert_int_equal(info.regular, there);
}

static void test_master_keys(void **state) {
  test_tree *tree = *state;
  check_master(tree, MASTER, KM_NOT_FOUND, false);
  tree_folder(tree, PROTECT);
  check_master(tree, MASTER, KM_OK, false);
  tree_file(tree, PROTECT "/FB1190C1-0000-4000-8000-123456789ABC", "", 0);
  check_master(tree, MASTER, KM_OK, false); /* an empty file is no key */
  tree_file(tree, PROTECT "/FB1190C1-0000-4000-8000-123456789ABC", "x", 1);
  check_master(tree, MASTER, KM_OK, true);
  check_master(tree, "FB1190C1-0000-4000-8000-123456789ABC", KM_OK, true);
  tree_file(tree, PROTECT "/User/aa1190c1-0000-4000-8000-123456789abc", "x", 1);
  check_master(tree, "aa1190c1-0000-4000-8000-123456789abc", KM_OK, true);
  check_master(tree, "bb1190c1-0000-4000-8000-123456789abc", KM_OK, false);
  check_master(tree, "Preferred", KM_MISUSE, false);
  check_master(tree, "", KM_MISUSE, false);
}

#define WITH_STORE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int test_scan(void) {
  const struct CMUnitTest tests[] = {
      WITH_STORE(test_scan_kinds),
      WITH_STORE(test_scan_no_guid),
      WITH_STORE(test_scan_other_stores),
      WITH_STORE(test_survey),
      WITH_STORE(test_survey_limits),
      WITH_STORE(test_survey_misuse),
      WITH_STORE(test_survey_strays),
      WITH_STORE(test_inspect),
      WITH_STORE(test_inspect_odd),
      WITH_STORE(test_master_keys),
      cmocka_unit_test(test_time_source_ids),
  };
  return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
