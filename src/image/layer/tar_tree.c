/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/erofs/link_map.h"
#include "image/layer/layer_path.h"
#include "image/layer/lower.h"

#define WHITEOUT ".wh."
#define OPAQUE   ".wh..wh..opq"

struct walk {
  struct zl_tar_writer to;
  struct zl_link_map links; /* index in `firsts`, + 1 */
  char **firsts;            /* first names of files with several */
  size_t n_firsts, room;
  struct zl_buf path; /* of the current object, no "/" in front */
};

static void walk_done(struct walk *w)
{
  zl_tar_writer_done(&w->to);
  zl_link_map_done(&w->links);
  for (size_t i = 0; i < w->n_firsts; i++)
    free(w->firsts[i]);
  free(w->firsts);
  zl_buf_done(&w->path);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static int push_name(struct walk *w, const char *prefix, const char *name, struct zl_error *err)
{
  return zl_buf_printf(&w->path, err, "%s%s%s", w->path.len > 0 ? "/" : "", prefix, name);
}

static void pop_name(struct walk *w, size_t len)
{
  w->path.len = len;
  if (w->path.data != NULL)
    w->path.data[len] = '\0';
}

static int keep_first(struct walk *w, uint32_t *seen, struct zl_error *err)
{
  if (w->n_firsts == w->room) {
    size_t room = w->room > 0 ? 2 * w->room : 64;
    char **firsts = realloc(w->firsts, room * sizeof(*firsts));

    if (firsts == NULL)
      return zl_fail_nomem(err, "hard links");
    w->firsts = firsts;
    w->room = room;
  }
  w->firsts[w->n_firsts] = strdup(w->path.data);
  if (w->firsts[w->n_firsts] == NULL)
    return zl_fail_nomem(err, "hard links");
  *seen = (uint32_t)++w->n_firsts;
  return 0;
}

/* ---- Entries --------------------------------------------------------------------------------- */

/* The mark is content: an empty file of this name, without attributes. */
static int put_mark(struct walk *w, const char *prefix, const char *name, struct zl_error *err)
{
  const size_t len = w->path.len;
  int r = push_name(w, prefix, name, err);
  const struct zl_layer_entry entry = { .type = ZL_LAYER_FILE, .path = w->path.data, .link = "" };

  if (r == 0)
    r = zl_tar_put_entry(&w->to, &entry, err);
  pop_name(w, len);
  return r;
}

static int put_link(struct walk *w, const struct stat *st, const char *first, struct zl_error *err)
{
  const struct zl_layer_entry entry = { .type = ZL_LAYER_HARDLINK,
                                        .path = w->path.data,
                                        .link = first,
                                        .mtime_s = st->st_mtim.tv_sec,
                                        .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
                                        .mode = st->st_mode & 07777,
                                        .uid = st->st_uid,
                                        .gid = st->st_gid };

  return zl_tar_put_entry(&w->to, &entry, err);
}

/* What is no directory, under w->path. */
static int put_node(struct walk *w, int fd, const struct stat *st, struct zl_error *err)
{
  uint32_t *seen = NULL;
  int r = st->st_nlink > 1 ? zl_link_map_find(&w->links, st, &seen, err) : 0;

  if (r == 0 && seen != NULL && *seen != 0)
    return put_link(w, st, w->firsts[*seen - 1], err);
  if (r == 0 && seen != NULL)
    r = keep_first(w, seen, err);
  return r < 0 ? r : zl_tar_put_object(&w->to, w->path.data, fd, st, err);
}

static int put_dir(struct walk *w, int fd, unsigned depth, struct zl_error *err);

/* A directory comes before its content, and what makes it opaque first of that. */
static int put_sub(struct walk *w, int dir, const char *name, int object, const struct stat *st,
                   unsigned depth, struct zl_error *err)
{
  zl_autofd fd = -1;
  char value = '\0';
  int r;

  if (depth >= ZL_MAX_LAYER_DEPTH)
    return zl_fail(err, ZL_E_LIMIT, 0, "more than %d directories in one another",
                   ZL_MAX_LAYER_DEPTH);
  fd = zl_path_open_in_root(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (fd < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -fd, "opening a directory of a layer");
    fd = -1;
    return r;
  }
  r = zl_buf_puts(&w->path, "/", err);
  if (r == 0)
    r = zl_tar_put_object(&w->to, w->path.data, object, st, err);
  if (r < 0)
    return r;
  pop_name(w, w->path.len - 1);
  if (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y')
    r = put_mark(w, "", OPAQUE, err);
  return r < 0 ? r : put_dir(w, fd, depth + 1, err);
}

static int put_named(struct walk *w, int dir, const char *name, unsigned depth,
                     struct zl_error *err)
{
  zl_autofd object = zl_path_open_in_root(dir, name, O_PATH | O_NOFOLLOW, 0);
  struct stat st;
  int r;

  if (object < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -object, "opening an object of a layer");
    object = -1;
    return r;
  }
  if (fstat(object, &st) < 0)
    return zl_fail_errno(err, "looking at an object of a layer");
  if (zl_is_whiteout(&st))
    return put_mark(w, WHITEOUT, name, err);
  if (zl_has_prefix(name, WHITEOUT))
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "in an archive it would be read as a whiteout");
  r = push_name(w, "", name, err);
  if (r < 0)
    return r;
  return S_ISDIR(st.st_mode) ? put_sub(w, dir, name, object, &st, depth, err)
                             : put_node(w, object, &st, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int n)
{
  for (int i = 0; i < n; i++)
    free(entries[i]);
  free(entries);
}

static int put_dir(struct walk *w, int fd, unsigned depth, struct zl_error *err)
{
  const size_t len = w->path.len;
  struct dirent **entries = NULL;
  int n = scandirat(fd, ".", &entries, NULL, by_name), r = 0;

  if (n < 0)
    return zl_fail_errno(err, "listing a directory of a layer");
  for (int i = 0; i < n && r == 0; i++) {
    const char *name = entries[i]->d_name;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
      continue;
    r = put_named(w, fd, name, depth, err);
    pop_name(w, len);
    if (r < 0)
      (void)zl_wrap(err, "%.100s", name);
  }
  free_entries(entries, n);
  return r;
}

int zl_tar_put_tree(int tree_fd, const struct zl_byte_sink *to, struct zl_error *err)
{
  ZL_CLEANUP(walk_done) struct walk w = { .path.max = ZL_LAYER_PATH + ZL_MAX_LAYER_NAME };
  zl_autofd fd = zl_path_open_in_root(tree_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  int r;

  if (fd < 0) {
    r = zl_fail(err, ZL_E_SYSTEM, -fd, "opening a layer");
    fd = -1;
    return r;
  }
  r = zl_tar_writer_init(&w.to, to, err);
  if (r == 0)
    r = put_dir(&w, fd, 0, err);
  return r < 0 ? r : zl_tar_put_end(&w.to, err);
}
