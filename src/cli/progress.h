/* SPDX-License-Identifier: Apache-2.0
 *
 * Pulling with progress on standard error: one line per layer, updated in place at most ten times a
 * second on a terminal; elsewhere one line per finished step, and one every ten seconds of a layer
 * that takes longer. Both tell the speed and how long the rest takes.
 */
#ifndef ZL_CLI_PROGRESS_H
#define ZL_CLI_PROGRESS_H

#include "cli/cli.h"
#include "cli/rate.h"

struct zl_layer_progress {
  char digest[20]; /* its first digits */
  enum zl_pull_phase phase;
  uint64_t done, total;
  struct zl_rate rate;
  uint64_t began_ns, told_ns; /* CLOCK_BOOTTIME of the first report, and of the last plain line */
  uint64_t first_done;        /* what an earlier pull had left */
};

struct zl_progress {
  const char *doing, *reference; /* "pulling", what */
  bool quiet, moving;            /* nothing at all; the cursor may be moved */
  struct zl_layer_progress *layers;
  size_t n_layers;
  size_t drawn; /* lines on the terminal that belong to the picture */
  uint64_t drawn_at_ns;
};

/* As zl_pull_image, with progress. The first Ctrl-C cancels it (ZL_E_CANCELLED), also while the
 * caller has the signal blocked. The digest (may be NULL) is a new string. */
int zl_pull_shown(struct zl_runtime *rt, const char *reference, enum zl_pull_policy policy,
                  bool quiet, char **ret_digest, struct zl_error *err);

/* For other transfers: progress functions whose payload is a struct zl_progress. They cancel when
 * the user has interrupted (interrupt.h). */
void zl_progress_init(struct zl_progress *progress, const char *doing, const char *reference,
                      bool quiet);
int zl_pull_show(void *payload, const struct zl_pull_progress *step);
int zl_push_show(void *payload, const struct zl_push_progress *step);

/* Follows the image's pull policy; says nothing about an image that is stored and may be used. */
int zl_image_ensure(struct zl_runtime *rt, const struct zl_image_spec *image, bool quiet,
                    struct zl_error *err);

/* The part without side effects: takes a step in and appends what is to be shown. */
int zl_progress_put(struct zl_progress *progress, const struct zl_pull_progress *step,
                    struct zl_buf *out, uint64_t now_ns);
void zl_progress_done(struct zl_progress *progress);

#endif
