/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "frames.h"

static void write_raw(struct fake_guest *guest, const void *data, size_t len)
{
  assert_int_equal(write(guest->fd, data, len), len);
}

static void write_frame(struct fake_guest *guest, uint32_t type, uint64_t id, uint32_t size,
                        const char *text)
{
  zl_autobuf bytes = ZL_BUF_INIT(4096);

  add_frame_sized(&bytes, type, id, size, text, strlen(text));
  write_raw(guest, bytes.data, bytes.len);
}

static json_t *good_answer(enum zl_bridge_message message)
{
  switch (message) {
  case ZL_BRIDGE_EXECUTE_PROCESS:
    return json_pack("{s:i}", "ProcessId", 7);
  case ZL_BRIDGE_WAIT_FOR_PROCESS:
    return json_pack("{s:i, s:i, s:b}", "ExitCode", 137, "Signal", 9, "OomKilled", 1);
  case ZL_BRIDGE_GET_PROPERTIES:
    return json_pack("{s:s}", "Properties", "{\"Memory\":{\"TotalBytes\":2,\"AvailableBytes\":1}}");
  default:
    return json_object();
  }
}

static void answer(struct fake_guest *guest, const struct zl_bridge_request *request, uint64_t id)
{
  assert_int_equal(
      zl_bridge_answer(guest->server, request->message, id, good_answer(request->message), NULL),
      0);
}

static void strike(struct fake_guest *guest, const struct zl_bridge_request *request)
{
  uint32_t type = RESPONSE(request->message);

  switch (guest->fault) {
  case FAKE_DELAY:
    guest->delayed = (struct zl_bridge_request){ .message = request->message, .id = request->id };
    return;
  case FAKE_OVERSIZED:
    write_frame(guest, type, request->id, ZL_BRIDGE_MAX_TO_HOST + 1, "{}");
    return;
  case FAKE_UNDERSIZED:
    write_frame(guest, type, request->id, 8, "");
    return;
  case FAKE_NOTIFIES_FIRST:
    assert_int_equal(zl_bridge_notify(guest->server, request->container_id, "UnexpectedExit", NULL),
                     0);
    answer(guest, request, request->id);
    return;
  case FAKE_WRONG_ID:
    answer(guest, request, request->id + 1000);
    return;
  case FAKE_GARBAGE:
    write_raw(guest, "\x1b[2J login: what a bridge does not say", 38);
    return;
  case FAKE_NOT_JSON:
    write_frame(guest, type, request->id, ZL_FRAME_HEADER + 5, "{\"a\":");
    return;
  case FAKE_HALF_FRAME:
    write_frame(guest, type, request->id, 100, "{\"Result\":0");
    fake_guest_hang_up(guest);
    return;
  case FAKE_SILENT:
    guest->silent = true;
    return;
  default: /* FAKE_DROP */
    return;
  }
}

static void on_request(void *ctx, const struct zl_bridge_request *request)
{
  struct fake_guest *guest = ctx;

  guest->requests++;
  if (guest->fd < 0)
    return; /* it hung up at one that came in the same breath */
  if (guest->seen != NULL && guest->seen(guest, request))
    return;
  if (guest->fault != FAKE_GOOD && guest->at == request->message)
    strike(guest, request);
  else if (!guest->silent)
    answer(guest, request, request->id);
}

void fake_guest_init(struct fake_guest *guest, int fd, enum fake_fault fault,
                     enum zl_bridge_message at)
{
  *guest = (struct fake_guest){ .fd = fd, .fault = fault, .at = at };
  assert_int_equal(zl_bridge_server_new(on_request, guest,
                                        json_pack("{s:s}", "RuntimeOsType", "Linux"),
                                        &guest->server, NULL),
                   0);
  zl_link_server(&guest->link, fd, guest->server);
}

void fake_guest_done(struct fake_guest *guest)
{
  fake_guest_hang_up(guest);
  zl_bridge_server_free(guest->server);
}

void fake_guest_hang_up(struct fake_guest *guest)
{
  if (guest->fd >= 0)
    (void)close(guest->fd);
  guest->fd = guest->link.fd = -1;
}

/* The server would not say this: it is read for without the link, and its answer taken away. */
static void answer_wrong_version(struct fake_guest *guest)
{
  static const char text[] = "{\"Result\":0,\"Version\":5,\"Capabilities\":{}}";
  zl_autojson *json = NULL;
  struct zl_frame frame;
  char chunk[4096];
  ssize_t n = read(guest->fd, chunk, sizeof(chunk));
  const void *data;
  size_t len;

  assert_true(n > 0);
  assert_int_equal(zl_bridge_server_feed(guest->server, chunk, (size_t)n, NULL), 0);
  data = zl_bridge_server_pending(guest->server, &len);
  zl_bridge_server_sent(guest->server, first_frame(data, len, &frame, &json));
  write_frame(guest, frame.type, frame.id, ZL_FRAME_HEADER + sizeof(text) - 1, text);
}

void fake_guest_turn(struct fake_guest *guest, short revents)
{
  struct zl_error err = { 0 };

  if (guest->fd < 0)
    return;
  if (guest->fault == FAKE_WRONG_VERSION)
    answer_wrong_version(guest);
  else if (zl_link_pump(&guest->link, revents, &err) < 0 && guest->fd >= 0)
    fail_msg("%s", err.msg);
}

void fake_guest_release(struct fake_guest *guest)
{
  answer(guest, &guest->delayed, guest->delayed.id);
}
