/* SPDX-License-Identifier: Apache-2.0
 *
 * Images' disks go when the last stored image and the last container with these layers go. A
 * container's row is written before its disk is made, so what no row needs has no future user.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/strv.h"
#include "runtime/vm/image.h"

#define SUFFIX ".erofs"

/* ---- What is needed ---- */

struct needed {
  char **keys;   /* of the disks */
  char **layers; /* of the manifest at hand, top first */
  char *digest;
};

static void needed_done(struct needed *needed)
{
  zl_strv_free(needed->keys);
  zl_strv_free(needed->layers);
  free(needed->digest);
}

static int finish_manifest(struct needed *needed, struct zl_error *err)
{
  char key[ZL_VM_IMAGE_KEY];
  int r = 0;

  if (needed->layers != NULL)
    r = zl_vm_image_key((const char *const *)needed->layers, key, err);
  if (r == 0 && needed->layers != NULL)
    r = zl_strv_push(&needed->keys, key, err);
  zl_strv_free(needed->layers);
  needed->layers = NULL;
  return r;
}

static int take_layer(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct needed *needed = ctx;
  const char *digest = zl_row_text(row, 0);
  int r = 0;

  if (needed->digest == NULL || strcmp(needed->digest, digest) != 0) {
    r = finish_manifest(needed, err);
    free(needed->digest);
    needed->digest = strdup(digest);
    if (r == 0 && needed->digest == NULL)
      r = zl_fail_nomem(err, "the list of images");
  }
  return r < 0 ? r : zl_strv_push(&needed->layers, zl_row_text(row, 1), err);
}

static int list_needed(struct zl_runtime *rt, struct needed *needed, struct zl_error *err)
{
  struct zl_store *store = NULL;
  int r = zl_node_store(rt, &store, err);

  if (r == 0)
    r = zl_store_query(store, take_layer, needed, err,
                       "SELECT digest, key FROM manifest_layers WHERE digest IN"
                       " (SELECT digest FROM images UNION SELECT image_digest FROM containers)"
                       " ORDER BY digest, position DESC",
                       "");
  return r < 0 ? r : finish_manifest(needed, err);
}

/* ---- What is there ---- */

struct sweep {
  struct zl_runtime *rt;
  int images_fd;
  bool dry_run;
  size_t count;
  uint64_t bytes;
};

/* Again under the lock: a container may have come to need it since. */
static int remove_disk(struct sweep *s, const char *name, const char *key, struct zl_error *err)
{
  struct needed needed = { 0 };
  char lock_name[ZL_VM_IMAGE_KEY + 8];
  struct stat st = { 0 };
  zl_autofd lock = -1;
  int r;

  (void)snprintf(lock_name, sizeof(lock_name), "lock-%.64s", key);
  if (zl_lock_acquire(s->images_fd, lock_name, 0, &lock, NULL) < 0)
    return 0;
  r = list_needed(s->rt, &needed, err);
  /* A half-made one is nobody's as soon as its lock is free. */
  if (r == 0 && (zl_has_prefix(name, "tmp-") || !zl_strv_contains(needed.keys, key))) {
    (void)fstatat(s->images_fd, name, &st, AT_SYMLINK_NOFOLLOW);
    if (!s->dry_run && unlinkat(s->images_fd, name, 0) < 0 && errno != ENOENT)
      r = zl_fail_errno(err, "removing '%s'", name);
    s->count++;
    s->bytes += (uint64_t)st.st_blocks * 512;
  }
  if (!s->dry_run || faccessat(s->images_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    (void)unlinkat(s->images_fd, lock_name, 0);
  needed_done(&needed);
  return r;
}

static int sweep_entry(struct sweep *s, const struct needed *needed, const char *name,
                       struct zl_error *err)
{
  size_t len = strlen(name);
  char key[ZL_VM_IMAGE_KEY] = "";

  if (zl_has_prefix(name, "tmp-") && len == strlen("tmp-") + ZL_VM_IMAGE_KEY - 1)
    memcpy(key, name + strlen("tmp-"), ZL_VM_IMAGE_KEY - 1);
  else if (len == ZL_VM_IMAGE_KEY - 1 + strlen(SUFFIX) &&
           strcmp(name + ZL_VM_IMAGE_KEY - 1, SUFFIX) == 0)
    memcpy(key, name, ZL_VM_IMAGE_KEY - 1);
  if (*key == '\0' || (zl_strv_contains(needed->keys, key) && !zl_has_prefix(name, "tmp-")))
    return 0;
  return remove_disk(s, name, key, err);
}

int zl_vm_image_collect(struct zl_runtime *rt, int images_fd, bool dry_run, size_t *ret_count,
                        uint64_t *ret_bytes, struct zl_error *err)
{
  struct sweep s = { .rt = rt, .images_fd = images_fd, .dry_run = dry_run };
  zl_autodir *dir = zl_dir_open(images_fd, ".");
  ZL_CLEANUP(needed_done) struct needed needed = { 0 };
  struct dirent *e;
  int r = dir != NULL ? list_needed(rt, &needed, err)
                      : zl_fail_errno(err, "reading directory 'vm/images'");

  while (r == 0 && (e = readdir(dir)) != NULL)
    r = sweep_entry(&s, &needed, e->d_name, err);
  if (r < 0)
    return r;
  *ret_count = s.count;
  *ret_bytes = s.bytes;
  return 0;
}
