/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules over several fields of one service.
 */
#include <string.h>

#include "base/strv.h"
#include "spec/rules.h"

static void check_schedule(struct zl_spec_ctx *ctx, const struct zl_at *at,
                           const struct zl_service *service)
{
  struct zl_at schedule = zl_at_key(at, "schedule", NULL);

  if (service->rtype == ZL_RTYPE_CRON && service->schedule == NULL)
    zl_report(ctx, &schedule, ZL_E_INVALID, "required with rtype cron");
  else if (service->rtype != ZL_RTYPE_CRON && service->schedule != NULL)
    zl_report(ctx, &schedule, ZL_E_INVALID, "only goes with rtype cron");
}

static bool has_role(const struct zl_service *service, const char *role)
{
  for (size_t i = 0; i < service->n_replica_groups; i++)
    if (service->replica_groups[i].role != NULL &&
        strcmp(service->replica_groups[i].role, role) == 0)
      return true;
  return false;
}

static void check_endpoints(struct zl_spec_ctx *ctx, const struct zl_at *at,
                            const struct zl_service *service)
{
  struct zl_at list = zl_at_key(at, "endpoints", NULL);

  for (size_t i = 0; i < service->n_endpoints; i++) {
    const struct zl_endpoint *endpoint = &service->endpoints[i];
    struct zl_at element = zl_at_index(&list, i);
    struct zl_at name = zl_at_key(&element, "name", NULL);
    struct zl_at role = zl_at_key(&element, "target_role", NULL);

    for (size_t j = 0; j < i && endpoint->name != NULL; j++)
      if (service->endpoints[j].name != NULL &&
          strcmp(service->endpoints[j].name, endpoint->name) == 0) {
        zl_report(ctx, &name, ZL_E_INVALID, "endpoint %zu is called '%s' too", j, endpoint->name);
        break;
      }
    if (endpoint->target_role != NULL && !has_role(service, endpoint->target_role))
      zl_report(ctx, &role, ZL_E_INVALID, "no replica group has the role '%s'",
                endpoint->target_role);
  }
}

static void check_groups(struct zl_spec_ctx *ctx, const struct zl_at *at,
                         const struct zl_service *service)
{
  struct zl_at list = zl_at_key(at, "replica_groups", NULL);

  for (size_t i = 1; i < service->n_replica_groups; i++) {
    const char *role = service->replica_groups[i].role;
    struct zl_at element = zl_at_index(&list, i);
    struct zl_at place = zl_at_key(&element, "role", NULL);

    for (size_t j = 0; j < i && role != NULL; j++)
      if (service->replica_groups[j].role != NULL &&
          strcmp(service->replica_groups[j].role, role) == 0) {
        zl_report(ctx, &place, ZL_E_INVALID, "replica group %zu has the role '%s' too", j, role);
        break;
      }
  }
}

/* Paths that differ only in their slashes are one place. */
static bool same_path(const char *a, const char *b)
{
  while (true) {
    size_t n = strcspn(a, "/"), m = strcspn(b, "/");

    if (n != m || memcmp(a, b, n) != 0)
      return false;
    a += n + strspn(a + n, "/");
    b += m + strspn(b + m, "/");
    if (*a == '\0' || *b == '\0')
      return *a == *b;
  }
}

static void check_storage(struct zl_spec_ctx *ctx, const struct zl_at *at,
                          const struct zl_service *service)
{
  struct zl_at list = zl_at_key(at, "storage", NULL);

  for (size_t i = 1; i < service->n_storage; i++) {
    const char *target = service->storage[i].target;
    struct zl_at element = zl_at_index(&list, i);
    struct zl_at place = zl_at_key(&element, "target", NULL);

    for (size_t j = 0; j < i && target != NULL; j++)
      if (service->storage[j].target != NULL && same_path(service->storage[j].target, target)) {
        zl_report(ctx, &place, ZL_E_INVALID, "storage %zu has the target '%s' too", j, target);
        break;
      }
  }
}

static bool is_any_address(const char *ip)
{
  return ip == NULL || strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0;
}

static bool same_host_port(const struct zl_port_mapping *a, const struct zl_port_mapping *b)
{
  return a->host_port != 0 && a->host_port == b->host_port && a->protocol == b->protocol &&
         (is_any_address(a->host_ip) || is_any_address(b->host_ip) ||
          strcmp(a->host_ip, b->host_ip) == 0);
}

static void check_one_mapping(struct zl_spec_ctx *ctx, const struct zl_at *list, size_t i,
                              const struct zl_service *service)
{
  const struct zl_port_mapping *mapping = &service->port_mappings[i];
  struct zl_at element = zl_at_index(list, i);
  struct zl_at port = zl_at_key(&element, "host_port", NULL);
  struct zl_at container_port = zl_at_key(&element, "container_port", NULL);

  if (mapping->container_port == 0 && !ctx->from_file)
    zl_report(ctx, &container_port, ZL_E_INVALID, "required but missing");
  for (size_t j = 0; j < i; j++)
    if (same_host_port(&service->port_mappings[j], mapping)) {
      zl_report(ctx, &port, ZL_E_INVALID, "port mapping %zu has host port %u too", j,
                mapping->host_port);
      break;
    }
  if (mapping->host_port != 0 && service->scale.mode == ZL_SCALE_FIXED &&
      service->scale.replicas > 1)
    zl_report(ctx, &port, ZL_E_INVALID,
              "only one of %u replicas can have host port %u: leave host_port out for a free one",
              service->scale.replicas, mapping->host_port);
}

static void check_port_mappings(struct zl_spec_ctx *ctx, const struct zl_at *at,
                                const struct zl_service *service)
{
  struct zl_at list = zl_at_key(at, "port_mappings", NULL);

  for (size_t i = 0; i < service->n_port_mappings; i++)
    check_one_mapping(ctx, &list, i, service);
  if (service->n_port_mappings > 0 && service->network_mode.kind != ZL_NETWORK_DEFAULT &&
      service->network_mode.kind != ZL_NETWORK_BRIDGE)
    zl_report(ctx, &list, ZL_E_INVALID,
              "ports can be mapped only with network_mode default: this one has no address of its "
              "own");
}

static void check_network(struct zl_spec_ctx *ctx, const struct zl_at *at,
                          const struct zl_service *service)
{
  struct zl_at mode = zl_at_key(at, "network_mode", NULL);
  struct zl_at host = zl_at_key(at, "host_network", NULL);
  bool named = service->network_mode.kind == ZL_NETWORK_CONTAINER;

  if (service->host_network && service->network_mode.kind != ZL_NETWORK_HOST)
    zl_report(ctx, &host, ZL_E_INVALID, "contradicts network_mode");
  if (named && (service->network_mode.name == NULL || service->network_mode.name[0] == '\0'))
    zl_report(ctx, &mode, ZL_E_INVALID, "expected container:ID");
  if (service->network_mode.kind == ZL_NETWORK_BRIDGE && ctx->quiet == 0)
    zl_report(ctx, &mode, ZL_E_UNSUPPORTED,
              "'bridge' is not supported yet: use default, host, none or container:ID");
}

/* In a shared namespace these settings would be the node's or another container's. */
static void check_sysctls(struct zl_spec_ctx *ctx, const struct zl_at *at,
                          const struct zl_service *service)
{
  struct zl_at list = zl_at_key(at, "sysctls", NULL);
  bool own_network = service->network_mode.kind != ZL_NETWORK_HOST &&
                     service->network_mode.kind != ZL_NETWORK_CONTAINER;

  for (size_t i = 0; i < service->sysctls.count; i++) {
    const char *key = service->sysctls.items[i].key;
    struct zl_at place = zl_at_key(&list, key, NULL);
    bool net = zl_has_prefix(key, "net.");

    if (net && !own_network)
      zl_report(ctx, &place, ZL_E_INVALID, "the network is not the container's own");
    else if (!net && service->ipc_mode != ZL_NS_PRIVATE)
      zl_report(ctx, &place, ZL_E_INVALID, "needs ipc_mode private");
  }
}

/* Duplicates would make "which one counts" a question of the order. */
static void check_unique_ulimits(struct zl_spec_ctx *ctx, const struct zl_at *at,
                                 const struct zl_service *service)
{
  struct zl_at map = zl_at_key(at, "ulimits", NULL);

  for (size_t i = 0; i < service->n_ulimits; i++) {
    const struct zl_ulimit *limit = &service->ulimits[i];
    struct zl_at place = zl_at_key(&map, limit->name, NULL);

    for (size_t j = 0; j < i && !ctx->from_file; j++)
      if (strcmp(service->ulimits[j].name, limit->name) == 0)
        zl_report(ctx, &place, ZL_E_INVALID, "the limit is there twice");
    if (limit->soft > limit->hard)
      zl_report(ctx, &place, ZL_E_INVALID, "soft is above hard");
  }
}

static void check_users(struct zl_spec_ctx *ctx, const struct zl_at *at,
                        const struct zl_service *service)
{
  struct zl_at place = zl_at_key(at, "userns_mode", NULL);

  if (service->userns_mode == ZL_USERNS_PRIVATE && service->privileged)
    zl_report(ctx, &place, ZL_E_INVALID,
              "a privileged container cannot have its own user namespace");
}

static void check_wasm(struct zl_spec_ctx *ctx, const struct zl_at *at,
                       const struct zl_service *service)
{
  struct zl_at place = zl_at_key(at, "wasm", "wasm_http");
  bool is_wasm = service->service_type >= ZL_SERVICE_WASM_HTTP &&
                 service->service_type <= ZL_SERVICE_WASM_ROUTER;

  if (service->wasm == NULL)
    return;
  if (!is_wasm)
    zl_report(ctx, &place, ZL_E_INVALID, "only goes with a service_type of wasm_...");
  if (service->wasm->min_instances > service->wasm->max_instances)
    zl_report(ctx, &place, ZL_E_INVALID, "min_instances is above max_instances");
}

void zl_check_service(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_service *service = object;

  check_schedule(ctx, at, service);
  check_endpoints(ctx, at, service);
  check_groups(ctx, at, service);
  check_storage(ctx, at, service);
  check_port_mappings(ctx, at, service);
  check_network(ctx, at, service);
  check_sysctls(ctx, at, service);
  check_unique_ulimits(ctx, at, service);
  check_users(ctx, at, service);
  check_wasm(ctx, at, service);
}

void zl_check_resources(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_resources *resources = object;
  struct zl_at swap = zl_at_key(at, "memory_swap", NULL);
  struct zl_at reservation = zl_at_key(at, "memory_reservation", NULL);

  if (resources->memory_swap != 0 && resources->memory == 0)
    zl_report(ctx, &swap, ZL_E_INVALID, "needs memory: it is the sum of memory and swap");
  else if (resources->memory_swap != 0 && resources->memory_swap < resources->memory)
    zl_report(ctx, &swap, ZL_E_INVALID, "less than memory: it is the sum of memory and swap");
  if (resources->memory != 0 && resources->memory_reservation > resources->memory)
    zl_report(ctx, &reservation, ZL_E_INVALID, "more than memory");
}
