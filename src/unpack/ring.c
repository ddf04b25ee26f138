/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/ring.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct zl_ring {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  size_t committed; /* chunks since the start; the index is modulo ZL_RING_CHUNKS */
  size_t released;
  bool reading; /* the consumer holds the chunk `released` */
  bool closed;
  struct zl_error error; /* of the producer; code ZL_OK: none */
  size_t len[ZL_RING_CHUNKS];
  uint8_t bytes[ZL_RING_CHUNKS][ZL_RING_CHUNK];
};

int zl_ring_new(struct zl_ring **ret, struct zl_error *err)
{
  struct zl_ring *ring = calloc(1, sizeof(*ring));

  if (ring == NULL)
    return zl_fail_nomem(err, "ring of chunks");
  (void)pthread_mutex_init(&ring->lock, NULL);
  (void)pthread_cond_init(&ring->changed, NULL);
  *ret = ring;
  return 0;
}

void zl_ring_free(struct zl_ring *ring)
{
  if (ring == NULL)
    return;
  (void)pthread_cond_destroy(&ring->changed);
  (void)pthread_mutex_destroy(&ring->lock);
  free(ring);
}

uint8_t *zl_ring_reserve(struct zl_ring *ring)
{
  size_t at;

  (void)pthread_mutex_lock(&ring->lock);
  while (ring->committed - ring->released == ZL_RING_CHUNKS)
    (void)pthread_cond_wait(&ring->changed, &ring->lock);
  at = ring->committed % ZL_RING_CHUNKS;
  (void)pthread_mutex_unlock(&ring->lock);
  return ring->bytes[at];
}

void zl_ring_commit(struct zl_ring *ring, size_t len)
{
  (void)pthread_mutex_lock(&ring->lock);
  ring->len[ring->committed % ZL_RING_CHUNKS] = len;
  ring->committed++;
  (void)pthread_cond_signal(&ring->changed);
  (void)pthread_mutex_unlock(&ring->lock);
}

void zl_ring_close(struct zl_ring *ring, const struct zl_error *error)
{
  (void)pthread_mutex_lock(&ring->lock);
  ring->closed = true;
  if (error != NULL)
    ring->error = *error;
  (void)pthread_cond_signal(&ring->changed);
  (void)pthread_mutex_unlock(&ring->lock);
}

int zl_ring_next(struct zl_ring *ring, const uint8_t **ret_bytes, size_t *ret_len,
                 struct zl_error *err)
{
  int r = 0;

  (void)pthread_mutex_lock(&ring->lock);
  if (ring->reading) {
    ring->reading = false;
    ring->released++;
    (void)pthread_cond_signal(&ring->changed);
  }
  while (ring->committed == ring->released && !ring->closed)
    (void)pthread_cond_wait(&ring->changed, &ring->lock);
  if (ring->error.code != ZL_OK) {
    r = zl_fail(err, ring->error.code, 0, "%s", ring->error.msg);
  } else if (ring->committed != ring->released) {
    ring->reading = true;
    *ret_bytes = ring->bytes[ring->released % ZL_RING_CHUNKS];
    *ret_len = ring->len[ring->released % ZL_RING_CHUNKS];
    r = 1;
  }
  (void)pthread_mutex_unlock(&ring->lock);
  return r;
}
