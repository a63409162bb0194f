/* test_services.c: the service graph, and the order to stop and start services in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "hive_builder.h"
#include "keymend.h"
#include "unit.h"
#include "volume_builder.h"

#define SERVICES "ControlSet001\\Services\\"
#define CONFIG "WINNT/system32/config/"

/* One row a service. `needs` and `groups` are lines; "" for none. Start 9: no value. */
typedef struct row {
  const char *name;
  uint32_t type, start;
  const char *group, *needs, *groups;
} row;

typedef struct fixture {
  char *root;
  km_target *target;
  km_services *services;
} fixture;

static void put_service(hive_builder *hive, const row *r) {
  char path[256];
  (void)snprintf(path, sizeof path, SERVICES "%s", r->name);
  size_t key = hive_key(hive, path);
  if (r->type != 0)
    hive_number(hive, key, "Type", r->type);
  if (r->start != 9)
    hive_number(hive, key, "Start", r->start);
  if (r->group[0] != '\0')
    hive_text(hive, key, "Group", SZ, r->group);
  if (r->needs[0] != '\0')
    hive_text(hive, key, "DependOnService", MULTI_SZ, r->needs);
  if (r->groups[0] != '\0')
    hive_text(hive, key, "DependOnGroup", MULTI_SZ, r->groups);
}

/* A volume whose SYSTEM is `system`; the SOFTWARE hive is empty. */
static void open_volume(fixture *f, hive_builder *system) {
  f->root = volume_new();
  volume_folder(f->root, CONFIG);
  char *path = volume_path(f->root, CONFIG "SOFTWARE");
  hive_save(hive_new(), path, 1, 1, HIVE_TIME);
  free(path);
  path = volume_path(f->root, CONFIG "SYSTEM");
  hive_save(system, path, 1, 1, HIVE_TIME);
  free(path);
  km_target_options options = {.root = f->root};
  km_error error = {KM_OK, 0, ""};
  if (km_target_open(&options, &f->target, &error) != KM_OK)
    fail_msg("%s", error.message);
}

static void load(fixture *f, const row *rows, size_t count) {
  hive_builder *system = hive_new();
  hive_number(system, hive_key(system, "Select"), "Current", 1);
  (void)hive_key(system, "ControlSet001\\Services");
  for (size_t i = 0; i < count; i++)
    put_service(system, &rows[i]);
  open_volume(f, system);
  km_error error = {KM_OK, 0, ""};
  if (km_services_load(f->target, &f->services, &error) != KM_OK)
    fail_msg("%s", error.message);
}

static void unload(fixture *f) {
  km_services_free(f->services);
  km_target_close(f->target);
  volume_remove(f->root);
}

static void check_names(const km_service **list, size_t count, const char *expected) {
  char text[512] = "";
  for (size_t i = 0; i < count; i++) {
    (void)strncat(text, i == 0 ? "" : " ", sizeof text - strlen(text) - 1);
    (void)strncat(text, list[i]->name, sizeof text - strlen(text) - 1);
  }
  assert_string_equal(text, expected);
}

static void check_order(const fixture *f, const char *pattern, bool dependents, const char *stop,
                        const char *start, const char *cycles, const char *missing) {
  km_service_order *order = NULL;
  const char *const patterns[] = {pattern};
  assert_int_equal(km_services_order(f->services, patterns, 1, dependents, &order, NULL), KM_OK);
  check_names(order->stop, order->stop_count, stop);
  check_names(order->start, order->start_count, start);
  char text[512] = "";
  for (size_t i = 0; i < order->cycle_count; i++) {
    (void)strncat(text, order->cycles[i], sizeof text - strlen(text) - 1);
    (void)strncat(text, ";", sizeof text - strlen(text) - 1);
  }
  assert_string_equal(text, cycles);
  text[0] = '\0';
  for (size_t i = 0; i < order->missing_count; i++) {
    (void)strncat(text, order->missing[i], sizeof text - strlen(text) - 1);
    (void)strncat(text, ";", sizeof text - strlen(text) - 1);
  }
  assert_string_equal(text, missing);
  km_service_order_free(order);
}

/* IIS 5.0 and what stands around it. */
static const row iis[] = {
    {"W3SVC", 0x20, 2, "", "IISADMIN", ""},
    {"IISADMIN", 0x20, 2, "", "RPCSS\nProtectedStorage", ""},
    {"MSFTPSVC", 0x20, 4, "", "IISADMIN", ""},
    {"SMTPSVC", 0x20, 2, "", "IISADMIN\nEventlog", ""},
    {"RpcSs", 0x20, 2, "", "", ""},
    {"ProtectedStorage", 0x110, 2, "", "RpcSs", ""},
    {"Eventlog", 0x20, 2, "Event log", "", ""},
    {"SMS_EXECUTIVE", 0x10, 2, "", "W3SVC", ""},
    {"SMS_SITE", 0x10, 3, "", "", ""},
    {"Tcpip", 1, 1, "PNP_TDI", "", ""},
    {"ASP.NET", 0, 9, "", "", ""},
};

static void loads_by_name_ignoring_case(void **state) {
  (void)state;
  fixture f;
  load(&f, iis, COUNT_OF(iis));
  assert_int_equal(km_services_count(f.services), COUNT_OF(iis));
  assert_string_equal(km_services_at(f.services, 0)->name, "ASP.NET");
  assert_string_equal(km_services_at(f.services, 5)->name, "RpcSs");
  assert_null(km_services_at(f.services, COUNT_OF(iis)));
  const km_service *admin = km_services_find(f.services, "iisadmin");
  assert_non_null(admin);
  assert_string_equal(admin->name, "IISADMIN");
  assert_int_equal(admin->start, 2);
  assert_int_equal(admin->type, 0x20);
  assert_string_equal(admin->depends[0], "RPCSS");
  assert_string_equal(admin->depends[1], "ProtectedStorage");
  assert_null(admin->depends[2]);
  assert_null(admin->depends_groups[0]);
  assert_null(km_services_find(f.services, "iis"));
  const km_service *none = km_services_find(f.services, "ASP.NET");
  assert_int_equal(none->start, -1);
  assert_int_equal(none->type, -1);
  assert_string_equal(none->display, "");
  unload(&f);
}

static void stops_dependents_first(void **state) {
  (void)state;
  fixture f;
  load(&f, iis, COUNT_OF(iis));
  check_order(&f, "IISADMIN", true, "MSFTPSVC SMTPSVC SMS_EXECUTIVE W3SVC IISADMIN",
              "IISADMIN W3SVC SMS_EXECUTIVE SMTPSVC", "", "");
  check_order(&f, "iisadmin", false, "IISADMIN", "IISADMIN", "", "");
  check_order(&f, "W3SVC", true, "SMS_EXECUTIVE W3SVC", "W3SVC SMS_EXECUTIVE", "", "");
  check_order(&f, "SMS_*", true, "SMS_EXECUTIVE SMS_SITE", "SMS_EXECUTIVE SMS_SITE", "", "");
  check_order(&f, "MSFTPSVC", true, "MSFTPSVC", "", "", ""); /* disabled: not started */
  unload(&f);
}

/* What needs a disabled service cannot start either, however far away and outside the order that is; a disabled
 * member of a group stops nobody. */
static void leaves_out_what_cannot_start(void **state) {
  (void)state;
  static const row rows[] = {
      {"A", 0x20, 2, "", "B", ""},   {"B", 0x20, 2, "", "C", ""}, {"C", 0x20, 4, "Net", "", ""},
      {"D", 0x20, 2, "", "", "Net"}, {"E", 0x20, 2, "", "", ""},
  };
  fixture f;
  load(&f, rows, COUNT_OF(rows));
  check_order(&f, "A", false, "A", "", "", "");
  check_order(&f, "*", false, "A B D C E", "D E", "", "");
  unload(&f);
}

static void tells_what_fits_nothing(void **state) {
  (void)state;
  fixture f;
  load(&f, iis, COUNT_OF(iis));
  check_order(&f, "CcmExec", true, "", "", "", "CcmExec fits no service;");
  check_order(&f, "ASP.NET", true, "", "", "",
              "ASP.NET is no service: its key has neither Type nor Start;");
  check_order(&f, "Tcpip", true, "", "", "", ""); /* a driver is found, and left alone */
  unload(&f);
}

static void names_missing_dependencies(void **state) {
  (void)state;
  static const row rows[] = {
      {"A", 0x20, 2, "", "Gone\nB\nOld", ""},
      {"B", 0x20, 2, "", "", ""},
      {"Old", 0, 9, "", "", ""},
      {"C", 0x20, 2, "", "AlsoGone", ""},
  };
  fixture f;
  load(&f, rows, COUNT_OF(rows));
  check_order(&f, "A", true, "A", "A", "",
              "A needs Gone, which does not exist;A needs Old, which does not exist;");
  unload(&f);
}

static void follows_groups(void **state) {
  (void)state;
  static const row rows[] = {
      {"Net", 0x20, 2, "TDI", "", ""},       {"Driver", 1, 1, "TDI", "Deep", ""},
      {"Deep", 0x20, 2, "", "", ""},         {"User", 0x20, 2, "", "", "tdi"},
      {"User2", 0x20, 2, "", "+TDI\nB", ""}, {"B", 0x20, 2, "", "", "NoSuchGroup"},
  };
  fixture f;
  load(&f, rows, COUNT_OF(rows));
  const km_service *user = km_services_find(f.services, "User2");
  assert_string_equal(user->depends[0], "B");
  assert_null(user->depends[1]);
  assert_string_equal(user->depends_groups[0], "TDI");
  check_order(&f, "Net", true, "User User2 Net", "Net User User2", "", "");
  /* Through a driver, which itself is left alone. */
  check_order(&f, "Deep", true, "User User2 Deep", "Deep User User2", "", "");
  check_order(&f, "B", true, "User2 B", "B User2", "", "");
  unload(&f);
}

static void orders_through_what_is_not_asked_for(void **state) {
  (void)state;
  static const row rows[] = {
      {"A1", 0x20, 2, "", "M", ""}, {"M", 0x20, 2, "", "Z1", ""}, {"Z1", 0x20, 2, "", "", ""}};
  fixture f;
  load(&f, rows, COUNT_OF(rows));
  check_order(&f, "?1", false, "A1 Z1", "Z1 A1", "", "");
  unload(&f);
}

static void names_cycles_once(void **state) {
  (void)state;
  static const row rows[] = {
      {"A", 0x20, 2, "", "B", ""},          {"B", 0x20, 2, "", "A", ""},
      {"C", 0x20, 2, "", "C", ""},          {"D", 0x20, 2, "G", "", "H"},
      {"E", 0x20, 2, "H", "", "G"},         {"Self", 0x20, 2, "Own", "", "Own"},
      {"Self2", 0x20, 2, "Own", "", "Own"},
  };
  fixture f;
  load(&f, rows, COUNT_OF(rows));
  check_order(&f, "A", true, "B A", "B A", "A -> B -> A;", "");
  check_order(&f, "C", true, "C", "C", "C -> C;", "");
  check_order(&f, "D", true, "E D", "E D", "D -> +H -> E -> +G -> D;", "");
  check_order(&f, "Self*", true, "Self2 Self", "Self2 Self", "", "");
  unload(&f);
}

/* 5000 services, each of which needs the one before it: the depth does not matter. */
static void bears_a_long_chain(void **state) {
  (void)state;
  enum { LENGTH = 5000 };
  hive_builder *system = hive_new();
  hive_number(system, hive_key(system, "Select"), "Current", 1);
  size_t services = hive_key(system, "ControlSet001\\Services");
  for (int i = 0; i < LENGTH; i++) {
    uint16_t name[5];
    char needs[8];
    for (int k = 4, n = i; k >= 0; k--, n /= 10)
      name[k] = (uint16_t)('0' + n % 10);
    size_t key = hive_wide_key(system, services, name, 5);
    hive_number(system, key, "Type", 0x20);
    hive_number(system, key, "Start", 2);
    (void)snprintf(needs, sizeof needs, "%05d", (i + LENGTH - 1) % LENGTH);
    hive_text(system, key, "DependOnService", SZ, needs); /* not REG_MULTI_SZ: borne */
  }
  fixture f;
  open_volume(&f, system);
  assert_int_equal(km_services_load(f.target, &f.services, NULL), KM_OK);
  assert_int_equal(km_services_count(f.services), LENGTH);
  km_service_order *order = NULL;
  const char *const patterns[] = {"00000"};
  assert_int_equal(km_services_order(f.services, patterns, 1, true, &order, NULL), KM_OK);
  assert_int_equal(order->stop_count, LENGTH);
  assert_int_equal(order->start_count, LENGTH);
  assert_int_equal(order->cycle_count, 1);
  assert_non_null(strstr(order->cycles[0], "00000 -> 04999 -> "));
  assert_non_null(strstr(order->cycles[0], " -> ... -> 00000"));
  km_service_order_free(order);
  unload(&f);
}

/* The hive's control sets are told apart by Select. */
static void reads_the_current_control_set(void **state) {
  (void)state;
  hive_builder *system = hive_new();
  hive_number(system, hive_key(system, "Select"), "Current", 2);
  hive_number(system, hive_key(system, SERVICES "Old"), "Type", 0x20);
  hive_number(system, hive_key(system, "ControlSet002\\Services\\New"), "Type", 0x20);
  fixture f;
  open_volume(&f, system);
  assert_int_equal(km_services_load(f.target, &f.services, NULL), KM_OK);
  assert_int_equal(km_services_count(f.services), 1);
  assert_string_equal(km_services_at(f.services, 0)->name, "New");
  unload(&f);
}

static void says_why_there_is_no_graph(void **state) {
  (void)state;
  static const uint32_t currents[] = {0, 3, 1000, 0xffffffff};
  static const km_status expected[] = {KM_DAMAGED, KM_NOT_FOUND, KM_DAMAGED, KM_DAMAGED};
  for (size_t i = 0; i < COUNT_OF(currents); i++) {
    hive_builder *system = hive_new();
    hive_number(system, hive_key(system, "Select"), "Current", currents[i]);
    (void)hive_key(system, "ControlSet001\\Services");
    fixture f = {.services = NULL};
    open_volume(&f, system);
    km_error error = {KM_OK, 0, ""};
    assert_int_equal(km_services_load(f.target, &f.services, &error), expected[i]);
    assert_null(f.services);
    assert_true(error.message[0] != '\0');
    unload(&f);
  }
}

/* ---- Real hives ---- */

typedef struct real_system {
  const char *path, *computer;
  size_t services;
} real_system;

static const real_system real_systems[] = {
    {"hives/regipy_SYSTEM_B/SYSTEM", "DESKTOP-PM6C56D", 655},
    {"hives/other/libyal_SYSTEM", "IECOMPATVHD", 268},
};

static void check_complete(const km_services *services) {
  km_service_order *order = NULL;
  const char *const patterns[] = {"*"};
  size_t count = 0;
  for (size_t i = 0; i < km_services_count(services); i++) {
    const km_service *s = km_services_at(services, i);
    count += (s->type & 0x30) != 0 && (s->type != -1 || s->start != -1);
  }
  assert_int_equal(km_services_order(services, patterns, 1, true, &order, NULL), KM_OK);
  assert_int_equal(order->stop_count, count);
  assert_int_equal(order->cycle_count, 0);
  for (size_t i = 0; i < order->stop_count; i++) {
    const char *const *name = order->stop[i]->depends;
    for (; *name != NULL; name++) {
      for (size_t k = 0; k < i; k++)
        assert_true(km_services_find(services, *name) != order->stop[k]);
    }
  }
  km_service_order_free(order);
}

static void reads_real_hives(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT_OF(real_systems); i++) {
    size_t size;
    uint8_t *bytes = test_data_read(real_systems[i].path, &size);
    if (bytes == NULL)
      skip();
    fixture f;
    f.root = volume_new();
    volume_file(f.root, CONFIG "SYSTEM", bytes, size);
    free(bytes);
    char *path = volume_path(f.root, CONFIG "SOFTWARE");
    hive_save(hive_new(), path, 1, 1, HIVE_TIME);
    free(path);
    km_target_options options = {.root = f.root};
    assert_int_equal(km_target_open(&options, &f.target, NULL), KM_OK);
    assert_string_equal(km_target_describe(f.target)->computer, real_systems[i].computer);
    assert_int_equal(km_services_load(f.target, &f.services, NULL), KM_OK);
    assert_int_equal(km_services_count(f.services), real_systems[i].services);
    check_complete(f.services);
    if (i == 1) {
      const km_service *web = km_services_find(f.services, "w3svc");
      assert_non_null(web);
      assert_int_equal(web->start, -1);
    }
    unload(&f);
  }
}

int test_services(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_by_name_ignoring_case),
      cmocka_unit_test(stops_dependents_first),
      cmocka_unit_test(leaves_out_what_cannot_start),
      cmocka_unit_test(tells_what_fits_nothing),
      cmocka_unit_test(names_missing_dependencies),
      cmocka_unit_test(follows_groups),
      cmocka_unit_test(orders_through_what_is_not_asked_for),
      cmocka_unit_test(names_cycles_once),
      cmocka_unit_test(bears_a_long_chain),
      cmocka_unit_test(reads_the_current_control_set),
      cmocka_unit_test(says_why_there_is_no_graph),
      cmocka_unit_test(reads_real_hives),
  };
  return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
