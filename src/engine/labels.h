/* SPDX-License-Identifier: Apache-2.0
 *
 * What a document asks of security modules (AppArmor profiles, SELinux labels) and of other parts
 * that only some hosts have.
 */
#ifndef ZL_ENGINE_LABELS_H
#define ZL_ENGINE_LABELS_H

#include <stdbool.h>
#include <zlayer/error.h>

#include "engine/config.h"

/* While the caller sees the host's /sys: ZL_E_UNSUPPORTED when this host cannot do what `config`
 * and `process` (which may be an exec's) say: nothing would confine the process. */
int zl_labels_check(const struct zl_engine_config *config, const struct zl_process *process,
                    struct zl_error *err);

/* The program that the caller executes next gets the profile and the label of `process`; what the
 * caller's children execute, too. `proc_fd` is a procfs in which the caller is `getpid()`; -1: the
 * host's at /proc. */
int zl_labels_apply(int proc_fd, const struct zl_process *process, struct zl_error *err);

#endif
