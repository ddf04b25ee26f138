/* SPDX-License-Identifier: Apache-2.0
 *
 * The image store on a command line, for tests/integration/registry.py.
 *
 *   pull_tool ROOT HELPER_DIR VERB [ARGUMENT...]
 *     pull [--always|--newer|--never] [--impatient] [--user NAME:PASSWORD] [--cancel-after N] REF
 *     resolve IMAGE | list | remove [--force] IMAGE | gc [--images|--partials] | usage | inspect
 * IMAGE
 *
 * Prints a line per progress event with ZLAYER_PROGRESS=1, and at the end the peak of its memory
 * with ZLAYER_PEAK=1. Exit status 1: "CODE: message".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "image/store_internal.h"
#include "services.h"
#include "store/store.h"

struct payload {
  uint64_t events, cancel_after;
};

static int on_progress(void *ctx, const struct zl_pull_progress *p)
{
  static const char *const names[] = { "resolving", "downloading", "exists", "layer-done", "done" };
  struct payload *payload = ctx;

  if (getenv("ZLAYER_PROGRESS") != NULL)
    (void)fprintf(stderr, "%s %s %zu/%zu %" PRIu64 "/%" PRIu64 "\n", names[p->phase],
                  p->digest != NULL ? p->digest : "-", p->index, p->layers, p->done, p->total);
  return payload->cancel_after != 0 && ++payload->events >= payload->cancel_after;
}

static int verb_pull(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  static const struct zl_patience impatient = { .connect_ms = 2000,
                                                .stall_ms = 500,
                                                .small_ms = 2000,
                                                .backoff_ms = 20,
                                                .wait_max_ms = 3000,
                                                .tries = 3 };
  struct payload payload = { 0 };
  struct zl_pull_options options = { .progress = on_progress, .payload = &payload };
  zl_autofree char *digest = NULL, *user = NULL;
  int r;

  for (; *argv != NULL && argv[0][0] == '-'; argv++) {
    if (strcmp(*argv, "--always") == 0)
      options.policy = ZL_PULL_ALWAYS;
    else if (strcmp(*argv, "--newer") == 0)
      options.policy = ZL_PULL_NEWER;
    else if (strcmp(*argv, "--never") == 0)
      options.policy = ZL_PULL_NEVER;
    else if (strcmp(*argv, "--impatient") == 0)
      zl_image_store_set_patience(store, &impatient);
    else if (strcmp(*argv, "--cancel-after") == 0 && argv[1] != NULL)
      (void)zl_parse_u64(*++argv, UINT32_MAX, &payload.cancel_after);
    else if (strcmp(*argv, "--user") == 0 && argv[1] != NULL)
      user = strdup(*++argv);
  }
  if (user != NULL && strchr(user, ':') != NULL) {
    options.password = strchr(user, ':') + 1;
    *strchr(user, ':') = '\0';
    options.username = user;
  }
  if (*argv == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "pull REFERENCE");
  r = zl_image_pull(store, *argv, &options, &digest, err);
  if (r == 0)
    (void)printf("%s\n", digest);
  return r;
}

static int verb_resolve(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  zl_autoimage image = { 0 };
  int r = zl_image_resolve(store, argv[0], &image, err);

  if (r < 0)
    return r;
  (void)printf("reference %s\ndigest %s\nplatform %s/%s\n", image.reference, image.digest, image.os,
               image.arch);
  for (size_t i = 0; image.layers != NULL && image.layers[i] != NULL; i++)
    (void)printf("layer %s\n", image.layers[i]);
  for (size_t i = 0; image.config.entrypoint != NULL && image.config.entrypoint[i] != NULL; i++)
    (void)printf("entrypoint %s\n", image.config.entrypoint[i]);
  for (size_t i = 0; image.config.cmd != NULL && image.config.cmd[i] != NULL; i++)
    (void)printf("cmd %s\n", image.config.cmd[i]);
  for (size_t i = 0; image.config.env != NULL && image.config.env[i] != NULL; i++)
    (void)printf("env %s\n", image.config.env[i]);
  return 0;
}

static int verb_list(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  struct zl_image_info *images = NULL;
  size_t count = 0;
  int r = zl_image_list(store, &images, &count, err);

  (void)argv;
  if (r < 0)
    return r;
  for (size_t i = 0; i < count; i++)
    (void)printf("%s %s %s/%s %" PRIu64 " %zu %zu\n", images[i].reference, images[i].digest,
                 images[i].os, images[i].arch, images[i].size, images[i].layers,
                 images[i].containers);
  zl_image_list_free(images, count);
  return 0;
}

static int verb_remove(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  bool force = strcmp(argv[0], "--force") == 0;

  return zl_image_remove(store, argv[force ? 1 : 0], force, err);
}

static int verb_gc(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  const struct zl_image_gc_options options = {
    .images = argv[0] != NULL && strcmp(argv[0], "--images") == 0,
    .partials = argv[0] != NULL && strcmp(argv[0], "--partials") == 0,
  };
  struct zl_image_gc_result result;
  int r = zl_image_gc(store, &options, &result, err);

  if (r == 0)
    (void)printf("images %zu layers %zu staging %zu bytes %" PRIu64 "\n", result.images,
                 result.layers, result.staging, result.bytes + result.staging_bytes);
  return r;
}

static int verb_usage(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  struct zl_image_usage u = { 0 };
  int r = zl_image_usage(store, &u, err);

  (void)argv;
  if (r == 0)
    (void)printf("images %zu layers %zu bytes %" PRIu64 " reclaimable %" PRIu64 "\n", u.images,
                 u.layers, u.bytes, u.reclaimable_bytes);
  return r;
}

static int verb_inspect(struct zl_image_store *store, char **argv, struct zl_error *err)
{
  zl_autofree char *json = NULL;
  int r = zl_image_inspect(store, argv[0], &json, err);

  if (r == 0)
    (void)printf("%s\n", json);
  return r;
}

static const struct {
  const char *name;
  int arguments; /* at least */
  int (*run)(struct zl_image_store *store, char **argv, struct zl_error *err);
} verbs[] = {
  { "pull", 1, verb_pull },       { "resolve", 1, verb_resolve }, { "list", 0, verb_list },
  { "remove", 1, verb_remove },   { "gc", 0, verb_gc },           { "usage", 0, verb_usage },
  { "inspect", 1, verb_inspect },
};

static int run(int argc, char **argv, struct zl_error *err)
{
  ZL_CLEANUP(zl_store_closep) struct zl_store *db = NULL;
  ZL_CLEANUP(zl_image_store_closep) struct zl_image_store *store = NULL;
  zl_autofd root_fd = zl_path_open_dir(AT_FDCWD, argv[1], 0700);
  struct zl_image_store_options options = { .root = argv[1],
                                            .helper_dir = argv[2],
                                            .services = pull_tool_services() };
  int r;

  if (root_fd < 0)
    return zl_fail(err, ZL_E_SYSTEM, -root_fd, "opening '%s'", argv[1]);
  r = zl_store_open(root_fd, argv[1], &db, err);
  if (r < 0)
    return r;
  options.root_fd = root_fd;
  options.store = db;
  r = zl_image_store_open(&options, &store, err);
  if (r < 0)
    return r;
  for (size_t i = 0; i < ZL_COUNT(verbs); i++)
    if (strcmp(argv[3], verbs[i].name) == 0 && argc - 4 >= verbs[i].arguments)
      return verbs[i].run(store, argv + 4, err);
  return zl_fail(err, ZL_E_INVALID, 0, "unknown verb '%s', or too few arguments", argv[3]);
}

/* "VmHWM:  1234 kB" */
static void print_peak(void)
{
  zl_autobuf text = ZL_BUF_INIT((size_t)ZL_MAX_SMALL_FILE);
  const char *line;

  if (zl_file_read(AT_FDCWD, "/proc/self/status", &text, NULL) < 0)
    return;
  line = strstr(text.data, "VmHWM:");
  if (line != NULL)
    (void)fprintf(stderr, "%.*s\n", (int)strcspn(line, "\n"), line);
}

int main(int argc, char **argv)
{
  struct zl_error err = { 0 };
  int status = 0;

  if (argc < 4) {
    (void)fprintf(stderr, "usage: pull_tool ROOT HELPER_DIR VERB [ARGUMENT...]\n");
    return 2;
  }
  if (run(argc, argv, &err) < 0) {
    (void)fprintf(stderr, "%s: %s\n", zl_code_name(err.code), err.msg);
    status = 1;
  }
  if (getenv("ZLAYER_PEAK") != NULL)
    print_peak();
  return status;
}
