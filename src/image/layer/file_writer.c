/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/file_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

enum {
  THREAD_STACK = 128 << 10,
  BATCH = ZL_SMALL_FILES / 4 /* a sleeping thread is woken for so many: that costs as much as one */
};

struct zl_file_writer {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t work, room;
  size_t committed, completed; /* files since the start; the index is modulo ZL_SMALL_FILES */
  bool hurry;                  /* somebody waits for the last one */
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

static int write_content(const struct zl_small_file *file, struct zl_error *err)
{
  int r = zl_fd_write_full(file->fd, file->data, file->len);

  errno = -r;
  return r < 0 ? fail(file, "writing it", err) : 0;
}

/* chown clears set-id bits, so it comes first; the time comes last. */
static int complete(const struct zl_small_file *file, struct zl_error *err)
{
  int r = write_content(file, err);

  if (r < 0)
    return r;
  if (file->set_owner && fchown(file->fd, file->uid, file->gid) < 0)
    return fail(file, "setting its owner", err);
  if (file->set_mode && fchmod(file->fd, file->mode) < 0)
    return fail(file, "setting its mode", err);
  return futimens(file->fd, file->times) < 0 ? fail(file, "setting its time", err) : 0;
}

/* Files that wait; false: the end. */
static bool wait_for_work(struct zl_file_writer *w, size_t *ret_first, size_t *ret_end)
{
  (void)pthread_mutex_lock(&w->lock);
  while (w->committed - w->completed < BATCH && !w->closing &&
         !(w->hurry && w->committed > w->completed))
    (void)pthread_cond_wait(&w->work, &w->lock);
  *ret_first = w->completed;
  *ret_end = w->committed;
  (void)pthread_mutex_unlock(&w->lock);
  return *ret_first != *ret_end;
}

static void *writing_thread(void *arg)
{
  struct zl_file_writer *w = arg;
  size_t first, end;

  while (wait_for_work(w, &first, &end)) {
    for (; first < end; first++) {
      struct zl_small_file *file = &w->files[first % ZL_SMALL_FILES];
      struct zl_error err = { 0 };
      int r = complete(file, &err);

      zl_fd_closep(&file->fd);
      (void)pthread_mutex_lock(&w->lock);
      if (r < 0 && w->error.code == ZL_OK)
        w->error = err;
      w->completed++;
      (void)pthread_cond_signal(&w->room);
      (void)pthread_mutex_unlock(&w->lock);
    }
  }
  return NULL;
}

int zl_file_writer_new(struct zl_file_writer **ret, struct zl_error *err)
{
  struct zl_file_writer *w = calloc(1, sizeof(*w));
  pthread_attr_t attr;
  int os_error;

  if (w == NULL)
    return zl_fail_nomem(err, "the writer of small files");
  (void)pthread_mutex_init(&w->lock, NULL);
  (void)pthread_cond_init(&w->work, NULL);
  (void)pthread_cond_init(&w->room, NULL);
  (void)pthread_attr_init(&attr);
  (void)pthread_attr_setstacksize(&attr, THREAD_STACK);
  os_error = pthread_create(&w->thread, &attr, writing_thread, w);
  (void)pthread_attr_destroy(&attr);
  if (os_error != 0) {
    free(w);
    return zl_fail(err, ZL_E_SYSTEM, os_error, "starting the writing thread");
  }
  *ret = w;
  return 0;
}

/* Until at most `most` files wait. */
static int wait_for_room(struct zl_file_writer *w, size_t most, struct zl_error *err)
{
  int r = 0;

  (void)pthread_mutex_lock(&w->lock);
  w->hurry = w->committed - w->completed > most;
  if (w->hurry)
    (void)pthread_cond_signal(&w->work);
  while (w->committed - w->completed > most)
    (void)pthread_cond_wait(&w->room, &w->lock);
  w->hurry = false;
  if (w->error.code != ZL_OK) {
    r = zl_fail(err, w->error.code, 0, "%s", w->error.msg);
    if (err != NULL)
      err->os_error = w->error.os_error; /* the message names it already */
  }
  (void)pthread_mutex_unlock(&w->lock);
  return r;
}

int zl_file_writer_reserve(struct zl_file_writer *w, struct zl_small_file **ret,
                           struct zl_error *err)
{
  int r = wait_for_room(w, ZL_SMALL_FILES - 1, err);

  if (r == 0)
    *ret = &w->files[w->committed % ZL_SMALL_FILES];
  return r;
}

void zl_file_writer_commit(struct zl_file_writer *w)
{
  (void)pthread_mutex_lock(&w->lock);
  w->committed++;
  if (w->committed - w->completed == BATCH)
    (void)pthread_cond_signal(&w->work);
  (void)pthread_mutex_unlock(&w->lock);
}

int zl_file_writer_drain(struct zl_file_writer *w, struct zl_error *err)
{
  return wait_for_room(w, 0, err);
}

void zl_file_writer_free(struct zl_file_writer *w)
{
  if (w == NULL)
    return;
  (void)pthread_mutex_lock(&w->lock);
  w->closing = true;
  (void)pthread_cond_signal(&w->work);
  (void)pthread_mutex_unlock(&w->lock);
  (void)pthread_join(w->thread, NULL);
  (void)pthread_cond_destroy(&w->work);
  (void)pthread_cond_destroy(&w->room);
  (void)pthread_mutex_destroy(&w->lock);
  free(w);
}
