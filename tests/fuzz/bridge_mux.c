/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of the streams: the first byte says which side is under test and how it behaves, the
 * rest is what its peer sends. Whatever that is, no more than a window comes of any stream, nothing
 * after its end, memory stays bounded, what is sent is well-formed, and the outcome does not depend
 * on how the bytes are cut.
 */
#include <string.h>

#include "base/cleanup.h"
#include "bridge/mux.h"
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));

enum {
  STREAMS = 6,
  /* bits of the first byte */
  GUEST = 1,   /* the side */
  EAGER = 2,   /* consumes at once */
  ANSWERS = 4, /* writes when it may */
  CLOSES = 8,  /* ends a stream whose peer has */
  RESETS = 16  /* resets a stream after its first bytes */
};

struct story {
  struct zl_mux *mux;
  unsigned mode;
  uint64_t hash; /* of all events */
  struct stream {
    bool open, over;
    size_t held; /* came and not consumed */
  } streams[STREAMS];
};

static struct stream *at(struct story *story, uint32_t port, unsigned event)
{
  uint32_t i = port - ZL_MUX_FIRST_PORT;

  require(i < STREAMS && !story->streams[i].over);
  story->hash = (story->hash ^ (i * 8 + event)) * UINT64_C(1099511628211);
  return &story->streams[i];
}

static void write_some(struct story *story, uint32_t port)
{
  static const char zeros[1000];
  size_t room = zl_mux_room(story->mux, port);

  require(room <= ZL_MUX_WINDOW);
  if ((story->mode & ANSWERS) != 0 && room > 0)
    require(zl_mux_write(story->mux, port, zeros, room < 1000 ? room : 1000, NULL) == 0);
}

static void on_opened(void *ctx, uint32_t port)
{
  struct story *story = ctx;
  struct stream *stream = at(story, port, 1);

  require(!stream->open && (story->mode & GUEST) == 0);
  stream->open = true;
  write_some(story, port);
}

static void on_data(void *ctx, uint32_t port, const void *data, size_t len)
{
  struct story *story = ctx;
  struct stream *stream = at(story, port, 2);
  const uint8_t *bytes = data;

  require(stream->open && len > 0 && len <= ZL_MUX_CHUNK);
  for (size_t i = 0; i < len; i += 97)
    story->hash += bytes[i];
  story->hash += len;
  stream->held += len;
  require(stream->held <= ZL_MUX_WINDOW);
  if ((story->mode & EAGER) != 0) {
    stream->held = 0;
    zl_mux_consumed(story->mux, port, len);
  }
  write_some(story, port);
  if ((story->mode & RESETS) != 0) {
    stream->over = true;
    zl_mux_reset(story->mux, port);
  }
}

static void on_eof(void *ctx, uint32_t port)
{
  struct story *story = ctx;
  struct stream *stream = at(story, port, 3);

  require(stream->open);
  if ((story->mode & CLOSES) != 0) {
    stream->over = true;
    zl_mux_shutdown(story->mux, port);
  }
}

static void on_writable(void *ctx, uint32_t port)
{
  struct story *story = ctx;

  require(at(story, port, 4)->open && zl_mux_room(story->mux, port) > 0);
  write_some(story, port);
}

static void on_reset(void *ctx, uint32_t port)
{
  struct story *story = ctx;

  at(story, port, 5)->over = true;
  require(zl_mux_room(story->mux, port) == 0);
}

static void begin(struct story *story)
{
  const struct zl_mux_hooks hooks = { story, on_opened, on_data, on_eof, on_writable, on_reset };
  enum zl_mux_side side = (story->mode & GUEST) != 0 ? ZL_MUX_GUEST : ZL_MUX_HOST;

  require(zl_mux_new(side, &hooks, &story->mux, NULL) == 0);
  for (uint32_t i = 0; i < STREAMS; i++) {
    if (side == ZL_MUX_GUEST)
      require(zl_mux_open(story->mux, ZL_MUX_FIRST_PORT + i, NULL) == 0);
    else
      require(zl_mux_listen(story->mux, ZL_MUX_FIRST_PORT + i, NULL) == 0);
    story->streams[i].open = side == ZL_MUX_GUEST;
    if (i % 2 == 0)
      write_some(story, ZL_MUX_FIRST_PORT + i);
  }
}

/* Whole frames of known types, and not more than the windows hold. */
static void check_pending(const struct story *story)
{
  size_t len, i = 0;
  const uint8_t *data = zl_mux_pending(story->mux, &len);

  require(len < STREAMS * (ZL_MUX_WINDOW + 80 * ZL_FRAME_HEADER) + (128 << 10));
  while (i < len) {
    struct zl_frame frame;

    require(len - i >= ZL_FRAME_HEADER);
    require(zl_frame_decode(data + i, ZL_FRAME_HEADER + ZL_MUX_CHUNK, &frame, NULL) == 0);
    require(frame.type >= 1 && frame.type <= 5 && frame.size <= len - i);
    require((uint32_t)frame.id - ZL_MUX_FIRST_PORT < STREAMS);
    i += frame.size;
  }
}

static int tell(struct story *story, const uint8_t *data, size_t size, size_t step)
{
  struct zl_error err = { 0 };
  int r = 0;

  begin(story);
  for (size_t i = 0; i < size && r == 0; i += step)
    r = zl_mux_feed(story->mux, data + i, size - i < step ? size - i : step, &err);
  require(r == 0 || (-r == (int)err.code && err.msg[0] != '\0'));
  check_pending(story);
  require(r == 0 || zl_mux_feed(story->mux, "x", 1, NULL) == r);
  zl_mux_free(story->mux);
  return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct story whole = { .hash = 1 }, cut = { .hash = 1 };
  size_t step;
  int r;

  if (size == 0)
    return 0;
  whole.mode = cut.mode = data[0];
  step = 1 + data[size / 2] % 64u;
  r = tell(&whole, data + 1, size - 1, size);
  if (size % 16 != 0) /* twice is slow: only some */
    return 0;
  require(tell(&cut, data + 1, size - 1, step) == r && whole.hash == cut.hash);
  return 0;
}

static bool is_start(const uint8_t *header)
{
  return header[0] >= 1 && header[0] <= 5 && header[1] == 0 && header[2] == 0 && header[3] == 0 &&
         header[11] == 0x40;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0)
    seal_frames(data, size, 1, is_start);
  return size;
}
