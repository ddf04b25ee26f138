/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/verbs.h"

struct loading {
  struct zl_runtime *rt;
  int fd;
  struct zl_progress progress;
};

static int on_loaded(void *payload, const struct zl_loaded_image *image)
{
  const char *name = image->name != NULL ? image->name : image->digest;
  zl_autobuf line = ZL_BUF_INIT(ZL_MAX_SMALL_FILE);

  (void)payload;
  return zl_buf_printf(&line, NULL, "%s\n", name) < 0 || zl_cli_write(&line, NULL) < 0;
}

static int on_progress(void *payload, const struct zl_pull_progress *step)
{
  struct loading *l = payload;
  int r = zl_pull_show(&l->progress, step);

  /* The next image has layers of its own. */
  if (step->phase == ZL_PULL_DONE) {
    zl_progress_done(&l->progress);
    l->progress.drawn = 0;
  }
  return r;
}

static int load(void *ctx, struct zl_error *err)
{
  struct loading *l = ctx;
  const struct zl_load_options options = { .progress = on_progress,
                                           .loaded = on_loaded,
                                           .payload = l };

  return zl_load_images(l->rt, l->fd, &options, err);
}

static int open_input(const char *file, struct zl_error *err)
{
  int fd = file != NULL && strcmp(file, "-") != 0 ? zl_fd_open(AT_FDCWD, file, O_RDONLY, 0)
                                                  : zl_fd_copy(STDIN_FILENO);

  if (fd == -ENOENT)
    return zl_fail(err, ZL_E_NOT_FOUND, ENOENT, "opening '%s'", file);
  return fd < 0 ? zl_fail(err, ZL_E_SYSTEM, -fd, "opening '%s'", file != NULL ? file : "-") : fd;
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  const char *file = zl_args_get(args, "input");
  struct loading l = { .fd = -1 };
  struct zl_error err = { 0 };
  zl_autofd fd = -1;
  int r;

  if ((file == NULL || strcmp(file, "-") == 0) && isatty(STDIN_FILENO)) {
    (void)zl_fail(&err, ZL_E_INVALID, 0, "an archive is not typed: give --input or a pipe");
    return zl_cli_usage(cli, &err);
  }
  zl_program_complete();
  zl_progress_init(&l.progress, "loading", file != NULL ? file : "-", zl_args_has(args, "quiet"));
  r = zl_cli_open(cli, &l.rt, &err);
  if (r >= 0) {
    r = open_input(file, &err);
    fd = l.fd = r;
  }
  if (r >= 0)
    r = zl_cli_interruptible(load, &l, &err);
  zl_progress_done(&l.progress);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_image_load = {
  .name = "load",
  .group = "Verbs",
  .summary = "Store the images of an archive and print their names",
  .usage = "[OPTIONS]",
  .detail =
      "Reads OCI archives and what 'docker save' and 'podman save' write, plain or compressed\n"
      "with gzip or zstd. An image without a name is printed and kept by its digest.",
  .options =
      (const struct zl_option[]){
          { .name = "input",
            .letter = 'i',
            .value = "FILE",
            .complete = ZL_COMPLETE_FILE,
            .summary = "The archive; default '-', standard input" },
          { .name = "quiet", .letter = 'q', .summary = "Print the names only" },
          { .name = NULL } },
  .run = run,
};
