/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules over the services of a deployment: who waits for whom.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "spec/rules.h"

/* Colours of a depth-first walk. */
enum colour {
  UNSEEN,
  ON_PATH,
  DONE
};

struct walk {
  struct zl_spec_ctx *ctx;
  const struct zl_at *services;
  const struct zl_deployment *deployment;
  enum colour *colours;
  size_t *path;  /* services from the start of the walk to here */
  size_t *edges; /* of each service on the path, which of its dependencies is looked at */
  size_t depth;
};

static bool walk_init(struct walk *walk, size_t count)
{
  walk->colours = calloc(count, sizeof(*walk->colours));
  walk->path = calloc(count, sizeof(*walk->path));
  walk->edges = calloc(count, sizeof(*walk->edges));
  return walk->colours != NULL && walk->path != NULL && walk->edges != NULL;
}

static void walk_free(struct walk *walk)
{
  free(walk->colours);
  free(walk->path);
  free(walk->edges);
}

static const struct zl_service *find_service(const struct zl_deployment *deployment,
                                             const char *name, size_t *ret_index)
{
  for (size_t i = 0; i < deployment->n_services; i++) {
    if (strcmp(deployment->services[i].name, name) != 0)
      continue;
    *ret_index = i;
    return &deployment->services[i];
  }
  return NULL;
}

static void report_edge(struct walk *walk, size_t service, size_t edge, const char *fmt,
                        const char *name)
{
  struct zl_at at = zl_at_key(walk->services, walk->deployment->services[service].name, NULL);
  struct zl_at list = zl_at_key(&at, "depends", NULL);
  struct zl_at element = zl_at_index(&list, edge);
  struct zl_at place = zl_at_key(&element, "service", NULL);

  zl_report(walk->ctx, &place, ZL_E_INVALID, "%s'%s'", fmt, name);
}

/* "a -> b -> a", at the dependency that closes the circle. */
static void report_cycle(struct walk *walk, size_t target)
{
  zl_autobuf text = ZL_BUF_INIT(512);
  const struct zl_service *services = walk->deployment->services;
  size_t here = walk->path[walk->depth - 1], edge = walk->edges[walk->depth - 1];
  size_t i = walk->depth;
  bool cut = false;

  if (here == target) {
    report_edge(walk, here, edge, "a service cannot depend on itself: ", services[here].name);
    return;
  }
  while (walk->path[i - 1] != target)
    i--;
  for (; i <= walk->depth && !cut; i++)
    cut = zl_buf_printf(&text, NULL, "%s -> ", services[walk->path[i - 1]].name) < 0;
  if (cut || zl_buf_puts(&text, services[target].name, NULL) < 0)
    (void)zl_buf_puts(&text, "...", NULL);
  report_edge(walk, here, edge, "services wait for each other: ", text.data);
}

static void enter(struct walk *walk, size_t service)
{
  walk->colours[service] = ON_PATH;
  walk->path[walk->depth] = service;
  walk->edges[walk->depth] = 0;
  walk->depth++;
}

/* Looks at the next dependency of the innermost service; leaves it after the last. */
static void step(struct walk *walk)
{
  size_t here = walk->path[walk->depth - 1], *edge = &walk->edges[walk->depth - 1];
  const struct zl_service *service = &walk->deployment->services[here];
  const char *name;
  size_t next;

  if (*edge == service->n_depends) {
    walk->colours[here] = DONE;
    walk->depth--;
    return;
  }
  name = service->depends[*edge].service;
  if (name == NULL || find_service(walk->deployment, name, &next) == NULL) {
    if (name != NULL)
      report_edge(walk, here, *edge, "there is no service ", name);
    (*edge)++;
    return;
  }
  if (walk->colours[next] == ON_PATH)
    report_cycle(walk, next);
  (*edge)++;
  if (walk->colours[next] == UNSEEN)
    enter(walk, next);
}

void zl_check_deployment_rules(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_deployment *deployment = object;
  struct zl_at services = zl_at_key(at, "services", NULL);
  ZL_CLEANUP(walk_free)
  struct walk walk = { .ctx = ctx, .services = &services, .deployment = deployment };
  size_t count = deployment->n_services;

  if (count > ZL_MAX_SERVICES) {
    zl_report(ctx, &services, ZL_E_LIMIT, "more than %d services", ZL_MAX_SERVICES);
    return;
  }
  if (count == 0)
    return;
  if (!walk_init(&walk, count)) {
    ctx->no_memory = true;
    return;
  }
  for (size_t i = 0; i < count; i++) {
    if (walk.colours[i] == UNSEEN)
      enter(&walk, i);
    while (walk.depth > 0)
      step(&walk);
  }
}
