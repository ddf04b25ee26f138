/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "bridge/guest.h"

enum {
  PATIENCE_MS = 60000 /* a silent agent fails the test instead of hanging it */
};

/* ---- Set-up -------------------------------------------------------------------------------- */

static bool
    has_begun; /* in a mount namespace of its own: cmocka tears down what never began, too */

int host_group_begin(void **state)
{
  assert_non_null(getenv("ZLAYER_GUEST"));
  assert_int_equal(box_group_begin(state), 0);
  /* The guest's own paths, in this program's mount namespace. */
  assert_int_equal(mount("tmpfs", "/run", "tmpfs", 0, NULL), 0);
  assert_int_equal(mkdir("/run/zlayer", 0755), 0);
  has_begun = true;
  return 0;
}

int host_group_end(void **state)
{
  if (!has_begun)
    return -1;
  assert_int_equal(umount2("/run", MNT_DETACH), 0);
  return box_group_end(state);
}

static void mux_data(void *ctx, uint32_t port, const void *data, size_t len)
{
  struct host *host = ctx;
  struct host_port *p = host_port(host, port);

  assert_int_equal(zl_buf_append(&p->data, data, len, NULL), 0);
  if (p->held)
    p->unconsumed += len;
  else
    zl_mux_consumed(host->mux, port, len);
}

static void mux_opened(void *ctx, uint32_t port)
{
  host_port(ctx, port)->opened = true;
}

static void mux_eof(void *ctx, uint32_t port)
{
  host_port(ctx, port)->eof = true;
}

static void mux_reset(void *ctx, uint32_t port)
{
  host_port(ctx, port)->reset = true;
}

static void notified(void *ctx, const struct zl_bridge_notification *notification)
{
  struct host *host = ctx;

  (void)snprintf(host->notified, sizeof(host->notified), "%s", notification->type);
}

static void broken(void *ctx, const struct zl_error *why)
{
  struct host *host = ctx;

  (void)why;
  host->is_broken = true;
}

static void start_agent(struct host *host, int bridge, int stdio)
{
  const char *argv[] = { "zlayer-guest", "--bridge-fd", "3", "--stdio-fd", "4", NULL };
  const char *envp[2] = { NULL, NULL };
  struct zl_proc_fd fds[] = { { .from = bridge, .to = 3 },
                              { .from = stdio, .to = 4 },
                              { .from = STDERR_FILENO, .to = STDERR_FILENO } };
  struct zl_proc_options opt = { .path = getenv("ZLAYER_GUEST"),
                                 .exec_fd = -1,
                                 .argv = argv,
                                 .envp = envp,
                                 .fds = fds,
                                 .n_fds = ZL_COUNT(fds) };
  zl_autofree char *sanitizer = NULL;
  struct zl_error err = { 0 };

  if (getenv("ASAN_OPTIONS") != NULL) {
    assert_true(asprintf(&sanitizer, "ASAN_OPTIONS=%s", getenv("ASAN_OPTIONS")) > 0);
    envp[0] = sanitizer;
  }
  if (zl_proc_spawn(&opt, &host->agent, &err) < 0)
    fail_msg("%s", err.msg);
}

static void open_pair(int *ret_ours, int *ret_theirs)
{
  int ends[2];

  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  *ret_ours = ends[0];
  *ret_theirs = ends[1];
}

struct host *host_new(void)
{
  struct host *host = calloc(1, sizeof(*host));
  const struct zl_bridge_hooks hooks = { .ctx = host, .notified = notified, .broken = broken };
  const struct zl_mux_hooks mux_hooks = {
    .ctx = host, .opened = mux_opened, .data = mux_data, .eof = mux_eof, .reset = mux_reset
  };
  struct zl_error err = { 0 };
  int bridge, stdio;

  assert_non_null(host);
  open_pair(&host->bridge_fd, &bridge);
  open_pair(&host->stdio_fd, &stdio);
  start_agent(host, bridge, stdio);
  (void)close(bridge);
  (void)close(stdio);
  for (size_t i = 0; i < HOST_PORTS; i++)
    host->ports[i].data = (struct zl_buf)ZL_BUF_INIT(16 << 20);
  assert_int_equal(zl_bridge_client_new(&hooks, &host->client, &err), 0);
  assert_int_equal(zl_mux_new(ZL_MUX_HOST, &mux_hooks, &host->mux, &err), 0);
  zl_link_client(&host->bridge, host->bridge_fd, host->client);
  zl_link_mux(&host->stdio, host->stdio_fd, host->mux);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_negotiate), 0);
  return host;
}

void host_free(struct host *host)
{
  int status = 0;

  (void)close(host->bridge_fd);
  (void)close(host->stdio_fd);
  assert_int_equal(zl_proc_wait(&host->agent, &status, NULL), 0);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  zl_bridge_client_free(host->client);
  zl_mux_free(host->mux);
  for (size_t i = 0; i < HOST_PORTS; i++)
    zl_buf_done(&host->ports[i].data);
  (void)unlink(ZL_GUEST_SCRATCH);
  free(host);
}

/* ---- Talking ------------------------------------------------------------------------------- */

void host_turn(struct host *host)
{
  struct zl_error err = { 0 };
  struct pollfd fds[2] = {
    { .fd = host->bridge_fd, .events = zl_link_events(&host->bridge) },
    { .fd = host->stdio_fd, .events = zl_link_events(&host->stdio) },
  };

  assert_false(host->is_broken);
  if (poll(fds, 2, PATIENCE_MS) <= 0)
    fail_msg("the agent says nothing");
  if (fds[0].revents != 0 && zl_link_pump(&host->bridge, fds[0].revents, &err) < 0)
    fail_msg("bridge: %s", err.msg);
  if (fds[1].revents != 0 && zl_link_pump(&host->stdio, fds[1].revents, &err) < 0)
    fail_msg("streams: %s", err.msg);
}

static void answered(void *ctx, int r, const json_t *json, const struct zl_error *err)
{
  struct reply *reply = ctx;

  reply->done = true;
  reply->r = r;
  if (r < 0)
    reply->err = *err;
  else
    reply->json = json_deep_copy(json);
}

struct zl_rpc_then host_then(struct reply *reply)
{
  return (struct zl_rpc_then){ .deadline_ns = UINT64_MAX, .fn = answered, .ctx = reply };
}

int host_await(struct host *host, struct reply *reply)
{
  while (!reply->done)
    host_turn(host);
  return reply->r;
}

void host_take(struct reply *reply, json_t **ret_json)
{
  if (ret_json != NULL)
    *ret_json = reply->json;
  else
    json_decref(reply->json);
}

int host_request(struct host *host, enum zl_bridge_message message, const char *id, json_t *body,
                 json_t **ret_json)
{
  struct reply reply = { 0 };
  struct zl_bridge_call call = { .message = message,
                                 .container_id = id,
                                 .body = body,
                                 .deadline_ns = UINT64_MAX,
                                 .fn = answered,
                                 .ctx = &reply };
  struct zl_error err = { 0 };
  int r = zl_bridge_call(host->client, &call, NULL, &err);

  if (r == 0)
    r = host_await(host, &reply);
  host_take(&reply, ret_json);
  return r;
}

/* ---- Streams ------------------------------------------------------------------------------- */

uint32_t host_listen(struct host *host)
{
  uint32_t port = ZL_MUX_FIRST_PORT + host->next_port++;

  assert_true(host->next_port <= HOST_PORTS);
  assert_int_equal(zl_mux_listen(host->mux, port, NULL), 0);
  return port;
}

struct host_port *host_port(struct host *host, uint32_t port)
{
  assert_true(port - ZL_MUX_FIRST_PORT < HOST_PORTS);
  return &host->ports[port - ZL_MUX_FIRST_PORT];
}

void host_release(struct host *host, uint32_t port)
{
  struct host_port *p = host_port(host, port);

  p->held = false;
  zl_mux_consumed(host->mux, port, p->unconsumed);
  p->unconsumed = 0;
}

void host_write(struct host *host, uint32_t port, const char *text)
{
  size_t left = strlen(text);

  while (!host_port(host, port)->opened) /* which may come after the answer on the other port */
    host_turn(host);
  while (left > 0) {
    size_t room = zl_mux_room(host->mux, port), n = room < left ? room : left;

    assert_int_equal(zl_mux_write(host->mux, port, text, n, NULL), 0);
    text += n;
    left -= n;
    if (left > 0)
      host_turn(host);
  }
}

void host_expect(struct host *host, uint32_t port, const char *text)
{
  struct host_port *p = host_port(host, port);

  while (!p->eof)
    host_turn(host);
  assert_string_equal(p->data.data != NULL ? p->data.data : "", text);
}

void host_await_text(struct host *host, uint32_t port, const char *text)
{
  struct host_port *p = host_port(host, port);

  while (p->data.data == NULL || strstr(p->data.data, text) == NULL) {
    if (p->eof)
      fail_msg("'%s' did not come, but: %s", text, p->data.data);
    host_turn(host);
  }
}

/* ---- Containers ---------------------------------------------------------------------------- */

int host_create(struct host *host, struct box *box)
{
  json_t *files = json_pack("{s:s}", "hosts", "127.0.0.1 localhost\n");
  int r;

  (void)unlink(ZL_GUEST_SCRATCH);
  assert_int_equal(symlink(box->dir, ZL_GUEST_SCRATCH), 0);
  r = HOST_CALL(host, NULL, zl_rpc_create, box->id, box->config, files);
  json_decref(files);
  return r;
}

int host_prepare(struct host *host, struct box *box)
{
  json_t *files = json_pack("{s:s}", "hosts", "127.0.0.1 prepared\n");
  int r;

  (void)unlink(ZL_GUEST_SCRATCH);
  assert_int_equal(symlink(box->dir, ZL_GUEST_SCRATCH), 0);
  r = HOST_CALL(host, NULL, zl_rpc_prepare, "stock", box->config, files);
  json_decref(files);
  return r;
}

int host_amend(struct host *host, struct box *box, const char *id, json_t *amendment)
{
  json_t *files = json_pack("{s:s}", "hosts", "127.0.0.1 amended\n");
  int r = HOST_CALL(host, NULL, zl_rpc_create_prepared, id, amendment, files);

  (void)box;
  json_decref(amendment);
  json_decref(files);
  return r;
}

static struct running execute(struct host *host, const char *id, struct zl_rpc_process *process)
{
  struct running running = { .in = process->in_port };
  struct zl_error err = { 0 };
  json_t *json;
  int r;

  running.out = process->out_port = host_listen(host);
  if (!process->console)
    running.err = process->err_port = host_listen(host);
  r = HOST_CALL(host, &json, zl_rpc_execute, id, process);
  if (r < 0)
    fail_msg("ExecuteProcess: %s", zl_code_name((enum zl_code) - r));
  assert_int_equal(zl_rpc_parse_process_id(json, &running.pid, &err), 0);
  json_decref(json);
  return running;
}

struct running host_start(struct host *host, struct box *box)
{
  const json_t *zlayer = json_object_get(box->config, "zlayer");
  const json_t *process = json_object_get(box->config, "process");
  struct zl_rpc_process spec = { .console = json_is_true(json_object_get(process, "terminal")) };
  struct running running;

  assert_int_equal(host_create(host, box), 0);
  if (json_is_true(json_object_get(zlayer, "openStdin")) || spec.console)
    spec.in_port = host_listen(host);
  running = execute(host, box->id, &spec);
  box->pid = (int)running.pid;
  return running;
}

struct running host_execute(struct host *host, const char *id, bool with_stdin, bool console)
{
  struct zl_rpc_process spec = { .console = console };

  if (with_stdin || console)
    spec.in_port = host_listen(host);
  return execute(host, id, &spec);
}

json_t *host_script(const char *script)
{
  return json_pack("{s:[s,s,s], s:[s], s:s, s:b}", "args", "sh", "-c", script, "env", "PATH=/bin",
                   "cwd", "/", "noNewPrivileges", 1);
}

struct running host_exec(struct host *host, struct box *box, json_t *process, bool with_stdin,
                         bool console)
{
  struct zl_rpc_process spec = { .oci = process, .console = console };
  struct running running;

  if (with_stdin)
    spec.in_port = host_listen(host);
  running = execute(host, box->id, &spec);
  json_decref(process);
  return running;
}

struct zl_rpc_exit host_wait(struct host *host, struct box *box, uint32_t pid)
{
  struct zl_rpc_exit how;
  struct zl_error err = { 0 };
  json_t *json;

  assert_int_equal(HOST_CALL(host, &json, zl_rpc_wait, box->id, pid), 0);
  assert_int_equal(zl_rpc_parse_exit(json, &how, &err), 0);
  json_decref(json);
  return how;
}

void host_stop(struct host *host, struct box *box, uint32_t pid)
{
  (void)HOST_CALL(host, NULL, zl_rpc_signal, box->id, pid, SIGKILL);
  (void)host_wait(host, box, pid);
  assert_int_equal(HOST_CALL(host, NULL, zl_rpc_delete, box->id), 0);
}
