/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/deploy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/containers.h"

enum mark {
  FRESH,
  ENTERED,
  PLACED
};

/* An explicit depth-first walk would need a stack of its own; the depth is bounded by
 * ZL_MAX_SERVICES, and the recursion keeps only three pointers per level. */
static int place(const struct zl_deployment *deployment, size_t i, enum mark *marks,
                 const struct zl_service **order, size_t *n, struct zl_error *err)
{
  const struct zl_service *service = &deployment->services[i], *other;
  int r = 0;

  if (marks[i] == PLACED)
    return 0;
  if (marks[i] == ENTERED)
    return zl_fail(err, ZL_E_INVALID, 0, "service '%s' depends on itself by way of others",
                   service->name);
  marks[i] = ENTERED;
  for (size_t d = 0; d < service->n_depends && r >= 0; d++) {
    other = zl_service_find(deployment, service->depends[d].service);
    if (other == NULL)
      return zl_fail(err, ZL_E_INVALID, 0, "service '%s' depends on '%s', which there is not",
                     service->name, service->depends[d].service);
    r = place(deployment, (size_t)(other - deployment->services), marks, order, n, err);
  }
  marks[i] = PLACED;
  order[(*n)++] = service;
  return r;
}

static int sort(const struct zl_deployment *deployment, const struct zl_service **order,
                struct zl_error *err)
{
  zl_autofree enum mark *marks = calloc(deployment->n_services + 1, sizeof(*marks));
  size_t n = 0;
  int r = 0;

  if (marks == NULL)
    return zl_fail_nomem(err, "the order of services");
  for (size_t i = 0; i < deployment->n_services && r >= 0; i++)
    r = place(deployment, i, marks, order, &n, err);
  return r;
}

static int add_replicas(struct zl_units *units, const struct zl_service *service,
                        struct zl_error *err)
{
  struct zl_unit unit = { .service = service };
  struct zl_unit *items;
  struct zl_container_id id = { .service = service->name };
  int r = zl_service_digest(service, unit.digest, err);

  if (service->scale.replicas > ZL_MAX_UNITS - units->count)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d containers in one deployment", ZL_MAX_UNITS);
  items = reallocarray(units->items, units->count + service->scale.replicas + 1, sizeof(*items));
  if (items == NULL)
    return zl_fail_nomem(err, "the containers of a deployment");
  units->items = items;
  for (uint32_t i = 1; i <= service->scale.replicas && r >= 0; i++) {
    unit.replica = id.replica = i;
    r = zl_container_id_format(&id, unit.id, err);
    if (r >= 0)
      units->items[units->count++] = unit;
  }
  return r;
}

int zl_units_plan(const struct zl_deployment *deployment, struct zl_units *ret,
                  struct zl_error *err)
{
  zl_autofree const struct zl_service **order =
      calloc(deployment->n_services + 1, sizeof(const struct zl_service *));
  struct zl_units units = { 0 };
  int r;

  if (order == NULL)
    return zl_fail_nomem(err, "the order of services");
  r = sort(deployment, order, err);
  for (size_t i = 0; r >= 0 && order[i] != NULL; i++)
    r = add_replicas(&units, order[i], err);
  if (r < 0) {
    zl_units_done(&units);
    return r;
  }
  *ret = units;
  return 0;
}

void zl_units_done(struct zl_units *units)
{
  free(units->items);
  *units = (struct zl_units){ 0 };
}

struct zl_unit *zl_units_find(const struct zl_units *units, const char *id)
{
  for (size_t i = 0; i < units->count; i++)
    if (strcmp(units->items[i].id, id) == 0)
      return &units->items[i];
  return NULL;
}

/* FNV-1a: it tells changes apart and proves nothing, and loads no library for it. How many replicas
 * there are is no property of one of them. */
int zl_service_digest(const struct zl_service *service, char digest[ZL_SERVICE_DIGEST],
                      struct zl_error *err)
{
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  zl_autofree char *text = NULL, *plain = NULL;
  zl_autojson *json = NULL;
  int r = zl_service_render(service, ZL_SPEC_JSON, &text, err);

  if (r >= 0)
    r = zl_json_parse(text, strlen(text), service->name, &json, err);
  if (r < 0)
    return r;
  (void)json_object_del(json, "scale");
  plain = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
  if (plain == NULL)
    return zl_fail_nomem(err, "the digest of a service");
  for (const char *c = plain; *c != '\0'; c++)
    hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
  (void)snprintf(digest, ZL_SERVICE_DIGEST, "%016" PRIx64, hash);
  return 0;
}

int zl_container_digest(struct zl_runtime *rt, const char *id, char digest[ZL_SERVICE_DIGEST],
                        struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autojson *json = NULL;
  const char *label;
  int r = zl_inspect(rt, id, &text, err);

  if (r >= 0)
    r = zl_json_parse(text, strlen(text), id, &json, err);
  if (r < 0)
    return r;
  label = json_string_value(
      json_object_get(json_object_get(json_object_get(json, "config"), "labels"), ZL_DIGEST_LABEL));
  (void)snprintf(digest, ZL_SERVICE_DIGEST, "%s", label != NULL ? label : "");
  return 0;
}

static bool depends_on(const struct zl_service *service, const char *name)
{
  for (size_t i = 0; i < service->n_depends; i++)
    if (strcmp(service->depends[i].service, name) == 0)
      return true;
  return false;
}

static int add_name(struct zl_service *service, const char *name, const char *address,
                    struct zl_error *err)
{
  zl_autofree char *entry = zl_asprintf("%s:%s", name, address);

  return entry != NULL ? zl_list_add(&service->extra_hosts, entry, err)
                       : zl_fail_nomem(err, "host entries");
}

int zl_service_add_names(struct zl_runtime *rt, const char *deployment, struct zl_service *service,
                         struct zl_error *err)
{
  struct zl_container_info *list = NULL;
  size_t count = 0;
  int r = 0;

  if (service->n_depends == 0 || service->network_mode.kind != ZL_NETWORK_DEFAULT ||
      service->host_network)
    return 0;
  r = zl_list(rt, &list, &count, err);
  for (size_t i = 0; r >= 0 && i < count; i++) {
    const struct zl_container_info *info = &list[i];

    if (info->deployment == NULL || strcmp(info->deployment, deployment) != 0 ||
        info->address == NULL || !zl_container_runs(info) || !depends_on(service, info->service))
      continue;
    /* The first entry of a name is the one that counts. */
    r = add_name(service, info->service, info->address, err);
    if (r >= 0)
      r = add_name(service, info->id, info->address, err);
  }
  zl_containers_free(list, count);
  return r;
}

int zl_deploy_load(const char *path, struct zl_deployment **ret, struct zl_error *err)
{
  struct zl_spec_errors errors = { 0 };
  int r = zl_deployment_load(path, ret, &errors, err);
  size_t more = errors.count > 1 ? errors.count - 1 : 0;

  zl_spec_errors_done(&errors);
  if (r >= 0 || more == 0)
    return r;
  return zl_wrap(err, "%zu more errors, 'zlayer validate %s' lists all; first", more, path);
}
