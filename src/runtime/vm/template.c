/* SPDX-License-Identifier: Apache-2.0
 *
 * Templates: machines that have booted, as files (docs/microvm.md). One is made by the helper
 * program under the lock <key>.lock, which it inherits: the lock is free when it has ended, however
 * it ended.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"
#include "runtime/shim/control.h"
#include "runtime/vm/helper.h"
#include "runtime/vm/vm_private.h"

/* Booting takes a second, on a busy node some more; a machine that needs longer is broken. */
#define BUILD_PATIENCE (180 * ZL_NS_PER_S)

enum {
  LOCK_NAME = ZL_VM_KEY_TEXT + 8
};

static bool is_sealed(int templates_fd, const char *key)
{
  char path[ZL_VM_KEY_TEXT + 16];

  (void)snprintf(path, sizeof(path), "%.64s/template.json", key);
  return faccessat(templates_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* An empty directory for it with its machine.json; what a dead builder left is removed. */
static int make_directory(int templates_fd, const struct zl_vm_machine_plan *machine,
                          const struct zl_vm_template_plan *plan, int *ret_fd, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autofd fd = -1;
  struct zl_vm_machine_files files = { .image = plan->image, .habit = plan->habit };
  int r = zl_path_remove_tree(templates_fd, plan->key);

  if (r < 0)
    return zl_fail(err, ZL_E_SYSTEM, -r, "removing template '%s'", plan->key);
  r = zl_vm_machine_render(machine, &files, &text, err);
  if (r < 0)
    return r;
  if (mkdirat(templates_fd, plan->key, 0700) < 0)
    return zl_fail_errno(err, "making directory 'vm/templates/%s'", plan->key);
  fd = zl_fd_open(templates_fd, plan->key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -fd, "opening directory 'vm/templates/%s'", plan->key);
  r = zl_bundle_write_text(fd, "machine.json", text, 0600, err);
  if (r == 0)
    *ret_fd = zl_steal_fd(&fd);
  return r;
}

/* Under its lock, which goes on to the helper. */
static int start_builder(struct zl_shimclient *client, int templates_fd,
                         const struct zl_vm_machine_plan *machine,
                         const struct zl_vm_template_plan *plan, int lock_fd, int reply_fd,
                         struct zl_error *err)
{
  zl_autofd dir = -1;
  int r = make_directory(templates_fd, machine, plan, &dir, err);

  return r < 0 ? r : zl_vm_helper_start(client, "template", dir, reply_fd, lock_fd, err);
}

static void name_lock(const char *key, char name[LOCK_NAME])
{
  (void)snprintf(name, LOCK_NAME, "%.64s.lock", key);
}

/* ---- Of how many images ---- */

struct oldest {
  char key[ZL_VM_KEY_TEXT];
  struct timespec used;
  unsigned count;
};

static bool has_image(int dir_fd)
{
  zl_autojson *json = NULL;

  return zl_vm_read_json(dir_fd, "machine.json", &json, NULL) == 0 &&
         json_object_get(json, "image") != NULL;
}

static void look_at_age(struct oldest *oldest, int templates_fd, const char *key)
{
  zl_autofd dir = zl_fd_open(templates_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  struct stat st;

  if (dir < 0 || fstat(dir, &st) < 0 || !is_sealed(templates_fd, key) || !has_image(dir))
    return;
  if (oldest->count++ == 0 || st.st_mtim.tv_sec < oldest->used.tv_sec ||
      (st.st_mtim.tv_sec == oldest->used.tv_sec && st.st_mtim.tv_nsec < oldest->used.tv_nsec)) {
    oldest->used = st.st_mtim;
    (void)snprintf(oldest->key, sizeof(oldest->key), "%s", key);
  }
}

/* Each takes some 60 MiB of the disk: the one that was not used for the longest time makes room.
 * Machines that were cloned from it keep its files open. */
static void make_room(int templates_fd)
{
  zl_autodir *dir = zl_dir_open(templates_fd, ".");
  struct oldest oldest = { .count = 0 };
  char lock_name[LOCK_NAME];
  zl_autofd lock = -1;
  struct dirent *e;

  while (dir != NULL && (e = readdir(dir)) != NULL)
    if (strlen(e->d_name) == ZL_VM_KEY_TEXT - 1)
      look_at_age(&oldest, templates_fd, e->d_name);
  name_lock(oldest.key, lock_name);
  if (oldest.count < ZL_VM_MAX_IMAGE_TEMPLATES ||
      zl_lock_acquire(templates_fd, lock_name, 0, &lock, NULL) < 0)
    return;
  (void)zl_path_remove_tree(templates_fd, oldest.key);
  (void)unlinkat(templates_fd, lock_name, 0);
}

void zl_vm_template_used(const char *path)
{
  (void)utimensat(AT_FDCWD, path, NULL, 0);
}

/* ---- Making ---- */

struct zl_vm_template_plan zl_vm_template_of_any(const struct zl_vm_machine_plan *machine)
{
  return (struct zl_vm_template_plan){ .key = machine->key };
}

struct zl_vm_template_plan zl_vm_template_of_image(const struct zl_vm_machine_plan *machine,
                                                   const struct zl_vm_habit *habit)
{
  return (struct zl_vm_template_plan){ .key = machine->image_key,
                                       .image = machine->image,
                                       .habit = *habit };
}

int zl_vm_template_start(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                         const struct zl_vm_template_plan *plan, struct zl_error *err)
{
  char lock_name[LOCK_NAME];
  zl_autofd dir = -1, lock = -1;
  int r = zl_vm_dir(client->base.rt, "templates", &dir, err);

  if (r < 0 || is_sealed(dir, plan->key))
    return r;
  name_lock(plan->key, lock_name);
  r = zl_lock_acquire(dir, lock_name, 0, &lock, err);
  if (r == -ZL_E_CONFLICT || (r == 0 && is_sealed(dir, plan->key)))
    return 0;
  if (r == 0 && plan->image != NULL)
    make_room(dir);
  if (r == 0)
    r = start_builder(client, dir, machine, plan, lock, -1, err);
  if (r == 0)
    zl_vm_template_retire(client);
  return r;
}

/* The helper answers when it is done; its lock is given up by its end. */
static int await_builder(int fd, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = zl_control_receive(fd, zl_time_boot() + BUILD_PATIENCE, -1, &reply, NULL, err);

  if (r == -ZL_E_REMOTE)
    return zl_fail(err, ZL_E_INTERNAL, 0, "the helper ended while it made the template");
  return r;
}

/* A damaged one is none: whoever asks for it by name wants one that works. */
static bool is_intact(int templates_fd, const char *key)
{
  struct zl_vm_template files = ZL_VM_TEMPLATE_INIT;
  zl_autofd dir = zl_fd_open(templates_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  struct zl_error err = { 0 };
  int r;

  if (dir < 0) {
    (void)zl_steal_fd(&dir);
    return false;
  }
  r = zl_vm_template_open(dir, key, &files, &err);
  zl_vm_template_close(&files);
  if (r < 0 && r != -ZL_E_NOT_FOUND)
    zl_warning("%s; it is made anew", err.msg);
  return r == 0;
}

int zl_vm_template_make(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                        bool rebuild, struct zl_error *err)
{
  const struct zl_vm_template_plan plan = zl_vm_template_of_any(machine);
  char lock_name[LOCK_NAME];
  zl_autofd dir = -1, lock = -1, ours = -1, theirs = -1;
  int pair[2];
  int r = zl_vm_dir(client->base.rt, "templates", &dir, err);

  name_lock(machine->key, lock_name);
  if (r == 0)
    r = zl_lock_acquire(dir, lock_name, BUILD_PATIENCE, &lock, err);
  if (r < 0 || (!rebuild && is_intact(dir, machine->key)))
    return r;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return zl_fail_errno(err, "making a socket pair");
  ours = pair[0];
  theirs = pair[1];
  r = start_builder(client, dir, machine, &plan, lock, theirs, err);
  zl_fd_closep(&theirs);
  if (r == 0)
    r = await_builder(ours, err);
  if (r == 0 && !is_sealed(dir, machine->key))
    r = zl_fail(err, ZL_E_INTERNAL, 0, "the helper has made no template");
  if (r < 0)
    (void)zl_path_remove_tree(dir, machine->key);
  else
    zl_vm_template_retire(client);
  return r < 0 ? zl_context(r, err, "making the template") : 0;
}

/* ---- Retiring ---- */

/* The key that a machine like the template's has today. */
static bool is_current(int dir_fd, const char *key)
{
  zl_autojson *json = NULL;
  const char *accel;
  char now[ZL_VM_KEY_TEXT];
  struct zl_vm_shape shape = { 0 };

  if (zl_vm_read_json(dir_fd, "machine.json", &json, NULL) < 0)
    return false;
  shape.qemu = json_string_value(json_object_get(json, "qemu"));
  shape.kernel = json_string_value(json_object_get(json, "kernel"));
  shape.initrd = json_string_value(json_object_get(json, "initrd"));
  shape.scratch = json_string_value(json_object_get(json, "scratch"));
  shape.image = json_string_value(json_object_get(json, "image"));
  accel = json_string_value(json_object_get(json, "accel"));
  shape.memory_mib = (unsigned)json_integer_value(json_object_get(json, "memoryMiB"));
  shape.vcpus = (unsigned)json_integer_value(json_object_get(json, "vcpus"));
  shape.acpi = json_is_true(json_object_get(json, "acpi"));
  if (shape.qemu == NULL || shape.kernel == NULL || shape.initrd == NULL || shape.scratch == NULL ||
      accel == NULL)
    return false;
  shape.accel = strcmp(accel, zl_vm_accel_text(ZL_VM_KVM)) == 0 ? ZL_VM_KVM : ZL_VM_TCG;
  return zl_vm_shape_key(&shape, now, NULL) == 0 && strcmp(now, key) == 0;
}

struct users {
  struct zl_runtime *rt;
  const char *path; /* of the template */
  bool found;
};

static bool names_template(int dir_fd, const char *path)
{
  zl_autojson *json = NULL;
  const char *template;

  if (zl_vm_read_json(dir_fd, "machine.json", &json, NULL) < 0)
    return false;
  template = json_string_value(json_object_get(json, "template"));
  return template != NULL && strcmp(template, path) == 0;
}

static bool has_machine(struct zl_runtime *rt, const char *id)
{
  return zl_shimclient_has_file(rt, id, "machine.json");
}

static int look_at_container(void *ctx, const char *id)
{
  struct users *users = ctx;
  zl_autofd dir = -1;

  if (zl_node_container_dir(users->rt, id, &dir, NULL) == 0)
    users->found |= names_template(dir, users->path);
  return 0;
}

static int look_at_pooled(void *ctx, const char *name, int dir_fd, bool ready)
{
  struct users *users = ctx;

  (void)name;
  (void)ready;
  users->found |= names_template(dir_fd, users->path);
  return 0;
}

static bool has_users(struct zl_runtime *rt, const char *key)
{
  zl_autofree char *path = zl_asprintf("%s/vm/templates/%s", rt->root, key);
  struct users users = { .rt = rt, .path = path };

  return path == NULL || zl_shimclient_list(rt, has_machine, look_at_container, &users, NULL) < 0 ||
         zl_vm_pool_each(rt, look_at_pooled, &users, NULL) < 0 || users.found;
}

static void retire_one(struct zl_runtime *rt, int templates_fd, const char *key)
{
  char lock_name[LOCK_NAME];
  zl_autofd dir = zl_fd_open(templates_fd, key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  zl_autofd lock = -1;

  if (dir < 0 || is_current(dir, key) || has_users(rt, key))
    return;
  name_lock(key, lock_name);
  if (zl_lock_acquire(templates_fd, lock_name, 0, &lock, NULL) < 0)
    return; /* it is being made */
  (void)zl_path_remove_tree(templates_fd, key);
  (void)unlinkat(templates_fd, lock_name, 0);
}

void zl_vm_template_retire(struct zl_shimclient *client)
{
  struct zl_runtime *rt = client->base.rt;
  zl_autodir *dir = zl_dir_open(rt->root_fd, "vm/templates");
  struct dirent *e;

  while (dir != NULL && (e = readdir(dir)) != NULL)
    if (strlen(e->d_name) == ZL_VM_KEY_TEXT - 1)
      retire_one(rt, dirfd(dir), e->d_name);
}
