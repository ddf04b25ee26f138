/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/thread.h"

enum {
  THREAD_STACK = 128 << 10,
  /* Waking a thread costs as much as a file: one is woken for so many, and so many are to be
   * complete before a caller who found no room goes on. */
  BATCH = ZL_SMALL_FILES / 4,
  AT_ONCE = 8 /* files that a thread takes */
};

/* Everything but the threads' own files is under the lock. */
struct zl_file_writer {
  struct zl_live_dirs *dirs;
  pthread_t threads[ZL_FILE_WRITERS];
  size_t started;
  pthread_mutex_t lock;
  pthread_cond_t work, room;
  size_t committed, taken; /* files since the start; the index is modulo ZL_SMALL_FILES */
  size_t waiting;          /* not complete, taken or not */
  size_t wanted;           /* the caller sleeps until no more wait; SIZE_MAX: it does not */
  bool closing;
  struct zl_error error; /* the first; code ZL_OK: none */
  struct zl_small_file files[ZL_SMALL_FILES];
};

static int fail(const struct zl_small_file *file, const char *what, struct zl_error *err)
{
  const int os_error = errno;
  char quoted[ZL_LAYER_QUOTE];

  return zl_fail(err, os_error == EFBIG ? ZL_E_LIMIT : ZL_E_SYSTEM, os_error, "'%s': %s",
                 zl_layer_quote(file->path, quoted), what);
}

static int make_name(struct zl_small_file *file, struct zl_error *err)
{
  file->fd = zl_path_open_in_root(file->dir->fd, zl_layer_path_name(file->path),
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, file->mode & 0777);
  if (file->fd >= 0)
    return 0;
  errno = -file->fd;
  file->fd = -1;
  return fail(file, "making it", err);
}

/* chown clears set-id bits, so it comes first; the time comes last. */
static int fill(const struct zl_small_file *file, struct zl_error *err)
{
  int r = zl_fd_write_full(file->fd, file->data, file->len);

  if (r < 0) {
    errno = -r;
    return fail(file, "writing it", err);
  }
  if (file->set_owner && fchown(file->fd, file->uid, file->gid) < 0)
    return fail(file, "setting its owner", err);
  if (file->set_mode && fchmod(file->fd, file->mode) < 0)
    return fail(file, "setting its mode", err);
  return futimens(file->fd, file->times) < 0 ? fail(file, "setting its time", err) : 0;
}

static int complete(struct zl_live_dirs *dirs, struct zl_small_file *file, struct zl_error *err)
{
  int r = file->fd >= 0 ? fill(file, err) : 0, put;

  if (file->fd >= 0)
    zl_fd_closep(&file->fd);
  put = zl_live_dir_put(dirs, file->dir);
  if (r == 0 && put < 0) {
    errno = -put;
    r = fail(file, "setting the time of its directory", err);
  }
  return r;
}

static struct zl_small_file *file_at(struct zl_file_writer *w, size_t number)
{
  return &w->files[number % ZL_SMALL_FILES];
}

/* The next files, all of one directory; 0: the end. */
static size_t take(struct zl_file_writer *w, size_t *ret_first)
{
  size_t n = 1;

  while (w->committed == w->taken) {
    if (w->closing)
      return 0;
    (void)pthread_cond_wait(&w->work, &w->lock);
  }
  *ret_first = w->taken;
  while (n < AT_ONCE && w->taken + n < w->committed &&
         file_at(w, w->taken + n)->dir == file_at(w, w->taken)->dir)
    n++;
  w->taken += n;
  return n;
}

static void note(struct zl_file_writer *w, int r, const struct zl_error *err)
{
  if (r < 0 && w->error.code == ZL_OK)
    w->error = *err;
}

/* Their names in one go: no other thread has to wait for the directory in between. */
static int make_names(struct zl_file_writer *w, size_t first, size_t n, struct zl_error *err)
{
  pthread_mutex_t *making = &file_at(w, first)->dir->making;
  int r = 0;

  (void)pthread_mutex_lock(making);
  for (size_t i = 0; i < n; i++) {
    file_at(w, first + i)->fd = -1;
    if (r == 0)
      r = make_name(file_at(w, first + i), err);
  }
  (void)pthread_mutex_unlock(making);
  return r;
}

static void *making_thread(void *arg)
{
  struct zl_file_writer *w = arg;
  size_t first, n;

  (void)pthread_mutex_lock(&w->lock);
  while ((n = take(w, &first)) > 0) {
    struct zl_error err = { 0 };
    int r;

    (void)pthread_mutex_unlock(&w->lock);
    r = make_names(w, first, n, &err);
    for (size_t i = 0; i < n; i++) {
      struct zl_error why = { 0 };
      int filled = complete(w->dirs, file_at(w, first + i), &why);

      (void)pthread_mutex_lock(&w->lock);
      note(w, r, &err);
      note(w, filled, &why);
      file_at(w, first + i)->waits = false;
      if (--w->waiting <= w->wanted && w->wanted != SIZE_MAX)
        (void)pthread_cond_signal(&w->room);
      if (i + 1 < n)
        (void)pthread_mutex_unlock(&w->lock);
    }
  }
  (void)pthread_mutex_unlock(&w->lock);
  return NULL;
}

int zl_file_writer_new(struct zl_live_dirs *dirs, struct zl_file_writer **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_file_writer_freep) struct zl_file_writer *w = calloc(1, sizeof(*w));

  if (w == NULL)
    return zl_fail_nomem(err, "the writer of small files");
  w->dirs = dirs;
  w->wanted = SIZE_MAX;
  (void)pthread_mutex_init(&w->lock, NULL);
  (void)pthread_cond_init(&w->work, NULL);
  (void)pthread_cond_init(&w->room, NULL);
  while (w->started < ZL_FILE_WRITERS) {
    int os_error = zl_thread_start(&w->threads[w->started], THREAD_STACK, making_thread, w);

    if (os_error != 0)
      return zl_fail(err, ZL_E_SYSTEM, os_error, "starting a thread that makes files");
    w->started++;
  }
  *ret = zl_steal_ptr(&w);
  return 0;
}

static int first_error(const struct zl_file_writer *w, struct zl_error *err)
{
  if (w->error.code == ZL_OK)
    return 0;
  (void)zl_fail(err, w->error.code, 0, "%s", w->error.msg);
  if (err != NULL)
    err->os_error = w->error.os_error; /* the message names it already */
  return -(int)w->error.code;
}

/* Under the lock: sleeps until at most `most` files wait. */
static void wait_until(struct zl_file_writer *w, size_t most)
{
  w->wanted = most;
  (void)pthread_cond_broadcast(&w->work);
  while (w->waiting > most)
    (void)pthread_cond_wait(&w->room, &w->lock);
  w->wanted = SIZE_MAX;
}

int zl_file_writer_reserve(struct zl_file_writer *w, struct zl_small_file **ret,
                           struct zl_error *err)
{
  size_t most = ZL_SMALL_FILES - BATCH;
  struct zl_small_file *file;
  int r;

  (void)pthread_mutex_lock(&w->lock);
  file = &w->files[w->committed % ZL_SMALL_FILES];
  while (file->waits) { /* by chance one of the others may be complete before it */
    wait_until(w, most);
    most--;
  }
  r = first_error(w, err);
  (void)pthread_mutex_unlock(&w->lock);
  *ret = file;
  return r;
}

void zl_file_writer_commit(struct zl_file_writer *w)
{
  (void)pthread_mutex_lock(&w->lock);
  w->files[w->committed++ % ZL_SMALL_FILES].waits = true;
  w->waiting++;
  if ((w->committed - w->taken) % BATCH == 0)
    (void)pthread_cond_signal(&w->work);
  (void)pthread_mutex_unlock(&w->lock);
}

int zl_file_writer_drain(struct zl_file_writer *w, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&w->lock);
  if (w->waiting > 0)
    wait_until(w, 0);
  r = first_error(w, err);
  (void)pthread_mutex_unlock(&w->lock);
  return r;
}

void zl_file_writer_free(struct zl_file_writer *w)
{
  if (w == NULL)
    return;
  (void)pthread_mutex_lock(&w->lock);
  w->closing = true;
  (void)pthread_cond_broadcast(&w->work);
  (void)pthread_mutex_unlock(&w->lock);
  for (size_t i = 0; i < w->started; i++)
    (void)pthread_join(w->threads[i], NULL);
  (void)pthread_cond_destroy(&w->work);
  (void)pthread_cond_destroy(&w->room);
  (void)pthread_mutex_destroy(&w->lock);
  free(w);
}
