/* SPDX-License-Identifier: Apache-2.0
 *
 * A first process for workloads that are no init system: it reaps what they leave behind.
 */
#ifndef ZL_ENGINE_REAPER_H
#define ZL_ENGINE_REAPER_H

#include "engine/launch.h"

/* For PID 1 of a container: starts the program as a child in a session of its own, forwards every
 * signal to it, reaps orphans, and returns when the child has ended: its exit code, or 128 + its
 * signal; the caller exits with it. A failure to execute is reported on sync_fd. */
int zl_reaper_run(struct zl_launch *launch, int sync_fd);

#endif
