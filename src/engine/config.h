/* SPDX-License-Identifier: Apache-2.0
 *
 * The typed form of a container's config.json: the OCI runtime-spec 1.2 configuration for Linux and
 * the member `zlayer` (docs/shim.md). One allocation domain: strings and arrays live as long as the
 * object and are never freed one by one. Unknown members are tolerated in OCI objects, as the
 * specification demands, and refused inside `zlayer`. A member of a wrong type is an error that
 * names its exact path.
 *
 * Vectors of strings end with NULL and are never NULL themselves; strings may be NULL where said.
 */
#ifndef ZL_ENGINE_CONFIG_H
#define ZL_ENGINE_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "engine/caps.h"
#include "engine/rlimit.h"
#include "engine/schedule.h"
#include "engine/seccomp.h"
#include "engine/sysctl.h"

struct json_t;

/* A number that the document does not have. */
#define ZL_UNSET INT64_MIN

struct zl_process {
  bool terminal;
  uint16_t console_rows, console_cols; /* 0: not said */
  uint32_t uid, gid;
  const uint32_t *gids;
  size_t n_gids;
  const char *user; /* "name[:group]" to be resolved in the image, instead of the ids; or NULL */
  char **extra_groups;
  bool has_umask;
  mode_t umask;
  char **args; /* at least one */
  char **env;
  const char *cwd;     /* absolute */
  bool has_caps;       /* false: the document has no capabilities */
  struct zl_caps caps; /* names not known here are left out */
  const struct zl_rlimit *rlimits;
  size_t n_rlimits;
  bool no_new_privileges;
  bool has_oom_score_adj;
  int oom_score_adj;
  struct zl_scheduler scheduler;
  const char *apparmor_profile; /* NULL: none, or "unconfined" */
  const char *selinux_label;    /* NULL: none */
  int io_priority;              /* an ioprio value; 0: not said */
  /* Of an exec, before and after it has joined the container's cgroup; NULL: not said. */
  const struct zl_cpus *exec_cpus_initial, *exec_cpus_final;
};

struct zl_time_offset {
  bool present;
  int64_t secs;
  uint32_t nanosecs;
};

enum zl_ns {
  ZL_NS_USER, /* in the order in which they are to be joined */
  ZL_NS_PID,
  ZL_NS_NETWORK,
  ZL_NS_IPC,
  ZL_NS_UTS,
  ZL_NS_TIME,
  ZL_NS_CGROUP,
  ZL_NS_MOUNT,
  ZL_NS_COUNT
};

struct zl_namespace {
  bool present;     /* the container has one of its own, new or joined */
  const char *path; /* join this one; NULL: make a new one */
};

struct zl_idmap {
  uint32_t container_id, host_id, size;
};

struct zl_mount {
  const char *destination; /* begins with "/"; ends with none, unless it is the root */
  const char *type;        /* NULL: not said (a bind mount) */
  const char *source;      /* NULL: not said */
  char **options;          /* as written */
  /* The options, understood: */
  bool bind, recursive;        /* "bind", "rbind" (or type "bind") */
  bool remount;                /* change an existing mount */
  bool copy_up;                /* "tmpcopyup": a tmpfs starts with what it hides */
  bool idmap, idmap_recursive; /* "idmap", "ridmap" */
  bool copy_link;       /* "copy-symlink": a source that is a link is made anew, not mounted */
  bool source_nofollow; /* "src-nofollow": a source that is a link is mounted itself */
  bool target_nofollow; /* "dest-nofollow": so is what it is mounted on */
  uint64_t attr_set, attr_clear;   /* MOUNT_ATTR_*, of this mount */
  uint64_t rattr_set, rattr_clear; /* MOUNT_ATTR_*, of this mount and all below ("rro" …) */
  unsigned long propagation;       /* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE | MS_REC; 0 */
  char **fs_options;               /* for the file system: "key=value" or "flag" */
  const char *data;                /* fs_options joined with commas, "" when there are none */
  const struct zl_idmap *uid_maps, *gid_maps; /* for idmap; empty: the container's */
  size_t n_uid_maps, n_gid_maps;
};

struct zl_device {
  const char *path;
  char type; /* 'c', 'b' or 'p' */
  unsigned major, minor;
  mode_t mode; /* permission bits; 0666 when not said */
  uint32_t uid, gid;
};

enum {
  ZL_DEV_MKNOD = 1, /* the bits of BPF_DEVCG_ACC_* */
  ZL_DEV_READ = 2,
  ZL_DEV_WRITE = 4
};

/* Later rules win over earlier ones; what no rule names is denied. */
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order of a rule's text
struct zl_device_rule {
  bool allow;
  char type;            /* 'a' any, 'b' or 'c' */
  int64_t major, minor; /* ZL_UNSET: any */
  uint8_t access;       /* ZL_DEV_* bits */
};

struct zl_blkio_device {
  unsigned major, minor;
  uint64_t value; /* weight, bytes or operations per second */
};

struct zl_blkio_list {
  const struct zl_blkio_device *items;
  size_t n;
};

struct zl_hugepage_limit {
  const char *page_size; /* "2MB" */
  uint64_t limit;        /* bytes */
};

struct zl_rdma_limit {
  const char *device;               /* "mlx5_1" */
  int64_t hca_handles, hca_objects; /* ZL_UNSET: not said */
};

struct zl_net_priority {
  const char *interface;
  uint32_t priority;
};

struct zl_key_value {
  const char *key, *value;
};

struct zl_resources {
  /* ZL_UNSET where the document has no value; -1 is "unlimited" where that makes sense. */
  int64_t cpu_shares, cpu_quota_us, cpu_period_us, cpu_burst_us;
  int64_t cpu_rt_runtime_us, cpu_rt_period_us, cpu_idle;
  const char *cpus, *mems;                               /* cpuset lists or NULL */
  int64_t memory_limit, memory_reservation, memory_swap; /* bytes; swap is memory + swap */
  int64_t memory_swappiness;
  int64_t memory_kernel, memory_kernel_tcp; /* bytes; 0 is not said either */
  bool disable_oom_killer, use_hierarchy;
  bool check_before_update; /* refuse a memory limit below what is in use */
  int64_t pids_limit;
  int64_t blkio_weight; /* 10..1000 */
  struct zl_blkio_list blkio_weight_device;
  struct zl_blkio_list read_bps, write_bps, read_iops, write_iops;
  const struct zl_hugepage_limit *hugepages;
  size_t n_hugepages;
  const struct zl_rdma_limit *rdma;
  size_t n_rdma;
  uint32_t net_class; /* 0: not said */
  const struct zl_net_priority *net_priorities;
  size_t n_net_priorities;
  const struct zl_key_value *unified; /* v2 files set verbatim */
  size_t n_unified;
  const struct zl_device_rule *devices;
  size_t n_devices;
};

/* In the order in which they are run. The first two are the runtime's, the next two the container's
 * own (docs of zl_hooks_run), the last two again the runtime's. */
enum zl_hook_phase {
  ZL_HOOK_PRESTART,
  ZL_HOOK_CREATE_RUNTIME,
  ZL_HOOK_CREATE_CONTAINER,
  ZL_HOOK_START_CONTAINER,
  ZL_HOOK_POSTSTART,
  ZL_HOOK_POSTSTOP,
  ZL_HOOK_PHASES
};

struct zl_hook {
  const char *path;   /* absolute */
  char **args;        /* argv[0] included; empty: the path alone */
  char **env;         /* all of it; NULL: the runtime's own, nothing for one inside the container */
  unsigned timeout_s; /* 0: none */
};

struct zl_hook_list {
  const struct zl_hook *items;
  size_t n;
};

enum zl_seccomp_mode {
  ZL_SECCOMP_DEFAULT,
  ZL_SECCOMP_UNCONFINED
};

enum zl_net_mode {
  ZL_NET_NONE, /* loopback only */
  ZL_NET_BRIDGE,
  ZL_NET_HOST,
  ZL_NET_PATH /* the network namespace of `namespaces` is joined and left as it is */
};

struct zl_net_config {
  enum zl_net_mode mode;
  const char *bridge, *link; /* set with ZL_NET_BRIDGE only, as the rest */
  struct in_addr address, gateway;
  unsigned prefix; /* 1..30 */
  unsigned mtu;    /* 576..65535 */
};

struct zl_private_config {
  bool present;  /* the document has a member `zlayer` */
  char **layers; /* top first; empty: root_path is used as it is */
  bool init;     /* a reaper runs as PID 1 */
  bool open_stdin;
  bool is_volatile; /* the writable layer is thrown away at the end: it need not reach the disk */
  int stop_signal;
  uint64_t log_max_bytes; /* of one file */
  unsigned log_files;     /* kept, the current one included */
  enum zl_seccomp_mode seccomp;
  struct zl_net_config network;
};

struct zl_engine_config {
  struct zl_process process;
  const char *root_path; /* as written, may be relative to the bundle: who knows the bundle puts an
                            absolute path here before a container is made. NULL: not said */
  bool root_readonly;
  const char *hostname, *domainname; /* NULL: left as it is */
  const struct zl_mount *mounts;     /* in the order in which they are made */
  size_t n_mounts;

  struct zl_namespace namespaces[ZL_NS_COUNT];
  const struct zl_idmap *uid_maps, *gid_maps;
  size_t n_uid_maps, n_gid_maps;
  const struct zl_device *devices;
  size_t n_devices;
  const char *cgroups_path; /* begins with "/" (a relative one is taken from the root too), without
                               ".." or "."; NULL: not said */
  const char *systemd_path; /* linux.cgroupsPath as "slice:prefix:name", instead; NULL: not said */
  struct zl_resources resources;
  const struct zl_sysctl *sysctls;
  size_t n_sysctls;
  char **masked_paths, **readonly_paths;
  const struct zl_seccomp_profile *seccomp;  /* replaces zlayer.seccomp; NULL: not said */
  const struct zl_seccomp_filter *filter;    /* `seccomp`, compiled already by whoever has read the
                                                document; borrowed; NULL: it is not */
  struct zl_time_offset monotonic, boottime; /* only with a new time namespace */
  const char *mount_label;                   /* SELinux label of new file systems; NULL: none */
  bool intel_rdt;                            /* has been asked for */
  bool has_personality;
  unsigned long personality;        /* PER_* */
  unsigned long rootfs_propagation; /* as zl_mount.propagation; 0: not said */

  struct zl_memory_policy memory_policy;
  /* Links of the host and their names in the container; only with a network namespace. */
  const struct zl_key_value *net_devices;
  size_t n_net_devices;

  struct zl_hook_list hooks[ZL_HOOK_PHASES]; /* empty when the document has `zlayer` */

  struct zl_private_config zlayer;
};

/* Parses `len` bytes of JSON (at most ZL_MAX_BUNDLE). ZL_E_INVALID names the path of what is
 * wrong ("config.json: linux.namespaces[2].type: …"), ZL_E_LIMIT a list that is too long,
 * ZL_E_UNSUPPORTED a setting that this engine could only ignore. No I/O. The caller frees *ret. */
int zl_engine_config_parse(const char *json, size_t len, struct zl_engine_config **ret,
                           struct zl_error *err);
/* Only the JSON of such a document, for those who need it beside its typed form: 2^64-1, which
 * others write for "unlimited", has become -1. The caller owns *ret. */
int zl_engine_document_parse(const char *json, size_t len, struct json_t **ret,
                             struct zl_error *err);
/* The same for a document that has been parsed; nothing of it is kept. */
int zl_engine_config_read(const struct json_t *doc, struct zl_engine_config **ret,
                          struct zl_error *err);
void zl_engine_config_free(struct zl_engine_config *config);

/* What may be said of a container after everything around its program has been made: `hostname`,
 * `process`, `root.readonly`, `linux.resources`, and of `zlayer` user, extraGroups, init, openStdin
 * and stopSignal. Members of `doc` replace those of *config as a whole; a process without
 * capabilities keeps those that it had. After an error *config is of no more use than to be freed.
 */
int zl_engine_config_amend(struct zl_engine_config *config, const struct json_t *doc,
                           struct zl_error *err);
ZL_DEFINE_CLEANUP(struct zl_engine_config, zl_engine_config_free)
#define zl_autoconfig ZL_CLEANUP(zl_engine_config_freep) struct zl_engine_config

/* The `process` object of an exec request; `path` names it in errors. Besides the OCI members it
 * may have "zlayerUser". Nothing of the JSON object is kept. The caller frees *ret. */
int zl_engine_process_parse(const struct json_t *process, const char *path, struct zl_process **ret,
                            struct zl_error *err);
void zl_engine_process_free(struct zl_process *process);
ZL_DEFINE_CLEANUP(struct zl_process, zl_engine_process_free)
#define zl_autoprocess ZL_CLEANUP(zl_engine_process_freep) struct zl_process

/* A `resources` object by itself, of an update request; as above. The caller frees *ret. */
int zl_engine_resources_parse(const struct json_t *resources, const char *path,
                              struct zl_resources **ret, struct zl_error *err);
void zl_engine_resources_free(struct zl_resources *resources);
ZL_DEFINE_CLEANUP(struct zl_resources, zl_engine_resources_free)
#define zl_autoresources ZL_CLEANUP(zl_engine_resources_freep) struct zl_resources

/* "prestart" … */
const char *zl_hook_phase_name(enum zl_hook_phase phase);

/* CLONE_NEW* of a namespace, and its name below /proc/<pid>/ns/. */
int zl_ns_flag(enum zl_ns ns);
const char *zl_ns_file(enum zl_ns ns);

#endif
