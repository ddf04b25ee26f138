/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_flush.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/strv.h"
#include "image/layer_meta.h"

enum {
  BATCH = 64 /* layers, whose directories are open at once */
};

static bool is_layer(const char *name)
{
  return name[0] != '.' && !zl_has_prefix(name, "tmp-") && !zl_has_prefix(name, "lock-");
}

static void close_dir(DIR **dir)
{
  if (*dir != NULL)
    (void)closedir(*dir);
}

/* The directories of pending layers, as many as are flushed at a time. */
struct batch {
  int fds[BATCH];
  size_t n;
};

static int open_pending(int layers_fd, struct batch *ret)
{
  zl_autofd fd = zl_fd_open(layers_fd, ".", O_RDONLY | O_DIRECTORY, 0);
  ZL_CLEANUP(close_dir) DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  const struct dirent *entry;

  *ret = (struct batch){ .n = 0 };
  if (dir == NULL) {
    int r = fd < 0 ? fd : -errno;

    fd = fd < 0 ? -1 : fd;
    return r;
  }
  (void)zl_steal_fd(&fd);
  while (ret->n < BATCH && (entry = readdir(dir)) != NULL) {
    zl_autofd layer = -1;

    if (!is_layer(entry->d_name))
      continue;
    layer = openat(layers_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (layer >= 0 && zl_layer_trust(layer) == ZL_LAYER_PENDING)
      ret->fds[ret->n++] = zl_steal_fd(&layer);
  }
  return 0;
}

static int flush(int layers_fd)
{
  if (ZL_FAULT("image.flush"))
    return -EIO;
  return syncfs(layers_fd) < 0 ? -errno : 0;
}

/* 0 or -errno. A layer may have been removed by now. */
static int mark(struct batch *batch, bool flushed)
{
  int first = 0;

  for (size_t i = 0; i < batch->n; i++) {
    int r = 0;

    if (flushed)
      r = zl_layer_set_flushed(batch->fds[i]);
    else
      zl_layer_set_void(batch->fds[i]);
    if (r < 0 && r != -ENOENT && first == 0)
      first = r;
    zl_fd_closep(&batch->fds[i]);
  }
  return first;
}

int zl_layers_flush(int layers_fd, struct zl_error *err)
{
  struct batch batch;
  bool any = false;

  do {
    int r = open_pending(layers_fd, &batch), marked;

    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "looking for layers to flush");
    if (batch.n > 0)
      r = flush(layers_fd);
    marked = mark(&batch, r == 0);
    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "flushing layers");
    if (marked < 0)
      return zl_fail(err, ZL_E_SYSTEM, -marked, "marking flushed layers");
    any = any || batch.n > 0;
  } while (batch.n == BATCH);
  /* The marks themselves, and the rows of the image. That failing, the layers are pulled again. */
  if (any)
    (void)syncfs(layers_fd);
  return 0;
}
