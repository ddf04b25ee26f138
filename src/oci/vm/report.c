/* SPDX-License-Identifier: Apache-2.0
 *
 * Both ends are the same program, so an error goes over as it is.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/vm/vm.h"

int oci_vm_report_open(int pair[2], struct zl_error *err)
{
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0
             ? zl_fail_errno(err, "making a socket pair")
             : 0;
}

void oci_vm_report(int fd, const struct zl_error *failure)
{
  static const struct zl_error none = { .code = ZL_OK };

  (void)zl_fd_send(fd, failure != NULL ? failure : &none, sizeof(none), NULL, 0);
}

int oci_vm_report_await(int fd, struct zl_error *err)
{
  struct zl_error report = { .code = ZL_OK };
  size_t n_fds = 0;
  ssize_t n = zl_fd_recv(fd, &report, sizeof(report), NULL, &n_fds);

  if (n != (ssize_t)sizeof(report))
    return zl_fail(err, ZL_E_INTERNAL, n < 0 ? (int)-n : 0,
                   "the process that stands for the machine's has ended");
  if (report.code == ZL_OK)
    return 0;
  if (err != NULL)
    *err = report;
  return -(int)report.code;
}

int oci_vm_report_go(int fd, struct zl_error *err)
{
  struct zl_error go = { .code = ZL_OK };
  ssize_t n = zl_fd_send(fd, &go, sizeof(go), NULL, 0);

  return n < 0 ? zl_fail(err, ZL_E_SYSTEM, (int)-n, "starting the machine") : 0;
}
