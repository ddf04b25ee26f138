/* SPDX-License-Identifier: Apache-2.0
 *
 * One epoll instance. A source is embedded in what it serves and may be removed, and its owner
 * freed, from any callback: events are fetched one at a time.
 */
#ifndef ZL_SHIM_LOOP_H
#define ZL_SHIM_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

struct source {
  int fd; /* -1: not in the loop; borrowed */
  uint32_t events;
  void (*ready)(struct source *source, uint32_t events);
};

#define SOURCE_INIT \
  {                 \
    .fd = -1        \
  }

struct loop {
  int epoll_fd;
  void (*idle)(void); /* called once each time nothing has happened for a while; NULL: nothing */
  bool was_idle;
};

int loop_open(struct loop *loop, struct zl_error *err);
void loop_close(struct loop *loop);

/* Adds `fd` with EPOLL* events; EPOLLERR and EPOLLHUP always come. */
int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events,
             void (*ready)(struct source *source, uint32_t events), struct zl_error *err);
/* No-op for a source that is not in the loop. */
void loop_change(struct loop *loop, struct source *source, uint32_t events);
void loop_remove(struct loop *loop, struct source *source);

/* Blocks for one event and serves it, or for the while after which the loop is idle. */
int loop_turn(struct loop *loop, struct zl_error *err);

/* The object of type `type` whose member `member` is `ptr`. */
#define container_of(ptr, type, member) \
  ((type *)(void *)((char *)(ptr) - __builtin_offsetof(type, member)))

#endif
