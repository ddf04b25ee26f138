/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread-safe end of the bridge, and the cold start of a Windows guest over it, against our
 * own server in a thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/time.h"
#include "bridge/cold_start.h"
#include "bridge/conn.h"
#include "bridge/server.h"

enum behaviour {
  ANSWERS,
  MUTE,     /* never answers `at` */
  HANGS_UP, /* when `at` comes */
  REFUSES   /* `at` */
};

struct peer {
  int fd;
  struct zl_bridge_server *server;
  pthread_t thread;
  enum behaviour behaviour;
  uint32_t at;
  bool stop;
  char order[256]; /* of what came: "Create Start ModifySettings" */
  char config[512];
};

static void handle(void *ctx, const struct zl_bridge_request *request)
{
  struct peer *peer = ctx;
  const struct zl_error why = { .code = ZL_E_SYSTEM, .os_error = (int)0x80004005, .msg = "no" };
  const char *config = json_string_value(json_object_get(request->body, "ContainerConfig"));
  size_t len = strlen(peer->order);

  (void)snprintf(peer->order + len, sizeof(peer->order) - len, "%s%s", len > 0 ? " " : "",
                 zl_bridge_message_name(request->message));
  if (config != NULL)
    (void)snprintf(peer->config, sizeof(peer->config), "%s", config);
  if (request->message == peer->at && peer->behaviour == MUTE)
    return;
  if (request->message == peer->at && peer->behaviour == HANGS_UP)
    peer->stop = true;
  else if (request->message == peer->at && peer->behaviour == REFUSES)
    (void)zl_bridge_refuse(peer->server, request->message, request->id, &why, NULL);
  else
    (void)zl_bridge_answer(peer->server, request->message, request->id, NULL, NULL);
}

static void *serve(void *ctx)
{
  struct peer *peer = ctx;
  char data[1024];
  ssize_t got;

  while (!peer->stop && (got = recv(peer->fd, data, sizeof(data), 0)) > 0) {
    const void *pending;
    size_t len;

    if (zl_bridge_server_feed(peer->server, data, (size_t)got, NULL) < 0)
      break;
    while (!peer->stop && (pending = zl_bridge_server_pending(peer->server, &len)) != NULL &&
           len > 0) {
      ssize_t put = send(peer->fd, pending, len, MSG_NOSIGNAL);

      if (put <= 0)
        break;
      zl_bridge_server_sent(peer->server, (size_t)put);
    }
  }
  (void)shutdown(peer->fd, SHUT_RDWR);
  return NULL;
}

/* ---- This side's stream ---- */

static int stream_read(void *ctx, void *data, size_t len, struct zl_error *err)
{
  ssize_t got = recv(*(int *)ctx, data, len, 0);

  return got >= 0 ? (int)got : zl_fail_errno(err, "reading");
}

static int stream_write(void *ctx, const void *data, size_t len, struct zl_error *err)
{
  return send(*(int *)ctx, data, len, MSG_NOSIGNAL) == (ssize_t)len
             ? 0
             : zl_fail(err, ZL_E_REMOTE, errno, "writing");
}

static void stream_finish(void *ctx)
{
  (void)shutdown(*(int *)ctx, SHUT_WR);
}

static void stream_stop(void *ctx)
{
  (void)shutdown(*(int *)ctx, SHUT_RDWR);
}

static void stream_close(void *ctx)
{
  (void)close(*(int *)ctx);
}

static struct zl_conn *meet(struct peer *peer, int *fd, json_t *capabilities)
{
  const struct zl_byte_stream stream = { fd,          stream_read, stream_write, stream_finish,
                                         stream_stop, stream_close };
  struct zl_conn *conn = NULL;
  int pair[2];

  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  *fd = pair[0];
  peer->fd = pair[1];
  assert_int_equal(zl_bridge_server_new(handle, peer, capabilities, &peer->server, NULL), 0);
  assert_int_equal(pthread_create(&peer->thread, NULL, serve, peer), 0);
  assert_int_equal(zl_conn_new(&stream, NULL, &conn, NULL), 0);
  return conn;
}

static void part(struct peer *peer, struct zl_conn *conn)
{
  zl_conn_free(conn);
  assert_int_equal(pthread_join(peer->thread, NULL), 0);
  (void)close(peer->fd);
  zl_bridge_server_free(peer->server);
}

static json_t *windows(bool create, bool start)
{
  return json_pack("{s:b, s:b, s:s}", "SendHostCreateMessage", (int)create, "SendHostStartMessage",
                   (int)start, "RuntimeOsType", "Windows");
}

static const struct zl_rpc_time_zone zone = { .bias = -60,
                                              .standard_name = "Here",
                                              .daylight_name = "There" };

static struct zl_cold_start how_in(uint64_t ms)
{
  return (struct zl_cold_start){ .runtime_id = "11111111-2222-3333-4444-555555555555",
                                 .zone = &zone,
                                 .deadline_ns = zl_time_boot() + ms * ZL_NS_PER_MS };
}

/* ---- Cases ---- */

static void check_order(json_t *capabilities, const char *order)
{
  const struct zl_cold_start how = how_in(20000);
  struct zl_rpc_capabilities can = { 0 };
  struct peer peer = { .behaviour = ANSWERS };
  struct zl_conn *conn;
  int fd;

  conn = meet(&peer, &fd, capabilities);
  assert_int_equal(zl_bridge_cold_start(conn, &how, &can, NULL), 0);
  assert_int_equal(can.version, 4);
  assert_false(zl_conn_is_broken(conn));
  part(&peer, conn);
  assert_string_equal(peer.order, order);
  if (strstr(order, "Create") != NULL)
    assert_non_null(strstr(peer.config, "\"TimeZoneInformation\":{\"Bias\":-60,"));
}

static void a_guest_gets_what_it_asks_for(void **state)
{
  (void)state;
  check_order(windows(true, true), "Create Start ModifySettings");
  check_order(windows(true, false), "Create ModifySettings");
  check_order(windows(false, false), "ModifySettings");
}

static void check_failure(enum behaviour behaviour, uint32_t at, json_t *capabilities,
                          enum zl_code code, const char *text)
{
  const struct zl_cold_start how = how_in(behaviour == MUTE ? 100 : 20000);
  struct peer peer = { .behaviour = behaviour, .at = at };
  struct zl_rpc_capabilities can = { .version = 77 };
  struct zl_error err = { 0 };
  struct zl_conn *conn;
  int fd;

  conn = meet(&peer, &fd, capabilities);
  assert_int_equal(zl_bridge_cold_start(conn, &how, &can, &err), -(int)code);
  if (strncmp(err.msg, text, strlen(text)) != 0)
    fail_msg("'%s' does not begin with '%s'", err.msg, text);
  assert_int_equal(can.version, 77);
  part(&peer, conn);
}

static void each_step_can_fail(void **state)
{
  (void)state;
  check_failure(HANGS_UP, ZL_BRIDGE_CREATE, windows(true, true), ZL_E_REMOTE,
                "its own container: ");
  check_failure(REFUSES, ZL_BRIDGE_START, windows(true, true), ZL_E_REMOTE,
                "start of its own container: ");
  check_failure(MUTE, ZL_BRIDGE_MODIFY_SETTINGS, windows(true, true), ZL_E_TIMEOUT,
                "addresses of sockets: ");
  check_failure(ANSWERS, 0, json_pack("{s:s}", "RuntimeOsType", "Linux"), ZL_E_UNSUPPORTED,
                "negotiation: the guest is no Windows");
}

struct waiter {
  struct zl_conn *conn;
  int r;
  struct zl_error err;
};

static int make_wait(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                     struct zl_error *err)
{
  (void)ctx;
  return zl_rpc_wait(client, "box", 7, then, err);
}

static int make_stacks(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  (void)ctx;
  return zl_rpc_dump_stacks(client, then, err);
}

static void *wait_for_ever(void *ctx)
{
  struct waiter *waiter = ctx;

  waiter->r = zl_conn_call(waiter->conn, make_wait, NULL, UINT64_MAX, NULL, &waiter->err);
  return NULL;
}

/* One waits for ever, others are answered meanwhile; then the owner ends the bridge, and says why.
 */
static void calls_go_on_side_by_side(void **state)
{
  const struct zl_cold_start how = how_in(20000);
  struct peer peer = { .behaviour = MUTE, .at = ZL_BRIDGE_WAIT_FOR_PROCESS };
  struct zl_error why = { .code = ZL_E_REMOTE, .msg = "the machine ended" };
  struct zl_rpc_capabilities can;
  struct waiter waiter = { 0 };
  pthread_t thread;
  int fd;

  (void)state;
  waiter.conn = meet(&peer, &fd, windows(true, true));
  assert_int_equal(zl_bridge_cold_start(waiter.conn, &how, &can, NULL), 0);
  assert_int_equal(pthread_create(&thread, NULL, wait_for_ever, &waiter), 0);
  for (int i = 0; i < 50; i++)
    assert_int_equal(zl_conn_call(waiter.conn, make_stacks, NULL, how.deadline_ns, NULL, NULL), 0);
  zl_conn_end(waiter.conn, &why);
  zl_conn_end(waiter.conn, &why);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(waiter.r, -ZL_E_REMOTE);
  assert_non_null(strstr(waiter.err.msg, "the machine ended"));
  assert_true(zl_conn_is_broken(waiter.conn));
  assert_int_equal(zl_conn_call(waiter.conn, make_stacks, NULL, how.deadline_ns, NULL, NULL),
                   -ZL_E_REMOTE);
  part(&peer, waiter.conn);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_guest_gets_what_it_asks_for),
    cmocka_unit_test(each_step_can_fail),
    cmocka_unit_test(calls_go_on_side_by_side),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
