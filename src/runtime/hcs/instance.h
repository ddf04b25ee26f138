/* SPDX-License-Identifier: Apache-2.0
 *
 * One container on Windows, from its scratch layer to its exit code, in either isolation. It lives
 * in the process that holds it: with that process's last handle the service ends the system.
 *
 *   create   scratch layer, endpoint and namespace, compute system (the container's own or its
 *            machine's). Nothing runs.
 *   start    the system, in a machine its guest and the container in it, then the command.
 *   its end  of the command ends the system. A code that is known is never lost to what follows.
 *   remove   takes everything back.
 *
 * Whatever fails names its step, and what it had made is undone in reverse order: a failed create
 * leaves nothing, a failed start what create had made, without network and system, which the next
 * start makes anew. Thread-safe but for free.
 */
#ifndef ZL_RUNTIME_HCS_INSTANCE_H
#define ZL_RUNTIME_HCS_INSTANCE_H

#include <zlayer/runtime.h>

#include "image/oscompat.h"
#include "net/win32/hcn.h"
#include "runtime/hcs/api.h"
#include "runtime/hcs/signal.h"
#include "runtime/hcs/task.h"

struct zl_image_config;

/* What all containers of a node share. Borrowed by them. */
struct zl_hcs_node {
  const struct zl_hcs_api *api;
  const char *owner;   /* of compute systems, by which a later start finds them */
  const char *network; /* "zlayer-1a2b3c4d": of this root; all our HCN names begin with it */
  struct zl_os_version host;
  uint32_t cpus;
  uint32_t accept_ms, end_ms; /* 0: ZL_HCS_ACCEPT_MS, ZL_HCS_END_MS */
  bool keep_on_failure;       /* what a machine that did not start leaves is kept for a look */
};

/* Of a container's machine: names instead of lists, so that it is found without a record. */
const char *zl_hcs_machine_id(const struct zl_hcs_node *node, const char *container,
                              char text[ZL_GUID_CHARS]);

struct zl_hcs_link {
  const char *slice, *address, *gateway; /* "10.220.99.16/28", "10.220.99.18", "10.220.99.17" */
  unsigned prefix;
  const char *const *dns_servers, *const *dns_search; /* NULL: none */
  const struct zl_hcn_port *ports;
  size_t n_ports;
};

struct zl_hcs_instance_spec {
  const char *id;
  const char *dir; /* the container's own on the host, which is there */
  const struct zl_service *service;
  const struct zl_image_config *image;
  enum zl_isolation isolation; /* as chosen: process or hyperv */
  char *const *layers;         /* directories, top first */
  size_t n_layers;
  char *const *volumes;           /* as zl_container_plan's */
  const struct zl_hcs_link *link; /* NULL: network_mode none */
  uint64_t scratch_bytes;         /* 0: as Windows makes it */
};

/* Called from threads of the container's, which must not start, stop or remove it; each may be
 * NULL. */
struct zl_hcs_instance_hooks {
  void *ctx;
  void (*output)(void *ctx, bool is_err, const void *data, size_t len);
  void (*ended)(void *ctx); /* once, after the last output and after its system has ended */
};

struct zl_hcs_instance; /* opaque */

/* `spec` is borrowed for the call, `node` for the container's life. Free with
 * zl_hcs_instance_free after zl_hcs_instance_remove. */
int zl_hcs_instance_create(const struct zl_hcs_node *node, const struct zl_hcs_instance_spec *spec,
                           const struct zl_hcs_instance_hooks *hooks, struct zl_hcs_instance **ret,
                           struct zl_error *err);
/* ZL_E_CONFLICT: it was started before. The caller names the container in the message. */
int zl_hcs_instance_start(struct zl_hcs_instance *instance, struct zl_error *err);

/* Tells the command. ZL_E_CONFLICT: it does not run. Success when it has just ended. */
int zl_hcs_instance_signal(struct zl_hcs_instance *instance, enum zl_hcs_signal signal,
                           struct zl_error *err);
/* Tells the command, gives it so long, ends it by force, then its system. Blocks until that is
 * gone. Success when it has ended already, or never started. */
int zl_hcs_instance_stop(struct zl_hcs_instance *instance, enum zl_hcs_signal signal,
                         uint64_t grace_ms, struct zl_error *err);
/* Blocks until it has ended, at most until the CLOCK_BOOTTIME deadline (ZL_E_TIMEOUT). */
int zl_hcs_instance_wait(struct zl_hcs_instance *instance, uint64_t deadline_ns,
                         struct zl_error *err);

enum zl_hcs_phase {
  ZL_HCS_CREATED,
  ZL_HCS_RUNNING,
  ZL_HCS_ENDED
};
struct zl_hcs_status {
  enum zl_hcs_phase phase;
  uint32_t pid;
  uint64_t started_at_ns, finished_at_ns; /* CLOCK_REALTIME */
  bool code_known;
  uint32_t code;
  bool forced;   /* it was ended by force */
  char why[256]; /* when the code is not known */
};
void zl_hcs_instance_status(struct zl_hcs_instance *instance, struct zl_hcs_status *ret);

/* Bytes for the command's input (spec.stdin_open). ZL_E_CONFLICT: it reads none. */
int zl_hcs_instance_write(struct zl_hcs_instance *instance, const void *data, size_t len,
                          struct zl_error *err);
int zl_hcs_instance_finish_input(struct zl_hcs_instance *instance, struct zl_error *err);
int zl_hcs_instance_resize(struct zl_hcs_instance *instance, unsigned rows, unsigned cols,
                           struct zl_error *err);

/* One more process. ZL_E_CONFLICT: the container does not run. Each has to be given back before
 * zl_hcs_instance_remove. */
int zl_hcs_instance_exec(struct zl_hcs_instance *instance,
                         const struct zl_hcs_task_options *options, struct zl_hcs_task **ret,
                         struct zl_error *err);
void zl_hcs_instance_exec_close(struct zl_hcs_instance *instance, struct zl_hcs_task *task);

int zl_hcs_instance_pause(struct zl_hcs_instance *instance, bool freeze, struct zl_error *err);
int zl_hcs_instance_stats(struct zl_hcs_instance *instance, struct zl_stats *ret,
                          struct zl_error *err);

/* Ends what runs by force and takes back all that was made. Every step is attempted, the first
 * error is the answer; what failed may be tried again by another call. */
int zl_hcs_instance_remove(struct zl_hcs_instance *instance, struct zl_error *err);
/* Frees the memory. What was not removed is left to zl_hcs_instance_reap. NULL is fine. */
void zl_hcs_instance_free(struct zl_hcs_instance *instance);

/* Takes back what a container left whose process died. `layers` need not be known. Idempotent;
 * every step is attempted, the first error is the answer. */
int zl_hcs_instance_reap(const struct zl_hcs_node *node, const char *id, const char *dir,
                         struct zl_error *err);
/* After that, of a container in a machine: what others may use too and its machine could open. Any
 * of the layers (with the files that a machine boots from) and mounted directories that it may have
 * had; those that are gone or were never granted are fine. Idempotent, each is attempted. */
int zl_hcs_instance_revoke(const struct zl_hcs_node *node, const char *id, char *const *paths,
                           size_t n_paths, struct zl_error *err);

#endif
