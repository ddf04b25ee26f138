/* SPDX-License-Identifier: Apache-2.0
 *
 * A running process of a container, whichever isolation that has.
 */
#ifndef ZL_RUNTIME_HCS_TASK_H
#define ZL_RUNTIME_HCS_TASK_H

#include "bridge/conn.h"
#include "runtime/hcs/guest.h"
#include "runtime/hcs/process.h"

struct zl_hcs_task {
  struct zl_hcs_proc *proc;   /* on the host's kernel, or NULL */
  struct zl_hcs_guest *guest; /* in a machine; borrowed, outlives it */
  char *container;            /* id in the machine */
  uint32_t pid;
  bool console;
  struct zl_byte_stream in, out, err; /* ctx NULL: none. Their owner may take them */
};

struct zl_hcs_task_options {
  const json_t *parameters; /* zl_hcs_doc_parameters' */
  bool in, out, err;        /* as in there */
};
/* `system` or `guest` with `container`, the other is NULL. The caller ends with
 * zl_hcs_task_close. */
int zl_hcs_task_start(struct zl_hcs_system *system, struct zl_hcs_guest *guest,
                      const char *container, const struct zl_hcs_task_options *options,
                      struct zl_hcs_task **ret, struct zl_error *err);
/* Lets go of it; it goes on. Its streams are closed. NULL is fine. */
void zl_hcs_task_close(struct zl_hcs_task *task);

/* As zl_hcs_proc_wait and zl_hcs_guest_wait. */
int zl_hcs_task_wait(struct zl_hcs_task *task, uint64_t deadline_ns, uint32_t *ret_code,
                     struct zl_error *err);
/* Success when it has ended. */
int zl_hcs_task_signal(struct zl_hcs_task *task, enum zl_hcs_signal signal, struct zl_error *err);
int zl_hcs_task_resize(struct zl_hcs_task *task, unsigned rows, unsigned cols,
                       struct zl_error *err);
/* It reads the end of its input; task->in is closed. */
int zl_hcs_task_finish_input(struct zl_hcs_task *task, struct zl_error *err);

#endif
