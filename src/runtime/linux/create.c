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
#include "net/files.h"
#include "runtime/linux/bundle.h"
#include "runtime/linux/linux_private.h"

#define LOOPBACK 0x7f000001u

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

static int write_text(int dir_fd, const char *name, const char *text, mode_t mode,
                      struct zl_error *err)
{
  zl_autofd fd = zl_fd_open(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  int r;

  if (fd < 0) {
    r = fd;
    fd = -1;
    return zl_fail(err, ZL_E_SYSTEM, -r, "creating '%s'", name);
  }
  r = zl_fd_write_full(fd, text, strlen(text));
  /* The umask may have taken bits away, and users in the container must be able to read. */
  if (r == 0 && fchmod(fd, mode) < 0)
    r = -errno;
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "writing '%s'", name) : 0;
}

static int write_hosts(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  struct zl_hosts hosts = { .hostname = plan->hostname,
                            .extra = (const char *const *)plan->service->extra_hosts };
  int r;

  if (plan->network == ZL_PLAN_NET_HOST)
    hosts.gateway = LOOPBACK;
  if (plan->network == ZL_PLAN_NET_BRIDGE && (!zl_ip4_parse(plan->link.address, &hosts.address) ||
                                              !zl_ip4_parse(plan->link.gateway, &hosts.gateway)))
    return zl_fail(err, ZL_E_INTERNAL, 0, "the lease has no address");
  r = zl_files_hosts(&hosts, &text, err);
  return r < 0 ? zl_context(r, err, "services.%s.extra_hosts", plan->service->name)
               : write_text(plan->dir_fd, "hosts", text, 0644, err);
}

static int write_resolv(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autobuf host = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  zl_autofree char *text = NULL;
  struct zl_resolv resolv = { .servers = (const char *const *)plan->service->dns };
  int r;

  if (zl_file_read(AT_FDCWD, "/etc/resolv.conf", &host, NULL) == 0)
    resolv.host = host.data;
  /* On the host's own network its loopback resolvers can be reached. */
  if (plan->network == ZL_PLAN_NET_HOST && resolv.servers == NULL && resolv.host != NULL)
    return write_text(plan->dir_fd, "resolv.conf", resolv.host, 0644, err);
  r = zl_files_resolv(&resolv, &text, err);
  return r < 0 ? zl_context(r, err, "services.%s.dns", plan->service->name)
               : write_text(plan->dir_fd, "resolv.conf", text, 0644, err);
}

static int write_files(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofree char *hostname = NULL;
  int r = write_hosts(plan, err);

  if (r == 0)
    r = write_resolv(plan, err);
  if (r == 0)
    r = zl_files_hostname(plan->hostname, &hostname, err);
  if (r < 0)
    return r;
  return write_text(plan->dir_fd, "hostname", hostname, 0644, err);
}

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
  int r = zl_linux_state(backend, plan->network_of, &before, err);

  if (r == 0 && before.pid > 0 && before.presence != ZL_PRESENCE_ENDED) {
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)before.pid);
    fd = zl_fd_open(AT_FDCWD, path, O_RDONLY, 0);
    r = zl_linux_state(backend, plan->network_of, &after, err);
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
  return r < 0 ? r : write_text(plan->dir_fd, "config.json", text, 0600, err);
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
    r = write_files(plan, err);
  if (r == 0 && plan->network == ZL_PLAN_NET_PATH)
    r = open_netns(backend, plan, &netns_fd, &netns_path, err);
  if (r == 0)
    r = STEP_FAULT("bundle", err);
  if (r == 0)
    r = write_bundle(backend, plan, netns_path, err);
  if (r == 0)
    r = STEP_FAULT("shim", err);
  if (r == 0)
    r = zl_linux_launch(plan, err);
  return r < 0 ? r : STEP_FAULT("created", err);
}
