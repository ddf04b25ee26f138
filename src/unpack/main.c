/* SPDX-License-Identifier: Apache-2.0
 *
 * zlayer-unpack COMPRESSION DIGEST MAX_BYTES MAX_ENTRIES RESERVE_BYTES DEVICES KIND
 *   descriptor 0: the compressed layer; 3: the staging directory; 4: where the report goes; for
 * KIND "erofs" 5: the image file; 6: the archive of what lower layers give; 7: where the answer to
 *   that goes. KIND "plain" decompresses into 5, which is no layer.
 * zlayer-unpack flush
 *   flush.c: brings what was published to the disk.
 *
 * Not for people: zl_unpack_start runs one for every layer. It has no orders but these, and ends
 * when its input ends, which the death of the caller brings about as well. (A parent-death signal
 * would come when the thread that started it ends, and threads of a library come and go.)
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/strv.h"
#include "unpack/flush.h"
#include "unpack/pipeline.h"
#include "unpack/report.h"
#include "unpack/sandbox.h"

enum {
  INPUT_FD = 0,
  STAGING_FD = 3,
  REPORT_FD = 4,
  IMAGE_FD = 5,
  FIX_FD = 6,
  ANSWER_FD = 7,
  ARGUMENTS = 8
};

static int parse_compression(const char *text, enum zl_compression *ret, struct zl_error *err)
{
  for (int c = ZL_COMPRESSION_NONE; c <= ZL_COMPRESSION_AUTO; c++)
    if (strcmp(text, zl_compression_name((enum zl_compression)c)) == 0) {
      *ret = (enum zl_compression)c;
      return 0;
    }
  return zl_fail(err, ZL_E_INVALID, 0, "unknown compression '%.32s'", text);
}

static int parse_arguments(int argc, char **argv, struct zl_pipeline_options *o,
                           struct zl_error *err)
{
  uint64_t devices = 0;
  int r;

  if (argc != ARGUMENTS)
    return zl_fail(err, ZL_E_INVALID, 0, "zlayer-unpack is started by zlayer, not by hand");
  r = parse_compression(argv[1], &o->compression, err);
  if (r < 0)
    return r;
  o->diff_alg = strcmp(argv[2], "sha512") == 0 ? ZL_SHA512 : ZL_SHA256;
  if (!zl_parse_u64(argv[3], INT64_MAX, &o->max_bytes) ||
      !zl_parse_u64(argv[4], INT64_MAX, &o->max_entries) ||
      !zl_parse_u64(argv[5], INT64_MAX, &o->reserve_bytes) || !zl_parse_u64(argv[6], 1, &devices))
    return zl_fail(err, ZL_E_INVALID, 0, "a limit is not a number");
  o->devices = devices != 0;
  o->plain = strcmp(argv[7], "plain") == 0;
  o->image_fd = o->plain || strcmp(argv[7], "erofs") == 0 ? IMAGE_FD : -1;
  return 0;
}

static int check_staging(int image_fd, struct zl_error *err)
{
  struct stat st;

  if (fstat(STAGING_FD, &st) < 0 || !S_ISDIR(st.st_mode))
    return zl_fail(err, ZL_E_INVALID, 0, "descriptor %d is not a directory", STAGING_FD);
  if (image_fd >= 0 && (fstat(image_fd, &st) < 0 || !S_ISREG(st.st_mode)))
    return zl_fail(err, ZL_E_INVALID, 0, "descriptor %d is not a file", image_fd);
  return 0;
}

/* Capabilities, paths, resources, threads, system calls. */
static int enter_sandbox(const struct zl_pipeline_options *o, struct zl_pipeline *pipeline,
                         struct zl_error *err)
{
  const struct zl_sandbox_options sandbox = { .root_fd = STAGING_FD,
                                              .file_size = o->max_bytes,
                                              .devices = o->devices,
                                              .image = o->image_fd >= 0 };
  int r;

  zl_report_prepare();
  r = zl_sandbox_enter(&sandbox, err);
  if (r == 0)
    r = zl_pipeline_start(pipeline, err);
  return r < 0 ? r : zl_sandbox_filter(sandbox.image, err);
}

/* The second act of an image that leans on lower layers. Its failure is not the first one's. */
static int run_fix(struct zl_pipeline *pipeline)
{
  struct zl_error err = { 0 };
  int r;

  (void)close(REPORT_FD); /* its end is the sign to go on */
  r = zl_pipeline_fix(pipeline, FIX_FD, &err);
  if (r == 0)
    r = zl_report_fixed(ANSWER_FD, &err);
  else
    zl_report_failure(ANSWER_FD, &err);
  return r;
}

static int run(int argc, char **argv, bool *ret_reported, struct zl_error *err)
{
  struct zl_pipeline_options options = { .input_fd = INPUT_FD,
                                         .staging_fd = STAGING_FD,
                                         .engine = getenv("ZLAYER_INFLATE") };
  struct zl_buf notes = ZL_BUF_INIT(ZL_MAX_UNPACK_RESULT - ZL_MAX_SMALL_FILE);
  struct zl_pipeline_result result = { .pending = false };
  struct zl_pipeline *pipeline = NULL;
  int r = parse_arguments(argc, argv, &options, err);

  if (r == 0)
    r = check_staging(options.image_fd, err);
  if (r == 0)
    r = zl_pipeline_new(&options, &pipeline, err);
  if (r == 0)
    r = enter_sandbox(&options, pipeline, err);
  if (r == 0)
    r = zl_pipeline_run(pipeline, &result, &notes, err);
  if (r == 0)
    r = zl_report_result(REPORT_FD, &result, &notes, err);
  if (r < 0 || !result.pending)
    return r;
  *ret_reported = true;
  return run_fix(pipeline);
}

/* Nothing is freed: the decoding thread may still be running, and the end is near. */
int main(int argc, char **argv)
{
  struct zl_error err = { 0 };
  bool reported = false;

  if (argc == 2 && strcmp(argv[1], "flush") == 0)
    _exit(zl_unpack_flush());
  if (run(argc, argv, &reported, &err) == 0)
    _exit(0);
  if (!reported)
    zl_report_failure(REPORT_FD, &err);
  _exit(1);
}
