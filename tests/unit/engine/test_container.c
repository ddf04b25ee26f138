/* SPDX-License-Identifier: Apache-2.0
 *
 * What a document asks of the kernel, seen from inside real containers.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/proc.h"
#include "box.h"

/* ---- The box itself ------------------------------------------------------------------------- */

static void a_program_runs(void **state)
{
  autobox box = { .script = "hostname; echo $$" };

  (void)state;
  assert_box(&box, "box\n1\n");
}

/* It ends before it has read what it was sent: its reason must not be lost with that. */
static void a_failure_has_its_reason(void **state)
{
  (void)state;
  for (int i = 0; i < 100; i++) {
    autobox box = { .script = "true", .linux_part = ",\"intelRdt\":{\"closID\":\"zlt\"}" };

    assert_no_box(&box, ZL_E_UNSUPPORTED, "linux.intelRdt");
  }
}

/* ---- Hooks ---------------------------------------------------------------------------------- */

/* Each hook writes where it was: the host's name or the container's, and whether it sees /usr of
 * the container below the bundle, in its own mount namespace or in that of the state's pid. */
static void hooks_run_in_their_namespaces_and_order(void **state)
{
  zl_autofree char *hooks = zl_asprintf(
      ",\"hooks\":{\"prestart\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-ec\","
      "\"pid=$(sed 's/.*pid.:\\\\([0-9]*\\\\).*/\\\\1/'); test ! -e $0/root/usr/bin; "
      "nsenter -t $pid -m test -e $0/root/usr/bin/env; nsenter -t $pid -u hostname >$0/order\","
      "\"%s\"],\"env\":[\"PATH=/usr/bin:/bin\"]}],"
      "\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-ec\","
      "\"echo runtime >>$0/order; cat >$0/state\",\"%s\"],\"env\":[\"PATH=/usr/bin:/bin\"]}],"
      "\"createContainer\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-ec\","
      "\"test -e $0/root/usr/bin/env; hostname >>$0/order; echo made >$0/root/dev/made\",\"%s\"],"
      "\"env\":[\"PATH=/usr/bin:/bin\"]}],"
      "\"startContainer\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-ec\","
      "\"hostname >/dev/started; cat >>/dev/started\"],\"env\":[\"PATH=/usr/bin:/bin\"]}]}",
      box_dir, box_dir, box_dir);
  autobox box = { .script = "cat /dev/made /dev/started; test ! -d /dev/shm/x",
                  .top = hooks,
                  .state = "{\"id\":\"x\"}" };
  zl_autofree char *order = zl_asprintf("%s/order", box_dir);
  zl_autofree char *at = zl_asprintf("%s/state", box_dir);
  zl_autobuf text = ZL_BUF_INIT(4096);
  struct zl_error err = { 0 };

  (void)state;
  assert_box(&box, "made\nbox\n{\"id\":\"x\",\"status\":\"created\",\"pid\":1}");
  assert_int_equal(zl_file_read(AT_FDCWD, order, &text, &err), 0);
  assert_string_equal(text.data, "box\nruntime\nbox\n");
  zl_buf_clear(&text);
  assert_int_equal(zl_file_read(AT_FDCWD, at, &text, &err), 0);
  assert_true(zl_has_prefix(text.data, "{\"id\":\"x\",\"status\":\"creating\",\"pid\":"));
}

static void a_user_namespace_has_hooks_and_a_keyring_too(void **state)
{
  autobox box = {
    .namespaces = ",{\"type\":\"user\"}",
    .linux_part = ",\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}],"
                  "\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}]",
    .top = ",\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\","
           "\"test $(id -u) = 0\"],\"env\":[\"PATH=/usr/bin\"]}],"
           "\"createContainer\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\","
           "\"grep -q 100000 /proc/self/uid_map\"],\"env\":[\"PATH=/usr/bin\"]}]}",
    .state = "{}",
    .keyring = "_ses.zluser",
    .script = "cat /proc/self/uid_map | tr -s ' '",
  };

  (void)state;
  assert_box(&box, " 0 100000 65536\n");
}

#define FAILING(phase)                                                                       \
  ",\"hooks\":{\"" phase "\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"echo no >&2; " \
  "exit 4\"]}]}"

static void a_failing_hook_fails_the_container(void **state)
{
  autobox runtime = { .script = "true", .top = FAILING("createRuntime"), .state = "{}" };
  autobox inside = { .script = "true", .top = FAILING("createContainer"), .state = "{}" };
  autobox start = { .script = "true", .top = FAILING("startContainer"), .state = "{}" };
  autobox silent = { .script = "true", .top = FAILING("prestart") };

  (void)state;
  assert_no_box(&runtime, ZL_E_SYSTEM,
                "error running hook: createRuntime hook failed with exit code 4: no");
  assert_no_box(&inside, ZL_E_SYSTEM,
                "error running hook: createContainer hook failed with exit code 4: no");
  assert_no_box(&start, ZL_E_SYSTEM,
                "error running hook: startContainer hook failed with exit code 4: no");
  assert_no_box(&silent, ZL_E_UNSUPPORTED, "prestart hooks:");
}

/* With hooks the root is attached below the bundle first: nothing of that may be seen later. */
static void a_staged_root_is_like_any_other(void **state)
{
  static const char script[] = "awk '{print $5}' /proc/self/mountinfo | sort -u | head -n 4; ls /";
  autobox plain = { .script = script };
  autobox staged = {
    .script = script,
    .top = ",\"hooks\":{\"createRuntime\":[{\"path\":\"/bin/true\"}]}",
    .state = "{}",
    .linux_part = ",\"rootfsPropagation\":\"shared\",\"maskedPaths\":[\"/proc/keys\"]",
  };
  struct zl_error err = { 0 };

  (void)state;
  if (box_run(&plain, &err) < 0 || box_run(&staged, &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(plain.status, 0);
  assert_true(strlen(plain.text) > 10);
  assert_string_equal(plain.text, staged.text);
}

/* ---- Mounts --------------------------------------------------------------------------------- */

static void options_of_the_file_system_reach_it(void **state)
{
  autobox box = {
    .mounts =
        ",{\"destination\":\"srv/a\",\"type\":\"tmpfs\",\"options\":[\"sync\",\"lazytime\","
        "\"noiversion\",\"loud\",\"size=128k\",\"nosymfollow\",\"noatime\"]},"
        "{\"destination\":\"/srv/a/\",\"type\":\"tmpfs\",\"options\":[\"remount\",\"size=64k\"]}",
    .script = "grep ' /srv/a ' /proc/self/mountinfo | cut -d ' ' -f 6-",
  };
  autobox bad = {
    .mounts = ",{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"iversion\"]}",
  };

  (void)state;
  assert_box(&box, "rw,noatime,nosymfollow - tmpfs tmpfs rw,sync,lazytime,size=64k\n");
  assert_no_box(&bad, ZL_E_SYSTEM, "iversion");
}

/* The same entries (ended by a comma), in any order. */
static void assert_same_entries(const char *a, const char *b)
{
  assert_int_equal(strlen(a), strlen(b));
  for (const char *at = a; *at != '\0'; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',')) {
    zl_autofree char *entry = zl_asprintf("%.*s", (int)strcspn(at, ","), at);

    if (strstr(b, entry) == NULL)
      fail_msg("'%s' is not in '%s'", entry, b);
  }
}

/* As podman, containerd and `runc spec` write them. */
static void the_mounts_that_every_tool_asks_for(void **state)
{
  autobox box = {
    .mounts =
        ",{\"destination\":\"/dev/"
        "pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\","
        "\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
        "{\"destination\":\"/dev/"
        "shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\","
        "\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
        "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":["
        "\"nosuid\",\"noexec\",\"nodev\"]},"
        "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\","
        "\"noexec\",\"nodev\",\"ro\"]},"
        "{\"destination\":\"/sys/fs/"
        "cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\",\"options\":["
        "\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]},"
        "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/etc/hosts\",\"options\":["
        "\"bind\",\"rprivate\",\"ro\"]}",
    .namespaces = ",{\"type\":\"cgroup\"},{\"type\":\"network\"}",
    .linux_part =
        ",\"maskedPaths\":[\"/proc/acpi\",\"/proc/kcore\",\"/proc/keys\",\"/sys/firmware\"],"
        "\"readonlyPaths\":[\"/proc/bus\",\"/proc/sys\",\"/proc/sysrq-trigger\"],"
        "\"rootfsPropagation\":\"rslave\"",
    .script = "for at in /dev/pts /dev/shm /dev/mqueue /sys; do stat -f -c %T $at; done; "
              "test -e /sys/fs/cgroup && test -s /etc/hosts && ! test -w /proc/sysrq-trigger && "
              "echo fine",
  };

  (void)state;
  assert_box(&box, "devpts\ntmpfs\nmqueue\nsysfs\nfine\n");
}

static void a_tmpfs_starts_with_what_it_hides(void **state)
{
  static const char tree[] = "cd /data; find . -type d -printf '%P %m %U %G,'; "
                             "find . ! -type d -printf '%P %y %m %U %G %s %l %T@,'; cat b/text";
  autobox plain = { .script = tree };
  autobox copied = {
    .mounts = ",{\"destination\":\"/data\",\"type\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"ro\"]}",
    .script = tree,
  };
  autobox separate = {
    .mounts =
        ",{\"destination\":\"/data\",\"type\":\"tmpfs\",\"options\":[\"tmpcopyup\",\"mode=700\"]}",
    .script = "rm -r /data/b; stat -c %a /data; ls /data",
  };
  autobox again = { .script = "test -e /data/b/c" };
  struct zl_error err = { 0 };
  zl_autofree char *make =
      zl_asprintf("set -e; mkdir -p %s/root/data/b/c; cd %s/root/data; echo text >b/text; "
                  "chown 7:8 b/c b/text; chmod 4751 b/text; chmod 711 b .; ln -s /nowhere link; "
                  "mkfifo b/fifo; touch -d @5 b/text",
                  box_dir, box_dir);
  const char *const argv[] = { "sh", "-c", make, NULL };
  struct zl_proc_options opt = { .path = "/bin/sh", .exec_fd = -1, .argv = argv };
  const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
  struct zl_proc proc;
  int status;

  (void)state;
  opt.envp = env;
  assert_int_equal(zl_proc_spawn(&opt, &proc, &err), 0);
  assert_int_equal(zl_proc_wait(&proc, &status, &err), 0);
  assert_int_equal(status, 0);
  if (box_run(&plain, &err) < 0 || box_run(&copied, &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(plain.status, 0);
  assert_non_null(strstr(plain.text, "b/text f 4751 7 8 5  5.0"));
  assert_same_entries(plain.text, copied.text);
  assert_box(&separate, "700\nlink\n");
  /* That one did not touch the image. */
  assert_box(&again, "");
}

static void ids_of_a_bind_mount_are_mapped(void **state)
{
  char source[] = "/dev/shm/zlt-ids-XXXXXX";
  zl_autofree char *mounts = NULL, *recursive = NULL;
  zl_autofree char *file = NULL;
  autobox box = { .script = "stat -c %u:%g /ids /ids/file" };
  autobox odd = { .script = "true" };

  (void)state;
  assert_non_null(mkdtemp(source));
  file = zl_asprintf("%s/file", source);
  assert_int_equal(mknod(file, S_IFREG | 0644, 0), 0);
  assert_int_equal(chown(file, 5, 6), 0);
  box.mounts = mounts =
      zl_asprintf(",{\"destination\":\"/ids\",\"source\":\"%s\",\"options\":[\"bind\",\"idmap\"],"
                  "\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
                  "\"gidMappings\":[{\"containerID\":0,\"hostID\":2000,\"size\":10}]}",
                  source);
  odd.mounts = recursive = zl_asprintf(
      ",{\"destination\":\"/ids\",\"source\":\"%s\",\"options\":[\"rbind\",\"ridmap\"]}", source);
  assert_box(&box, "1000:2000\n1005:2006\n");
  assert_no_box(&odd, ZL_E_INVALID, "mapped ids need mappings");
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, source), 0);
}

/* ---- Clocks and scheduling ------------------------------------------------------------------ */

static void clocks_are_shifted(void **state)
{
  autobox box = {
    .namespaces = ",{\"type\":\"time\"}",
    .linux_part = ",\"timeOffsets\":{\"monotonic\":{\"secs\":100000,\"nanosecs\":5},"
                  "\"boottime\":{\"secs\":1000000}}",
    .script = "cat /proc/self/timens_offsets; cut -d . -f 1 /proc/uptime; exec sleep 1000",
  };
  struct zl_error err = { 0 };
  struct timespec now;
  char ns[2][64], path[64];
  ssize_t n[2];

  (void)state;
  if (box_create(&box, &err) < 0 || zl_container_start(&box.container, &err) < 0 ||
      box_exec(&box, NULL, "cut -d . -f 1 /proc/uptime", &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
  assert_true(labs(strtol(box.text, NULL, 10) - 1000000 - now.tv_sec) < 30);
  /* The children of this process are in its own again. */
  (void)snprintf(path, sizeof(path), "/proc/%d/ns/time", (int)box.container.init.pid);
  n[0] = readlink("/proc/self/ns/time_for_children", ns[0], sizeof(ns[0]));
  n[1] = readlink("/proc/self/ns/time", ns[1], sizeof(ns[1]));
  assert_true(n[0] > 0 && n[0] == n[1]);
  assert_memory_equal(ns[0], ns[1], (size_t)n[0]);
  n[1] = readlink(path, ns[1], sizeof(ns[1]));
  assert_true(n[1] > 0);
  assert_true(n[0] != n[1] || memcmp(ns[0], ns[1], (size_t)n[0]) != 0);
}

static void another_personality(void **state)
{
  autobox box = { .script = "uname -m", .linux_part = ",\"personality\":{\"domain\":\"LINUX32\"}" };
  struct utsname host;

  (void)state;
  assert_int_equal(uname(&host), 0);
  if (strcmp(host.machine, "x86_64") != 0)
    skip(); /* the kernel has another name elsewhere */
  assert_box(&box, "i686\n");
}

static void a_process_is_scheduled_as_it_says(void **state)
{
  autobox box = {
    .process = ",\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":5},"
               "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":6}",
    .script = "chrt -p $$ | sed -n '1s/.*: //p'; nice; ionice",
  };

  (void)state;
  assert_box(&box, "SCHED_BATCH\n5\nbest-effort: prio 6\n");
}

static void an_exec_has_its_processors(void **state)
{
  autobox box = {
    .process = ",\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":7},"
               "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":5}",
    .script = "exec sleep 1000",
  };
  zl_autofree char *affinity = NULL;
  struct zl_error err = { 0 };
  cpu_set_t cpus;
  int cpu = 0;

  (void)state;
  assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
  while (!CPU_ISSET(cpu, &cpus))
    cpu++;
  affinity = zl_asprintf(",\"execCPUAffinity\":{\"initial\":\"%d\",\"final\":\"%d\"}", cpu, cpu);
  if (box_create(&box, &err) < 0 || zl_container_start(&box.container, &err) < 0 ||
      box_exec(&box, affinity, "nproc", &err) < 0)
    fail_msg("%s", err.msg);
  assert_string_equal(box.text, "1\n");
  /* The rest is as for the first process. */
  assert_int_equal(box_exec(&box, NULL, "nice; ionice", &err), 0);
  assert_string_equal(box.text, "7\nbest-effort: prio 5\n");
  assert_true(box_exec(&box, ",\"execCPUAffinity\":{\"final\":\"8000\"}", "nproc", &err) < 0);
  assert_non_null(strstr(err.msg, "execCPUAffinity"));
}

/* ---- Notified system calls ------------------------------------------------------------------ */

/* An agent: takes the descriptor and answers mkdirat with ENOSPC, everything else with "go on".
 * What it was told of the process goes to the pipe. */
_Noreturn static void agent_main(int server, int report)
{
  char text[4096];
  int conn = accept4(server, NULL, NULL, SOCK_CLOEXEC), fd = -1;
  size_t n_fds = 1;
  ssize_t n = zl_fd_recv(conn, text, sizeof(text), &fd, &n_fds);
  struct seccomp_notif call;

  if (n <= 0 || n_fds != 1 || zl_fd_write_full(report, text, (size_t)n) < 0)
    _exit(1);
  (void)close(report);
  for (;;) {
    struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    /* Without a process that the filter is for, there is never a call again. */
    if (poll(&ready, 1, -1) > 0 && (ready.revents & POLLIN) == 0)
      _exit(0);
    memset(&call, 0, sizeof(call));
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
      if (errno == EINTR || errno == ENOENT)
        continue;
      _exit(0);
    }
    answer.id = call.id;
    if (call.data.nr == SYS_mkdirat || call.data.nr == zl_syscall_number("mkdir"))
      answer = (struct seccomp_notif_resp){ .id = call.id, .error = -ENOSPC };
    (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

struct agent {
  pid_t pid;
  int report;
};

static struct agent start_agent(const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ends[2];
  struct agent agent;

  (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
  assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(listen(server, 4), 0);
  assert_int_equal(zl_fd_pipe(ends, NULL), 0);
  agent.pid = fork();
  if (agent.pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0)
    agent_main(server, ends[1]);
  (void)close(server);
  (void)close(ends[1]);
  agent.report = ends[0];
  return agent;
}

static void end_agent(struct agent *agent, char *text, size_t size)
{
  ssize_t n = zl_fd_read_full(agent->report, text, size - 1);

  text[n > 0 ? n : 0] = '\0';
  (void)close(agent->report);
  (void)kill(agent->pid, SIGKILL);
  (void)waitpid(agent->pid, NULL, 0);
}

/* Even the calls with which a process would speak are notified. */
#define NOTIFIED \
  "[\"mkdir\",\"mkdirat\",\"sendmsg\",\"close\",\"execve\",\"prctl\",\"wait4\",\"setresuid\"]"

static void run_with_agent(const char *process)
{
  zl_autofree char *path = zl_asprintf("%s/agent", box_dir);
  zl_autofree char *filter =
      zl_asprintf(",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"%s\","
                  "\"listenerMetadata\":\"data\",\"syscalls\":[{\"names\":" NOTIFIED
                  ",\"action\":\"SCMP_ACT_NOTIFY\"}]}",
                  path);
  autobox box = { .script =
                      "mkdir /dev/x 2>&1 | grep -o 'No space.*'; set -- /proc/[0-9]*; echo $#",
                  .linux_part = filter,
                  .process = process,
                  .state = "{\"ociVersion\":\"1.2.1\",\"id\":\"x\"}" };
  struct agent agent = start_agent(path);
  char text[4096];
  zl_autofree char *want = NULL;
  pid_t pid;

  assert_box(&box, "No space left on device\n1\n"); /* the shell alone: no zombie */
  pid = box.container.init.pid;
  end_agent(&agent, text, sizeof(text));
  assert_int_equal(unlink(path), 0);
  want = zl_asprintf(
      "{\"ociVersion\":\"1.2.1\",\"fds\":[\"seccompFd\"],\"pid\":%d,\"metadata\":\"data\","
      "\"state\":{\"ociVersion\":\"1.2.1\",\"id\":\"x\",\"status\":\"creating\",\"pid\":%d}}",
      (int)pid, (int)pid);
  assert_string_equal(text, want);
}

static void notified_calls_reach_their_agent(void **state)
{
  (void)state;
  run_with_agent(NULL);
  run_with_agent(",\"noNewPrivileges\":true,\"user\":{\"uid\":1000,\"gid\":1000}");
}

/* What one does to itself on its way to its program is neither its caller's nor the next one's. */
static void an_exec_may_begin_in_our_memory(void **state)
{
  static const char narrow[] = ",\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"]}";
  static const char too_many[] =
      ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":8,\"hard\":99999999999}]";
  static const char show[] = "grep CapBnd /proc/self/status; echo $HOME; id -u; umask";
  autobox box = { .script = "exec sleep 1000", .may_share_memory = true };
  struct zl_error err = { 0 };
  int dumpable = prctl(PR_GET_DUMPABLE);

  (void)state;
  if (box_create(&box, &err) < 0 || zl_container_start(&box.container, &err) < 0)
    fail_msg("%s", err.msg);
  for (int i = 0; i < 3; i++) {
    if (box_exec(&box, narrow, show, &err) < 0)
      fail_msg("%s", err.msg);
    assert_string_equal(box.text, "CapBnd:\t0000000000000001\n/\n0\n0022\n");
    if (box_exec(&box, ",\"user\":{\"uid\":7,\"gid\":7}", show, &err) < 0)
      fail_msg("%s", err.msg);
    assert_string_equal(box.text, "CapBnd:\t0000000000200003\n/\n7\n0022\n");
    assert_true(box_exec(&box, too_many, "true", &err) < 0);
    assert_non_null(strstr(err.msg, "RLIMIT_NOFILE"));
  }
  assert_int_equal(prctl(PR_GET_DUMPABLE), dumpable);
  zl_child_kill(&box.container.init);
}

static void an_exec_is_notified_of_too(void **state)
{
  zl_autofree char *path = zl_asprintf("%s/agent", box_dir);
  zl_autofree char *filter =
      zl_asprintf(",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"%s\","
                  "\"syscalls\":[{\"names\":" NOTIFIED ",\"action\":\"SCMP_ACT_NOTIFY\"}]}",
                  path);
  autobox box = { .script = "exec sleep 1000", .linux_part = filter, .state = "{\"id\":\"x\"}" };
  struct agent first = start_agent(path), second;
  struct zl_error err = { 0 };
  zl_autofree char *want = NULL;
  char text[4096];

  (void)state;
  if (box_create(&box, &err) < 0 || zl_container_start(&box.container, &err) < 0)
    fail_msg("%s", err.msg);
  assert_int_equal(unlink(path), 0);
  second = start_agent(path);
  if (box_exec(&box, NULL, "mkdir /dev/x 2>&1 | grep -o 'No space.*'", &err) < 0)
    fail_msg("%s", err.msg);
  assert_string_equal(box.text, "No space left on device\n");
  end_agent(&first, text, sizeof(text));
  end_agent(&second, text, sizeof(text));
  assert_int_equal(unlink(path), 0);
  want = zl_asprintf("\"status\":\"running\",\"pid\":%d}}", (int)box.container.init.pid);
  assert_non_null(strstr(text, want));
}

static void a_flag_of_listeners_without_one(void **state)
{
  autobox box = { .script = "echo fine",
                  .linux_part = ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":["
                                "\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"],"
                                "\"listenerPath\":\"/nowhere/agent\"}" };

  (void)state;
  assert_box(&box, "fine\n"); /* nothing is notified: nobody is needed */
}

static void nobody_listens(void **state)
{
#define LISTENER(path)                                       \
  ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"," path \
  "\"syscalls\":[{\"names\":[\"mkdir\"],"                    \
  "\"action\":\"SCMP_ACT_NOTIFY\"}]}"
  autobox none = { .script = "true", .linux_part = LISTENER(""), .state = "{}" };
  autobox gone = { .script = "true",
                   .linux_part = LISTENER("\"listenerPath\":\"/nowhere/agent\","),
                   .state = "{}" };
  autobox silent = { .script = "true",
                     .linux_part = LISTENER("\"listenerPath\":\"/nowhere/agent\",") };

  (void)state;
  assert_no_box(&none, ZL_E_INVALID, "needs a listenerPath");
  assert_no_box(&gone, ZL_E_SYSTEM, "failed to connect with seccomp agent '/nowhere/agent'");
  assert_no_box(&silent, ZL_E_UNSUPPORTED, "linux.seccomp.listenerPath");
}

/* ---- What only some hosts have -------------------------------------------------------------- */

static void what_the_host_lacks_is_refused(void **state)
{
  autobox profile = { .process = ",\"apparmorProfile\":\"zlt-none\"", .script = "true" };
  autobox label = { .process = ",\"selinuxLabel\":\"zlt\"", .script = "true" };
  autobox mounts = { .linux_part = ",\"mountLabel\":\"zlt\"", .script = "true" };
  autobox rdt = { .linux_part = ",\"intelRdt\":{\"closID\":\"zlt\"}", .script = "true" };
  autobox nothing = { .process = ",\"apparmorProfile\":\"unconfined\",\"selinuxLabel\":\"\"",
                      .linux_part = ",\"mountLabel\":\"\",\"intelRdt\":{}",
                      .script = "echo fine" };
  struct zl_error err = { 0 };

  (void)state;
  assert_box(&nothing, "fine\n");
  if (access("/sys/module/apparmor", F_OK) < 0)
    assert_no_box(&profile, ZL_E_UNSUPPORTED, "AppArmor is not active on this host");
  else
    assert_true(box_run(&profile, &err) < 0); /* no such profile */
  if (access("/sys/fs/selinux/status", F_OK) < 0) {
    assert_no_box(&label, ZL_E_UNSUPPORTED, "SELinux is not active on this host");
    assert_no_box(&mounts, ZL_E_UNSUPPORTED, "linux.mountLabel 'zlt'");
  } else {
    assert_true(box_run(&label, &err) < 0);
    assert_true(box_run(&mounts, &err) < 0);
  }
  assert_no_box(&rdt, ZL_E_UNSUPPORTED,
                access("/sys/fs/resctrl/schemata", F_OK) < 0 ? "resctrl is not mounted"
                                                             : "not supported");
}

static void an_exec_is_refused_likewise(void **state)
{
  autobox box = { .script = "exec sleep 1000" };
  struct zl_error err = { 0 };

  (void)state;
  if (box_create(&box, &err) < 0 || zl_container_start(&box.container, &err) < 0)
    fail_msg("%s", err.msg);
  assert_true(box_exec(&box, ",\"apparmorProfile\":\"zlt-none\"", "true", &err) < 0);
  assert_non_null(strstr(err.msg, "zlt-none"));
}

/* ---- Keyring -------------------------------------------------------------------------------- */

/* Prints the description of the session keyring: keyctl(KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING).
 */
static char *describe_keyring(void)
{
  return zl_asprintf("perl -e '$b=chr(0) x 200; syscall(%d, %d, %d, $b, 200) > 0 or die; "
                     "$b =~ s/[^ -~]//g; print((split(/;/, $b))[4])'",
                     SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING);
}

static void a_session_keyring_of_its_own(void **state)
{
  zl_autofree char *describe = describe_keyring();
  autobox first = { .script = describe, .keyring = "_ses.zlfirst" };
  autobox box = { .script = "exec sleep 1000", .keyring = "_ses.zlbox" };
  struct zl_error err = { 0 };

  (void)state;
  if (access("/proc/keys", R_OK) < 0)
    skip(); /* a kernel without keyrings */
  assert_box(&first, "_ses.zlfirst");
  if (box_create(&box, &err) < 0 || zl_container_start(&box.container, &err) < 0 ||
      box_exec(&box, NULL, describe, &err) < 0)
    fail_msg("%s", err.msg);
  assert_string_equal(box.text, "_ses.zlbox");
  box.keyring = NULL;
  assert_int_equal(box_exec(&box, NULL, describe, &err), 0);
  assert_string_not_equal(box.text, "_ses.zlbox");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_program_runs),
    cmocka_unit_test(a_failure_has_its_reason),
    cmocka_unit_test(hooks_run_in_their_namespaces_and_order),
    cmocka_unit_test(a_user_namespace_has_hooks_and_a_keyring_too),
    cmocka_unit_test(a_failing_hook_fails_the_container),
    cmocka_unit_test(a_staged_root_is_like_any_other),
    cmocka_unit_test(options_of_the_file_system_reach_it),
    cmocka_unit_test(the_mounts_that_every_tool_asks_for),
    cmocka_unit_test(a_tmpfs_starts_with_what_it_hides),
    cmocka_unit_test(ids_of_a_bind_mount_are_mapped),
    cmocka_unit_test(clocks_are_shifted),
    cmocka_unit_test(another_personality),
    cmocka_unit_test(a_process_is_scheduled_as_it_says),
    cmocka_unit_test(an_exec_has_its_processors),
    cmocka_unit_test(notified_calls_reach_their_agent),
    cmocka_unit_test(an_exec_may_begin_in_our_memory),
    cmocka_unit_test(an_exec_is_notified_of_too),
    cmocka_unit_test(a_flag_of_listeners_without_one),
    cmocka_unit_test(nobody_listens),
    cmocka_unit_test(what_the_host_lacks_is_refused),
    cmocka_unit_test(an_exec_is_refused_likewise),
    cmocka_unit_test(a_session_keyring_of_its_own),
  };

  return cmocka_run_group_tests(tests, box_setup, box_teardown);
}
