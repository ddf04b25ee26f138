/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/conn.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/json.h"
#include "base/time.h"

enum {
  CHUNK = 64 << 10
};

struct zl_conn {
  struct zl_byte_stream stream;
  struct zl_bridge_client *client;
  pthread_mutex_t lock;    /* of the client and of all answers */
  pthread_mutex_t writing; /* of the stream's writing side; taken before `lock` */
  pthread_cond_t answered;
  pthread_t reader;
  bool has_reader;
};

/* ---- Reading ---- */

/* False: the bridge has ended. */
static bool feed(struct zl_conn *conn, const char *data, int len)
{
  bool goes_on;

  (void)pthread_mutex_lock(&conn->lock);
  if (len > 0)
    (void)zl_bridge_client_feed(conn->client, data, (size_t)len, NULL);
  else
    zl_bridge_client_hangup(conn->client);
  goes_on = !zl_bridge_client_is_broken(conn->client);
  (void)pthread_cond_broadcast(&conn->answered);
  (void)pthread_mutex_unlock(&conn->lock);
  return goes_on;
}

static void *read_all(void *ctx)
{
  struct zl_conn *conn = ctx;
  ZL_UNCLEARED char data[CHUNK];

  while (feed(conn, data, conn->stream.read(conn->stream.ctx, data, sizeof(data), NULL)))
    ;
  return NULL;
}

/* ---- Writing ---- */

/* Takes what is to be sent; false: nothing. */
static size_t take_pending(struct zl_conn *conn, char *data)
{
  const void *pending;
  size_t len;

  (void)pthread_mutex_lock(&conn->lock);
  pending = zl_bridge_client_pending(conn->client, &len);
  len = len < CHUNK ? len : CHUNK;
  if (len > 0) {
    memcpy(data, pending, len);
    zl_bridge_client_sent(conn->client, len);
  }
  (void)pthread_mutex_unlock(&conn->lock);
  return len;
}

void zl_conn_end(struct zl_conn *conn, const struct zl_error *why)
{
  (void)pthread_mutex_lock(&conn->lock);
  zl_bridge_client_end(conn->client, why);
  (void)pthread_cond_broadcast(&conn->answered);
  (void)pthread_mutex_unlock(&conn->lock);
}

/* Not under `lock`: a guest that does not read must not keep the answers of others back. */
static void flush(struct zl_conn *conn)
{
  struct zl_error err = { 0 };
  ZL_UNCLEARED char data[CHUNK];
  size_t len;

  (void)pthread_mutex_lock(&conn->writing);
  while ((len = take_pending(conn, data)) > 0)
    if (conn->stream.write(conn->stream.ctx, data, len, &err) < 0) {
      zl_conn_end(conn, &err);
      break;
    }
  (void)pthread_mutex_unlock(&conn->writing);
}

/* ---- Calls ---- */

struct call {
  bool done;
  int r;
  json_t *reply;
  struct zl_error err;
};

static void answered(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  struct call *call = ctx;

  call->done = true;
  call->r = r;
  if (r < 0)
    call->err = *err;
  else
    call->reply = json_deep_copy(reply);
}

/* Never longer than a second: the conditions' clock may be set, the deadlines' one is not. */
static void wait_a_while(struct zl_conn *conn, uint64_t now, uint64_t deadline_ns)
{
  uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
  uint64_t at = zl_time_wall() + (left < ZL_NS_PER_S ? left : ZL_NS_PER_S);
  struct timespec until = { .tv_sec = (time_t)(at / ZL_NS_PER_S),
                            .tv_nsec = (long)(at % ZL_NS_PER_S) };

  (void)pthread_cond_timedwait(&conn->answered, &conn->lock, &until);
}

static void wait_for(struct zl_conn *conn, const struct call *call)
{
  (void)pthread_mutex_lock(&conn->lock);
  while (!call->done) {
    uint64_t now = zl_time_boot(), at = zl_bridge_client_deadline(conn->client);

    if (now >= at)
      zl_bridge_client_tick(conn->client, now);
    else
      wait_a_while(conn, now, at);
  }
  (void)pthread_cond_broadcast(&conn->answered); /* a tick may have ended other calls */
  (void)pthread_mutex_unlock(&conn->lock);
}

int zl_conn_call(struct zl_conn *conn, zl_conn_make_fn make, void *ctx, uint64_t deadline_ns,
                 json_t **ret, struct zl_error *err)
{
  struct call call = { .done = false };
  const struct zl_rpc_then then = { .deadline_ns = deadline_ns, .fn = answered, .ctx = &call };
  int r;

  (void)pthread_mutex_lock(&conn->lock);
  r = make(ctx, conn->client, &then, err);
  (void)pthread_mutex_unlock(&conn->lock);
  if (r < 0)
    return r;
  flush(conn);
  wait_for(conn, &call);
  if (call.r == 0 && call.reply == NULL)
    return zl_fail_nomem(err, "an answer of the guest");
  if (call.r < 0 && err != NULL)
    *err = call.err;
  if (call.r == 0 && ret != NULL)
    *ret = zl_steal_ptr(&call.reply);
  json_decref(call.reply);
  return call.r;
}

bool zl_conn_is_broken(struct zl_conn *conn)
{
  bool broken;

  (void)pthread_mutex_lock(&conn->lock);
  broken = zl_bridge_client_is_broken(conn->client);
  (void)pthread_mutex_unlock(&conn->lock);
  return broken;
}

/* ---- Life ---- */

/* Whoever waits gets his answer before the client goes. */
static void end_calls(struct zl_conn *conn)
{
  struct zl_error why = { 0 };

  (void)zl_fail(&why, ZL_E_CANCELLED, 0, "guest bridge: closed by this side");
  zl_conn_end(conn, &why);
}

void zl_conn_free(struct zl_conn *conn)
{
  if (conn == NULL)
    return;
  if (conn->client != NULL)
    end_calls(conn);
  conn->stream.stop(conn->stream.ctx);
  if (conn->has_reader)
    (void)pthread_join(conn->reader, NULL);
  conn->stream.close(conn->stream.ctx);
  zl_bridge_client_free(conn->client);
  (void)pthread_cond_destroy(&conn->answered);
  (void)pthread_mutex_destroy(&conn->writing);
  (void)pthread_mutex_destroy(&conn->lock);
  free(conn);
}

int zl_conn_new(const struct zl_byte_stream *stream, const struct zl_bridge_hooks *hooks,
                struct zl_conn **ret, struct zl_error *err)
{
  struct zl_conn *conn = calloc(1, sizeof(*conn));
  int r;

  if (conn == NULL) {
    stream->close(stream->ctx);
    return zl_fail_nomem(err, "the guest bridge");
  }
  conn->stream = *stream;
  (void)pthread_mutex_init(&conn->lock, NULL);
  (void)pthread_mutex_init(&conn->writing, NULL);
  (void)pthread_cond_init(&conn->answered, NULL);
  r = zl_bridge_client_new(hooks, &conn->client, err);
  if (r == 0) {
    r = pthread_create(&conn->reader, NULL, read_all, conn);
    conn->has_reader = r == 0;
    if (r != 0)
      r = zl_fail(err, ZL_E_SYSTEM, r, "starting the thread of the guest bridge");
  }
  if (r < 0) {
    zl_conn_free(conn);
    return r;
  }
  *ret = conn;
  return 0;
}
