/* identity.c: the set of what names key containers in a target. */
#include "identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proof.h"
#include "services.h"

typedef struct block {
  struct block *next;
  max_align_t data[];
} block;

struct km_identity_set {
  km_target *target;
  km_source *list;
  size_t count, room;
  block *blocks;
  bool no_memory, full;
  char problem[KM_MAX_SOURCE_PROBLEM];
  size_t problem_length;
};

static const char *const kind_ids[] = {
    [KM_IDENTITY_CERTIFICATE] = "certificate",
    [KM_IDENTITY_CONFIGURATION] = "configuration",
    [KM_IDENTITY_METABASE] = "metabase",
};

static const char *const verdict_ids[] = {
    [KM_IDENTITY_UNKNOWN] = "unknown",
    [KM_IDENTITY_PROVED] = "proved",
    [KM_IDENTITY_CONSISTENT] = "consistent",
    [KM_IDENTITY_DISPROVED] = "disproved",
};

const char *km_identity_kind_id(km_identity_kind kind) {
  return (unsigned)kind <= KM_IDENTITY_METABASE ? kind_ids[kind] : "unknown";
}

const char *km_identity_verdict_id(km_identity_verdict verdict) {
  return (unsigned)verdict <= KM_IDENTITY_DISPROVED ? verdict_ids[verdict] : "unknown";
}

/* ---- What finds sources uses ---- */

void *km_identity_keep(km_identity_set *set, const void *data, size_t size) {
  block *kept = calloc(1, sizeof *kept + size);
  if (kept == NULL) {
    set->no_memory = true;
    return NULL;
  }
  kept->next = set->blocks;
  set->blocks = kept;
  if (data != NULL && size > 0)
    memcpy(kept->data, data, size);
  return kept->data;
}

static const char *keep_text(km_identity_set *set, const char *text) {
  return text != NULL ? km_identity_keep(set, text, strlen(text) + 1) : NULL;
}

void km_identity_complain(km_identity_set *set, const char *format, ...) {
  size_t room = sizeof set->problem - set->problem_length;
  char line[KM_MAX_MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length < 0 || strlen(line) + 2 > room)
    return;
  (void)snprintf(set->problem + set->problem_length, room, "%s%s",
                 set->problem_length > 0 ? "\n" : "", line);
  set->problem_length = strlen(set->problem);
}

km_target *km_identity_target(const km_identity_set *set) {
  return set->target;
}

bool km_identity_known(const km_identity_set *set, const km_source *source) {
  for (size_t i = 0; i < set->count; i++) {
    const km_source *other = &set->list[i];
    if (other->about.kind == source->about.kind && other->blob_size == source->blob_size &&
        km_services_compare(other->about.container, source->about.container) == 0 &&
        (source->blob_size == 0 || memcmp(other->blob, source->blob, source->blob_size) == 0))
      return true;
  }
  return false;
}

static bool make_room(km_identity_set *set) {
  if (set->count < set->room)
    return true;
  if (set->count >= KM_MAX_SOURCES) {
    if (!set->full)
      km_identity_complain(set, "more than %d places name key containers; the rest is left out",
                           KM_MAX_SOURCES);
    set->full = true;
    return false;
  }
  size_t room = set->room == 0 ? 16 : set->room * 2;
  km_source *list = realloc(set->list, room * sizeof *list);
  if (list == NULL) {
    set->no_memory = true;
    return false;
  }
  set->list = list;
  set->room = room;
  return true;
}

void km_identity_add(km_identity_set *set, const km_source *source) {
  if (!make_room(set))
    return;
  km_source kept = *source;
  kept.about.container = keep_text(set, source->about.container);
  kept.about.where = keep_text(set, source->about.where);
  kept.about.what = keep_text(set, source->about.what);
  kept.about.use = keep_text(set, source->about.use);
  kept.modulus = km_identity_keep(set, source->modulus, source->modulus_size);
  kept.blob = km_identity_keep(set, source->blob, source->blob_size);
  if (!set->no_memory)
    set->list[set->count++] = kept;
}

/* ---- The set ---- */

static int truth_first(bool a, bool b) {
  return (int)b - (int)a;
}

/* By kind; of each what is in use first, then what is no history, then the newest. */
static int by_weight(const void *left, const void *right) {
  const km_identity_source *a = &((const km_source *)left)->about;
  const km_identity_source *b = &((const km_source *)right)->about;
  int order = (int)a->kind - (int)b->kind;
  if (order == 0)
    order = truth_first(a->use != NULL, b->use != NULL);
  if (order == 0)
    order = truth_first(!a->history, !b->history);
  if (order == 0 && a->dated != b->dated)
    order = a->dated > b->dated ? -1 : 1;
  if (order == 0)
    order = strcmp(a->where, b->where);
  return order != 0 ? order : strcmp(a->what, b->what);
}

km_status km_identity_find(km_target *target, km_identity_set **out, km_error *error) {
  *out = NULL;
  km_identity_set *set = calloc(1, sizeof *set);
  if (set == NULL)
    return km_fail(error, KM_MEMORY, 0, "look for what names key containers: out of memory");
  set->target = target;
  km_identity_find_certificates(set);
  km_identity_find_files(set);
  if (set->no_memory) {
    km_identity_free(set);
    return km_fail(error, KM_MEMORY, 0, "look for what names key containers: out of memory");
  }
  if (set->count > 0)
    qsort(set->list, set->count, sizeof *set->list, by_weight);
  *out = set;
  return KM_OK;
}

void km_identity_free(km_identity_set *set) {
  if (set == NULL)
    return;
  for (block *at = set->blocks, *next; at != NULL; at = next) {
    next = at->next;
    free(at);
  }
  free(set->list);
  free(set);
}

size_t km_identity_count(const km_identity_set *set) {
  return set->count;
}

const km_identity_source *km_identity_at(const km_identity_set *set, size_t index) {
  return index < set->count ? &set->list[index].about : NULL;
}

const char *km_identity_problem(const km_identity_set *set) {
  return set->problem_length > 0 ? set->problem : NULL;
}

/* ---- Trying a key ---- */

typedef struct candidate {
  km_proof *proof;
  km_store_kind kind;
  const char *name;
} candidate;

static km_status use_exchange_key(void *user, const uint8_t *in_le, size_t size, uint8_t *out_be,
                                  km_error *error) {
  const candidate *c = user;
  return km_proof_rsa(c->proof, c->kind, c->name, true, in_le, size, out_be, error);
}

/* The public key of a CNG file, as an exchange key; that takes no secret. One that cannot be read is none. */
static void read_cng(const km_identity_set *set, const candidate *c, km_public_key *out) {
  km_proof *proof = c->proof;
  if (proof == NULL && km_proof_open(set->target, &proof, NULL) != KM_OK)
    return;
  if (km_proof_public(proof, c->kind, c->name, true, out, NULL) != KM_OK)
    out->present = false;
  if (c->proof == NULL)
    km_proof_close(proof);
}

/* The key file's clear parts. */
static km_status read_key(const km_identity_set *set, const candidate *c, km_key_info *info,
                          km_error *error) {
  km_status status = km_key_inspect(set->target, c->kind, c->name, info, error);
  if (status == KM_OK && info->parse_status != KM_OK)
    status = km_fail(error, info->parse_status, 0, "key file %s: %s", c->name, info->damage);
  if (status == KM_OK && c->kind != KM_STORE_RSA && !info->key.exchange.present)
    read_cng(set, c, &info->key.exchange);
  return status;
}

static void describe(const km_source *source, km_identity *row) {
  *row = (km_identity){
      .kind = source->about.kind,
      .container = source->about.container,
      .where = source->about.where,
      .what = source->about.what,
      .use = source->about.use,
      .dated = source->about.dated,
      .history = source->about.history,
  };
}

km_status km_identity_try(const km_identity_set *set, km_proof *proof, const char *container,
                          km_store_kind kind, const char *name, km_identity *out, size_t max,
                          size_t *count, km_error *error) {
  candidate c = {proof, kind, name};
  *count = 0;
  km_key_info *info = malloc(sizeof *info);
  if (info == NULL)
    return km_fail(error, KM_MEMORY, 0, "try key file %s: out of memory", name);
  km_status status = read_key(set, &c, info, error);
  for (size_t i = 0; status == KM_OK && i < set->count; i++) {
    const km_source *source = &set->list[i];
    if (km_services_compare(source->about.container, container) != 0)
      continue;
    if (*count < max) {
      describe(source, &out[*count]);
      status = km_source_ask(source, kind, &info->key, proof != NULL ? use_exchange_key : NULL, &c,
                             &out[*count], error);
    }
    (*count)++;
  }
  free(info);
  return status;
}
