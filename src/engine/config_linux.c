/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "engine/config_private.h"

static const char *const ns_types[ZL_NS_COUNT] = {
  [ZL_NS_USER] = "user",     [ZL_NS_PID] = "pid",     [ZL_NS_NETWORK] = "network",
  [ZL_NS_IPC] = "ipc",       [ZL_NS_UTS] = "uts",     [ZL_NS_TIME] = "time",
  [ZL_NS_CGROUP] = "cgroup", [ZL_NS_MOUNT] = "mount",
};

struct ns_item {
  int type;
  const char *path;
};

static int read_namespace(struct zl_config_reader *rd, const json_t *item, const char *path,
                          void *out)
{
  struct ns_item *ns = out;
  const char *type;
  int r = zl_config_required(rd, item, path, "type", &type);

  if (r == 0)
    r = zl_config_string(rd, item, path, "path", &ns->path);
  if (r < 0)
    return r;
  for (ns->type = 0; ns->type < ZL_NS_COUNT; ns->type++)
    if (strcmp(ns_types[ns->type], type) == 0)
      break;
  if (ns->type == ZL_NS_COUNT)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.type: '%.40s' is not a namespace", path, type);
  if (ns->path != NULL && ns->path[0] != '/')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.path: '%.100s' is not absolute", path, ns->path);
  return 0;
}

static int read_namespaces(struct zl_config_reader *rd, const json_t *object,
                           struct zl_engine_config *c)
{
  struct ns_item *items;
  void *found;
  size_t n;
  int r = zl_config_items(rd, object, "linux", "namespaces", ZL_NS_COUNT, sizeof(*items),
                          read_namespace, &found, &n);

  if (r < 0)
    return r;
  items = found;
  for (size_t i = 0; i < n; i++) {
    struct zl_namespace *ns = &c->namespaces[items[i].type];

    if (ns->present)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "linux.namespaces[%zu]: '%s' is given twice", i,
                     ns_types[items[i].type]);
    ns->present = true;
    ns->path = items[i].path;
  }
  return 0;
}

static int read_idmaps(struct zl_config_reader *rd, const json_t *object,
                       struct zl_engine_config *c)
{
  void *uids, *gids;
  int r = zl_config_items(rd, object, "linux", "uidMappings", ZL_MAX_IDMAPS,
                          sizeof(struct zl_idmap), zl_config_idmap, &uids, &c->n_uid_maps);

  if (r == 0)
    r = zl_config_items(rd, object, "linux", "gidMappings", ZL_MAX_IDMAPS, sizeof(struct zl_idmap),
                        zl_config_idmap, &gids, &c->n_gid_maps);
  if (r < 0)
    return r;
  c->uid_maps = uids;
  c->gid_maps = gids;
  return 0;
}

static int read_device_ids(struct zl_config_reader *rd, const json_t *item, const char *path,
                           struct zl_device *dev)
{
  int64_t mode, uid, gid;
  /* Podman copies st_mode with the type of the file in it. */
  int r = zl_json_get_int(item, path, "fileMode", 0, S_IFMT | 07777, 0666, &mode, rd->err);

  if (r == 0)
    r = zl_json_get_int(item, path, "uid", 0, UINT32_MAX - 1, 0, &uid, rd->err);
  if (r == 0)
    r = zl_json_get_int(item, path, "gid", 0, UINT32_MAX - 1, 0, &gid, rd->err);
  if (r < 0)
    return r;
  dev->mode = (mode_t)mode & 07777;
  dev->uid = (uint32_t)uid;
  dev->gid = (uint32_t)gid;
  return 0;
}

/* "/dev/x/" is taken to be "/dev/x", as other runtimes do. */
static int read_device_path(struct zl_config_reader *rd, const json_t *item, const char *path,
                            struct zl_device *dev)
{
  int r = zl_config_required(rd, item, path, "path", &dev->path);
  size_t len = r == 0 ? strlen(dev->path) : 0;
  char *text;

  if (r < 0 || dev->path[len - 1] != '/')
    return r;
  while (len > 1 && dev->path[len - 1] == '/')
    len--;
  text = zl_arena_alloc(rd->arena, len + 1);
  if (text == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  memcpy(text, dev->path, len);
  text[len] = '\0';
  dev->path = text;
  return 0;
}

static int read_device(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_device *dev = out;
  const char *type;
  int r = read_device_path(rd, item, path, dev);

  if (r == 0)
    r = zl_config_required(rd, item, path, "type", &type);
  if (r != 0)
    return r;
  if (strchr("bcup", type[0]) == NULL || type[1] != '\0')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.type: '%.40s' is none of b, c, u and p", path,
                   type);
  dev->type = type[0] == 'u' ? 'c' : type[0];
  /* The widths that mknod(2) can carry: 12 bits and 20 bits. */
  if (dev->type != 'p')
    r = zl_config_required_u32(rd, item, path, "major", 0xfff, &dev->major);
  if (r == 0 && dev->type != 'p')
    r = zl_config_required_u32(rd, item, path, "minor", 0xfffff, &dev->minor);
  return r == 0 ? read_device_ids(rd, item, path, dev) : r;
}

static int read_devices(struct zl_config_reader *rd, const json_t *object,
                        struct zl_engine_config *c)
{
  void *items;
  int r = zl_config_items(rd, object, "linux", "devices", ZL_MAX_DEVICE_NODES,
                          sizeof(struct zl_device), read_device, &items, &c->n_devices);

  if (r == 0)
    c->devices = items;
  return r;
}

/* The path is appended to the cgroup mount, so it must not be able to climb out of it. */
static bool is_plain_path(const char *path)
{
  const char *part = path;

  if (*part != '/' || part[1] == '\0')
    return false;
  while (*part == '/') {
    const char *end = strchrnul(++part, '/');
    size_t len = (size_t)(end - part);

    if (len == 0 || len > 255 || (len == 1 && part[0] == '.') ||
        (len == 2 && part[0] == '.' && part[1] == '.'))
      return false;
    part = end;
  }
  return true;
}

/* "system.slice:prefix:name" asks for a scope of systemd, which has to be asked for it. */
static bool is_systemd_path(const char *path)
{
  const char *colon = strchr(path, ':');

  return *path != '/' && colon != NULL && strchr(colon + 1, ':') != NULL;
}

/* A relative one is the runtime's to place: we take it from the root, like an absolute one. */
static int read_cgroups_path(struct zl_config_reader *rd, const json_t *object,
                             struct zl_engine_config *c)
{
  const char *text;
  int r = zl_config_string(rd, object, "linux", "cgroupsPath", &text);

  if (r < 0 || text == NULL || *text == '\0')
    return r;
  if (is_systemd_path(text)) {
    c->systemd_path = text;
    return 0;
  }
  r = zl_config_rooted(rd, text, &c->cgroups_path);
  if (r < 0)
    return r;
  if (strlen(c->cgroups_path) > ZL_MAX_CGROUP_PATH || !is_plain_path(c->cgroups_path))
    return zl_fail(rd->err, ZL_E_INVALID, 0,
                   "linux.cgroupsPath: '%.100s' is not a path of at most %d bytes "
                   "without empty parts, '.' and '..'",
                   text, ZL_MAX_CGROUP_PATH);
  return 0;
}

static int read_sysctls(struct zl_config_reader *rd, const json_t *object,
                        struct zl_engine_config *c)
{
  const struct zl_key_value *pairs;
  struct zl_sysctl *list;
  int namespaces = 0;
  int r = zl_config_pairs(rd, object, "linux", "sysctl", ZL_MAX_SYSCTLS, &pairs, &c->n_sysctls);

  if (r < 0)
    return r;
  list = zl_arena_alloc(rd->arena, c->n_sysctls * sizeof(*list));
  if (list == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (size_t i = 0; i < c->n_sysctls; i++)
    list[i] = (struct zl_sysctl){ .key = pairs[i].key, .value = pairs[i].value };
  c->sysctls = list;
  for (int i = 0; i < ZL_NS_COUNT; i++)
    if (c->namespaces[i].present)
      namespaces |= zl_ns_flag((enum zl_ns)i);
  r = zl_sysctl_check(list, c->n_sysctls, namespaces, rd->err);
  return r < 0 && rd->err != NULL ? zl_wrap(rd->err, "linux.sysctl") : r;
}

static int read_propagation(struct zl_config_reader *rd, const json_t *object,
                            struct zl_engine_config *c)
{
  static const struct {
    const char *name;
    unsigned long flags;
  } known[] = {
    { "shared", MS_SHARED },         { "rshared", MS_SHARED | MS_REC },
    { "slave", MS_SLAVE },           { "rslave", MS_SLAVE | MS_REC },
    { "private", MS_PRIVATE },       { "rprivate", MS_PRIVATE | MS_REC },
    { "unbindable", MS_UNBINDABLE }, { "runbindable", MS_UNBINDABLE | MS_REC },
  };
  const char *text;
  int r = zl_json_get_string(object, "linux", "rootfsPropagation", &text, rd->err);

  if (r < 0 || text == NULL || *text == '\0')
    return r;
  for (size_t i = 0; i < ZL_COUNT(known); i++)
    if (strcmp(known[i].name, text) == 0) {
      c->rootfs_propagation = known[i].flags;
      return 0;
    }
  return zl_fail(rd->err, ZL_E_INVALID, 0, "linux.rootfsPropagation: '%.40s' is not known", text);
}

static int read_path_list(struct zl_config_reader *rd, const json_t *object, const char *key,
                          char ***ret)
{
  int r = zl_config_strv(rd, object, "linux", key, ZL_MAX_MOUNTS, ret);

  for (int i = 0; r == 0 && (*ret)[i] != NULL; i++)
    if ((*ret)[i][0] != '/')
      r = zl_fail(rd->err, ZL_E_INVALID, 0, "linux.%s[%d]: '%.100s' must be absolute", key, i,
                  (*ret)[i]);
  return r;
}

static int read_paths(struct zl_config_reader *rd, const json_t *object, struct zl_engine_config *c)
{
  int r = read_path_list(rd, object, "maskedPaths", &c->masked_paths);

  return r == 0 ? read_path_list(rd, object, "readonlyPaths", &c->readonly_paths) : r;
}

static int read_time_offset(struct zl_config_reader *rd, const json_t *object, const char *key,
                            struct zl_time_offset *ret)
{
  char at[ZL_CONFIG_PATH];
  json_t *offset;
  int64_t nanosecs;
  int r = zl_json_get_object(object, "linux.timeOffsets", key, &offset, rd->err);

  if (r < 0 || offset == NULL)
    return r;
  (void)zl_config_path(at, "linux.timeOffsets", key, -1);
  r = zl_json_get_int(offset, at, "secs", INT64_MIN + 1, INT64_MAX, 0, &ret->secs, rd->err);
  if (r == 0)
    r = zl_json_get_int(offset, at, "nanosecs", 0, 999999999, 0, &nanosecs, rd->err);
  if (r < 0)
    return r;
  ret->nanosecs = (uint32_t)nanosecs;
  ret->present = true;
  return 0;
}

static int read_time_offsets(struct zl_config_reader *rd, const json_t *object,
                             struct zl_engine_config *c)
{
  const struct zl_namespace *ns = &c->namespaces[ZL_NS_TIME];
  json_t *offsets;
  int r = zl_json_get_object(object, "linux", "timeOffsets", &offsets, rd->err);

  if (r == 0)
    r = read_time_offset(rd, offsets, "monotonic", &c->monotonic);
  if (r == 0)
    r = read_time_offset(rd, offsets, "boottime", &c->boottime);
  if (r == 0 && (c->monotonic.present || c->boottime.present) && (!ns->present || ns->path != NULL))
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "linux.timeOffsets: need a new time namespace");
  return r;
}

static int read_personality(struct zl_config_reader *rd, const json_t *object,
                            struct zl_engine_config *c)
{
  static const char *const unsupported[] = { "flags" };
  json_t *personality;
  const char *domain;
  int r = zl_json_get_object(object, "linux", "personality", &personality, rd->err);

  if (r < 0 || personality == NULL)
    return r;
  r = zl_config_required(rd, personality, "linux.personality", "domain", &domain);
  if (r == 0)
    r = zl_config_refuse(rd, personality, "linux.personality", unsupported, ZL_COUNT(unsupported));
  if (r < 0)
    return r;
  if (strcmp(domain, "LINUX") != 0 && strcmp(domain, "LINUX32") != 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0,
                   "linux.personality.domain: '%.40s' is neither LINUX nor LINUX32", domain);
  c->has_personality = true;
  c->personality = strcmp(domain, "LINUX32") == 0 ? PER_LINUX32 : PER_LINUX;
  return 0;
}

/* Whether the host has them is seen when the container is made (zl_labels_check). */
static int read_host_parts(struct zl_config_reader *rd, const json_t *object,
                           struct zl_engine_config *c)
{
  json_t *rdt = NULL;
  int r = zl_config_string(rd, object, "linux", "mountLabel", &c->mount_label);

  if (r == 0)
    r = zl_json_get_object(object, "linux", "intelRdt", &rdt, rd->err);
  if (r < 0)
    return r;
  if (c->mount_label != NULL && *c->mount_label == '\0')
    c->mount_label = NULL;
  c->intel_rdt = json_object_size(rdt) > 0;
  return 0;
}

/* The host's name, and the container's where it is another one. */
static int read_net_device(struct zl_config_reader *rd, const char *name, const json_t *value,
                           struct zl_key_value *ret)
{
  const char *new_name;
  char at[ZL_CONFIG_PATH];
  int r = zl_config_copy(rd, name, &ret->key);

  (void)zl_config_path(at, "linux.netDevices", name, -1);
  if (r == 0 && !json_is_object(value))
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "%s: expected an object", at);
  if (r == 0)
    r = zl_config_string(rd, value, at, "name", &new_name);
  /* The kernel would notice when the link has been moved already. */
  if (r == 0 && new_name != NULL && strcmp(new_name, "lo") == 0)
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "%s.name: 'lo' is taken", at);
  if (r == 0)
    ret->value = new_name != NULL && *new_name != '\0' ? new_name : ret->key;
  return r;
}

static int read_net_devices(struct zl_config_reader *rd, const json_t *object,
                            struct zl_engine_config *c)
{
  struct zl_key_value *list;
  json_t *devices, *value;
  const char *name;
  int r = zl_json_get_object(object, "linux", "netDevices", &devices, rd->err);

  if (r < 0 || json_object_size(devices) == 0)
    return r;
  if (!c->namespaces[ZL_NS_NETWORK].present)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "linux.netDevices: need a network namespace");
  if (json_object_size(devices) > ZL_MAX_NET_DEVICES)
    return zl_fail(rd->err, ZL_E_LIMIT, 0, "linux.netDevices: more than %d", ZL_MAX_NET_DEVICES);
  list = zl_arena_alloc(rd->arena, json_object_size(devices) * sizeof(*list));
  if (list == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  json_object_foreach (devices, name, value) {
    r = read_net_device(rd, name, value, &list[c->n_net_devices]);
    if (r < 0)
      return r;
    c->n_net_devices++;
  }
  c->net_devices = list;
  return 0;
}

int zl_config_linux(struct zl_config_reader *rd, const json_t *object, struct zl_engine_config *c)
{
  static int (*const parts[])(struct zl_config_reader *, const json_t *,
                              struct zl_engine_config *) = {
    read_namespaces,
    read_idmaps,
    read_devices,
    read_cgroups_path,
    read_sysctls,
    read_paths,
    read_propagation,
    read_time_offsets,
    read_personality,
    read_host_parts,
    zl_config_memory_policy,
    read_net_devices,
  };
  json_t *linux_object, *resources;
  int r = zl_json_get_object(object, "", "linux", &linux_object, rd->err);

  for (size_t i = 0; r == 0 && i < ZL_COUNT(parts); i++)
    r = parts[i](rd, linux_object, c);
  if (r == 0)
    r = zl_json_get_object(linux_object, "linux", "resources", &resources, rd->err);
  if (r == 0)
    r = zl_config_resources(rd, resources, "linux.resources", &c->resources);
  if (r == 0)
    r = zl_config_seccomp(rd, linux_object, "linux", &c->seccomp);
  return r;
}
