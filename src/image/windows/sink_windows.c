/* SPDX-License-Identifier: Apache-2.0 */
#include "image/windows/sink_windows.h"

#include <stdlib.h>
#include <string.h>

#include "image/windows/descriptor.h"
#include "image/windows/ea.h"
#include "image/windows/reparse.h"
#include "image/windows/sink_private.h"

enum {
  /* A stream's header with the longest name, and each of the contents. */
  STREAM_HEAD = 4096
};

static void sink_free(void *ctx)
{
  struct zl_sink_windows *s = ctx;

  if (s == NULL)
    return;
  (void)s->ops->close(s->current.file, NULL);
  (void)s->ops->close(s->current.copy, NULL);
  for (size_t i = 0; i < s->current.n_streams; i++)
    free(s->current.streams[i]);
  for (size_t i = 0; i < s->n_links; i++)
    free(s->links[i].target);
  free(s->links);
  free(s->directories);
  free(s->tombstones);
  zl_win_seen_done(&s->seen);
  zl_win_attributes_done(&s->attributes);
  zl_buf_done(&s->security);
  zl_buf_done(&s->streams);
  zl_buf_done(&s->reparse);
  free(s);
}

int zl_sink_windows_new(const struct zl_win_host_ops *ops, void *host, size_t n_parents,
                        struct zl_sink_windows **ret, struct zl_error *err)
{
  struct zl_sink_windows *s = calloc(1, sizeof(*s));
  int r;

  if (s == NULL)
    return zl_fail_nomem(err, "a Windows layer");
  s->ops = ops;
  s->host = host;
  s->n_parents = n_parents;
  s->security.max = ZL_WIN_MAX_DESCRIPTOR + STREAM_HEAD;
  s->streams.max = ZL_WIN_MAX_EA + ZL_WIN_MAX_REPARSE + STREAM_HEAD;
  s->reparse.max = ZL_WIN_MAX_REPARSE;
  zl_win_attributes_init(&s->attributes);
  r = zl_win_seen_init(&s->seen, err);
  if (r < 0) {
    sink_free(s);
    return r;
  }
  *ret = s;
  return 0;
}

static const char *type_fault(const struct zl_win_path *path, enum zl_layer_type type)
{
  if (type == ZL_LAYER_CHAR || type == ZL_LAYER_BLOCK || type == ZL_LAYER_FIFO)
    return "a device node or pipe, which Windows layers do not have";
  if (path->is_top && type != ZL_LAYER_DIR)
    return "a part of the layer that is no directory";
  if (path->part == ZL_WIN_HIVES && (type == ZL_LAYER_SYMLINK || type == ZL_LAYER_HARDLINK))
    return "a link among the hives";
  return NULL;
}

/* In a layer with others below it the utility VM begins as theirs. */
static int begin_utility(struct zl_sink_windows *s, const struct zl_layer_entry *e,
                         struct zl_error *err)
{
  int r = zl__win_take_name(s, e->path, ZL_WIN_IS_DIRECTORY, NULL, err);

  return r == 0 ? zl__win_clone_utility(s, err) : r;
}

static int begin_member(struct zl_sink_windows *s, const struct zl_layer_entry *e,
                        struct zl_error *err)
{
  const char *fault = type_fault(&s->path, e->type);
  int r = fault != NULL ? zl_win_refuse(e->path, fault, err) : 0;

  if (r < 0)
    return r;
  if (s->path.part == ZL_WIN_UTILITY && s->n_parents > 0)
    return begin_utility(s, e, err);
  r = zl__win_check_way(s, e->path, err);
  if (r < 0)
    return r;
  s->has_utility = s->has_utility || s->path.part == ZL_WIN_UTILITY;
  return e->type == ZL_LAYER_HARDLINK ? zl__win_link(s, e, err) : zl__win_file_begin(s, e, err);
}

static int sink_begin(void *ctx, const struct zl_layer_entry *e, struct zl_error *err)
{
  struct zl_sink_windows *s = ctx;
  int r = zl_win_path_read(e->path, &s->path, err);

  if (r < 0)
    return r;
  if (s->path.stream != NULL)
    return zl__win_stream_begin(s, e, err);
  r = zl__win_file_close(s, err);
  if (r < 0)
    return r;
  return s->path.is_whiteout ? zl__win_hide(s, e, err) : begin_member(s, e, err);
}

static int sink_data(void *ctx, uint64_t offset, const void *bytes, size_t len,
                     struct zl_error *err)
{
  return zl__win_file_data(ctx, offset, bytes, len, err);
}

static int sink_end(void *ctx, struct zl_error *err)
{
  return zl__win_file_end(ctx, err);
}

/* Windows does not take a layer without these. */
static int sink_finish(void *ctx, struct zl_error *err)
{
  struct zl_sink_windows *s = ctx;
  int r = zl__win_file_close(s, err);

  if (r == 0 && zl_win_seen_find(&s->seen, "Files", 5) < 0)
    r = zl_fail(err, ZL_E_CORRUPT, 0, "the layer has no directory Files: is it a Windows layer?");
  if (r == 0 && s->n_parents == 0 && zl_win_seen_find(&s->seen, "Hives", 5) < 0)
    r = zl_fail(err, ZL_E_CORRUPT, 0, "the base layer has no directory Hives");
  return r;
}

static void sink_get_totals(const void *ctx, struct zl_sink_totals *ret)
{
  (void)ctx;
  *ret = (struct zl_sink_totals){ 0 };
}

/* All that depends on lower layers is done here. */
static int sink_write_notes(const void *ctx, struct zl_buf *text, struct zl_error *err)
{
  (void)ctx;
  (void)text;
  (void)err;
  return 0;
}

static int sink_seal(void *ctx, struct zl_error *err)
{
  return zl__win_seal(ctx, err);
}

const struct zl_sink_ops zl_sink_windows_ops = { .begin = sink_begin,
                                                 .data = sink_data,
                                                 .end = sink_end,
                                                 .finish = sink_finish,
                                                 .get_totals = sink_get_totals,
                                                 .write_notes = sink_write_notes,
                                                 .seal = sink_seal,
                                                 .free = sink_free };
