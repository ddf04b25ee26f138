/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/linux/linux.h"

#include "base/strv.h"
#include "runtime/linux/bundle.h"
#include "runtime/linux/control.h"
#include "runtime/linux/groups.h"
#include "runtime/linux/linux_private.h"

static int linux_open(struct zl_runtime *rt, struct zl_backend **ret, struct zl_error *err)
{
  struct zl_linux_backend *backend = calloc(1, sizeof(*backend));

  if (backend == NULL)
    return zl_fail_nomem(err, "linux backend");
  backend->base.ops = &zl_linux_ops;
  backend->base.rt = rt;
  backend->shim_fd = -1;
  (void)pthread_mutex_init(&backend->lock, NULL);
  *ret = &backend->base;
  return 0;
}

static void linux_close(struct zl_backend *base)
{
  struct zl_linux_backend *backend = (struct zl_linux_backend *)base;

  zl_fd_closep(&backend->shim_fd);
  (void)pthread_mutex_destroy(&backend->lock);
  free(backend);
}

static int linux_check(struct zl_backend *backend, const struct zl_service *service,
                       struct zl_error *err)
{
  uint64_t caps;

  (void)backend;
  if (service->network_mode.kind == ZL_NETWORK_CONTAINER &&
      service->userns_mode == ZL_USERNS_PRIVATE)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "services.%s.userns_mode: a user namespace of its own cannot share another "
                   "container's network",
                   service->name);
  return zl_bundle_capabilities(service, &caps, err);
}

/* One request without anything to say back. */
static int ask(struct zl_backend *backend, const char *id, json_t *request, struct zl_error *err)
{
  zl_autojson *owned = request;
  zl_autofd fd = -1;
  int r = zl_linux_connect(backend->rt, id, &fd, err);

  if (r < 0)
    return r;
  r = zl_control_call(fd, json_incref(owned), NULL, err);
  return r == -ZL_E_REMOTE ? zl_fail(err, ZL_E_CONFLICT, 0, "it has just ended") : r;
}

static int linux_start(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  return ask(backend, id, json_pack("{s:s}", "op", "start"), err);
}

static int linux_kill(struct zl_backend *backend, const char *id, int signal, struct zl_error *err)
{
  return ask(backend, id, json_pack("{s:s, s:i}", "op", "kill", "signal", signal), err);
}

static int linux_pause(struct zl_backend *backend, const char *id, bool freeze,
                       struct zl_error *err)
{
  return ask(backend, id, json_pack("{s:s}", "op", freeze ? "pause" : "resume"), err);
}

/* The reply comes at the end; the shim goes on with the stop when we are gone. */
static int stop_by_shim(int fd, int signal, uint64_t grace_ms, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  uint64_t patience = grace_ms > UINT32_MAX ? UINT32_MAX : grace_ms;
  uint64_t deadline = zl_time_boot() + patience * ZL_NS_PER_MS + ZL_CONTROL_PATIENCE;
  int r = zl_control_send(fd,
                          json_pack("{s:s, s:i, s:I}", "op", "stop", "signal", signal, "grace_ms",
                                    (json_int_t)grace_ms),
                          NULL, 0, err);

  return r < 0 ? r : zl_control_receive(fd, deadline, -1, &reply, NULL, err);
}

static int linux_stop(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
                      struct zl_error *err)
{
  zl_autofd fd = -1;
  int r = zl_linux_connect(backend->rt, id, &fd, err);

  if (r == 0)
    r = stop_by_shim(fd, signal, grace_ms, err);
  /* No shim any more, or it went while we asked: then the container has ended as well. */
  return r == -ZL_E_CONFLICT || r == -ZL_E_REMOTE ? 0 : r;
}

static int read_limit(const json_t *stats, const char *key, uint64_t *ret, struct zl_error *err)
{
  int64_t value = 0;
  int r = zl_json_get_int(stats, "stats", key, INT64_MIN, INT64_MAX, 0, &value, err);

  *ret = value < 0 || value == INT64_MAX ? UINT64_MAX : (uint64_t)value;
  return r;
}

static int parse_stats(const json_t *json, struct zl_stats *ret, struct zl_error *err)
{
  const struct {
    const char *key;
    uint64_t *to;
  } members[] = {
    { "time_ns", &ret->time_ns },
    { "cpu_usage_ns", &ret->cpu_usage_ns },
    { "cpu_system_ns", &ret->cpu_system_ns },
    { "memory_bytes", &ret->memory_bytes },
    { "memory_limit", &ret->memory_limit },
    { "pids", &ret->pids },
    { "pids_limit", &ret->pids_limit },
    { "block_read_bytes", &ret->block_read_bytes },
    { "block_write_bytes", &ret->block_write_bytes },
    { "net_rx_bytes", &ret->net_rx_bytes },
    { "net_tx_bytes", &ret->net_tx_bytes },
  };
  json_t *stats = NULL;
  int64_t cpus = 0;
  int r = zl_json_get_object(json, "reply", "stats", &stats, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(members); i++)
    r = read_limit(stats, members[i].key, members[i].to, err);
  if (r == 0)
    r = zl_json_get_int(stats, "stats", "online_cpus", 0, UINT16_MAX, 0, &cpus, err);
  ret->online_cpus = (unsigned)cpus;
  return r;
}

static int linux_stats(struct zl_backend *backend, const char *id, struct zl_stats *ret,
                       struct zl_error *err)
{
  zl_autojson *reply = NULL;
  struct zl_stats stats = { 0 };
  zl_autofd fd = -1;
  int r = zl_linux_connect(backend->rt, id, &fd, err);

  if (r == 0)
    r = zl_control_call(fd, json_pack("{s:s}", "op", "stats"), &reply, err);
  if (r == 0)
    r = parse_stats(reply, &stats, err);
  if (r == 0)
    *ret = stats;
  return r == -ZL_E_REMOTE ? zl_fail(err, ZL_E_CONFLICT, 0, "it has just ended") : r;
}

static int linux_adopt(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  struct zl_facts facts;
  int r = zl_linux_state(backend, id, &facts, err);

  if (r < 0)
    return r;
  if (facts.presence == ZL_PRESENCE_NONE || facts.presence == ZL_PRESENCE_LOST)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "there is no such container on this host");
  return 0;
}

static int linux_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err)
{
  zl_autofree char *helpers = NULL;
  int r = zl_node_helper_dir(backend->rt, &helpers, err);

  if (r < 0)
    return r;
  if (json_object_set_new(to, "cgroups", json_string(zl_groups_mode())) < 0 ||
      json_object_set_new(to, "helperDir", json_string(helpers)) < 0)
    return zl_fail_nomem(err, "node facts");
  return 0;
}

const struct zl_runtime_ops zl_linux_ops = {
  .name = "linux",
  .caps = ZL_RT_ATTACH | ZL_RT_EXEC | ZL_RT_PAUSE | ZL_RT_STATS | ZL_RT_NETWORK,
  .open = linux_open,
  .close = linux_close,
  .check = linux_check,
  .prepare = zl_linux_prepare,
  .create = zl_linux_create,
  .start = linux_start,
  .stop = linux_stop,
  .kill = linux_kill,
  .remove = zl_linux_remove,
  .state = zl_linux_state,
  .wait = zl_linux_wait,
  .enumerate = zl_linux_enumerate,
  .adopt = linux_adopt,
  .describe = linux_describe,
  .attach = zl_linux_attach,
  .exec = zl_linux_exec,
  .pause = linux_pause,
  .stats = linux_stats,
};
