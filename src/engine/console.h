/* SPDX-License-Identifier: Apache-2.0
 *
 * A terminal of the container's own devpts. Its two ends are only ever reached by descriptor: a
 * path like /dev/pts/0 could be replaced between its making and its use (CVE-2025-52565).
 */
#ifndef ZL_ENGINE_CONSOLE_H
#define ZL_ENGINE_CONSOLE_H

#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

struct zl_console {
  int master, slave;
};

/* Opens a new terminal of the devpts at /dev/pts below root_fd, with a window of rows x cols
 * (0: 24 x 80), owned by `uid`. Both ends are CLOEXEC and the caller's. */
int zl_console_open(int root_fd, uint16_t rows, uint16_t cols, uid_t uid, struct zl_console *ret,
                    struct zl_error *err);

/* Shows the terminal as /dev/console below root_fd. */
int zl_console_bind(int root_fd, int slave, struct zl_error *err);

/* Makes it the controlling terminal of the caller, who must lead a session without one. */
int zl_console_control(int slave, struct zl_error *err);

#endif
