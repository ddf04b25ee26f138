/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/server.h"

#include <string.h>

#include "base/compiler.h"
#include "base/json.h"
#include "bridge/stream.h"

enum {
  PROTOCOL = 4 /* the only version in use */
};

struct zl_bridge_server {
  zl_bridge_request_fn fn;
  void *ctx;
  json_t *capabilities;
  struct zl_frame_reader in;
  struct zl_queue out;
  bool negotiated, broken;
  struct zl_error why;
};

int zl_bridge_server_new(zl_bridge_request_fn fn, void *ctx, json_t *capabilities,
                         struct zl_bridge_server **ret, struct zl_error *err)
{
  zl_autojson *owned = capabilities;
  struct zl_bridge_server *server;

  if (!json_is_object(owned))
    return zl_fail(err, ZL_E_INVALID, 0, "a guest's capabilities are an object");
  server = calloc(1, sizeof(*server));
  if (server == NULL)
    return zl_fail_nomem(err, "the guest's end of the bridge");
  server->fn = fn;
  server->ctx = ctx;
  server->capabilities = zl_steal_ptr(&owned);
  zl_frame_reader_init(&server->in, ZL_BRIDGE_MAX_TO_GUEST);
  zl_queue_init(&server->out, ZL_BRIDGE_MAX_ANSWERS);
  *ret = server;
  return 0;
}

void zl_bridge_server_free(struct zl_bridge_server *server)
{
  if (server == NULL)
    return;
  zl_frame_reader_done(&server->in);
  zl_queue_done(&server->out);
  json_decref(server->capabilities);
  free(server);
}

/* JSON is UTF-8, but a message may quote a path that is not, or be cut within a character. */
static json_t *text_json(const char *text)
{
  json_t *json = json_string(text);
  ZL_UNCLEARED char plain[ZL_ERROR_MSG_MAX];

  if (json != NULL)
    return json;
  (void)snprintf(plain, sizeof(plain), "%s", text);
  for (char *p = plain; *p != '\0'; p++)
    if ((unsigned char)*p >= 0x80)
      *p = '?';
  return json_string(plain);
}

static int send_text(struct zl_bridge_server *server, uint32_t type, uint64_t id, const char *text,
                     struct zl_error *err)
{
  struct zl_frame frame = { .type = type, .id = id };
  int r = zl_queue_frame(&server->out, &frame, text, strlen(text), err);

  return r < 0 ? zl_wrap(err, "answers that wait to be sent to the host") : 0;
}

static uint32_t response_type(uint32_t request)
{
  return (request & ~(uint32_t)ZL_FRAME_KIND) | ZL_FRAME_RESPONSE;
}

/* Written, not built: a host that sends nonsense is to cost little. `message` is in quotes. */
static int write_refusal(struct zl_buf *body, int32_t result, const char *message, uint32_t type,
                         struct zl_error *err)
{
  char number[16];
  const char *const pieces[] = {
    "{\"Result\":",
    number,
    ",\"ErrorMessage\":",
    message,
    ",\"ErrorRecords\":[{\"Result\":",
    number,
    ",\"Message\":",
    message,
    ",\"StackTrace\":\"\",\"ModuleName\":\"zlayer-guest\",\"FileName\":\"\",\"Line\":0,",
    "\"FunctionName\":\"",
    zl_bridge_message_name(type),
    "\"}]}",
  };
  int r = zl_buf_reserve(body, 256 + 2 * strlen(message), err);

  (void)snprintf(number, sizeof(number), "%d", (int)result);
  for (size_t i = 0; r == 0 && i < ZL_COUNT(pieces); i++)
    r = zl_buf_puts(body, pieces[i], err);
  return r;
}

/* Also for a type that is none of enum zl_bridge_message. */
static int refuse(struct zl_bridge_server *server, uint32_t type, uint64_t id,
                  const struct zl_error *why, struct zl_error *err)
{
  int32_t result = why->os_error < 0 ? why->os_error : zl_bridge_hresult_of(why->code);
  zl_autojson *text = text_json(why->msg);
  zl_autofree char *message = NULL;
  zl_autobuf body = ZL_BUF_INIT(ZL_BRIDGE_MAX_TO_HOST - ZL_FRAME_HEADER);
  int r;

  if (text == NULL)
    return zl_fail_nomem(err, "an answer");
  r = zl_json_render(text, &message, err);
  if (r == 0)
    r = write_refusal(&body, result, message, type, err);
  return r < 0 ? r : send_text(server, response_type(type), id, body.data, err);
}

int zl_bridge_refuse(struct zl_bridge_server *server, enum zl_bridge_message message, uint64_t id,
                     const struct zl_error *why, struct zl_error *err)
{
  return refuse(server, message, id, why, err);
}

int zl_bridge_answer(struct zl_bridge_server *server, enum zl_bridge_message message, uint64_t id,
                     json_t *body, struct zl_error *err)
{
  zl_autojson *owned = body, *answer = json_pack("{s:i}", "Result", 0);
  zl_autofree char *text = NULL;
  struct zl_error why = { 0 };
  int r;

  if (answer == NULL || (owned != NULL && json_object_update_missing(answer, owned) < 0))
    return zl_fail(err, ZL_E_INVALID, 0, "an answer that cannot be sent");
  r = zl_json_render(answer, &text, err);
  if (r < 0)
    return r;
  if (strlen(text) <= ZL_BRIDGE_MAX_TO_HOST - ZL_FRAME_HEADER)
    return send_text(server, response_type(message), id, text, err);
  (void)zl_fail(&why, ZL_E_LIMIT, 0, "the answer has %zu bytes, the limit is %d", strlen(text),
                ZL_BRIDGE_MAX_TO_HOST - ZL_FRAME_HEADER);
  return refuse(server, message, id, &why, err);
}

int zl_bridge_notify(struct zl_bridge_server *server, const char *container_id, const char *type,
                     struct zl_error *err)
{
  zl_autojson *json =
      json_pack("{s:s, s:s, s:s, s:s, s:i}", "ContainerId", container_id, "ActivityId",
                ZL_BRIDGE_NULL_GUID, "Type", type, "Operation", "None", "Result", 0);
  zl_autofree char *text = NULL;
  int r;

  if (json == NULL)
    return zl_fail(err, ZL_E_INVALID, 0, "a notification that cannot be sent");
  r = zl_json_render(json, &text, err);
  return r < 0 ? r : send_text(server, ZL_BRIDGE_NOTIFY_CONTAINER, 0, text, err);
}

/* One refusal by the server itself, with a result that has no code of its own. */
static int refuse_as(struct zl_bridge_server *server, enum zl_code code, int32_t result,
                     const char *text, struct zl_error *err)
{
  const struct zl_frame *frame = &server->in.frame;
  struct zl_error why = { 0 };

  (void)zl_fail(&why, code, 0, "%s", text);
  why.os_error = result;
  return refuse(server, frame->type, frame->id, &why, err);
}

static int negotiate(struct zl_bridge_server *server, const json_t *body, struct zl_error *err)
{
  const struct zl_frame *frame = &server->in.frame;
  struct zl_error why = { 0 };
  int64_t low = 0, high = 0;
  int r = zl_json_get_int(body, "", "MinimumVersion", 0, UINT32_MAX, 0, &low, &why);

  if (r == 0)
    r = zl_json_get_int(body, "", "MaximumVersion", 0, UINT32_MAX, 0, &high, &why);
  if (r < 0)
    return refuse(server, frame->type, frame->id, &why, err);
  server->negotiated = low <= PROTOCOL && high >= PROTOCOL;
  if (!server->negotiated)
    return refuse_as(server, ZL_E_UNSUPPORTED, ZL_HRESULT_UNKNOWN_VERSION,
                     "this guest speaks version 4 of the protocol only", err);
  return zl_bridge_answer(
      server, ZL_BRIDGE_NEGOTIATE, frame->id,
      json_pack("{s:i, s:O}", "Version", PROTOCOL, "Capabilities", server->capabilities), err);
}

static int take_request(struct zl_bridge_server *server, json_t *body, struct zl_error *err)
{
  const struct zl_frame *frame = &server->in.frame;
  struct zl_bridge_request request = { .message = (enum zl_bridge_message)frame->type,
                                       .id = frame->id,
                                       .body = body };
  struct zl_error why = { 0 };

  if (zl_json_get_string(body, "", "ContainerId", &request.container_id, &why) < 0)
    return refuse(server, frame->type, frame->id, &why, err);
  if (request.container_id == NULL)
    request.container_id = "";
  if (request.message == ZL_BRIDGE_NEGOTIATE)
    return negotiate(server, body, err);
  server->fn(server->ctx, &request);
  return 0;
}

static int take_frame(struct zl_bridge_server *server, struct zl_error *err)
{
  const struct zl_frame *frame = &server->in.frame;
  zl_autojson *body = NULL;
  struct zl_error why = { 0 };

  if ((frame->type & 0xf0000000) != ZL_FRAME_REQUEST)
    return zl_fail(err, ZL_E_REMOTE, 0, "a frame of type 0x%08x, which is no request", frame->type);
  if (!server->negotiated && frame->type != ZL_BRIDGE_NEGOTIATE)
    return refuse_as(server, ZL_E_UNSUPPORTED, ZL_HRESULT_NOT_IMPLEMENTED,
                     "NegotiateProtocol has to come first", err);
  if (!zl_bridge_is_request(frame->type))
    return refuse_as(server, ZL_E_UNSUPPORTED, ZL_HRESULT_UNKNOWN_MESSAGE, "unknown message", err);
  if (zl_json_parse_upto(server->in.payload, server->in.payload_len, ZL_BRIDGE_MAX_TO_GUEST,
                         "request", &body, &why) < 0)
    return refuse_as(server, ZL_E_INVALID, ZL_HRESULT_INVALID_JSON, why.msg, err);
  if (!json_is_object(body))
    return refuse_as(server, ZL_E_INVALID, ZL_HRESULT_INVALID_JSON, "request: not an object", err);
  return take_request(server, body, err);
}

int zl_bridge_server_feed(struct zl_bridge_server *server, const void *data, size_t len,
                          struct zl_error *err)
{
  const uint8_t *bytes = data;
  struct zl_error why = { 0 };
  bool complete;

  while (len > 0 && !server->broken) {
    int r = zl_frame_reader_take(&server->in, &bytes, &len, &complete, &why);

    if (r == 0 && complete) {
      r = take_frame(server, &why);
      zl_frame_reader_next(&server->in);
    }
    if (r < 0) {
      server->broken = true;
      (void)zl_fail(&server->why, ZL_E_REMOTE, 0, "guest bridge: %s", why.msg);
    }
  }
  return server->broken ? zl_fail(err, ZL_E_REMOTE, 0, "%s", server->why.msg) : 0;
}

const void *zl_bridge_server_pending(const struct zl_bridge_server *server, size_t *ret_len)
{
  return zl_queue_pending(&server->out, ret_len);
}

void zl_bridge_server_sent(struct zl_bridge_server *server, size_t len)
{
  zl_queue_sent(&server->out, len);
}
