/* SPDX-License-Identifier: Apache-2.0
 *
 * The service itself.
 */
#include "spec/rules.h"
#include "spec/tables.h"

static const struct zl_option rtypes[] = {
  { "service", ZL_RTYPE_SERVICE, false },
  { "job", ZL_RTYPE_JOB, true },
  { "cron", ZL_RTYPE_CRON, true },
  { 0 },
};

static const struct zl_option service_types[] = {
  { "standard", ZL_SERVICE_STANDARD, false },
  { "wasm_http", ZL_SERVICE_WASM_HTTP, true },
  { "wasm_plugin", ZL_SERVICE_WASM_PLUGIN, true },
  { "wasm_transformer", ZL_SERVICE_WASM_TRANSFORMER, true },
  { "wasm_authenticator", ZL_SERVICE_WASM_AUTHENTICATOR, true },
  { "wasm_rate_limiter", ZL_SERVICE_WASM_RATE_LIMITER, true },
  { "wasm_middleware", ZL_SERVICE_WASM_MIDDLEWARE, true },
  { "wasm_router", ZL_SERVICE_WASM_ROUTER, true },
  { "job", ZL_SERVICE_JOB, true },
  { 0 },
};

static const struct zl_option isolations[] = {
  { "auto", ZL_ISOLATION_AUTO, false },
  { "process", ZL_ISOLATION_PROCESS, false },
  { "hyperv", ZL_ISOLATION_HYPERV, false },
  { 0 },
};

static const struct zl_option pid_modes[] = {
  { "default", ZL_NS_PRIVATE, false },
  { "private", ZL_NS_PRIVATE, false },
  { "host", ZL_NS_HOST, false },
  { "container:", ZL_NS_CONTAINER, true },
  { 0 },
};

static const struct zl_option ipc_modes[] = {
  { "private", ZL_NS_PRIVATE, false },
  { "default", ZL_NS_PRIVATE, false },
  { "host", ZL_NS_HOST, false },
  { "container:", ZL_NS_CONTAINER, true },
  { 0 },
};

static const struct zl_option userns_modes[] = {
  { "host", ZL_USERNS_HOST, false },
  { "private", ZL_USERNS_PRIVATE, false },
  { "auto", ZL_USERNS_PRIVATE, false },
  { 0 },
};

static const struct zl_option reachabilities[] = {
  { "auto", ZL_REACHABILITY_AUTO, false },
  { "always", ZL_REACHABILITY_ALWAYS, true },
  { "never", ZL_REACHABILITY_NEVER, false },
  { 0 },
};

static const struct zl_option node_modes[] = {
  { "shared", ZL_NODE_SHARED, false },
  { "dedicated", ZL_NODE_DEDICATED, true },
  { "exclusive", ZL_NODE_EXCLUSIVE, true },
  { 0 },
};

#define TEXT(m, ...)      ZL_FIELD(zl_service, m, ZL_KIND_TEXT, __VA_ARGS__)
#define BOOL(m, ...)      ZL_FIELD(zl_service, m, ZL_KIND_BOOL, .fallback = "false", __VA_ARGS__)
#define ENUM(m, o, ...)   ZL_FIELD(zl_service, m, ZL_KIND_ENUM, .options = (o), __VA_ARGS__)
#define LIST(m, ...)      ZL_FIELD(zl_service, m, ZL_KIND_LIST, __VA_ARGS__)
#define PAIRS(m, ...)     ZL_FIELD(zl_service, m, ZL_KIND_PAIRS, __VA_ARGS__)
#define ARRAY(m, t, ...)  ZL_MANY(zl_service, m, ZL_KIND_ARRAY, t, __VA_ARGS__)
#define STRUCT(m, t, ...) ZL_FIELD(zl_service, m, ZL_KIND_STRUCT, .type = &(t), __VA_ARGS__)

static const struct zl_field fields[] = {
  ENUM(rtype, rtypes, .fallback = "service", .hint = "use service", .doc = "What it is."),
  ENUM(service_type, service_types, .fallback = "standard", .doc = "What runs it."),
  TEXT(schedule, .check = zl_check_cron,
       .doc = "Only with rtype cron: second minute hour day month weekday year."),
  STRUCT(image, zl_type_image, .flags = ZL_REQUIRED, .doc = "What it is made from."),
  STRUCT(command, zl_type_command, .also = "entrypoint cmd args",
         .doc = "What runs; absent: as the image says."),
  PAIRS(env, .check = zl_check_env, .also = "environment",
        .doc = "Variables, over the image's. $E:VAR: from the environment of whoever reads the "
               "file. $S:NAME, $S:@SERVICE/NAME: secrets, not supported yet."),
  TEXT(user, .check = zl_check_user,
       .doc = "USER[:GROUP], names of the image or numbers; absent: the image's."),
  LIST(extra_groups, .check = zl_check_group, .also = "group_add",
       .doc = "More groups of the user, names or numbers."),
  TEXT(hostname, .check = zl_check_hostname, .doc = "Absent: the container's id."),
  BOOL(tty, .also = "terminal", .doc = "The workload gets a terminal."),
  BOOL(stdin_open, .also = "stdin interactive", .doc = "The workload gets a standard input."),
  BOOL(init_container, .also = "use_init",
       .doc = "A small init runs as process 1, reaps orphans and passes signals on."),
  TEXT(stop_signal, .check = zl_check_signal, .doc = "Absent: the image's, else SIGTERM."),
  ZL_OPTIONAL_FIELD(zl_service, stop_grace_period, ZL_KIND_DURATION,
                    .doc = "From the stop signal to SIGKILL; absent: 10s."),
  PAIRS(labels, .flags = ZL_METADATA, .check = zl_check_label, .also = "annotations",
        .doc = "Shown by inspect."),
  STRUCT(resources, zl_type_resources, .also = "limits", .doc = "What it may use."),
  ARRAY(storage, zl_type_storage, .also = "volumes mounts", .doc = "What is mounted."),
  ARRAY(devices, zl_type_device, .doc = "Devices of the node."),
  BOOL(read_only_root_fs, .also = "read_only readonly readonly_rootfs",
       .doc = "The image's files cannot be changed."),
  ZL_FIELD(zl_service, network_mode, ZL_KIND_ATOM, .type = &zl_type_network_mode,
           .fallback = "default",
           .doc = "default: the node's overlay. host: the node's own. none: loopback only. "
                  "container:ID: another container's. bridge[:NAME]: not supported yet."),
  BOOL(host_network, .flags = ZL_QUIET, .doc = "true is network_mode host."),
  ARRAY(port_mappings, zl_type_port_mapping, .also = "ports publish",
        .doc = "Ports of the node that lead to the container."),
  ARRAY(endpoints, zl_type_endpoint, .flags = ZL_METADATA,
        .doc = "What it offers; shown by inspect."),
  LIST(expose, .flags = ZL_LOOSE | ZL_METADATA, .check = zl_check_expose,
       .doc = "Ports it listens on, as documentation: nothing is published."),
  LIST(dns, .check = zl_check_ip, .doc = "Name servers instead of the node's."),
  LIST(extra_hosts, .check = zl_check_extra_host,
       .doc = "NAME:ADDRESS or NAME:host-gateway, into /etc/hosts."),
  STRUCT(overlay, zl_type_overlay, .doc = "Which network of the node."),
  STRUCT(network, zl_type_network, .doc = "Policy of the overlays."),
  ENUM(localhost_reachability, reachabilities, .fallback = "auto",
       .hint = "publish a port on 127.0.0.1 with port_mappings",
       .doc = "Endpoints on the node's loopback. Today neither auto nor never publishes any."),
  ENUM(
      isolation, isolations, .flags = ZL_ELSEWHERE, .fallback = "auto",
      .doc =
          "process: the node's kernel. hyperv: a kernel of its own ([microvm.md](microvm.md)); "
          "refused at create on a node without QEMU or a guest kernel, and together with what "
          "needs an object of the node itself: the list is in microvm.md. auto: process on Linux."),
  STRUCT(platform, zl_type_platform, .flags = ZL_QUIET, .doc = "Which image of several."),
  BOOL(privileged, .doc = "Every capability and device, no seccomp, nothing masked."),
  ZL_FIELD(zl_service, capabilities, ZL_KIND_LIST, .alias = "cap_add", .check = zl_check_capability,
           .doc = "Added to the default set; with or without CAP_, or ALL."),
  LIST(cap_drop, .check = zl_check_capability, .doc = "Taken from the default set, or ALL."),
  LIST(security_opt, .check = zl_check_security_opt,
       .doc = "no-new-privileges, with :true or :false, and seccomp=unconfined."),
  PAIRS(sysctls, .check = zl_check_sysctl,
        .doc = "Kernel settings of its own namespaces: net.*, kernel.shm*, kernel.msg*, "
               "kernel.sem, fs.mqueue.*."),
  ZL_MANY(zl_service, ulimits, ZL_KIND_MAP, zl_type_ulimit, .doc = "Limits of each process."),
  ENUM(pid_mode, pid_modes, .fallback = "default", .hint = "use host or default",
       .doc = "host: sees the node's processes."),
  ENUM(ipc_mode, ipc_modes, .fallback = "private", .hint = "use host or private",
       .doc = "host: shares the node's IPC objects."),
  ENUM(userns_mode, userns_modes, .fallback = "host",
       .doc = "private or auto: a user namespace of its own."),
  TEXT(cgroup_parent, .check = zl_check_cgroup_parent,
       .doc = "Cgroup below which its own is made."),
  STRUCT(scale, zl_type_scale, .also = "replicas deploy", .doc = "How many containers; absent: 1."),
  ARRAY(depends, zl_type_depend, .also = "depends_on", .doc = "Services that must run before."),
  STRUCT(restart_policy, zl_type_restart_policy, .also = "restart", .doc = "After an end."),
  STRUCT(lifecycle, zl_type_lifecycle, .doc = "After an end."),
  STRUCT(logs, zl_type_logs, .also = "logging", .doc = "What is kept of its output."),
  ZL_FIELD(zl_service, health, ZL_KIND_OPTIONAL, .type = &zl_type_health, .planned = ZL_ALWAYS,
           .also = "healthcheck", .doc = "Health checks. Absent: none."),
  STRUCT(init, zl_type_init, .doc = "Steps before the start."),
  STRUCT(errors, zl_type_errors, .doc = "What happens after failures."),
  ARRAY(replica_groups, zl_type_replica_group, .planned = ZL_ALWAYS,
        .hint = "use a service for each role", .doc = "Replicas that differ."),
  ENUM(node_mode, node_modes, .fallback = "shared", .doc = "Whether it shares its node."),
  ZL_FIELD(zl_service, node_selector, ZL_KIND_OPTIONAL, .type = &zl_type_node_selector,
           .planned = ZL_ALWAYS, .doc = "Which nodes."),
  ZL_FIELD(zl_service, affinity, ZL_KIND_ATOM, .type = &zl_type_affinity, .planned = ZL_ALWAYS,
           .doc = "spread, pack or pin:SELECTOR, over nodes."),
  ZL_FIELD(zl_service, wasm, ZL_KIND_OPTIONAL, .alias = "wasm_http", .type = &zl_type_wasm,
           .planned = ZL_ALWAYS, .doc = "Settings of a WebAssembly service."),
};

static void finish_service(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object)
{
  struct zl_service *service = object;

  zl_env_resolve(ctx, at, &service->env);
  if (service->host_network && zl_at_key(at, "network_mode", NULL).node == NULL)
    service->network_mode.kind = ZL_NETWORK_HOST;
}

const struct zl_type zl_type_service = { .name = "service",
                                         .size = sizeof(struct zl_service),
                                         .named = true,
                                         .finish = finish_service,
                                         .check = zl_check_service,
                                         .check_name = zl_check_service_name,
                                         ZL_FIELDS(fields) };
