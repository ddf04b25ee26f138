/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/mux.h"

#include "bridge/ports.h"
#include "bridge/stream.h"

enum frame_type {
  OPEN = 1,
  DATA,
  END, /* EOF of the protocol; the C library has that name */
  CREDIT,
  RESET
};

enum {
  /* Consumed bytes are granted in portions, so that small reads do not each cost a frame. */
  PORTION = ZL_MUX_WINDOW / 4,
  /* No grants while so much waits to be sent: a peer that writes but does not read gains nothing.
   */
  BUSY = 64 << 10,
  /* All windows with their headers, and room for the other frames of as many streams. */
  MAX_QUEUE = ZL_MUX_MAX_STREAMS * (ZL_MUX_WINDOW + 64 * ZL_FRAME_HEADER)
};

struct stream {
  uint32_t port;
  bool open;          /* false: listened on */
  bool ended, closed; /* EOF sent, EOF received */
  uint32_t room;      /* may be sent to the peer */
  uint32_t granted;   /* may still come from it */
  uint32_t due;       /* consumed and not yet granted again */
};

struct zl_mux {
  enum zl_mux_side side;
  struct zl_mux_hooks hooks;
  struct zl_frame_reader in;
  struct zl_queue out;
  struct zl_ports ports;
  struct stream streams[ZL_MUX_MAX_STREAMS];
  size_t count;
  bool broken;
  struct zl_error why;
};

int zl_mux_new(enum zl_mux_side side, const struct zl_mux_hooks *hooks, struct zl_mux **ret,
               struct zl_error *err)
{
  struct zl_mux *mux = calloc(1, sizeof(*mux));

  if (mux == NULL)
    return zl_fail_nomem(err, "the streams of a guest");
  mux->side = side;
  if (hooks != NULL)
    mux->hooks = *hooks;
  zl_frame_reader_init(&mux->in, ZL_FRAME_HEADER + ZL_MUX_CHUNK);
  zl_queue_init(&mux->out, MAX_QUEUE);
  zl_ports_init(&mux->ports);
  *ret = mux;
  return 0;
}

void zl_mux_free(struct zl_mux *mux)
{
  if (mux == NULL)
    return;
  zl_frame_reader_done(&mux->in);
  zl_queue_done(&mux->out);
  free(mux);
}

/* mux->count: there is none. */
static size_t index_of(const struct zl_mux *mux, uint32_t port)
{
  size_t i = 0;

  while (i < mux->count && mux->streams[i].port != port)
    i++;
  return i;
}

static struct stream *find(struct zl_mux *mux, uint32_t port)
{
  size_t i = index_of(mux, port);

  return i < mux->count ? &mux->streams[i] : NULL;
}

static struct stream *find_open(struct zl_mux *mux, uint32_t port)
{
  struct stream *stream = find(mux, port);

  return stream != NULL && stream->open ? stream : NULL;
}

static void drop(struct zl_mux *mux, struct stream *stream)
{
  *stream = mux->streams[--mux->count];
}

static int send_frame(struct zl_mux *mux, enum frame_type type, uint32_t port, uint32_t argument,
                      const void *data, size_t len, struct zl_error *err)
{
  struct zl_frame frame = { .type = type, .id = (uint64_t)argument << 32 | port };
  int r = zl_queue_frame(&mux->out, &frame, data, len, err);

  return r < 0 ? zl_wrap(err, "bytes that wait to be sent to the other end") : 0;
}

/* A control frame that cannot be queued leaves the two ends with different beliefs. */
static void send_control(struct zl_mux *mux, enum frame_type type, uint32_t port, uint32_t argument)
{
  struct zl_error err = { 0 };

  if (mux->broken || send_frame(mux, type, port, argument, NULL, 0, &err) == 0)
    return;
  mux->broken = true;
  (void)zl_fail(&mux->why, err.code, 0, "streams of the guest: %s", err.msg);
}

static int add(struct zl_mux *mux, uint32_t port, bool open, struct zl_error *err)
{
  if (port < ZL_MUX_FIRST_PORT)
    return zl_fail(err, ZL_E_INVALID, 0, "stream %u: they begin at %u", port, ZL_MUX_FIRST_PORT);
  if (zl_ports_used(&mux->ports, port))
    return zl_fail(err, ZL_E_CONFLICT, 0, "stream %u has been used before", port);
  if (mux->count == ZL_MUX_MAX_STREAMS)
    return zl_fail(err, ZL_E_LIMIT, 0, "%d streams are open: no more at once", ZL_MUX_MAX_STREAMS);
  if (mux->broken)
    return zl_fail(err, ZL_E_REMOTE, 0, "%s", mux->why.msg);
  zl_ports_use(&mux->ports, port);
  mux->streams[mux->count++] = (struct stream){
    .port = port, .open = open, .room = ZL_MUX_WINDOW, .granted = ZL_MUX_WINDOW
  };
  return 0;
}

int zl_mux_listen(struct zl_mux *mux, uint32_t port, struct zl_error *err)
{
  if (mux->side != ZL_MUX_HOST)
    return zl_fail(err, ZL_E_INVALID, 0, "only the host listens");
  return add(mux, port, false, err);
}

int zl_mux_open(struct zl_mux *mux, uint32_t port, struct zl_error *err)
{
  int r;

  if (mux->side != ZL_MUX_GUEST)
    return zl_fail(err, ZL_E_INVALID, 0, "only the guest connects");
  r = add(mux, port, true, err);
  if (r == 0)
    send_control(mux, OPEN, port, 0);
  return r;
}

size_t zl_mux_room(const struct zl_mux *mux, uint32_t port)
{
  size_t i = index_of(mux, port);

  if (i == mux->count || mux->broken)
    return 0;
  return mux->streams[i].open && !mux->streams[i].ended ? mux->streams[i].room : 0;
}

int zl_mux_write(struct zl_mux *mux, uint32_t port, const void *data, size_t len,
                 struct zl_error *err)
{
  struct stream *stream = find_open(mux, port);
  const char *bytes = data;
  int r;

  if (stream == NULL || stream->ended || mux->broken)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "stream %u is not open for writing", port);
  if (len > stream->room || zl_queue_len(&mux->out) > MAX_QUEUE - 2 * ZL_MUX_WINDOW)
    return zl_fail(err, ZL_E_LIMIT, 0, "stream %u: %zu bytes where %u may be written", port, len,
                   stream->room);
  /* Room for all of it first, so that a failure has written nothing. */
  r = zl_queue_reserve(&mux->out, len + (len / ZL_MUX_CHUNK + 1) * ZL_FRAME_HEADER, err);
  for (size_t at = 0, n; r == 0 && at < len; at += n) {
    n = len - at < ZL_MUX_CHUNK ? len - at : ZL_MUX_CHUNK;
    r = send_frame(mux, DATA, port, 0, bytes + at, n, err);
    stream->room -= (uint32_t)n;
  }
  return r;
}

static void drop_if_over(struct zl_mux *mux, struct stream *stream)
{
  if (stream->ended && stream->closed)
    drop(mux, stream);
}

void zl_mux_shutdown(struct zl_mux *mux, uint32_t port)
{
  struct stream *stream = find_open(mux, port);

  if (stream == NULL || stream->ended)
    return;
  stream->ended = true;
  send_control(mux, END, port, 0);
  drop_if_over(mux, stream);
}

/* Grants what is due; nothing to a peer that will not write any more. */
static void grant(struct zl_mux *mux, struct stream *stream)
{
  if (stream->due < PORTION || stream->closed || zl_queue_len(&mux->out) > BUSY)
    return;
  send_control(mux, CREDIT, stream->port, stream->due);
  stream->granted += stream->due;
  stream->due = 0;
}

void zl_mux_consumed(struct zl_mux *mux, uint32_t port, size_t len)
{
  struct stream *stream = find_open(mux, port);
  uint32_t owed;

  if (stream == NULL)
    return;
  owed = ZL_MUX_WINDOW - stream->granted - stream->due; /* given and not yet consumed */
  stream->due += len < owed ? (uint32_t)len : owed;
  grant(mux, stream);
}

const void *zl_mux_pending(const struct zl_mux *mux, size_t *ret_len)
{
  return zl_queue_pending(&mux->out, ret_len);
}

void zl_mux_sent(struct zl_mux *mux, size_t len)
{
  bool was_busy = zl_queue_len(&mux->out) > BUSY;

  zl_queue_sent(&mux->out, len);
  if (!was_busy || zl_queue_len(&mux->out) > BUSY)
    return;
  for (size_t i = 0; i < mux->count; i++)
    if (mux->streams[i].open)
      grant(mux, &mux->streams[i]);
}

/* The other end is told also of a port that was only listened on: it may be about to connect. */
void zl_mux_reset(struct zl_mux *mux, uint32_t port)
{
  struct stream *stream = find(mux, port);

  if (stream == NULL)
    return;
  drop(mux, stream);
  send_control(mux, RESET, port, 0);
}

static int take_open(struct zl_mux *mux, uint32_t port, struct zl_error *err)
{
  struct stream *stream = find(mux, port);

  if (mux->side != ZL_MUX_HOST || stream == NULL || stream->open)
    return zl_fail(err, ZL_E_REMOTE, 0, "port %u was connected; nobody listens there", port);
  stream->open = true;
  if (mux->hooks.opened != NULL)
    mux->hooks.opened(mux->hooks.ctx, port);
  return 0;
}

static int take_data(struct zl_mux *mux, struct stream *stream, struct zl_error *err)
{
  size_t len = mux->in.payload_len;

  if (stream->closed || len > stream->granted)
    return zl_fail(err, ZL_E_REMOTE, 0, "stream %u: %zu bytes where %u may come", stream->port, len,
                   stream->closed ? 0 : stream->granted);
  stream->granted -= (uint32_t)len;
  if (mux->hooks.data != NULL)
    mux->hooks.data(mux->hooks.ctx, stream->port, mux->in.payload, len);
  return 0;
}

static int take_end(struct zl_mux *mux, struct stream *stream, struct zl_error *err)
{
  uint32_t port = stream->port;

  if (stream->closed)
    return zl_fail(err, ZL_E_REMOTE, 0, "stream %u has ended twice", port);
  stream->closed = true;
  drop_if_over(mux, stream);
  if (mux->hooks.eof != NULL)
    mux->hooks.eof(mux->hooks.ctx, port);
  return 0;
}

static int take_credit(struct zl_mux *mux, struct stream *stream, uint32_t bytes,
                       struct zl_error *err)
{
  if (bytes > ZL_MUX_WINDOW - stream->room)
    return zl_fail(err, ZL_E_REMOTE, 0, "stream %u: a grant of %u bytes beyond its window",
                   stream->port, bytes);
  stream->room += bytes;
  if (bytes > 0 && !stream->ended && mux->hooks.writable != NULL)
    mux->hooks.writable(mux->hooks.ctx, stream->port);
  return 0;
}

static void take_reset(struct zl_mux *mux, struct stream *stream)
{
  uint32_t port = stream->port;

  drop(mux, stream);
  if (mux->hooks.reset != NULL)
    mux->hooks.reset(mux->hooks.ctx, port);
}

static bool is_well_formed(uint32_t type, size_t len, uint32_t argument)
{
  if (type < OPEN || type > RESET)
    return false;
  if (type == DATA)
    return len > 0 && argument == 0;
  return len == 0 && (type == CREDIT || argument == 0);
}

/* Frames of ports that are not open: those of a stream that is over crossed a RESET, and a host may
 * stop listening on a port that the guest has not connected yet. */
static int take_stray(struct zl_mux *mux, uint32_t type, uint32_t port, struct zl_error *err)
{
  if (find(mux, port) == NULL && zl_ports_used(&mux->ports, port) && port >= ZL_MUX_FIRST_PORT)
    return 0;
  if (type == RESET && mux->side == ZL_MUX_GUEST && port >= ZL_MUX_FIRST_PORT) {
    zl_ports_use(&mux->ports, port);
    return 0;
  }
  return zl_fail(err, ZL_E_REMOTE, 0, "a frame for port %u, which is not open", port);
}

static int take_frame(struct zl_mux *mux, struct zl_error *err)
{
  uint32_t type = mux->in.frame.type, port = (uint32_t)mux->in.frame.id;
  uint32_t argument = (uint32_t)(mux->in.frame.id >> 32);
  struct stream *stream = find(mux, port);

  if (!is_well_formed(type, mux->in.payload_len, argument))
    return zl_fail(err, ZL_E_REMOTE, 0, "a frame of type %u, %u bytes, argument %u", type,
                   mux->in.frame.size, argument);
  if (stream != NULL && type == RESET) {
    take_reset(mux, stream);
    return 0;
  }
  if (stream == NULL || (!stream->open && type != OPEN))
    return take_stray(mux, type, port, err);
  switch ((enum frame_type)type) {
  case OPEN:
    return take_open(mux, port, err);
  case DATA:
    return take_data(mux, stream, err);
  case END:
    return take_end(mux, stream, err);
  default:
    return take_credit(mux, stream, argument, err);
  }
}

int zl_mux_feed(struct zl_mux *mux, const void *data, size_t len, struct zl_error *err)
{
  const uint8_t *bytes = data;
  struct zl_error why = { 0 };
  bool complete;

  while (len > 0 && !mux->broken) {
    int r = zl_frame_reader_take(&mux->in, &bytes, &len, &complete, &why);

    if (r == 0 && complete) {
      r = take_frame(mux, &why);
      zl_frame_reader_next(&mux->in);
    }
    if (r < 0) {
      mux->broken = true;
      (void)zl_fail(&mux->why, ZL_E_REMOTE, 0, "streams of the guest: %s", why.msg);
    }
  }
  return mux->broken ? zl_fail(err, mux->why.code, 0, "%s", mux->why.msg) : 0;
}
