/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/strv.h"
#include "runtime/node.h"

static json_t *time_or_null(uint64_t wall_ns)
{
  char text[ZL_TIME_TEXT];

  return wall_ns == 0 ? json_null() : json_string(zl_time_format(wall_ns, text));
}

static json_t *render_state(const struct zl_observation *seen)
{
  const struct zl_container_state *s = &seen->state;
  json_t *json =
      json_pack("{s:s, s:b, s:i, s:o}", "status", zl_state_name(s->state), "paused", (int)s->paused,
                "pid", (int)s->pid, "startedAt", time_or_null(seen->started_at_ns));

  if (json == NULL || !zl_has_ended(seen))
    return json;
  (void)json_object_set_new(json, "exitCode", json_integer(s->outcome.exit_code));
  (void)json_object_set_new(json, "exitReason",
                            json_string(zl_exit_reason_name(s->outcome.reason)));
  (void)json_object_set_new(json, "oomKilled",
                            json_boolean(s->outcome.reason == ZL_EXIT_OOM_KILLED));
  (void)json_object_set_new(json, "signal", json_integer(s->outcome.signal));
  (void)json_object_set_new(json, "finishedAt", time_or_null(s->outcome.finished_at_ns));
  if (s->state == ZL_STATE_FAILED)
    (void)json_object_set_new(json, "error", json_string(s->reason));
  return json;
}

static json_t *render_paths(const struct zl_runtime *rt, const char *id)
{
  zl_autofree char *dir = zl_asprintf("%s/containers/%s", rt->root, id);
  zl_autofree char *log = zl_asprintf("%s/containers/%s/log/container.log", rt->root, id);

  return json_pack("{s:s*, s:s*}", "directory", dir, "log", log);
}

static json_t *render(const struct zl_runtime *rt, const struct zl_record *rec,
                      const struct zl_observation *seen, json_t *config)
{
  json_t *network = json_object_get(config, "network");
  json_t *ports = json_object_get(config, "ports");
  json_t *mounts = json_object_get(config, "mounts");
  json_t *resources = json_object_get(config, "resources");
  json_t *json = json_pack(
      "{s:s, s:s?, s:s?, s:s, s:i, s:s, s:I, s:s, s:s, s:b, s:o, s:{s:s, s:s}, s:o, s:O*, s:O*, "
      "s:O*, s:O*, s:o, s:O}",
      "id", rec->id, "name", rec->name, "deployment", rec->deployment, "service", rec->service,
      "replica", (int)rec->replica, "role", rec->role, "nodeId", (json_int_t)rec->node_id,
      "backend", rec->backend, "isolation", rec->isolation, "autoRemove", (int)rec->auto_remove,
      "createdAt", time_or_null(rec->created_at_ns), "image", "reference", rec->image, "digest",
      rec->image_digest, "state", render_state(seen), "network", network, "ports", ports, "mounts",
      mounts, "resources", resources, "paths", render_paths(rt, rec->id), "config", config);

  /* Shown once, at the top. */
  (void)json_object_del(config, "network");
  (void)json_object_del(config, "ports");
  (void)json_object_del(config, "mounts");
  (void)json_object_del(config, "resources");
  return json;
}

int zl_inspect(struct zl_runtime *rt, const char *id, char **ret_json, struct zl_error *err)
{
  zl_autorecord record = { 0 };
  zl_autojson *config = NULL, *json = NULL;
  struct zl_backend *backend = NULL;
  struct zl_observation seen;
  int r = zl_record_find(rt, id, &record, err);

  if (r == 0)
    r = zl_observe(rt, &record, &seen, err);
  if (r == 0)
    r = zl_json_parse(record.config, strlen(record.config), "description", &config, err);
  if (r != 0)
    return r;
  json = render(rt, &record, &seen, config);
  if (json == NULL)
    return zl_fail_nomem(err, "description of a container");
  r = zl_backend_get(rt, record.backend, &backend, err);
  if (r == 0)
    r = zl_backend_inspect(backend, record.id, json, err);
  if (r == 0)
    r = zl_json_render(json, ret_json, err);
  if (r == 0)
    zl_remove_if_due(rt, &record, &seen);
  return r;
}
