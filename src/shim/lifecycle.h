/* SPDX-License-Identifier: Apache-2.0
 *
 * From start to end.
 */
#ifndef ZL_SHIM_LIFECYCLE_H
#define ZL_SHIM_LIFECYCLE_H

#include "shim/shim.h"

/* Executes the workload. Success again while it runs; 1: under way, conn_announce_start will
 * answer; ZL_E_CONFLICT after its end. A failure to execute ends the container. */
int lifecycle_start(struct shim *shim, struct zl_error *err);
/* For the keeper whose start came back with 1. */
void lifecycle_started(struct shim *shim);
void lifecycle_start_failed(struct shim *shim, const struct zl_error *failure);

/* For the keeper: the workload has ended, and how. Ends everything of the container. */
void lifecycle_ended(struct shim *shim, const struct exit_record *record);

/* Sends `signal` to the first process (9: kills everything). ZL_E_CONFLICT unless it runs. */
int lifecycle_kill(struct shim *shim, int signal, struct zl_error *err);

/* Asks the workload to end, with SIGKILL after grace_ms at the latest. Returns at once; the end
 * comes as an event. A container that has not been started is killed. */
int lifecycle_stop(struct shim *shim, int signal, uint64_t grace_ms, struct zl_error *err);

/* Freezes or thaws. 1: under way, conn_announce will answer. */
int lifecycle_pause(struct shim *shim, bool paused, struct zl_error *err);
/* For the keeper whose freeze came back with 1; NULL: success. */
void lifecycle_paused(struct shim *shim, const struct zl_error *failure);

/* For whoever watches (watch.h): the timer has run out; the shim itself is asked to end. */
void lifecycle_timer(struct shim *shim);
void lifecycle_asked_to_end(struct shim *shim);

#endif
