/* SPDX-License-Identifier: Apache-2.0
 *
 * Images out of an archive. What cannot be read at any place (a pipe, a compressed file) is copied
 * into staging first, which the collector removes should this process die.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/image.h"
#include "image/layer/unpack.h"
#include "image/layer_store.h"
#include "image/local.h"
#include "image/store_internal.h"
#include "spec/imageref.h"

enum {
  PIECE = 256 << 10,
  MAGIC = 4
};

/* ---- The archive as a plain file ------------------------------------------------------------- */

struct copying {
  struct zl_image_store *store;
  const struct zl_load_options *options;
  struct zl_staging staging;
  struct zl_unpack *unpack; /* NULL: nothing to decompress */
  uint64_t done;
};

static bool is_compressed(const unsigned char magic[MAGIC])
{
  return (magic[0] == 0x1f && magic[1] == 0x8b) || memcmp(magic, "\x28\xb5\x2f\xfd", MAGIC) == 0;
}

static int start_decompression(struct copying *c, struct zl_error *err)
{
  const struct zl_unpack_options options = { .helper = c->store->helper,
                                             .staging_fd = c->staging.dir_fd,
                                             .image = true,
                                             .plain = true,
                                             .image_fd = c->staging.tree_fd,
                                             .compression = ZL_COMPRESSION_AUTO };

  return zl_unpack_start(&options, &c->unpack, err);
}

/* Containers have to go on working, so the last of the disk is not for archives. */
static int check_space(const struct copying *c, struct zl_error *err)
{
  struct statvfs disk;

  if (fstatvfs(c->staging.tree_fd, &disk) == 0 &&
      (uint64_t)disk.f_bavail * disk.f_frsize < ZL_LAYER_RESERVE)
    return zl_fail(err, ZL_E_LIMIT, ENOSPC, "the disk has less than the reserve of %llu MiB left",
                   (unsigned long long)(ZL_LAYER_RESERVE >> 20));
  if (c->done > ZL_MAX_LAYER_BYTES)
    return zl_fail(err, ZL_E_LIMIT, 0, "the archive has more than %llu bytes",
                   (unsigned long long)ZL_MAX_LAYER_BYTES);
  return 0;
}

static int tell_copied(const struct copying *c, struct zl_error *err)
{
  const struct zl_pull_progress progress = { .phase = ZL_PULL_RESOLVING, .done = c->done };
  const struct zl_load_options *o = c->options;

  if (o->progress == NULL || o->progress(o->payload, &progress) == 0)
    return 0;
  return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
}

static int put_piece(struct copying *c, const void *data, size_t len, struct zl_error *err)
{
  int r = check_space(c, err);

  if (r == 0)
    r = tell_copied(c, err);
  if (r < 0)
    return r;
  c->done += len;
  if (c->unpack != NULL)
    return zl_unpack_write(c->unpack, data, len, err);
  r = zl_fd_write_full(c->staging.tree_fd, data, len);
  return r < 0 ? zl_fail(err, ZL_E_SYSTEM, -r, "copying the archive") : 0;
}

static int copy_pieces(struct copying *c, int fd, char *piece, struct zl_error *err)
{
  ssize_t n = zl_fd_read_full(fd, piece, PIECE);
  int r = 0;

  if (n >= MAGIC && is_compressed((const unsigned char *)piece))
    r = start_decompression(c, err);
  while (r == 0 && n > 0) {
    r = put_piece(c, piece, (size_t)n, err);
    n = r == 0 ? zl_fd_read_full(fd, piece, PIECE) : n;
  }
  if (r == 0 && n < 0)
    r = zl_fail(err, ZL_E_SYSTEM, (int)-n, "reading the archive");
  return r;
}

static int copy_archive(struct copying *c, int fd, struct zl_error *err)
{
  ZL_CLEANUP(zl_unpack_result_done) struct zl_unpack_result result = { 0 };
  zl_autofree char *piece = malloc(PIECE);
  int r;

  if (piece == NULL)
    return zl_fail_nomem(err, "an archive");
  r = zl_staging_make(c->store->layers_fd, ZL_LAYER_KIND_EROFS, &c->staging, err);
  if (r == 0)
    r = copy_pieces(c, fd, piece, err);
  if (r == 0 && c->unpack != NULL)
    r = zl_unpack_finish(c->unpack, &result, err);
  zl_unpack_freep(&c->unpack);
  return r;
}

/* True for a file that can be read where it is. */
static bool is_plain_file(int fd)
{
  unsigned char magic[MAGIC] = { 0 };
  struct stat st;
  ssize_t n;

  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0)
    return false;
  n = pread(fd, magic, MAGIC, 0);
  (void)lseek(fd, 0, SEEK_SET); /* Windows' pread moves it */
  return n >= 0 && !is_compressed(magic);
}

/* ---- Names ----------------------------------------------------------------------------------- */

/* A layout's name may be a tag alone ("1.0"), which names nothing outside of it. */
static bool is_name(const char *text)
{
  return strpbrk(text, "/:") != NULL;
}

static int add_name(char ***names, const char *text, bool docker, struct zl_error *err)
{
  zl_auto_image_ref ref = { 0 };

  if (!docker && !is_name(text))
    return 0;
  if (zl_image_ref_parse(text, &ref, err) < 0 || ref.kind != ZL_IMAGE_REF_REGISTRY ||
      ref.digest != NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "the archive names an image '%.100s', which is no name",
                   text);
  return zl_strv_push(names, ref.canonical, err);
}

/* ---- Images ---------------------------------------------------------------------------------- */

static int report(const struct zl_load_options *o, char *const *names, const char *digest,
                  struct zl_error *err)
{
  struct zl_loaded_image image = { .digest = digest };
  size_t i = 0;

  do {
    image.name = names != NULL ? names[i] : NULL;
    if (o->loaded != NULL && o->loaded(o->payload, &image) != 0)
      return zl_fail(err, ZL_E_CANCELLED, 0, "cancelled");
  } while (names != NULL && names[i] != NULL && names[++i] != NULL);
  return 0;
}

static int load_one(struct zl_image_store *store, int fd, const struct zl_local_list *list,
                    size_t i, const struct zl_load_options *o, struct zl_error *err)
{
  const struct zl_pull_options pull = { .progress = o->progress, .payload = o->payload };
  struct zl_source *source = NULL;
  zl_autostrv names = NULL;
  char digest[ZL_DIGEST_TEXT];
  int r = 0;

  for (size_t k = 0; r == 0 && list->names[i] != NULL && list->names[i][k] != NULL; k++)
    r = add_name(&names, list->names[i][k], list->docker, err);
  if (r == 0)
    r = list->docker ? zl_docker_archive_open_at(fd, i, &source, err)
                     : zl_layout_open_at(fd, i, &source, err);
  if (r == 0)
    r = zl_image_pull_source(store, source, (const char *const *)names, &pull, digest, err);
  return r < 0 ? r : report(o, names, digest, err);
}

static int load_all(struct zl_image_store *store, int fd, const struct zl_load_options *o,
                    struct zl_error *err)
{
  ZL_CLEANUP(zl_local_list_done) struct zl_local_list list = { 0 };
  struct zl_error foreign = { 0 };
  size_t loaded = 0;
  int r = zl_local_list(fd, &list, err);

  for (size_t i = 0; r == 0 && i < list.n; i++) {
    r = load_one(store, fd, &list, i, o, err);
    loaded += r == 0;
    if (r == -ZL_E_WRONG_PLATFORM) {
      foreign = *err;
      r = 0;
    }
  }
  if (r < 0 || loaded > 0)
    return r;
  *err = foreign;
  return -(int)foreign.code;
}

static void copying_done(struct copying *c)
{
  zl_unpack_free(c->unpack);
  zl_staging_remove(c->store->layers_fd, &c->staging);
}

int zl_image_load(struct zl_image_store *store, int fd, const struct zl_load_options *options,
                  struct zl_error *err)
{
  static const struct zl_load_options defaults = { .progress = NULL };
  struct zl_error local = { 0 };
  ZL_CLEANUP(copying_done)
  struct copying c = { .store = store,
                       .options = options != NULL ? options : &defaults,
                       .staging = ZL_STAGING_INIT };
  int r = 0;

  err = err != NULL ? err : &local;
  if (!is_plain_file(fd)) {
    r = copy_archive(&c, fd, err);
    fd = c.staging.tree_fd;
  }
  if (r == 0)
    r = load_all(store, fd, c.options, err);
  return r < 0 ? zl_wrap(err, "loading images") : 0;
}
