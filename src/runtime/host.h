/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rest of this room asks about the system below it: one implementation for each
 * (host_linux.c, host_windows.c).
 */
#ifndef ZL_RUNTIME_HOST_H
#define ZL_RUNTIME_HOST_H

#include "runtime/plan.h"

enum {
  ZL_HOST_TEXT = 80
};

/* Of images that run here: "linux", "amd64". */
const char *zl_host_os(void);
const char *zl_host_arch(void);

struct zl_host_facts {
  char kernel[ZL_HOST_TEXT], machine[ZL_HOST_TEXT], hostname[ZL_HOST_TEXT];
  unsigned cpus;
  uint64_t memory_bytes;
};
int zl_host_facts(struct zl_host_facts *ret, struct zl_error *err);
/* Of them the host's name alone, as cheap as it is; NULL: it could not be had. */
const char *zl_host_name(char text[ZL_HOST_TEXT]);

/* Where the node's state is when nobody says. The caller frees it. */
char *zl_host_default_root(void);
/* ZL_E_PERMISSION: only who owns the host may run containers. */
int zl_host_check_user(struct zl_error *err);
/* Whoever can write to the root owns every container: one that is not ours is refused, ours is made
 * private. */
int zl_host_check_root(const struct zl_runtime *rt, struct zl_error *err);

/* What a container's environment has beside image and service; entries are set by `set`, which
 * keeps what is there when `keep`. */
typedef int (*zl_host_env_fn)(void *ctx, const char *key, const char *value, bool keep,
                              struct zl_error *err);
int zl_host_env(const struct zl_container_plan *plan, zl_host_env_fn set, void *ctx,
                struct zl_error *err);
/* Where a command begins that says nothing else. */
const char *zl_host_cwd(void);
/* `cwd` as that system has absolute paths. The caller frees it. */
char *zl_host_absolute(const char *cwd);

/* The network of this root as zl_info has it. */
int zl_host_describe_network(struct zl_net *net, json_t *to, struct zl_error *err);

/* Gives a new volume, an open directory, what the image has at the place that it hides. */
int zl_host_own_volume(int fd, const struct zl_container_plan *plan, const char *target,
                       struct zl_error *err);
/* What the store of layers needs of the system; NULL: nothing. */
const struct zl_win_services *zl_host_layer_services(void);

/* The largest number of a signal. */
int zl_host_max_signal(void);

#endif
