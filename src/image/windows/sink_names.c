/* SPDX-License-Identifier: Apache-2.0
 *
 * Names: what stands where, what is hidden, and what has a second name.
 */
#include <stdlib.h>
#include <string.h>

#include "image/windows/sink_private.h"

/* ---- The way to a name ----------------------------------------------------------------------- */

/* 1: a directory of this layer; 0: the layer does not speak of it. */
static int check_directory(struct zl_sink_windows *s, const char *raw, size_t len,
                           struct zl_error *err)
{
  int64_t at = zl_win_seen_find(&s->seen, s->path.text, len);
  const struct zl_win_name *name;
  char quoted[ZL_LAYER_QUOTE], other[ZL_LAYER_QUOTE];

  if (at < 0)
    return 0;
  name = &s->seen.names[at];
  if (name->kind != ZL_WIN_IS_DIRECTORY)
    return zl_win_refuse(raw, "below what is no directory in this layer", err);
  if (strncmp(name->path, s->path.text, len) != 0)
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': its directory is written '%s' elsewhere",
                   zl_layer_quote(raw, quoted), zl_layer_quote(name->path, other));
  return 1;
}

/* Of the clone, of which nothing was seen. */
static int check_cloned(struct zl_sink_windows *s, const char *raw, size_t len,
                        struct zl_error *err)
{
  struct zl_win_basic basic = { 0 };
  char parent[ZL_LAYER_PATH];
  int r;

  if (!s->has_utility)
    return zl_win_refuse(raw, "part of a utility VM that the layer does not have", err);
  memcpy(parent, s->path.text, len);
  parent[len] = '\0';
  r = s->ops->stat(s->host, zl_win_at(ZL_WIN_LAYER, parent), &basic, err);
  if (r < 0 && r != -ZL_E_NOT_FOUND)
    return r;
  if (r < 0 || (basic.attributes & (ZL_WIN_DIRECTORY | ZL_WIN_REPARSE_POINT)) != ZL_WIN_DIRECTORY)
    return zl_win_refuse(raw, "its directory is neither in this layer nor below", err);
  return 0;
}

int zl__win_check_way(struct zl_sink_windows *s, const char *raw, struct zl_error *err)
{
  size_t len = zl_layer_path_parent(s->path.text);
  int r;

  if (len == 0)
    return 0;
  r = check_directory(s, raw, len, err);
  if (r != 0)
    return r < 0 ? r : 0;
  if (s->n_parents > 0 && s->path.part == ZL_WIN_UTILITY_FS)
    return check_cloned(s, raw, len, err);
  return zl_win_refuse(raw, "its directory has no entry before it", err);
}

/* ---- Taking names ---------------------------------------------------------------------------- */

/* A file may replace what its own layer hides: whiteouts speak of the layers below. A directory
 * may not, since what they have in it would come back. */
static int replace_gone(struct zl_win_name *name, const char *raw, enum zl_win_kind kind,
                        struct zl_error *err)
{
  if (kind == ZL_WIN_IS_DIRECTORY)
    return zl_win_refuse(raw, "a directory that the same layer hides", err);
  name->kind = kind;
  return 0;
}

int zl__win_take_name(struct zl_sink_windows *s, const char *raw, enum zl_win_kind kind,
                      size_t *ret_number, struct zl_error *err)
{
  int64_t at = zl_win_seen_find(&s->seen, s->path.text, strlen(s->path.text));
  char quoted[ZL_LAYER_QUOTE], other[ZL_LAYER_QUOTE];
  struct zl_win_name *name;

  if (at < 0)
    return zl_win_seen_add(&s->seen, s->path.text, kind, ret_number, err);
  name = &s->seen.names[at];
  if (name->kind != ZL_WIN_IS_GONE)
    return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': the layer has '%s' already",
                   zl_layer_quote(raw, quoted), zl_layer_quote(name->path, other));
  if (ret_number != NULL)
    *ret_number = (size_t)at;
  return replace_gone(name, raw, kind, err);
}

/* ---- Whiteouts ------------------------------------------------------------------------------- */

static int add_tombstone(struct zl_sink_windows *s, size_t number, struct zl_error *err)
{
  size_t *all = s->tombstones;

  if ((s->n_tombstones & (s->n_tombstones - 1)) == 0) {
    all = reallocarray(all, s->n_tombstones == 0 ? 1 : 2 * s->n_tombstones, sizeof(*all));
    if (all == NULL)
      return zl_fail_nomem(err, "whiteouts of a layer");
    s->tombstones = all;
  }
  all[s->n_tombstones++] = number;
  return 0;
}

/* Every directory on the way that the layer speaks of is one. */
static int check_hidden_way(struct zl_sink_windows *s, const char *raw, struct zl_error *err)
{
  for (const char *p = strchr(s->path.text, '/'); p != NULL; p = strchr(p + 1, '/')) {
    int r = check_directory(s, raw, (size_t)(p - s->path.text), err);

    if (r < 0)
      return r;
  }
  return 0;
}

/* At once: the clone is there already. */
static int hide_cloned(struct zl_sink_windows *s, const char *raw, struct zl_error *err)
{
  const struct zl_win_place at = zl_win_at(ZL_WIN_LAYER, s->path.text);
  struct zl_win_basic ignored;
  int r = zl__win_clone_utility(s, err);

  if (r == 0)
    r = s->ops->stat(s->host, at, &ignored, err);
  if (r == -ZL_E_NOT_FOUND)
    return zl_win_refuse(raw, "a whiteout of what no layer below has", err);
  return r < 0 ? r : zl__win_remove_tree(s, at, err);
}

int zl__win_hide(struct zl_sink_windows *s, const struct zl_layer_entry *e, struct zl_error *err)
{
  int64_t at = zl_win_seen_find(&s->seen, s->path.text, strlen(s->path.text));
  size_t number = 0;
  int r = check_hidden_way(s, e->path, err);

  if (r < 0)
    return r;
  if (s->n_parents == 0)
    return zl_win_refuse(e->path, "a whiteout in a base layer, which hides nothing", err);
  if (e->type != ZL_LAYER_FILE || e->size != 0)
    return zl_win_refuse(e->path, "a whiteout that is no empty file", err);
  if (at >= 0)
    return s->seen.names[at].kind == ZL_WIN_IS_DIRECTORY
               ? zl_win_refuse(e->path, "a whiteout of a directory that the same layer has", err)
               : 0;
  r = zl_win_seen_add(&s->seen, s->path.text, ZL_WIN_IS_GONE, &number, err);
  if (r < 0)
    return r;
  return s->path.part == ZL_WIN_FILES ? add_tombstone(s, number, err)
                                      : hide_cloned(s, e->path, err);
}

/* ---- Hard links ------------------------------------------------------------------------------ */

static int refuse_link(const struct zl_layer_entry *e, const char *why, struct zl_error *err)
{
  char quoted[ZL_LAYER_QUOTE], target[ZL_LAYER_QUOTE];

  return zl_fail(err, ZL_E_CORRUPT, 0, "'%s': hard link to '%s': %s",
                 zl_layer_quote(e->path, quoted), zl_layer_quote(e->link, target), why);
}

/* In a layer: 1 a file, 0 nothing. */
static int find_in(struct zl_sink_windows *s, int root, const struct zl_layer_entry *e,
                   struct zl_error *err)
{
  struct zl_win_basic basic = { 0 };
  struct zl_error why = { 0 };
  int r = s->ops->stat(s->host, zl_win_at(root, s->target.text), &basic, &why);

  if (r == -ZL_E_NOT_FOUND)
    return 0;
  if (r < 0) {
    if (err != NULL)
      *err = why;
    return r;
  }
  return (basic.attributes & ZL_WIN_DIRECTORY) != 0 ? refuse_link(e, "a directory", err) : 1;
}

/* Where the target is: this layer, what it was cloned from, or one below. */
static int find_target(struct zl_sink_windows *s, const struct zl_layer_entry *e, int *ret_root,
                       struct zl_error *err)
{
  int64_t at = zl_win_seen_find(&s->seen, s->target.text, strlen(s->target.text));
  int first = s->target.part == ZL_WIN_FILES ? 0 : ZL_WIN_LAYER;
  int last = s->target.part == ZL_WIN_FILES ? (int)s->n_parents - 1 : ZL_WIN_LAYER;
  int r = 0;

  *ret_root = ZL_WIN_LAYER;
  if (at >= 0) {
    enum zl_win_kind kind = s->seen.names[at].kind;

    if (kind == ZL_WIN_IS_GONE)
      return refuse_link(e, "hidden by this layer", err);
    return kind == ZL_WIN_IS_FILE || kind == ZL_WIN_IS_LINK ? 0
                                                            : refuse_link(e, "a directory", err);
  }
  for (int root = first; root <= last && s->n_parents > 0 && r == 0; root++) {
    r = find_in(s, root, e, err);
    if (r > 0)
      *ret_root = root;
  }
  if (r < 0)
    return r;
  return r > 0 ? 0 : refuse_link(e, "neither in the layer before it nor in one below", err);
}

/* The target as this layer writes it, or as the link does. */
static const char *target_text(const struct zl_sink_windows *s)
{
  int64_t at = zl_win_seen_find(&s->seen, s->target.text, strlen(s->target.text));

  return at >= 0 ? s->seen.names[at].path : s->target.text;
}

static int add_link(struct zl_sink_windows *s, size_t number, int root, const char *target,
                    struct zl_error *err)
{
  struct zl_win_pending_link *all = s->links;
  char *copy;

  if (strlen(target) > ZL_MAX_WINDOWS_TEXT - s->seen.text)
    return zl_fail(err, ZL_E_LIMIT, 0, "the hard links of the layer need too much memory");
  if ((s->n_links & (s->n_links - 1)) == 0) {
    all = reallocarray(all, s->n_links == 0 ? 1 : 2 * s->n_links, sizeof(*all));
    if (all == NULL)
      return zl_fail_nomem(err, "hard links of a layer");
    s->links = all;
  }
  copy = strdup(target);
  if (copy == NULL)
    return zl_fail_nomem(err, "hard links of a layer");
  s->seen.text += strlen(target);
  all[s->n_links++] = (struct zl_win_pending_link){ .name = number, .root = root, .target = copy };
  return 0;
}

int zl__win_link(struct zl_sink_windows *s, const struct zl_layer_entry *e, struct zl_error *err)
{
  size_t number = 0;
  int root = ZL_WIN_LAYER;
  int r = zl_win_path_read_target(e->link, e->path, &s->target, err);

  if (r == 0)
    r = find_target(s, e, &root, err);
  if (r == 0)
    r = zl__win_take_name(s, e->path, ZL_WIN_IS_FILE, &number, err);
  if (r < 0)
    return r;
  if (s->n_parents > 0)
    return add_link(s, number, root, target_text(s), err);
  return s->ops->link(s->host, zl_win_at(ZL_WIN_LAYER, target_text(s)),
                      zl_win_at(ZL_WIN_LAYER, s->path.text), err);
}
