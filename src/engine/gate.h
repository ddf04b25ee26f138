/* SPDX-License-Identifier: Apache-2.0
 *
 * The start of a container whose creator has ended: a FIFO. The container's first process waits in
 * open(2) for a reader, executes, and so closes its end; or it writes why it could not.
 */
#ifndef ZL_ENGINE_GATE_H
#define ZL_ENGINE_GATE_H

#include <sys/types.h>
#include <zlayer/error.h>

/* Makes the FIFO (dir_fd, name), which everybody may write: the container's root may be anybody on
 * the host, and reaches it by descriptor only. *ret_fd (O_PATH) is the caller's. */
int zl_gate_make(int dir_fd, const char *name, int *ret_fd, struct zl_error *err);

/* In the container's first process: blocks until somebody starts it. `proc_fd` is a procfs in which
 * the process sees itself. *ret_fd is CLOEXEC and the caller's. */
int zl_gate_wait(int gate_fd, int proc_fd, int *ret_fd, struct zl_error *err);
/* There as well: tells whoever has started it why it cannot execute. */
void zl_gate_report(int fd, const struct zl_error *failure);

/* Starts the process behind `pidfd`, which waits at (dir_fd, name), and blocks until it has
 * executed its program (0) or said why not (that error). ZL_E_CONFLICT: it has ended before;
 * ZL_E_NOT_FOUND: there is no such FIFO. The FIFO is removed once somebody is through. */
int zl_gate_open(int dir_fd, const char *name, int pidfd, struct zl_error *err);

#endif
