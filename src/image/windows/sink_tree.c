/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole trees: the utility VM of the layer below, and what is removed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "image/windows/sink_private.h"
#include "image/windows/text.h"

static const char utility_fs[] = "UtilityVM/Files";

/* ---- Boot configuration ---------------------------------------------------------------------- */

const char *zl__win_backup_name(const char *path)
{
  static const struct {
    const char *path, *name;
  } mutated[] = { { "UtilityVM/Files/EFI/Microsoft/Boot/BCD", "bcd.bak" },
                  { "UtilityVM/Files/EFI/Microsoft/Boot/BCD.LOG", "bcd.log.bak" },
                  { "UtilityVM/Files/EFI/Microsoft/Boot/BCD.LOG1", "bcd.log1.bak" },
                  { "UtilityVM/Files/EFI/Microsoft/Boot/BCD.LOG2", "bcd.log2.bak" } };

  for (size_t i = 0; i < ZL_COUNT(mutated); i++)
    if (zl_win_text_equal(path, strlen(path), mutated[i].path, strlen(mutated[i].path)))
      return mutated[i].name;
  return NULL;
}

/* ---- Walking --------------------------------------------------------------------------------- */

/* What a directory has, before anything in it is touched. */
struct child {
  char *name;
  uint32_t attributes;
};
struct children {
  struct child *list;
  size_t n, text;
};

static void children_done(struct children *c)
{
  for (size_t i = 0; i < c->n; i++)
    free(c->list[i].name);
  free(c->list);
}

static int add_child(void *ctx, const char *name, uint32_t attributes, struct zl_error *err)
{
  struct children *c = ctx;
  struct child *list = c->list;
  const char *fault = zl_win_name_fault(name, strlen(name));

  if (strlen(name) > ZL_MAX_WINDOWS_LISTING - c->text)
    return zl_fail(err, ZL_E_LIMIT, 0, "a directory with too many names");
  if (fault != NULL && strchr(name, '/') != NULL)
    return zl_fail(err, ZL_E_CORRUPT, 0, "a directory with %s", fault);
  if ((c->n & (c->n - 1)) == 0) {
    list = reallocarray(list, c->n == 0 ? 1 : 2 * c->n, sizeof(*list));
    if (list == NULL)
      return zl_fail_nomem(err, "a directory of a layer");
    c->list = list;
  }
  list[c->n] = (struct child){ .name = strdup(name), .attributes = attributes };
  if (list[c->n].name == NULL)
    return zl_fail_nomem(err, "a directory of a layer");
  c->n++;
  c->text += strlen(name);
  return 0;
}

struct walk {
  struct zl_sink_windows *sink;
  struct zl_buf path;
  int root;
  size_t depth;
  /* Of one that is there, before and after those in it; w->path has its name. */
  int (*before)(struct walk *w, uint32_t attributes, struct zl_error *err);
  int (*after)(struct walk *w, uint32_t attributes, struct zl_error *err);
};

static bool is_directory(uint32_t attributes)
{
  return (attributes & (ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT)) == ZL_WIN_DIRECTORY;
}

static int walk_one(struct walk *w, uint32_t attributes, struct zl_error *err);

static int walk_children(struct walk *w, struct zl_error *err)
{
  ZL_CLEANUP(children_done) struct children all = { 0 };
  const size_t len = w->path.len;
  int r = w->sink->ops->list(w->sink->host, zl_win_at(w->root, w->path.data), add_child, &all, err);

  for (size_t i = 0; i < all.n && r == 0; i++) {
    r = zl_buf_printf(&w->path, err, "/%s", all.list[i].name);
    if (r == 0)
      r = walk_one(w, all.list[i].attributes, err);
    w->path.len = len;
    w->path.data[len] = '\0';
  }
  return r;
}

static int walk_one(struct walk *w, uint32_t attributes, struct zl_error *err)
{
  int r = w->before != NULL ? w->before(w, attributes, err) : 0;

  if (r == 0 && is_directory(attributes)) {
    if (++w->depth > ZL_MAX_LAYER_DEPTH)
      return zl_win_refuse(w->path.data, "too many directories in each other", err);
    r = walk_children(w, err);
    w->depth--;
  }
  return r == 0 && w->after != NULL ? w->after(w, attributes, err) : r;
}

/* ---- Removing -------------------------------------------------------------------------------- */

static int remove_one(struct walk *w, uint32_t attributes, struct zl_error *err)
{
  (void)attributes;
  return w->sink->ops->remove(w->sink->host, zl_win_at(w->root, w->path.data), err);
}

int zl__win_remove_tree(struct zl_sink_windows *s, struct zl_win_place at, struct zl_error *err)
{
  zl_autobuf path = ZL_BUF_INIT(ZL_LAYER_PATH);
  struct walk w = { .sink = s, .root = at.root, .after = remove_one };
  struct zl_win_basic basic = { 0 };
  struct zl_error why = { 0 };
  int r = s->ops->stat(s->host, at, &basic, &why);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r < 0 && err != NULL)
    *err = why;
  if (r == 0)
    r = zl_buf_puts(&path, at.path, err);
  if (r < 0)
    return r;
  w.path = path;
  path = (struct zl_buf)ZL_BUF_INIT(0);
  r = walk_one(&w, basic.attributes, err);
  zl_buf_done(&w.path);
  return r;
}

/* ---- Cloning --------------------------------------------------------------------------------- */

static int clone_one(struct walk *w, uint32_t attributes, struct zl_error *err)
{
  const struct zl_win_host_ops *ops = w->sink->ops;
  const struct zl_win_place from = zl_win_at(w->root, w->path.data);
  const struct zl_win_place to = zl_win_at(ZL_WIN_LAYER, w->path.data);

  if ((attributes & (ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT)) != 0 ||
      zl__win_backup_name(w->path.data) != NULL)
    return ops->copy(w->sink->host, from, to, err);
  return ops->link(w->sink->host, from, to, err);
}

static int clone_times(struct walk *w, uint32_t attributes, struct zl_error *err)
{
  const struct zl_win_host_ops *ops = w->sink->ops;
  struct zl_win_basic basic = { 0 };
  struct zl_win_file *file = NULL;
  int r, closed;

  if (!is_directory(attributes))
    return 0;
  r = ops->stat(w->sink->host, zl_win_at(w->root, w->path.data), &basic, err);
  if (r == 0)
    r = ops->open(w->sink->host, zl_win_at(ZL_WIN_LAYER, w->path.data), ZL_WIN_OLD_DIRECTORY, false,
                  &file, err);
  if (r < 0)
    return r;
  r = ops->set_basic(file, &basic, err);
  closed = ops->close(file, r < 0 ? NULL : err);
  return r < 0 ? r : closed;
}

static int clone(struct zl_sink_windows *s, struct zl_error *err)
{
  struct walk w = { .sink = s,
                    .root = 0,
                    .path = ZL_BUF_INIT(ZL_LAYER_PATH),
                    .before = clone_one,
                    .after = clone_times };
  struct zl_win_basic basic = { 0 };
  int r = s->ops->stat(s->host, zl_win_at(0, utility_fs), &basic, err);

  if (r == 0 && !is_directory(basic.attributes))
    r = zl_win_refuse(utility_fs, "no directory in the layer below", err);
  if (r == 0)
    r = zl_buf_puts(&w.path, utility_fs, err);
  if (r == 0)
    r = walk_one(&w, basic.attributes, err);
  zl_buf_done(&w.path);
  return r < 0 ? zl_wrap(err, "the utility VM of the layer below") : 0;
}

int zl__win_clone_utility(struct zl_sink_windows *s, struct zl_error *err)
{
  struct zl_win_file *made = NULL;
  int r;

  if (s->has_utility)
    return 0;
  r = s->ops->open(s->host, zl_win_at(ZL_WIN_LAYER, "UtilityVM"), ZL_WIN_NEW_DIRECTORY, false,
                   &made, err);
  if (r == 0)
    r = s->ops->close(made, err);
  if (r == 0)
    r = clone(s, err);
  s->has_utility = r == 0;
  return r;
}
