/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines that wait for a container: ROOT/vm/pool/<name>, each with a helper that listens at
 * `control`. The lock `.claim` makes sure that only one client ever connects; the file `start` is
 * locked for the helper by whoever starts it, so that its directory is never without an owner.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/lock.h"
#include "base/path.h"
#include "base/rand.h"
#include "base/strv.h"
#include "runtime/bundle/bundle.h"
#include "runtime/shim/control.h"
#include "runtime/vm/helper.h"
#include "runtime/vm/vm_private.h"

#define CLAIM_PATIENCE ZL_NS_PER_S
#define FILL_PATIENCE  (10 * ZL_NS_PER_S)

int zl_vm_read_json(int dir_fd, const char *name, json_t **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  int r = zl_file_read(dir_fd, name, &text, err);

  return r < 0 ? r : zl_json_parse(text.data, text.len, name, ret, err);
}

bool zl_vm_is_owned(int dir_fd)
{
  return zl_lock_is_held(dir_fd, "lock") || zl_lock_is_held(dir_fd, "start");
}

int zl_vm_pool_each(struct zl_runtime *rt, zl_vm_pool_fn fn, void *ctx, struct zl_error *err)
{
  zl_autodir *dir = zl_dir_open(rt->root_fd, "vm/pool");
  struct dirent *e;
  int r = 0;

  if (dir == NULL)
    return errno == ENOENT ? 0 : zl_fail_errno(err, "reading directory 'vm/pool'");
  while (r == 0 && (e = readdir(dir)) != NULL) {
    zl_autofd one = -1;

    if (!zl_path_is_name(e->d_name, ZL_MAX_NAME))
      continue;
    one = zl_fd_open(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (one >= 0)
      r = fn(ctx, e->d_name, one,
             zl_vm_is_owned(one) && faccessat(one, "control", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
  }
  return r < 0 ? r : 0;
}

/* ---- Claiming ---- */

struct claim {
  const char *template; /* NULL: any */
  int fd;
};

/* Whether the machine was made from that template. */
static bool is_of_template(int dir_fd, const char *template)
{
  zl_autojson *json = NULL;
  const char *its;

  if (zl_vm_read_json(dir_fd, "machine.json", &json, NULL) < 0)
    return false;
  its = json_string_value(json_object_get(json, "template"));
  return its != NULL && strcmp(its, template) == 0;
}

/* The socket's name goes with the first connection: the helper accepts only that. */
static int try_claim(void *ctx, const char *name, int dir_fd, bool ready)
{
  struct claim *claim = ctx;

  (void)name;
  if (!ready || (claim->template != NULL && !is_of_template(dir_fd, claim->template)) ||
      zl_control_connect(dir_fd, &claim->fd, NULL) < 0)
    return 0;
  (void)unlinkat(dir_fd, "control", 0);
  (void)unlinkat(dir_fd, "machine.json", 0); /* or it would be taken for one that is coming */
  return 1;
}

int zl_vm_pool_claim(struct zl_runtime *rt, const char *template, int *ret_fd)
{
  struct claim claim = { .template = template, .fd = -1 };
  zl_autofd pool = zl_fd_open(rt->root_fd, "vm/pool", O_RDONLY | O_DIRECTORY, 0);
  zl_autofd lock = -1;

  if (pool < 0 || zl_lock_acquire(pool, ".claim", CLAIM_PATIENCE, &lock, NULL) < 0)
    return -ZL_E_NOT_FOUND;
  (void)zl_vm_pool_each(rt, try_claim, &claim, NULL);
  if (claim.fd < 0)
    return -ZL_E_NOT_FOUND;
  *ret_fd = claim.fd;
  return 0;
}

/* ---- Filling ---- */

unsigned zl_vm_pool_size(struct zl_runtime *rt, const struct zl_vm_settings *settings)
{
  zl_autofd vm = zl_fd_open(rt->root_fd, "vm", O_RDONLY | O_DIRECTORY, 0);
  zl_autojson *json = NULL;
  int64_t size = settings->pool;

  if (vm >= 0 && zl_vm_read_json(vm, "pool.json", &json, NULL) == 0)
    (void)zl_json_get_int(json, "pool.json", "size", 0, ZL_VM_MAX_POOL, size, &size, NULL);
  return (unsigned)size;
}

struct count {
  const char *template;
  unsigned there; /* wait, or are about to */
};

/* A machine of another template will never be claimed: it is called off, by claiming it and going.
 */
static int count_one(void *ctx, const char *name, int dir_fd, bool ready)
{
  struct count *count = ctx;
  struct claim claim = { .fd = -1 };
  bool coming = zl_lock_is_held(dir_fd, "start") &&
                faccessat(dir_fd, "machine.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0;

  if (ready && !is_of_template(dir_fd, count->template)) {
    (void)try_claim(&claim, name, dir_fd, ready);
    zl_fd_closep(&claim.fd);
    return 0;
  }
  count->there += ready || coming;
  return 0;
}

static int start_in(struct zl_shimclient *client, int dir_fd, const char *text,
                    struct zl_error *err)
{
  zl_autofd lock = -1;
  int r = zl_lock_acquire(dir_fd, "start", 0, &lock, err);

  if (r == 0)
    r = zl_bundle_write_text(dir_fd, "machine.json", text, 0600, err);
  return r < 0 ? r : zl_vm_helper_start(client, "pool", dir_fd, -1, lock, err);
}

static int start_one(struct zl_shimclient *client, int pool_fd, const char *text,
                     struct zl_error *err)
{
  char name[17];
  zl_autofd dir = -1;
  int r = zl_rand_hex(name, sizeof(name), err);

  if (r < 0)
    return r;
  if (mkdirat(pool_fd, name, 0700) < 0)
    return zl_fail_errno(err, "making directory 'vm/pool/%s'", name);
  dir = zl_fd_open(pool_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (dir < 0)
    return zl_fail(err, ZL_E_SYSTEM, -dir, "opening directory 'vm/pool/%s'", name);
  r = start_in(client, dir, text, err);
  if (r < 0)
    (void)zl_path_remove_tree(pool_fd, name);
  return r;
}

int zl_vm_pool_fill(struct zl_shimclient *client, const struct zl_vm_machine_plan *machine,
                    bool of_image, struct zl_error *err)
{
  struct zl_runtime *rt = client->base.rt;
  unsigned size = zl_vm_pool_size(rt, &machine->settings);
  zl_autofree char *template =
      of_image ? zl_vm_template_best(rt, machine) : zl_vm_template_path(rt, machine->key);
  zl_autofree char *text = NULL;
  struct zl_vm_machine_files files = { .template = template };
  struct count count = { .template = template };
  zl_autofd pool = -1, lock = -1;
  int r;

  if (size == 0 || template == NULL)
    return 0;
  if (of_image && strcmp(strrchr(template, '/') + 1, machine->image_key) == 0)
    files.image = machine->image;
  r = zl_vm_dir(rt, "pool", &pool, err);
  if (r == 0)
    r = zl_lock_acquire(pool, ".claim", FILL_PATIENCE, &lock, err);
  if (r == 0)
    r = zl_vm_pool_each(rt, count_one, &count, err);
  if (r == 0)
    r = zl_vm_machine_render(machine, &files, &text, err);
  for (; r == 0 && count.there < size; count.there++)
    r = start_one(client, pool, text, err);
  return r;
}

/* ---- Shrinking ---- */

struct shrink {
  unsigned keep;
};

/* One that is not ready yet looks for its machine.json when it listens, and goes when that is gone;
 * one that has just got ready is seen by its socket. */
static int shrink_one(void *ctx, const char *name, int dir_fd, bool ready)
{
  struct shrink *shrink = ctx;
  struct claim claim = { .fd = -1 };

  if (!zl_vm_is_owned(dir_fd))
    return 0;
  if (shrink->keep > 0) {
    shrink->keep--;
    return 0;
  }
  (void)unlinkat(dir_fd, "machine.json", 0);
  ready = faccessat(dir_fd, "control", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  (void)try_claim(&claim, name, dir_fd, ready);
  zl_fd_closep(&claim.fd);
  return 0;
}

int zl_vm_pool_shrink(struct zl_runtime *rt, unsigned size, struct zl_error *err)
{
  struct shrink shrink = { .keep = size };
  zl_autofd pool = -1, lock = -1;
  int r = zl_vm_dir(rt, "pool", &pool, err);

  if (r == 0)
    r = zl_lock_acquire(pool, ".claim", FILL_PATIENCE, &lock, err);
  return r < 0 ? r : zl_vm_pool_each(rt, shrink_one, &shrink, err);
}
