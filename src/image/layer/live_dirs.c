/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/live_dirs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"

static struct zl_live_dir *find(const struct zl_live_dirs *dirs, const struct stat *st)
{
  struct zl_live_dir *dir = dirs->first;

  while (dir != NULL && (dir->st.st_ino != st->st_ino || dir->st.st_dev != st->st_dev))
    dir = dir->next;
  return dir;
}

/* Under the lock, so that a time which has not been put back yet is never taken for the
 * directory's own. */
static int take(struct zl_live_dirs *dirs, int *fd, struct zl_live_dir **ret, struct zl_error *err)
{
  struct zl_live_dir *dir;
  struct stat st;

  if (fstat(*fd, &st) < 0)
    return zl_fail_errno(err, "looking at a directory");
  dir = find(dirs, &st);
  if (dir == NULL) {
    dir = malloc(sizeof(*dir));
    if (dir == NULL)
      return zl_fail_nomem(err, "a directory");
    *dir = (struct zl_live_dir){ .fd = zl_steal_fd(fd), .st = st, .next = dirs->first };
    (void)pthread_mutex_init(&dir->making, NULL);
    dirs->first = dir;
  }
  dir->refs++;
  *ret = dir;
  return 0;
}

int zl_live_dir_take(struct zl_live_dirs *dirs, int fd, struct zl_live_dir **ret,
                     struct zl_error *err)
{
  zl_autofd owned = fd;
  int r;

  (void)pthread_mutex_lock(&dirs->lock);
  r = take(dirs, &owned, ret, err);
  (void)pthread_mutex_unlock(&dirs->lock);
  return r;
}

void zl_live_dir_ref(struct zl_live_dirs *dirs, struct zl_live_dir *dir)
{
  (void)pthread_mutex_lock(&dirs->lock);
  dir->refs++;
  (void)pthread_mutex_unlock(&dirs->lock);
}

/* Nobody else has it any more. */
static int end(struct zl_live_dirs *dirs, struct zl_live_dir *dir)
{
  const struct timespec times[2] = { dir->st.st_atim, dir->st.st_mtim };
  struct zl_live_dir **at = &dirs->first;
  int r = futimens(dir->fd, times) < 0 ? -errno : 0;

  while (*at != dir)
    at = &(*at)->next;
  *at = dir->next;
  zl_fd_closep(&dir->fd);
  (void)pthread_mutex_destroy(&dir->making);
  free(dir);
  return r;
}

int zl_live_dir_put(struct zl_live_dirs *dirs, struct zl_live_dir *dir)
{
  int r = 0;

  (void)pthread_mutex_lock(&dirs->lock);
  if (--dir->refs == 0)
    r = end(dirs, dir);
  (void)pthread_mutex_unlock(&dirs->lock);
  return r;
}
