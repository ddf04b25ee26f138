/* SPDX-License-Identifier: Apache-2.0 */
/* nosys CALL[,CALL...] PROGRAM [ARG...]: executes PROGRAM on a kernel that seems to lack these
 * system calls. A filter answers ENOSYS, as a kernel that was never built with them does; it holds
 * for every descendant. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  MAX_CALLS = 32
};

static const struct {
  const char *name;
  unsigned int number;
} known[] = {
  { "clone3", SYS_clone3 },
  { "close_range", SYS_close_range },
  { "execveat", SYS_execveat },
  { "fsconfig", SYS_fsconfig },
  { "fsmount", SYS_fsmount },
  { "fsopen", SYS_fsopen },
  { "memfd_create", SYS_memfd_create },
  { "mount_setattr", SYS_mount_setattr },
  { "move_mount", SYS_move_mount },
  { "open_tree", SYS_open_tree },
  { "openat2", SYS_openat2 },
  { "pidfd_getfd", SYS_pidfd_getfd },
  { "pidfd_open", SYS_pidfd_open },
  { "pidfd_send_signal", SYS_pidfd_send_signal },
  { "renameat2", SYS_renameat2 },
  { "statx", SYS_statx },
};

static unsigned int number_of(const char *name)
{
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (strcmp(known[i].name, name) == 0)
      return known[i].number;
  (void)fprintf(stderr, "nosys: '%s': not a call that this program knows\n", name);
  exit(2);
}

int main(int argc, char **argv)
{
  struct sock_filter code[2 * MAX_CALLS + 2] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
  };
  struct sock_fprog program = { .len = 1, .filter = code };
  char *names, *name;

  if (argc < 3) {
    (void)fprintf(stderr, "usage: nosys CALL[,CALL...] PROGRAM [ARG...]\n");
    return 2;
  }
  names = argv[1];
  while ((name = strsep(&names, ",")) != NULL && program.len < 2 * MAX_CALLS) {
    code[program.len++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number_of(name), 0, 1);
    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
  }
  code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
    perror("nosys: seccomp");
    return 2;
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
