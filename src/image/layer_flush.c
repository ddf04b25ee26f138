/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer_flush.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/dir.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/strv.h"
#include "image/layer_store.h"

enum {
  BATCH = 64 /* layers, whose directories are open at once */
};

static bool is_layer(const char *name)
{
  return name[0] != '.' && !zl_has_prefix(name, "tmp-") && !zl_has_prefix(name, "lock-") &&
         !zl_has_prefix(name, ZL_LAYER_ASIDE);
}

/* The directories of pending layers, as many as are flushed at a time. */
struct batch {
  int fds[BATCH];
  size_t n;
  bool more; /* there may be others */
};

/* 0 or -errno. */
static int add_if_pending(int layers_fd, const char *name, struct batch *batch)
{
  zl_autofd layer = openat(layers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (layer < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
  if (zl_layer_trust(layer) == ZL_LAYER_PENDING)
    batch->fds[batch->n++] = zl_steal_fd(&layer);
  return 0;
}

static int read_names(int layers_fd, DIR *dir, struct batch *batch)
{
  const struct dirent *entry;
  int r = 0;

  while (r == 0 && batch->n < BATCH) {
    errno = 0;
    entry = readdir(dir);
    if (entry == NULL)
      return -errno;
    if (is_layer(entry->d_name))
      r = add_if_pending(layers_fd, entry->d_name, batch);
  }
  batch->more = true;
  return batch->n > 0 ? 0 : r; /* out of descriptors: those first */
}

static int open_pending(int layers_fd, struct batch *ret)
{
  zl_autodir *dir = zl_dir_open(layers_fd, ".");

  *ret = (struct batch){ .n = 0 };
  return dir != NULL ? read_names(layers_fd, dir, ret) : -errno;
}

int zl_layers_open_for_flush(int layers_fd)
{
  return zl_fd_open(layers_fd, ".", O_RDONLY | O_DIRECTORY, 0);
}

static int flush(int flush_fd)
{
  const int fault = ZL_FAULT("image.flush");

  if (fault != 0)
    return -fault;
  return syncfs(flush_fd) < 0 ? -errno : 0;
}

/* Whether the kernel says that something was not written, and will not say it again. */
static bool is_loss(int r)
{
  return r == -EIO || r == -ENOSPC || r == -EDQUOT;
}

/* How many are pending no more. */
static size_t mark(struct batch *batch, int flushed)
{
  size_t done = 0;

  for (size_t i = 0; i < batch->n; i++) {
    if (flushed == 0)
      zl_layer_set_flushed(batch->fds[i]);
    else if (is_loss(flushed))
      (void)zl_layer_set_void(batch->fds[i]);
    done += zl_layer_trust(batch->fds[i]) != ZL_LAYER_PENDING ? 1 : 0;
    zl_fd_closep(&batch->fds[i]);
  }
  return done;
}

int zl_layers_flush(int flush_fd, struct zl_error *err)
{
  struct batch batch;
  bool any = false;
  size_t done;

  do {
    int r = open_pending(flush_fd, &batch);

    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "looking for layers to flush");
    r = batch.n > 0 ? flush(flush_fd) : 0;
    done = mark(&batch, r);
    if (r < 0)
      return zl_fail(err, ZL_E_SYSTEM, -r, "flushing layers");
    if (done < batch.n)
      return zl_fail(err, ZL_E_SYSTEM, 0, "%zu flushed layers cannot be marked as such",
                     batch.n - done);
    any = any || batch.n > 0;
  } while (batch.more);
  /* The marks themselves, and the rows of the image. That failing, the layers are pulled again. */
  if (any)
    (void)syncfs(flush_fd);
  return 0;
}
