/* SPDX-License-Identifier: Apache-2.0
 *
 * The deployment file: its typed model, reading, checking and writing it. docs/schema.md lists
 * every field with its default and says which ones this version acts on; a field that it does not
 * act on is refused unless it has its default, so nothing in a file is silently ignored.
 *
 * Everything a struct points to belongs to it and comes from malloc. A string list is a
 * NULL-terminated array, NULL when empty. An absent text is NULL. Durations are nanoseconds, sizes
 * are bytes. Where 0 is a meaningful value of an optional number, a `has_` flag says if it is set.
 * The functions do not block (except for reading the named file) and are thread-safe as long as no
 * two threads change the same object.
 */
#ifndef ZLAYER_SPEC_H
#define ZLAYER_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/image.h>

#define ZL_UNLIMITED UINT64_MAX /* of memory_swap and the ulimits */

struct zl_pair {
  char *key, *value;
};

/* In the order of the file; keys are unique. */
struct zl_pairs {
  struct zl_pair *items;
  size_t count;
};

/* ---- Parts of a service -------------------------------------------------------------------- */

enum zl_rtype {
  ZL_RTYPE_SERVICE,
  ZL_RTYPE_JOB,
  ZL_RTYPE_CRON
};

enum zl_service_type {
  ZL_SERVICE_STANDARD,
  ZL_SERVICE_WASM_HTTP,
  ZL_SERVICE_WASM_PLUGIN,
  ZL_SERVICE_WASM_TRANSFORMER,
  ZL_SERVICE_WASM_AUTHENTICATOR,
  ZL_SERVICE_WASM_RATE_LIMITER,
  ZL_SERVICE_WASM_MIDDLEWARE,
  ZL_SERVICE_WASM_ROUTER,
  ZL_SERVICE_JOB
};

enum zl_source_policy {
  ZL_SOURCE_LOCAL_FIRST,
  ZL_SOURCE_S3_FIRST,
  ZL_SOURCE_REMOTE_ONLY,
  ZL_SOURCE_LOCAL_ONLY
};

struct zl_image_spec {
  char *name;      /* as written */
  char *canonical; /* "docker.io/library/busybox:latest"; set by parsing or zl_service_set_image */
  enum zl_pull_policy pull_policy;
  enum zl_source_policy source_policy;
};

enum zl_gpu_scheduling {
  ZL_GPU_SCHEDULING_NONE,
  ZL_GPU_BEST_EFFORT,
  ZL_GPU_GANG,
  ZL_GPU_SPREAD
};

enum zl_gpu_sharing {
  ZL_GPU_SHARING_NONE,
  ZL_GPU_EXCLUSIVE,
  ZL_GPU_MPS,
  ZL_GPU_TIME_SLICE
};

struct zl_gpu_distributed {
  char *backend;
  uint16_t master_port;
};

struct zl_gpu {
  uint32_t count;
  char *vendor, *mode, *model;
  enum zl_gpu_scheduling scheduling;
  struct zl_gpu_distributed *distributed;
  enum zl_gpu_sharing sharing;
  char *mps_pipe_dir, *mps_log_dir;
  bool has_time_slice_index;
  uint32_t time_slice_index;
  char *time_slicing_config_path;
};

/* 0 means "not set" except where a has_ flag stands before the field. */
struct zl_resources {
  double cpu;           /* CPUs: 0.5 is half of one */
  uint64_t memory;      /* bytes */
  struct zl_gpu *gpu;   /* NULL: none */
  int64_t pids_limit;   /* -1: unlimited, 0: the node's default */
  char *cpuset;         /* "0-3,7" */
  uint64_t cpu_shares;  /* 2..262144, the cgroup v1 scale */
  uint64_t memory_swap; /* memory and swap together; ZL_UNLIMITED: "-1" */
  uint64_t memory_reservation;
  bool has_memory_swappiness;
  uint32_t memory_swappiness; /* 0..100 */
  bool has_oom_score_adj;
  int32_t oom_score_adj; /* -1000..1000 */
  bool oom_kill_disable;
  uint32_t blkio_weight; /* 10..1000 */
};

/* Replaces the image's entrypoint and command as documented in docs/schema.md; NULL: the image's.
 */
struct zl_command {
  char **entrypoint;
  char **args;
  char *workdir;
};

struct zl_overlay_policy {
  bool enabled, encrypted, isolated;
};

enum zl_join_mode {
  ZL_JOIN_TOKEN,
  ZL_JOIN_OPEN,
  ZL_JOIN_CLOSED
};

enum zl_join_scope {
  ZL_JOIN_SERVICE,
  ZL_JOIN_GLOBAL
};

struct zl_network_overlays {
  struct zl_overlay_policy service, global;
};

struct zl_network_join {
  enum zl_join_mode mode;
  enum zl_join_scope scope;
};

struct zl_network_policy {
  struct zl_network_overlays overlays;
  struct zl_network_join join;
};

enum zl_protocol {
  ZL_PROTOCOL_TCP,
  ZL_PROTOCOL_UDP,
  ZL_PROTOCOL_HTTP,
  ZL_PROTOCOL_HTTPS,
  ZL_PROTOCOL_WEBSOCKET
};
ZL_PUBLIC const char *zl_protocol_name(enum zl_protocol protocol); /* "tcp"; static */

enum zl_exposure {
  ZL_EXPOSE_INTERNAL,
  ZL_EXPOSE_PUBLIC
};

enum zl_stream_check_type {
  ZL_STREAM_CHECK_TCP_CONNECT,
  ZL_STREAM_CHECK_UDP_PROBE
};

struct zl_stream_check {
  enum zl_stream_check_type type;
  char *request, *expect;
};

struct zl_stream_config {
  bool tls, proxy_protocol;
  uint64_t session_timeout;
  struct zl_stream_check *health_check;
};

struct zl_tunnel_access {
  bool enabled;
  uint64_t max_ttl; /* 0: none */
  bool audit;
};

struct zl_endpoint_tunnel {
  bool enabled;
  char *from, *to;
  uint16_t remote_port; /* 0: chosen */
  enum zl_exposure expose;
  struct zl_tunnel_access *access;
};

struct zl_endpoint {
  char *name;
  enum zl_protocol protocol;
  uint16_t port;
  uint16_t target_port; /* never 0 after parsing: `port` when not given */
  char *path, *host;
  enum zl_exposure expose;
  struct zl_stream_config *stream;
  char *target_role;
  struct zl_endpoint_tunnel *tunnel;
};

enum zl_scale_mode {
  ZL_SCALE_FIXED,    /* `replicas` of them */
  ZL_SCALE_ADAPTIVE, /* not supported yet */
  ZL_SCALE_MANUAL    /* none until asked for: `replicas` is 0 */
};

struct zl_scale_targets {
  double cpu, memory; /* per cent; 0: none */
  uint64_t rps;       /* 0: none */
};

struct zl_scale {
  enum zl_scale_mode mode;
  uint32_t replicas;
  uint32_t min, max;
  uint64_t cooldown;
  struct zl_scale_targets targets;
};

enum zl_affinity_kind {
  ZL_AFFINITY_NONE,
  ZL_AFFINITY_SPREAD,
  ZL_AFFINITY_PACK,
  ZL_AFFINITY_PIN
};

struct zl_affinity {
  enum zl_affinity_kind kind;
  char *selector; /* ZL_AFFINITY_PIN */
};

struct zl_replica_group {
  char *role;
  uint32_t count;
  char *image;
  struct zl_pairs env;
  struct zl_command command;
  struct zl_resources resources;
  struct zl_affinity affinity;
};

enum zl_condition {
  ZL_CONDITION_HEALTHY,
  ZL_CONDITION_STARTED,
  ZL_CONDITION_READY
};

enum zl_on_failure {
  ZL_ON_FAILURE_FAIL,
  ZL_ON_FAILURE_WARN,
  ZL_ON_FAILURE_CONTINUE
};

struct zl_depend {
  char *service;
  enum zl_condition condition;
  uint64_t timeout;
  enum zl_on_failure on_timeout;
};

enum zl_check_type {
  ZL_CHECK_TCP,
  ZL_CHECK_HTTP,
  ZL_CHECK_COMMAND
};

struct zl_health_check {
  enum zl_check_type type;
  uint16_t port; /* tcp; 0: of the first endpoint */
  char *url;     /* http */
  uint32_t expect_status;
  char *command; /* command */
};

struct zl_health {
  uint64_t start_grace;
  uint64_t interval, timeout; /* 0: not given */
  uint32_t retries;
  struct zl_health_check check;
};

struct zl_init_step {
  char *id, *uses;
  struct zl_pairs with;
  uint32_t retry;
  uint64_t timeout; /* 0: not given */
  enum zl_on_failure on_failure;
};

struct zl_init {
  struct zl_init_step *steps;
  size_t n_steps;
};

enum zl_init_failure_action {
  ZL_INIT_FAILURE_FAIL,
  ZL_INIT_FAILURE_RESTART,
  ZL_INIT_FAILURE_BACKOFF
};

enum zl_panic_action {
  ZL_PANIC_RESTART,
  ZL_PANIC_SHUTDOWN,
  ZL_PANIC_ISOLATE
};

struct zl_on_init_failure {
  enum zl_init_failure_action action;
};

struct zl_on_panic {
  enum zl_panic_action action;
};

struct zl_error_policy {
  struct zl_on_init_failure on_init_failure;
  struct zl_on_panic on_panic;
};

struct zl_lifecycle {
  bool delete_on_exit; /* the container is removed once it has ended */
};

enum zl_isolation {
  ZL_ISOLATION_AUTO,
  ZL_ISOLATION_PROCESS,
  ZL_ISOLATION_HYPERV
};

struct zl_device {
  char *path;
  bool read, write, mknod;
};

enum zl_storage_type {
  ZL_STORAGE_BIND,
  ZL_STORAGE_NAMED,
  ZL_STORAGE_ANONYMOUS,
  ZL_STORAGE_TMPFS,
  ZL_STORAGE_S3
};

enum zl_storage_tier {
  ZL_TIER_LOCAL,
  ZL_TIER_CACHED,
  ZL_TIER_NETWORK
};

/* Which fields count depends on the type; the others keep their defaults. */
struct zl_storage {
  enum zl_storage_type type;
  char *target;              /* in the container; all types */
  char *source;              /* bind: on the host */
  char *name;                /* named */
  bool readonly;             /* bind, named, s3 */
  enum zl_storage_tier tier; /* named, anonymous */
  uint64_t size;             /* named, tmpfs; 0: none */
  bool has_mode;
  uint32_t mode; /* tmpfs: permission bits of its root; 01777 unless given */
  char *bucket, *prefix, *endpoint, *credentials; /* s3 */
};

struct zl_port_mapping {
  uint16_t host_port; /* 0: any free one */
  uint16_t container_port;
  enum zl_protocol protocol; /* ZL_PROTOCOL_TCP or ZL_PROTOCOL_UDP */
  char *host_ip;
};

enum zl_node_mode {
  ZL_NODE_SHARED,
  ZL_NODE_DEDICATED,
  ZL_NODE_EXCLUSIVE
};

struct zl_node_selector {
  struct zl_pairs labels, prefer_labels;
};

enum zl_os {
  ZL_OS_ANY,
  ZL_OS_LINUX,
  ZL_OS_WINDOWS,
  ZL_OS_MACOS
};

enum zl_arch {
  ZL_ARCH_ANY,
  ZL_ARCH_AMD64,
  ZL_ARCH_ARM64
};

/* With `platform` absent all three are empty. */
struct zl_platform {
  enum zl_os os;
  enum zl_arch arch;
  char *os_version; /* "10.0.20348" */
};

struct zl_wasm_preopen {
  char *source, *target;
  bool readonly;
};

struct zl_wasm {
  uint32_t min_instances, max_instances;
  uint64_t idle_timeout, request_timeout;
  uint64_t max_memory; /* 0: none */
  uint64_t max_fuel;   /* 0: unlimited */
  uint64_t epoch_interval;
  char **capabilities;
  bool allow_http_outgoing;
  char **allowed_hosts;
  bool allow_tcp, allow_udp;
  struct zl_wasm_preopen *preopens;
  size_t n_preopens;
  bool kv_enabled;
  char *kv_namespace;
  uint64_t kv_max_value_size;
  char **secrets;
  bool precompile;
};

enum zl_log_destination {
  ZL_LOGS_DISK,
  ZL_LOGS_MEMORY
};

struct zl_log_config {
  enum zl_log_destination destination;
  uint64_t max_size_bytes; /* of one container's log */
  uint64_t retention_secs;
};

enum zl_restart_kind {
  ZL_RESTART_NO,
  ZL_RESTART_ALWAYS,
  ZL_RESTART_UNLESS_STOPPED,
  ZL_RESTART_ON_FAILURE
};

struct zl_restart_policy {
  enum zl_restart_kind kind;
  uint32_t max_attempts;
  uint64_t delay;
};

/* Of process and IPC namespaces. */
enum zl_ns_mode {
  ZL_NS_PRIVATE,  /* its own */
  ZL_NS_HOST,     /* the node's */
  ZL_NS_CONTAINER /* another container's; not supported yet */
};

enum zl_network_kind {
  ZL_NETWORK_DEFAULT,   /* the node's overlay */
  ZL_NETWORK_HOST,      /* the node's own network */
  ZL_NETWORK_NONE,      /* loopback only */
  ZL_NETWORK_CONTAINER, /* that of container `name` */
  ZL_NETWORK_BRIDGE     /* not supported yet */
};

struct zl_network_mode {
  enum zl_network_kind kind;
  char *name; /* of the container or bridge, else NULL */
};

enum zl_userns_mode {
  ZL_USERNS_HOST,   /* root in the container is root of the node, with fewer capabilities */
  ZL_USERNS_PRIVATE /* its own user namespace */
};

struct zl_ulimit {
  char *name;          /* "nofile" */
  uint64_t soft, hard; /* ZL_UNLIMITED: none */
};

enum zl_overlay_mode {
  ZL_OVERLAY_AUTO,
  ZL_OVERLAY_SHARED,
  ZL_OVERLAY_DEDICATED
};

struct zl_overlay_spec {
  enum zl_overlay_mode mode;
  char *parent;
};

enum zl_reachability {
  ZL_REACHABILITY_AUTO,
  ZL_REACHABILITY_ALWAYS,
  ZL_REACHABILITY_NEVER
};

/* ---- The service --------------------------------------------------------------------------- */

struct zl_service {
  char *name; /* its key in the deployment file */

  enum zl_rtype rtype;
  enum zl_service_type service_type;
  char *schedule;
  struct zl_image_spec image;
  struct zl_resources resources;
  struct zl_pairs env; /* resolved: "$E:VAR" has become the value of VAR */
  struct zl_command command;
  char *hostname;
  char *user; /* "user[:group]", names or numbers; NULL: the image's */
  char **extra_groups;
  char *stop_signal; /* NULL: the image's, else SIGTERM */
  uint64_t stop_grace_period;
  bool has_stop_grace_period;
  bool tty, stdin_open;
  bool init_container; /* a small init reaps orphans and passes signals on */
  bool host_network;   /* true implies network_mode host */
  bool read_only_root_fs;
  bool privileged;
  struct zl_pairs labels;

  struct zl_endpoint *endpoints;
  size_t n_endpoints;
  char **expose; /* documentation only, as in an image: nothing is published */
  struct zl_port_mapping *port_mappings;
  size_t n_port_mappings;
  struct zl_network_mode network_mode;
  struct zl_network_policy network;
  struct zl_overlay_spec overlay;
  char **dns;
  char **extra_hosts; /* "name:address" or "name:host-gateway" */

  struct zl_storage *storage;
  size_t n_storage;
  struct zl_device *devices;
  size_t n_devices;

  enum zl_isolation isolation;
  enum zl_reachability localhost_reachability;
  struct zl_platform platform;
  char *
      *capabilities; /* added to the default set; as written: "NET_ADMIN", "cap_net_admin", "ALL" */
  char **cap_drop;
  char **security_opt;
  struct zl_pairs sysctls;
  struct zl_ulimit *ulimits;
  size_t n_ulimits;
  enum zl_ns_mode pid_mode, ipc_mode;
  enum zl_userns_mode userns_mode;
  enum zl_node_mode node_mode;
  char *cgroup_parent;

  struct zl_scale scale;
  struct zl_replica_group *replica_groups;
  size_t n_replica_groups;
  struct zl_depend *depends;
  size_t n_depends;
  struct zl_health *health; /* NULL: none */
  struct zl_init init;
  struct zl_error_policy errors;
  struct zl_lifecycle lifecycle;
  struct zl_restart_policy restart_policy;
  struct zl_log_config logs;
  struct zl_node_selector *node_selector;
  struct zl_affinity affinity;
  struct zl_wasm *wasm;
};

/* ---- The deployment ------------------------------------------------------------------------ */

struct zl_external {
  char *name;
  char **backends;
  struct zl_endpoint *endpoints;
  size_t n_endpoints;
  struct zl_health *health;
};

struct zl_tunnel {
  char *name;
  char *from, *to;
  uint16_t local_port, remote_port;
  enum zl_protocol protocol;
  enum zl_exposure expose;
};

struct zl_api_spec {
  bool enabled;
  char *bind;
  char *jwt_secret;
  bool swagger;
};

struct zl_deployment {
  char *version; /* "v1" */
  char *name;    /* the key `deployment` */
  struct zl_service *services;
  size_t n_services; /* in the order of the file */
  struct zl_external *externals;
  size_t n_externals;
  struct zl_tunnel *tunnels;
  size_t n_tunnels;
  struct zl_api_spec api;
};

/* ---- Errors of a file ---------------------------------------------------------------------- */

struct zl_spec_error {
  enum zl_code code;     /* ZL_E_INVALID, ZL_E_LIMIT, or ZL_E_UNSUPPORTED: not acted on yet */
  char *path;            /* "services.web.resources.memory"; "" for the file as a whole */
  unsigned line, column; /* from 1; 0: the value does not come from a file */
  char *message;
};

/* At most ZL_MAX_SPEC_ERRORS (256), by position. Start with { 0 }. */
struct zl_spec_errors {
  struct zl_spec_error *items;
  size_t count;
  bool truncated; /* there were more */
};

ZL_PUBLIC void zl_spec_errors_done(struct zl_spec_errors *errors);
/* One error as "FILE: PATH: MESSAGE, line N, column N" (parts that are not known are left out); a
 * new string, NULL when out of memory. `file_name` may be NULL. */
ZL_PUBLIC char *zl_spec_error_text(const struct zl_spec_error *error, const char *file_name);

/* ---- Reading, checking, writing ------------------------------------------------------------ */

/* Reads a deployment of `len` bytes of YAML (or JSON, which is YAML), resolves "$E:VAR" in env from
 * the caller's environment, and checks every rule. `file_name` (may be NULL) goes into messages.
 * All errors are collected in *errors (may be NULL; previous content is dropped); *err gets the
 * first one. The caller frees *ret with zl_deployment_free and the errors with zl_spec_errors_done,
 * also after a failure.
 * ZL_E_INVALID: the file is wrong. ZL_E_UNSUPPORTED: the first error is a field that this version
 * does not act on. ZL_E_LIMIT: the file is over a limit. ZL_E_NO_MEMORY. */
ZL_PUBLIC int zl_deployment_parse(const char *text, size_t len, const char *file_name,
                                  struct zl_deployment **ret, struct zl_spec_errors *errors,
                                  struct zl_error *err);
/* The same for a file of at most 4 MiB. Also ZL_E_NOT_FOUND, ZL_E_PERMISSION, ZL_E_SYSTEM. */
ZL_PUBLIC int zl_deployment_load(const char *path, struct zl_deployment **ret,
                                 struct zl_spec_errors *errors, struct zl_error *err);
ZL_PUBLIC void zl_deployment_free(struct zl_deployment *deployment);

/* Borrowed; NULL when there is none. */
ZL_PUBLIC const struct zl_service *zl_service_find(const struct zl_deployment *deployment,
                                                   const char *name);

/* A service with every default, no image and this name (copied). */
ZL_PUBLIC int zl_service_new(const char *name, struct zl_service **ret, struct zl_error *err);
ZL_PUBLIC void zl_service_free(struct zl_service *service);
/* A deep copy. */
ZL_PUBLIC int zl_service_copy(const struct zl_service *service, struct zl_service **ret,
                              struct zl_error *err);

/* Checks a service made in a program by the rules of a file; paths start with its name. Values of
 * env must be final ("$E:" is for files). Errors as for zl_deployment_parse. */
ZL_PUBLIC int zl_service_validate(const struct zl_service *service, struct zl_spec_errors *errors,
                                  struct zl_error *err);

enum zl_spec_format {
  ZL_SPEC_YAML,
  ZL_SPEC_JSON
};

/* Canonical text with all defaults; absent optional fields are left out. Reading it gives an equal
 * deployment. A new string, the caller frees it. Note that env holds resolved values.
 * ZL_E_INVALID: a text is not valid UTF-8. */
ZL_PUBLIC int zl_deployment_render(const struct zl_deployment *deployment,
                                   enum zl_spec_format format, char **ret, struct zl_error *err);
/* One service without its name, and the way back: for keeping a service. */
ZL_PUBLIC int zl_service_render(const struct zl_service *service, enum zl_spec_format format,
                                char **ret, struct zl_error *err);
ZL_PUBLIC int zl_service_parse(const char *text, size_t len, const char *name,
                               struct zl_service **ret, struct zl_spec_errors *errors,
                               struct zl_error *err);

/* ---- Building a service in a program -------------------------------------------------------- */

/* Each leaves the object as it was after an error. Texts are copied. */

/* Sets name and canonical form. ZL_E_INVALID: not an image reference. */
ZL_PUBLIC int zl_service_set_image(struct zl_service *service, const char *reference,
                                   struct zl_error *err);
/* Replaces *field; NULL clears it. */
ZL_PUBLIC int zl_text_set(char **field, const char *text, struct zl_error *err);
/* Appends; ZL_E_LIMIT past 4096 entries. */
ZL_PUBLIC int zl_list_add(char ***list, const char *text, struct zl_error *err);
ZL_PUBLIC void zl_list_clear(char ***list);
/* Sets or replaces the value of a key. ZL_E_LIMIT past 4096 entries. */
ZL_PUBLIC int zl_pairs_set(struct zl_pairs *pairs, const char *key, const char *value,
                           struct zl_error *err);
/* Borrowed; NULL when there is none. */
ZL_PUBLIC const char *zl_pairs_find(const struct zl_pairs *pairs, const char *key);
ZL_PUBLIC void zl_pairs_done(struct zl_pairs *pairs);

/* ---- Texts of the command line --------------------------------------------------------------- */

/* Each parses the whole text or fails with ZL_E_INVALID, saying what is expected. */

/* "500ms", "5s", "1m30s", "4h": one or more of <n><unit>, units ns us ms s m h d. */
ZL_PUBLIC int zl_duration_parse(const char *text, uint64_t *ret_ns, struct zl_error *err);
/* "512Mi" (Ki Mi Gi Ti: powers of 1024), "500M" (K M G T: powers of 1000), "1048576"; more than 0.
 */
ZL_PUBLIC int zl_memory_parse(const char *text, uint64_t *ret_bytes, struct zl_error *err);
/* CPUs as a decimal number of at least 0.01: "2", "0.5". */
ZL_PUBLIC int zl_cpu_parse(const char *text, double *ret, struct zl_error *err);

/* "[[IP:][HOST_PORT]:]CONTAINER_PORT[/tcp|/udp]", an IPv6 address in brackets, and ranges of equal
 * length on both sides ("8000-8003:80-83"); appended to the service. */
ZL_PUBLIC int zl_port_parse(struct zl_service *service, const char *text, struct zl_error *err);
/* "SOURCE:TARGET[:OPTIONS]" or "TARGET": an absolute source is a bind mount, a name a named volume,
 * none an anonymous one. OPTIONS: ro, rw. Appended to the service. */
ZL_PUBLIC int zl_storage_parse(struct zl_service *service, const char *text, struct zl_error *err);
/* "TARGET[:size=SIZE][,mode=MODE]": a tmpfs; MODE is octal. Appended to the service. */
ZL_PUBLIC int zl_tmpfs_parse(struct zl_service *service, const char *text, struct zl_error *err);
/* "PATH[:PATH][:rwm]": both paths must be equal. Appended to the service. */
ZL_PUBLIC int zl_device_parse(struct zl_service *service, const char *text, struct zl_error *err);
/* "nofile=1024:2048", "nofile=1024", "core=unlimited". Replaces one of the same name. */
ZL_PUBLIC int zl_ulimit_parse(struct zl_service *service, const char *text, struct zl_error *err);
/* "default", "host", "none", "container:ID", "bridge[:NAME]"; replaces what is there. */
ZL_PUBLIC int zl_network_mode_parse(struct zl_service *service, const char *text,
                                    struct zl_error *err);
/* "OS[/ARCH]": "linux/amd64". */
ZL_PUBLIC int zl_platform_parse(struct zl_service *service, const char *text, struct zl_error *err);
/* A text of an enum field, as in a file: pull_policy, isolation, pid_mode, ipc_mode, userns_mode.
 */
ZL_PUBLIC int zl_service_set_mode(struct zl_service *service, const char *field, const char *text,
                                  struct zl_error *err);

#endif
