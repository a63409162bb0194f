/* proof.c: prints what core says of the keys of an offline volume: verdicts, private operations, identity
 *
 * Usage: proof VERB ROOT
 *   verdicts  a line for each file of the three key stores: store, name, verdict of the file, then of the signature and
 *             of the exchange key: verdict, master key and whether it is exportable ("yes", "no", "unknown"), or "-"
 *   private   reads lines "store name part block" (part: signature, exchange; block: hex, big endian) and prints the raw
 *             private operation of each block, in hex, big endian, or "refused: why"
 *   identity  a line for each source, then one for what it says of each file whose name inside is its container
 *   problem   why nothing can be decrypted
 * Fields are separated by tabs, texts come last. For tests: keymend itself never prints what `private` does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proof.h"

#define MAX_ROWS 64
#define MAX_LINE 16384

static const char *const STORES[] = {"MachineKeys", "Keys", "SystemKeys"};

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "proof: %s\n", what);
  exit(1);
}

/* Calls `each` for every file of every store. */
static void walk(km_target *target, void (*each)(void *user, km_store_kind kind, const char *name),
                 void *user) {
  for (int kind = KM_STORE_RSA; kind <= KM_STORE_CNG_SYSTEM; kind++) {
    km_scan *scan;
    km_error error;
    km_status status = km_scan_open(target, (km_store_kind)kind, &scan, &error);
    if (status == KM_NOT_FOUND)
      continue;
    if (status != KM_OK)
      fail(error.message);
    km_scan_entry entry;
    while ((status = km_scan_next(scan, &entry, &error)) == KM_OK)
      each(user, (km_store_kind)kind, entry.name);
    if (status != KM_END)
      fail(error.message);
    km_scan_close(scan);
  }
}

/* ---- Verdicts ---- */

static void print_part(const km_proof_part *part) {
  if (!part->present) {
    printf("\t-\t-\t-");
    return;
  }
  printf("\t%s\t%s\t%s", km_decryptable_id(part->decryptable), part->master_key,
         !part->export_known ? "unknown"
         : part->exportable  ? "yes"
                             : "no");
}

static void print_verdict(void *user, km_store_kind kind, const char *name) {
  static km_key_proof found;
  km_error error;
  km_status status = km_proof_key(user, kind, name, &found, &error);
  if (status == KM_MEMORY) /* it was short once; nothing of that may stay */
    status = km_proof_key(user, kind, name, &found, &error);
  if (status != KM_OK)
    fail(error.message);
  printf("%s\t%s\t%s", STORES[kind], name, km_decryptable_id(found.decryptable));
  print_part(&found.signature);
  print_part(&found.exchange);
  printf("\t%s\n", found.text);
}

/* ---- Private operations ---- */

/* Reads big-endian hex as the little-endian bytes that km_proof_rsa takes. */
static size_t read_hex(const char *text, uint8_t *out, size_t size) {
  size_t count = strlen(text) / 2;
  if (count > size)
    fail("a block is too long");
  for (size_t i = 0; i < count; i++) {
    char pair[] = {text[2 * i], text[2 * i + 1], '\0'}, *end;
    out[count - 1 - i] = (uint8_t)strtoul(pair, &end, 16);
    if (end != pair + 2)
      fail("a block is no hex");
  }
  return count;
}

static void print_private(km_proof *proof, char *line) {
  static uint8_t in[KM_MAX_MODULUS], out[KM_MAX_MODULUS];
  char *word[4], *at = line;
  for (int i = 0; i < 4; i++) {
    size_t length = strcspn(at, "\t\n");
    if (at[length] == '\0')
      fail("a line has not four words");
    word[i] = at;
    at[length] = '\0';
    at += length + 1;
  }
  int kind = 0;
  while (kind < KM_STORE_CNG_SYSTEM && strcmp(STORES[kind], word[0]) != 0)
    kind++;
  size_t size = read_hex(word[3], in, sizeof in);
  km_error error;
  if (km_proof_rsa(proof, (km_store_kind)kind, word[1], strcmp(word[2], "exchange") == 0, in, size,
                   out, &error) != KM_OK) {
    printf("refused: %s\n", error.message);
    return;
  }
  for (size_t i = 0; i < size; i++)
    printf("%02x", out[i]);
  putchar('\n');
}

/* ---- Identity ---- */

typedef struct identity_walk {
  km_target *target;
  km_proof *proof;
  km_identity_set *set;
} identity_walk;

/* Whether a source before this one names the same container: its rows were printed then. */
static bool asked_before(const km_identity_set *set, size_t index) {
  for (size_t i = 0; i < index; i++)
    if (strcmp(km_identity_at(set, i)->container, km_identity_at(set, index)->container) == 0)
      return true;
  return false;
}

static void print_rows(const identity_walk *walk_of, const char *container, km_store_kind kind,
                       const char *name) {
  static km_identity rows[MAX_ROWS];
  size_t count;
  km_error error;
  km_status status = km_identity_try(walk_of->set, walk_of->proof, container, kind, name, rows,
                                     MAX_ROWS, &count, &error);
  if (status != KM_OK) {
    printf("failed\t%s\t%s\t%s\n", STORES[kind], name, error.message);
    return;
  }
  for (size_t i = 0; i < count && i < MAX_ROWS; i++)
    printf("row\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", STORES[kind], name,
           km_identity_kind_id(rows[i].kind), km_identity_verdict_id(rows[i].verdict),
           rows[i].history ? "history" : "present", rows[i].where,
           rows[i].part == NULL ? "-" : rows[i].part, rows[i].text);
}

static void print_identity(void *user, km_store_kind kind, const char *name) {
  const identity_walk *walk_of = user;
  km_key_info *info = malloc(sizeof *info);
  km_error error;
  if (info == NULL || km_key_inspect(walk_of->target, kind, name, info, &error) != KM_OK)
    fail("a file cannot be looked at");
  for (size_t i = 0; i < km_identity_count(walk_of->set); i++) {
    const km_identity_source *source = km_identity_at(walk_of->set, i);
    if (strcmp(source->container, info->key.container) == 0 && !asked_before(walk_of->set, i))
      print_rows(walk_of, source->container, kind, name);
  }
  free(info);
}

static void print_sources(km_target *target, km_proof *proof) {
  identity_walk walk_of = {target, proof, NULL};
  km_error error;
  if (km_identity_find(target, &walk_of.set, &error) != KM_OK)
    fail(error.message);
  for (size_t i = 0; i < km_identity_count(walk_of.set); i++) {
    const km_identity_source *source = km_identity_at(walk_of.set, i);
    printf("source\t%s\t%s\t%s\t%s\t%s\t%s\n", km_identity_kind_id(source->kind), source->container,
           source->history ? "history" : "present", source->use == NULL ? "-" : source->use,
           source->where, source->what);
  }
  walk(target, print_identity, &walk_of);
  const char *problem = km_identity_problem(walk_of.set);
  if (problem != NULL)
    printf("problem\t%s\n", problem);
  km_identity_free(walk_of.set);
}

/* ---- The program ---- */

static void run(const char *verb, km_target *target, km_proof *proof) {
  static char line[MAX_LINE];
  if (strcmp(verb, "verdicts") == 0) {
    walk(target, print_verdict, proof);
  } else if (strcmp(verb, "private") == 0) {
    while (fgets(line, sizeof line, stdin) != NULL)
      print_private(proof, line);
  } else if (strcmp(verb, "identity") == 0) {
    print_sources(target, proof);
  } else if (strcmp(verb, "problem") == 0) {
    const char *problem = km_proof_problem(proof);
    printf("%s\n", problem == NULL ? "" : problem);
  } else {
    fail("there is no such verb");
  }
}

int main(int argc, char **argv) {
  if (argc != 3)
    fail("usage: proof verdicts|private|identity|problem ROOT");
  km_target_options options = {.root = argv[2]};
  km_target *target;
  km_proof *proof;
  km_error error;
  if (km_target_open(&options, &target, &error) != KM_OK ||
      km_proof_open(target, &proof, &error) != KM_OK)
    fail(error.message);
  run(argv[1], target, proof);
  km_proof_close(proof);
  km_target_close(target);
  return 0;
}
