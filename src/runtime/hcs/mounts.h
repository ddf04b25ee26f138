/* SPDX-License-Identifier: Apache-2.0
 *
 * A service's storage as the directories and pipes that the compute service maps into a container.
 */
#ifndef ZL_RUNTIME_HCS_MOUNTS_H
#define ZL_RUNTIME_HCS_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>
#include <zlayer/spec.h>

#include "base/cleanup.h"

struct zl_hcs_mount {
  char *source; /* on the host; in a machine's guest for a hosted container */
  char *target; /* in the container: "C:\data"; of a pipe its name alone */
  char *field;  /* "services.web.storage[0]" */
  bool readonly;
};

struct zl_hcs_mounts {
  struct zl_hcs_mount *dirs, *pipes;
  size_t n_dirs, n_pipes;
};

/* `volumes` is zl_container_plan's: of each storage entry the host directory of a volume, else "".
 * A bind whose source is a pipe of the host (\\.\pipe\NAME) becomes one of the container; its
 * target has to be one, too. ZL_E_INVALID with the field's path: no absolute path, all of C:, a
 * target of two entries (in any case), a read-only pipe. ZL_E_UNSUPPORTED: another type of storage,
 * pipes with isolation hyperv. Whether sources exist is not looked at. Free with
 * zl_hcs_mounts_done. */
int zl_hcs_mounts_of(const struct zl_service *service, char *const *volumes,
                     enum zl_isolation isolation, struct zl_hcs_mounts *ret, struct zl_error *err);
void zl_hcs_mounts_done(struct zl_hcs_mounts *mounts);
#define zl_autohcsmounts ZL_CLEANUP(zl_hcs_mounts_done) struct zl_hcs_mounts

#endif
