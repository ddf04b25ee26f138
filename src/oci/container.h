/* SPDX-License-Identifier: Apache-2.0
 *
 * A container as the state directory ROOT/<id> knows it: state.json, config.json (as it was at
 * create; a profile whose filter lies beside it is left out: filter.h), the FIFO `start` until it
 * is started, the lock `lock` of whoever changes it.
 */
#ifndef ZL_OCI_CONTAINER_H
#define ZL_OCI_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "engine/cgroup.h"
#include "engine/config.h"
#include "oci/oci.h"

#define OCI_GATE        "start"
#define OCI_KEYRING     "_ses."      /* and the id: the name of a session keyring, as runc's */
#define OCI_SHARED_PIDS "sharedPids" /* in state.json: true without a new pid namespace */
#define OCI_MACHINE     "machine"    /* in state.json: true with a machine of its own */

enum {
  OCI_MAX_ID = 255, /* a file name */
  OCI_KEYRING_TEXT = sizeof(OCI_KEYRING) + OCI_MAX_ID
};

enum oci_status {
  OCI_CREATING,
  OCI_CREATED,
  OCI_RUNNING,
  OCI_PAUSED,
  OCI_STOPPED
};

struct oci_container {
  const char *id; /* borrowed */
  int root_fd, dir_fd, lock_fd;
  json_t *state;       /* of state.json */
  pid_t pid;           /* 0: none yet */
  uint64_t start_time; /* with the pid names a process of this boot */
  int pidfd;           /* of the first process; -1: it has ended */
  struct zl_cgroup_root cgroup_root;
  struct zl_cgroup cgroup;
  bool has_cgroup;
};

#define OCI_CONTAINER_INIT                                                                \
  {                                                                                       \
    .root_fd = -1, .dir_fd = -1, .lock_fd = -1, .pidfd = -1, .cgroup_root = { .fd = -1 }, \
    .cgroup = {                                                                           \
      .unified_fd = -1                                                                    \
    }                                                                                     \
  }

void oci_container_done(struct oci_container *c);
#define oci_autocontainer ZL_CLEANUP(oci_container_done) struct oci_container

/* Makes the directory and locks it. ZL_E_INVALID: no proper id; ZL_E_CONFLICT: there is one. */
int oci_container_new(const struct oci *oci, const char *id, struct oci_container *c,
                      struct zl_error *err);

/* Opens an existing one, its cgroup with it when that is there. `to_change`: takes the lock, which
 * waits for whoever holds it. ZL_E_NOT_FOUND: "container does not exist", which without `to_change`
 * is also said of one whose creator has not described it yet. */
int oci_container_open(const struct oci *oci, const char *id, bool to_change,
                       struct oci_container *c, struct zl_error *err);

/* Calls `fn` with the id of each directory below the root, in alphabetical order, until one fails;
 * without a root there is none. */
typedef int (*oci_container_fn)(const struct oci *oci, const char *id, void *ctx,
                                struct zl_error *err);
int oci_container_each(const struct oci *oci, oci_container_fn fn, void *ctx, struct zl_error *err);

/* For zl_container_hooks.enter with a struct zl_cgroup as context: the calling process goes there.
 */
int oci_enter_cgroup(void *cgroup, struct zl_error *err);

/* The name of its session keyring, in `text`; NULL: it has none. */
const char *oci_container_keyring(const struct oci_container *c, char text[OCI_KEYRING_TEXT]);

/* Writes c->state to state.json. */
int oci_container_save(struct oci_container *c, struct zl_error *err);

/* The configuration it was made from, and that document; either may be NULL. Caller frees both. */
int oci_container_config(const struct oci_container *c, struct zl_engine_config **ret_config,
                         json_t **ret_doc, struct zl_error *err);

enum oci_status oci_container_status(const struct oci_container *c);
/* "created" … */
const char *oci_status_name(enum oci_status status);

/* The OCI state document, of `status`; the caller frees it. NULL: out of memory. */
json_t *oci_container_state(const struct oci_container *c, enum oci_status status);

/* Removes the directory; the lock is held. */
int oci_container_forget(struct oci_container *c, struct zl_error *err);

#endif
