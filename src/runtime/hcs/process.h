/* SPDX-License-Identifier: Apache-2.0
 *
 * A process in a container on the host's kernel. (Those in machines are their guests': guest.h.)
 */
#ifndef ZL_RUNTIME_HCS_PROCESS_H
#define ZL_RUNTIME_HCS_PROCESS_H

#include "runtime/hcs/doc.h"
#include "runtime/hcs/system.h"

struct zl_hcs_proc {
  const struct zl_hcs_api *api;
  struct zl_hcs_system *system; /* borrowed; outlives it */
  void *handle;
  uint32_t pid;
  zl_handle in, out, err; /* pipes for overlapped I/O; NULL: none. Taken over by stream.h */
  struct zl_hcs_mail mail;
};

/* `parameters` is zl_hcs_doc_parameters'. The caller ends with zl_hcs_proc_close. */
int zl_hcs_proc_create(struct zl_hcs_system *system, const json_t *parameters,
                       struct zl_hcs_proc **ret, struct zl_error *err);
/* Lets go; the process goes on. NULL is fine. */
void zl_hcs_proc_close(struct zl_hcs_proc *proc);

/* Waits for its end; *ret_code is what it exited with. ZL_E_TIMEOUT. ZL_E_REMOTE: the compute
 * service ended, or says that it does not know the code. */
int zl_hcs_proc_wait(struct zl_hcs_proc *proc, uint64_t deadline_ns, uint32_t *ret_code,
                     struct zl_error *err);

/* ZL_HCS_TERMINATE ends it by force, through handles of its own: the service takes the signals of
 * one handle one by one, and CtrlShutdown may take its time. Success when it has ended. */
int zl_hcs_proc_signal(struct zl_hcs_proc *proc, enum zl_hcs_signal signal, struct zl_error *err);
/* Closing our end of a pipe is not enough for the process to see the end of its input. Success when
 * it has ended. */
int zl_hcs_proc_close_stream(struct zl_hcs_proc *proc, enum zl_hcs_stream stream,
                             struct zl_error *err);
int zl_hcs_proc_resize(struct zl_hcs_proc *proc, unsigned rows, unsigned cols,
                       struct zl_error *err);

#endif
