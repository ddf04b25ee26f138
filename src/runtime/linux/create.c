/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of a container, and its shim.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"
#include "runtime/linux/linux_private.h"

int zl_linux_cgroup_prefix(struct zl_runtime *rt, char prefix[ZL_LINUX_CGROUP],
                           struct zl_error *err)
{
  struct zl_net *net = NULL;
  int r = zl_node_net(rt, &net, err);

  /* The root's tag is in the name of its bridge. */
  if (r == 0)
    (void)snprintf(prefix, ZL_LINUX_CGROUP, "/zlayer-%s-", zl_net_bridge(net) + strlen("zl-"));
  return r;
}

static int fault(const char *site, int os_error, struct zl_error *err)
{
  return os_error == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, os_error, "fault at %s", site);
}

#define STEP_FAULT(name, err) fault(name, ZL_FAULT("runtime.linux." name), err)

/* ---- Files ---- */

static int make_directories(const struct zl_container_plan *plan, struct zl_error *err)
{
  /* The upper directory becomes the container's "/": everybody in it must be able to enter. */
  static const struct {
    const char *name;
    mode_t mode;
  } dirs[] = { { "upper", 0755 }, { "work", 0700 }, { "log", 0700 } };

  for (size_t i = 0; i < ZL_COUNT(dirs); i++)
    if (mkdirat(plan->dir_fd, dirs[i].name, dirs[i].mode) < 0 ||
        fchmodat(plan->dir_fd, dirs[i].name, dirs[i].mode, 0) < 0)
      return zl_fail_errno(err, "making directory '%s'", dirs[i].name);
  return 0;
}

/* ---- Another container's network ---- */

/* Holds the namespace by a descriptor of ours, which the shim opens through /proc while we wait for
 * it: a pid alone could be another process by then. */
static int open_netns(struct zl_backend *backend, const struct zl_container_plan *plan, int *ret_fd,
                      char **ret_path, struct zl_error *err)
{
  struct zl_facts before = { 0 }, after = { 0 };
  char path[48];
  zl_autofd fd = -1;
  int r = zl_shimclient_state(backend, plan->network_of, &before, err);

  if (r == 0 && before.pid > 0 && before.presence != ZL_PRESENCE_ENDED) {
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)before.pid);
    fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
    r = zl_shimclient_state(backend, plan->network_of, &after, err);
  }
  if (r < 0)
    return r;
  if (fd < 0 || after.pid != before.pid) {
    fd = fd < 0 ? -1 : fd;
    return zl_fail(err, ZL_E_CONFLICT, 0, "services.%s.network_mode: container '%s' does not run",
                   plan->service->name, plan->network_of);
  }
  *ret_path = zl_asprintf("/proc/%d/fd/%d", (int)getpid(), fd);
  *ret_fd = zl_steal_fd(&fd);
  return *ret_path != NULL ? 0 : zl_fail_nomem(err, "network namespace");
}

/* ---- The bundle ---- */

static char *cgroup_of(const struct zl_container_plan *plan, const char *prefix)
{
  const char *parent = plan->service->cgroup_parent;

  if (parent == NULL)
    return zl_asprintf("%s%s", prefix, plan->id);
  return zl_asprintf("%s%s%s%s", *parent == '/' ? "" : "/", parent, prefix, plan->id);
}

static int write_bundle(struct zl_backend *backend, const struct zl_container_plan *plan,
                        const char *netns_path, struct zl_error *err)
{
  zl_autofree char *text = NULL, *cgroup = NULL, *dir = NULL;
  struct zl_bundle bundle = { .plan = plan, .netns_path = netns_path };
  char prefix[ZL_LINUX_CGROUP];
  int r = zl_linux_cgroup_prefix(backend->rt, prefix, err);

  if (r < 0)
    return r;
  cgroup = cgroup_of(plan, prefix);
  dir = zl_asprintf("%s/containers/%s", backend->rt->root, plan->id);
  if (cgroup == NULL || dir == NULL)
    return zl_fail_nomem(err, "bundle");
  bundle.cgroup = cgroup;
  bundle.dir = dir;
  r = zl_bundle_render(&bundle, &text, err);
  return r < 0 ? r : zl_bundle_write_text(plan->dir_fd, "config.json", text, 0600, err);
}

int zl_linux_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                    struct zl_error *err)
{
  zl_autofree char *netns_path = NULL;
  zl_autofd netns_fd = -1;
  int r = make_directories(plan, err);

  if (r == 0)
    r = STEP_FAULT("files", err);
  if (r == 0)
    r = zl_bundle_write_files(plan, err);
  if (r == 0 && plan->network == ZL_PLAN_NET_PATH)
    r = open_netns(backend, plan, &netns_fd, &netns_path, err);
  if (r == 0)
    r = STEP_FAULT("bundle", err);
  if (r == 0)
    r = write_bundle(backend, plan, netns_path, err);
  if (r == 0)
    r = STEP_FAULT("shim", err);
  if (r == 0)
    r = zl_shimclient_launch(plan, err);
  return r < 0 ? r : STEP_FAULT("created", err);
}
