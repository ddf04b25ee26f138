/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a container's host objects, whoever is left to help: the shim clears up after itself;
 * what a dead one left is found by name.
 */
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "net/win32/hcn.h"
#include "runtime/check.h"
#include "runtime/hcs/bundle.h"
#include "runtime/hcs/hcs_private.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/privilege.h"
#include "runtime/hcs/wintext.h"

/* What others use too and its machine could open: the layers, and what is mounted. Only the bundle
 * knows; without one there was no machine. */
static int revoke(const struct zl_hcs_node *node, int dir_fd, const char *id, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_BUNDLE);
  zl_autohcsbundle bundle = { 0 };
  zl_autohcsmounts mounts = { 0 };
  char **paths = NULL;
  int r;

  if (zl_file_read(dir_fd, "config.json", &text, NULL) < 0 ||
      zl_hcs_bundle_parse(text.data, text.len, &bundle, NULL) < 0 ||
      bundle.isolation != ZL_ISOLATION_HYPERV)
    return 0;
  r = zl_hcs_mounts_of(&bundle.service, bundle.volumes, bundle.isolation, &mounts, err);
  for (size_t i = 0; r == 0 && bundle.layers[i] != NULL; i++)
    r = zl_strv_push(&paths, bundle.layers[i], err);
  for (size_t i = 0; r == 0 && i < mounts.n_dirs; i++)
    r = zl_strv_push(&paths, mounts.dirs[i].source, err);
  if (r == 0)
    r = zl_hcs_instance_revoke(node, id, paths, zl_strv_len((const char *const *)paths), err);
  zl_strv_free(paths);
  return r;
}

/* dir_fd -1: the directory is not there any more. The shim has done all this, if it came to it. */
static int reap(struct zl_backend *backend, const char *id, int dir_fd, struct zl_error *err)
{
  zl_autofree char *dir = zl_asprintf("%s\\containers\\%s", backend->rt->root, id);
  char network[ZL_HCS_NETWORK_NAME];
  struct zl_hcs_node node;
  int r = zl_hcs_node_of(backend, network, &node, err);

  if (dir == NULL)
    return zl_fail_nomem(err, "path of a container");
  if (r == 0)
    r = zl_hcs_enable_privileges(node.api, err);
  if (r == 0)
    r = zl_hcs_instance_reap(&node, id, dir, err);
  return r < 0 || dir_fd < 0 ? r : revoke(&node, dir_fd, id, err);
}

int zl_hcs_remove(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  if (r == 0)
    r = zl_shimclient_end(dir, err);
  return r < 0 && r != -ZL_E_NOT_FOUND ? r : reap(backend, id, dir, err);
}

/* ---- What exists ---- */

struct found {
  char **ids;
  struct zl_error *err;
};

static int add_id(void *payload, const char *name)
{
  struct found *found = payload;

  return zl_strv_contains(found->ids, name) ? 0 : zl_strv_push(&found->ids, name, found->err);
}

static bool is_ours(struct zl_runtime *rt, const char *name)
{
  return !zl_shimclient_has_file(rt, name, "fake.json");
}

/* A container on the host's kernel has its id in that of its system. */
static int add_systems(const struct zl_hcs_node *node, struct found *found, struct zl_error *err)
{
  zl_autojson *systems = NULL;
  const size_t skip = strlen(node->network) + 1;
  const json_t *system;
  size_t i;
  int r = zl_hcs_systems_of(node->api, node->owner, &systems, err);

  json_array_foreach (systems, i, system) {
    const char *id = json_string_value(json_object_get(system, "Id"));

    if (r == 0 && id != NULL && zl_has_prefix(id, node->network) && id[skip - 1] == '-' &&
        zl_path_is_name(id + skip, ZL_MAX_ID))
      r = add_id(found, id + skip);
  }
  return r;
}

int zl_hcs_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload, struct zl_error *err)
{
  struct found found = { .err = err };
  char network[ZL_HCS_NETWORK_NAME];
  struct zl_hcs_node node;
  int r = zl_hcs_node_of(backend, network, &node, err);

  if (r == 0)
    r = zl_shimclient_list(backend->rt, is_ours, add_id, &found, err);
  if (r == 0)
    r = add_systems(&node, &found, err);
  for (size_t i = 0; r == 0 && found.ids != NULL && found.ids[i] != NULL; i++)
    if (fn(payload, found.ids[i]) != 0)
      break;
  zl_strv_free(found.ids);
  return r;
}

/* ---- What belongs to nobody ---- */

static bool has_owner(const struct zl_hcs_node *node, const struct found *found, const char *id)
{
  const size_t skip = strlen(node->network) + 1;
  char machine[ZL_GUID_CHARS];

  for (size_t i = 0; found->ids != NULL && found->ids[i] != NULL; i++)
    if (zl_wintext_equal(zl_hcs_machine_id(node, found->ids[i], machine), id) ||
        (strlen(id) > skip && strcmp(id + skip, found->ids[i]) == 0))
      return true;
  return false;
}

static int sweep_systems(const struct zl_hcs_node *node, const struct found *found,
                         struct zl_check *check, struct zl_error *err)
{
  zl_autojson *systems = NULL;
  const json_t *system;
  size_t i;
  int r = zl_hcs_systems_of(node->api, node->owner, &systems, err);

  json_array_foreach (systems, i, system) {
    const char *id = json_string_value(json_object_get(system, "Id"));
    bool ended;

    if (r != 0 || id == NULL || has_owner(node, found, id))
      continue;
    ended = check->repair && zl_hcs_system_reap(node->api, id, NULL) == 0;
    r = zl_check_report(check, "machine", id, "belongs to no container", ended);
  }
  return r;
}

/* The network of a root that has no container with an address goes, as the bridge does on Linux. */
static int sweep_network(struct zl_backend *backend, const struct zl_hcs_node *node,
                         struct zl_check *check, struct zl_error *err)
{
  struct zl_hcn hcn = { .api = &node->api->hcn, .fail = zl_hresult_fail };
  char slice[ZL_SLICE_TEXT];
  struct zl_hcn_network_spec network = { .name = node->network };
  struct zl_hcn_ids ids;
  struct zl_net *net = NULL;
  int64_t leases = 0;
  int r = zl_node_net(backend->rt, &net, err);

  if (r == 0)
    r = zl_store_query(backend->rt->store, zl_row_keep_int, &leases, err,
                       "SELECT count(*) FROM leases", "");
  if (r < 0 || leases > 0 || !check->repair)
    return r;
  network.prefix = zl_slice_format(zl_net_slice(net), slice);
  zl_hcn_ids_of(&network, "", &ids);
  r = zl_hcn_network_remove(&hcn, &ids.network, err);
  return r == -ZL_E_CONFLICT ? 0 : r; /* somebody else's endpoint is in it */
}

int zl_hcs_sweep(struct zl_backend *backend, struct zl_check *check, struct zl_error *err)
{
  struct found found = { .err = err };
  char network[ZL_HCS_NETWORK_NAME];
  struct zl_hcs_node node;
  int r = zl_hcs_node_of(backend, network, &node, err);

  if (r == 0)
    r = zl_shimclient_list(backend->rt, is_ours, add_id, &found, err);
  if (r == 0)
    r = sweep_systems(&node, &found, check, err);
  if (r == 0)
    r = sweep_network(backend, &node, check, err);
  zl_strv_free(found.ids);
  return r;
}
