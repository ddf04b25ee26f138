/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/limits.h"
#include "engine/config_private.h"

struct number {
  const char *key;
  int64_t min, max;
  int64_t *ret;
};

static int read_numbers(struct zl_config_reader *rd, const json_t *object, const char *path,
                        const struct number *list, size_t n)
{
  int r = 0;

  for (size_t i = 0; r == 0 && i < n; i++)
    r = zl_json_get_int(object, path, list[i].key, list[i].min, list[i].max, ZL_UNSET, list[i].ret,
                        rd->err);
  return r;
}

/* Docker, and runc's update, write 0 for "not said". */
static void forget_zeros(const struct number *list, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (*list[i].ret == 0)
      *list[i].ret = ZL_UNSET;
}

static int read_cpu(struct zl_config_reader *rd, const json_t *object, const char *path,
                    struct zl_resources *res)
{
  const struct number numbers[] = {
    { "shares", 0, INT64_MAX, &res->cpu_shares },
    { "quota", -1, INT64_MAX, &res->cpu_quota_us },
    { "period", 0, INT64_MAX, &res->cpu_period_us },
    { "burst", 0, INT64_MAX, &res->cpu_burst_us },
    { "realtimeRuntime", -1, INT64_MAX, &res->cpu_rt_runtime_us },
    { "realtimePeriod", 0, INT64_MAX, &res->cpu_rt_period_us },
  };
  const struct number idle = { "idle", 0, 1, &res->cpu_idle };
  int r = read_numbers(rd, object, path, numbers, ZL_COUNT(numbers));

  if (r == 0)
    r = read_numbers(rd, object, path, &idle, 1);
  if (r == 0)
    forget_zeros(numbers, ZL_COUNT(numbers));
  if (r == 0)
    r = zl_config_string(rd, object, path, "cpus", &res->cpus);
  if (r == 0)
    r = zl_config_string(rd, object, path, "mems", &res->mems);
  return r;
}

static int read_memory(struct zl_config_reader *rd, const json_t *object, const char *path,
                       struct zl_resources *res)
{
  const struct number numbers[] = {
    { "limit", -1, INT64_MAX, &res->memory_limit },
    { "reservation", -1, INT64_MAX, &res->memory_reservation },
    { "swap", -1, INT64_MAX, &res->memory_swap },
    { "kernel", -1, INT64_MAX, &res->memory_kernel },
    { "kernelTCP", -1, INT64_MAX, &res->memory_kernel_tcp },
  };
  const struct {
    const char *key;
    bool *ret;
  } flags[] = {
    { "disableOOMKiller", &res->disable_oom_killer },
    { "useHierarchy", &res->use_hierarchy },
    { "checkBeforeUpdate", &res->check_before_update },
  };
  const struct number swappiness = { "swappiness", 0, 100, &res->memory_swappiness };
  int r = read_numbers(rd, object, path, numbers, ZL_COUNT(numbers));

  if (r == 0)
    r = read_numbers(rd, object, path, &swappiness, 1);
  if (r == 0)
    forget_zeros(numbers, ZL_COUNT(numbers));
  for (size_t i = 0; r == 0 && i < ZL_COUNT(flags); i++)
    r = zl_json_get_bool(object, path, flags[i].key, false, flags[i].ret, rd->err);
  if (r < 0)
    return r;
  if (res->memory_swap > 0 && res->memory_limit > res->memory_swap)
    return zl_fail(rd->err, ZL_E_INVALID, 0,
                   "%s.swap: is memory and swap together, so it cannot be "
                   "lower than limit",
                   path);
  return 0;
}

static int read_pids(struct zl_config_reader *rd, const json_t *object, const char *path,
                     struct zl_resources *res)
{
  return zl_json_get_int(object, path, "limit", -1, INT64_MAX, ZL_UNSET, &res->pids_limit, rd->err);
}

/* It went away with the CFQ scheduler, in Linux 5.0. */
static int refuse_leaf_weight(struct zl_config_reader *rd, const json_t *object, const char *path)
{
  int64_t weight;
  int r = zl_json_get_int(object, path, "leafWeight", 0, 1000, 0, &weight, rd->err);

  if (r < 0 || weight == 0)
    return r;
  return zl_fail(rd->err, ZL_E_UNSUPPORTED, 0,
                 "%s.leafWeight: kernels have no such setting since 5.0", path);
}

static int read_blkio_device(struct zl_config_reader *rd, const json_t *item, const char *path,
                             const char *key, uint64_t max, struct zl_blkio_device *dev)
{
  int64_t value;
  int r = zl_config_required_u32(rd, item, path, "major", 0xfff, &dev->major);

  if (r == 0)
    r = zl_config_required_u32(rd, item, path, "minor", 0xfffff, &dev->minor);
  if (r == 0)
    r = zl_json_get_int(item, path, key, 0, (int64_t)max, 0, &value, rd->err);
  if (r == 0)
    dev->value = (uint64_t)value;
  return r;
}

static int read_throttle(struct zl_config_reader *rd, const json_t *item, const char *path,
                         void *out)
{
  return read_blkio_device(rd, item, path, "rate", INT64_MAX, out);
}

static int read_weight(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  int r = refuse_leaf_weight(rd, item, path);

  return r < 0 ? r : read_blkio_device(rd, item, path, "weight", 1000, out);
}

static int read_blkio(struct zl_config_reader *rd, const json_t *object, const char *path,
                      struct zl_resources *res)
{
  const struct {
    const char *key;
    zl_config_item_fn fn;
    struct zl_blkio_list *list;
  } lists[] = {
    { "weightDevice", read_weight, &res->blkio_weight_device },
    { "throttleReadBpsDevice", read_throttle, &res->read_bps },
    { "throttleWriteBpsDevice", read_throttle, &res->write_bps },
    { "throttleReadIOPSDevice", read_throttle, &res->read_iops },
    { "throttleWriteIOPSDevice", read_throttle, &res->write_iops },
  };
  int r = zl_json_get_int(object, path, "weight", 0, 1000, ZL_UNSET, &res->blkio_weight, rd->err);

  if (r == 0)
    r = refuse_leaf_weight(rd, object, path);
  /* Docker writes 0 for "not said"; 1 to 9 the kernel refuses. */
  if (r == 0 && res->blkio_weight == 0)
    res->blkio_weight = ZL_UNSET;
  if (r == 0 && res->blkio_weight != ZL_UNSET && res->blkio_weight < 10)
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "%s.weight: is not within 10..1000", path);
  for (size_t i = 0; r == 0 && i < ZL_COUNT(lists); i++) {
    void *items;

    r = zl_config_items(rd, object, path, lists[i].key, ZL_MAX_CGROUP_SETTINGS,
                        sizeof(struct zl_blkio_device), lists[i].fn, &items, &lists[i].list->n);
    if (r == 0)
      lists[i].list->items = items;
  }
  return r;
}

static int read_hugepage(struct zl_config_reader *rd, const json_t *item, const char *path,
                         void *out)
{
  struct zl_hugepage_limit *h = out;
  int64_t limit;
  int r = zl_config_required(rd, item, path, "pageSize", &h->page_size);

  if (r == 0)
    r = zl_json_get_int(item, path, "limit", 0, INT64_MAX, 0, &limit, rd->err);
  if (r < 0)
    return r;
  /* Becomes part of a file name. */
  if (strspn(h->page_size, "0123456789KMGB") != strlen(h->page_size) || strlen(h->page_size) > 16)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.pageSize: '%.40s' is not like 2MB", path,
                   h->page_size);
  h->limit = (uint64_t)limit;
  return 0;
}

/* A name becomes one word of a line in a kernel file. */
static bool is_word(const char *text)
{
  return *text != '\0' && strlen(text) < ZL_MAX_NAME && strpbrk(text, " \t\n=") == NULL;
}

static int read_rdma_device(struct zl_config_reader *rd, const char *name, const json_t *value,
                            const char *path, struct zl_rdma_limit *limit)
{
  const struct number numbers[] = {
    { "hcaHandles", 0, UINT32_MAX, &limit->hca_handles },
    { "hcaObjects", 0, UINT32_MAX, &limit->hca_objects },
  };

  if (!is_word(name))
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: '%.60s' is not a device", path, name);
  if (!json_is_object(value))
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.%s: expected an object", path, name);
  if (zl_config_copy(rd, name, &limit->device) < 0)
    return -ZL_E_NO_MEMORY;
  return read_numbers(rd, value, path, numbers, ZL_COUNT(numbers));
}

static int read_rdma(struct zl_config_reader *rd, const json_t *object, const char *path,
                     struct zl_resources *res)
{
  size_t n = json_object_size(object), i = 0;
  struct zl_rdma_limit *list;
  const char *name;
  json_t *value;

  if (n > ZL_MAX_CGROUP_SETTINGS)
    return zl_fail(rd->err, ZL_E_LIMIT, 0, "%s: %zu devices, the limit is %d", path, n,
                   ZL_MAX_CGROUP_SETTINGS);
  list = zl_arena_alloc(rd->arena, (n + 1) * sizeof(*list));
  if (list == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  /* The library's macro takes no const, and changes nothing. */
  json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
    int r = read_rdma_device(rd, name, value, path, &list[i++]);

    if (r < 0)
      return r;
  }
  res->rdma = list;
  res->n_rdma = n;
  return 0;
}

static int read_priority(struct zl_config_reader *rd, const json_t *item, const char *path,
                         void *out)
{
  struct zl_net_priority *p = out;
  int r = zl_config_required(rd, item, path, "name", &p->interface);

  if (r == 0)
    r = zl_config_required_u32(rd, item, path, "priority", UINT32_MAX, &p->priority);
  if (r == 0 && !is_word(p->interface))
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "%s.name: '%.60s' is not an interface", path,
                p->interface);
  return r;
}

static int read_network(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_resources *res)
{
  int64_t class_id;
  void *items;
  int r = zl_json_get_int(object, path, "classID", 0, UINT32_MAX, 0, &class_id, rd->err);

  if (r == 0)
    r = zl_config_items(rd, object, path, "priorities", ZL_MAX_CGROUP_SETTINGS,
                        sizeof(struct zl_net_priority), read_priority, &items,
                        &res->n_net_priorities);
  if (r < 0)
    return r;
  res->net_class = (uint32_t)class_id;
  res->net_priorities = items;
  return 0;
}

/* Some write "a" for all of it, as the kernel does for types: harmless where it is to deny. */
static int read_access(struct zl_config_reader *rd, const json_t *item, const char *path,
                       bool allow, uint8_t *ret)
{
  const char *text;
  uint8_t access = 0;
  int r = zl_json_get_string(item, path, "access", &text, rd->err);

  if (r < 0)
    return r;
  for (const char *p = text != NULL && *text != '\0' ? text : "rwm"; *p != '\0'; p++) {
    if (*p == 'r')
      access |= ZL_DEV_READ;
    else if (*p == 'w')
      access |= ZL_DEV_WRITE;
    else if (*p == 'm')
      access |= ZL_DEV_MKNOD;
    else if (*p == 'a' && !allow)
      access = ZL_DEV_READ | ZL_DEV_WRITE | ZL_DEV_MKNOD;
    else
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.access: '%.20s' is not made of r, w and m", path,
                     text);
  }
  *ret = access;
  return 0;
}

static int read_device_rule(struct zl_config_reader *rd, const json_t *item, const char *path,
                            void *out)
{
  struct zl_device_rule *rule = out;
  const struct number numbers[] = {
    { "major", -1, 0xfff, &rule->major },
    { "minor", -1, 0xfffff, &rule->minor },
  };
  const char *type;
  int r = zl_json_get_bool(item, path, "allow", false, &rule->allow, rd->err);

  if (r == 0)
    r = zl_json_get_string(item, path, "type", &type, rd->err);
  if (r == 0)
    r = read_numbers(rd, item, path, numbers, ZL_COUNT(numbers));
  if (r == 0)
    r = read_access(rd, item, path, rule->allow, &rule->access);
  if (r < 0)
    return r;
  if (type == NULL || *type == '\0')
    type = "a";
  if (strchr("abc", type[0]) == NULL || type[1] != '\0')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.type: '%.20s' is none of a, b and c", path, type);
  rule->type = type[0];
  if (rule->major < 0)
    rule->major = ZL_UNSET;
  if (rule->minor < 0)
    rule->minor = ZL_UNSET;
  return 0;
}

static int read_lists(struct zl_config_reader *rd, const json_t *object, const char *path,
                      struct zl_resources *res)
{
  char at[ZL_CONFIG_PATH];
  void *hugepages, *devices;
  int r = zl_config_items(rd, object, path, "hugepageLimits", ZL_MAX_CGROUP_SETTINGS,
                          sizeof(struct zl_hugepage_limit), read_hugepage, &hugepages,
                          &res->n_hugepages);

  if (r == 0)
    r = zl_config_items(rd, object, path, "devices", ZL_MAX_DEVICES, sizeof(struct zl_device_rule),
                        read_device_rule, &devices, &res->n_devices);
  if (r == 0)
    r = zl_config_pairs(rd, object, path, "unified", ZL_MAX_CGROUP_SETTINGS, &res->unified,
                        &res->n_unified);
  if (r < 0)
    return r;
  res->hugepages = hugepages;
  res->devices = devices;
  /* Written below the cgroup: a name with a dot and without a slash cannot leave it ("..": two
   * dots are a directory, which no write opens). */
  for (size_t i = 0; i < res->n_unified; i++)
    if (strchr(res->unified[i].key, '/') != NULL || strchr(res->unified[i].key, '.') == NULL)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: '%.60s' is not a cgroup file",
                     zl_config_path(at, path, "unified", -1), res->unified[i].key);
  return 0;
}

int zl_config_resources(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_resources *res)
{
  const struct {
    const char *key;
    int (*read)(struct zl_config_reader *, const json_t *, const char *, struct zl_resources *);
  } parts[] = { { "cpu", read_cpu },       { "memory", read_memory }, { "pids", read_pids },
                { "blockIO", read_blkio }, { "rdma", read_rdma },     { "network", read_network } };
  char at[ZL_CONFIG_PATH];
  json_t *part;
  int r = 0;

  for (size_t i = 0; r == 0 && i < ZL_COUNT(parts); i++) {
    r = zl_json_get_object(object, path, parts[i].key, &part, rd->err);
    if (r == 0)
      r = parts[i].read(rd, part, zl_config_path(at, path, parts[i].key, -1), res);
  }
  return r == 0 ? read_lists(rd, object, path, res) : r;
}
