/* SPDX-License-Identifier: Apache-2.0
 *
 * The shim of a container on Windows: the core's keeper over an instance (runtime/hcs/instance.h),
 * whose calls block and are therefore made by threads of their own.
 */
#ifndef ZL_SHIM_HCS_HCS_H
#define ZL_SHIM_HCS_HCS_H

#include "runtime/hcs/bundle.h"
#include "shim/keeper.h"

struct hcs_shim {
  struct shim shim;
  struct zl_hcs_bundle bundle;
  struct zl_hcs_node node;
  struct zl_hcs_instance *instance;
  int stdin_end; /* what the workload reads is written to the other one, shim.stdin_fd; -1: none */
  bool killed;   /* its end by force is under way */
  struct zl_error failure; /* of the start */
};

extern const struct keeper hcs_keeper;

/* session.c */
int hcs_session_start(struct conn *conn, struct request *request, struct zl_error *err);
void hcs_session_forget(struct conn *conn);
void hcs_session_signal(struct conn *conn, int signal);
/* False: the connection has none. */
bool hcs_session_resize(struct conn *conn, unsigned rows, unsigned cols);

/* stats.c */
int hcs_stats(struct conn *conn, struct zl_error *err);

/* As shims are told, as Windows has it. ZL_E_INVALID. */
int hcs_signal_of(const struct hcs_shim *hcs, int number, enum zl_hcs_signal *ret,
                  struct zl_error *err);

static inline struct hcs_shim *hcs_of(struct shim *shim)
{
  return container_of(shim, struct hcs_shim, shim);
}

#endif
