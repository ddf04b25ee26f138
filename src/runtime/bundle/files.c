/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that stand at /etc/hosts, /etc/resolv.conf and /etc/hostname.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "net/files.h"
#include "runtime/bundle/bundle.h"
#include "runtime/node.h"

#define LOOPBACK 0x7f000001u

int zl_bundle_write_text(int dir_fd, const char *name, const char *text, mode_t mode,
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
               : zl_bundle_write_text(plan->dir_fd, "hosts", text, 0644, err);
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
    return zl_bundle_write_text(plan->dir_fd, "resolv.conf", resolv.host, 0644, err);
  r = zl_files_resolv(&resolv, &text, err);
  return r < 0 ? zl_context(r, err, "services.%s.dns", plan->service->name)
               : zl_bundle_write_text(plan->dir_fd, "resolv.conf", text, 0644, err);
}

int zl_bundle_write_files(const struct zl_container_plan *plan, struct zl_error *err)
{
  zl_autofree char *hostname = NULL;
  int r = write_hosts(plan, err);

  if (r == 0)
    r = write_resolv(plan, err);
  if (r == 0)
    r = zl_files_hostname(plan->hostname, &hostname, err);
  if (r < 0)
    return r;
  return zl_bundle_write_text(plan->dir_fd, "hostname", hostname, 0644, err);
}
