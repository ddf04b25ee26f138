/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel alone takes for a container as bench/oci makes them: a process in the same
 * namespaces, with the same mounts, device nodes and masks, which executes /bin/true and is waited
 * for. No document is read, no state kept, nothing checked; no cgroup, filter or capability.
 * usage: ocifloor ROOTFS
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC
};

/* `runc spec`; the cgroup trees are those of bench/oci's environment. */
static const struct {
  const char *target, *type, *data;
  unsigned long flags;
} mounts[] = {
  { "/proc", "proc", NULL, 0 },
  { "/dev", "tmpfs", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME },
  { "/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC },
  { "/dev/shm", "tmpfs", "mode=1777,size=65536k", SAFE },
  { "/dev/mqueue", "mqueue", NULL, SAFE },
  { "/sys", "sysfs", NULL, SAFE | MS_RDONLY },
  { "/sys/fs/cgroup", "tmpfs", "mode=755", SAFE },
  { "/sys/fs/cgroup/cpu", "cgroup", "cpu", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/cpuacct", "cgroup", "cpuacct", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/cpuset", "cgroup", "cpuset", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/memory", "cgroup", "memory", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/devices", "cgroup", "devices", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/freezer", "cgroup", "freezer", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/blkio", "cgroup", "blkio", SAFE | MS_RDONLY },
  { "/sys/fs/cgroup/pids", "cgroup", "pids", SAFE | MS_RDONLY },
};

static const struct {
  const char *path;
  unsigned major, minor;
} devices[] = {
  { "/dev/null", 1, 3 },   { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
  { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

static const char *const links[][2] = {
  { "/proc/self/fd", "/dev/fd" },       { "/proc/self/fd/0", "/dev/stdin" },
  { "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
  { "pts/ptmx", "/dev/ptmx" },
};

static const char *const masked_dirs[] = { "/proc/acpi", "/sys/firmware", "/proc/scsi" };
static const char *const masked_files[] = { "/proc/kcore", "/proc/keys", "/proc/timer_list" };
static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                         "/proc/sysrq-trigger" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static _Noreturn void die(const char *what)
{
  (void)fprintf(stderr, "ocifloor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

/* A kernel without the file has nothing to hide. */
static void put(const char *from, const char *to, const char *type, unsigned long flags,
                const char *data)
{
  if (mount(from, to, type, flags, data) < 0 && errno != ENOENT)
    die(to);
}

static void enter(const char *rootfs)
{
  put(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  put(rootfs, rootfs, NULL, MS_REC | MS_BIND, NULL);
  if (chdir(rootfs) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
      chdir("/") < 0)
    die("entering the root");
}

static void fill(void)
{
  (void)umask(0);
  for (size_t i = 0; i < COUNT(mounts); i++) {
    if (mkdir(mounts[i].target, 0755) < 0 && errno != EEXIST)
      die(mounts[i].target);
    put("x", mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].data);
  }
  for (size_t i = 0; i < COUNT(devices); i++)
    if (mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0)
      die(devices[i].path);
  for (size_t i = 0; i < COUNT(links); i++)
    if (symlink(links[i][0], links[i][1]) < 0)
      die(links[i][1]);
}

static void mask(void)
{
  const unsigned long again = MS_REMOUNT | MS_BIND | MS_RDONLY;

  for (size_t i = 0; i < COUNT(read_only); i++) {
    put(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL);
    put(NULL, read_only[i], NULL, again, NULL);
  }
  for (size_t i = 0; i < COUNT(masked_files); i++)
    put("/dev/null", masked_files[i], NULL, MS_BIND, NULL);
  for (size_t i = 0; i < COUNT(masked_dirs); i++)
    put("x", masked_dirs[i], "tmpfs", MS_RDONLY, "size=0,nr_inodes=1");
  put(NULL, "/", NULL, again, NULL);
}

int main(int argc, char **argv)
{
  struct clone_args args = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                      CLONE_NEWNET,
                             .exit_signal = SIGCHLD };
  static char program[] = "/bin/true";
  char *const child_argv[] = { program, NULL };
  int status = 1;
  long pid;

  if (argc != 2)
    return 2;
  pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0)
    die("clone3");
  if (pid == 0) {
    enter(argv[1]);
    fill();
    mask();
    (void)execv(child_argv[0], child_argv);
    die(child_argv[0]);
  }
  if (waitpid((pid_t)pid, &status, 0) < 0)
    die("waitpid");
  return status != 0;
}
