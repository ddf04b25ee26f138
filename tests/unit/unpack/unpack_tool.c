/* SPDX-License-Identifier: Apache-2.0
 *
 * For the Python tests: unpacks standard input with the library's own functions and prints what
 * came of it as one line of JSON.
 *   unpack_tool HELPER COMPRESSION MAX_BYTES MAX_ENTRIES DEVICES STAGING [LOWER...]
 * STAGING is a directory or, as "erofs:FILE", an image beside which nothing is made. LOWER... are
 * trees, nearest first; "-" alone stands for none.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/strv.h"
#include "image/layer/fixup.h"
#include "image/layer/unpack.h"

enum {
  FIXED_ARGUMENTS = 7,
  READ_SIZE = 96 << 10 /* odd against every block size of the decoder */
};

static enum zl_compression compression_of(const char *name)
{
  for (int c = ZL_COMPRESSION_NONE; c <= ZL_COMPRESSION_AUTO; c++)
    if (strcmp(name, zl_compression_name((enum zl_compression)c)) == 0)
      return (enum zl_compression)c;
  abort();
}

static uint64_t number_of(const char *text)
{
  uint64_t value;

  if (!zl_parse_u64(text, INT64_MAX, &value))
    abort();
  return value;
}

static int feed(struct zl_unpack *unpack, struct zl_error *err)
{
  static char buffer[READ_SIZE];
  ssize_t n;

  while ((n = zl_fd_read_full(0, buffer, sizeof(buffer))) > 0) {
    int r = zl_unpack_write(unpack, buffer, (size_t)n, err);

    if (r < 0)
      return r;
  }
  return n < 0 ? zl_fail(err, ZL_E_SYSTEM, (int)-n, "reading standard input") : 0;
}

static int fix(struct zl_unpack *u, int staging, char **paths, int n, const char *fixup,
               struct zl_error *err)
{
  int fds[ZL_MAX_LAYERS];
  int r = 0;

  n = n == 1 && strcmp(paths[0], "-") == 0 ? 0 : n;
  for (int i = 0; i < n; i++)
    fds[i] = zl_fd_open(AT_FDCWD, paths[i], O_PATH | O_DIRECTORY, 0);
  if (u == NULL)
    r = zl_layer_fixup(staging, fds, (size_t)n, fixup, err);
  else if (fixup != NULL)
    r = zl_unpack_fix(u, fds, (size_t)n, fixup, err);
  for (int i = 0; i < n; i++)
    (void)close(fds[i]);
  return r;
}

static const char *dir_of(const char *path)
{
  static char dir[4096];

  (void)snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
  return dir;
}

static int unpack(int argc, char **argv, struct zl_unpack_result *result, struct zl_error *err)
{
  ZL_CLEANUP(zl_unpack_freep) struct zl_unpack *u = NULL;
  const bool image = zl_has_prefix(argv[6], "erofs:");
  const char *file = image ? argv[6] + strlen("erofs:") : NULL;
  zl_autofd staging =
      zl_fd_open(AT_FDCWD, image ? dir_of(file) : argv[6], O_RDONLY | O_DIRECTORY, 0);
  zl_autofd image_fd = image ? zl_fd_open(AT_FDCWD, file, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
  struct zl_unpack_options options = { .helper = argv[1],
                                       .staging_fd = staging,
                                       .image = image,
                                       .image_fd = image_fd,
                                       .compression = compression_of(argv[2]),
                                       .max_bytes = number_of(argv[3]),
                                       .max_entries = number_of(argv[4]),
                                       .reserve_bytes = 1,
                                       .devices = number_of(argv[5]) != 0 };
  int r = zl_unpack_start(&options, &u, err);

  if (r == 0)
    r = feed(u, err);
  if (r == 0)
    r = zl_unpack_finish(u, result, err);
  if (r == 0 && argc > FIXED_ARGUMENTS)
    r = fix(image ? u : NULL, staging, argv + FIXED_ARGUMENTS, argc - FIXED_ARGUMENTS,
            result->fixup, err);
  return r;
}

int main(int argc, char **argv)
{
  struct zl_unpack_result result = { .fixup = NULL };
  struct zl_error err = { 0 };
  struct rusage usage;
  json_t *json;
  int r;

  if (argc < FIXED_ARGUMENTS)
    return 2;
  r = unpack(argc, argv, &result, &err);
  (void)getrusage(RUSAGE_CHILDREN, &usage);
  json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:I}", "code",
                   zl_code_name(err.code), "message", err.msg, "diff_id", result.diff_id,
                   "stream_bytes", (json_int_t)result.stream_bytes, "bytes",
                   (json_int_t)result.bytes, "entries", (json_int_t)result.entries, "skipped",
                   (json_int_t)result.skipped, "implicit", (json_int_t)result.n_implicit,
                   "deferred", (json_int_t)result.n_deferred, "root_entry", (int)result.root_entry,
                   "fixup", result.fixup != NULL ? result.fixup : "", "maxrss_kib",
                   (json_int_t)usage.ru_maxrss);
  (void)json_dumpf(json, stdout, JSON_COMPACT);
  json_decref(json);
  zl_unpack_result_done(&result);
  return r < 0 ? 1 : 0;
}
