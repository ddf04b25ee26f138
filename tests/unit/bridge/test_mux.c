/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bridge/frame.h"
#include "bridge/mux.h"

#define PORT ZL_MUX_FIRST_PORT

enum {
  OPEN = 1,
  DATA,
  END,
  CREDIT,
  RESET
};

/* One end, and a diary of what it was told: "open 1;data 1 5;eof 1;". */
struct end {
  struct zl_mux *mux;
  struct zl_buf diary;
  bool eager; /* consumes at once */
  size_t received;
  uint32_t reset_at; /* resets this port when data comes */
};

struct pair {
  struct end host, guest;
};

static void note(struct end *end, const char *what, uint32_t port, size_t len)
{
  assert_int_equal(zl_buf_printf(&end->diary, NULL, "%s %u %zu;", what, port - PORT, len), 0);
}

static void on_opened(void *ctx, uint32_t port)
{
  note(ctx, "open", port, 0);
}

static void on_data(void *ctx, uint32_t port, const void *data, size_t len)
{
  struct end *end = ctx;

  assert_non_null(data);
  end->received += len;
  note(end, "data", port, len);
  if (end->eager)
    zl_mux_consumed(end->mux, port, len);
  if (port == end->reset_at)
    zl_mux_reset(end->mux, port);
}

static void on_eof(void *ctx, uint32_t port)
{
  note(ctx, "eof", port, 0);
}

static void on_writable(void *ctx, uint32_t port)
{
  struct end *end = ctx;

  note(end, "room", port, zl_mux_room(end->mux, port));
}

static void on_reset(void *ctx, uint32_t port)
{
  note(ctx, "reset", port, 0);
}

static void end_init(struct end *end, enum zl_mux_side side)
{
  const struct zl_mux_hooks hooks = { end, on_opened, on_data, on_eof, on_writable, on_reset };

  *end = (struct end){ .diary = ZL_BUF_INIT(1 << 20) };
  assert_int_equal(zl_mux_new(side, &hooks, &end->mux, NULL), 0);
}

static int pair_new(void **state)
{
  static struct pair pair;

  end_init(&pair.host, ZL_MUX_HOST);
  end_init(&pair.guest, ZL_MUX_GUEST);
  *state = &pair;
  return 0;
}

static int pair_free(void **state)
{
  struct pair *pair = *state;

  zl_mux_free(pair->host.mux);
  zl_mux_free(pair->guest.mux);
  zl_buf_done(&pair->host.diary);
  zl_buf_done(&pair->guest.diary);
  return 0;
}

static void carry(struct zl_mux *from, struct zl_mux *to)
{
  struct zl_error err = { 0 };
  size_t len;
  const void *data = zl_mux_pending(from, &len);

  if (len == 0)
    return;
  if (zl_mux_feed(to, data, len, &err) < 0)
    fail_msg("%s", err.msg);
  zl_mux_sent(from, len);
}

/* Until neither has anything to say. */
static void settle(struct pair *pair)
{
  size_t host, guest;

  do {
    carry(pair->guest.mux, pair->host.mux);
    carry(pair->host.mux, pair->guest.mux);
    (void)zl_mux_pending(pair->host.mux, &host);
    (void)zl_mux_pending(pair->guest.mux, &guest);
  } while (host + guest > 0);
}

static void expect(struct end *end, const char *diary)
{
  assert_string_equal(end->diary.data != NULL ? end->diary.data : "", diary);
  zl_buf_clear(&end->diary);
}

static void open_stream(struct pair *pair, uint32_t port)
{
  assert_int_equal(zl_mux_listen(pair->host.mux, port, NULL), 0);
  assert_int_equal(zl_mux_open(pair->guest.mux, port, NULL), 0);
  settle(pair);
  zl_buf_clear(&pair->host.diary);
}

static int feed(struct zl_mux *mux, uint32_t type, uint32_t port, uint32_t argument,
                const void *data, size_t len)
{
  struct zl_frame frame = { type, (uint32_t)(ZL_FRAME_HEADER + len),
                            (uint64_t)argument << 32 | port };
  uint8_t bytes[ZL_FRAME_HEADER + ZL_MUX_CHUNK + 1];

  zl_frame_encode(&frame, bytes);
  if (len > 0)
    memcpy(bytes + ZL_FRAME_HEADER, data, len);
  return zl_mux_feed(mux, bytes, ZL_FRAME_HEADER + len, NULL);
}

static const char zeros[2 * ZL_MUX_WINDOW];

static void frames_have_their_bytes(void **state)
{
  static const uint8_t bytes[] = {
    1, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0,           /* OPEN */
    2, 0, 0, 0, 18, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0, 'h', 'i', /* DATA */
    3, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0,           /* EOF */
    5, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0,           /* RESET */
  };
  struct pair *pair = *state;
  struct zl_mux *mux = pair->guest.mux;
  const void *data;
  size_t len;

  assert_int_equal(zl_mux_open(mux, PORT, NULL), 0);
  assert_int_equal(zl_mux_write(mux, PORT, "hi", 2, NULL), 0);
  assert_int_equal(zl_mux_write(mux, PORT, "", 0, NULL), 0);
  zl_mux_shutdown(mux, PORT);
  zl_mux_shutdown(mux, PORT);
  zl_mux_reset(mux, PORT);
  zl_mux_reset(mux, PORT);
  data = zl_mux_pending(mux, &len);
  assert_int_equal(len, sizeof(bytes));
  assert_memory_equal(data, bytes, sizeof(bytes));
}

static void a_stream_ends_when_both_sides_have(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, "hello", 5, NULL), 0);
  assert_int_equal(zl_mux_write(pair->host.mux, PORT, "world!", 6, NULL), 0);
  settle(pair);
  expect(&pair->host, "data 0 5;");
  expect(&pair->guest, "data 0 6;");
  zl_mux_shutdown(pair->host.mux, PORT);
  settle(pair);
  expect(&pair->guest, "eof 0 0;");
  /* The other direction goes on. */
  assert_int_equal(zl_mux_room(pair->host.mux, PORT), 0);
  assert_int_equal(zl_mux_write(pair->host.mux, PORT, "x", 1, NULL), -ZL_E_NOT_FOUND);
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, "more", 4, NULL), 0);
  zl_mux_shutdown(pair->guest.mux, PORT);
  settle(pair);
  expect(&pair->host, "data 0 4;eof 0 0;");
  expect(&pair->guest, "");
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, "x", 1, NULL), -ZL_E_NOT_FOUND);
  zl_mux_consumed(pair->host.mux, PORT, 9);
  zl_mux_reset(pair->host.mux, PORT);
  settle(pair);
  expect(&pair->guest, "");
}

static void a_window_is_what_may_be_written(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  assert_int_equal(zl_mux_room(pair->guest.mux, PORT), ZL_MUX_WINDOW);
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, zeros, ZL_MUX_WINDOW + 1, NULL),
                   -ZL_E_LIMIT);
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, zeros, ZL_MUX_WINDOW, NULL), 0);
  assert_int_equal(zl_mux_room(pair->guest.mux, PORT), 0);
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, "x", 1, NULL), -ZL_E_LIMIT);
  settle(pair);
  expect(&pair->host, "data 0 16384;data 0 16384;data 0 16384;data 0 16384;");
  /* Nothing more until it has been dealt with; small portions are granted together. */
  zl_mux_consumed(pair->host.mux, PORT, 16383);
  settle(pair);
  expect(&pair->guest, "");
  zl_mux_consumed(pair->host.mux, PORT, 1);
  settle(pair);
  expect(&pair->guest, "room 0 16384;");
  zl_mux_consumed(pair->host.mux, PORT, SIZE_MAX); /* never more than was given */
  settle(pair);
  expect(&pair->guest, "room 0 65536;");
  zl_mux_consumed(pair->host.mux, PORT, 20000);
  settle(pair);
  expect(&pair->guest, "");
}

static void a_slow_stream_holds_up_no_other(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  open_stream(pair, PORT + 1);
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, zeros, ZL_MUX_WINDOW, NULL), 0);
  settle(pair);
  zl_buf_clear(&pair->host.diary);
  pair->host.eager = true;
  for (int i = 0; i < 100; i++) {
    assert_int_equal(zl_mux_write(pair->guest.mux, PORT + 1, zeros, 10000, NULL), 0);
    settle(pair);
  }
  assert_int_equal(pair->host.received, ZL_MUX_WINDOW + 1000000);
  assert_int_equal(zl_mux_room(pair->guest.mux, PORT), 0);
}

static void a_reset_drops_the_stream(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  zl_mux_reset(pair->host.mux, PORT);
  /* What crosses it is dropped. */
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, "late", 4, NULL), 0);
  zl_mux_shutdown(pair->guest.mux, PORT);
  settle(pair);
  expect(&pair->host, "");
  expect(&pair->guest, "reset 0 0;");
  assert_int_equal(zl_mux_room(pair->guest.mux, PORT), 0);
  zl_mux_shutdown(pair->guest.mux, PORT);
  open_stream(pair, PORT + 1);
  zl_mux_reset(pair->guest.mux, PORT + 1);
  settle(pair);
  expect(&pair->host, "reset 1 0;");
}

static void callbacks_may_reset(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  pair->host.reset_at = PORT;
  pair->host.eager = true;
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, zeros, ZL_MUX_WINDOW, NULL), 0);
  settle(pair);
  expect(&pair->host, "data 0 16384;");
  expect(&pair->guest, "room 0 16384;reset 0 0;");
}

static void a_host_may_stop_listening(void **state)
{
  struct pair *pair = *state;

  assert_int_equal(zl_mux_listen(pair->host.mux, PORT, NULL), 0);
  assert_int_equal(zl_mux_room(pair->host.mux, PORT), 0);
  assert_int_equal(zl_mux_write(pair->host.mux, PORT, "x", 1, NULL), -ZL_E_NOT_FOUND);
  zl_mux_reset(pair->host.mux, PORT);
  /* The guest connects before it knows. */
  assert_int_equal(zl_mux_open(pair->guest.mux, PORT, NULL), 0);
  settle(pair);
  expect(&pair->host, "");
  expect(&pair->guest, "reset 0 0;");
  /* And after. */
  assert_int_equal(zl_mux_listen(pair->host.mux, PORT + 1, NULL), 0);
  zl_mux_reset(pair->host.mux, PORT + 1);
  settle(pair);
  assert_int_equal(zl_mux_open(pair->guest.mux, PORT + 1, NULL), -ZL_E_CONFLICT);
}

static void ports_are_used_once(void **state)
{
  struct pair *pair = *state;
  struct zl_mux *host = pair->host.mux;

  open_stream(pair, PORT + 5);
  assert_int_equal(zl_mux_listen(host, PORT + 5, NULL), -ZL_E_CONFLICT);
  zl_mux_reset(host, PORT + 5);
  settle(pair);
  assert_int_equal(zl_mux_listen(host, PORT + 5, NULL), -ZL_E_CONFLICT);
  assert_int_equal(zl_mux_open(pair->guest.mux, PORT + 5, NULL), -ZL_E_CONFLICT);
  open_stream(pair, PORT + 4); /* a little out of order */
  open_stream(pair, PORT + 4000);
  open_stream(pair, PORT + 100);
  open_stream(pair, PORT + 10000);
  assert_int_equal(zl_mux_listen(host, PORT + 5000, NULL), -ZL_E_CONFLICT);
  assert_int_equal(zl_mux_listen(host, PORT + 10000, NULL), -ZL_E_CONFLICT);
  open_stream(pair, PORT + 9999);
  open_stream(pair, UINT32_MAX);
  assert_int_equal(zl_mux_listen(host, UINT32_MAX, NULL), -ZL_E_CONFLICT);
  assert_int_equal(zl_mux_listen(host, PORT - 1, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_mux_listen(host, 0, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_mux_open(host, PORT + 50, NULL), -ZL_E_INVALID);
  assert_int_equal(zl_mux_listen(pair->guest.mux, PORT + 50, NULL), -ZL_E_INVALID);
}

static void many_ports_in_a_row(void **state)
{
  struct pair *pair = *state;

  for (uint32_t i = 0; i < 20000; i++) {
    open_stream(pair, PORT + i);
    zl_mux_reset(i % 2 ? pair->host.mux : pair->guest.mux, PORT + i);
    settle(pair);
    zl_buf_clear(&pair->host.diary);
    zl_buf_clear(&pair->guest.diary);
    assert_int_equal(zl_mux_listen(pair->host.mux, PORT + i, NULL), -ZL_E_CONFLICT);
  }
}

static void streams_have_a_limit(void **state)
{
  struct pair *pair = *state;
  struct zl_mux *host = pair->host.mux;

  for (uint32_t i = 0; i < ZL_MUX_MAX_STREAMS; i++)
    assert_int_equal(zl_mux_listen(host, PORT + i, NULL), 0);
  assert_int_equal(zl_mux_listen(host, PORT + 300, NULL), -ZL_E_LIMIT);
  zl_mux_reset(host, PORT + 7);
  assert_int_equal(zl_mux_listen(host, PORT + 300, NULL), 0);
}

static void what_no_peer_may_send_ends_it(void **state)
{
  static const struct {
    uint32_t type, port, argument;
    size_t len;
  } cases[] = {
    { 0, PORT, 0, 0 },
    { 6, PORT, 0, 0 },
    { UINT32_MAX, PORT, 0, 0 },
    { OPEN, PORT, 0, 0 },     /* open already */
    { OPEN, PORT + 9, 0, 0 }, /* nobody listens */
    { OPEN, PORT + 1, 0, 1 }, /* a size that is wrong */
    { OPEN, PORT + 1, 1, 0 },
    { DATA, PORT, 0, 0 },
    { DATA, PORT, 1, 5 },
    { DATA, PORT, 0, ZL_MUX_CHUNK + 1 },
    { DATA, PORT + 1, 0, 5 }, /* listened on, not open */
    { DATA, PORT + 9, 0, 5 },
    { DATA, 7, 0, 5 },
    { END, PORT, 0, 1 },
    { END, PORT + 1, 0, 0 },
    { CREDIT, PORT, 1, 0 }, /* beyond the window */
    { CREDIT, PORT, UINT32_MAX, 0 },
    { CREDIT, PORT, 1, 1 },
    { CREDIT, PORT + 9, 1, 0 },
    { RESET, PORT, 0, 1 },
    { RESET, PORT + 9, 0, 0 },
    { RESET, 0, 0, 0 },
  };

  (void)state;
  for (size_t i = 0; i < ZL_COUNT(cases); i++) {
    struct pair *pair;
    void *fresh;

    assert_int_equal(pair_new(&fresh), 0);
    pair = fresh;
    open_stream(pair, PORT);
    assert_int_equal(zl_mux_listen(pair->host.mux, PORT + 1, NULL), 0);
    assert_int_equal(
        feed(pair->host.mux, cases[i].type, cases[i].port, cases[i].argument, zeros, cases[i].len),
        -ZL_E_REMOTE);
    assert_int_equal(feed(pair->host.mux, END, PORT, 0, NULL, 0), -ZL_E_REMOTE);
    assert_int_equal(zl_mux_room(pair->host.mux, PORT), 0);
    assert_int_equal(zl_mux_listen(pair->host.mux, PORT + 2, NULL), -ZL_E_REMOTE);
    expect(&pair->host, "");
    pair_free(&fresh);
  }
}

static void only_a_guest_connects(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  assert_int_equal(feed(pair->guest.mux, OPEN, PORT + 1, 0, NULL, 0), -ZL_E_REMOTE);
}

static void data_over_the_window_ends_it(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  for (int i = 0; i < 4; i++)
    assert_int_equal(feed(pair->host.mux, DATA, PORT, 0, zeros, ZL_MUX_CHUNK), 0);
  assert_int_equal(feed(pair->host.mux, DATA, PORT, 0, zeros, 1), -ZL_E_REMOTE);
}

static void data_after_the_end_ends_it(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  open_stream(pair, PORT + 1);
  assert_int_equal(feed(pair->host.mux, END, PORT, 0, NULL, 0), 0);
  assert_int_equal(feed(pair->host.mux, DATA, PORT, 0, zeros, 1), -ZL_E_REMOTE);
  assert_int_equal(feed(pair->guest.mux, END, PORT, 0, NULL, 0), 0);
  assert_int_equal(feed(pair->guest.mux, END, PORT, 0, NULL, 0), -ZL_E_REMOTE);
}

/* A peer that writes as fast as it may and reads nothing costs a bounded number of bytes. */
static void a_peer_that_does_not_read_gains_nothing(void **state)
{
  struct pair *pair = *state;
  size_t len = 0, most = 0, fed = 0;

  open_stream(pair, PORT);
  pair->host.eager = true;
  for (int i = 0; i < 100000; i++) {
    if (feed(pair->host.mux, DATA, PORT, 0, zeros, ZL_MUX_CHUNK) < 0)
      break;
    fed += ZL_MUX_CHUNK;
    zl_buf_clear(&pair->host.diary);
    (void)zl_mux_pending(pair->host.mux, &len);
    most = len > most ? len : most;
  }
  assert_true(most < 128 << 10);
  assert_true(fed < 100000ull * ZL_MUX_CHUNK); /* in the end nothing was granted */
}

static void grants_that_waited_are_made(void **state)
{
  struct pair *pair = *state;

  open_stream(pair, PORT);
  open_stream(pair, PORT + 1);
  /* The host's queue is long while the guest's bytes are dealt with. */
  assert_int_equal(zl_mux_write(pair->guest.mux, PORT, zeros, ZL_MUX_WINDOW, NULL), 0);
  assert_int_equal(zl_mux_write(pair->host.mux, PORT, zeros, ZL_MUX_WINDOW, NULL), 0);
  assert_int_equal(zl_mux_write(pair->host.mux, PORT + 1, zeros, ZL_MUX_WINDOW, NULL), 0);
  pair->host.eager = true;
  settle(pair);
  assert_int_equal(zl_mux_room(pair->guest.mux, PORT), ZL_MUX_WINDOW);
}

static void unsent_bytes_have_a_limit(void **state)
{
  struct pair *pair = *state;
  struct zl_mux *mux = pair->guest.mux;
  size_t len;
  int r = 0;

  /* Streams that are dropped with their window unsent. */
  for (uint32_t i = 0; i < 2000 && r == 0; i++) {
    assert_int_equal(zl_mux_open(mux, PORT + i, NULL), 0);
    r = zl_mux_write(mux, PORT + i, zeros, ZL_MUX_WINDOW, NULL);
    zl_mux_reset(mux, PORT + i);
  }
  assert_int_equal(r, -ZL_E_LIMIT);
  (void)zl_mux_pending(mux, &len);
  assert_true(len < 18 << 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_new, pair_free)
  const struct CMUnitTest tests[] = {
    TEST(frames_have_their_bytes),
    TEST(a_stream_ends_when_both_sides_have),
    TEST(a_window_is_what_may_be_written),
    TEST(a_slow_stream_holds_up_no_other),
    TEST(a_reset_drops_the_stream),
    TEST(callbacks_may_reset),
    TEST(a_host_may_stop_listening),
    TEST(ports_are_used_once),
    TEST(many_ports_in_a_row),
    TEST(streams_have_a_limit),
    cmocka_unit_test(what_no_peer_may_send_ends_it),
    TEST(only_a_guest_connects),
    TEST(data_over_the_window_ends_it),
    TEST(data_after_the_end_ends_it),
    TEST(a_peer_that_does_not_read_gains_nothing),
    TEST(grants_that_waited_are_made),
    TEST(unsent_bytes_have_a_limit),
  };

  return cmocka_run_group_tests_name("bridge streams", tests, NULL, NULL);
}
