/* SPDX-License-Identifier: Apache-2.0
 *
 * Two muxes back to back: streams of pseudo-random bytes in both directions, cut anywhere, read as
 * slowly as it happens. Whatever the order, each stream arrives whole, in order and once. The seeds
 * are fixed, so a failure can be had again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bridge/mux.h"

enum {
  STREAMS = 24,
  MAX_BYTES = 400000
};

/* One direction of one stream. Byte n is a function of n, so nothing has to be kept. */
struct flow {
  size_t total, written, received, consumed;
  bool shut, eof, reset;
};

struct side {
  struct zl_mux *mux;
  struct flow *in; /* what comes to this side, by stream */
};

struct world {
  uint64_t random;
  struct side host, guest;
  struct flow to_host[STREAMS], to_guest[STREAMS];
  bool opened[STREAMS], dropped[STREAMS];
};

static uint32_t next(struct world *w, uint32_t below)
{
  w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (uint32_t)(w->random >> 33) % below;
}

static uint8_t byte_at(uint32_t stream, size_t n)
{
  uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ stream;

  return (uint8_t)(x >> 37 ^ x >> 11);
}

static void on_data(void *ctx, uint32_t port, const void *data, size_t len)
{
  struct side *side = ctx;
  uint32_t stream = port - ZL_MUX_FIRST_PORT;
  struct flow *flow = &side->in[stream];
  const uint8_t *bytes = data;

  assert_false(flow->eof);
  for (size_t i = 0; i < len; i++)
    if (bytes[i] != byte_at(stream, flow->received + i))
      fail_msg("stream %u differs at %zu", stream, flow->received + i);
  flow->received += len;
  assert_true(flow->received <= flow->total);
  assert_true(flow->received - flow->consumed <= ZL_MUX_WINDOW);
}

static void on_eof(void *ctx, uint32_t port)
{
  struct side *side = ctx;
  struct flow *flow = &side->in[port - ZL_MUX_FIRST_PORT];

  assert_false(flow->eof);
  assert_int_equal(flow->received, flow->total);
  flow->eof = true;
}

static void on_reset(void *ctx, uint32_t port)
{
  struct side *side = ctx;

  side->in[port - ZL_MUX_FIRST_PORT].reset = true;
}

static void world_init(struct world *w, uint64_t seed)
{
  const struct zl_mux_hooks host = {
    .ctx = &w->host, .data = on_data, .eof = on_eof, .reset = on_reset
  };
  const struct zl_mux_hooks guest = {
    .ctx = &w->guest, .data = on_data, .eof = on_eof, .reset = on_reset
  };

  memset(w, 0, sizeof(*w));
  w->random = seed;
  w->host.in = w->to_host;
  w->guest.in = w->to_guest;
  assert_int_equal(zl_mux_new(ZL_MUX_HOST, &host, &w->host.mux, NULL), 0);
  assert_int_equal(zl_mux_new(ZL_MUX_GUEST, &guest, &w->guest.mux, NULL), 0);
  for (uint32_t i = 0; i < STREAMS; i++) {
    w->to_host[i].total = next(w, 4) == 0 ? 0 : next(w, MAX_BYTES);
    w->to_guest[i].total = next(w, 4) == 0 ? 0 : next(w, MAX_BYTES);
    w->dropped[i] = next(w, 8) == 0; /* will be reset somewhere in the middle */
    assert_int_equal(zl_mux_listen(w->host.mux, ZL_MUX_FIRST_PORT + i, NULL), 0);
  }
}

static void write_some(struct world *w, struct zl_mux *mux, struct flow *flow, uint32_t stream)
{
  uint8_t bytes[40000];
  size_t n = 1 + next(w, sizeof(bytes)), room = zl_mux_room(mux, ZL_MUX_FIRST_PORT + stream);

  if (flow->shut || !w->opened[stream])
    return;
  n = n < room ? n : room;
  n = n < flow->total - flow->written ? n : flow->total - flow->written;
  for (size_t i = 0; i < n; i++)
    bytes[i] = byte_at(stream, flow->written + i);
  /* The host cannot write before the guest has connected. */
  if (n > 0)
    assert_int_equal(zl_mux_write(mux, ZL_MUX_FIRST_PORT + stream, bytes, n, NULL), 0);
  flow->written += n;
  if (flow->written == flow->total && room > 0) {
    zl_mux_shutdown(mux, ZL_MUX_FIRST_PORT + stream);
    flow->shut = true;
  }
}

static void consume_some(struct world *w, struct side *side, uint32_t stream)
{
  struct flow *flow = &side->in[stream];
  size_t n = flow->received - flow->consumed;

  if (n > 0 && next(w, 2) == 0)
    n = 1 + next(w, (uint32_t)n);
  flow->consumed += n;
  zl_mux_consumed(side->mux, ZL_MUX_FIRST_PORT + stream, n);
}

/* Some of what waits, cut anywhere. */
static void carry_some(struct world *w, struct zl_mux *from, struct zl_mux *to)
{
  struct zl_error err = { 0 };
  size_t len, n;
  const void *data = zl_mux_pending(from, &len);

  if (len == 0)
    return;
  n = 1 + next(w, next(w, 3) == 0 ? 20 : 70000);
  n = n < len ? n : len;
  if (zl_mux_feed(to, data, n, &err) < 0)
    fail_msg("%s", err.msg);
  zl_mux_sent(from, n);
}

static void one_step(struct world *w)
{
  uint32_t stream = next(w, STREAMS);

  switch (next(w, 7)) {
  case 0:
    if (!w->opened[stream])
      assert_int_equal(zl_mux_open(w->guest.mux, ZL_MUX_FIRST_PORT + stream, NULL), 0);
    w->opened[stream] = true;
    break;
  case 1:
    write_some(w, w->host.mux, &w->to_guest[stream], stream);
    break;
  case 2:
    write_some(w, w->guest.mux, &w->to_host[stream], stream);
    break;
  case 3:
    consume_some(w, next(w, 2) ? &w->host : &w->guest, stream);
    break;
  case 4:
    if (w->dropped[stream] && w->to_host[stream].received > w->to_host[stream].total / 2)
      zl_mux_reset(next(w, 2) ? w->host.mux : w->guest.mux, ZL_MUX_FIRST_PORT + stream);
    break;
  case 5:
    carry_some(w, w->host.mux, w->guest.mux);
    break;
  default:
    carry_some(w, w->guest.mux, w->host.mux);
  }
}

static bool is_finished(const struct world *w)
{
  for (int i = 0; i < STREAMS; i++)
    if (!w->dropped[i] && !(w->to_host[i].eof && w->to_guest[i].eof))
      return false;
  return true;
}

static void streams_arrive_whole(void **state)
{
  static const uint64_t seeds[] = { 1, 2, 3, 5, 8, 13, 21, 34, 0xdeadbeef, 0x123456789abcdef };

  (void)state;
  for (size_t s = 0; s < ZL_COUNT(seeds); s++) {
    static struct world w;
    long steps = 0;

    world_init(&w, seeds[s]);
    while (!is_finished(&w)) {
      one_step(&w);
      if (++steps == 4000000)
        fail_msg("seed %llu: the streams stand still", (unsigned long long)seeds[s]);
    }
    for (int i = 0; i < STREAMS; i++) {
      if (w.dropped[i])
        continue;
      assert_int_equal(w.to_host[i].received, w.to_host[i].total);
      assert_int_equal(w.to_guest[i].received, w.to_guest[i].total);
      assert_false(w.to_host[i].reset || w.to_guest[i].reset);
    }
    zl_mux_free(w.host.mux);
    zl_mux_free(w.guest.mux);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = { cmocka_unit_test(streams_arrive_whole) };

  return cmocka_run_group_tests_name("bridge streams at random", tests, NULL, NULL);
}
