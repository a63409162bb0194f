/* order.c: the order to stop and start services in.
 *
 * The graph has a node for each service and one for each group that a service depends on; the group's node
 * leads to its members, so that its size stays linear. All walks are iterative, since a hostile graph is deep.
 */
#include "services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KM_MAX_CYCLES 100     /* told; one more row says that there are more */
#define KM_MAX_CYCLE_NAMES 32 /* told of one cycle */
#define KM_MAX_MISSING 1000   /* told, as with cycles */

#define SERVICE_DISABLED 4 /* the value Start */

/* ---- The graph ---- */

typedef struct edge {
  uint32_t from, to;
} edge;

/* What each node points to: targets[begin[n]] up to targets[begin[n + 1]], ascending. */
typedef struct adjacency {
  uint32_t *begin, *targets;
} adjacency;

typedef struct graph {
  const km_services *services;
  const char **groups; /* sorted, distinct; node services->count + index */
  size_t group_count, node_count;
  adjacency needs, needed_by;
} graph;

static int by_group(const void *a, const void *b) {
  return km_services_compare(*(const char *const *)a, *(const char *const *)b);
}

static bool collect_groups(graph *g) {
  size_t room = g->services->edges, count = 0;
  g->groups = calloc(room + 1, sizeof *g->groups);
  if (g->groups == NULL)
    return false;
  for (size_t i = 0; i < g->services->count; i++) {
    const char *const *names = g->services->list[i].depends_groups;
    for (; *names != NULL && count < room; names++)
      g->groups[count++] = *names;
  }
  if (count > 1)
    qsort(g->groups, count, sizeof *g->groups, by_group);
  for (size_t i = 0; i < count; i++) {
    if (g->group_count == 0 ||
        km_services_compare(g->groups[g->group_count - 1], g->groups[i]) != 0)
      g->groups[g->group_count++] = g->groups[i];
  }
  g->node_count = g->services->count + g->group_count;
  return true;
}

/* The node of a group; node_count when no service depends on it. */
static size_t group_node(const graph *g, const char *name) {
  const char **found =
      g->group_count == 0 ? NULL : bsearch(&name, g->groups, g->group_count, sizeof name, by_group);
  return found == NULL ? g->node_count : g->services->count + (size_t)(found - g->groups);
}

static size_t collect_edges(const graph *g, edge *edges) {
  size_t count = 0;
  for (size_t i = 0; i < g->services->count; i++) {
    const km_service *service = &g->services->list[i];
    uint32_t node = (uint32_t)i;
    for (const char *const *name = service->depends; *name != NULL; name++) {
      const km_service *other = km_services_find(g->services, *name);
      if (other != NULL)
        edges[count++] = (edge){node, (uint32_t)(other - g->services->list)};
    }
    for (const char *const *name = service->depends_groups; *name != NULL; name++)
      edges[count++] = (edge){node, (uint32_t)group_node(g, *name)};
    size_t group = service->group[0] == '\0' ? g->node_count : group_node(g, service->group);
    if (group < g->node_count)
      edges[count++] = (edge){(uint32_t)group, node};
  }
  return count;
}

static int by_edge(const void *a, const void *b) {
  const edge *x = a, *y = b;
  if (x->from != y->from)
    return x->from < y->from ? -1 : 1;
  return x->to < y->to ? -1 : x->to > y->to;
}

static bool make_adjacency(edge *edges, size_t count, size_t nodes, adjacency *out) {
  out->begin = calloc(nodes + 1, sizeof *out->begin);
  out->targets = calloc(count + 1, sizeof *out->targets);
  if (out->begin == NULL || out->targets == NULL)
    return false;
  if (count > 1)
    qsort(edges, count, sizeof *edges, by_edge);
  size_t at = 0;
  for (size_t node = 0; node < nodes; node++) {
    out->begin[node] = (uint32_t)at;
    for (; at < count && edges[at].from == node; at++)
      out->targets[at] = edges[at].to;
  }
  out->begin[nodes] = (uint32_t)at;
  return true;
}

static void free_graph(graph *g) {
  free(g->groups);
  free(g->needs.begin);
  free(g->needs.targets);
  free(g->needed_by.begin);
  free(g->needed_by.targets);
}

static bool make_graph(const km_services *services, graph *g) {
  *g = (graph){.services = services};
  edge *edges = calloc(services->edges + services->count + 1, sizeof *edges);
  bool good = edges != NULL && collect_groups(g);
  if (good) {
    size_t count = collect_edges(g, edges);
    good = make_adjacency(edges, count, g->node_count, &g->needs);
    for (size_t i = 0; i < count; i++)
      edges[i] = (edge){edges[i].to, edges[i].from};
    good = good && make_adjacency(edges, count, g->node_count, &g->needed_by);
  }
  free(edges);
  return good;
}

/* ---- Order ---- */

/* A walk of the graph with its own stack. */
typedef struct walk {
  const graph *g;
  const adjacency *along;
  const bool *wanted; /* services that belong to the order */
  uint8_t *seen;      /* 0 not yet, 1 on the stack, 2 done */
  uint32_t *stack;    /* nodes */
  uint32_t *next;     /* for each node, its next target */
  const km_service **order;
  size_t count;
  km_service_order *report; /* where cycles are told, or NULL */
  bool failed;              /* out of memory */
} walk;

static const char *node_name(const graph *g, size_t node) {
  return node < g->services->count ? g->services->list[node].name
                                   : g->groups[node - g->services->count];
}

/* Types: 1 and 2 drivers, 4 adapter, 8 recognizer, 0x10 and 0x20 services. */
static bool is_driver(const km_service *service) {
  return service->type != -1 && (service->type & 0x0f) != 0 && (service->type & 0x30) == 0;
}

/* Adds a line to a list of at most `max` lines and one that says that there are more. */
static bool add_line(char ***lines, size_t *count, size_t max, const char *line) {
  if (*count > max)
    return true;
  char **grown = realloc(*lines, (*count + 1) * sizeof *grown);
  if (grown == NULL)
    return false;
  *lines = grown;
  grown[*count] = strdup(*count == max ? "there are more, which are not listed" : line);
  if (grown[*count] == NULL)
    return false;
  (*count)++;
  return true;
}

/* Tells the cycle that stands on the stack from `first` to `depth`. A service that depends on the group it
 * belongs to does not wait for itself: that is none. */
static void tell_cycle(walk *w, size_t first, size_t depth) {
  size_t services = w->g->services->count, length = 1;
  if (depth - first == 2 && (w->stack[first] >= services || w->stack[first + 1] >= services))
    return;
  for (size_t i = first; i < depth; i++)
    length += strlen(node_name(w->g, w->stack[i])) + 5;
  length += strlen(node_name(w->g, w->stack[first])) + 16;
  char *text = malloc(length);
  if (text == NULL) {
    w->failed = true;
    return;
  }
  size_t used = 0;
  for (size_t i = first; i <= depth; i++) {
    size_t node = w->stack[i < depth ? i : first];
    if (i < depth && i - first == KM_MAX_CYCLE_NAMES)
      used += (size_t)snprintf(text + used, length - used, " -> ...");
    if (i < depth && i - first >= KM_MAX_CYCLE_NAMES)
      continue;
    used += (size_t)snprintf(text + used, length - used, "%s%s%s", i == first ? "" : " -> ",
                             node < services ? "" : "+", node_name(w->g, node));
  }
  if (!add_line(&w->report->cycles, &w->report->cycle_count, KM_MAX_CYCLES, text))
    w->failed = true;
  free(text);
}

static size_t stack_index(const walk *w, size_t depth, uint32_t node) {
  size_t i = depth;
  while (i > 0 && w->stack[i - 1] != node)
    i--;
  return i - 1;
}

/* Visits all that `start` leads to; a node is put into the order when all it leads to is done. */
static void visit(walk *w, uint32_t start) {
  size_t depth = 0;
  if (w->seen[start] != 0)
    return;
  w->stack[depth++] = start;
  w->seen[start] = 1;
  w->next[start] = w->along->begin[start];
  while (depth > 0) {
    uint32_t node = w->stack[depth - 1];
    if (w->next[node] == w->along->begin[node + 1]) {
      w->seen[node] = 2;
      if (node < w->g->services->count && w->wanted[node])
        w->order[w->count++] = &w->g->services->list[node];
      depth--;
      continue;
    }
    uint32_t target = w->along->targets[w->next[node]++];
    if (w->seen[target] == 1 && w->report != NULL && w->report->cycle_count <= KM_MAX_CYCLES)
      tell_cycle(w, stack_index(w, depth, target), depth);
    if (w->seen[target] != 0)
      continue;
    w->stack[depth++] = target;
    w->seen[target] = 1;
    w->next[target] = w->along->begin[target];
  }
}

/* Fills `order` (room for all services) with the wanted ones, those that `along` leads to first. */
static bool make_order(const graph *g, const adjacency *along, const bool *wanted,
                       const km_service **order, size_t *count, km_service_order *report) {
  walk w = {.g = g, .along = along, .wanted = wanted, .order = order, .report = report};
  w.seen = calloc(g->node_count + 1, sizeof *w.seen);
  w.stack = calloc(g->node_count + 1, sizeof *w.stack);
  w.next = calloc(g->node_count + 1, sizeof *w.next);
  bool good = w.seen != NULL && w.stack != NULL && w.next != NULL;
  for (size_t i = 0; good && i < g->services->count; i++) {
    if (wanted[i])
      visit(&w, (uint32_t)i);
  }
  free(w.seen);
  free(w.stack);
  free(w.next);
  *count = w.count;
  return good && !w.failed;
}

/* ---- Which services ---- */

static bool add_missing(km_service_order *out, const char *format, const char *a, const char *b) {
  size_t size = strlen(format) + strlen(a) + strlen(b) + 1;
  char *line = malloc(size);
  if (line == NULL)
    return false;
  (void)snprintf(line, size, "%s%s%s", a, format, b);
  bool good = add_line(&out->missing, &out->missing_count, KM_MAX_MISSING, line);
  free(line);
  return good;
}

/* Marks the services that fit the patterns, and tells the patterns that none fits. */
static bool select_services(const km_services *services, const char *const *patterns, size_t count,
                            bool *wanted, km_service_order *out) {
  for (size_t p = 0; p < count; p++) {
    bool fitted = false;
    const char *leftover = NULL;
    for (size_t i = 0; i < services->count; i++) {
      const km_service *service = &services->list[i];
      if (!km_pattern_match(patterns[p], service->name))
        continue;
      if (km_service_is_leftover(service)) {
        leftover = service->name;
        continue;
      }
      fitted = true;
      wanted[i] = true;
    }
    bool good = true;
    if (!fitted && leftover != NULL)
      good = add_missing(out, " is no service: its key has neither Type nor Start", leftover, "");
    else if (!fitted)
      good = add_missing(out, " fits no service", patterns[p], "");
    if (!good)
      return false;
  }
  return true;
}

/* Marks all that needs a marked service, through groups too. */
static bool add_dependents(const graph *g, bool *wanted) {
  uint32_t *queue = calloc(g->node_count + 1, sizeof *queue);
  bool *seen = calloc(g->node_count + 1, sizeof *seen);
  size_t head = 0, tail = 0;
  bool good = queue != NULL && seen != NULL;
  for (size_t i = 0; good && i < g->services->count; i++) {
    seen[i] = wanted[i];
    if (wanted[i])
      queue[tail++] = (uint32_t)i;
  }
  while (good && head < tail) {
    uint32_t node = queue[head++];
    for (uint32_t e = g->needed_by.begin[node]; e < g->needed_by.begin[node + 1]; e++) {
      uint32_t other = g->needed_by.targets[e];
      if (seen[other])
        continue;
      seen[other] = true;
      queue[tail++] = other;
      if (other < g->services->count)
        wanted[other] = true;
    }
  }
  free(queue);
  free(seen);
  return good;
}

static bool tell_missing(const km_services *services, const bool *wanted, km_service_order *out) {
  for (size_t i = 0; i < services->count; i++) {
    const km_service *service = &services->list[i];
    for (const char *const *name = service->depends; wanted[i] && *name != NULL; name++) {
      const km_service *other = km_services_find(services, *name);
      if (other != NULL && !km_service_is_leftover(other))
        continue;
      char why[] = ", which does not exist";
      size_t size = strlen(*name) + sizeof why;
      char *rest = malloc(size);
      if (rest == NULL)
        return false;
      (void)snprintf(rest, size, "%s%s", *name, why);
      bool good = add_missing(out, " needs ", service->name, rest);
      free(rest);
      if (!good)
        return false;
    }
  }
  return true;
}

/* Marks the disabled services and all that need one of them by name, directly or not: none of these can start.
 * A group needs one of its members alone, so a disabled member stops nobody. */
static bool mark_stuck(const graph *g, bool *stuck) {
  size_t count = g->services->count, head = 0, tail = 0;
  uint32_t *queue = calloc(count + 1, sizeof *queue);
  if (queue == NULL)
    return false;
  for (size_t i = 0; i < count; i++) {
    stuck[i] = g->services->list[i].start == SERVICE_DISABLED;
    if (stuck[i])
      queue[tail++] = (uint32_t)i;
  }
  while (head < tail) {
    uint32_t node = queue[head++];
    for (uint32_t e = g->needed_by.begin[node]; e < g->needed_by.begin[node + 1]; e++) {
      uint32_t other = g->needed_by.targets[e];
      if (other >= count || stuck[other])
        continue;
      stuck[other] = true;
      queue[tail++] = other;
    }
  }
  free(queue);
  return true;
}

/* Leaves the services that cannot start out of the start order. */
static bool drop_stuck(const graph *g, km_service_order *out) {
  bool *stuck = calloc(g->services->count + 1, sizeof *stuck);
  bool good = stuck != NULL && mark_stuck(g, stuck);
  size_t kept = 0;
  for (size_t i = 0; good && i < out->start_count; i++) {
    if (!stuck[out->start[i] - g->services->list])
      out->start[kept++] = out->start[i];
  }
  out->start_count = good ? kept : out->start_count;
  free(stuck);
  return good;
}

static bool fill_order(const km_services *services, const char *const *patterns, size_t count,
                       bool dependents, bool *wanted, km_service_order *out) {
  graph g;
  bool good = make_graph(services, &g);
  out->stop = calloc(services->count + 1, sizeof *out->stop);
  out->start = calloc(services->count + 1, sizeof *out->start);
  good = good && out->stop != NULL && out->start != NULL &&
         select_services(services, patterns, count, wanted, out) &&
         (!dependents || add_dependents(&g, wanted));
  for (size_t i = 0; i < services->count; i++)
    wanted[i] =
        wanted[i] && !is_driver(&services->list[i]) && !km_service_is_leftover(&services->list[i]);
  good = good && tell_missing(services, wanted, out) &&
         make_order(&g, &g.needed_by, wanted, out->stop, &out->stop_count, NULL) &&
         make_order(&g, &g.needs, wanted, out->start, &out->start_count, out) &&
         drop_stuck(&g, out);
  free_graph(&g);
  return good;
}

km_status km_services_order(const km_services *services, const char *const *patterns,
                            size_t pattern_count, bool dependents, km_service_order **out,
                            km_error *error) {
  *out = calloc(1, sizeof **out);
  bool *wanted = calloc(services->count + 1, sizeof *wanted);
  bool good = *out != NULL && wanted != NULL &&
              fill_order(services, patterns, pattern_count, dependents, wanted, *out);
  free(wanted);
  if (good)
    return KM_OK;
  km_service_order_free(*out);
  *out = NULL;
  return km_fail(error, KM_MEMORY, 0, "the order of the services: out of memory");
}

static void free_lines(char **lines, size_t count) {
  for (size_t i = 0; i < count; i++)
    free(lines[i]);
  free(lines);
}

void km_service_order_free(km_service_order *order) {
  if (order == NULL)
    return;
  free(order->stop);
  free(order->start);
  free_lines(order->cycles, order->cycle_count);
  free_lines(order->missing, order->missing_count);
  free(order);
}
