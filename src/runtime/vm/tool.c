/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/vm/tool.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"

enum {
  SAID = 160 /* of what the tool printed: its last words, where the reason is */
};

static void last_words(int fd, char text[SAID])
{
  off_t size = lseek(fd, 0, SEEK_END);
  ssize_t n = pread(fd, text, SAID - 1, size > SAID - 1 ? size - (SAID - 1) : 0);
  size_t len = n > 0 ? (size_t)n : 0;

  while (len > 0 && text[len - 1] == '\n')
    len--;
  text[len] = '\0';
}

int zl_vm_tool_run(const char *const *argv, int out_fd, const char *package, struct zl_error *err)
{
  static const char *const environment[] = { "LC_ALL=C", "PATH=/usr/sbin:/usr/bin", NULL };
  zl_autofd said = memfd_create("zlayer-tool", MFD_CLOEXEC);
  const struct zl_proc_fd fds[] = { { said, 2 }, { out_fd, 3 } };
  struct zl_proc proc = { .pidfd = -1 };
  char text[SAID] = "";
  int r, status = 0;

  if (said < 0)
    return zl_fail_errno(err, "making a buffer");
  r = zl_proc_spawn(&(struct zl_proc_options){ .path = argv[0],
                                               .exec_fd = -1,
                                               .argv = argv,
                                               .envp = environment,
                                               .fds = fds,
                                               .n_fds = ZL_COUNT(fds) },
                    &proc, err);
  if (r == -ZL_E_NO_COMMAND)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0,
                   "'%s' is needed for isolation hyperv: install Debian's package %s", argv[0],
                   package);
  if (r == 0)
    r = zl_proc_wait(&proc, &status, err);
  if (r < 0 || status == 0)
    return r;
  last_words(said, text);
  return zl_fail(err, ZL_E_SYSTEM, 0, "'%s' failed: %s", argv[0], text);
}
