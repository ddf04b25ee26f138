/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a container's host objects, whoever is left to help: the shim clears up after itself;
 * what a dead one left is found by name.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "net/linux/link.h"
#include "runtime/linux/groups.h"
#include "runtime/linux/linux_private.h"

/* What only the bundle knows: a cgroup below another parent, and the link. */
static int reap_by_bundle(int dir_fd, struct zl_error *err)
{
  zl_autojson *config = NULL;
  const char *path, *link;
  int r = 0;

  if (zl_shimclient_load_bundle(dir_fd, &config, NULL) < 0)
    return 0;
  path = json_string_value(json_object_get(json_object_get(config, "linux"), "cgroupsPath"));
  link = json_string_value(
      json_object_get(json_object_get(json_object_get(config, "zlayer"), "network"), "link"));
  if (path != NULL)
    r = zl_groups_reap(path, err);
  if (r == 0 && link != NULL)
    r = zl_link_set_down(link, err);
  return r;
}

static int reap_by_name(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  char path[ZL_LINUX_CGROUP], prefix[ZL_LINUX_CGROUP];
  int r = zl_linux_cgroup_prefix(rt, prefix, err);

  if (r < 0)
    return r;
  (void)snprintf(path, sizeof(path), "%.300s%s", prefix, id);
  return zl_groups_reap(path, err);
}

int zl_linux_remove(struct zl_backend *backend, const char *id, struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  if (r == -ZL_E_NOT_FOUND)
    return reap_by_name(backend->rt, id, err);
  if (r < 0)
    return r;
  r = zl_shimclient_end(dir, err);
  if (r == 0)
    r = reap_by_name(backend->rt, id, err);
  if (r == 0 && !zl_shimclient_has_exit_record(dir))
    r = reap_by_bundle(dir, err);
  return r;
}

/* ---- What exists ---- */

struct found {
  char **ids;
  size_t skip; /* of a cgroup's name */
  struct zl_error *err;
};

static int add_group(void *payload, const char *name)
{
  struct found *found = payload;
  const char *id = name + found->skip;

  if (!zl_path_is_name(id, ZL_MAX_ID) || zl_strv_contains(found->ids, id))
    return 0;
  return zl_strv_push(&found->ids, id, found->err);
}

static int add_directory(void *payload, const char *name)
{
  struct found *found = payload;

  return zl_strv_push(&found->ids, name, found->err);
}

/* A directory without a bundle is a creation that was interrupted early: it counts. */
static bool is_ours(struct zl_runtime *rt, const char *name)
{
  return !zl_shimclient_has_file(rt, name, "fake.json") &&
         !zl_shimclient_has_file(rt, name, "machine.json");
}

int zl_linux_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload, struct zl_error *err)
{
  struct found found = { .err = err };
  char prefix[ZL_LINUX_CGROUP];
  int r = zl_linux_cgroup_prefix(backend->rt, prefix, err);

  if (r == 0)
    r = zl_shimclient_list(backend->rt, is_ours, add_directory, &found, err);
  found.skip = r == 0 ? strlen(prefix) - 1 : 0; /* names have no leading "/" */
  if (r == 0)
    r = zl_groups_list(prefix + 1, add_group, &found, err);
  for (size_t i = 0; r == 0 && found.ids != NULL && found.ids[i] != NULL; i++)
    if (fn(payload, found.ids[i]) != 0)
      break;
  zl_strv_free(found.ids);
  return r;
}
