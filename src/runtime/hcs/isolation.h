/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a container uses the host's kernel or gets a machine: docs/windows.md has the table.
 */
#ifndef ZL_RUNTIME_HCS_ISOLATION_H
#define ZL_RUNTIME_HCS_ISOLATION_H

#include <stdbool.h>
#include <zlayer/error.h>
#include <zlayer/spec.h>

#include "image/oscompat.h"

struct zl_hcs_isolation {
  const char *service;          /* its name, for messages */
  const char *image;            /* the reference, for messages */
  enum zl_isolation asked;      /* the service's */
  struct zl_os_version host;    /* of RtlGetVersion */
  struct zl_os_version version; /* of the image, else of its base image; all 0: not known */
  bool host_has_hypervisor;     /* the compute service can make machines */
  bool image_has_machine;       /* it has UtilityVM, the files that a machine boots from */
};

/* *ret is ZL_ISOLATION_PROCESS or ZL_ISOLATION_HYPERV. What the service asks for holds or is
 * refused; `auto` takes the host's kernel where that is known to fit, else a machine.
 * ZL_E_WRONG_PLATFORM: the builds do not fit, both are named. ZL_E_UNSUPPORTED: a machine is needed
 * and this host, or this image, cannot have one. */
int zl_hcs_isolation_choose(const struct zl_hcs_isolation *facts, enum zl_isolation *ret,
                            struct zl_error *err);

#endif
