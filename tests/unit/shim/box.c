/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/strv.h"
#include "base/time.h"
#include "engine/cgroup.h"

static char home[64];
static int shim_fd = -1;
static unsigned counter;
static struct box *live; /* not freed yet: after a failed test more than one */

const char *box_home(void)
{
  return home;
}

/* ---- The layer ----------------------------------------------------------------------------- */

static void in_home(char *text, size_t size, const char *name)
{
  assert_true(snprintf(text, size, "%s/%s", home, name) < (int)size);
}

static void make_dir(const char *name)
{
  char path[192];

  in_home(path, sizeof(path), name);
  assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void make_file(const char *name, const void *data, size_t len, mode_t mode)
{
  char path[192];
  int fd;

  in_home(path, sizeof(path), name);
  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  assert_true(fd >= 0);
  assert_int_equal(zl_fd_write_full(fd, data, len), 0);
  assert_int_equal(fchmod(fd, mode), 0);
  (void)close(fd);
}

static void link_applet(const char *name)
{
  char path[192];

  assert_true(snprintf(path, sizeof(path), "%s/layer/bin/%s", home, name) < (int)sizeof(path));
  assert_int_equal(symlink("busybox", path), 0);
}

static void make_layer(void)
{
  static const char *const dirs[] = { "layer",      "layer/bin", "layer/etc",  "layer/tmp",
                                      "layer/sys",  "layer/dev", "layer/proc", "layer/home",
                                      "layer/root", "containers" };
  static const char *const applets[] = {
    "sh",    "true",     "false",    "cat",    "echo",   "ls",     "id",   "sleep", "mount",
    "grep",  "yes",      "head",     "tail",   "seq",    "env",    "pwd",  "stty",  "touch",
    "mkdir", "wc",       "dd",       "kill",   "ps",     "tr",     "cut",  "ip",    "ping",
    "stat",  "hostname", "readlink", "umount", "sort",   "nc",     "test", "mknod", "chmod",
    "tty",   "od",       "printf",   "wget",   "setsid", "usleep",
  };
  static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                               "user:x:1000:1000:User:/home/user:/bin/sh\n";
  static const char group[] = "root:x:0:\nuser:x:1000:\nextra:x:2000:user\nother:x:3000:\n";
  char *busybox = NULL;
  struct stat st;
  int fd = open("/bin/busybox", O_RDONLY | O_CLOEXEC);

  assert_true(fd >= 0 && fstat(fd, &st) == 0);
  // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a failed assertion does not come back
  busybox = malloc((size_t)st.st_size);
  assert_int_equal(zl_fd_read_full(fd, busybox, (size_t)st.st_size), st.st_size);
  (void)close(fd);
  for (size_t i = 0; i < ZL_COUNT(dirs); i++)
    make_dir(dirs[i]);
  make_file("layer/bin/busybox", busybox, (size_t)st.st_size, 0755);
  free(busybox);
  for (size_t i = 0; i < ZL_COUNT(applets); i++)
    link_applet(applets[i]);
  make_file("layer/etc/passwd", passwd, sizeof(passwd) - 1, 0644);
  make_file("layer/etc/group", group, sizeof(group) - 1, 0644);
  make_file("layer/bin/notexec", "#!/bin/sh\n", 10, 0644);
  make_file("layer/bin/selfexe", "#!/proc/self/exe\n", 17, 0755);
}

/* The shim is executed from a read-only detached mount of its file. */
static void open_shim(void)
{
  struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };

  shim_fd = open_tree(AT_FDCWD, getenv("ZLAYER_SHIM"), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  assert_true(shim_fd >= 0);
  assert_int_equal(mount_setattr(shim_fd, "", AT_EMPTY_PATH, &ro, sizeof(ro)), 0);
}

int box_group_begin(void **state)
{
  (void)state;
  assert_non_null(getenv("ZLAYER_SHIM"));
  assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
  assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
  (void)umask(022);
  (void)snprintf(home, sizeof(home), "/tmp/zl-shim-XXXXXX");
  assert_non_null(mkdtemp(home));
  make_layer();
  open_shim();
  return 0;
}

/* What a failed test has left: a failure must not spill into the machine. */
static void sweep(const struct box *box)
{
  struct zl_cgroup_root root;
  struct zl_cgroup cg;

  if (box->shim.pidfd >= 0)
    (void)pidfd_send_signal(box->shim.pidfd, SIGKILL, NULL, 0);
  if (zl_cgroup_root_open(&root, NULL) < 0)
    return;
  if (zl_cgroup_open(&root, box->id, &cg, NULL) == 0) {
    (void)zl_cgroup_kill(&cg, NULL);
    (void)zl_cgroup_wait_empty(&cg, 2 * ZL_NS_PER_S, NULL);
    (void)zl_cgroup_remove(&cg, NULL);
    zl_cgroup_close(&cg);
  }
  zl_cgroup_root_close(&root);
}

int box_group_end(void **state)
{
  (void)state;
  for (; live != NULL; live = live->next)
    sweep(live);
  (void)close(shim_fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, home), 0);
  return 0;
}

/* ---- The bundle ---------------------------------------------------------------------------- */

static const char bundle[] =
    "{'ociVersion':'1.2.0','process':{'terminal':false,'args':[],'cwd':'/','noNewPrivileges':true,"
    "'env':['PATH=/bin','FOO=bar'],'capabilities':{}},'root':{'path':'rootfs','readonly':false},"
    "'hostname':'box','mounts':["
    "{'destination':'/proc','type':'proc','source':'proc','options':['nosuid','noexec','nodev']},"
    "{'destination':'/dev','type':'tmpfs','source':'tmpfs','options':['nosuid','mode=755']},"
    "{'destination':'/dev/pts','type':'devpts','source':'devpts','options':['nosuid','noexec',"
    "'newinstance','ptmxmode=0666','mode=0620']},"
    "{'destination':'/dev/shm','type':'tmpfs','source':'shm','options':['nosuid','noexec','nodev',"
    "'mode=1777','size=65536k']},"
    "{'destination':'/dev/mqueue','type':'mqueue','source':'mqueue','options':['nosuid','noexec',"
    "'nodev']},"
    "{'destination':'/sys','type':'sysfs','source':'sysfs','options':['nosuid','noexec','nodev',"
    "'ro']},"
    "{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup','options':['nosuid',"
    "'noexec','nodev','ro']}],"
    "'linux':{'namespaces':[{'type':'pid'},{'type':'network'},{'type':'ipc'},{'type':'uts'},"
    "{'type':'mount'},{'type':'cgroup'}],'resources':{'pids':{'limit':64}},"
    "'maskedPaths':['/proc/acpi','/proc/kcore','/proc/keys','/proc/timer_list','/proc/scsi',"
    "'/sys/firmware','/sys/devices/virtual/powercap'],"
    "'readonlyPaths':['/proc/bus','/proc/fs','/proc/irq','/proc/sys','/proc/sysrq-trigger']},"
    "'zlayer':{'layers':[],'init':false,'openStdin':false,'stopSignal':15,"
    "'log':{'maxBytes':104857600,'files':5},'seccomp':'default','network':{'mode':'none'}}}";

static json_t *parse_bundle(void)
{
  char text[sizeof(bundle)];
  json_t *json;

  for (size_t i = 0; i < sizeof(bundle); i++)
    text[i] = bundle[i] == '\'' ? '"' : bundle[i];
  json = json_loads(text, 0, NULL);
  assert_non_null(json);
  return json;
}

static void default_caps(struct box *box)
{
  static const char *const sets[] = { "bounding", "effective", "permitted" };

  for (size_t i = 0; i < ZL_COUNT(sets); i++) {
    char path[64];

    (void)snprintf(path, sizeof(path), "process.capabilities.%s", sets[i]);
    box_set(box, path,
            json_pack("[s,s,s,s,s,s]", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETUID", "CAP_SETGID",
                      "CAP_KILL", "CAP_NET_RAW"));
  }
}

struct box *box_new(const char *const *argv)
{
  struct box *box = calloc(1, sizeof(*box));
  json_t *args = json_array();
  char path[192];

  assert_non_null(box);
  box->next = live;
  live = box;
  box->shim.pidfd = -1;
  box->control = -1;
  (void)snprintf(box->id, sizeof(box->id), "zlshim-%d-%u", (int)getpid() % 100000, counter++);
  (void)snprintf(box->dir, sizeof(box->dir), "%s/containers/%s", home, box->id);
  assert_int_equal(mkdir(box->dir, 0700), 0);
  box->dir_fd = open(box->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_true(box->dir_fd >= 0);
  assert_int_equal(mkdirat(box->dir_fd, "upper", 0755), 0);
  assert_int_equal(mkdirat(box->dir_fd, "work", 0755), 0);
  box->config = parse_bundle();
  for (; *argv != NULL; argv++)
    assert_int_equal(json_array_append_new(args, json_string(*argv)), 0);
  box_set(box, "process.args", args);
  in_home(path, sizeof(path), "layer");
  box_add(box, "zlayer.layers", json_string(path));
  (void)snprintf(path, sizeof(path), "/%s", box->id);
  box_set(box, "linux.cgroupsPath", json_string(path));
  default_caps(box);
  return box;
}

/* The object that holds the last component of `path`. */
static json_t *parent_of(struct box *box, const char *path, char last[64])
{
  json_t *at = box->config;
  char copy[128], *rest = copy, *name;

  (void)snprintf(copy, sizeof(copy), "%s", path);
  while ((name = strsep(&rest, ".")) != NULL && rest != NULL) {
    if (json_object_get(at, name) == NULL)
      assert_int_equal(json_object_set_new(at, name, json_object()), 0);
    at = json_object_get(at, name);
  }
  (void)snprintf(last, 64, "%s", name);
  return at;
}

void box_set(struct box *box, const char *path, json_t *value)
{
  char last[64];
  json_t *parent = parent_of(box, path, last);

  assert_non_null(value);
  assert_int_equal(json_object_set_new(parent, last, value), 0);
}

void box_add(struct box *box, const char *path, json_t *value)
{
  char last[64];
  json_t *parent = parent_of(box, path, last), *array = json_object_get(parent, last);

  assert_non_null(value);
  if (array == NULL) {
    array = json_array();
    assert_int_equal(json_object_set_new(parent, last, array), 0);
  }
  assert_int_equal(json_array_append_new(array, value), 0);
}

/* ---- Talking ------------------------------------------------------------------------------- */

/* The shim gets no environment but what is for tests: of its sanitizer, and of fault points. */
static char **pass_on(void)
{
  static const char *const names[] = { "ASAN_OPTIONS", "ZLAYER_FAULTS" };
  char **list = NULL;

  for (size_t i = 0; i < ZL_COUNT(names); i++) {
    zl_autofree char *entry = NULL;

    if (getenv(names[i]) == NULL)
      continue;
    entry = zl_asprintf("%s=%s", names[i], getenv(names[i]));
    assert_non_null(entry);
    assert_int_equal(zl_strv_push(&list, entry, NULL), 0);
  }
  return list;
}

json_t *box_launch(struct box *box)
{
  char path[192];
  const char *argv[] = { "zlayer-shim", box->id, NULL };
  int ends[2];
  struct zl_proc_fd fds[2];
  struct zl_proc_options opt = { .path = "zlayer-shim",
                                 .exec_fd = shim_fd,
                                 .argv = argv,
                                 .fds = fds,
                                 .n_fds = 2,
                                 .new_session = true };
  struct zl_error err = { 0 };
  zl_autostrv environment = pass_on();

  opt.envp = (const char *const *)environment;
  (void)snprintf(path, sizeof(path), "%s/config.json", box->dir);
  assert_int_equal(json_dump_file(box->config, path, 0), 0);
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  fds[0] = (struct zl_proc_fd){ .from = box->dir_fd, .to = 3 };
  fds[1] = (struct zl_proc_fd){ .from = ends[1], .to = 4 };
  if (zl_proc_spawn(&opt, &box->shim, &err) < 0)
    fail_msg("%s", err.msg);
  (void)close(ends[1]);
  box->control = ends[0];
  return box_receive(box);
}

json_t *box_receive(struct box *box)
{
  static char text[ZL_MAX_CONTROL_MSG + 1];
  ssize_t n;
  json_t *json;

  for (size_t i = 0; i < box->n_fds; i++)
    (void)close(box->fds[i]);
  box->n_fds = ZL_COUNT(box->fds);
  n = zl_fd_recv(box->control, text, sizeof(text) - 1, box->fds, &box->n_fds);
  if (n <= 0)
    return NULL;
  json = json_loadb(text, (size_t)n, 0, NULL);
  assert_non_null(json);
  return json;
}

void box_send(struct box *box, const int *fds, size_t n_fds, json_t *request)
{
  char *text = json_dumps(request, JSON_COMPACT);

  assert_non_null(text);
  assert_true(zl_fd_send(box->control, text, strlen(text), fds, n_fds) > 0);
  free(text);
  json_decref(request);
}

json_t *box_ask_with(struct box *box, const int *fds, size_t n_fds, json_t *request)
{
  box_send(box, fds, n_fds, request);
  return box_receive(box);
}

static void expect_ok(json_t *reply)
{
  if (reply == NULL)
    fail_msg("the shim has closed the connection");
  else if (!json_is_true(json_object_get(reply, "ok")))
    fail_msg("%s", json_string_value(json_object_get(reply, "message")));
}

void box_do(struct box *box, json_t *request)
{
  json_t *reply = box_ask_with(box, NULL, 0, request);

  expect_ok(reply);
  json_decref(reply);
}

int box_connect(const struct box *box)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  assert_true(fd >= 0);
  (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", box->dir);
  if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
    return fd;
  (void)close(fd);
  return -1;
}

void box_create(struct box *box)
{
  json_t *reply = box_launch(box);

  expect_ok(reply);
  box->pid = (int)json_integer_value(json_object_get(reply, "pid"));
  assert_true(box->pid > 0);
  json_decref(reply);
}

void box_run(struct box *box)
{
  box_create(box);
  box_do(box, json_pack("{s:s}", "op", "start"));
}

/* ---- The end ------------------------------------------------------------------------------- */

void box_finish(struct box *box, int *ret_code, char reason[32])
{
  char path[192];
  json_t *json;
  int status = 0;

  assert_int_equal(zl_proc_wait(&box->shim, &status, NULL), 0);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_false(zl_lock_is_held(box->dir_fd, "lock"));
  (void)snprintf(path, sizeof(path), "%s/exit.json", box->dir);
  json = json_load_file(path, 0, NULL);
  assert_non_null(json);
  *ret_code = (int)json_integer_value(json_object_get(json, "exit_code"));
  (void)snprintf(reason, 32, "%s", json_string_value(json_object_get(json, "reason")));
  json_decref(json);
}

void box_end(struct box *box)
{
  char reason[32];
  int code;

  box_finish(box, &code, reason);
}

void box_await_output(const struct box *box)
{
  for (;;) {
    char *out = box_log(box, "stdout");
    bool some = *out != '\0';

    free(out);
    if (some)
      return;
    (void)usleep(2000);
  }
}

void box_expect(struct box *box, int code)
{
  char reason[32];
  int got;

  box_run(box);
  box_finish(box, &got, reason);
  if (got != code) {
    char *out = box_log(box, "stdout"), *error = box_log(box, "stderr");

    fail_msg("exit code %d instead of %d; stdout: %s; stderr: %s", got, code, out, error);
  }
}

char *read_all(int fd)
{
  struct zl_buf buf = ZL_BUF_INIT(16 << 20);
  ssize_t n;

  do {
    assert_int_equal(zl_buf_reserve(&buf, 65536, NULL), 0);
    n = read(fd, buf.data + buf.len, 65536);
    assert_true(n >= 0);
    buf.len += (size_t)n;
    buf.data[buf.len] = '\0';
  } while (n > 0);
  return zl_buf_steal(&buf);
}

char *read_text(const char *path)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  char *text;

  if (fd < 0)
    return NULL;
  text = read_all(fd);
  (void)close(fd);
  return text;
}

static void collect(const char *text, const char *stream, struct zl_buf *out)
{
  size_t prefix = strlen("2026-11-22T03:04:05.123456789Z ");

  while (*text != '\0') {
    const char *end = strchr(text, '\n');
    const char *body = text + prefix + strlen(stream) + 3;

    assert_non_null(end);
    assert_true((size_t)(end - text) >= prefix + 9);
    assert_true(text[prefix - 2] == 'Z' && text[10] == 'T');
    if (strncmp(text + prefix, stream, strlen(stream)) == 0) {
      char tag = text[prefix + strlen(stream) + 1];

      assert_true(tag == 'F' || tag == 'P');
      assert_int_equal(zl_buf_append(out, body, (size_t)(end - body) + (tag == 'F'), NULL), 0);
    }
    text = end + 1;
  }
}

char *box_log(const struct box *box, const char *stream)
{
  struct zl_buf out = ZL_BUF_INIT(32 << 20);

  for (int i = 9; i >= 0; i--) {
    char path[192], suffix[8] = "";
    char *text;

    if (i > 0)
      (void)snprintf(suffix, sizeof(suffix), ".%d", i);
    (void)snprintf(path, sizeof(path), "%s/log/container.log%s", box->dir, suffix);
    text = read_text(path);
    if (text != NULL)
      collect(text, stream, &out);
    free(text);
  }
  return zl_buf_steal(&out);
}

char *box_exec(struct box *box, const char *script, const char *user, int code)
{
  int out[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  json_t *process = json_pack("{s:[s,s,s], s:[s], s:s, s:b}", "args", "sh", "-c", script, "env",
                              "PATH=/bin", "cwd", "/", "noNewPrivileges", 1);
  json_t *reply;
  char *text;

  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  if (user != NULL)
    (void)json_object_set_new(process, "zlayerUser", json_string(user));
  reply = box_ask_with(box, (int[]){ null_fd, out[1], out[1] }, 3,
                       json_pack("{s:s, s:o}", "op", "exec", "process", process));
  (void)close(null_fd);
  (void)close(out[1]);
  expect_ok(reply);
  json_decref(reply);
  text = read_all(out[0]);
  (void)close(out[0]);
  reply = box_receive(box);
  assert_non_null(reply);
  assert_string_equal(json_string_value(json_object_get(reply, "event")), "exit");
  if (json_integer_value(json_object_get(json_object_get(reply, "exit"), "exit_code")) != code)
    fail_msg("exec '%s': %s", script, json_dumps(reply, 0));
  json_decref(reply);
  return text;
}

/* ---- Leftovers ----------------------------------------------------------------------------- */

static void assert_no_cgroup(const struct box *box)
{
  DIR *dir = opendir("/sys/fs/cgroup");
  struct dirent *e;

  assert_non_null(dir);
  while ((e = readdir(dir)) != NULL) {
    char path[512];

    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s", e->d_name, box->id);
    if (access(path, F_OK) == 0)
      fail_msg("cgroup '%s' was left behind", path);
  }
  (void)closedir(dir);
}

static void assert_no_mount(const struct box *box)
{
  char *mounts = read_text("/proc/self/mounts");

  assert_non_null(mounts);
  assert_null(strstr(mounts, box->id));
  assert_null(strstr(mounts, home));
  free(mounts);
}

static void forget(struct box *box)
{
  struct box **at = &live;

  while (*at != box)
    at = &(*at)->next;
  *at = box->next;
}

void box_free(struct box *box)
{
  for (size_t i = 0; i < box->n_fds; i++)
    (void)close(box->fds[i]);
  if (box->control >= 0)
    (void)close(box->control);
  zl_proc_kill(&box->shim);
  assert_true(faccessat(box->dir_fd, "control", F_OK, 0) < 0);
  assert_no_mount(box);
  assert_no_cgroup(box);
  assert_true(box->pid == 0 || kill(box->pid, 0) < 0);
  (void)close(box->dir_fd);
  assert_int_equal(zl_path_remove_tree(AT_FDCWD, box->dir), 0);
  json_decref(box->config);
  forget(box);
  free(box);
}
