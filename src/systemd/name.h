/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of units, and where systemd has their cgroups.
 */
#ifndef ZL_SYSTEMD_NAME_H
#define ZL_SYSTEMD_NAME_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "base/limits.h"

struct zl_unit_name {
  char unit[ZL_MAX_UNIT_NAME + 1];  /* "prefix-name.scope", or "name.slice" as it was given */
  char slice[ZL_MAX_UNIT_NAME + 1]; /* that it lies in */
  bool is_slice;
};

/* `text` is linux.cgroupsPath as "slice:prefix:name": without a slice in system.slice, without a
 * prefix "name.scope"; a name that ends in .slice is that slice. NULL: the scope "zlayer-ID.scope".
 * ZL_E_INVALID names what is wrong. */
int zl_unit_name_parse(const char *text, const char *id, struct zl_unit_name *ret,
                       struct zl_error *err);

/* The cgroup below the manager's own: "/a.slice/a-b.slice/x.scope" for x.scope in a-b.slice. A
 * slice lies where its own name says. */
int zl_unit_name_path(const struct zl_unit_name *name, char ret[ZL_MAX_CGROUP_PATH + 1],
                      struct zl_error *err);

#endif
