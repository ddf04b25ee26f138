/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories that files are being made in, by several threads: each has one descriptor and one
 * memory of its own time, which the files change, and which is put back with the last reference.
 */
#ifndef ZL_IMAGE_LAYER_LIVE_DIRS_H
#define ZL_IMAGE_LAYER_LIVE_DIRS_H

#include <pthread.h>
#include <stddef.h>
#include <sys/stat.h>
#include <zlayer/error.h>

struct zl_live_dir {
  int fd;
  struct stat st; /* as it was before anything was made in it */
  size_t refs;    /* under the list's lock */
  struct zl_live_dir *next;
  pthread_mutex_t making; /* for threads that make names in it: the kernel lets one do so, and has
                             the others spin */
};

struct zl_live_dirs {
  pthread_mutex_t lock;
  struct zl_live_dir *first;
};

#define ZL_LIVE_DIRS_INIT             \
  {                                   \
    .lock = PTHREAD_MUTEX_INITIALIZER \
  }

/* A reference to the directory that `fd`, which is taken over, is open at: under whatever path it
 * was opened, two references at a time are to the same object. */
int zl_live_dir_take(struct zl_live_dirs *dirs, int fd, struct zl_live_dir **ret,
                     struct zl_error *err);
/* One more. */
void zl_live_dir_ref(struct zl_live_dirs *dirs, struct zl_live_dir *dir);
/* One less. The last one puts the time back: 0 or a negative errno. */
int zl_live_dir_put(struct zl_live_dirs *dirs, struct zl_live_dir *dir);

#endif
