/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/config.h"

#include <ctype.h>
#include <sched.h>
#include <string.h>

#include "base/limits.h"
#include "engine/config_private.h"

struct owned_config {
  struct zl_engine_config config; /* first: the two have one address */
  struct zl_arena arena;
};

struct owned_resources {
  struct zl_resources resources; /* first, as above */
  struct zl_arena arena;
};

struct owned_process {
  struct zl_process process; /* first, as above */
  struct zl_arena arena;
};

static const struct {
  int flag;
  const char *file;
} ns_info[ZL_NS_COUNT] = {
  [ZL_NS_USER] = { CLONE_NEWUSER, "user" },       [ZL_NS_PID] = { CLONE_NEWPID, "pid" },
  [ZL_NS_NETWORK] = { CLONE_NEWNET, "net" },      [ZL_NS_IPC] = { CLONE_NEWIPC, "ipc" },
  [ZL_NS_UTS] = { CLONE_NEWUTS, "uts" },          [ZL_NS_TIME] = { CLONE_NEWTIME, "time" },
  [ZL_NS_CGROUP] = { CLONE_NEWCGROUP, "cgroup" }, [ZL_NS_MOUNT] = { CLONE_NEWNS, "mnt" },
};

int zl_ns_flag(enum zl_ns ns)
{
  return ns_info[ns].flag;
}

const char *zl_ns_file(enum zl_ns ns)
{
  return ns_info[ns].file;
}

/* Other runtimes write "unlimited" as 2^64-1, and the JSON library stops at 2^63-1: outside strings
 * that one number becomes -1, which every reader of an unsigned 64-bit member takes to be the same.
 * Returns NULL when out of memory. */
static char *fold_unlimited(const char *json, size_t len)
{
  static const char unlimited[] = "18446744073709551615";
  const size_t digits = sizeof(unlimited) - 1;
  char *text = malloc(len + 1);
  bool quoted = false;

  if (text == NULL)
    return NULL;
  memcpy(text, json, len);
  text[len] = '\0';
  for (size_t i = 0; i < len; i++) {
    if (quoted && text[i] == '\\') {
      i++;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && len - i >= digits && memcmp(text + i, unlimited, digits) == 0) {
      memset(text + i, ' ', digits);
      text[i] = '-';
      text[i + 1] = '1';
      i += digits - 1;
    }
  }
  return text;
}

int zl_engine_document_parse(const char *json, size_t len, json_t **ret, struct zl_error *err)
{
  zl_autofree char *text = NULL;

  if (len > ZL_MAX_BUNDLE)
    return zl_fail(err, ZL_E_LIMIT, 0, "config.json: %zu bytes, the limit is %d", len,
                   ZL_MAX_BUNDLE);
  text = fold_unlimited(json, len);
  if (text == NULL)
    return zl_fail_nomem(err, "config.json");
  return zl_json_parse(text, len, "config.json", ret, err);
}

static int read_root(struct zl_config_reader *rd, const json_t *doc, struct zl_engine_config *c)
{
  json_t *root;
  int r = zl_json_get_object(doc, "", "root", &root, rd->err);

  if (r == 0)
    r = zl_config_string(rd, root, "root", "path", &c->root_path);
  if (r == 0)
    r = zl_json_get_bool(root, "root", "readonly", false, &c->root_readonly, rd->err);
  return r;
}

static int read_name(struct zl_config_reader *rd, const json_t *doc, const char *key,
                     const char **ret)
{
  const char *name;
  int r = zl_config_string(rd, doc, "", key, &name);

  if (r < 0)
    return r;
  if (name != NULL && strlen(name) > ZL_MAX_HOSTNAME)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: longer than %d characters", key, ZL_MAX_HOSTNAME);
  *ret = name != NULL && *name != '\0' ? name : NULL;
  return 0;
}

/* A container of zlayer's own shim is under its library's control: nobody runs hooks for it. */
static int read_hooks(struct zl_config_reader *rd, const json_t *doc, struct zl_engine_config *c)
{
  static const char *const unsupported[] = { "hooks" };

  if (json_object_get(doc, "zlayer") != NULL)
    return zl_config_refuse(rd, doc, "", unsupported, ZL_COUNT(unsupported));
  return zl_config_hooks(rd, doc, c);
}

/* What 2.x would mean is not known. Documents without a version exist. */
static int check_version(struct zl_config_reader *rd, const json_t *doc)
{
  const char *text = NULL;
  int r = zl_json_get_string(doc, "", "ociVersion", &text, rd->err);

  if (r < 0 || text == NULL ||
      ((text[0] == '0' || text[0] == '1') && text[1] == '.' && isdigit((unsigned char)text[2])))
    return r;
  return zl_fail(rd->err, ZL_E_UNSUPPORTED, 0,
                 "ociVersion: '%.40s' is no version of the specification from 0.1 to 1.x", text);
}

/* Nothing here acts on them; whoever reads the state relies on their shape. */
static int check_annotations(struct zl_config_reader *rd, const json_t *doc)
{
  json_t *annotations, *value;
  const char *name;
  int r = zl_json_get_object(doc, "", "annotations", &annotations, rd->err);

  if (r < 0)
    return r;
  json_object_foreach (annotations, name, value)
    if (!json_is_string(value))
      return zl_fail(rd->err, ZL_E_INVALID, 0, "annotations.%s: expected a string", name);
  return 0;
}

static int read_document(struct zl_config_reader *rd, const json_t *doc,
                         struct zl_engine_config *config)
{
  void *mounts;
  json_t *process = NULL;
  int r = check_version(rd, doc);

  if (r == 0)
    r = zl_json_get_object(doc, "", "process", &process, rd->err);
  if (r == 0)
    r = read_hooks(rd, doc, config);
  if (r == 0 && process == NULL)
    r = zl_fail(rd->err, ZL_E_INVALID, 0, "process: must be given");
  if (r == 0)
    r = zl_config_process(rd, process, "process", &config->process);
  if (r == 0)
    r = read_root(rd, doc, config);
  if (r == 0)
    r = read_name(rd, doc, "hostname", &config->hostname);
  if (r == 0)
    r = read_name(rd, doc, "domainname", &config->domainname);
  if (r == 0)
    r = check_annotations(rd, doc);
  if (r == 0)
    r = zl_config_items(rd, doc, "", "mounts", ZL_MAX_MOUNTS, sizeof(struct zl_mount),
                        zl_config_mount, &mounts, &config->n_mounts);
  if (r < 0)
    return r;
  config->mounts = mounts;
  r = zl_config_linux(rd, doc, config);
  return r == 0 ? zl_config_private(rd, doc, config) : r;
}

/* What needs a namespace of its own and has none would change the host. */
static int check_whole(const struct zl_engine_config *c, struct zl_error *err)
{
  const struct zl_net_config *net = &c->zlayer.network;
  const struct zl_namespace *ns = c->namespaces;

  if ((c->hostname != NULL || c->domainname != NULL) && !ns[ZL_NS_UTS].present)
    return zl_fail(err, ZL_E_INVALID, 0, "hostname: needs a uts namespace of its own");
  if (!ns[ZL_NS_MOUNT].present)
    return zl_fail(err, ZL_E_INVALID, 0, "linux.namespaces: a mount namespace must be given");
  if (c->n_uid_maps + c->n_gid_maps > 0 && !ns[ZL_NS_USER].present)
    return zl_fail(err, ZL_E_INVALID, 0, "linux.uidMappings: needs a user namespace of its own");
  if (!c->zlayer.present)
    return 0;
  if (c->n_net_devices > 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "linux.netDevices: zlayer.network says which links");
  if (c->systemd_path != NULL)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "linux.cgroupsPath: a unit of systemd is for zlayer-oci's containers");
  if ((net->mode == ZL_NET_HOST) == ns[ZL_NS_NETWORK].present)
    return zl_fail(err, ZL_E_INVALID, 0,
                   "zlayer.network.mode: contradicts the network entry of linux.namespaces");
  if ((net->mode == ZL_NET_PATH) != (ns[ZL_NS_NETWORK].path != NULL))
    return zl_fail(err, ZL_E_INVALID, 0,
                   "zlayer.network.mode: \"path\" and a network namespace with a path go together");
  return 0;
}

int zl_engine_config_read(const json_t *doc, struct zl_engine_config **ret, struct zl_error *err)
{
  zl_autoconfig *config = NULL;
  struct owned_config *owned = calloc(1, sizeof(*owned));
  struct zl_config_reader rd = { .err = err };
  int r;

  if (owned == NULL)
    return zl_fail_nomem(err, "configuration");
  config = &owned->config;
  rd.arena = &owned->arena;
  if (json_is_object(doc))
    r = read_document(&rd, doc, config);
  else
    r = zl_fail(err, ZL_E_INVALID, 0, "expected an object");
  if (r == 0)
    r = check_whole(config, err);
  if (r < 0)
    return err != NULL ? zl_wrap(err, "config.json") : r;
  *ret = zl_steal_ptr(&config);
  return 0;
}

/* ---- Amendments ---- */

static int amend_process(struct zl_config_reader *rd, const json_t *doc, struct zl_engine_config *c)
{
  struct zl_process process = { 0 };
  json_t *object;
  int r = zl_json_get_object(doc, "", "process", &object, rd->err);

  if (r < 0 || object == NULL)
    return r;
  r = zl_config_process(rd, object, "process", &process);
  if (r < 0)
    return r;
  if (!process.has_caps) {
    process.has_caps = c->process.has_caps;
    process.caps = c->process.caps;
  }
  c->process = process;
  return 0;
}

static int amend_resources(struct zl_config_reader *rd, const json_t *doc,
                           struct zl_engine_config *c)
{
  struct zl_resources resources = { 0 };
  json_t *linux_object, *object = NULL;
  int r = zl_json_get_object(doc, "", "linux", &linux_object, rd->err);

  if (r == 0)
    r = zl_json_get_object(linux_object, "linux", "resources", &object, rd->err);
  if (r < 0 || object == NULL)
    return r;
  r = zl_config_resources(rd, object, "linux.resources", &resources);
  if (r < 0)
    return r;
  resources.devices = c->resources.devices; /* these rules are in force */
  resources.n_devices = c->resources.n_devices;
  c->resources = resources;
  return 0;
}

int zl_engine_config_amend(struct zl_engine_config *config, const json_t *doc, struct zl_error *err)
{
  struct owned_config *owned = (struct owned_config *)config;
  struct zl_config_reader rd = { .err = err, .arena = &owned->arena };
  int r = amend_process(&rd, doc, config);

  if (r == 0 && json_object_get(doc, "root") != NULL)
    r = read_root(&rd, doc, config);
  if (r == 0 && json_object_get(doc, "hostname") != NULL)
    r = read_name(&rd, doc, "hostname", &config->hostname);
  if (r == 0)
    r = amend_resources(&rd, doc, config);
  if (r == 0)
    r = zl_config_private_amend(&rd, doc, config);
  if (r == 0)
    r = check_whole(config, err);
  return r < 0 && err != NULL ? zl_wrap(err, "config.json") : r;
}

int zl_engine_config_parse(const char *json, size_t len, struct zl_engine_config **ret,
                           struct zl_error *err)
{
  zl_autojson *doc = NULL;
  int r = zl_engine_document_parse(json, len, &doc, err);

  return r < 0 ? r : zl_engine_config_read(doc, ret, err);
}

void zl_engine_config_free(struct zl_engine_config *config)
{
  struct owned_config *owned = (struct owned_config *)config;

  if (owned == NULL)
    return;
  zl_arena_done(&owned->arena);
  free(owned);
}

int zl_engine_process_parse(const json_t *process, const char *path, struct zl_process **ret,
                            struct zl_error *err)
{
  zl_autoprocess *p = NULL;
  struct owned_process *owned = calloc(1, sizeof(*owned));
  struct zl_config_reader rd = { .err = err };
  int r;

  if (owned == NULL)
    return zl_fail_nomem(err, "process");
  p = &owned->process;
  rd.arena = &owned->arena;
  if (!json_is_object(process))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: expected an object", path);
  r = zl_config_process(&rd, process, path, p);
  if (r == 0)
    r = zl_config_string(&rd, process, path, "zlayerUser", &p->user);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&p);
  return 0;
}

void zl_engine_process_free(struct zl_process *process)
{
  struct owned_process *owned = (struct owned_process *)process;

  if (owned == NULL)
    return;
  zl_arena_done(&owned->arena);
  free(owned);
}

int zl_engine_resources_parse(const json_t *resources, const char *path, struct zl_resources **ret,
                              struct zl_error *err)
{
  zl_autoresources *res = NULL;
  struct owned_resources *owned = calloc(1, sizeof(*owned));
  struct zl_config_reader rd = { .err = err };
  int r;

  if (owned == NULL)
    return zl_fail_nomem(err, "resources");
  res = &owned->resources;
  rd.arena = &owned->arena;
  if (!json_is_object(resources))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: expected an object", path);
  r = zl_config_resources(&rd, resources, path, res);
  if (r < 0)
    return r;
  *ret = zl_steal_ptr(&res);
  return 0;
}

void zl_engine_resources_free(struct zl_resources *resources)
{
  struct owned_resources *owned = (struct owned_resources *)resources;

  if (owned == NULL)
    return;
  zl_arena_done(&owned->arena);
  free(owned);
}
