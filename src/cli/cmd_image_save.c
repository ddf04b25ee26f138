/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cli/image_options.h"
#include "cli/interrupt.h"
#include "cli/program.h"
#include "cli/progress.h"
#include "cli/verbs.h"

/* ---- The file -------------------------------------------------------------------------------- */

/* The archive appears under its name when it is whole; until then it has none, or, where the file
 * system knows no files without names, another one. */
struct output {
  int fd, dir;
  const char *name;
  char *temporary; /* NULL: the file has no name yet, or is written in place */
  bool in_place;   /* a pipe, a device, standard output */
};

static void output_done(struct output *o)
{
  if (o->temporary != NULL)
    (void)unlinkat(o->dir, o->temporary, 0);
  zl_freep(&o->temporary);
  zl_fd_closep(&o->fd);
  zl_fd_closep(&o->dir);
}

static int fail_open(const char *file, int os_error, struct zl_error *err)
{
  return zl_fail(err, os_error == ENOENT ? ZL_E_NOT_FOUND : ZL_E_SYSTEM, os_error, "opening '%s'",
                 file);
}

static int make_temporary(struct output *o, const char *file, struct zl_error *err)
{
  o->fd = zl_fd_open(o->dir, ".", O_WRONLY | O_TMPFILE, 0666);
  if (o->fd >= 0)
    return 0;
  if (o->fd != -EOPNOTSUPP && o->fd != -EISDIR)
    return fail_open(file, -o->fd, err);
  o->temporary = zl_asprintf(".%s.%ld", o->name, (long)getpid());
  if (o->temporary == NULL)
    return zl_fail_nomem(err, file);
  o->fd = zl_fd_open(o->dir, o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
  if (o->fd >= 0)
    return 0;
  zl_freep(&o->temporary);
  return fail_open(file, -o->fd, err);
}

static int open_file(struct output *o, const char *file, struct zl_error *err)
{
  const char *slash = strrchr(file, '/');
  zl_autofree char *dir = slash != NULL ? strndup(file, (size_t)(slash - file) + 1) : strdup(".");
  struct stat st;

  if (dir == NULL)
    return zl_fail_nomem(err, file);
  if (stat(file, &st) == 0 && !S_ISREG(st.st_mode)) {
    o->in_place = true;
    o->fd = zl_fd_open(AT_FDCWD, file, O_WRONLY, 0);
    return o->fd < 0 ? fail_open(file, -o->fd, err) : 0;
  }
  o->name = slash != NULL ? slash + 1 : file;
  o->dir = zl_fd_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
  return o->dir < 0 ? fail_open(file, -o->dir, err) : make_temporary(o, file, err);
}

static int open_output(struct output *o, const char *file, struct zl_error *err)
{
  if (file != NULL && strcmp(file, "-") != 0)
    return open_file(o, file, err);
  o->in_place = true;
  o->fd = zl_fd_copy(STDOUT_FILENO);
  return o->fd < 0 ? fail_open("-", -o->fd, err) : 0;
}

/* linkat(2) replaces nothing, so the file gets another name first. */
static int publish(struct output *o, struct zl_error *err)
{
  char proc[ZL_FD_PATH];

  if (o->in_place)
    return 0;
  if (o->temporary == NULL) {
    o->temporary = zl_asprintf(".%s.%ld", o->name, (long)getpid());
    if (o->temporary == NULL)
      return zl_fail_nomem(err, o->name);
    if (linkat(AT_FDCWD, zl_path_of_fd(o->fd, proc), o->dir, o->temporary, AT_SYMLINK_FOLLOW) < 0) {
      zl_freep(&o->temporary);
      return zl_fail_errno(err, "naming '%s'", o->name);
    }
  }
  if (renameat(o->dir, o->temporary, o->dir, o->name) < 0)
    return zl_fail_errno(err, "naming '%s'", o->name);
  zl_freep(&o->temporary);
  return 0;
}

/* ---- The verb -------------------------------------------------------------------------------- */

struct saving {
  struct zl_runtime *rt;
  const char *const *images;
  int fd;
  struct zl_save_options options;
  struct zl_progress progress;
};

static int on_progress(void *payload, const struct zl_push_progress *step)
{
  struct saving *s = payload;
  int r = zl_push_show(&s->progress, step);

  /* The next image has layers of its own. */
  if (step->phase == ZL_PUSH_DONE) {
    zl_progress_done(&s->progress);
    s->progress.drawn = 0;
  }
  return r;
}

static int save(void *ctx, struct zl_error *err)
{
  const struct saving *s = ctx;

  return zl_save_images(s->rt, s->images, s->fd, &s->options, err);
}

static int run(struct zl_cli *cli, const struct zl_args *args)
{
  const char *file = zl_args_get(args, "output");
  ZL_CLEANUP(output_done) struct output out = { .fd = -1, .dir = -1 };
  struct saving s = { .images = (const char *const *)args->operands,
                      .options = { .compression = zl_image_compression_of(args),
                                   .progress = on_progress,
                                   .payload = &s } };
  struct zl_error err = { 0 };
  int r;

  if ((file == NULL || strcmp(file, "-") == 0) && isatty(STDOUT_FILENO)) {
    (void)zl_fail(&err, ZL_E_INVALID, 0, "an archive is not for a terminal: give --output");
    return zl_cli_usage(cli, &err);
  }
  zl_program_complete();
  zl_progress_init(&s.progress, "saving", args->operands[0], zl_args_has(args, "quiet"));
  r = zl_cli_open(cli, &s.rt, &err);
  if (r >= 0)
    r = open_output(&out, file, &err);
  s.fd = out.fd;
  if (r >= 0)
    r = zl_cli_interruptible(save, &s, &err);
  if (r >= 0)
    r = publish(&out, &err);
  zl_progress_done(&s.progress);
  return zl_cli_finish(cli, r, &err);
}

const struct zl_verb zl_verb_image_save = {
  .name = "save",
  .group = "Verbs",
  .summary = "Write images to an archive that Docker, Podman and skopeo read as well",
  .usage = "[OPTIONS] IMAGE...",
  .detail = "The archive is an OCI image layout with docker's manifest.json in it. Its layers are\n"
            "written anew from the store: the same files, but not the bytes that were pulled.",
  .options =
      (const struct zl_option[]){ { .name = "output",
                                    .letter = 'o',
                                    .value = "FILE",
                                    .complete = ZL_COMPLETE_FILE,
                                    .summary = "The archive; default '-', standard output" },
                                  ZL_OPTION_COMPRESSION("gzip zstd none"),
                                  { .name = "quiet", .letter = 'q', .summary = "Show no progress" },
                                  { .name = NULL } },
  .operands = ZL_COMPLETE_IMAGE,
  .min_operands = 1,
  .max_operands = ZL_ANY_OPERANDS,
  .run = run,
};
