/* SPDX-License-Identifier: Apache-2.0
 *
 * The description of a container: one JSON object made from its plan at creation, kept in its row
 * and in record.json, and shown by inspect. Facts that change are not in it.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/strv.h"
#include "runtime/plan.h"

static const char *network_name(enum zl_plan_network network)
{
  static const char *const names[] = { [ZL_PLAN_NET_BRIDGE] = "bridge",
                                       [ZL_PLAN_NET_NONE] = "none",
                                       [ZL_PLAN_NET_HOST] = "host",
                                       [ZL_PLAN_NET_PATH] = "container" };

  return names[network];
}

static json_t *describe_network(const struct zl_container_plan *plan)
{
  const struct zl_plan_link *link = &plan->link;

  if (plan->network == ZL_PLAN_NET_BRIDGE)
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:i}", "mode", network_name(plan->network),
                     "address", link->address, "prefix", (int)link->prefix, "gateway",
                     link->gateway, "bridge", link->bridge, "link", link->link, "mtu",
                     (int)link->mtu);
  return json_pack("{s:s, s:s*}", "mode", network_name(plan->network), "container",
                   plan->network_of);
}

static json_t *describe_ports(const struct zl_container_plan *plan)
{
  json_t *ports = json_array();

  for (size_t i = 0; i < plan->n_ports; i++)
    (void)json_array_append_new(ports,
                                json_pack("{s:s, s:i, s:i, s:s}", "hostIp", plan->ports[i].host_ip,
                                          "hostPort", (int)plan->ports[i].host_port,
                                          "containerPort", (int)plan->ports[i].container_port,
                                          "protocol", plan->ports[i].udp ? "udp" : "tcp"));
  return ports;
}

static json_t *describe_mounts(const struct zl_container_plan *plan)
{
  static const char *const types[] = { [ZL_STORAGE_BIND] = "bind",
                                       [ZL_STORAGE_NAMED] = "named",
                                       [ZL_STORAGE_ANONYMOUS] = "anonymous",
                                       [ZL_STORAGE_TMPFS] = "tmpfs",
                                       [ZL_STORAGE_S3] = "s3" };
  json_t *mounts = json_array();

  for (size_t i = 0; i < plan->service->n_storage; i++) {
    const struct zl_storage *storage = &plan->service->storage[i];

    (void)json_array_append_new(mounts, json_pack("{s:s, s:s, s:s*, s:s*, s:b}", "type",
                                                  types[storage->type], "target", storage->target,
                                                  "source", storage->source, "name", storage->name,
                                                  "readonly", (int)storage->readonly));
  }
  return mounts;
}

static void set_number(json_t *object, const char *key, uint64_t value)
{
  if (value != 0)
    (void)json_object_set_new(object, key, json_integer((json_int_t)value));
}

/* Only what was set: absent members mean "no limit". */
static json_t *describe_resources(const struct zl_resources *res)
{
  json_t *object = json_object();

  if (res->cpu > 0)
    (void)json_object_set_new(object, "cpu", json_real(res->cpu));
  set_number(object, "memory", res->memory);
  set_number(object, "memoryReservation", res->memory_reservation);
  set_number(object, "cpuShares", res->cpu_shares);
  set_number(object, "blkioWeight", res->blkio_weight);
  if (res->memory_swap == ZL_UNLIMITED)
    (void)json_object_set_new(object, "memorySwap", json_integer(-1));
  else
    set_number(object, "memorySwap", res->memory_swap);
  if (res->pids_limit != 0)
    (void)json_object_set_new(object, "pidsLimit", json_integer(res->pids_limit));
  if (res->cpuset != NULL)
    (void)json_object_set_new(object, "cpuset", json_string(res->cpuset));
  if (res->has_memory_swappiness)
    (void)json_object_set_new(object, "memorySwappiness", json_integer(res->memory_swappiness));
  if (res->has_oom_score_adj)
    (void)json_object_set_new(object, "oomScoreAdj", json_integer(res->oom_score_adj));
  if (res->oom_kill_disable)
    (void)json_object_set_new(object, "oomKillDisable", json_true());
  return object;
}

static json_t *describe_pairs(const struct zl_pairs *pairs)
{
  json_t *object = json_object();

  for (size_t i = 0; i < pairs->count; i++)
    (void)json_object_set_new(object, pairs->items[i].key, json_string(pairs->items[i].value));
  return object;
}

int zl_plan_describe(const struct zl_container_plan *plan, char **ret, struct zl_error *err)
{
  const struct zl_service *service = plan->service;
  zl_autojson *json = json_pack(
      "{s:o, s:o, s:s, s:s*, s:s, s:b, s:b, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b}",
      "command", zl_json_from_strv((const char *const *)plan->argv), "env",
      zl_json_from_strv((const char *const *)plan->env), "cwd", plan->cwd, "user", plan->user,
      "hostname", plan->hostname, "tty", (int)service->tty, "openStdin",
      (int)(plan->options->open_stdin || service->stdin_open), "stopSignal", plan->stop_signal,
      "stopGraceMs", (json_int_t)plan->stop_grace_ms, "network", describe_network(plan), "ports",
      describe_ports(plan), "mounts", describe_mounts(plan), "layers",
      zl_json_from_strv((const char *const *)plan->layers), "resources",
      describe_resources(&service->resources), "labels", describe_pairs(&service->labels),
      "privileged", (int)service->privileged, "readOnlyRootFs", (int)service->read_only_root_fs,
      "init", (int)service->init_container);

  if (json == NULL)
    return zl_fail_nomem(err, "container description");
  return zl_json_render(json, ret, err);
}

static int join_ports(const json_t *ports, char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  const json_t *port;
  size_t i;
  int r = 0;

  if (json_array_size(ports) == 0)
    return 0;
  json_array_foreach (ports, i, port) {
    const char *ip = json_string_value(json_object_get(port, "hostIp"));
    const char *protocol = json_string_value(json_object_get(port, "protocol"));

    if (r == 0)
      r = zl_buf_printf(&text, err, "%s%s:%d->%d/%s", i > 0 ? ", " : "", ip != NULL ? ip : "?",
                        (int)json_integer_value(json_object_get(port, "hostPort")),
                        (int)json_integer_value(json_object_get(port, "containerPort")),
                        protocol != NULL ? protocol : "tcp");
  }
  if (r < 0)
    return r;
  *ret = zl_buf_steal(&text);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "container description");
}

static int copy_member(const json_t *object, const char *key, char **ret, struct zl_error *err)
{
  const char *text = NULL;
  int r = zl_json_get_string(object, "description", key, &text, err);

  if (r == 0 && text != NULL) {
    *ret = strdup(text);
    if (*ret == NULL)
      return zl_fail_nomem(err, "container description");
  }
  return r;
}

void zl_description_done(struct zl_description *description)
{
  zl_strv_free(description->command);
  free(description->address);
  free(description->link);
  free(description->ports);
  *description = (struct zl_description){ 0 };
}

static int read_description(const json_t *json, struct zl_description *d, struct zl_error *err)
{
  json_t *network = NULL, *ports = NULL;
  int64_t signal = 0, grace = 0;
  int r = zl_json_get_int(json, "description", "stopSignal", 1, 64, 15, &signal, err);

  if (r == 0)
    r = zl_json_get_int(json, "description", "stopGraceMs", 0, INT64_MAX, 10000, &grace, err);
  if (r == 0)
    r = zl_json_get_strv(json, "description", "command", ZL_MAX_LIST, &d->command, err);
  if (r == 0)
    r = zl_json_get_object(json, "description", "network", &network, err);
  if (r == 0)
    r = copy_member(network, "address", &d->address, err);
  if (r == 0)
    r = copy_member(network, "link", &d->link, err);
  if (r == 0)
    r = zl_json_get_array(json, "description", "ports", ZL_MAX_LIST, &ports, err);
  if (r == 0)
    r = join_ports(ports, &d->ports, err);
  d->stop_signal = (int)signal;
  d->stop_grace_ms = (uint64_t)grace;
  return r;
}

int zl_description_parse(const char *config, struct zl_description *ret, struct zl_error *err)
{
  zl_autodescription d = { 0 };
  zl_autojson *json = NULL;
  int r = zl_json_parse(config, strlen(config), "description", &json, err);

  if (r == 0)
    r = read_description(json, &d, err);
  if (r < 0)
    return r;
  *ret = d;
  d = (struct zl_description){ 0 };
  return 0;
}
