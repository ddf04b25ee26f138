/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers by their facts: what exists on this host, and taking it back into the database.
 */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/path.h"
#include "runtime/plan.h"

int zl_enumerate(struct zl_runtime *rt, zl_id_fn fn, void *payload, struct zl_error *err)
{
  const char *name;
  int r = 0;

  for (size_t i = 0; r == 0 && (name = zl_backend_name(i)) != NULL; i++) {
    struct zl_backend *backend = NULL;

    r = zl_backend_get(rt, name, &backend, err);
    if (r == 0)
      r = zl_backend_enumerate(backend, fn, payload, err);
  }
  return r;
}

static int adopt_lease(struct zl_runtime *rt, const struct zl_record *record,
                       struct zl_description *d, struct zl_error *err)
{
  struct zl_lease lease = { 0 };
  struct zl_net *net = NULL;
  int r = zl_node_net(rt, &net, err);

  if (r < 0 || d->address == NULL || d->link == NULL)
    return r;
  if (!zl_ip4_parse(d->address, &lease.address))
    return zl_fail(err, ZL_E_CORRUPT, 0, "container '%s': address '%s'", record->id, d->address);
  (void)snprintf(lease.link, sizeof(lease.link), "%s", d->link);
  r = zl_lease_adopt(net, record->id, &lease, err);
  if (r == 0)
    r = zl_record_journal(rt->store, record, "link", lease.link, err);
  return r;
}

static int adopt_port(struct zl_runtime *rt, const char *id, const json_t *port,
                      struct zl_error *err)
{
  const char *ip = NULL, *protocol = NULL;
  int64_t host = 0, container = 0;
  int r = zl_json_get_string(port, "port", "hostIp", &ip, err);

  if (r == 0)
    r = zl_json_get_string(port, "port", "protocol", &protocol, err);
  if (r == 0)
    r = zl_json_get_int(port, "port", "hostPort", 1, UINT16_MAX, 0, &host, err);
  if (r == 0)
    r = zl_json_get_int(port, "port", "containerPort", 1, UINT16_MAX, 0, &container, err);
  if (r < 0)
    return r;
  return zl_store_run(rt->store, err, "INSERT OR IGNORE INTO ports VALUES (?, ?, ?, ?, ?)", "sissi",
                      ip, host, protocol, id, container);
}

static int adopt_lists(struct zl_runtime *rt, const struct zl_record *record, struct zl_error *err)
{
  zl_autojson *json = NULL;
  json_t *ports = NULL, *mounts = NULL, *item;
  size_t i;
  int r = zl_json_parse(record->config, strlen(record->config), "description", &json, err);

  if (r == 0)
    r = zl_json_get_array(json, "description", "ports", ZL_MAX_LIST, &ports, err);
  if (r == 0)
    r = zl_json_get_array(json, "description", "mounts", ZL_MAX_LIST, &mounts, err);
  json_array_foreach (ports, i, item)
    if (r == 0)
      r = adopt_port(rt, record->id, item, err);
  if (r == 0 && json_array_size(ports) > 0)
    r = zl_record_journal(rt->store, record, "ports", record->id, err);
  json_array_foreach (mounts, i, item) {
    const char *name = json_string_value(json_object_get(item, "name"));

    if (r == 0 && name != NULL)
      r = zl_store_run(rt->store, err, "INSERT OR IGNORE INTO volume_users VALUES (?, ?)", "ss",
                       name, record->id);
    if (r == 0 && name != NULL)
      r = zl_store_run(rt->store, err, "INSERT OR IGNORE INTO volumes VALUES (?, ?)", "su", name,
                       zl_time_wall());
  }
  return r;
}

/* The image's own rows may be lost too: its layers must not be taken for unused. */
static int adopt_layers(struct zl_runtime *rt, const struct zl_record *record, struct zl_error *err)
{
  zl_autojson *json = NULL;
  json_t *layers = NULL, *item;
  size_t i;
  int r = zl_json_parse(record->config, strlen(record->config), "description", &json, err);

  if (r == 0)
    r = zl_json_get_array(json, "description", "layers", ZL_MAX_LAYERS, &layers, err);
  json_array_foreach (layers, i, item) {
    const char *path = json_string_value(item); /* ROOT/layers/<key>/FILE, top first */
    const char *end = path != NULL ? strrchr(path, '/') : NULL;
    zl_autofree char *key = NULL;

    if (r < 0 || end == NULL)
      continue;
    while (end > path && end[-1] != '/')
      end--;
    key = strndup(end, strcspn(end, "/"));
    r = key == NULL ? zl_fail_nomem(err, "layer key")
                    : zl_store_run(rt->store, err,
                                   "INSERT OR IGNORE INTO manifest_layers (digest, position, key)"
                                   " VALUES (?, ?, ?)",
                                   "sis", record->image_digest,
                                   (int64_t)(json_array_size(layers) - 1 - i), key);
  }
  return r;
}

static int write_rows(struct zl_runtime *rt, const struct zl_record *record,
                      struct zl_description *d, struct zl_error *err)
{
  static const char *const kinds[] = { "directory", "shim", "cgroup" };
  int r = zl_record_insert(rt->store, record, err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(kinds); i++)
    r = zl_record_journal(rt->store, record, kinds[i], record->id, err);
  if (r == 0)
    r = adopt_layers(rt, record, err);
  if (r == 0)
    r = adopt_lease(rt, record, d, err);
  return r < 0 ? r : adopt_lists(rt, record, err);
}

static int insert(struct zl_runtime *rt, const struct zl_record *record, struct zl_error *err)
{
  zl_autodescription d = { 0 };
  struct zl_store *store = NULL;
  struct zl_net *net = NULL;
  int r = zl_description_parse(record->config, &d, err);

  if (r == 0)
    r = zl_node_store(rt, &store, err);
  if (r == 0)
    r = zl_node_net(rt, &net, err);
  if (r == 0)
    r = zl_store_begin(store, err);
  if (r < 0)
    return r;
  r = write_rows(rt, record, &d, err);
  if (r == 0)
    return zl_store_commit(store, err);
  zl_store_rollback(store);
  return r;
}

static int restore(struct zl_runtime *rt, const char *id, struct zl_record *ret,
                   struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(rt, id, &dir, err);

  if (r == 0)
    r = zl_record_restore(dir, ret, err);
  if (r == 0 && strcmp(ret->id, id) != 0)
    r = zl_fail(err, ZL_E_CORRUPT, 0, "'containers/%s/record.json' speaks of '%s'", id, ret->id);
  return r;
}

int zl_take_over(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  zl_autorecord known = { 0 }, record = { 0 };
  struct zl_backend *backend = NULL;
  int r = zl_record_load(rt, id, &known, err);

  if (r != -ZL_E_NOT_FOUND)
    return r;
  r = restore(rt, id, &record, err);
  if (r == 0)
    r = zl_backend_get(rt, record.backend, &backend, err);
  if (r == 0)
    r = zl_backend_adopt(backend, id, err);
  if (r == 0)
    r = insert(rt, &record, err);
  if (r < 0)
    return r;
  zl_event_emit(rt, "container", "adopt", id, NULL);
  return 0;
}

int zl_adopt(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  zl_autofd lock = -1;
  int r;

  if (!zl_path_is_name(id, ZL_MAX_ID))
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "no container '%.128s'", id);
  r = zl_node_lock(rt, id, &lock, err);
  if (r == 0)
    r = zl_take_over(rt, id, err);
  if (r == -ZL_E_NOT_FOUND)
    zl_node_forget_lock(rt, id);
  return r < 0 ? zl_context(r, err, "adopting container '%s'", id) : 0;
}
