/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/stream.h"

#include <stdatomic.h>

enum {
  BROKEN_PIPE = 109,
  IO_PENDING = 997,
  MAX_TURN = 1 << 20
};

struct pipe {
  const struct zl_hcs_api *api;
  zl_handle handle, reading, writing; /* the pipe; events of an operation in each direction */
  atomic_bool stopped;
};

/* After an operation was begun: its bytes, or negative. */
static int64_t finish_operation(struct pipe *p, int begun, struct zl_win_overlapped *wait)
{
  uint32_t done = 0;

  if (!begun && p->api->GetLastError() != IO_PENDING)
    return -1;
  if (atomic_load(&p->stopped)) /* stop may have come before there was anything to be cancelled */
    (void)p->api->CancelIoEx(p->handle, wait);
  return p->api->GetOverlappedResult(p->handle, wait, &done, 1) ? (int64_t)done : -1;
}

static int pipe_read(void *ctx, void *data, size_t len, struct zl_error *err)
{
  struct pipe *p = ctx;
  struct zl_win_overlapped wait = { .event = p->reading };
  int64_t got = -1;

  if (!atomic_load(&p->stopped))
    got = finish_operation(
        p,
        p->api->ReadFile(p->handle, data, len < MAX_TURN ? (uint32_t)len : MAX_TURN, NULL, &wait),
        &wait);
  if (got >= 0)
    return (int)got;
  if (atomic_load(&p->stopped))
    return zl_fail(err, ZL_E_CANCELLED, 0, "reading of a process's pipe was stopped");
  return p->api->GetLastError() == BROKEN_PIPE ? 0
                                               : zl_hcs_fail_last(p->api, err, "reading a pipe");
}

static int pipe_write(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct pipe *p = ctx;
  const char *at = data;

  while (len > 0) {
    struct zl_win_overlapped wait = { .event = p->writing };
    int64_t put = finish_operation(
        p, p->api->WriteFile(p->handle, at, len < MAX_TURN ? (uint32_t)len : MAX_TURN, NULL, &wait),
        &wait);

    if (put <= 0)
      return zl_hcs_fail_last(p->api, err, "writing to a pipe");
    at += put;
    len -= (size_t)put;
  }
  return 0;
}

static void pipe_stop(void *ctx)
{
  struct pipe *p = ctx;

  atomic_store(&p->stopped, true);
  (void)p->api->CancelIoEx(p->handle, NULL);
}

static void close_handle(const struct zl_hcs_api *api, zl_handle handle)
{
  if (handle != NULL)
    (void)api->CloseHandle(handle);
}

static void pipe_free(struct pipe *p)
{
  close_handle(p->api, p->handle);
  close_handle(p->api, p->reading);
  close_handle(p->api, p->writing);
  free(p);
}

static void pipe_close(void *ctx)
{
  pipe_free(ctx);
}

/* The end of a pipe is its closing; the process is told by zl_hcs_proc_close_stream. */
static void pipe_finish(void *ctx)
{
  struct pipe *p = ctx;

  close_handle(p->api, p->handle);
  p->handle = NULL;
}

int zl_hcs_stream_new(const struct zl_hcs_api *api, zl_handle pipe, struct zl_byte_stream *ret,
                      struct zl_error *err)
{
  struct pipe *p = calloc(1, sizeof(*p));
  int r;

  if (p == NULL)
    return zl_fail_nomem(err, "a pipe");
  p->api = api;
  p->reading = api->CreateEventW(NULL, 1, 0, NULL);
  p->writing = p->reading != NULL ? api->CreateEventW(NULL, 1, 0, NULL) : NULL;
  if (p->writing == NULL) {
    r = zl_hcs_fail_last(api, err, "making the events of a pipe");
    pipe_free(p);
    return r;
  }
  p->handle = pipe;
  *ret = (struct zl_byte_stream){ .ctx = p,
                                  .read = pipe_read,
                                  .write = pipe_write,
                                  .finish = pipe_finish,
                                  .stop = pipe_stop,
                                  .close = pipe_close };
  return 0;
}
