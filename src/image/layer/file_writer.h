/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes small files in threads of their own: name, content, owner, mode, time. What they cost is
 * the kernel's work, and it can do it for several at once.
 *
 * In no order: the caller sees to it that nothing has the name of a file, and that nothing it does
 * itself needs a file that still waits. zl_file_writer_drain ends all doubts.
 */
#ifndef ZL_IMAGE_LAYER_FILE_WRITER_H
#define ZL_IMAGE_LAYER_FILE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "image/layer/layer_path.h"
#include "image/layer/live_dirs.h"

enum {
  ZL_SMALL_FILE = 32 << 10, /* the most content that is handed over */
  ZL_SMALL_FILES = 64,      /* that wait: 2 MiB of content, at most as many directories */
  ZL_FILE_WRITERS = 2       /* threads */
};

struct zl_small_file {
  bool waits;              /* the writer's own: handed over, not complete */
  int fd;                  /* its own as well */
  struct zl_live_dir *dir; /* a reference, which the thread gives back */
  bool set_owner, set_mode;
  uint32_t uid, gid, mode;
  struct timespec times[2];
  size_t len;
  char path[ZL_LAYER_PATH]; /* its last name is the name in `dir`; the rest is for messages */
  uint8_t data[ZL_SMALL_FILE];
};

struct zl_file_writer;

/* Starts the threads. `dirs` must outlive them. */
int zl_file_writer_new(struct zl_live_dirs *dirs, struct zl_file_writer **ret,
                       struct zl_error *err);

/* The next file, to be filled by the caller; blocks while as many as may wait do. Or the threads'
 * first error. */
int zl_file_writer_reserve(struct zl_file_writer *writer, struct zl_small_file **ret,
                           struct zl_error *err);
/* Hands the reserved file over. Without this the same one is reserved again. */
void zl_file_writer_commit(struct zl_file_writer *writer);
/* Waits until all are complete. Cheap when they are. */
int zl_file_writer_drain(struct zl_file_writer *writer, struct zl_error *err);

/* Ends the threads; what waits is completed before. Accepts NULL. */
void zl_file_writer_free(struct zl_file_writer *writer);
ZL_DEFINE_CLEANUP(struct zl_file_writer, zl_file_writer_free)

#endif
