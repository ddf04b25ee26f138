/* SPDX-License-Identifier: Apache-2.0
 *
 * What a backend is: a table of operations on containers of one kind, and what these take and give.
 * Callers go through the checked wrappers at the end (dispatch.c), never through the table.
 *
 * The work is split once for all backends. Dispatch owns intent: identity, rows, journal, leases,
 * ports, the plan, events, logs and operation locks. A backend owns fact: the host objects of one
 * container, made from a fully resolved plan, and the truth about them. What a backend needs to
 * remember it keeps in the container's directory, so that it survives the database.
 */
#ifndef ZL_RUNTIME_RUNTIME_H
#define ZL_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/runtime.h>
#include <zlayer/spec.h>

struct json_t;
struct zl_check;
struct zl_image;
struct zl_runtime;

/* What a backend can do beyond the mandatory operations. */
enum {
  ZL_RT_ATTACH = 1 << 0,
  ZL_RT_EXEC = 1 << 1,
  ZL_RT_PAUSE = 1 << 2,
  ZL_RT_STATS = 1 << 3,
  ZL_RT_NETWORK = 1 << 4 /* wants an image, a lease and published ports in its plan */
};

/* Puts context in front of a failure and returns its code, also for a caller who wants only that
 * (err == NULL). */
#define zl_context(r, err, ...) ((err) != NULL ? zl_wrap((err), __VA_ARGS__) : (r))

struct zl_backend {
  const struct zl_runtime_ops *ops;
  struct zl_runtime *rt; /* outlives the backend */
};

/* ---- The plan ------------------------------------------------------------------------------ */

enum zl_plan_network {
  ZL_PLAN_NET_BRIDGE,
  ZL_PLAN_NET_NONE,
  ZL_PLAN_NET_HOST,
  ZL_PLAN_NET_PATH /* another container's namespace */
};

struct zl_plan_port {
  char *host_ip;
  uint16_t host_port, container_port;
  bool udp;
};

/* The container's connection, as the lease says; empty unless ZL_PLAN_NET_BRIDGE. */
struct zl_plan_link {
  char bridge[16], link[16]; /* names of the bridge and of the host's end of the pair */
  char address[16], gateway[16];
  unsigned prefix, mtu;
};

/* Everything that a backend needs to make one container: image and service are merged, defaults
 * filled in, names checked. Valid during zl_backend_create only. */
struct zl_container_plan {
  const char *id;
  int dir_fd;      /* the container's directory, made and empty */
  int prepared_fd; /* from the backend's `prepare`; -1: none. Borrowed */
  const struct zl_service *service;
  const struct zl_create_options *options;
  char *image, *image_digest;    /* canonical reference, digest of the manifest */
  const struct zl_image *stored; /* as the image room has it; borrowed */
  enum zl_isolation isolation;   /* by zl_backend_isolate: process or hyperv */
  char **layers;                 /* trees of the layers, top first */
  char **argv;                   /* not empty */
  char **env;                    /* "KEY=value", keys unique */
  char *cwd, *user;              /* user: "name[:group]" or NULL */
  char *hostname;
  int stop_signal;
  uint64_t stop_grace_ms;
  uint32_t id_base, id_count; /* of its user namespace on the host; 0: it has none of its own */
  enum zl_plan_network network;
  char *network_of; /* ZL_PLAN_NET_PATH: display id of the other container */
  struct zl_plan_link link;
  struct zl_plan_port *ports;
  size_t n_ports;
  char **volumes; /* of each storage entry, in order: host directory of a volume, else "" */
};

/* ---- The facts ----------------------------------------------------------------------------- */

enum zl_presence {
  ZL_PRESENCE_NONE,     /* nothing of it on this host */
  ZL_PRESENCE_CREATED,  /* made; the workload does not run yet */
  ZL_PRESENCE_RUNNING,  /* the workload runs */
  ZL_PRESENCE_STOPPING, /* runs, and a stop was asked */
  ZL_PRESENCE_ENDED,    /* ended, with a record of how */
  ZL_PRESENCE_LOST      /* its keeper is dead and left no record (or never got that far) */
};

struct zl_facts {
  enum zl_presence presence;
  bool paused;
  int32_t pid;
  uint64_t started_at_ns;
  struct zl_outcome outcome; /* ENDED */
};

/* ---- Sessions ------------------------------------------------------------------------------ */

struct zl_session_ops {
  int (*run)(struct zl_session *session, const struct zl_stdio *stdio, struct zl_outcome *ret,
             struct zl_error *err);
  int (*resize)(struct zl_session *session, unsigned rows, unsigned cols, struct zl_error *err);
  void (*close)(struct zl_session *session); /* frees all but the base's own members */
};

/* Embedded first in a backend's own session. Dispatch fills `rt`, `id` and `is_attach` in. */
struct zl_session {
  const struct zl_session_ops *ops;
  struct zl_runtime *rt;
  char id[ZL_ID_TEXT];
  bool is_attach;
  bool tty;
  int cancel_fd; /* an eventfd, readable once cancelled; see zl_session_init */
};

/* Makes cancel_fd and sets ops. */
int zl_session_init(struct zl_session *session, const struct zl_session_ops *ops,
                    struct zl_error *err);

/* ---- The table ----------------------------------------------------------------------------- */

/* Disk space of a backend beside layers and containers. */
struct zl_backend_usage {
  size_t count; /* images' disks */
  uint64_t bytes;
};

/* `id` is a display id whose characters were checked. No operation touches the database. Each is
 * thread-safe; create, remove and adopt run under the container's operation lock, the others do
 * not. */
struct zl_runtime_ops {
  const char *name;            /* "linux", "vm", "hcs", "fake" */
  enum zl_isolation isolation; /* of its containers; ZL_ISOLATION_AUTO: see isolate */
  unsigned caps;               /* ZL_RT_* */

  int (*open)(struct zl_runtime *rt, struct zl_backend **ret, struct zl_error *err);
  void (*close)(struct zl_backend *backend);

  /* Refuses what this backend cannot do with ZL_E_UNSUPPORTED and the field's path. No effect. */
  int (*check)(struct zl_backend *backend, const struct zl_service *service, struct zl_error *err);
  /* Optional (NULL). Begins to get ready for a container that may be created, while the caller goes
   * on: *ret_fd is handed to create as plan->prepared_fd; closing it calls everything off. No host
   * object is made that would outlive the caller. */
  int (*prepare)(struct zl_backend *backend, const char *id, const struct zl_service *service,
                 const char *image_digest, int *ret_fd, struct zl_error *err);
  /* Optional (NULL: `isolation` above). Chooses the isolation of a container whose image is known.
   * No effect. Inside a transaction. */
  int (*isolate)(struct zl_backend *backend, const struct zl_container_plan *plan,
                 enum zl_isolation *ret, struct zl_error *err);
  /* Makes the host objects; the workload does not run. After an error the caller calls remove. */
  int (*create)(struct zl_backend *backend, const struct zl_container_plan *plan,
                struct zl_error *err);
  int (*start)(struct zl_backend *backend, const char *id, struct zl_error *err);
  /* Signal, grace, SIGKILL; blocks to the end. Success when it has ended already. */
  int (*stop)(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
              struct zl_error *err);
  int (*kill)(struct zl_backend *backend, const char *id, int signal, struct zl_error *err);
  /* Ends what is left of it by force and removes its host objects except the directory. Blocks
   * until they are gone. Idempotent; every step is attempted. */
  int (*remove)(struct zl_backend *backend, const char *id, struct zl_error *err);
  int (*state)(struct zl_backend *backend, const char *id, struct zl_facts *ret,
               struct zl_error *err);
  /* Blocks until it has ended or is lost, at most until the CLOCK_BOOTTIME deadline (UINT64_MAX:
   * for ever; ZL_E_TIMEOUT), or until cancel_fd (-1: none) is readable (ZL_E_CANCELLED). */
  int (*wait)(struct zl_backend *backend, const char *id, uint64_t deadline_ns, int cancel_fd,
              struct zl_error *err);

  /* Recovery. Every container of this backend that exists on the host, whatever the database says;
   * fn as in zl_enumerate. */
  int (*enumerate)(struct zl_backend *backend, zl_id_fn fn, void *payload, struct zl_error *err);
  /* Makes sure that a container found by enumerate is under this backend's control.
   * ZL_E_NOT_FOUND: it is not. */
  int (*adopt)(struct zl_backend *backend, const char *id, struct zl_error *err);

  /* Adds members about this node to an object (zl_info). */
  int (*describe)(struct zl_backend *backend, struct json_t *to, struct zl_error *err);

  /* Optional: NULL unless the bit in caps is set. */
  int (*attach)(struct zl_backend *backend, const char *id, struct zl_session **ret,
                struct zl_error *err);
  int (*exec)(struct zl_backend *backend, const char *id, const struct zl_exec_options *options,
              struct zl_session **ret, struct zl_error *err);
  int (*pause)(struct zl_backend *backend, const char *id, bool freeze, struct zl_error *err);
  int (*stats)(struct zl_backend *backend, const char *id, struct zl_stats *ret,
               struct zl_error *err);

  /* Optional, for a backend that keeps more on the host than its containers. */

  /* Reports what belongs to nobody (zl_check_report), removes it when check->repair. */
  int (*sweep)(struct zl_backend *backend, struct zl_check *check, struct zl_error *err);
  /* Removes what no stored image needs any more; counts only, with `dry_run`. */
  int (*collect)(struct zl_backend *backend, bool dry_run, struct zl_backend_usage *ret,
                 struct zl_error *err);
  /* All of it that is there. */
  int (*usage)(struct zl_backend *backend, struct zl_backend_usage *ret, struct zl_error *err);
  /* Adds members about one container to an object (zl_inspect). */
  int (*inspect)(struct zl_backend *backend, const char *id, struct json_t *to,
                 struct zl_error *err);
};

/* ---- Checked wrappers ---------------------------------------------------------------------- */

/* The backend of that name, opened at first use; owned by the runtime. ZL_E_UNSUPPORTED. */
int zl_backend_get(struct zl_runtime *rt, const char *name, struct zl_backend **ret,
                   struct zl_error *err);
/* By the runtime's own setting, else by isolation and platform. */
int zl_backend_choose(struct zl_runtime *rt, const struct zl_service *service,
                      struct zl_backend **ret, struct zl_error *err);
/* The i-th known backend's name, or NULL past the last. */
const char *zl_backend_name(size_t i);

int zl_backend_check(struct zl_backend *backend, const struct zl_service *service,
                     struct zl_error *err);
/* *ret_fd is -1 when the backend has nothing to prepare. */
int zl_backend_prepare(struct zl_backend *backend, const char *id, const struct zl_service *service,
                       const char *image_digest, int *ret_fd, struct zl_error *err);
int zl_backend_isolate(struct zl_backend *backend, struct zl_container_plan *plan,
                       struct zl_error *err);
int zl_backend_create(struct zl_backend *backend, const struct zl_container_plan *plan,
                      struct zl_error *err);
int zl_backend_start(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_backend_stop(struct zl_backend *backend, const char *id, int signal, uint64_t grace_ms,
                    struct zl_error *err);
int zl_backend_kill(struct zl_backend *backend, const char *id, int signal, struct zl_error *err);
int zl_backend_remove(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_backend_state(struct zl_backend *backend, const char *id, struct zl_facts *ret,
                     struct zl_error *err);
int zl_backend_wait(struct zl_backend *backend, const char *id, uint64_t deadline_ns, int cancel_fd,
                    struct zl_error *err);
int zl_backend_enumerate(struct zl_backend *backend, zl_id_fn fn, void *payload,
                         struct zl_error *err);
int zl_backend_adopt(struct zl_backend *backend, const char *id, struct zl_error *err);
int zl_backend_describe(struct zl_backend *backend, struct json_t *to, struct zl_error *err);
int zl_backend_attach(struct zl_backend *backend, const char *id, struct zl_session **ret,
                      struct zl_error *err);
int zl_backend_exec(struct zl_backend *backend, const char *id,
                    const struct zl_exec_options *options, struct zl_session **ret,
                    struct zl_error *err);
int zl_backend_pause(struct zl_backend *backend, const char *id, bool freeze, struct zl_error *err);
int zl_backend_stats(struct zl_backend *backend, const char *id, struct zl_stats *ret,
                     struct zl_error *err);
int zl_backend_inspect(struct zl_backend *backend, const char *id, struct json_t *to,
                       struct zl_error *err);

/* Over all backends; sums. */
int zl_backends_sweep(struct zl_runtime *rt, struct zl_check *check, struct zl_error *err);
int zl_backends_collect(struct zl_runtime *rt, bool dry_run, struct zl_backend_usage *ret,
                        struct zl_error *err);
int zl_backends_usage(struct zl_runtime *rt, struct zl_backend_usage *ret, struct zl_error *err);

#endif
