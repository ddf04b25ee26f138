/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backend whose containers each have a shim (docs/shim.md) does the same way as any other:
 * starting the helper program, speaking its protocol, ending it. The functions that take a
 * zl_backend are operations of the table in runtime/runtime.h; the backend begins with a
 * zl_shimclient.
 */
#ifndef ZL_RUNTIME_SHIM_SHIMCLIENT_H
#define ZL_RUNTIME_SHIM_SHIMCLIENT_H

#include <limits.h>
#include <pthread.h>

#include "runtime/node.h"

struct zl_shimclient {
  struct zl_backend base;
  const char *program; /* of the helper directory: "zlayer-shim"; static */
  pthread_mutex_t lock;
  int shim_fd; /* the program's file on a read-only mount of its own; -1: not opened yet */
};

void zl_shimclient_init(struct zl_shimclient *client, const struct zl_runtime_ops *ops,
                        struct zl_runtime *rt, const char *program);
void zl_shimclient_done(struct zl_shimclient *client);

/* ---- Start (launch.c) ---- */

/* The helper program's descriptor, for zl_proc_options.exec_fd; borrowed. */
int zl_shimclient_program(struct zl_shimclient *client, int *ret, struct zl_error *err);
/* Starts a shim that waits for its container on the other end of *ret_fd; `extra` is one more
 * argument or NULL. */
int zl_shimclient_prepare(struct zl_shimclient *client, const char *id, const char *extra,
                          int *ret_fd, struct zl_error *err);
/* Hands the container to the shim that waits, and waits in turn until it is made. */
int zl_shimclient_launch(const struct zl_container_plan *plan, struct zl_error *err);
/* The same in two steps, for who has something to do meanwhile. */
int zl_shimclient_hand_over(const struct zl_container_plan *plan, struct zl_error *err);
int zl_shimclient_await(const struct zl_container_plan *plan, struct zl_error *err);

/* The system's part of handing over. ZL_E_REMOTE: the shim is gone. */
int zl__shimclient_give(const struct zl_container_plan *plan, struct zl_error *err);
/* How long a container may take to be made on this system. */
extern const uint64_t zl__shimclient_patience_ns;

/* ---- Facts (facts.c) ---- */

int zl_shimclient_state(struct zl_backend *backend, const char *id, struct zl_facts *ret,
                        struct zl_error *err);
int zl_shimclient_wait(struct zl_backend *backend, const char *id, uint64_t deadline_ns,
                       int cancel_fd, struct zl_error *err);
int zl_shimclient_adopt(struct zl_backend *backend, const char *id, struct zl_error *err);
/* Connects to a container's shim. ZL_E_CONFLICT: it does not run. */
int zl_shimclient_connect(struct zl_runtime *rt, const char *id, int *ret_fd, struct zl_error *err);
/* For a request whose shim has gone meanwhile: ZL_E_CONFLICT, as soon as the end is there to be
 * seen. */
int zl_shimclient_just_ended(struct zl_backend *backend, const char *id, struct zl_error *err);

/* ---- Requests (ask.c, stats.c) ---- */

int zl_shimclient_start(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_shimclient_kill(struct zl_backend *backend, const char *id, int signal,
                       struct zl_error *err);
int zl_shimclient_pause(struct zl_backend *backend, const char *id, bool freeze,
                        struct zl_error *err);
int zl_shimclient_stop(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
                       struct zl_error *err);
int zl_shimclient_stats(struct zl_backend *backend, const char *id, struct zl_stats *ret,
                        struct zl_error *err);

/* ---- Sessions (attach.c, exec.c) ---- */

int zl_shimclient_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                         struct zl_error *err);
int zl_shimclient_exec(struct zl_backend *backend, const char *id,
                       const struct zl_exec_options *options, struct zl_session **ret,
                       struct zl_error *err);

/* ---- The end, whoever is left to help (end.c) ---- */

/* Ends the shim whose directory this is, and with it its container; a shim that does not answer is
 * killed. Success when there is none. */
int zl_shimclient_end(int dir_fd, struct zl_error *err);
bool zl_shimclient_has_exit_record(int dir_fd);
/* config.json of a container. The caller releases *ret. */
int zl_shimclient_load_bundle(int dir_fd, json_t **ret, struct zl_error *err);

/* Calls fn with the name of each directory of a container of which `is_mine` says so. */
int zl_shimclient_list(struct zl_runtime *rt,
                       bool (*is_mine)(struct zl_runtime *rt, const char *name),
                       int (*fn)(void *payload, const char *name), void *payload,
                       struct zl_error *err);
/* Whether a container's directory has that file. */
bool zl_shimclient_has_file(struct zl_runtime *rt, const char *id, const char *file);

#endif
