/* SPDX-License-Identifier: Apache-2.0
 *
 * Named pipes of messages. A thread for each connection reads; it takes the client's handles out of
 * the client's process, and waits until the loop has done with one message before it reads the
 * next. It owns the pipe, so that nobody closes it under a call.
 */
#include "shim/conn_io.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/win32/handle.h"
#include "base/win32/pipe.h"
#include "shim/win32/loop.h"

#define FILE_NAME "control"

enum {
  SEND_MS = 2000 /* a client that does not read for so long loses its connection */
};

struct conn_reader {
  struct shim *shim;
  uint64_t serial;
  int fd;       /* of the pipe */
  HANDLE stop;  /* an event */
  HANDLE peer;  /* the client's process; NULL: it gives and gets no handles */
  char *text;   /* ZL_MAX_CONTROL_MSG and a NUL */
  size_t len;   /* of the message; 0: the client has gone */
  int too_long; /* it did not fit */
};

static void reader_free(struct conn_reader *reader)
{
  zl_fd_closep(&reader->fd);
  if (reader->stop != NULL)
    (void)CloseHandle(reader->stop);
  if (reader->peer != NULL)
    (void)CloseHandle(reader->peer);
  free(reader->text);
  free(reader);
}

/* ---- Handles ---- */

/* A handle of the client as a descriptor of ours; -1. */
static int take_handle(const struct conn_reader *reader, HANDLE theirs)
{
  HANDLE ours;

  if (reader->peer == NULL || !DuplicateHandle(reader->peer, theirs, GetCurrentProcess(), &ours, 0,
                                               FALSE, DUPLICATE_SAME_ACCESS))
    return -1;
  return zl_handle_to_fd(ours, O_RDWR);
}

static int take_handles(const struct conn_reader *reader, json_t *json, struct request *request,
                        struct zl_error *err)
{
  const json_t *handles = json_object_get(json, "handles");
  size_t n = json_array_size(handles);

  if (n > ZL_MAX_CONTROL_FDS)
    return zl_fail(err, ZL_E_LIMIT, 0, "a request with too many descriptors");
  for (size_t i = 0; i < n; i++) {
    int fd = take_handle(reader, (HANDLE)(intptr_t)json_integer_value(json_array_get(handles, i)));

    if (fd < 0)
      return zl_fail(err, ZL_E_INVALID, 0, "handle %zu of the request is none of the client's", i);
    request->fds[request->n_fds++] = fd;
  }
  (void)json_object_del(json, "handles");
  return 0;
}

/* Numbers that are good in the client's process. */
static json_t *give_handles(const struct conn_reader *reader, const int *fds, size_t n_fds)
{
  json_t *list = json_array();

  for (size_t i = 0; i < n_fds; i++) {
    HANDLE theirs;

    if (reader->peer == NULL ||
        !DuplicateHandle(GetCurrentProcess(), zl_handle_of(fds[i]), reader->peer, &theirs, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
      json_decref(list);
      return NULL;
    }
    (void)json_array_append_new(list, json_integer((json_int_t)(intptr_t)theirs));
  }
  return list;
}

/* ---- Messages out ---- */

static char *with_handles(const struct conn_reader *reader, const char *message, size_t len,
                          const int *fds, size_t n_fds)
{
  zl_autojson *json = NULL;
  json_t *handles = give_handles(reader, fds, n_fds);
  char *text = NULL;

  if (zl_json_parse(message, len, "reply", &json, NULL) == 0 && handles != NULL &&
      json_object_set(json, "handles", handles) == 0)
    text = json_dumps(json, JSON_COMPACT);
  json_decref(handles);
  return text;
}

int conn_io_send(struct conn *conn, const char *message, size_t len, const int *fds, size_t n_fds)
{
  struct conn_reader *reader = conn->reader;
  zl_autofree char *text = NULL;
  int r;

  if (reader == NULL)
    return -1;
  if (n_fds > 0) {
    text = with_handles(reader, message, len, fds, n_fds);
    len = text != NULL ? strlen(text) : 0;
  }
  r = n_fds > 0 && text == NULL
          ? -EIO
          : zl_pipe_send(zl_handle_of(reader->fd), text != NULL ? text : message, len, SEND_MS);
  if (r == 0)
    return 0;
  (void)SetEvent(reader->stop);
  return -1;
}

/* ---- Messages in ---- */

static int understand(const struct conn_reader *reader, char **ret_text, struct request *request,
                      struct zl_error *err)
{
  zl_autojson *json = NULL;
  int r = reader->too_long
              ? zl_fail(err, ZL_E_LIMIT, 0, "a request of more than %d bytes", ZL_MAX_CONTROL_MSG)
              : zl_json_parse(reader->text, reader->len, "request", &json, err);

  if (r == 0)
    r = take_handles(reader, json, request, err);
  if (r < 0)
    return r;
  *ret_text = json_dumps(json, JSON_COMPACT);
  return *ret_text != NULL ? 0 : zl_fail_nomem(err, "request");
}

/* In the loop. */
static void deliver(void *ctx)
{
  const struct conn_reader *reader = ctx;
  struct conn *conn = conn_find(reader->shim, reader->serial);
  autorequest request = { .fds = { -1, -1, -1, -1 } };
  zl_autofree char *text = NULL;
  struct zl_error err = { 0 };

  if (conn == NULL)
    return;
  if (conn->broken || reader->len == 0) {
    conn_close(conn);
    return;
  }
  if (understand(reader, &text, &request, &err) < 0)
    conn_fail(conn, &err);
  else
    conn_message(conn, text, strlen(text), &request, &err);
}

static void *read_messages(void *arg)
{
  struct conn_reader *reader = arg;
  int n;

  do {
    n = zl_pipe_recv(zl_handle_of(reader->fd), reader->text, ZL_MAX_CONTROL_MSG, UINT64_MAX,
                     reader->stop);
    reader->too_long = n == -EMSGSIZE;
    reader->len = n > 0 ? (size_t)n : reader->too_long ? 1 : 0;
    if (!loop_call(deliver, reader))
      reader->len = 0;
  } while (reader->len > 0 && WaitForSingleObject(reader->stop, 0) != WAIT_OBJECT_0);
  reader->len = 0;
  (void)loop_call(deliver, reader);
  reader_free(reader);
  return NULL;
}

static HANDLE open_peer(int fd)
{
  ULONG pid = 0;

  if (!GetNamedPipeClientProcessId(zl_handle_of(fd), &pid) || pid == GetCurrentProcessId())
    return NULL;
  return OpenProcess(PROCESS_DUP_HANDLE, FALSE, pid);
}

static int start(struct conn_reader *reader, struct zl_error *err)
{
  int code = zl_thread_release(read_messages, reader);

  return code == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, code, "starting a thread");
}

int conn_io_begin(struct conn *conn, struct zl_error *err)
{
  struct conn_reader *reader = calloc(1, sizeof(*reader));
  int r;

  if (reader == NULL)
    return zl_fail_nomem(err, "connection");
  *reader = (struct conn_reader){ .shim = conn->shim, .serial = conn->serial, .fd = conn->fd };
  reader->text = malloc(ZL_MAX_CONTROL_MSG + 1);
  reader->stop = CreateEventW(NULL, TRUE, FALSE, NULL);
  reader->peer = open_peer(conn->fd);
  r = reader->text == NULL || reader->stop == NULL ? zl_fail_nomem(err, "connection")
                                                   : start(reader, err);
  if (r < 0) {
    reader->fd = -1; /* still the caller's */
    reader_free(reader);
    return r;
  }
  conn->reader = reader;
  return 0;
}

/* The thread closes what is its own. */
void conn_io_end(struct conn *conn)
{
  (void)SetEvent(conn->reader->stop);
  conn->reader = NULL;
  conn->fd = -1;
}

/* ---- Clients ---- */

struct listener {
  struct shim *shim;
  char name[ZL_PIPE_NAME];
  HANDLE pipe, stop; /* the end that waits for the next client */
  int fd;            /* of a client that has come */
};

static struct listener listener = { .fd = -1 };

/* In the loop. */
static void welcome(void *ctx)
{
  (void)ctx;
  if (listener.shim->listen_fd < 0 || conn_open(listener.shim, listener.fd, NULL, NULL) < 0)
    zl_fd_closep(&listener.fd);
  listener.fd = -1;
}

static void *accept_clients(void *arg)
{
  (void)arg;
  while (zl_pipe_accept(listener.pipe, listener.stop)) {
    HANDLE client = listener.pipe;
    struct zl_error err = { 0 };

    if (zl_pipe_make(listener.name, false, &listener.pipe, &err) < 0) {
      zl_warning("%s", err.msg);
      listener.pipe = NULL;
    }
    listener.fd = zl_handle_to_fd(client, O_RDWR);
    if (listener.fd >= 0)
      (void)loop_call(welcome, NULL);
    if (listener.pipe == NULL)
      return NULL;
  }
  (void)CloseHandle(listener.pipe);
  return NULL;
}

int conn_listen(struct shim *shim, struct zl_error *err)
{
  int r = zl_pipe_name(listener.name, err);

  listener.shim = shim;
  if (r == 0)
    r = zl_pipe_make(listener.name, true, &listener.pipe, err);
  if (r < 0)
    return r;
  listener.stop = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (listener.stop == NULL || zl_thread_release(accept_clients, NULL) != 0)
    return zl_fail_nomem(err, "listening to clients");
  shim->listen_fd = 0; /* it listens */
  return zl_file_replace(shim->dir_fd, FILE_NAME, listener.name, strlen(listener.name), 0600, false,
                         err);
}

void conn_unlisten(struct shim *shim)
{
  if (shim->listen_fd < 0)
    return;
  (void)unlinkat(shim->dir_fd, FILE_NAME, 0);
  (void)SetEvent(listener.stop);
  shim->listen_fd = -1;
}
