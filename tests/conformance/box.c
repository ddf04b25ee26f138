/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "image.h"
#include "leaks.h"

struct box box;

/* ---- The box
 * -------------------------------------------------------------------------------------- */

static void loopback_up(void)
{
  struct ifreq req = { .ifr_name = "lo" };
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  req.ifr_flags = IFF_UP;
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req) < 0)
    perror("bringing lo up");
  (void)close(fd);
}

static int link_helper(const char *dir, const char *variable, const char *name)
{
  const char *program = getenv(variable);
  char path[160];

  (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
  if (program == NULL || symlink(program, path) < 0) {
    (void)fprintf(stderr, "%s must name the helper program %s\n", variable, name);
    return -1;
  }
  return 0;
}

/* The helpers of the build tree lie in different directories. */
static int gather_helpers(void)
{
  char dir[128];

  (void)snprintf(dir, sizeof(dir), "%s/helpers", box.scratch);
  if (mkdir(dir, 0755) < 0 || link_helper(dir, "ZLAYER_SHIM", "zlayer-shim") < 0 ||
      link_helper(dir, "ZLAYER_UNPACK", "zlayer-unpack") < 0 ||
      (box.machines && link_helper(dir, "ZLAYER_SHIM_VM", "zlayer-shim-vm") < 0))
    return -1;
  return setenv("ZLAYER_HELPER_DIR", dir, 1);
}

/* With it there, no case starts its builder in the background. */
static int build_template(void)
{
  struct zl_error err = { 0 };

  if (!box.machines || zl_vm_template_build(box.rt, false, &err) == 0)
    return 0;
  (void)fprintf(stderr, "building the template: %s\n", err.msg);
  return -1;
}

static bool has_image_template(void *ctx)
{
  zl_autofree char *text = NULL;

  (void)ctx;
  return zl_vm_status(box.rt, &text, NULL) == 0 && strstr(text, "\"image\":\"") != NULL;
}

/* The first container has it made; the cases are to find it there. */
static int await_image_template(void)
{
  if (!box.machines || box_eventually(has_image_template, NULL))
    return 0;
  (void)fprintf(stderr, "no template of the image was made\n");
  return -1;
}

/* What the runtime opens at first use and keeps is no leak of the first case. */
static int warm_up(void)
{
  if (build_template() < 0 || box_setup(NULL) < 0)
    return -1;
  box_run("warm-up", ARGV("/bin/true"));
  (void)box_outcome("warm-up");
  OK(zl_remove(box.rt, box_id("warm-up"), false, &err));
  return await_image_template();
}

void box_describe(const char *backend)
{
  box.backend = backend;
  box.real = strcmp(backend, "fake") != 0;
  box.machines = strcmp(backend, "vm") == 0;
  box.isolation = box.machines ? ZL_ISOLATION_HYPERV : ZL_ISOLATION_PROCESS;
  (void)snprintf(box.program, sizeof(box.program), "/proc/self/exe");
}

int box_open(const char *backend)
{
  char layout[96];

  box_describe(backend);
  (void)snprintf(box.root, sizeof(box.root), "/tmp/zl-conf-root-XXXXXX");
  (void)snprintf(box.scratch, sizeof(box.scratch), "/tmp/zl-conf-XXXXXX");
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    perror("namespaces of the test");
    return -1;
  }
  loopback_up();
  if (mkdtemp(box.root) == NULL || mkdtemp(box.scratch) == NULL || gather_helpers() < 0)
    return -1;
  (void)snprintf(layout, sizeof(layout), "%s/image", box.scratch);
  image_make(layout);
  (void)snprintf(box.image, sizeof(box.image), "oci:%s", layout);
  box.rt = box_runtime();
  return warm_up();
}

void box_close(void)
{
  zl_runtime_close(box.rt);
  if (box.root[0] != '\0')
    (void)zl_path_remove_tree(AT_FDCWD, box.root);
  if (box.scratch[0] != '\0')
    (void)zl_path_remove_tree(AT_FDCWD, box.scratch);
}

bool box_is_clean(void)
{
  return leaks_end() == 0;
}

void box_hide_machines(bool hide)
{
  static char *own;
  const char *now = getenv("ZLAYER_GUEST_DIR");

  if (hide) {
    own = now != NULL ? strdup(now) : NULL;
    (void)setenv("ZLAYER_GUEST_DIR", "/nowhere", 1);
    return;
  }
  if (own != NULL)
    (void)setenv("ZLAYER_GUEST_DIR", own, 1);
  else
    (void)unsetenv("ZLAYER_GUEST_DIR");
  free(own);
  own = NULL;
}

/* ---- Fixtures
 * -------------------------------------------------------------------------------------- */

int box_setup(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  if (zl_pull_image(box.rt, box.image, NULL, NULL, &err) < 0) {
    (void)fprintf(stderr, "pulling '%s': %s\n", box.image, err.msg);
    return -1;
  }
  leaks_begin();
  return 0;
}

int box_teardown(void **state)
{
  struct zl_error err = { 0 };

  (void)state;
  /* A case that failed in the middle may have left containers that the database does not know. */
  if (zl_system_check(box.rt, true, NULL, NULL, NULL, &err) < 0)
    (void)fprintf(stderr, "checking: %s\n", err.msg);
  box_remove_all();
  return leaks_end();
}

/* ---- Deaths
 * ---------------------------------------------------------------------------------------- */

bool box_is_dead(int32_t pid)
{
  char path[48], text[256] = "";
  FILE *file;
  const char *state = NULL;

  (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
  file = pid > 0 ? fopen(path, "re") : NULL;
  if (file != NULL) {
    if (fread(text, 1, sizeof(text) - 1, file) == 0)
      text[0] = '\0';
    (void)fclose(file);
    state = strrchr(text, ')');
  }
  /* Gone, or waiting for whoever inherited it. */
  return state == NULL || strncmp(state, ") Z", 3) == 0;
}

static bool is_dead(void *ctx)
{
  return box_is_dead(*(int32_t *)ctx);
}

void box_kill_shim(const char *name)
{
  char wanted[160];
  DIR *dir = opendir("/proc");
  struct dirent *e;
  int32_t pid = 0;

  (void)snprintf(wanted, sizeof(wanted), "%s/containers/%s", box.root, box_id(name));
  while ((e = readdir(dir)) != NULL) {
    char path[300], target[256];
    ssize_t len;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/fd/3", e->d_name);
    len = readlink(path, target, sizeof(target) - 1);
    target[len > 0 ? len : 0] = '\0';
    if (strcmp(target, wanted) == 0 && strtol(e->d_name, NULL, 10) != getpid())
      pid = (int32_t)strtol(e->d_name, NULL, 10);
  }
  (void)closedir(dir);
  assert_true(pid > 0);
  assert_int_equal(kill(pid, SIGKILL), 0);
  assert_true(box_eventually(is_dead, &pid));
}

void box_strike(const struct zl_container_state *running)
{
  assert_true(running->pid > 0);
  assert_int_equal(kill(running->pid, SIGKILL), 0);
}
