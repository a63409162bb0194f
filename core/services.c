/* services.c: loads the service graph of a target.
 *
 * Format: every subkey of ControlSetNNN\Services is an entry; Start and Type are numbers, DependOnService and
 * DependOnGroup lists (a "+" before a name in DependOnService makes it a group). A key with neither Type nor
 * Start is left over from a removed program or holds settings only: it is listed, but it is no service.
 */
#include "services.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define SERVICES_KEY "SYSTEM\\CurrentControlSet\\Services"

#define POOL_BLOCK 65536

/* ---- Memory of one graph ---- */

typedef struct km_pool_block {
  struct km_pool_block *next;
  size_t used, size;
  char data[];
} km_pool_block;

/* Memory aligned for pointers that lives as long as the graph; NULL: none left, or over the limit. */
static void *pool_take(km_services *services, size_t size) {
  size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
  km_pool_block *block = services->blocks;
  services->pooled += size;
  if (services->pooled > KM_MAX_SERVICES_BYTES)
    return NULL;
  if (block == NULL || block->size - block->used < size) {
    size_t room = size > POOL_BLOCK ? size : POOL_BLOCK;
    block = malloc(sizeof *block + room);
    if (block == NULL)
      return NULL;
    block->next = services->blocks;
    block->used = 0;
    block->size = room;
    services->blocks = block;
  }
  void *taken = block->data + block->used;
  block->used += size;
  return taken;
}

static const char *pool_text(km_services *services, const char *text, size_t length) {
  char *copy = pool_take(services, length + 1);
  if (copy == NULL)
    return NULL;
  memcpy(copy, text, length);
  copy[length] = '\0';
  return copy;
}

static km_status no_room(const km_services *services, km_error *error) {
  if (services->pooled <= KM_MAX_SERVICES_BYTES)
    return km_fail(error, KM_MEMORY, 0, "the services: out of memory");
  return km_fail(error, KM_LIMIT, 0, "the services: their texts exceed %zu MiB",
                 KM_MAX_SERVICES_BYTES >> 20);
}

void km_services_free(km_services *services) {
  if (services == NULL)
    return;
  for (km_pool_block *block = services->blocks, *next; block != NULL; block = next) {
    next = block->next;
    free(block);
  }
  free(services->list);
  free(services);
}

/* ---- Names ---- */

int km_services_compare(const char *a, const char *b) {
  size_t left = strlen(a), right = strlen(b), used;
  while (left > 0 && right > 0) {
    uint32_t x = km_fold(km_utf8_next(a, left, &used));
    a += used;
    left -= used;
    uint32_t y = km_fold(km_utf8_next(b, right, &used));
    b += used;
    right -= used;
    if (x != y)
      return x < y ? -1 : 1;
  }
  return left > 0 ? 1 : right > 0 ? -1 : 0;
}

static int by_name(const void *a, const void *b) {
  return km_services_compare(((const km_service *)a)->name, ((const km_service *)b)->name);
}

/* ---- Loading ---- */

typedef struct loading {
  km_target *target;
  km_services *services;
  km_status status;
  km_error *error;
} loading;

/* Reads a value that may be absent: true with *out filled (to be freed); false with load->status KM_OK when
 * there is none. */
static bool read_value(loading *load, km_key key, const char *name, km_registry_value *out) {
  km_status status =
      load->target->backend->registry_value(load->target, key, name, out, load->error);
  if (status == KM_OK)
    return true;
  if (status != KM_NOT_FOUND)
    load->status = status;
  return false;
}

static const char *read_text(loading *load, km_key key, const char *name) {
  km_registry_value value;
  const char *text = "";
  if (load->status != KM_OK || !read_value(load, key, name, &value))
    return text;
  if (value.text != NULL && value.text[0] != '\0') {
    text = pool_text(load->services, value.text, strlen(value.text));
    if (text == NULL)
      load->status = no_room(load->services, load->error);
  }
  km_registry_value_free(&value);
  return text;
}

static int32_t read_number(loading *load, km_key key, const char *name) {
  uint32_t number;
  if (!km_registry_number(load->target, key, name, &number) || number > INT32_MAX)
    return -1;
  return (int32_t)number;
}

/* The lines of the two dependency values, split into services and groups. */
typedef struct dependencies {
  const char *services[KM_MAX_DEPENDENCIES];
  const char *groups[KM_MAX_DEPENDENCIES];
  size_t service_count, group_count;
} dependencies;

static void add_dependency(loading *load, dependencies *found, const char *name, size_t length,
                           bool group) {
  if (length > 0 && name[0] == '+') {
    group = true;
    name++;
    length--;
  }
  if (length == 0)
    return;
  if (found->service_count + found->group_count == KM_MAX_DEPENDENCIES ||
      load->services->edges == KM_MAX_EDGES) {
    load->status =
        km_fail(load->error, KM_LIMIT, 0,
                "the services: one has more than %d dependencies, or all have more than %d",
                KM_MAX_DEPENDENCIES, KM_MAX_EDGES);
    return;
  }
  const char *copy = pool_text(load->services, name, length);
  if (copy == NULL) {
    load->status = no_room(load->services, load->error);
    return;
  }
  load->services->edges++;
  if (group)
    found->groups[found->group_count++] = copy;
  else
    found->services[found->service_count++] = copy;
}

static void read_dependencies(loading *load, km_key key, const char *name, bool groups,
                              dependencies *found) {
  km_registry_value value;
  if (load->status != KM_OK || !read_value(load, key, name, &value))
    return;
  for (const char *line = value.text; line != NULL && load->status == KM_OK;) {
    const char *end = strchr(line, '\n');
    size_t length = end != NULL ? (size_t)(end - line) : strlen(line);
    add_dependency(load, found, line, length, groups);
    line = end != NULL ? end + 1 : NULL;
  }
  km_registry_value_free(&value);
}

static const char *const *keep_names(loading *load, const char *const *names, size_t count) {
  const char **kept = pool_take(load->services, (count + 1) * sizeof *kept);
  if (kept == NULL) {
    load->status = no_room(load->services, load->error);
    return NULL;
  }
  if (count > 0)
    memcpy(kept, names, count * sizeof *kept);
  kept[count] = NULL;
  return kept;
}

static void load_service(loading *load, const char *name, km_key key, km_service *out) {
  dependencies found;
  found.service_count = found.group_count = 0;
  out->name = pool_text(load->services, name, strlen(name));
  if (out->name == NULL) {
    load->status = no_room(load->services, load->error);
    return;
  }
  out->display = read_text(load, key, "DisplayName");
  out->group = read_text(load, key, "Group");
  out->account = read_text(load, key, "ObjectName");
  out->start = read_number(load, key, "Start");
  out->type = read_number(load, key, "Type");
  read_dependencies(load, key, "DependOnService", false, &found);
  read_dependencies(load, key, "DependOnGroup", true, &found);
  out->depends = keep_names(load, found.services, found.service_count);
  out->depends_groups = keep_names(load, found.groups, found.group_count);
}

static bool load_one(void *user, const char *name, km_key key) {
  loading *load = user;
  km_services *services = load->services;
  if (services->count == KM_MAX_SERVICES) {
    load->status =
        km_fail(load->error, KM_LIMIT, 0, "the services: there are more than %d", KM_MAX_SERVICES);
    return false;
  }
  if (services->count == services->room) {
    size_t room = services->room == 0 ? 512 : services->room * 2;
    km_service *list = realloc(services->list, room * sizeof *list);
    if (list == NULL) {
      load->status = km_fail(load->error, KM_MEMORY, 0, "the services: out of memory");
      return false;
    }
    services->list = list;
    services->room = room;
  }
  load_service(load, name, key, &services->list[services->count]);
  if (load->status != KM_OK) {
    km_error_prefix(load->error, "service %s", name);
    return false;
  }
  services->count++;
  return true;
}

/* Sorts, and drops the second of two keys with one name, which only a damaged hive has. */
static void settle(km_services *services) {
  size_t kept = 0;
  if (services->count > 1)
    qsort(services->list, services->count, sizeof *services->list, by_name);
  for (size_t i = 0; i < services->count; i++) {
    if (kept == 0 || by_name(&services->list[kept - 1], &services->list[i]) != 0)
      services->list[kept++] = services->list[i];
  }
  services->count = kept;
}

km_status km_services_load(km_target *target, km_services **out, km_error *error) {
  loading load = {target, calloc(1, sizeof *load.services), KM_OK, error};
  km_key key;
  *out = NULL;
  if (load.services == NULL)
    return km_fail(error, KM_MEMORY, 0, "the services: out of memory");
  km_status status = km_registry_open_path(target, SERVICES_KEY, &key, error);
  if (status == KM_OK) {
    status = target->backend->registry_children(target, key, load_one, &load, error);
    target->backend->registry_close(target, key);
  }
  if (status == KM_OK)
    status = load.status;
  if (status != KM_OK) {
    km_services_free(load.services);
    return status;
  }
  settle(load.services);
  *out = load.services;
  return KM_OK;
}

size_t km_services_count(const km_services *services) {
  return services->count;
}

const km_service *km_services_at(const km_services *services, size_t index) {
  return index < services->count ? &services->list[index] : NULL;
}

const km_service *km_services_find(const km_services *services, const char *name) {
  km_service wanted = {.name = name};
  if (name == NULL || services->count == 0)
    return NULL;
  return bsearch(&wanted, services->list, services->count, sizeof wanted, by_name);
}

bool km_service_is_leftover(const km_service *service) {
  return service->type == -1 && service->start == -1;
}
