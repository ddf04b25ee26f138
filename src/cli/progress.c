/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/time.h"
#include "cli/console.h"
#include "cli/human.h"
#include "cli/interrupt.h"
#include "cli/program.h"

enum {
  BAR = 16,
  MIN_COLUMNS = 76, /* the longest line */
  DRAW_EVERY_MS = 100,
  TELL_EVERY_S = 10,
  PICTURE_MAX = 128 << 10 /* ZL_MAX_LAYERS lines with room to spare */
};

/* What is known of a layer that comes: "12 MiB / 30 MiB  1.2 MiB/s  15 s left"; of one that is
 * packed nobody knows the size yet. */
static int put_numbers(const struct zl_layer_progress *layer, const char *between,
                       struct zl_buf *out)
{
  char done[ZL_HUMAN_TEXT], total[ZL_HUMAN_TEXT], speed[ZL_HUMAN_TEXT], left[ZL_HUMAN_TEXT];
  int r;

  if (layer->total == 0)
    return zl_buf_printf(out, NULL, "packing %s", zl_human_size(layer->done, done));
  r = zl_buf_printf(out, NULL, "%s / %s", zl_human_size(layer->done, done),
                    zl_human_size(layer->total, total));
  if (r >= 0 && layer->done >= layer->total)
    return zl_buf_printf(out, NULL, "%sunpacking", between);
  (void)zl_rate_left(&layer->rate, layer->total - layer->done, left);
  if (r >= 0 && layer->rate.per_second > 0)
    r = zl_buf_printf(out, NULL, "%s%s/s", between,
                      zl_human_size((uint64_t)layer->rate.per_second, speed));
  if (r >= 0 && left[0] != '\0')
    r = zl_buf_printf(out, NULL, "%s%s", between, left);
  return r;
}

/* The picture, one line per layer, over the one before. */
static int draw_layer(const struct zl_layer_progress *layer, struct zl_buf *out)
{
  char total[ZL_HUMAN_TEXT], bar[BAR + 1];
  size_t filled = layer->total > 0 ? (size_t)((double)layer->done / (double)layer->total * BAR) : 0;
  int r;

  if (layer->phase == ZL_PULL_EXISTS)
    return zl_buf_printf(out, NULL, "\x1b[2K%s  exists\n", layer->digest);
  if (layer->phase == ZL_PULL_LAYER_DONE)
    return zl_buf_printf(out, NULL, "\x1b[2K%s  done    %s\n", layer->digest,
                         zl_human_size(layer->total, total));
  if (layer->phase != ZL_PULL_DOWNLOADING)
    return zl_buf_printf(out, NULL, "\x1b[2K%s  waiting\n", layer->digest);
  if (layer->total == 0)
    return zl_buf_printf(out, NULL, "\x1b[2K%s  packing %s\n", layer->digest,
                         zl_human_size(layer->done, total));
  for (size_t i = 0; i < BAR; i++)
    bar[i] = i < filled ? '#' : '.';
  bar[BAR] = '\0';
  r = zl_buf_printf(out, NULL, "\x1b[2K%s  [%s] ", layer->digest, bar);
  if (r >= 0)
    r = put_numbers(layer, "  ", out);
  return r < 0 ? r : zl_buf_puts(out, "\n", NULL);
}

static int draw(struct zl_progress *progress, struct zl_buf *out, uint64_t now_ns)
{
  int r = progress->drawn > 0 ? zl_buf_printf(out, NULL, "\x1b[%zuA", progress->drawn) : 0;

  for (size_t i = 0; i < progress->n_layers && r >= 0; i++)
    r = draw_layer(&progress->layers[i], out);
  progress->drawn = progress->n_layers;
  progress->drawn_at_ns = now_ns;
  return r;
}

/* "layer 2/5 0123456789ab: done, 30 MiB in 25 s", the time only when there was some. */
static int tell_done(const struct zl_layer_progress *layer, uint64_t now_ns, struct zl_buf *out)
{
  const uint64_t seconds = (now_ns - layer->began_ns) / ZL_NS_PER_S;
  char size[ZL_HUMAN_TEXT];
  int r = zl_buf_printf(out, NULL, "done, %s", zl_human_size(layer->total, size));

  if (r >= 0 && seconds > 0)
    r = zl_buf_printf(out, NULL, " in %llu s", (unsigned long long)seconds);
  if (r >= 0 && layer->first_done > 0)
    r = zl_buf_printf(out, NULL, ", %s of it from an earlier pull",
                      zl_human_size(layer->first_done, size));
  return r < 0 ? r : zl_buf_puts(out, "\n", NULL);
}

static int tell(struct zl_progress *progress, const struct zl_pull_progress *step, uint64_t now_ns,
                struct zl_buf *out)
{
  struct zl_layer_progress *layer = &progress->layers[step->index];
  int r;

  if (step->phase == ZL_PULL_DOWNLOADING && now_ns - layer->told_ns < TELL_EVERY_S * ZL_NS_PER_S)
    return 0;
  layer->told_ns = now_ns;
  r = zl_buf_printf(out, NULL, "layer %zu/%zu %s: ", step->index + 1, progress->n_layers,
                    layer->digest);
  if (r < 0)
    return r;
  if (step->phase == ZL_PULL_EXISTS)
    return zl_buf_puts(out, "exists\n", NULL);
  if (step->phase == ZL_PULL_LAYER_DONE)
    return tell_done(layer, now_ns, out);
  r = put_numbers(layer, ", ", out);
  return r < 0 ? r : zl_buf_puts(out, "\n", NULL);
}

static int make_room(struct zl_progress *progress, size_t layers)
{
  struct zl_layer_progress *more;

  if (layers <= progress->n_layers)
    return 0;
  if (layers > ZL_MAX_LAYERS)
    return -ZL_E_LIMIT;
  more = reallocarray(progress->layers, layers, sizeof(*more));
  if (more == NULL)
    return -ZL_E_NO_MEMORY;
  memset(more + progress->n_layers, 0, (layers - progress->n_layers) * sizeof(*more));
  for (size_t i = progress->n_layers; i < layers; i++)
    (void)snprintf(more[i].digest, sizeof(more[i].digest), "%-12s", "layer");
  progress->layers = more;
  progress->n_layers = layers;
  return 0;
}

static void note_layer(struct zl_layer_progress *layer, const struct zl_pull_progress *step,
                       uint64_t now_ns)
{
  const char *hex = step->digest != NULL ? strchr(step->digest, ':') : NULL;

  if (hex != NULL)
    (void)snprintf(layer->digest, sizeof(layer->digest), "%.12s", hex + 1);
  if (layer->began_ns == 0) {
    layer->began_ns = layer->told_ns = now_ns;
    layer->first_done = step->phase == ZL_PULL_DOWNLOADING ? step->resumed : 0;
  }
  if (step->phase == ZL_PULL_DOWNLOADING)
    zl_rate_note(&layer->rate, step->done, now_ns);
  layer->phase = step->phase;
  layer->done = step->done;
  if (step->total > 0)
    layer->total = step->total;
}

int zl_progress_put(struct zl_progress *progress, const struct zl_pull_progress *step,
                    struct zl_buf *out, uint64_t now_ns)
{
  bool last = step->phase == ZL_PULL_DONE;
  int r = 0;

  if (progress->quiet)
    return 0;
  if (step->phase == ZL_PULL_RESOLVING) /* said once, at the beginning */
    return progress->moving || step->done > 0
               ? 0
               : zl_buf_printf(out, NULL, "%s %s\n", progress->doing, progress->reference);
  if (!last) {
    r = make_room(progress, step->layers > step->index ? step->layers : step->index + 1);
    if (r < 0)
      return r;
    note_layer(&progress->layers[step->index], step, now_ns);
  }
  if (!progress->moving)
    return last ? 0 : tell(progress, step, now_ns, out);
  if (last || progress->drawn_at_ns == 0 ||
      now_ns - progress->drawn_at_ns >= DRAW_EVERY_MS * ZL_NS_PER_MS)
    r = draw(progress, out, now_ns);
  return r;
}

void zl_progress_done(struct zl_progress *progress)
{
  free(progress->layers);
  progress->layers = NULL;
  progress->n_layers = 0;
}

int zl_pull_show(void *payload, const struct zl_pull_progress *step)
{
  zl_autobuf out = ZL_BUF_INIT(PICTURE_MAX);

  if (zl_progress_put(payload, step, &out, zl_time_boot()) >= 0 && out.len > 0)
    (void)zl_fd_write_full(STDERR_FILENO, out.data, out.len);
  return zl_cli_is_interrupted();
}

/* A picture that does not fit on the screen cannot be drawn over: plain lines then. */
static bool can_draw(void)
{
  unsigned rows, cols;

  zl_console_size(STDERR_FILENO, &rows, &cols);
  return zl_console_can_move(STDERR_FILENO) && rows >= 24 && cols >= MIN_COLUMNS;
}

void zl_progress_init(struct zl_progress *progress, const char *doing, const char *reference,
                      bool quiet)
{
  *progress = (struct zl_progress){
    .doing = doing, .reference = reference, .quiet = quiet, .moving = can_draw()
  };
}

/* A push goes through the same steps the other way. */
int zl_push_show(void *payload, const struct zl_push_progress *step)
{
  static const enum zl_pull_phase phases[] = {
    [ZL_PUSH_CHECKING] = ZL_PULL_RESOLVING,    [ZL_PUSH_PACKING] = ZL_PULL_DOWNLOADING,
    [ZL_PUSH_UPLOADING] = ZL_PULL_DOWNLOADING, [ZL_PUSH_EXISTS] = ZL_PULL_EXISTS,
    [ZL_PUSH_LAYER_DONE] = ZL_PULL_LAYER_DONE, [ZL_PUSH_DONE] = ZL_PULL_DONE
  };
  const struct zl_pull_progress as_pull = { .phase = phases[step->phase],
                                            .digest = step->digest,
                                            .index = step->index,
                                            .layers = step->layers,
                                            .done = step->done,
                                            .total = step->total };

  return zl_pull_show(payload, &as_pull);
}

struct pulling {
  struct zl_runtime *rt;
  const char *reference;
  const struct zl_pull_options *options;
  char **ret_digest;
};

static int run_pull(void *ctx, struct zl_error *err)
{
  const struct pulling *p = ctx;

  return zl_pull_image(p->rt, p->reference, p->options, p->ret_digest, err);
}

int zl_pull_shown(struct zl_runtime *rt, const char *reference, enum zl_pull_policy policy,
                  bool quiet, char **ret_digest, struct zl_error *err)
{
  struct zl_progress progress;
  struct zl_pull_options options = { .policy = policy,
                                     .progress = zl_pull_show,
                                     .payload = &progress };
  struct pulling pulling = { rt, reference, &options, ret_digest };
  int r;

  zl_program_complete();
  zl_progress_init(&progress, "pulling", reference, quiet);
  r = zl_cli_interruptible(run_pull, &pulling, err);
  zl_progress_done(&progress);
  return r;
}

int zl_image_ensure(struct zl_runtime *rt, const struct zl_image_spec *image, bool quiet,
                    struct zl_error *err)
{
  zl_autofree char *facts = NULL;
  const char *name = image->canonical != NULL ? image->canonical : image->name;

  if (image->pull_policy == ZL_PULL_IF_NOT_PRESENT && zl_inspect_image(rt, name, &facts, NULL) >= 0)
    return 0;
  return zl_pull_shown(rt, image->name, image->pull_policy, quiet, NULL, err);
}
