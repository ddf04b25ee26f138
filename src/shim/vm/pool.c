/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine that waits for its container: cloned, warmed, stopped. It costs memory and no time.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "shim/conn.h"
#include "shim/vm/machine.h"
#include "shim/vm/modes.h"
#include "shim/vm/patience.h"
#include "vmm/clone.h"

/* ---- Making it ----------------------------------------------------------------------------- */

/* Who waits for the machine learns that there is none, and the next one has a new template. */
static int clone_and_warm(struct vm_shim *vm, struct machine_files *files, struct zl_error *err)
{
  int r = machine_clone(vm, files, err);

  vm->scratch_fd = files->qemu.scratch_fd;
  if (r == 0)
    r = warm_clone(vm, err);
  if (r < 0 && r != -ZL_E_NOT_FOUND)
    machine_set_aside(vm);
  return r;
}

static int make(struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  struct machine_files files = { .qemu = QEMU_FILES_INIT, .dir_fd = dir_fd };
  zl_autofd image = -1;
  int r = machine_config_load(dir_fd, &vm->machine, err);

  if (r == 0 && vm->machine.template == NULL)
    r = zl_fail(err, ZL_E_INVALID, 0, "machine.json.template: missing");
  if (r == 0)
    r = warm_open_image(vm, &image, err);
  files.qemu.image_fd = image;
  if (r == 0)
    r = clone_and_warm(vm, &files, err);
  vm->is_awake = r == 0;
  return r;
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static int write_facts(const struct vm_shim *vm, int dir_fd, struct zl_error *err)
{
  zl_autojson *json = json_pack("{s:i, s:i, s:I}", "pid", (int)getpid(), "qemu_pid",
                                (int)vm->qemu.proc.pid, "ready_at_ns", (json_int_t)zl_time_wall());
  zl_autofree char *text = NULL;
  int r = json != NULL ? zl_json_render(json, &text, err) : zl_fail_nomem(err, "pool.json");

  return r < 0 ? r : zl_file_replace(dir_fd, "pool.json", text, strlen(text), 0600, false, err);
}

static int sleep_now(struct vm_shim *vm, struct zl_error *err)
{
  vm->is_awake = false;
  vm->qemu.stopping = true;
  return zl_vm_stop(&vm->qemu.qmp, patience_end(PATIENCE_MONITOR), err);
}

/* Whoever connects first has it. */
static int await_claim(struct vm_shim *vm, int *ret_fd, struct zl_error *err)
{
  struct pollfd fds[] = { { .fd = vm->shim.listen_fd, .events = POLLIN },
                          { .fd = vm->qemu.proc.pidfd, .events = POLLIN } };

  for (;;) {
    int n = poll(fds, ZL_COUNT(fds), vm->is_awake ? WARM_SETTLE_MS : -1), fd;

    if (n < 0 && errno != EINTR)
      return zl_fail_errno(err, "waiting for a container");
    if (n > 0 && fds[1].revents != 0)
      return zl_fail(err, ZL_E_REMOTE, 0, "the machine has ended");
    if (n == 0 && sleep_now(vm, err) < 0)
      return -(int)err->code;
    fd = n > 0 ? accept4(vm->shim.listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd >= 0) {
      *ret_fd = fd;
      return 0;
    }
  }
}

/* It was made in the background; now somebody waits for it. */
static void hurry(const struct vm_shim *vm)
{
  char path[48];
  zl_autodir *tasks = NULL;
  const struct dirent *e;

  (void)setpriority(PRIO_PROCESS, 0, 0);
  (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)vm->qemu.proc.pid);
  tasks = opendir(path);
  while (tasks != NULL && (e = readdir(tasks)) != NULL) {
    uint64_t tid;

    if (zl_parse_u64(e->d_name, INT32_MAX, &tid))
      (void)setpriority(PRIO_PROCESS, (id_t)tid, 0);
  }
}

/* The machine is no pooled one any more: its directory goes. */
static void leave_pool(int dir_fd)
{
  static const char *const names[] = { "pool.json", "machine.json", "start", "lock" };
  char link[ZL_FD_PATH], path[4096];
  ssize_t n = readlink(zl_path_of_fd(dir_fd, link), path, sizeof(path) - 1);
  const char *slash;

  for (size_t i = 0; i < ZL_COUNT(names); i++)
    (void)unlinkat(dir_fd, names[i], 0);
  path[n > 0 ? n : 0] = '\0';
  slash = strrchr(path, '/');
  if (slash != NULL) {
    zl_autofree char *up = zl_asprintf("../%s", slash + 1);

    if (up != NULL)
      (void)unlinkat(dir_fd, up, AT_REMOVEDIR);
  }
}

int mode_pool(struct vm_shim *vm, int dir_fd)
{
  struct zl_error err = { 0 };
  int client = -1;
  int r = loop_open(&vm->shim.loop, &err);

  if (r == 0)
    r = make(vm, dir_fd, &err);
  if (r == 0)
    r = write_facts(vm, dir_fd, &err);
  vm->shim.dir_fd = dir_fd; /* where the socket is made */
  if (r == 0)
    r = conn_listen(&vm->shim, &err);
  /* Whoever calls a machine off that does not listen yet takes this away. */
  if (r == 0 && faccessat(dir_fd, "machine.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    r = zl_fail(&err, ZL_E_CANCELLED, 0, "the machine is not wanted any more");
  if (r == 0)
    r = await_claim(vm, &client, &err);
  conn_unlisten(&vm->shim);
  vm->shim.dir_fd = -1;
  leave_pool(dir_fd);
  (void)close(dir_fd);
  if (r < 0) {
    zl_warning("%s", err.msg);
    machine_stop(vm);
    return EXIT_FAILURE;
  }
  hurry(vm);
  vm->pooled = true;
  /* While its client writes down what is to run; when this fails, the creation says so. */
  if (!vm->is_awake)
    vm->is_awake = zl_vm_continue(&vm->qemu.qmp, patience_end(PATIENCE_MONITOR), NULL) == 0;
  return shim_serve(&vm->shim, client);
}
