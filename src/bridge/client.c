/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/client.h"

#include <string.h>

#include "base/json.h"
#include "bridge/calls.h"
#include "bridge/stream.h"

struct zl_bridge_client {
  struct zl_bridge_hooks hooks;
  struct zl_frame_reader in;
  struct zl_queue out;
  struct zl_calls calls;
  char *container; /* the one created last, or NULL */
  bool broken;
  struct zl_error why; /* of the end */
};

int zl_bridge_client_new(const struct zl_bridge_hooks *hooks, struct zl_bridge_client **ret,
                         struct zl_error *err)
{
  struct zl_bridge_client *client = calloc(1, sizeof(*client));

  if (client == NULL)
    return zl_fail_nomem(err, "the guest bridge");
  if (hooks != NULL)
    client->hooks = *hooks;
  zl_frame_reader_init(&client->in, ZL_BRIDGE_MAX_TO_HOST);
  zl_queue_init(&client->out, ZL_BRIDGE_MAX_REQUESTS);
  client->calls.next_id = 1; /* 0 is that of notifications */
  *ret = client;
  return 0;
}

static void tell_waiter(const struct zl_pending_call *call, const json_t *reply,
                        const struct zl_error *err)
{
  if (call->fn != NULL)
    call->fn(call->ctx, err != NULL ? -(int)err->code : 0, reply, err);
}

static void fail_all(struct zl_bridge_client *client, const struct zl_error *err)
{
  while (client->calls.count > 0) {
    struct zl_pending_call call = zl_calls_take(&client->calls, client->calls.slots);

    free(call.container);
    tell_waiter(&call, NULL, err);
  }
}

void zl_bridge_client_free(struct zl_bridge_client *client)
{
  struct zl_error err = { 0 };

  if (client == NULL)
    return;
  (void)zl_fail(&err, ZL_E_CANCELLED, 0, "guest bridge: closed by this side");
  if (!client->broken)
    client->why = err;
  client->broken = true; /* what a callback calls now fails */
  fail_all(client, &err);
  zl_frame_reader_done(&client->in);
  zl_queue_done(&client->out);
  free(client->container);
  free(client);
}

/* The reason is in client->why; a call whose own time is over learns that. */
static void finish(struct zl_bridge_client *client, const struct zl_pending_call *late,
                   const struct zl_error *why)
{
  client->broken = true;
  zl_queue_done(&client->out);
  if (late != NULL)
    tell_waiter(late, NULL, why);
  fail_all(client, &client->why);
  if (client->hooks.broken != NULL)
    client->hooks.broken(client->hooks.ctx, &client->why);
}

static void end(struct zl_bridge_client *client, const struct zl_error *why,
                const struct zl_pending_call *late)
{
  if (client->broken)
    return;
  (void)zl_fail(&client->why, ZL_E_REMOTE, 0, "guest bridge: %s", why->msg);
  finish(client, late, why);
}

void zl_bridge_client_end(struct zl_bridge_client *client, const struct zl_error *why)
{
  if (client->broken)
    return;
  (void)zl_fail(&client->why, ZL_E_REMOTE, 0, "%s", why->msg);
  finish(client, NULL, NULL);
}

static int ended(const struct zl_bridge_client *client, struct zl_error *err)
{
  return zl_fail(err, ZL_E_REMOTE, 0, "%s", client->why.msg);
}

void zl_bridge_client_hangup(struct zl_bridge_client *client)
{
  struct zl_error why = { 0 };

  (void)zl_fail(&why, ZL_E_REMOTE, 0, "the guest has hung up");
  end(client, &why, NULL);
}

bool zl_bridge_client_is_broken(const struct zl_bridge_client *client)
{
  return client->broken;
}

/* The guest's text, as its message or in the first of its records; NULL: it gave none. */
static const char *guest_text(const json_t *reply)
{
  const char *text = json_string_value(json_object_get(reply, "ErrorMessage"));
  const json_t *record = json_array_get(json_object_get(reply, "ErrorRecords"), 0);

  if (text == NULL || *text == '\0')
    text = json_string_value(json_object_get(record, "Message"));
  return text != NULL && *text != '\0' ? text : NULL;
}

static void guest_error(struct zl_error *err, enum zl_bridge_message message, const json_t *reply,
                        int32_t result)
{
  enum zl_code code = zl_bridge_code_of(result);
  const char *text = guest_text(reply), *name = zl_bridge_message_name(message);

  if (text == NULL)
    (void)zl_fail(err, code, 0, "%s failed in the guest with 0x%08x", name, (uint32_t)result);
  else if (code == ZL_E_REMOTE)
    (void)zl_fail(err, code, 0, "%s (%s, 0x%08x)", text, name, (uint32_t)result);
  else
    (void)zl_fail(err, code, 0, "%s", text);
  err->os_error = result; /* set by hand: it is no errno that has a text */
}

/* A Create that succeeded says whose notifications are to be expected. */
static void note_container(struct zl_bridge_client *client, struct zl_pending_call *call,
                           int64_t result)
{
  if (result >= 0 && call->container != NULL) {
    free(client->container);
    client->container = zl_steal_ptr(&call->container);
  }
  free(call->container);
  call->container = NULL;
}

static int take_response(struct zl_bridge_client *client, const json_t *reply, struct zl_error *err)
{
  const struct zl_frame *frame = &client->in.frame;
  struct zl_pending_call *found = zl_calls_find(&client->calls, frame->id), call;
  struct zl_error failure = { 0 };
  int64_t result;
  int r;

  if (found == NULL)
    return zl_fail(err, ZL_E_REMOTE, 0, "an answer to call %llu, which is not under way",
                   (unsigned long long)frame->id);
  if (frame->type != ((uint32_t)found->message ^ ZL_FRAME_REQUEST ^ ZL_FRAME_RESPONSE))
    return zl_fail(err, ZL_E_REMOTE, 0, "an answer to %s where %s was called",
                   zl_bridge_message_name(frame->type), zl_bridge_message_name(found->message));
  r = zl_json_get_int(reply, "answer", "Result", INT32_MIN, INT32_MAX, 0, &result, err);
  if (r < 0)
    return r;
  call = zl_calls_take(&client->calls, found);
  note_container(client, &call, result);
  if (result >= 0) {
    tell_waiter(&call, reply, NULL);
    return 0;
  }
  guest_error(&failure, call.message, reply, (int32_t)result);
  tell_waiter(&call, NULL, &failure);
  return 0;
}

static int get_text(const json_t *object, const char *key, const char **ret, struct zl_error *err)
{
  int r = zl_json_get_string(object, "notification", key, ret, err);

  if (r == 0 && *ret == NULL)
    *ret = "";
  return r;
}

static int take_notification(struct zl_bridge_client *client, const json_t *json,
                             struct zl_error *err)
{
  struct zl_bridge_notification note = { 0 };
  int64_t result;
  int r = get_text(json, "ContainerId", &note.container_id, err);

  if (r == 0)
    r = get_text(json, "Type", &note.type, err);
  if (r == 0)
    r = get_text(json, "Operation", &note.operation, err);
  if (r == 0)
    r = zl_json_get_int(json, "notification", "Result", INT32_MIN, INT32_MAX, 0, &result, err);
  if (r < 0)
    return r;
  note.result = (int32_t)result;
  /* It may overtake the answer to the Create. */
  if ((client->container == NULL || strcmp(client->container, note.container_id) != 0) &&
      !zl_calls_creates(&client->calls, note.container_id))
    return zl_fail(err, ZL_E_REMOTE, 0, "a notification for '%.64s', which was not created",
                   note.container_id);
  if (client->hooks.notified != NULL)
    client->hooks.notified(client->hooks.ctx, &note);
  return 0;
}

static int take_frame(struct zl_bridge_client *client, struct zl_error *err)
{
  const struct zl_frame *frame = &client->in.frame;
  bool response = zl_bridge_is_request(frame->type ^ ZL_FRAME_REQUEST ^ ZL_FRAME_RESPONSE);
  zl_autojson *json = NULL;
  int r;

  if (!response && frame->type != ZL_BRIDGE_NOTIFY_CONTAINER)
    return zl_fail(err, ZL_E_REMOTE, 0, "a frame of the unknown type 0x%08x", frame->type);
  r = zl_json_parse(client->in.payload, client->in.payload_len, "message", &json, err);
  if (r < 0)
    return r;
  if (!json_is_object(json))
    return zl_fail(err, ZL_E_REMOTE, 0, "a message that is no object");
  return response ? take_response(client, json, err) : take_notification(client, json, err);
}

int zl_bridge_client_feed(struct zl_bridge_client *client, const void *data, size_t len,
                          struct zl_error *err)
{
  const uint8_t *bytes = data;
  struct zl_error why = { 0 };
  bool complete;

  while (len > 0 && !client->broken) {
    int r = zl_frame_reader_take(&client->in, &bytes, &len, &complete, &why);

    if (r == 0 && complete) {
      r = take_frame(client, &why);
      zl_frame_reader_next(&client->in);
    }
    if (r < 0)
      end(client, &why, NULL);
  }
  return client->broken ? ended(client, err) : 0;
}

const void *zl_bridge_client_pending(const struct zl_bridge_client *client, size_t *ret_len)
{
  return zl_queue_pending(&client->out, ret_len);
}

void zl_bridge_client_sent(struct zl_bridge_client *client, size_t len)
{
  zl_queue_sent(&client->out, len);
}

uint64_t zl_bridge_client_deadline(const struct zl_bridge_client *client)
{
  return zl_calls_deadline(&client->calls);
}

static bool can_be_cancelled(enum zl_bridge_message message)
{
  switch (message) {
  case ZL_BRIDGE_NEGOTIATE:
  case ZL_BRIDGE_GET_PROPERTIES:
  case ZL_BRIDGE_RESIZE_CONSOLE:
  case ZL_BRIDGE_WAIT_FOR_PROCESS:
  case ZL_BRIDGE_SHUTDOWN_GRACEFUL:
  case ZL_BRIDGE_SHUTDOWN_FORCED:
    return true;
  default:
    return false;
  }
}

/* Nobody waits for it any more, but its answer may still come. */
static void abandon(struct zl_pending_call *call, const struct zl_error *err)
{
  struct zl_pending_call told = *call;

  call->fn = NULL;
  call->deadline_ns = UINT64_MAX;
  tell_waiter(&told, NULL, err);
}

void zl_bridge_client_tick(struct zl_bridge_client *client, uint64_t now_ns)
{
  uint64_t limit = client->calls.next_id; /* calls that callbacks make have their turn next time */
  struct zl_pending_call *call;
  struct zl_error err = { 0 };

  while (!client->broken && (call = zl_calls_expired(&client->calls, now_ns, limit)) != NULL) {
    (void)zl_fail(&err, ZL_E_TIMEOUT, 0, "the guest did not answer %s in time",
                  zl_bridge_message_name(call->message));
    if (can_be_cancelled(call->message)) {
      abandon(call, &err);
    } else {
      struct zl_pending_call late = zl_calls_take(&client->calls, call);

      free(late.container);
      end(client, &err, &late);
    }
  }
}

/* The frame's text; the line's end is what Microsoft's host sends, too. */
static int render(const struct zl_bridge_call *call, char **ret, struct zl_error *err)
{
  const char *id = call->container_id != NULL ? call->container_id : ZL_BRIDGE_NULL_GUID;
  zl_autojson *message =
      json_pack("{s:s, s:s}", "ContainerId", id, "ActivityId", ZL_BRIDGE_NULL_GUID);
  zl_autofree char *text = NULL;
  size_t len;
  int r;

  if (message == NULL ||
      (call->body != NULL && json_object_update_missing(message, call->body) < 0))
    return zl_fail(err, ZL_E_INVALID, 0, "%s: the container's name or the body cannot be sent",
                   zl_bridge_message_name(call->message));
  r = zl_json_render(message, &text, err);
  if (r < 0)
    return r;
  len = strlen(text);
  if (len + 1 > ZL_BRIDGE_MAX_TO_GUEST - ZL_FRAME_HEADER)
    return zl_fail(err, ZL_E_LIMIT, 0, "%s of %zu bytes: at most %d can be sent",
                   zl_bridge_message_name(call->message), len, ZL_BRIDGE_MAX_TO_GUEST);
  text[len] = '\n'; /* in the place of the NUL: the text now has a length only */
  *ret = zl_steal_ptr(&text);
  return (int)len + 1;
}

static int submit(struct zl_bridge_client *client, const struct zl_bridge_call *call,
                  struct zl_error *err)
{
  struct zl_pending_call pending = {
    .deadline_ns = call->deadline_ns, .message = call->message, .fn = call->fn, .ctx = call->ctx
  };
  zl_autofree char *text = NULL, *container = NULL;
  struct zl_frame frame = { .type = call->message, .id = client->calls.next_id };
  int len = render(call, &text, err), r;

  if (len < 0)
    return len;
  if (call->message == ZL_BRIDGE_CREATE) {
    container = strdup(call->container_id != NULL ? call->container_id : ZL_BRIDGE_NULL_GUID);
    if (container == NULL)
      return zl_fail_nomem(err, "a call to the guest");
    pending.container = container;
  }
  r = zl_calls_add(&client->calls, &pending, err);
  if (r < 0)
    return r;
  r = zl_queue_frame(&client->out, &frame, text, (size_t)len, err);
  if (r < 0) {
    (void)zl_calls_take(&client->calls, zl_calls_find(&client->calls, frame.id));
    return zl_wrap(err, "requests that wait to be sent to the guest");
  }
  container = NULL;
  return 0;
}

int zl_bridge_call(struct zl_bridge_client *client, const struct zl_bridge_call *call,
                   uint64_t *ret_id, struct zl_error *err)
{
  uint64_t id = client->calls.next_id;
  int r;

  r = client->broken ? ended(client, err) : submit(client, call, err);
  json_decref(call->body);
  if (r == 0 && ret_id != NULL)
    *ret_id = id;
  return r;
}

void zl_bridge_cancel(struct zl_bridge_client *client, uint64_t id)
{
  struct zl_pending_call *call = zl_calls_find(&client->calls, id);
  struct zl_error err = { 0 };

  if (call == NULL)
    return;
  if (!can_be_cancelled(call->message)) {
    call->fn = NULL;
    return;
  }
  (void)zl_fail(&err, ZL_E_CANCELLED, 0, "%s was cancelled", zl_bridge_message_name(call->message));
  abandon(call, &err);
}
