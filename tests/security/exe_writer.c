/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside a container: waits until another process executes the file with the given device and
 * inode, takes hold of it by /proc/<pid>/exe and tries to open it for writing until that is refused
 * for good. usage: exe_writer DEVICE INODE. Prints "writable" (exit 1), "read-only" (0) or "not
 * seen" (2). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  PATIENCE_S = 60
};

static int is_wanted(int fd, unsigned long device, unsigned long inode)
{
  struct stat st;

  return fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static int find(unsigned long device, unsigned long inode)
{
  DIR *proc = opendir("/proc");
  struct dirent *e;
  int fd = -1;

  while (proc != NULL && fd < 0 && (e = readdir(proc)) != NULL) {
    char path[300];

    if (strspn(e->d_name, "0123456789") != strlen(e->d_name))
      continue;
    (void)snprintf(path, sizeof(path), "/proc/%s/exe", e->d_name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !is_wanted(fd, device, inode)) {
      (void)close(fd);
      fd = -1;
    }
  }
  if (proc != NULL)
    (void)closedir(proc);
  return fd;
}

int main(int argc, char **argv)
{
  unsigned long device = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
  unsigned long inode = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
  time_t end = time(NULL) + PATIENCE_S;
  char path[64];
  int fd = -1;

  while (fd < 0 && time(NULL) < end)
    fd = find(device, inode);
  if (fd < 0) {
    (void)puts("not seen");
    return 2;
  }
  (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  for (;;) {
    if (open(path, O_WRONLY | O_CLOEXEC) >= 0) {
      (void)puts("writable");
      return 1;
    }
    if (errno != ETXTBSY || time(NULL) >= end)
      break;
  }
  (void)puts(errno == EROFS ? "read-only" : strerror(errno));
  return errno == EROFS ? 0 : 2;
}
