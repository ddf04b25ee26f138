/* SPDX-License-Identifier: Apache-2.0
 *
 * In place of the guest's agent: says on the console what its kernel has, and restarts the machine.
 * One fact per line, "probe NAME VALUE"; guest_kernels.py compares them with what a guest needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, const char *value)
{
  printf("probe %s %s\n", name, value);
}

static void say_result(const char *name, int r)
{
  say(name, r >= 0 ? "ok" : strerror(errno));
}

/* The lines of a file as one. */
static void say_file(const char *name, const char *path)
{
  char text[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

  if (fd >= 0)
    close(fd);
  if (n < 0) {
    say(name, strerror(errno));
    return;
  }
  text[n] = '\0';
  for (char *p = text; *p != '\0'; p++)
    if (*p == '\n' || *p == '\t')
      *p = ' ';
  say(name, text);
}

static int load_module(const char *name)
{
  char path[128];
  int fd, r;

  (void)snprintf(path, sizeof(path), "/modules/%s", name);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  r = (int)syscall(SYS_finit_module, fd, "", 0);
  close(fd);
  return r;
}

static void load_modules(void)
{
  char line[64];
  FILE *order = fopen("/modules/order", "re");
  int r = 0;

  if (order == NULL)
    return;
  while (r == 0 && fgets(line, sizeof(line), order) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    r = load_module(line);
  }
  (void)fclose(order);
  say_result("modules", r);
}

/* The rules of a container's devices on cgroup v2 are a program of this type. */
static int load_device_program(void)
{
  static const struct bpf_insn insns[] = {
    { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
    { .code = BPF_JMP | BPF_EXIT },
  };
  union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                          .insns = (uintptr_t)insns,
                          .insn_cnt = 2,
                          .license = (uintptr_t) "" };
  int cgroup = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
  union bpf_attr attach = { .target_fd = (unsigned)cgroup,
                            .attach_bpf_fd = (unsigned)program,
                            .attach_type = BPF_CGROUP_DEVICE };

  return program < 0 ? -1 : (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));
}

static int set_filter(void)
{
  static struct sock_filter allow[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
  struct sock_fprog filter = { .len = 1, .filter = allow };

  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

/* ---- Filters: our kernel keeps the first ones and shares them ----- */

/* What refuses this system call with this error, and nothing else. */
static int refuse_call(unsigned nr, unsigned error)
{
  struct sock_filter refuse[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = { .len = 4, .filter = refuse };

  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

static int is_refused(long nr, int error)
{
  errno = 0;
  return syscall(nr) == -1 && errno == error;
}

/* The second filter is beside the first, the third is the first once more. */
static int live_with_filters(int error)
{
  if (refuse_call(SYS_getppid, (unsigned)error) < 0 || !is_refused(SYS_getppid, error) ||
      syscall(SYS_getuid) != 0)
    return 1;
  if (refuse_call(SYS_getuid, (unsigned)error + 1) < 0 || !is_refused(SYS_getuid, error + 1) ||
      !is_refused(SYS_getppid, error))
    return 1;
  return refuse_call(SYS_getppid, (unsigned)error) < 0 || !is_refused(SYS_getppid, error) ||
         !is_refused(SYS_getuid, error + 1) || syscall(SYS_getgid) != 0;
}

/* More than are kept, each by two processes. */
static int share_filters(void)
{
  for (int i = 0; i < 12; i++) {
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
      _exit(live_with_filters(EPERM + i % 6));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
      return -1;
    if (status != 0) {
      errno = EPROTO;
      return -1;
    }
  }
  return 0;
}

static void mount_all(void)
{
  (void)mkdir("/proc", 0755);
  (void)mkdir("/sys", 0755);
  say_result("proc", mount("proc", "/proc", "proc", 0, NULL));
  say_result("sysfs", mount("sysfs", "/sys", "sysfs", 0, NULL));
  say_result("cgroup2", mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL));
}

int main(void)
{
  struct utsname name;

  (void)setvbuf(stdout, NULL, _IOLBF, 0);
  load_modules();
  mount_all();
  say("release", uname(&name) == 0 ? name.release : strerror(errno));
  say_file("controllers", "/sys/fs/cgroup/cgroup.controllers");
  say_file("filesystems", "/proc/filesystems");
  say_file("clock", "/sys/devices/system/clocksource/clocksource0/available_clocksource");
  say_file("port", "/sys/class/virtio-ports/vport0p1/name");
  say_file("disk", "/sys/block/vda/size");
  say_file("link", "/sys/class/net/eth0/address");
  say_file("random", "/sys/class/misc/hw_random/rng_current");
  say_result("ipv6", socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  say_result("packet", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  say_result("filters", share_filters());
  say_result("namespaces", unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID |
                                   CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME));
  say_result("devices", load_device_program());
  say_result("seccomp", set_filter());
  say("end", "ok");
  return reboot(RB_AUTOBOOT);
}
