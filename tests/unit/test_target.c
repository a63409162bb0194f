/* test_target.c: opening an offline target, and the facts told of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"
#include "hive_builder.h"
#include "keymend.h"
#include "unit.h"
#include "volume_builder.h"

#define GUID "767e77b0-c6ad-4d27-8f44-b62351b7069a"
#define OLD "2ef9f45e-4dc2-48b1-9d10-86f5079e23f1"
#define OLDER "11111111-2222-3333-4444-555555555555"
#define NT "Microsoft\\Windows NT\\CurrentVersion"
#define EXPLORER "Microsoft\\Windows\\CurrentVersion\\Explorer\\"
#define STORE "/Microsoft/Crypto/RSA/MachineKeys"
#define LATER (HIVE_TIME + 864000000000)

/* ---- Volumes ---- */

static void save(const char *root, const char *path, hive_builder *hive, uint32_t sequence2,
                 int64_t written) {
  volume_file(root, path, "", 0);
  char *whole = volume_path(root, path);
  hive_save(hive, whole, 5, sequence2, written);
  free(whole);
}

static hive_builder *software(const char *guid) {
  hive_builder *hive = hive_new();
  size_t key = hive_key(hive, "Microsoft\\Cryptography");
  if (guid != NULL)
    hive_text(hive, key, "MachineGuid", SZ, guid);
  return hive;
}

static hive_builder *system_of(const char *computer) {
  hive_builder *hive = hive_new();
  hive_number(hive, hive_key(hive, "Select"), "Current", 3);
  size_t key = hive_key(hive, "ControlSet003\\Control\\ComputerName\\ComputerName");
  hive_text(hive, key, "ComputerName", SZ, computer);
  return hive;
}

static void put_hives(const char *root, const char *windows, hive_builder *soft) {
  char path[128];
  (void)snprintf(path, sizeof path, "%s/System32/config/SOFTWARE", windows);
  save(root, path, soft, 5, HIVE_TIME);
  (void)snprintf(path, sizeof path, "%s/System32/config/SYSTEM", windows);
  save(root, path, system_of("TIN"), 5, HIVE_TIME);
}

static km_target *open_target(const char *root) {
  km_target_options options = {.root = root};
  km_target *target = NULL;
  km_error error = {KM_OK, 0, ""};
  if (km_target_open(&options, &target, &error) != KM_OK)
    fail_msg("%s", error.message);
  return target;
}

static void check_failure(const km_target_options *options, km_status status, const char *words) {
  km_target *target = NULL;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(km_target_open(options, &target, &error), status);
  assert_null(target);
  assert_int_equal(error.status, status);
  if (strstr(error.message, words) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", words, error.message);
}

/* ---- Facts ---- */

static hive_builder *windows_2000(void) {
  hive_builder *hive = software(GUID);
  size_t key = hive_key(hive, NT);
  hive_time(hive, hive_key(hive, "Microsoft\\Cryptography"), 0x01C49A5B12345678);
  hive_text(hive, key, "ProductName", SZ, "Microsoft Windows 2000");
  hive_text(hive, key, "CurrentVersion", SZ, "5.0");
  hive_text(hive, key, "CurrentBuildNumber", SZ, "2195");
  hive_text(hive, key, "CSDVersion", SZ, "Service Pack 4");
  hive_text(hive, key, "SystemRoot", SZ, "C:\\WINNT");
  hive_number(hive, key, "InstallDate", 1095145680);
  hive_text(hive, hive_key(hive, EXPLORER "Shell Folders"), "Common AppData", SZ,
            "C:\\Dokumente und Einstellungen\\All Users\\Anwendungsdaten");
  return hive;
}

static void tells_windows_2000(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", windows_2000());
  volume_folder(root, "Dokumente und Einstellungen/All Users/Anwendungsdaten" STORE);
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_string_equal(info->backend, "offline");
  assert_string_equal(info->root, root);
  assert_string_equal(info->windows, "C:\\WINNT");
  assert_string_equal(info->product, "Microsoft Windows 2000");
  assert_string_equal(info->version, "5.0");
  assert_string_equal(info->build, "2195");
  assert_string_equal(info->service_pack, "Service Pack 4");
  assert_string_equal(info->computer, "TIN");
  char text[KM_TIME_TEXT];
  assert_string_equal(km_time_text(info->installed, text), "2004-09-14T07:08:00Z");
  assert_string_equal(info->machine_guid, GUID);
  assert_int_equal(info->guid_form, KM_GUID_PLAIN);
  assert_true(info->guid_written == 0x01C49A5B12345678);
  assert_string_equal(info->key_store, "C:\\Dokumente und Einstellungen\\All Users\\Anwendungsdaten"
                                       "\\Microsoft\\Crypto\\RSA\\MachineKeys");
  assert_true(info->key_store_found);
  assert_null(info->key_store_problem);
  assert_non_null(info->driver);
  assert_true(info->capability_count > 5);
  assert_int_equal(info->hive_count, 2);
  assert_string_equal(info->hives[0].path, "C:\\WINNT\\System32\\config\\SOFTWARE");
  assert_false(info->hives[0].dirty);
  assert_int_equal(info->old_guid_count, 0);
  km_target_close(target);
  volume_remove(root);
}

static void tells_windows_10(void **state) {
  (void)state;
  char *root = volume_new();
  hive_builder *hive = software("767E77B0-C6AD-4D27-8F44-B62351B7069A");
  size_t key = hive_key(hive, NT);
  hive_text(hive, key, "CurrentVersion", SZ, "6.3");
  hive_number(hive, key, "CurrentMajorVersionNumber", 10);
  hive_number(hive, key, "CurrentMinorVersionNumber", 0);
  hive_text(hive, key, "CurrentBuild", SZ, "19045");
  hive_text(hive, hive_key(hive, NT "\\ProfileList"), "ProgramData", EXPAND_SZ,
            "%SystemDrive%\\ProgramData");
  hive_text(hive, hive_key(hive, EXPLORER "User Shell Folders"), "Common AppData", EXPAND_SZ,
            "%ProgramData%");
  put_hives(root, "Windows", hive);
  volume_folder(root, "programdata" STORE);
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_string_equal(info->version, "10.0");
  assert_string_equal(info->build, "19045");
  assert_string_equal(info->product, "");
  assert_string_equal(info->service_pack, "");
  assert_int_equal(info->guid_form, KM_GUID_CASE);
  assert_string_equal(info->guid, GUID);
  assert_string_equal(info->app_data, "C:\\ProgramData");
  assert_true(info->key_store_found);
  km_target_close(target);
  volume_remove(root);
}

typedef struct folder_case {
  const char *what, *version;
  const char *shell, *user, *profiles, *all_users; /* registry texts, NULL: absent */
  const char *app_data;
} folder_case;

static const folder_case folder_cases[] = {
    {"nothing told, 2000", "5.0", NULL, NULL, NULL, NULL,
     "C:\\Documents and Settings\\All Users\\Application Data"},
    {"nothing told, Vista", "6.0", NULL, NULL, NULL, NULL, "C:\\ProgramData"},
    {"no version", NULL, NULL, NULL, NULL, NULL,
     "C:\\Documents and Settings\\All Users\\Application Data"},
    {"variables of 2000", "5.0", NULL, "%ALLUSERSPROFILE%\\Datos de programa",
     "%SystemDrive%\\Documents and Settings", "All Users",
     "C:\\Documents and Settings\\All Users\\Datos de programa"},
    {"localized profile", "5.1", NULL, NULL, "%SystemDrive%\\Dokumente", "Alle",
     "C:\\Dokumente\\Alle\\Application Data"},
    {"profiles in the Windows folder", "5.0", NULL, "%AllUsersProfile%\\Application Data",
     "%SystemRoot%\\Profiles", "All Users", "C:\\WINNT\\Profiles\\All Users\\Application Data"},
    {"a trailing backslash", "5.0", "C:\\AppData\\", NULL, NULL, NULL, "C:\\AppData"},
    {"no path, so the other key", "5.0", "nonsense", "c:\\Other", NULL, NULL, "c:\\Other"},
    {"a share, so the convention", "6.1", "\\\\server\\share", NULL, NULL, NULL, "C:\\ProgramData"},
    {"an unknown variable", "6.1", "%Nonsense%\\x", NULL, NULL, NULL, "C:\\ProgramData"},
    {"a lone percent sign", "6.1", "C:\\100%\\x", NULL, NULL, NULL, "C:\\100%\\x"},
    {"a variable of itself", "5.0", NULL, "%AllUsersProfile%\\x", "%AllUsersProfile%", "All Users",
     "C:\\Documents and Settings\\All Users\\Application Data"},
};

static void put_folders(hive_builder *hive, const folder_case *row) {
  if (row->version != NULL)
    hive_text(hive, hive_key(hive, NT), "CurrentVersion", SZ, row->version);
  if (row->shell != NULL)
    hive_text(hive, hive_key(hive, EXPLORER "Shell Folders"), "Common AppData", SZ, row->shell);
  if (row->user != NULL)
    hive_text(hive, hive_key(hive, EXPLORER "User Shell Folders"), "Common AppData", EXPAND_SZ,
              row->user);
  if (row->profiles != NULL)
    hive_text(hive, hive_key(hive, NT "\\ProfileList"), "ProfilesDirectory", EXPAND_SZ,
              row->profiles);
  if (row->all_users != NULL)
    hive_text(hive, hive_key(hive, NT "\\ProfileList"), "AllUsersProfile", SZ, row->all_users);
}

static void finds_common_app_data(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(folder_cases); i++) {
    char *root = volume_new();
    hive_builder *hive = software(GUID);
    put_folders(hive, &folder_cases[i]);
    put_hives(root, "WINNT", hive);
    km_target *target = open_target(root);
    const km_target_info *info = km_target_describe(target);
    if (strcmp(info->app_data, folder_cases[i].app_data) != 0)
      print_message("%s\n", folder_cases[i].what);
    assert_string_equal(info->app_data, folder_cases[i].app_data);
    assert_false(info->key_store_found);
    assert_non_null(info->key_store_problem);
    km_target_close(target);
    volume_remove(root);
  }
}

/* ---- Drives ---- */

static hive_builder *store_on(const char *folder, const char *system_root) {
  hive_builder *hive = software(GUID);
  hive_text(hive, hive_key(hive, NT), "SystemRoot", SZ, system_root);
  hive_text(hive, hive_key(hive, EXPLORER "Shell Folders"), "Common AppData", SZ, folder);
  return hive;
}

static void asks_for_the_other_volume(void **state) {
  (void)state;
  char *root = volume_new(), *other = volume_new();
  put_hives(root, "WINNT", store_on("E:\\Data", "C:\\WINNT"));
  volume_folder(other, "data" STORE);
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_false(info->key_store_found);
  assert_non_null(strstr(info->key_store_problem, "--volume E:"));
  km_target_close(target);
  km_volume_option volume = {'e', other};
  km_target_options options = {.root = root, .volumes = &volume, .volume_count = 1};
  assert_int_equal(km_target_open(&options, &target, NULL), KM_OK);
  assert_true(km_target_describe(target)->key_store_found);
  km_target_close(target);
  volume_remove(other);
  volume_remove(root);
}

static void takes_the_letter_from_the_registry(void **state) {
  (void)state;
  char *root = volume_new(), *other = volume_new();
  put_hives(root, "WINNT", store_on("D:\\Data", "d:\\WINNT"));
  volume_folder(root, "Data" STORE);
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_string_equal(info->windows, "D:\\WINNT");
  assert_string_equal(info->hives[1].path, "D:\\WINNT\\System32\\config\\SYSTEM");
  assert_true(info->key_store_found);
  km_registry_value value;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(km_registry_read(target, "SOFTWARE\\Microsoft", "x", &value, &error),
                   KM_NOT_FOUND);
  assert_non_null(strstr(error.message, "D:\\WINNT\\System32\\config\\SOFTWARE"));
  km_target_close(target);
  km_volume_option volume = {'D', other};
  km_target_options options = {.root = root, .volumes = &volume, .volume_count = 1};
  check_failure(&options, KM_MISUSE, "D:");
  volume_remove(other);
  volume_remove(root);
}

static void does_not_follow_a_link_to_the_store(void **state) {
  (void)state;
  char *root = volume_new(), *other = volume_new();
  put_hives(root, "WINNT", store_on("C:\\Data", "C:\\WINNT"));
  volume_folder(other, "Microsoft/Crypto/RSA/MachineKeys");
  char *link = volume_path(root, "Data");
  assert_int_equal(symlink(other, link), 0);
  free(link);
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_false(info->key_store_found);
  assert_true(info->key_store_problem[0] != '\0');
  km_target_close(target);
  volume_remove(root);
  volume_remove(other);
}

/* ---- The Windows folder ---- */

static void says_what_was_tried(void **state) {
  (void)state;
  char *root = volume_new();
  km_target_options options = {.root = root};
  check_failure(&options, KM_NOT_FOUND, "holds no folder");
  volume_folder(root, "Documents and Settings");
  volume_folder(root, "WINNT/system32/config");
  check_failure(&options, KM_NOT_FOUND, "in Documents and Settings, WINNT;");
  check_failure(&options, KM_NOT_FOUND, "--root");
  volume_file(root, "WINNT/system32/config/software", "x", 1);
  check_failure(&options, KM_NOT_FOUND, "SYSTEM"); /* one hive is not enough */
  volume_file(root, "WINNT/system32/config/system", "x", 1);
  char *inside = volume_path(root, "WINNT");
  options.root = inside;
  check_failure(&options, KM_NOT_FOUND, "the Windows folder itself");
  free(inside);
  options.root = "/nonexistent";
  check_failure(&options, KM_NOT_FOUND, "/nonexistent");
  volume_remove(root);
}

static void refuses_two_windows_folders(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", software(GUID));
  put_hives(root, "Windows", software(OLD));
  volume_folder(root, "Other");
  km_target_options options = {.root = root};
  check_failure(&options, KM_REFUSED, "WINNT, Windows");
  check_failure(&options, KM_REFUSED, "--windows");
  km_target *target = NULL;
  options.windows = "windows";
  assert_int_equal(km_target_open(&options, &target, NULL), KM_OK);
  assert_string_equal(km_target_describe(target)->guid, OLD);
  km_target_close(target);
  options.windows = "Other";
  check_failure(&options, KM_NOT_FOUND, "Other");
  options.windows = "..";
  check_failure(&options, KM_MISUSE, "--windows");
  options.windows = "a\\b";
  check_failure(&options, KM_MISUSE, "--windows");
  volume_remove(root);
}

static void names_a_linked_windows_folder(void **state) {
  (void)state;
  char *root = volume_new(), *other = volume_new();
  put_hives(other, "WINNT", software(GUID));
  char *link = volume_path(root, "WINNT"), *there = volume_path(other, "WINNT");
  assert_int_equal(symlink(there, link), 0);
  km_target_options options = {.root = root};
  check_failure(&options, KM_NOT_FOUND, "Not followed: WINNT");
  free(there);
  free(link);
  volume_remove(root);
  volume_remove(other);
}

static void has_no_live_target_here(void **state) {
  (void)state;
  km_target_options options = {.root = NULL};
  check_failure(&options, KM_UNSUPPORTED, "--root");
}

static void refuses_a_damaged_hive(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", software(GUID));
  char junk[9000];
  memset(junk, 'x', sizeof junk);
  volume_file(root, "WINNT/System32/config/SOFTWARE", junk, sizeof junk);
  km_target_options options = {.root = root};
  check_failure(&options, KM_DAMAGED, "SOFTWARE");
  put_hives(root, "WINNT", software(GUID));
  volume_file(root, "WINNT/System32/config/SYSTEM", "", 0);
  check_failure(&options, KM_DAMAGED, "SYSTEM");
  volume_remove(root);
}

static void tells_dirty_hives(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", software(GUID));
  save(root, "WINNT/System32/config/SOFTWARE", software(GUID), 4, HIVE_TIME);
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_string_equal(info->hives[0].name, "SOFTWARE");
  assert_int_equal(info->hives[0].sequence1, 5);
  assert_int_equal(info->hives[0].sequence2, 4);
  assert_true(info->hives[0].dirty);
  assert_false(info->hives[1].dirty);
  km_target_close(target);
  volume_remove(root);
}

/* ---- Machine GUIDs ---- */

/* Values that are no machine GUID, and what is shown of them. */
typedef struct guid_case {
  const char *data;
  size_t size;
  const char *raw;
  uint32_t type;
} guid_case;

static const guid_case guid_cases[] = {
    {"{\0}\0\0\0", 6, "{}", SZ},
    {"", 0, "", SZ},
    {"\x1b\0\0\0", 4, "\x1b", SZ},
    {"\1\2\xff", 3, "(registry type 3, 3 bytes: 01 02 ff)", BINARY},
    {"abcdefghijklmnopqrstuvwxyz", 26,
     "(registry type 3, 26 bytes: 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70 71 72 73 74 75 "
     "76 77 "
     "78 ...)",
     BINARY},
    {"%\0x\0%\0\0\0", 8, "%x%", EXPAND_SZ},
    {"\1\0\0\0", 4, "(registry type 4, 4 bytes: 01 00 00 00)", DWORD},
};

static void tells_odd_machine_guids(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(guid_cases); i++) {
    const guid_case *row = &guid_cases[i];
    char *root = volume_new();
    hive_builder *hive = software(NULL);
    hive_data(hive, hive_key(hive, "Microsoft\\Cryptography"), "MachineGuid", row->type, row->data,
              row->size);
    put_hives(root, "WINNT", hive);
    km_target *target = open_target(root);
    const km_target_info *info = km_target_describe(target);
    assert_int_equal(info->guid_form, KM_GUID_MALFORMED);
    assert_string_equal(info->machine_guid, row->raw);
    assert_string_equal(info->guid, "");
    km_target_close(target);
    volume_remove(root);
  }
}

static void tells_an_absent_machine_guid(void **state) {
  (void)state;
  for (int with_key = 0; with_key < 2; with_key++) {
    char *root = volume_new();
    put_hives(root, "WINNT", with_key ? software(NULL) : hive_new());
    km_target *target = open_target(root);
    const km_target_info *info = km_target_describe(target);
    assert_int_equal(info->guid_form, KM_GUID_ABSENT);
    assert_null(info->machine_guid);
    assert_string_equal(info->guid, "");
    assert_true((info->guid_written != 0) == with_key);
    assert_string_equal(info->version, "");
    km_target_close(target);
    volume_remove(root);
  }
}

static void lists_old_guids(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", software(GUID));
  hive_builder *hive = software(OLD);
  hive_time(hive, hive_key(hive, "Microsoft\\Cryptography"), HIVE_TIME - 7);
  save(root, "WINNT/repair/software", hive, 5, HIVE_TIME);
  save(root, "WINNT/repair/RegBack/SOFTWARE", software("{" OLDER "}"), 5, LATER);
  save(root, "WINNT/System32/config/RegBack/SOFTWARE", software(OLD), 5, LATER + 1);
  save(root, "WINNT/System32/config/software.sav", software(GUID), 5, LATER); /* the present one */
  km_target *target = open_target(root);
  const km_target_info *info = km_target_describe(target);
  assert_int_equal(info->old_guid_count, 3);
  assert_string_equal(info->old_guids[0].guid, OLD);
  assert_string_equal(info->old_guids[0].path, "C:\\WINNT\\System32\\config\\RegBack\\SOFTWARE");
  assert_string_equal(info->old_guids[1].guid, OLDER);
  assert_true(info->old_guids[1].saved == LATER);
  assert_string_equal(info->old_guids[2].guid, OLD);
  assert_true(info->old_guids[2].saved == HIVE_TIME);
  assert_true(info->old_guids[2].written == HIVE_TIME - 7);
  km_target_close(target);
  volume_remove(root);
}

static void passes_over_useless_backups(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", software(GUID));
  volume_file(root, "WINNT/System32/config/RegBack/SOFTWARE", "", 0); /* as Windows 10 leaves it */
  char junk[20000];
  memset(junk, 'x', sizeof junk);
  volume_file(root, "WINNT/repair/software", junk, sizeof junk);
  save(root, "WINNT/repair/RegBack/software", software(NULL), 5, LATER);
  save(root, "WINNT/System32/config/SOFTWARE.sav", software("none"), 5, LATER);
  volume_folder(root, "WINNT/System32/config/RegBack/SOFTWARE.OLD");
  km_target *target = open_target(root);
  assert_int_equal(km_target_describe(target)->old_guid_count, 0);
  km_target_close(target);
  volume_remove(root);
}

/* ---- Reading leaves no trace ---- */

static void moves_no_access_time(void **state) {
  (void)state;
  static const char *const files[] = {"WINNT/System32/config/SOFTWARE",
                                      "WINNT/System32/config/SYSTEM",
                                      "WINNT/repair/software",
                                      "WINNT/System32/config",
                                      "WINNT",
                                      ""};
  char *root = volume_new();
  put_hives(root, "WINNT", windows_2000());
  save(root, "WINNT/repair/software", software(OLD), 5, HIVE_TIME);
  const struct timespec past[2] = {{1000000000, 0}, {1000000000, 0}};
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    char *path = volume_path(root, files[i]);
    assert_int_equal(utimensat(-1, path, past, 0), 0);
    free(path);
  }
  km_target_close(open_target(root));
  for (size_t i = 0; i < COUNT_OF(files); i++) {
    struct stat st;
    char *path = volume_path(root, files[i]);
    assert_int_equal(stat(path, &st), 0);
    free(path);
    if (st.st_atime != 1000000000 || st.st_mtime != 1000000000)
      fail_msg("%s was touched", files[i]);
  }
  volume_remove(root);
}

/* ---- Registry ---- */

static bool count_keys(void *user, const char *name, km_time written) {
  size_t *count = user;
  assert_true(name[0] != '\0' && written != 0);
  (*count)++;
  return true;
}

static void reads_the_registry_by_path(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", windows_2000());
  km_target *target = open_target(root);
  km_registry_value value;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(
      km_registry_read(target, "software\\microsoft\\CRYPTOGRAPHY\\", "machineguid", &value, NULL),
      KM_OK);
  assert_string_equal(value.text, GUID);
  km_registry_value_free(&value);
  static const char *const computer =
      "SYSTEM\\CURRENTcontrolset\\Control\\ComputerName\\ComputerName";
  assert_int_equal(km_registry_read(target, computer, "ComputerName", &value, NULL), KM_OK);
  assert_string_equal(value.text, "TIN");
  km_registry_value_free(&value);
  assert_int_equal(km_registry_read(target, "SOFTWARE\\Nothing\\Here", "x", &value, &error),
                   KM_NOT_FOUND);
  assert_non_null(strstr(error.message, "key SOFTWARE\\Nothing\\Here: hive C:\\WINNT"));
  assert_int_equal(km_registry_read(target, "SECURITY\\Policy", "x", &value, &error), KM_NOT_FOUND);
  assert_int_equal(km_registry_read(target, "", "x", &value, &error), KM_MISUSE);
  char long_path[3000];
  memset(long_path, 'x', sizeof long_path);
  memcpy(long_path, "SOFTWARE\\", 9);
  long_path[sizeof long_path - 1] = '\0';
  assert_int_equal(km_registry_read(target, long_path, "x", &value, &error), KM_NOT_FOUND);
  size_t count = 0;
  assert_int_equal(km_registry_keys(target, "SOFTWARE\\Microsoft", count_keys, &count, NULL),
                   KM_OK);
  assert_int_equal(count, 3);
  km_target_close(target);
  volume_remove(root);
}

/* SECURITY is opened when it is asked for, and its absence or damage is no failure of the target. */
static void reads_the_hive_security(void **state) {
  (void)state;
  char *root = volume_new();
  put_hives(root, "WINNT", windows_2000());
  km_target *target = open_target(root);
  km_registry_value value;
  km_error error = {KM_OK, 0, ""};
  assert_int_equal(km_registry_read(target, "SECURITY\\Policy", "", &value, &error), KM_NOT_FOUND);
  assert_int_equal(km_target_describe(target)->hive_count, 2);
  km_target_close(target);

  hive_builder *security = hive_new();
  size_t at = hive_key(security, "Policy\\PolSecretEncryptionKey");
  hive_data(security, at, "", BINARY, "secret bytes", 12);
  hive_class(security, at, "a class");
  char *path = volume_path(root, "WINNT/System32/config/SECURITY");
  hive_save(security, path, 1, 1, HIVE_TIME);
  target = open_target(root);
  assert_int_equal(
      km_registry_read(target, "security\\policy\\PolSecretEncryptionKey", "", &value, &error),
      KM_OK);
  assert_int_equal(value.size, 12);
  assert_memory_equal(value.data, "secret bytes", 12);
  km_registry_value_free(&value);
  char *text = NULL;
  assert_int_equal(
      km_registry_class(target, "SECURITY\\Policy\\PolSecretEncryptionKey", &text, &error), KM_OK);
  assert_string_equal(text, "a class");
  km_secret_free(text, strlen(text) + 1);
  assert_int_equal(km_registry_class(target, "SYSTEM\\Select", &text, &error), KM_NOT_FOUND);
  km_target_close(target);

  write_file(path, "no hive", 7);
  free(path);
  target = open_target(root);
  assert_int_equal(km_registry_read(target, "SECURITY\\Policy", "", &value, &error), KM_DAMAGED);
  assert_int_equal(km_registry_read(target, "SYSTEM\\Select", "Current", &value, &error), KM_OK);
  km_registry_value_free(&value);
  km_target_close(target);
  volume_remove(root);
}

int test_target(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_windows_2000),
      cmocka_unit_test(tells_windows_10),
      cmocka_unit_test(finds_common_app_data),
      cmocka_unit_test(asks_for_the_other_volume),
      cmocka_unit_test(takes_the_letter_from_the_registry),
      cmocka_unit_test(does_not_follow_a_link_to_the_store),
      cmocka_unit_test(says_what_was_tried),
      cmocka_unit_test(refuses_two_windows_folders),
      cmocka_unit_test(names_a_linked_windows_folder),
      cmocka_unit_test(has_no_live_target_here),
      cmocka_unit_test(refuses_a_damaged_hive),
      cmocka_unit_test(tells_dirty_hives),
      cmocka_unit_test(tells_odd_machine_guids),
      cmocka_unit_test(tells_an_absent_machine_guid),
      cmocka_unit_test(lists_old_guids),
      cmocka_unit_test(passes_over_useless_backups),
      cmocka_unit_test(moves_no_access_time),
      cmocka_unit_test(reads_the_registry_by_path),
      cmocka_unit_test(reads_the_hive_security),
  };
  return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
