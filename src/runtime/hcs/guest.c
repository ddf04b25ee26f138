/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hcs/guest.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "runtime/hcs/hresult.h"
#include "runtime/hcs/zone.h"
#include "runtime/runtime.h"

#define FIRST_PORT 0x40000001u /* those of streams go upwards and are never used again */

struct zl_hcs_guest {
  const struct zl_hcs_api *api;
  struct zl_hcs_system *machine;
  struct zl_guid runtime_id;
  struct zl_hv_listener *listener; /* until the guest has dialled */
  struct zl_conn *conn;            /* after that */
  struct zl_rpc_capabilities can;
  _Atomic uint32_t next_port;
  pthread_t watcher; /* ends the bridge when the machine ends: its socket may not tell */
  bool has_watcher;
};

static uint64_t in_ms(uint64_t ms)
{
  return zl_time_boot() + ms * ZL_NS_PER_MS;
}

/* ---- Connection ---- */

static void arrived(void *ctx, int r)
{
  zl_hcs_mail_post(ctx, r == 0 ? ZL_HCS_MAIL_ARRIVED : ZL_HCS_MAIL_FAILED);
}

int zl_hcs_guest_listen(struct zl_hcs_system *machine, const struct zl_guid *runtime_id,
                        struct zl_hcs_guest **ret, struct zl_error *err)
{
  struct zl_hcs_guest *guest = calloc(1, sizeof(*guest));
  int r;

  if (guest == NULL)
    return zl_fail_nomem(err, "a machine's guest");
  guest->api = machine->api;
  guest->machine = machine;
  guest->runtime_id = *runtime_id;
  atomic_store(&guest->next_port, FIRST_PORT);
  zl_hcs_mail_take(&machine->mail,
                   ZL_HCS_MAIL_ARRIVED | ZL_HCS_MAIL_FAILED | ZL_HCS_MAIL_CALLED_OFF);
  r = zl_hv_listen(&machine->api->hv, runtime_id, ZL_HV_BRIDGE, arrived, &machine->mail,
                   &guest->listener, err);
  if (r < 0) {
    free(guest);
    return r;
  }
  *ret = guest;
  return 0;
}

void zl_hcs_guest_free(struct zl_hcs_guest *guest)
{
  if (guest == NULL)
    return;
  if (guest->has_watcher) {
    zl_hcs_mail_post(&guest->machine->mail, ZL_HCS_MAIL_CALLED_OFF);
    (void)pthread_join(guest->watcher, NULL);
  }
  zl_hv_close(guest->listener);
  zl_conn_free(guest->conn);
  free(guest);
}

static int wait_for_dial(struct zl_hcs_guest *guest, uint32_t accept_ms, struct zl_error *err)
{
  const unsigned any =
      ZL_HCS_MAIL_ARRIVED | ZL_HCS_MAIL_FAILED | ZL_HCS_MAIL_EXITED | ZL_HCS_MAIL_DISCONNECTED;
  unsigned got = zl_hcs_mail_wait(&guest->machine->mail, any, in_ms(accept_ms));
  char text[ZL_HCS_EXIT_TEXT];

  if (got & ZL_HCS_MAIL_DISCONNECTED)
    return zl_fail(err, ZL_E_REMOTE, 0, "the compute service (vmcompute) ended");
  if (got & ZL_HCS_MAIL_EXITED)
    return zl_fail(err, ZL_E_REMOTE, 0, "the machine ended before its guest dialled (%s)",
                   zl_hcs_system_exit_text(guest->machine, text));
  if (got == 0)
    return zl_fail(err, ZL_E_TIMEOUT, 0,
                   "the machine's guest has not dialled within %u s: its boot files may be "
                   "damaged, or it is short of memory",
                   accept_ms / 1000);
  return 0;
}

/* What the bridge tells of a machine that ended is that the guest has hung up. The machine's own
 * event, which tells more, is as quick as that. */
enum {
  EXPLAIN_MS = 1000
};

/* `got` is what came of its events. */
static int fail_ended(struct zl_hcs_guest *guest, unsigned got, const char *before,
                      struct zl_error *err)
{
  char text[ZL_HCS_EXIT_TEXT];

  if (got & ZL_HCS_MAIL_DISCONNECTED)
    return zl_fail(err, ZL_E_REMOTE, 0, "%.300sthe compute service (vmcompute) ended", before);
  return zl_fail(err, ZL_E_REMOTE, 0, "%.300sthe machine ended (%s)", before,
                 zl_hcs_system_exit_text(guest->machine, text));
}

static int explain(struct zl_hcs_guest *guest, int r, struct zl_error *err)
{
  char before[ZL_ERROR_MSG_MAX];
  unsigned got;

  if (r != -ZL_E_REMOTE || err == NULL || strstr(err->msg, " ended") != NULL ||
      !zl_conn_is_broken(guest->conn))
    return r;
  got = zl_hcs_mail_wait(&guest->machine->mail, ZL_HCS_MAIL_EXITED | ZL_HCS_MAIL_DISCONNECTED,
                         in_ms(EXPLAIN_MS));
  (void)snprintf(before, sizeof(before), "%.300s: ", err->msg);
  return got != 0 ? fail_ended(guest, got, before, err) : r;
}

static void *watch(void *ctx)
{
  struct zl_hcs_guest *guest = ctx;
  const unsigned ends = ZL_HCS_MAIL_EXITED | ZL_HCS_MAIL_DISCONNECTED;
  unsigned got = zl_hcs_mail_wait(&guest->machine->mail, ends | ZL_HCS_MAIL_CALLED_OFF, UINT64_MAX);
  struct zl_error why = { 0 };

  if ((got & ends) == 0)
    return NULL;
  (void)fail_ended(guest, got, "", &why);
  zl_conn_end(guest->conn, &why);
  return NULL;
}

static int open_bridge(struct zl_hcs_guest *guest, struct zl_error *err)
{
  struct zl_byte_stream stream = { 0 };
  int r = zl_hv_take(zl_steal_ptr(&guest->listener), &stream, err);

  if (r == 0)
    r = zl_conn_new(&stream, NULL, &guest->conn, err);
  if (r < 0)
    return r;
  r = pthread_create(&guest->watcher, NULL, watch, guest);
  guest->has_watcher = r == 0;
  return r == 0 ? 0 : zl_fail(err, ZL_E_SYSTEM, r, "starting the thread that watches a machine");
}

int zl_hcs_guest_connect(struct zl_hcs_guest *guest, uint32_t accept_ms, struct zl_error *err)
{
  char id[ZL_GUID_CHARS];
  struct zl_hcs_zone zone;
  struct zl_cold_start how = { .runtime_id = zl_guid_format(&guest->runtime_id, id) };
  int r = wait_for_dial(guest, accept_ms, err);

  if (r == 0)
    r = open_bridge(guest, err);
  if (r == 0)
    r = zl_hcs_zone_of(guest->api, &zone, err);
  if (r < 0)
    return r;
  how.zone = &zone.zone;
  how.deadline_ns = in_ms(ZL_HCS_GUEST_MS);
  return explain(guest, zl_bridge_cold_start(guest->conn, &how, &guest->can, err), err);
}

const struct zl_rpc_capabilities *zl_hcs_guest_can(const struct zl_hcs_guest *guest)
{
  return &guest->can;
}

/* ---- Calls ---- */

/* What the makers below take. */
struct request {
  struct zl_hcs_guest *guest;
  const char *container;
  const struct zl_hcs_modify *change;
  const struct zl_hcs_guest_execute *execute;
  struct zl_rpc_windows_ports ports;
  json_t *document;
  uint32_t pid;
  const char *signal;
  bool forced;
  unsigned what, rows, cols;
};

static int ask(struct request *request, zl_conn_make_fn make, uint64_t deadline_ns, json_t **ret,
               struct zl_error *err)
{
  return explain(request->guest,
                 zl_conn_call(request->guest->conn, make, request, deadline_ns, ret, err), err);
}

/* True for the guest's saying that what is asked for is so already. */
static bool is_done(int r, const struct zl_error *why, enum zl_hresult_call call)
{
  return r < 0 && why->os_error < 0 && zl_hresult_is_done((uint32_t)why->os_error, call);
}

static int unless_done(int r, const struct zl_error *why, enum zl_hresult_call call,
                       struct zl_error *err)
{
  if (r == 0 || is_done(r, why, call))
    return 0;
  if (err != NULL)
    *err = *why;
  return r;
}

static int make_modify(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_windows_modify(client, q->change->request, q->change->resource, q->change->settings,
                               then, err);
}

static int tell_guest(struct zl_hcs_guest *guest, const struct zl_hcs_modify *change,
                      struct zl_error *err)
{
  struct request request = { .guest = guest, .change = change };
  int r;

  if (change->resource == NULL)
    return 0;
  r = ask(&request, make_modify, in_ms(ZL_HCS_GUEST_MS), NULL, err);
  return r < 0 ? zl_context(r, err, "%s of %s in the guest", change->request, change->resource) : 0;
}

static int tell_host(struct zl_hcs_guest *guest, const json_t *document, struct zl_error *err)
{
  return document != NULL
             ? zl_hcs_system_modify(guest->machine, document, "HcsModifyComputeSystem", err)
             : 0;
}

/* The host's half of an addition, undone. */
static void take_back(struct zl_hcs_guest *guest, const struct zl_hcs_modify *added)
{
  zl_autojson *document = json_deep_copy(added->host);

  if (document == NULL || json_object_set_new(document, "RequestType", json_string("Remove")) < 0)
    return;
  if (strcmp(added->resource, "MappedVirtualDisk") == 0) /* its removal has none (modify_disk.c) */
    (void)json_object_del(document, "Settings");
  (void)tell_host(guest, document, NULL);
}

int zl_hcs_guest_change(struct zl_hcs_guest *guest, const struct zl_hcs_modify *change,
                        struct zl_error *err)
{
  bool removal = change->request != NULL && strcmp(change->request, "Remove") == 0;
  int r = removal ? tell_guest(guest, change, err) : tell_host(guest, change->host, err);

  if (r < 0)
    return r;
  if (removal)
    return tell_host(guest, change->host, err);
  r = tell_guest(guest, change, err);
  if (r < 0 && change->host != NULL)
    take_back(guest, change);
  return r;
}

static int make_create(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_windows_create(client, q->container, q->document, then, err);
}

static int make_start(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                      struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_start(client, q->container, then, err);
}

static int make_shutdown(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                         struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_shutdown(client, q->container, q->forced, then, err);
}

static int make_properties(void *ctx, struct zl_bridge_client *client,
                           const struct zl_rpc_then *then, struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_properties(client, q->container, q->what, then, err);
}

int zl_hcs_guest_create(struct zl_hcs_guest *guest, const char *container, json_t *document,
                        struct zl_error *err)
{
  struct request request = { .guest = guest, .container = container, .document = document };

  return ask(&request, make_create, in_ms(ZL_HCS_GUEST_MS), NULL, err);
}

int zl_hcs_guest_start(struct zl_hcs_guest *guest, const char *container, struct zl_error *err)
{
  struct request request = { .guest = guest, .container = container };

  return ask(&request, make_start, in_ms(ZL_HCS_GUEST_MS), NULL, err);
}

int zl_hcs_guest_shutdown(struct zl_hcs_guest *guest, const char *container, bool forced,
                          uint32_t timeout_ms, struct zl_error *err)
{
  struct request request = { .guest = guest, .container = container, .forced = forced };
  struct zl_error why = { 0 };
  int r = ask(&request, make_shutdown, in_ms(timeout_ms), NULL, &why);

  return unless_done(r, &why, ZL_HRESULT_SHUTDOWN, err);
}

int zl_hcs_guest_properties(struct zl_hcs_guest *guest, const char *container, unsigned what,
                            json_t **ret, struct zl_error *err)
{
  struct request request = { .guest = guest, .container = container, .what = what };
  zl_autojson *reply = NULL;
  int r = ask(&request, make_properties, in_ms(ZL_HCS_GUEST_MS), &reply, err);

  return r < 0 ? r : zl_rpc_parse_properties(reply, ret, err);
}

/* ---- Processes ---- */

enum {
  STREAMS = 3,
  DIAL_MS = 30 * 1000 /* from the answer to the last stream: they were dialled before it */
};

struct channel {
  uint32_t port; /* 0: not wanted */
  struct zl_hcs_mail mail;
  struct zl_hv_listener *listener;
};

struct channels {
  struct channel of[STREAMS];
};

static void channels_done(struct channels *channels)
{
  for (size_t i = 0; i < STREAMS; i++) {
    zl_hv_close(channels->of[i].listener);
    zl_hcs_mail_close(&channels->of[i].mail);
  }
}

static int listen_on(struct zl_hcs_guest *guest, struct channel *channel, struct zl_error *err)
{
  char service[ZL_GUID_TEXT];

  zl_hcs_mail_open(&channel->mail);
  channel->port = atomic_fetch_add(&guest->next_port, 1);
  return zl_hv_listen(&guest->api->hv, &guest->runtime_id,
                      zl_bridge_service_guid(channel->port, service), arrived, &channel->mail,
                      &channel->listener, err);
}

static int take_stream(struct channel *channel, struct zl_byte_stream *ret, struct zl_error *err)
{
  if (channel->port == 0)
    return 0;
  if (zl_hcs_mail_wait(&channel->mail, ZL_HCS_MAIL_ARRIVED | ZL_HCS_MAIL_FAILED, in_ms(DIAL_MS)) ==
      0)
    return zl_fail(err, ZL_E_TIMEOUT, 0, "the guest has not connected a stream of the process");
  return zl_hv_take(zl_steal_ptr(&channel->listener), ret, err);
}

static void close_stream(struct zl_byte_stream *stream)
{
  if (stream->ctx != NULL)
    stream->close(stream->ctx);
  *stream = (struct zl_byte_stream){ 0 };
}

static int make_execute(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                        struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_windows_execute(client, q->container, q->execute->parameters, &q->ports, then, err);
}

static int execute(struct request *request, uint32_t *ret_pid, struct zl_error *err)
{
  zl_autojson *reply = NULL;
  int r = ask(request, make_execute, in_ms(ZL_HCS_GUEST_MS), &reply, err);

  return r < 0 ? r : zl_rpc_parse_process_id(reply, ret_pid, err);
}

int zl_hcs_guest_execute(struct zl_hcs_guest *guest, const struct zl_hcs_guest_execute *how,
                         struct zl_hcs_guest_process *ret, struct zl_error *err)
{
  ZL_CLEANUP(channels_done) struct channels channels = { .of[0].port = 0 };
  struct request request = { .guest = guest, .container = how->container, .execute = how };
  const bool wanted[STREAMS] = { how->in, how->out, how->err };
  struct zl_hcs_guest_process process = { 0 };
  struct zl_byte_stream *streams[STREAMS] = { &process.in, &process.out, &process.err };
  int r = 0;

  for (size_t i = 0; r == 0 && i < STREAMS; i++)
    r = wanted[i] ? listen_on(guest, &channels.of[i], err) : 0;
  request.ports = (struct zl_rpc_windows_ports){ channels.of[0].port, channels.of[1].port,
                                                 channels.of[2].port };
  if (r == 0)
    r = execute(&request, &process.pid, err);
  for (size_t i = 0; r == 0 && i < STREAMS; i++)
    r = take_stream(&channels.of[i], streams[i], err);
  if (r < 0) {
    for (size_t i = 0; i < STREAMS; i++)
      close_stream(streams[i]);
    if (process.pid != 0)
      (void)zl_hcs_guest_signal(guest, how->container, process.pid, ZL_HCS_TERMINATE, NULL);
    return r;
  }
  *ret = process;
  return 0;
}

static int make_wait(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                     struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_wait(client, q->container, q->pid, then, err);
}

int zl_hcs_guest_wait(struct zl_hcs_guest *guest, const char *container, uint32_t pid,
                      uint64_t deadline_ns, uint32_t *ret_code, struct zl_error *err)
{
  struct request request = { .guest = guest, .container = container, .pid = pid };
  struct zl_rpc_exit exit = { 0 };
  zl_autojson *reply = NULL;
  int r = ask(&request, make_wait, deadline_ns, &reply, err);

  if (r == 0)
    r = zl_rpc_parse_exit(reply, &exit, err);
  if (r < 0)
    return r;
  *ret_code = exit.exit_code;
  return 0;
}

static int make_signal(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_windows_signal(client, q->container, q->pid, q->signal, then, err);
}

int zl_hcs_guest_signal(struct zl_hcs_guest *guest, const char *container, uint32_t pid,
                        enum zl_hcs_signal signal, struct zl_error *err)
{
  struct request request = {
    .guest = guest, .container = container, .pid = pid, .signal = zl_hcs_signal_name(signal)
  };
  struct zl_error why = { 0 };
  int r = ask(&request, make_signal, in_ms(ZL_HCS_GUEST_MS), NULL, &why);

  return unless_done(r, &why, ZL_HRESULT_SIGNAL, err);
}

static int make_resize(void *ctx, struct zl_bridge_client *client, const struct zl_rpc_then *then,
                       struct zl_error *err)
{
  const struct request *q = ctx;

  return zl_rpc_resize(client, q->container, q->pid, q->rows, q->cols, then, err);
}

int zl_hcs_guest_resize(struct zl_hcs_guest *guest, const char *container, uint32_t pid,
                        unsigned rows, unsigned cols, struct zl_error *err)
{
  struct request request = {
    .guest = guest, .container = container, .pid = pid, .rows = rows, .cols = cols
  };

  return ask(&request, make_resize, in_ms(ZL_HCS_GUEST_MS), NULL, err);
}
