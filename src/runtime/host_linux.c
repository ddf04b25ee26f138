/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/path.h"
#include "base/strv.h"
#include "engine/rootfs.h"
#include "runtime/host.h"

#define DEFAULT_ROOT "/var/lib/zlayer"
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const char *zl_host_os(void)
{
  return "linux";
}

const char *zl_host_arch(void)
{
  static struct utsname node;

  if (uname(&node) < 0)
    return "unknown";
  if (strcmp(node.machine, "x86_64") == 0)
    return "amd64";
  return strcmp(node.machine, "aarch64") == 0 ? "arm64" : node.machine;
}

int zl_host_facts(struct zl_host_facts *ret, struct zl_error *err)
{
  struct utsname node;
  struct sysinfo memory;

  if (uname(&node) < 0 || sysinfo(&memory) < 0)
    return zl_fail_errno(err, "asking the kernel about the node");
  *ret = (struct zl_host_facts){ .cpus = (unsigned)get_nprocs(),
                                 .memory_bytes = (uint64_t)memory.totalram * memory.mem_unit };
  (void)snprintf(ret->kernel, sizeof(ret->kernel), "%s", node.release);
  (void)snprintf(ret->machine, sizeof(ret->machine), "%s", node.machine);
  (void)snprintf(ret->hostname, sizeof(ret->hostname), "%s", node.nodename);
  return 0;
}

const char *zl_host_name(char text[ZL_HOST_TEXT])
{
  struct utsname node;

  if (uname(&node) < 0)
    return NULL;
  (void)snprintf(text, ZL_HOST_TEXT, "%s", node.nodename);
  return text;
}

char *zl_host_default_root(void)
{
  return strdup(DEFAULT_ROOT);
}

int zl_host_check_user(struct zl_error *err)
{
  return geteuid() == 0 ? 0 : zl_fail(err, ZL_E_PERMISSION, 0, "zlayer must run as root");
}

int zl_host_check_root(const struct zl_runtime *rt, struct zl_error *err)
{
  struct stat st;

  if (fstat(rt->root_fd, &st) < 0)
    return zl_fail_errno(err, "'%s'", rt->root);
  if (st.st_uid != geteuid())
    return zl_fail(err, ZL_E_PERMISSION, 0, "directory '%s' belongs to user %u, not to root",
                   rt->root, (unsigned)st.st_uid);
  if ((st.st_mode & 077) != 0 && fchmod(rt->root_fd, 0700) < 0)
    return zl_fail_errno(err, "making directory '%s' private", rt->root);
  return 0;
}

int zl_host_env(const struct zl_container_plan *plan, zl_host_env_fn set, void *ctx,
                struct zl_error *err)
{
  int r = set(ctx, "PATH", DEFAULT_PATH, true, err);

  if (r == 0)
    r = set(ctx, "HOSTNAME", plan->hostname, false, err);
  if (r == 0 && plan->service->tty)
    r = set(ctx, "TERM", "xterm", true, err);
  return r;
}

const char *zl_host_cwd(void)
{
  return "/";
}

char *zl_host_absolute(const char *cwd)
{
  return zl_asprintf("%s%s", *cwd == '/' ? "" : "/", cwd);
}

int zl_host_describe_network(struct zl_net *net, json_t *to, struct zl_error *err)
{
  struct zl_net_status status = { 0 };
  int r = zl_net_status(net, &status, err);

  if (r < 0)
    return r;
  return json_object_set_new(to, "bridge", json_string(zl_net_bridge(net))) < 0 ||
                 json_object_set_new(to, "bridgeUp", json_boolean(status.bridge)) < 0 ||
                 json_object_set_new(to, "rules", json_boolean(status.rules)) < 0
             ? zl_fail_nomem(err, "node facts")
             : 0;
}

/* What the directory looks like in the topmost layer that has it. */
static bool find_in_layers(char *const *layers, const char *target, struct stat *ret)
{
  for (size_t i = 0; layers != NULL && layers[i] != NULL; i++) {
    zl_autofd layer = -1, dir = -1;

    if (zl_rootfs_open_layer(layers[i], &layer, NULL) < 0)
      continue;
    dir = zl_path_open_in_root(layer, target, O_PATH | O_DIRECTORY, 0);
    if (dir >= 0 && fstat(dir, ret) == 0)
      return true;
    dir = dir < 0 ? -1 : dir;
  }
  return false;
}

/* In a user namespace the ids are those of the container as the node sees them. */
int zl_host_own_volume(int fd, const struct zl_container_plan *plan, const char *target,
                       struct zl_error *err)
{
  struct stat st = { .st_mode = 0755 };

  (void)find_in_layers(plan->layers, target, &st);
  if (fchown(fd, plan->id_base + st.st_uid, plan->id_base + st.st_gid) < 0 ||
      fchmod(fd, st.st_mode & 07777) < 0)
    return zl_fail_errno(err, "giving the volume at '%s' its owner", target);
  return 0;
}

const struct zl_win_services *zl_host_layer_services(void)
{
  return NULL;
}

int zl_host_max_signal(void)
{
  return SIGRTMAX;
}
