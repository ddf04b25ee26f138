/* SPDX-License-Identifier: Apache-2.0
 *
 * What people and programs are told about machines; the public functions zl_vm_….
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/vm/vm_private.h"

#define POOL_PATIENCE (120 * ZL_NS_PER_S)

enum {
  LOOK_AGAIN_MS = 20
};

/* ---- One container ---- */

int zl_vm_inspect(struct zl_backend *backend, const char *id, struct json_t *to,
                  struct zl_error *err)
{
  zl_autojson *machine = NULL, *state = NULL;
  zl_autofd dir = -1;
  json_t *json;
  int r = zl_node_container_dir(backend->rt, id, &dir, err);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r < 0 || zl_vm_read_json(dir, "machine.json", &machine, NULL) < 0)
    return r;
  (void)zl_vm_read_json(dir, "state.json", &state, NULL);
  json = json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?}", "tier",
                   json_object_get(state, "tier"), "memoryMiB",
                   json_object_get(machine, "memoryMiB"), "vcpus",
                   json_object_get(machine, "vcpus"), "accel", json_object_get(machine, "accel"),
                   "kernel", json_object_get(machine, "kernel"), "image",
                   json_object_get(machine, "image"), "qemuPid", json_object_get(state, "pid"));
  return json_object_set_new(to, "machine", json) < 0 ? zl_fail_nomem(err, "machine") : 0;
}

/* ---- Templates ---- */

static json_t *template_of(int templates_fd, const char *key)
{
  zl_autojson *machine = NULL;
  uint64_t bytes = 0, files = 0;
  zl_autofd dir = zl_fd_open(templates_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

  if (dir < 0 || faccessat(dir, "template.json", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    return NULL;
  (void)zl_vm_read_json(dir, "machine.json", &machine, NULL);
  (void)zl_path_tree_usage(templates_fd, key, &bytes, &files);
  return json_pack("{s:s, s:I, s:O?, s:O?, s:O?, s:O?, s:O?}", "key", key, "bytes",
                   (json_int_t)bytes, "image", json_object_get(machine, "image"), "memoryMiB",
                   json_object_get(machine, "memoryMiB"), "vcpus",
                   json_object_get(machine, "vcpus"), "accel", json_object_get(machine, "accel"),
                   "kernel", json_object_get(machine, "kernel"));
}

static json_t *list_templates(struct zl_runtime *rt)
{
  zl_autodir *dir = zl_dir_open(rt->root_fd, "vm/templates");
  json_t *list = json_array(), *item;
  struct dirent *e;

  while (dir != NULL && (e = readdir(dir)) != NULL)
    if (strlen(e->d_name) == ZL_VM_KEY_TEXT - 1 &&
        (item = template_of(dirfd(dir), e->d_name)) != NULL)
      (void)json_array_append_new(list, item);
  return list;
}

/* ---- The pool ---- */

/* The share of the process's memory that is its own, in KiB; 0: not known. */
static uint64_t read_pss(int64_t pid)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char path[48];
  const char *line;

  (void)snprintf(path, sizeof(path), "/proc/%lld/smaps_rollup", (long long)pid);
  if (pid <= 0 || zl_file_read(AT_FDCWD, path, &text, NULL) < 0 || text.data == NULL)
    return 0;
  line = strstr(text.data, "\nPss:");
  return line != NULL ? strtoull(line + strlen("\nPss:"), NULL, 10) : 0;
}

static int add_machine(void *ctx, const char *name, int dir_fd, bool ready)
{
  zl_autojson *facts = NULL;
  int64_t pid;

  (void)zl_vm_read_json(dir_fd, "pool.json", &facts, NULL);
  pid = json_integer_value(json_object_get(facts, "qemu_pid"));
  if (ready)
    (void)json_array_append_new(ctx,
                                json_pack("{s:s, s:I, s:I}", "name", name, "qemuPid",
                                          (json_int_t)pid, "pssKiB", (json_int_t)read_pss(pid)));
  return 0;
}

static int count_ready(void *ctx, const char *name, int dir_fd, bool ready)
{
  unsigned *count = ctx;

  (void)name;
  (void)dir_fd;
  *count += ready;
  return 0;
}

static int count_owned(void *ctx, const char *name, int dir_fd, bool ready)
{
  unsigned *count = ctx;

  (void)name;
  *count += ready || zl_lock_is_held(dir_fd, "start");
  return 0;
}

/* ---- The node ---- */

/* Facts are told also on a node that cannot make machines: what is missing is one of them. */
static int describe(struct zl_shimclient *client, json_t **ret, struct zl_error *err)
{
  struct zl_runtime *rt = client->base.rt;
  zl_automachine machine = { 0 };
  struct zl_accel accel = { 0 };
  struct zl_error why = { 0 };
  zl_autofd vm = -1;
  unsigned ready = 0;
  int r = zl_vm_machine_look(rt, &machine, &why);

  if (r < 0) {
    *ret = json_pack("{s:n, s:s}", "accel", "missing", why.msg);
    return *ret != NULL ? 0 : zl_fail_nomem(err, "node facts");
  }
  r = zl_vm_dir(rt, "", &vm, err);
  if (r == 0)
    r = zl_vm_pool_each(rt, count_ready, &ready, err);
  if (r < 0)
    return r;
  r = zl_vm_machine_accel(client, vm, &accel, &why);
  *ret = json_pack("{s:s?, s:s, s:s, s:s, s:s, s:{s:i, s:i}}", "accel",
                   r == 0 ? zl_vm_accel_text(accel.accel) : NULL, "kvm",
                   r == 0 ? accel.kvm : why.msg, "kernel", machine.guest.name, "kernelVersion",
                   machine.guest.version, "qemu", machine.qemu, "pool", "size",
                   (int)zl_vm_pool_size(rt, &machine.settings), "ready", (int)ready);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "node facts");
}

int zl_vm_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err)
{
  zl_autojson *vm = NULL, *templates = NULL;
  int r = describe((struct zl_shimclient *)backend, &vm, err);

  if (r < 0)
    return r;
  templates = list_templates(backend->rt);
  if (json_object_set_new(vm, "templates", json_integer((json_int_t)json_array_size(templates))) <
          0 ||
      json_object_set(to, "vm", vm) < 0)
    return zl_fail_nomem(err, "node facts");
  return 0;
}

static int get_client(struct zl_runtime *rt, struct zl_shimclient **ret, struct zl_error *err)
{
  struct zl_backend *backend = NULL;
  int r = zl_backend_get(rt, zl_vm_ops.name, &backend, err);

  *ret = (struct zl_shimclient *)backend;
  return r;
}

/* How the next container of the default shape would start. */
static json_t *tiers_of(json_t *vm, size_t templates)
{
  json_t *pool = json_object_get(vm, "pool");
  json_t *list = json_array();

  if (json_integer_value(json_object_get(pool, "ready")) > 0)
    (void)json_array_append_new(list, json_string("pool"));
  if (templates > 0)
    (void)json_array_append_new(list, json_string("clone"));
  if (pool != NULL)
    (void)json_array_append_new(list, json_string("boot"));
  return list;
}

int zl_vm_status(struct zl_runtime *rt, char **ret_json, struct zl_error *err)
{
  struct zl_shimclient *client = NULL;
  zl_autojson *vm = NULL, *templates = NULL, *machines = json_array();
  int r = get_client(rt, &client, err);

  if (r == 0)
    r = describe(client, &vm, err);
  if (r == 0)
    r = zl_vm_pool_each(rt, add_machine, machines, err);
  if (r < 0)
    return r;
  templates = list_templates(rt);
  if (json_object_get(vm, "pool") != NULL)
    (void)json_object_set(json_object_get(vm, "pool"), "machines", machines);
  if (json_object_set_new(vm, "tiers", tiers_of(vm, json_array_size(templates))) < 0 ||
      json_object_set(vm, "templates", templates) < 0)
    return zl_fail_nomem(err, "status");
  return zl_json_render(vm, ret_json, err);
}

int zl_vm_template_build(struct zl_runtime *rt, bool rebuild, struct zl_error *err)
{
  struct zl_shimclient *client = NULL;
  zl_automachine machine = { 0 };
  int r = get_client(rt, &client, err);

  if (r == 0)
    r = zl_vm_machine_plan(client, NULL, &machine, err);
  if (r == 0 && !machine.may_clone)
    r = zl_fail(err, ZL_E_CONFLICT, 0, "config.yaml: vm.template is off");
  return r < 0 ? r : zl_vm_template_make(client, &machine, rebuild, err);
}

static int write_size(struct zl_runtime *rt, unsigned size, struct zl_error *err)
{
  char text[32];
  zl_autofd vm = -1;
  int r = zl_vm_dir(rt, "", &vm, err);

  (void)snprintf(text, sizeof(text), "{\"size\":%u}", size);
  return r < 0 ? r : zl_file_replace(vm, "pool.json", text, strlen(text), 0600, true, err);
}

/* A machine that is ready listens, one that failed is owned by nobody any more. */
static int await_pool(struct zl_runtime *rt, unsigned size, struct zl_error *err)
{
  uint64_t deadline = zl_time_boot() + POOL_PATIENCE;
  struct timespec again = { .tv_nsec = LOOK_AGAIN_MS * (long)ZL_NS_PER_MS };

  for (;;) {
    unsigned ready = 0, owned = 0;
    int r = zl_vm_pool_each(rt, count_ready, &ready, err);

    if (r == 0)
      r = zl_vm_pool_each(rt, count_owned, &owned, err);
    if (r < 0 || ready >= size)
      return r;
    if (owned < size)
      return zl_fail(err, ZL_E_INTERNAL, 0, "%u of %u machines could not be made", size - owned,
                     size);
    if (zl_time_boot() >= deadline)
      return zl_fail(err, ZL_E_TIMEOUT, 0, "%u of %u machines are ready", ready, size);
    (void)nanosleep(&again, NULL);
  }
}

int zl_vm_pool_resize(struct zl_runtime *rt, unsigned size, bool wait, struct zl_error *err)
{
  struct zl_shimclient *client = NULL;
  zl_automachine machine = { 0 };
  char image[ZL_VM_KEY_TEXT];
  int r = get_client(rt, &client, err);

  if (r == 0 && size > ZL_VM_MAX_POOL)
    r = zl_fail(err, ZL_E_LIMIT, 0, "a pool has at most %d machines", ZL_VM_MAX_POOL);
  if (r == 0 && size > 0)
    r = zl_vm_machine_plan(client, NULL, &machine, err);
  if (r == 0 && size > 0 && !machine.may_clone)
    r = zl_fail(err, ZL_E_CONFLICT, 0, "config.yaml: vm.template is off, and a pool needs one");
  if (r == 0)
    r = write_size(rt, size, err);
  if (r == 0)
    r = zl_vm_pool_shrink(rt, size, err);
  if (r < 0 || size == 0)
    return r;
  r = zl_vm_template_make(client, &machine, false, err);
  if (r == 0 && zl_vm_recent_expected(rt, image))
    r = zl_vm_machine_of_image(rt, image, &machine, err);
  if (r == 0)
    r = zl_vm_pool_fill(client, &machine, machine.image_key[0] != '\0', err);
  return r < 0 || !wait ? r : await_pool(rt, size, err);
}
