/* SPDX-License-Identifier: Apache-2.0
 *
 * Apart from the other names of POSIX, because Winsock has these, too, and means sockets: a file
 * includes one of both.
 */
#ifndef ZL_BASE_WIN32_POLL_H
#define ZL_BASE_WIN32_POLL_H

#define POLLIN  0x0001
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
struct zl_posix_pollfd {
  int fd;
  short events, revents;
};
typedef unsigned long nfds_t;
/* Events, processes and pipes are waited for; files are always ready. At most 60. */
int zl_posix_poll(struct zl_posix_pollfd *fds, nfds_t n, int timeout_ms);
#define pollfd zl_posix_pollfd
#define poll   zl_posix_poll

#endif
