/* SPDX-License-Identifier: Apache-2.0
 *
 * Which namespaces a container gets: new ones by clone, given ones by descriptor.
 */
#ifndef ZL_ENGINE_NAMESPACES_H
#define ZL_ENGINE_NAMESPACES_H

#include <stdbool.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "engine/config.h"

struct zl_ns_plan {
  int create;               /* CLONE_NEW* mask of the new ones */
  int own;                  /* CLONE_NEW* mask of new and joined ones: what an exec must enter */
  int join_fd[ZL_NS_COUNT]; /* -1: none */
};

/* Opens the namespaces that are to be joined. A path of another kind of namespace is
 * ZL_E_INVALID. *ret is released with zl_ns_plan_done, also after an error. */
int zl_ns_plan_open(const struct zl_engine_config *config, struct zl_ns_plan *ret,
                    struct zl_error *err);
void zl_ns_plan_done(struct zl_ns_plan *plan);
#define zl_autonsplan ZL_CLEANUP(zl_ns_plan_done) struct zl_ns_plan

/* Joins what is to be joined, except the pid namespace: that holds for children only, so whoever
 * clones has to be in it (zl_ns_enter_pid). The caller is changed for good. */
int zl_ns_join(const struct zl_ns_plan *plan, struct zl_error *err);

/* Children of the caller are born in `pid_ns_fd` from now on; -1 is a no-op. To go back, call it
 * with a descriptor of /proc/self/ns/pid. */
int zl_ns_enter_pid(int pid_ns_fd, struct zl_error *err);

/* Joins the user namespace of the plan, as its root, and takes it off the plan. For who clones
 * next: namespaces belong to the user namespace in which they were made. */
int zl_ns_enter_user(struct zl_ns_plan *plan, struct zl_error *err);

/* A user namespace with the container's id maps that no process is in, for id-mapped mounts. The
 * descriptor is CLOEXEC and the caller's. */
int zl_ns_open_userns(const struct zl_engine_config *config, int *ret_fd, struct zl_error *err);

/* The same with maps of its own. */
int zl_ns_make_userns(const struct zl_idmap *uid_maps, size_t n_uid_maps,
                      const struct zl_idmap *gid_maps, size_t n_gid_maps, int *ret_fd,
                      struct zl_error *err);

/* Writes the id maps of the new user namespace of `pid`; for its creator. */
int zl_ns_write_maps(pid_t pid, const struct zl_engine_config *config, struct zl_error *err);

/* The host's id of an id of the container (itself without a user namespace), -1 if not mapped. */
int64_t zl_ns_host_id(const struct zl_idmap *maps, size_t n, uint32_t id);

#endif
