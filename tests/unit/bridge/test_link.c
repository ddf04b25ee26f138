/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "bridge/link.h"
#include "frames.h"

static void pair_of_sockets(int ends[2])
{
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void count_data(void *ctx, uint32_t port, const void *data, size_t len)
{
  (void)port;
  (void)data;
  *(size_t *)ctx += len;
}

static struct zl_mux *mux_new(enum zl_mux_side side, size_t *received)
{
  const struct zl_mux_hooks hooks = { .ctx = received, .data = count_data };
  struct zl_mux *mux = NULL;

  assert_int_equal(zl_mux_new(side, &hooks, &mux, NULL), 0);
  return mux;
}

static const char zeros[ZL_MUX_WINDOW];

static void streams_go_over_sockets(void **state)
{
  size_t to_host = 0, to_guest = 0;
  struct zl_mux *host = mux_new(ZL_MUX_HOST, &to_host), *guest = mux_new(ZL_MUX_GUEST, &to_guest);
  struct zl_link here, there;
  int ends[2];

  (void)state;
  pair_of_sockets(ends);
  zl_link_mux(&here, ends[0], host);
  zl_link_mux(&there, ends[1], guest);
  assert_int_equal(zl_link_events(&here), POLLIN);
  for (uint32_t i = 0; i < 20; i++) {
    assert_int_equal(zl_mux_listen(host, ZL_MUX_FIRST_PORT + i, NULL), 0);
    assert_int_equal(zl_mux_open(guest, ZL_MUX_FIRST_PORT + i, NULL), 0);
    assert_int_equal(zl_mux_write(guest, ZL_MUX_FIRST_PORT + i, zeros, sizeof(zeros), NULL), 0);
  }
  assert_int_equal(zl_link_events(&there), POLLIN | POLLOUT);
  while (to_host < 20 * sizeof(zeros)) {
    assert_int_equal(zl_link_pump(&there, POLLIN | POLLOUT, NULL), 0);
    assert_int_equal(zl_link_pump(&here, POLLIN | POLLOUT, NULL), 0);
  }
  assert_int_equal(zl_link_events(&there), POLLIN);
  assert_int_equal(zl_mux_write(host, ZL_MUX_FIRST_PORT, "hello", 5, NULL), 0);
  assert_int_equal(zl_link_pump(&here, POLLOUT, NULL), 0);
  assert_int_equal(zl_link_pump(&there, POLLIN, NULL), 0);
  assert_int_equal(to_guest, 5);
  zl_mux_free(host);
  zl_mux_free(guest);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

/* As a virtio-serial port is: no socket. */
static void pipes_will_do(void **state)
{
  size_t received = 0;
  struct zl_mux *host = mux_new(ZL_MUX_HOST, &received), *guest = mux_new(ZL_MUX_GUEST, NULL);
  struct zl_link in, out;
  int ends[2];

  (void)state;
  assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  zl_link_mux(&in, ends[0], host);
  zl_link_mux(&out, ends[1], guest);
  assert_int_equal(zl_mux_listen(host, ZL_MUX_FIRST_PORT, NULL), 0);
  assert_int_equal(zl_mux_open(guest, ZL_MUX_FIRST_PORT, NULL), 0);
  assert_int_equal(zl_mux_write(guest, ZL_MUX_FIRST_PORT, zeros, sizeof(zeros), NULL), 0);
  while (received < sizeof(zeros)) {
    assert_int_equal(zl_link_pump(&out, POLLOUT, NULL), 0);
    assert_int_equal(zl_link_pump(&in, POLLIN, NULL), 0);
  }
  assert_false(in.hung_up);
  (void)close(ends[1]);
  assert_int_equal(zl_link_pump(&in, POLLHUP, NULL), 0);
  assert_true(in.hung_up);
  (void)close(ends[0]);
  zl_mux_free(host);
  zl_mux_free(guest);
}

static void count_request(void *ctx, const struct zl_bridge_request *request)
{
  (void)request;
  ++*(int *)ctx;
}

static struct zl_bridge_server *server_new(int *requests)
{
  struct zl_bridge_server *server = NULL;

  assert_int_equal(zl_bridge_server_new(count_request, requests, json_object(), &server, NULL), 0);
  return server;
}

/* A flood is taken in turns, so that an event loop sees its other descriptors in between. */
static void a_turn_is_bounded(void **state)
{
  zl_autobuf one = ZL_BUF_INIT(1 << 20);
  int requests = 0, ends[2], size = 4 << 20;
  struct zl_bridge_server *server = server_new(&requests);
  struct zl_link link;
  size_t most = 0, total;
  struct zl_error err = { 0 };
  ssize_t n;

  (void)state;
  pair_of_sockets(ends);
  (void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
  zl_link_server(&link, ends[0], server);
  add_frame(&one, ZL_BRIDGE_NEGOTIATE, 1, "{\"MinimumVersion\":4,\"MaximumVersion\":4}");
  while (one.len < 4000)
    add_frame(&one, ZL_BRIDGE_START, 1, "{}");
  for (total = 0; (n = write(ends[1], one.data, one.len)) == (ssize_t)one.len; total += (size_t)n)
    ;
  assert_true(total > 2 * (size_t)ZL_LINK_TURN);
  for (int before = 0;; before = requests) {
    assert_int_equal(zl_link_pump(&link, POLLIN, &err), 0);
    if (requests == before)
      break;
    most = (size_t)(requests - before) > most ? (size_t)(requests - before) : most;
  }
  /* 18 bytes each, and the last read may go over. */
  assert_true(most <= (ZL_LINK_TURN + ZL_LINK_CHUNK) / 18);
  assert_true((size_t)requests > total / 18 - total / 1000);
  zl_bridge_server_free(server);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

/* A host that sends and does not read is not read from either. */
static void a_server_waits_for_its_answers_to_be_taken(void **state)
{
  zl_autobuf bytes = ZL_BUF_INIT(1 << 20);
  int requests = 0, ends[2];
  struct zl_bridge_server *server = server_new(&requests);
  struct zl_link link;
  size_t len;
  ssize_t n;

  (void)state;
  pair_of_sockets(ends);
  zl_link_server(&link, ends[0], server);
  while (bytes.len < 60000)
    add_frame(&bytes, ZL_BRIDGE_START, 1, ""); /* refused: not negotiated */
  while ((zl_link_events(&link) & POLLIN) != 0) {
    n = write(ends[1], bytes.data, bytes.len - bytes.len % 16);
    assert_true(n % 16 == 0);
    assert_int_equal(zl_link_pump(&link, POLLIN, NULL), 0);
  }
  assert_int_equal(zl_link_events(&link), POLLOUT);
  (void)zl_bridge_server_pending(server, &len);
  assert_true(len > ZL_LINK_BACKLOG && len < ZL_BRIDGE_MAX_ANSWERS);
  zl_bridge_server_free(server);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

static void count_reply(void *ctx, int r, const json_t *reply, const struct zl_error *err)
{
  (void)reply;
  (void)err;
  *(int *)ctx = r == 0 ? 1 : r;
}

/* The last words of a peer that has gone are heard, although nothing can be told to it. */
static void last_words_are_read(void **state)
{
  zl_autobuf bytes = ZL_BUF_INIT(4096);
  struct zl_bridge_client *client = NULL;
  int first = 0, second = 0, ends[2];
  struct zl_bridge_call call = {
    .message = ZL_BRIDGE_START, .deadline_ns = UINT64_MAX, .fn = count_reply, .ctx = &first
  };
  struct zl_link link;
  uint64_t id;

  (void)state;
  pair_of_sockets(ends);
  assert_int_equal(zl_bridge_client_new(NULL, &client, NULL), 0);
  zl_link_client(&link, ends[0], client);
  assert_int_equal(zl_bridge_call(client, &call, &id, NULL), 0);
  call.ctx = &second;
  assert_int_equal(zl_bridge_call(client, &call, NULL, NULL), 0);
  add_frame(&bytes, RESPONSE(ZL_BRIDGE_START), id, "{}");
  assert_int_equal(write(ends[1], bytes.data, bytes.len), bytes.len);
  (void)close(ends[1]);
  assert_int_equal(zl_link_pump(&link, POLLOUT, NULL), 0); /* EPIPE, and no SIGPIPE */
  assert_true(link.deaf && !link.hung_up);
  assert_int_equal(zl_link_events(&link), POLLIN);
  assert_int_equal(first, 0);
  assert_int_equal(zl_link_pump(&link, POLLIN | POLLHUP, NULL), 0);
  assert_int_equal(first, 1);
  assert_int_equal(second, -ZL_E_REMOTE);
  assert_true(link.hung_up && zl_bridge_client_is_broken(client));
  zl_bridge_client_free(client);
  (void)close(ends[0]);
}

static void what_cannot_be_understood_is_an_error(void **state)
{
  int requests = 0, ends[2];
  struct zl_bridge_server *server = server_new(&requests);
  struct zl_error err = { 0 };
  struct zl_link link;

  (void)state;
  pair_of_sockets(ends);
  zl_link_server(&link, ends[0], server);
  assert_int_equal(write(ends[1], zeros, 16), 16);
  assert_int_equal(zl_link_pump(&link, POLLIN, &err), -ZL_E_REMOTE);
  (void)close(ends[0]);
  link.fd = -1;
  assert_int_equal(zl_link_pump(&link, POLLIN, &err), -ZL_E_SYSTEM);
  zl_bridge_server_free(server);
  (void)close(ends[1]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(streams_go_over_sockets),
    cmocka_unit_test(pipes_will_do),
    cmocka_unit_test(a_turn_is_bounded),
    cmocka_unit_test(a_server_waits_for_its_answers_to_be_taken),
    cmocka_unit_test(last_words_are_read),
    cmocka_unit_test(what_cannot_be_understood_is_an_error),
  };

  return cmocka_run_group_tests_name("bridge links", tests, NULL, NULL);
}
