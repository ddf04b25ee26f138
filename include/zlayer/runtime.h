/* SPDX-License-Identifier: Apache-2.0
 *
 * The container lifecycle: one interface over every backend and isolation level.
 *
 *   pull_image -> create -> start -> state / exec / logs / stats -> stop -> remove
 *
 * `create` never runs the workload; `start` does. The exit code that a user sees is the workload's
 * own. No daemon is involved: each call works on the node's state directly, and any number of
 * threads and processes may call at once. Containers live on when the caller dies.
 *
 * Conventions. Functions return 0 or a negative enum zl_code and fill *err (zlayer/error.h).
 * Outputs are written on success only. Strings given in are copied; strings and arrays given out
 * belong to the caller, who frees them with the named function (plain free() where none is named).
 * Containers are named by display id ("web-rep-1"), by the name given at create, or by an
 * unambiguous prefix of the display id of at least 4 characters; ZL_E_NOT_FOUND when there is none.
 */
#ifndef ZLAYER_RUNTIME_H
#define ZLAYER_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/image.h>
#include <zlayer/spec.h>

/* ---- The node ------------------------------------------------------------------------------ */

struct zl_runtime; /* opaque, thread-safe */

struct zl_runtime_options {
  const char *root;       /* all state; NULL: $ZLAYER_ROOT, else /var/lib/zlayer, on Windows
                             %ProgramData%\zlayer */
  const char *slice_cidr; /* the node's slice; NULL: $ZLAYER_SLICE_CIDR, else `slice_cidr` of
                             ROOT/config.yaml, else 10.200.0.0/28 */
  const char
      *backend; /* NULL: by isolation and platform. "vm"; "fake": no host objects, for tests */
  unsigned scratch_size_gb; /* Windows: size of each container's disk; 0: default_scratch_size_gb of
                               `hcs` in ROOT/config.yaml, else as Windows makes it */
  const char *helper_dir; /* where zlayer-shim and zlayer-unpack are; NULL: $ZLAYER_HELPER_DIR, else
                             beside the running program, else the installed libexec directory */
};

/* Opens the node's state, made on first use with mode 0700. Does not block on other users.
 * ZL_E_PERMISSION when not root; ZL_E_STORE: the database is damaged beyond what was set aside. */
ZL_PUBLIC int zl_runtime_open(const struct zl_runtime_options *options, struct zl_runtime **ret,
                              struct zl_error *err);
/* NULL is fine. Containers are not touched. */
ZL_PUBLIC void zl_runtime_close(struct zl_runtime *rt);

/* Facts about the node (backends, cgroup mode, kernel, slice, bridge, counts) as one JSON object.
 */
ZL_PUBLIC int zl_info(struct zl_runtime *rt, char **ret_json, struct zl_error *err);

/* ---- Identity ------------------------------------------------------------------------------ */

/* Display form: "{service}-rep-{replica}" when role is "default" and node_id is 0, else
 * "{service}-{role}-{replica}-on-{node_id}". */
struct zl_container_id {
  const char *service;
  uint32_t replica;
  const char *role; /* NULL means "default" */
  uint64_t node_id;
};

enum {
  ZL_ID_TEXT = 129
}; /* longest display form and its NUL */

/* ZL_E_INVALID: a part is empty, too long or has characters unfit for a file name. */
ZL_PUBLIC int zl_container_id_format(const struct zl_container_id *id, char text[ZL_ID_TEXT],
                                     struct zl_error *err);
/* The inverse, read from the right ("-on-", then the last two "-" parts; else the last "-rep-").
 * Service and role are copied into `space`, which *ret then points into. Because both may hold "-",
 * a role with a hyphen is split at its last one. ZL_E_INVALID. */
ZL_PUBLIC int zl_container_id_parse(const char *text, char space[2 * ZL_ID_TEXT],
                                    struct zl_container_id *ret, struct zl_error *err);

/* ---- State --------------------------------------------------------------------------------- */

enum zl_state {
  ZL_STATE_PENDING,      /* "pending": known, its host objects are being made */
  ZL_STATE_INITIALIZING, /* "initializing": created, the workload does not run yet */
  ZL_STATE_RUNNING,      /* "running" */
  ZL_STATE_STOPPING,     /* "stopping": a stop was asked, the workload still runs */
  ZL_STATE_EXITED,       /* "exited": with its own exit code */
  ZL_STATE_FAILED        /* "failed": never ran or was lost; see the reason */
};
ZL_PUBLIC const char *zl_state_name(enum zl_state state); /* the text above; static */

enum zl_exit_reason {
  ZL_EXIT_EXITED,       /* "exited": returned or called exit */
  ZL_EXIT_SIGNAL,       /* "signal": exit_code is 128 + signal */
  ZL_EXIT_OOM_KILLED,   /* "oom_killed": the kernel killed it for its memory limit; code 137 */
  ZL_EXIT_RUNTIME_ERROR /* "runtime_error": the runtime failed it; code 125, 126 or 127 */
};
ZL_PUBLIC const char *zl_exit_reason_name(enum zl_exit_reason reason);

struct zl_outcome {
  int exit_code;
  enum zl_exit_reason reason;
  int signal;              /* 0: none */
  uint64_t finished_at_ns; /* CLOCK_REALTIME */
  char message[256];       /* RUNTIME_ERROR: why; else empty */
};

struct zl_container_state {
  enum zl_state state;
  bool paused;               /* processes are frozen; state stays "running" */
  struct zl_outcome outcome; /* EXITED and FAILED only */
  char reason[256];          /* FAILED: why */
  int32_t pid; /* on the host: of the container's init, of the machine (QEMU) with isolation hyperv,
                  where Windows tells none; 0 when it does not run */
};

/* What is true now, whatever died meanwhile. ZL_E_NOT_FOUND for an unknown id. */
ZL_PUBLIC int zl_container_state(struct zl_runtime *rt, const char *id,
                                 struct zl_container_state *ret, struct zl_error *err);

struct zl_container_info {
  char *id;         /* display id */
  char *name;       /* given at create, or NULL */
  char *deployment; /* or NULL */
  char *service;
  char *image;                           /* canonical reference */
  char *command;                         /* argv joined for display */
  char *address;                         /* overlay address, or NULL */
  char *ports;                           /* "0.0.0.0:8080->80/tcp, …", or NULL */
  char *backend;                         /* "linux" */
  char *isolation;                       /* "process" or "hyperv" */
  uint64_t created_at_ns, started_at_ns; /* CLOCK_REALTIME; 0: not yet */
  struct zl_container_state state;
};

/* All containers of this node by creation time. Free with zl_containers_free. */
ZL_PUBLIC int zl_list(struct zl_runtime *rt, struct zl_container_info **ret, size_t *ret_count,
                      struct zl_error *err);
ZL_PUBLIC void zl_containers_free(struct zl_container_info *containers, size_t count);

/* Everything known about one container, as one JSON object (a new string). */
ZL_PUBLIC int zl_inspect(struct zl_runtime *rt, const char *id, char **ret_json,
                         struct zl_error *err);

/* ---- Lifecycle ----------------------------------------------------------------------------- */

struct zl_create_options {
  const char *deployment; /* recorded; NULL: none */
  const char *name;       /* a second, unique name; NULL: none */
  bool auto_remove;       /* removed by whoever sees it ended */
  bool open_stdin;        /* the workload gets a stdin from zl_attach; else /dev/null */
  unsigned rows, cols;    /* first size of the terminal, with service->tty; 0: 24 x 80 */
};

/* Makes the container's host objects; the workload does not run. The image is pulled by the
 * service's pull policy if need be. ZL_E_CONFLICT: the id or name is taken. ZL_E_NO_ADDRESS: the
 * slice is missing or full. ZL_E_UNSUPPORTED: a field or isolation that this node has not. After an
 * error nothing of it is left. */
ZL_PUBLIC int zl_create(struct zl_runtime *rt, const struct zl_container_id *id,
                        const struct zl_service *service, const struct zl_create_options *options,
                        struct zl_error *err);

/* Runs the workload. Idempotent while it runs. ZL_E_CONFLICT once it has ended (create it anew);
 * ZL_E_NO_COMMAND / ZL_E_NOT_EXECUTABLE: the command is missing or cannot be executed. */
ZL_PUBLIC int zl_start(struct zl_runtime *rt, const char *id, struct zl_error *err);

/* Sends the stop signal (service, else image, else SIGTERM), waits up to grace_ms, then SIGKILL,
 * and waits for the end. grace_ms < 0: the service's stop_grace_period, else 10 s. Idempotent:
 * success also when it never ran or has ended. A created container becomes exited(137). */
ZL_PUBLIC int zl_stop(struct zl_runtime *rt, const char *id, int64_t grace_ms,
                      struct zl_error *err);

/* Sends a signal to the workload's init. ZL_E_CONFLICT when it does not run. */
ZL_PUBLIC int zl_kill(struct zl_runtime *rt, const char *id, int signal, struct zl_error *err);
/* "TERM", "SIGTERM", "15", any case; ZL_E_INVALID. */
ZL_PUBLIC int zl_signal_parse(const char *text, int *ret_signal, struct zl_error *err);

/* Removes every trace. Idempotent: an unknown id is success. ZL_E_CONFLICT while it runs, unless
 * `force` (SIGKILL first). Every step is attempted; the first error is reported. */
ZL_PUBLIC int zl_remove(struct zl_runtime *rt, const char *id, bool force, struct zl_error *err);

/* Blocks until the container has ended, at most timeout_ms (< 0: for ever; ZL_E_TIMEOUT). */
ZL_PUBLIC int zl_wait(struct zl_runtime *rt, const char *id, int64_t timeout_ms,
                      struct zl_outcome *ret, struct zl_error *err);

/* Freeze and thaw. Idempotent. ZL_E_CONFLICT when it does not run. */
ZL_PUBLIC int zl_pause(struct zl_runtime *rt, const char *id, struct zl_error *err);
ZL_PUBLIC int zl_unpause(struct zl_runtime *rt, const char *id, struct zl_error *err);

/* ---- Attach and exec ----------------------------------------------------------------------- */

/* Borrowed descriptors of the caller, blocking; -1: none (output is dropped, input is at its end).
 * With a terminal (tty) `out` gets everything and `err` is not used. */
struct zl_stdio {
  int in, out, err;
};

struct zl_session; /* one attachment or exec; one thread runs it, any thread may resize or cancel */

/* Attaches to the workload's streams. Open it before zl_start and no byte is lost. */
ZL_PUBLIC int zl_attach_open(struct zl_runtime *rt, const char *id, struct zl_session **ret,
                             struct zl_error *err);

struct zl_exec_options {
  const char *const *argv; /* NULL-terminated, not empty (ZL_E_INVALID) */
  const char *const *env;  /* "KEY=value" added to the container's own; may be NULL */
  const char *cwd;         /* NULL: the container's */
  const char *user;        /* "user[:group]", names or numbers; NULL: the container's */
  bool tty;
  bool open_stdin;
  unsigned rows, cols;
};

/* Starts a process in a running container. ZL_E_CONFLICT when it does not run;
 * ZL_E_NO_COMMAND / ZL_E_NOT_EXECUTABLE as for start. */
ZL_PUBLIC int zl_exec_open(struct zl_runtime *rt, const char *id,
                           const struct zl_exec_options *options, struct zl_session **ret,
                           struct zl_error *err);

/* Relays until the workload (attach) or the process (exec) has ended and its output is drained, or
 * zl_session_cancel (ZL_E_CANCELLED; the other side goes on). */
ZL_PUBLIC int zl_session_run(struct zl_session *session, const struct zl_stdio *stdio,
                             struct zl_outcome *ret, struct zl_error *err);
/* With a terminal only (ZL_E_CONFLICT without). */
ZL_PUBLIC int zl_session_resize(struct zl_session *session, unsigned rows, unsigned cols,
                                struct zl_error *err);
/* Async-signal-safe. */
ZL_PUBLIC void zl_session_cancel(struct zl_session *session);
/* NULL is fine. An exec'd process that still runs goes on without its streams. */
ZL_PUBLIC void zl_session_close(struct zl_session *session);

struct zl_exec_result {
  int exit_code;
  char *out, *err; /* what it printed, NUL-terminated; at most 16 MiB of each is kept */
  size_t out_len, err_len;
  bool truncated;
};

/* Buffered exec: runs to the end. Free the result with zl_exec_result_done. */
ZL_PUBLIC int zl_exec(struct zl_runtime *rt, const char *id, const struct zl_exec_options *options,
                      struct zl_exec_result *ret, struct zl_error *err);
ZL_PUBLIC void zl_exec_result_done(struct zl_exec_result *result);

/* ---- Logs, stats, events ------------------------------------------------------------------- */

enum zl_stream {
  ZL_STDOUT = 1,
  ZL_STDERR = 2
};

struct zl_log_entry {
  uint64_t time_ns; /* CLOCK_REALTIME */
  enum zl_stream stream;
  const char *text; /* without the newline; borrowed, not NUL-terminated */
  size_t len;
  bool partial; /* the line goes on in the next entry of this stream */
};

/* Non-zero ends the call with success. */
typedef int (*zl_log_fn)(void *payload, const struct zl_log_entry *entry);

struct zl_logs_options {
  int64_t tail;                /* the last N lines; < 0: all */
  bool follow;                 /* go on until the container ends or cancel_fd is readable */
  unsigned streams;            /* ZL_STDOUT | ZL_STDERR; 0: both */
  uint64_t since_ns, until_ns; /* CLOCK_REALTIME; 0: no bound */
  int cancel_fd;               /* with follow: becomes readable to end the call; -1: none */
};

ZL_PUBLIC int zl_logs(struct zl_runtime *rt, const char *id, const struct zl_logs_options *options,
                      zl_log_fn fn, void *payload, struct zl_error *err);

struct zl_stats {
  uint64_t time_ns; /* CLOCK_REALTIME of the sample */
  uint64_t cpu_usage_ns, cpu_system_ns;
  uint64_t memory_bytes, memory_limit; /* limit UINT64_MAX: none */
  uint64_t pids, pids_limit;           /* limit UINT64_MAX: none */
  uint64_t block_read_bytes, block_write_bytes;
  uint64_t net_rx_bytes, net_tx_bytes;
  unsigned online_cpus;
  char tier[8]; /* hyperv: how its machine was started, "pool", "clone" or "boot"; else "" */
};

/* ZL_E_CONFLICT when it does not run. */
ZL_PUBLIC int zl_container_stats(struct zl_runtime *rt, const char *id, struct zl_stats *ret,
                                 struct zl_error *err);

/* One JSON object per event: {"time","type","action","id",…}. Non-zero ends with success. */
typedef int (*zl_event_fn)(void *payload, const char *json);

/* Events since since_ns (0: all kept), then, with follow, new ones until cancel_fd is readable. */
ZL_PUBLIC int zl_events(struct zl_runtime *rt, uint64_t since_ns, bool follow, int cancel_fd,
                        zl_event_fn fn, void *payload, struct zl_error *err);

/* ---- Recovery and housekeeping ------------------------------------------------------------- */

/* Every container that exists on this host by its facts, whatever the database says. */
typedef int (*zl_id_fn)(void *payload, const char *id);
ZL_PUBLIC int zl_enumerate(struct zl_runtime *rt, zl_id_fn fn, void *payload, struct zl_error *err);

/* Takes a container that runs but is not in the database (lost, restored) back into it. Idempotent.
 * ZL_E_NOT_FOUND: no such container on the host. */
ZL_PUBLIC int zl_adopt(struct zl_runtime *rt, const char *id, struct zl_error *err);

struct zl_finding {
  const char *kind; /* "container", "shim", "cgroup", "link", "lease", "directory", "layer",
                      "ports", "machine", "template", "disk" */
  const char *name;
  const char *detail; /* what is wrong with it */
  bool repaired;
};
typedef int (*zl_finding_fn)(void *payload, const struct zl_finding *finding);

/* Compares the journal with the host and reports what does not belong; with `repair` removes it.
 * *ret_left (may be NULL): findings not repaired. */
ZL_PUBLIC int zl_system_check(struct zl_runtime *rt, bool repair, zl_finding_fn fn, void *payload,
                              size_t *ret_left, struct zl_error *err);

struct zl_prune_options {
  bool containers; /* ended ones */
  bool images;     /* without containers */
  bool volumes;    /* named volumes without containers */
  bool dry_run;    /* count only: what the same call without it would remove now */
};
struct zl_prune_result {
  size_t containers, images, layers, volumes;
  size_t leftovers; /* unfinished work of pulls and loads that died; with `images` also downloads
                       that a pull could go on with */
  uint64_t bytes;   /* of all that */
  uint64_t container_bytes, layer_bytes, volume_bytes, leftover_bytes;
  uint64_t machine_bytes; /* disks and templates of images that are gone */
};
/* Layers that no image needs, and left-overs, go whatever the options say. */
ZL_PUBLIC int zl_prune(struct zl_runtime *rt, const struct zl_prune_options *options,
                       struct zl_prune_result *ret, struct zl_error *err);

/* ---- Machines (isolation hyperv, docs/microvm.md) ------------------------------------------- */

/* Facts about machines on this node as one JSON object (a new string): accelerator, kernel,
 * templates with keys and sizes, pooled machines with their memory, and the ways in which the next
 * container could start, fastest first. What is missing on a node that cannot make machines is in
 * its member "missing". */
ZL_PUBLIC int zl_vm_status(struct zl_runtime *rt, char **ret_json, struct zl_error *err);

/* How many machines of the default shape wait for a container, at most 64; remembered. Makes the
 * template when there is none (blocks). `wait`: returns when they are ready; ZL_E_TIMEOUT. Machines
 * too many are ended. ZL_E_UNSUPPORTED: QEMU or the guest kernel is missing; ZL_E_CONFLICT:
 * templates are switched off. */
ZL_PUBLIC int zl_vm_pool_resize(struct zl_runtime *rt, unsigned size, bool wait,
                                struct zl_error *err);

/* Makes the template of the default shape if there is none, with `rebuild` in any case; blocks
 * until it is there, seconds. Errors as above. */
ZL_PUBLIC int zl_vm_template_build(struct zl_runtime *rt, bool rebuild, struct zl_error *err);

/* ---- Disk ---------------------------------------------------------------------------------- */

/* Disk usage by kind as one JSON object (a new string): "images" (with "layers", "bytes",
 * "sharedBytes" of layers that several images have, "reclaimableBytes"), "containers" (with
 * "running", "bytes", "logBytes", "reclaimableBytes"), "volumes" and "machines" (templates, pools
 * and disks), each with "count", "bytes" and "reclaimableBytes", and "leftovers" of pulls that
 * died. Reclaimable is what zl_prune with all its options would give back. */
ZL_PUBLIC int zl_disk_usage(struct zl_runtime *rt, char **ret_json, struct zl_error *err);

#endif
