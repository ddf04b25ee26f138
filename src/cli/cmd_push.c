/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/image_options.h"
#include "cli/interrupt.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/verbs.h"

struct pushing {
  struct zl_runtime *rt;
  const char *image, *target;
  struct zl_push_options options;
  struct zl_push_result result;
};

static int push(void *ctx, struct zl_error *err)
{
  struct pushing *p = ctx;

  return zl_push_image(p->rt, p->image, p->target, &p->options, &p->result, err);
}

static int report(const struct pushing *p, bool as_json, bool quiet, struct zl_error *err)
{
  const struct zl_push_result *r = &p->result;
  zl_autobuf out = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);
  char size[ZL_HUMAN_TEXT];

  if (as_json)
    return zl_cli_write_json(json_pack("{s:s, s:b, s:I, s:I, s:I}", "digest", r->digest,
                                       "unchanged", (int)r->unchanged, "existing",
                                       (json_int_t)r->existing, "uploaded", (json_int_t)r->uploaded,
                                       "uploadedBytes", (json_int_t)r->uploaded_bytes),
                             err);
  if (!quiet && !r->unchanged)
    zl_cli_note("%zu layers were there, %zu were written anew (%s sent): the digest is a new one",
                r->existing, r->uploaded, zl_human_size(r->uploaded_bytes, size));
  if (zl_buf_printf(&out, err, "%s\n", r->digest) < 0)
    return -ZL_E_NO_MEMORY;
  return zl_cli_write(&out, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  const bool json = zl_args_has(args, "json"), quiet = zl_args_has(args, "quiet") || json;
  struct zl_progress progress;
  struct zl_error err = { 0 };
  struct pushing p = { .image = args->operands[0],
                       .target = args->n_operands > 1 ? args->operands[1] : NULL,
                       .options = { .compression = zl_image_compression_of(args),
                                    .progress = zl_push_show,
                                    .payload = &progress } };
  int r;

  zl_program_complete();
  zl_progress_init(&progress, "pushing", p.target != NULL ? p.target : p.image, quiet);
  r = zl_cli_open(cli, &p.rt, &err);
  if (r >= 0)
    r = zl_cli_interruptible(push, &p, &err);
  if (r >= 0)
    r = report(&p, json, quiet, &err);
  zl_progress_done(&progress);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_push = {
  .name = "push",
  .group = "Images",
  .summary = "Send an image to a registry and print its digest there",
  .usage = "[OPTIONS] IMAGE [TARGET]",
  .detail = "Layers that the registry has, or can take from the repository that the image was\n"
            "pulled from, are not sent. Other layers are written anew from the store: the same\n"
            "files, but not the same bytes, so that such an image has a new digest.",
  .options =
      (const struct zl_option[]){
          ZL_OPTION_COMPRESSION("gzip zstd"),
          { .name = "quiet", .letter = 'q', .summary = "Print the digest only" },
          ZL_OPTION_JSON("Print a JSON object"),
          { .name = NULL } },
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = 2,
  .run = run,
};
