/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts about the node, for people and programs.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "runtime/host.h"

struct counts {
  size_t total, running, ended;
  uint64_t bytes, log_bytes;
};

static int count_one(struct zl_runtime *rt, const struct zl_record *record, bool with_sizes,
                     struct counts *counts, struct zl_error *err)
{
  struct zl_observation seen;
  uint64_t files = 0;
  zl_autofd dir = -1;
  int r = zl_observe(rt, record, &seen, err);

  if (r < 0)
    return r;
  counts->total++;
  counts->running += seen.presence == ZL_PRESENCE_RUNNING || seen.presence == ZL_PRESENCE_STOPPING;
  counts->ended += zl_has_ended(&seen);
  if (!with_sizes)
    return 0;
  (void)zl_path_tree_usage(rt->containers_fd, record->id, &counts->bytes, &files);
  if (zl_node_container_dir(rt, record->id, &dir, NULL) == 0)
    (void)zl_path_tree_usage(dir, "log", &counts->log_bytes, &files);
  return 0;
}

static int count(struct zl_runtime *rt, bool with_sizes, struct counts *ret, struct zl_error *err)
{
  struct zl_record *records = NULL;
  size_t n = 0;
  int r = zl_record_list(rt, &records, &n, err);

  for (size_t i = 0; r == 0 && i < n; i++)
    r = count_one(rt, &records[i], with_sizes, ret, err);
  zl_records_free(records, n);
  return r;
}

static json_t *list_backends(struct zl_runtime *rt)
{
  json_t *list = json_array();
  const char *name;

  for (size_t i = 0; (name = zl_backend_name(i)) != NULL; i++)
    if (rt->backend == NULL ? strcmp(name, "fake") != 0 : strcmp(name, rt->backend) == 0)
      (void)json_array_append_new(list, json_string(name));
  return list;
}

static int describe_network(struct zl_runtime *rt, json_t *to, struct zl_error *err)
{
  char slice[ZL_SLICE_TEXT], gateway[ZL_IP4_TEXT];
  struct zl_net *net = NULL;
  int64_t leased = 0;
  json_t *json;
  int r = zl_node_net(rt, &net, err);

  if (r == 0)
    r = zl_store_query(rt->store, zl_row_keep_int, &leased, err, "SELECT count(*) FROM leases", "");
  if (r < 0)
    return r;
  json =
      json_pack("{s:s, s:s, s:i, s:I}", "slice", zl_slice_format(zl_net_slice(net), slice),
                "gateway", zl_ip4_format(zl_slice_gateway(zl_net_slice(net)), gateway), "addresses",
                (int)zl_slice_capacity(zl_net_slice(net)), "leased", (json_int_t)leased);
  if (json == NULL || json_object_set_new(to, "network", json) < 0)
    return zl_fail_nomem(err, "node facts");
  return zl_host_describe_network(net, json, err);
}

static int describe_node(struct zl_runtime *rt, const struct counts *counts, json_t **ret,
                         struct zl_error *err)
{
  struct zl_host_facts node;
  int r = zl_host_facts(&node, err);

  if (r < 0)
    return r;
  *ret =
      json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:o, s:{s:i, s:i, s:i}}", "version",
                ZL_VERSION, "root", rt->root, "kernel", node.kernel, "arch", node.machine,
                "hostname", node.hostname, "cpus", (int)node.cpus, "memoryBytes",
                (json_int_t)node.memory_bytes, "backends", list_backends(rt), "containers", "total",
                (int)counts->total, "running", (int)counts->running, "ended", (int)counts->ended);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "node facts");
}

static int describe_backend(struct zl_runtime *rt, const char *name, json_t *to,
                            struct zl_error *err)
{
  struct zl_backend *backend = NULL;
  int r = zl_backend_get(rt, name, &backend, err);

  return r < 0 ? r : zl_backend_describe(backend, to, err);
}

static int describe_backends(struct zl_runtime *rt, json_t *to, struct zl_error *err)
{
  const char *name;
  int r = 0;

  if (rt->backend != NULL)
    return describe_backend(rt, rt->backend, to, err);
  for (size_t i = 0; r == 0 && (name = zl_backend_name(i)) != NULL; i++)
    if (strcmp(name, "fake") != 0)
      r = describe_backend(rt, name, to, err);
  return r;
}

int zl_info(struct zl_runtime *rt, char **ret_json, struct zl_error *err)
{
  zl_autojson *json = NULL;
  struct counts counts = { 0 };
  struct zl_image_store *images = NULL;
  struct zl_image_usage usage = { 0 };
  int r = count(rt, false, &counts, err);

  if (r == 0)
    r = describe_node(rt, &counts, &json, err);
  if (r == 0)
    r = describe_backends(rt, json, err);
  if (r == 0)
    r = describe_network(rt, json, err);
  if (r == 0)
    r = zl_node_images(rt, &images, err);
  if (r == 0)
    r = zl_image_usage(images, &usage, err);
  if (r == 0 && json_object_set_new(json, "images", json_integer((json_int_t)usage.images)) < 0)
    r = zl_fail_nomem(err, "node facts");
  return r < 0 ? r : zl_json_render(json, ret_json, err);
}

static void size_volumes(struct zl_runtime *rt, uint64_t *ret_bytes)
{
  struct stat st;
  uint64_t files = 0;

  *ret_bytes = 0;
  if (fstatat(rt->root_fd, "volumes", &st, AT_SYMLINK_NOFOLLOW) == 0)
    (void)zl_path_tree_usage(rt->root_fd, "volumes", ret_bytes, &files);
}

struct disk {
  struct counts containers;
  struct zl_image_usage images;
  struct zl_backend_usage machines;
  struct zl_prune_result reclaimable;
  int64_t volumes;
  uint64_t volume_bytes;
};

static int measure(struct zl_runtime *rt, struct disk *ret, struct zl_error *err)
{
  const struct zl_prune_options all = {
    .containers = true, .images = true, .volumes = true, .dry_run = true
  };
  struct zl_image_store *images = NULL;
  int r = count(rt, true, &ret->containers, err);

  if (r == 0)
    r = zl_node_images(rt, &images, err);
  if (r == 0)
    r = zl_image_usage(images, &ret->images, err);
  if (r == 0)
    r = zl_store_query(rt->store, zl_row_keep_int, &ret->volumes, err,
                       "SELECT count(*) FROM volumes", "");
  if (r == 0)
    r = zl_backends_usage(rt, &ret->machines, err);
  if (r == 0)
    r = zl_prune(rt, &all, &ret->reclaimable, err);
  size_volumes(rt, &ret->volume_bytes);
  return r;
}

static json_t *kind_json(uint64_t count, uint64_t bytes, uint64_t reclaimable)
{
  return json_pack("{s:I, s:I, s:I}", "count", (json_int_t)count, "bytes", (json_int_t)bytes,
                   "reclaimableBytes", (json_int_t)reclaimable);
}

static int add_detail(json_t *kind, const char *key, uint64_t value)
{
  return json_object_set_new(kind, key, json_integer((json_int_t)value));
}

int zl_disk_usage(struct zl_runtime *rt, char **ret_json, struct zl_error *err)
{
  zl_autojson *json = NULL, *images = NULL, *containers = NULL;
  struct disk d = { .volumes = 0 };
  int r = measure(rt, &d, err);

  if (r < 0)
    return r;
  images = kind_json(d.images.images, d.images.bytes - d.images.partial_bytes,
                     d.reclaimable.layer_bytes);
  containers = kind_json(d.containers.total, d.containers.bytes, d.reclaimable.container_bytes);
  if (add_detail(images, "layers", d.images.layers) < 0 ||
      add_detail(images, "sharedBytes", d.images.shared_bytes) < 0 ||
      add_detail(containers, "running", d.containers.running) < 0 ||
      add_detail(containers, "logBytes", d.containers.log_bytes) < 0)
    return zl_fail_nomem(err, "disk usage");
  json = json_pack(
      "{s:O, s:O, s:o, s:o, s:o}", "images", images, "containers", containers, "volumes",
      kind_json((uint64_t)d.volumes, d.volume_bytes, d.reclaimable.volume_bytes), "machines",
      kind_json(d.machines.count, d.machines.bytes, d.reclaimable.machine_bytes), "leftovers",
      kind_json(d.reclaimable.leftovers, d.reclaimable.leftover_bytes,
                d.reclaimable.leftover_bytes));
  return json != NULL ? zl_json_render(json, ret_json, err) : zl_fail_nomem(err, "disk usage");
}
