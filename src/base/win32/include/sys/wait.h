/* SPDX-License-Identifier: Apache-2.0
 *
 * A process ends with a code and by nothing else; the status is that code.
 */
#ifndef ZL_BASE_WIN32_SYS_WAIT_H
#define ZL_BASE_WIN32_SYS_WAIT_H

#define WIFEXITED(status)   1
#define WEXITSTATUS(status) (status)
#define WIFSIGNALED(status) 0
#define WTERMSIG(status)    0

#endif
