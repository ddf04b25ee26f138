/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done when all entries are there. The order is Windows': what a layer with others below it
 * removes and links exists only once it is imported, and directories get their times when nothing
 * in them changes any more.
 */
#include <string.h>

#include "image/windows/sink_private.h"

static int bury(struct zl_sink_windows *s, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < s->n_tombstones && r == 0; i++) {
    const struct zl_win_name *name = &s->seen.names[s->tombstones[i]];

    if (name->kind == ZL_WIN_IS_GONE)
      r = zl__win_remove_tree(s, zl_win_at(ZL_WIN_LAYER, name->path), err);
  }
  return r;
}

static int make_links(struct zl_sink_windows *s, struct zl_error *err)
{
  int r = 0;

  for (size_t i = 0; i < s->n_links && r == 0; i++) {
    const struct zl_win_pending_link *link = &s->links[i];
    const struct zl_win_place to = zl_win_at(ZL_WIN_LAYER, s->seen.names[link->name].path);

    r = zl__win_remove_tree(s, to, err);
    if (r == 0)
      r = s->ops->link(s->host, zl_win_at(link->root, link->target), to, err);
  }
  return r;
}

static int set_times(struct zl_sink_windows *s, struct zl_error *err)
{
  int r = 0;

  for (size_t i = s->n_directories; i > 0 && r == 0; i--) {
    const struct zl_win_directory *d = &s->directories[i - 1];
    struct zl_win_file *file = NULL;
    int closed;

    r = s->ops->open(s->host, zl_win_at(ZL_WIN_LAYER, s->seen.names[d->name].path),
                     ZL_WIN_OLD_DIRECTORY, false, &file, err);
    if (r < 0)
      return r;
    r = s->ops->set_basic(file, &d->basic, err);
    closed = s->ops->close(file, r < 0 ? NULL : err);
    r = r < 0 ? r : closed;
  }
  return r;
}

static int process_utility(struct zl_sink_windows *s, struct zl_error *err)
{
  struct zl_win_basic basic = { 0 };
  int r = s->ops->stat(s->host, zl_win_at(ZL_WIN_LAYER, "UtilityVM"), &basic, err);

  if (r == 0 && (basic.attributes & ZL_WIN_REPARSE_POINT) != 0)
    r = zl_win_refuse("UtilityVM", "a reparse point", err);
  return r == 0 ? s->ops->process_utility(s->host, err) : r;
}

int zl__win_seal(struct zl_sink_windows *s, struct zl_error *err)
{
  int r = zl__win_file_close(s, err);

  if (r == 0 && s->n_parents > 0) {
    r = s->ops->import_layer(s->host, err);
    if (r == 0)
      r = bury(s, err);
    if (r == 0)
      r = make_links(s, err);
  }
  if (r == 0)
    r = set_times(s, err);
  if (r == 0 && s->n_parents == 0)
    r = s->ops->process_base(s->host, err);
  return r == 0 && s->has_utility ? process_utility(s, err) : r;
}
