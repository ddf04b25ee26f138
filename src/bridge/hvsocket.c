/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/hvsocket.h"

#include <inttypes.h>
#include <pthread.h>

enum {
  BACKLOG = 16,
  WINSOCK_2_2 = 0x0202,
  MAX_TURN = 1 << 20 /* bytes of one send or recv */
};

struct zl_hv_listener {
  const struct zl_hv_api *api;
  zl_hv_arrived_fn arrived;
  void *ctx;
  pthread_t thread;
  pthread_mutex_t lock; /* of the members below */
  zl_socket listening;  /* ZL_SOCKET_INVALID: closed */
  zl_socket connected;  /* ZL_SOCKET_INVALID: none (yet) */
  int error;            /* of accept */
  bool closing;
};

static int failed(const struct zl_hv_api *api, const char *what, struct zl_error *err)
{
  int code = api->WSAGetLastError();

  return zl_fail(err, ZL_E_REMOTE, 0, "%s of a Hyper-V socket: Windows socket error %d", what,
                 code);
}

/* ---- Streams ---- */

struct stream {
  const struct zl_hv_api *api;
  zl_socket socket;
};

static int stream_read(void *ctx, void *data, size_t len, struct zl_error *err)
{
  struct stream *s = ctx;
  int got = s->api->recv(s->socket, data, len < MAX_TURN ? (int)len : MAX_TURN, 0);

  return got >= 0 ? got : failed(s->api, "reading", err);
}

static int stream_write(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  struct stream *s = ctx;
  const char *at = data;

  while (len > 0) {
    int put = s->api->send(s->socket, at, len < MAX_TURN ? (int)len : MAX_TURN, 0);

    if (put <= 0)
      return failed(s->api, "writing", err);
    at += put;
    len -= (size_t)put;
  }
  return 0;
}

static void stream_finish(void *ctx)
{
  struct stream *s = ctx;

  (void)s->api->shutdown(s->socket, ZL_HV_SEND);
}

static void stream_stop(void *ctx)
{
  struct stream *s = ctx;

  (void)s->api->shutdown(s->socket, ZL_HV_BOTH);
}

static void stream_close(void *ctx)
{
  struct stream *s = ctx;

  (void)s->api->closesocket(s->socket);
  free(s);
}

static int make_stream(const struct zl_hv_api *api, zl_socket socket, struct zl_byte_stream *ret,
                       struct zl_error *err)
{
  struct stream *s = calloc(1, sizeof(*s));

  if (s == NULL) {
    (void)api->closesocket(socket);
    return zl_fail_nomem(err, "a Hyper-V socket");
  }
  *s = (struct stream){ .api = api, .socket = socket };
  *ret = (struct zl_byte_stream){ .ctx = s,
                                  .read = stream_read,
                                  .write = stream_write,
                                  .finish = stream_finish,
                                  .stop = stream_stop,
                                  .close = stream_close };
  return 0;
}

/* ---- Listening ---- */

static void stop_listening(struct zl_hv_listener *listener)
{
  if (listener->listening == ZL_SOCKET_INVALID)
    return;
  (void)listener->api->shutdown(listener->listening, ZL_HV_BOTH);
  (void)listener->api->closesocket(listener->listening);
  listener->listening = ZL_SOCKET_INVALID;
}

static void *accept_one(void *ctx)
{
  struct zl_hv_listener *listener = ctx;
  zl_socket got, on;
  bool tell;

  (void)pthread_mutex_lock(&listener->lock);
  on = listener->listening;
  (void)pthread_mutex_unlock(&listener->lock);
  got = listener->api->accept(on, NULL, NULL);
  (void)pthread_mutex_lock(&listener->lock);
  if (got == ZL_SOCKET_INVALID)
    listener->error = listener->api->WSAGetLastError();
  listener->connected = got;
  stop_listening(listener);
  tell = !listener->closing;
  (void)pthread_mutex_unlock(&listener->lock);
  if (tell)
    listener->arrived(listener->ctx, got == ZL_SOCKET_INVALID ? -ZL_E_REMOTE : 0);
  return NULL;
}

static void listener_free(struct zl_hv_listener *listener)
{
  stop_listening(listener);
  if (listener->connected != ZL_SOCKET_INVALID)
    (void)listener->api->closesocket(listener->connected);
  (void)pthread_mutex_destroy(&listener->lock);
  free(listener);
}

void zl_hv_close(struct zl_hv_listener *listener)
{
  if (listener == NULL)
    return;
  (void)pthread_mutex_lock(&listener->lock);
  listener->closing = true;
  stop_listening(listener);
  (void)pthread_mutex_unlock(&listener->lock);
  (void)pthread_join(listener->thread, NULL);
  listener_free(listener);
}

static int bind_socket(struct zl_hv_listener *listener, const struct zl_guid *machine,
                       const char *service, struct zl_error *err)
{
  const struct zl_hv_api *api = listener->api;
  struct zl_hv_address address = { .family = ZL_HV_FAMILY, .vm = *machine };
  char wsadata[ZL_HV_WSADATA];

  if (!zl_guid_parse(service, &address.service))
    return zl_fail(err, ZL_E_INTERNAL, 0, "'%.60s' is no GUID of a service", service);
  if (api->WSAStartup(WINSOCK_2_2, wsadata) != 0)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "Windows has no sockets of version 2.2");
  listener->listening = api->socket(ZL_HV_FAMILY, ZL_HV_STREAM, ZL_HV_PROTOCOL);
  if (listener->listening == ZL_SOCKET_INVALID)
    return failed(api, "making", err);
  if (api->bind(listener->listening, &address, sizeof(address)) != 0)
    return failed(api, "binding", err);
  return api->listen(listener->listening, BACKLOG) == 0 ? 0 : failed(api, "listening", err);
}

int zl_hv_listen(const struct zl_hv_api *api, const struct zl_guid *machine, const char *service,
                 zl_hv_arrived_fn arrived, void *ctx, struct zl_hv_listener **ret,
                 struct zl_error *err)
{
  struct zl_hv_listener *listener = calloc(1, sizeof(*listener));
  int r;

  if (listener == NULL)
    return zl_fail_nomem(err, "a Hyper-V socket");
  *listener = (struct zl_hv_listener){ .api = api,
                                       .arrived = arrived,
                                       .ctx = ctx,
                                       .listening = ZL_SOCKET_INVALID,
                                       .connected = ZL_SOCKET_INVALID };
  (void)pthread_mutex_init(&listener->lock, NULL);
  r = bind_socket(listener, machine, service, err);
  if (r == 0) {
    r = pthread_create(&listener->thread, NULL, accept_one, listener);
    if (r != 0)
      r = zl_fail(err, ZL_E_SYSTEM, r, "starting the thread of a Hyper-V socket");
  }
  if (r < 0) {
    listener_free(listener);
    return r;
  }
  *ret = listener;
  return 0;
}

int zl_hv_take(struct zl_hv_listener *listener, struct zl_byte_stream *ret, struct zl_error *err)
{
  const struct zl_hv_api *api = listener->api;
  zl_socket got;
  int error;

  (void)pthread_join(listener->thread, NULL);
  got = listener->connected;
  error = listener->error;
  listener->connected = ZL_SOCKET_INVALID;
  listener_free(listener);
  if (got == ZL_SOCKET_INVALID)
    return zl_fail(err, ZL_E_REMOTE, 0, "accepting a Hyper-V socket: Windows socket error %d",
                   error);
  return make_stream(api, got, ret, err);
}
