/* SPDX-License-Identifier: Apache-2.0
 *
 * Plays the host: starts the agent as an ordinary process over two socket pairs and talks to it
 * with the host's own end of the bridge. Containers and their bundles are those of the shim's
 * tests.
 */
#ifndef ZL_TESTS_GUEST_HOST_H
#define ZL_TESTS_GUEST_HOST_H

#include "../shim/box.h"

#include "base/buf.h"
#include "bridge/link.h"
#include "bridge/rpc.h"

enum {
  HOST_PORTS = 64
};

struct host_port {
  struct zl_buf data;
  bool opened, eof, reset;
  bool held;         /* what comes is not consumed … */
  size_t unconsumed; /* … until host_release */
};

struct host {
  struct zl_proc agent;
  int bridge_fd, stdio_fd;
  struct zl_bridge_client *client;
  struct zl_mux *mux;
  struct zl_link bridge, stdio;
  struct host_port ports[HOST_PORTS]; /* by number from ZL_MUX_FIRST_PORT on */
  uint32_t next_port;
  char notified[32]; /* type of the last notification */
  bool is_broken;
};

/* The answer to one call. */
struct reply {
  bool done;
  int r;
  json_t *json; /* NULL with an error */
  struct zl_error err;
};

/* Group set-up and tear-down. */
int host_group_begin(void **state);
int host_group_end(void **state);

/* Starts an agent and negotiates with it. */
struct host *host_new(void);
/* Hangs up: the agent has to end, and cleanly. */
void host_free(struct host *host);

/* One round of moving bytes; blocks until something happens. */
void host_turn(struct host *host);

/* A call whose answer host_await waits for. */
struct zl_rpc_then host_then(struct reply *reply);
int host_await(struct host *host, struct reply *reply);
/* As rpc functions, at once: the result, with *ret_json (NULL: not of interest; else the caller's).
 */
#define HOST_CALL(host, ret_json, fn, ...)                     \
  ({                                                           \
    struct reply reply_ = { 0 };                               \
    struct zl_rpc_then then_ = host_then(&reply_);             \
    struct zl_error err_ = { 0 };                              \
    int r_ = fn((host)->client, ##__VA_ARGS__, &then_, &err_); \
    if (r_ == 0)                                               \
      r_ = host_await(host, &reply_);                          \
    host_take(&reply_, ret_json);                              \
    r_;                                                        \
  })
void host_take(struct reply *reply, json_t **ret_json);
/* A request with any body, which is released. */
int host_request(struct host *host, enum zl_bridge_message message, const char *id, json_t *body,
                 json_t **ret_json);

/* A new stream. */
uint32_t host_listen(struct host *host);
struct host_port *host_port(struct host *host, uint32_t port);
void host_release(struct host *host, uint32_t port);
void host_write(struct host *host, uint32_t port, const char *text);
/* Turns until the stream has ended, and expects its content. */
void host_expect(struct host *host, uint32_t port, const char *text);
/* Turns until the stream holds this text. */
void host_await_text(struct host *host, uint32_t port, const char *text);

/* The container of a box: created; and started with stdout and stderr on ports. */
int host_create(struct host *host, struct box *box);
struct running {
  uint32_t pid, in, out, err;
};
/* A prepared container of the box's bundle; and this one, by an amendment that is released. */
int host_prepare(struct host *host, struct box *box);
int host_amend(struct host *host, struct box *box, const char *id, json_t *amendment);
/* Executes the first process of a created container. */
struct running host_execute(struct host *host, const char *id, bool with_stdin, bool console);
struct running host_start(struct host *host, struct box *box);
/* `process` is released. Expects success. */
struct running host_exec(struct host *host, struct box *box, json_t *process, bool with_stdin,
                         bool console);
json_t *host_script(const char *script);
/* Waits for its end. */
struct zl_rpc_exit host_wait(struct host *host, struct box *box, uint32_t pid);
/* SIGKILL, end, deletion. */
void host_stop(struct host *host, struct box *box, uint32_t pid);

#endif
