/* SPDX-License-Identifier: Apache-2.0
 *
 * The mounts of a container, in three steps that match who may do what: the runtime, in the host's
 * mount namespace, takes detached copies of the sources of bind mounts; the container's first
 * process makes new file systems in its own namespaces while it still sees the host's /proc (the
 * kernel asks for that inside a user namespace); and after the change of root everything is
 * attached to targets that are looked up inside the new root only.
 */
#ifndef ZL_ENGINE_MOUNTS_H
#define ZL_ENGINE_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "engine/cgroup_mount.h"
#include "engine/config.h"

struct zl_mounts {
  const struct zl_engine_config *config; /* borrowed */
  int *fds;                              /* one per config->mounts[i]; -1: nothing yet */
  char **links;                          /* the same: what a link to be made anew says; or NULL */
  struct zl_cgroup_views cgroups;        /* empty: the container has a cgroup namespace */
};

/* Step 1: opens the bind sources (with their attributes set). *ret is released with
 * zl_mounts_done, also after an error. ZL_E_NOT_FOUND: a source does not exist. */
int zl_mounts_open_binds(const struct zl_engine_config *config, struct zl_mounts *ret,
                         struct zl_error *err);

/* For a user namespace to whose root the files do not belong: what lacks in `root_fd` of the mount
 * points is made while the host's root may. What cannot be made fails with a reason in its turn. */
void zl_mounts_make_points(const struct zl_mounts *mounts, int root_fd);

/* Step 2: makes the new file systems, except the cgroup file systems of a container with a cgroup
 * namespace. `proc_fd`: private procfs. */
int zl_mounts_open_new(struct zl_mounts *mounts, int proc_fd, struct zl_error *err);

/* Step 3: attaches mount `i` below root_fd; missing targets are made. A cgroup file system is made
 * here, from what `proc_fd` (a private procfs) says of the caller, who must be in its cgroup
 * namespace. */
int zl_mounts_attach(struct zl_mounts *mounts, size_t i, int root_fd, int proc_fd,
                     struct zl_error *err);

/* Step 4, when nothing is made below them any more: new file systems that are to be read-only
 * become so. Until then they are kept in *mounts. */
int zl_mounts_finish(struct zl_mounts *mounts, struct zl_error *err);

/* Whether /dev is the host's or a volume: then no device is made in it. */
bool zl_mounts_has_foreign_dev(const struct zl_engine_config *config);

void zl_mounts_done(struct zl_mounts *mounts);
#define zl_automounts ZL_CLEANUP(zl_mounts_done) struct zl_mounts

#endif
