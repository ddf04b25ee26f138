/* SPDX-License-Identifier: Apache-2.0
 *
 * What runs: image, command, resources, devices, storage, logs.
 */
#include <string.h>

#include "spec/imageref.h"
#include "spec/rules.h"
#include "spec/tables.h"

/* ---- image ---- */

static const struct zl_option pull_policies[] = {
  { "if_not_present", ZL_PULL_IF_NOT_PRESENT, false },
  { "always", ZL_PULL_ALWAYS, false },
  { "newer", ZL_PULL_NEWER, false },
  { "never", ZL_PULL_NEVER, false },
  { 0 },
};

static const struct zl_option source_policies[] = {
  { "local_first", ZL_SOURCE_LOCAL_FIRST, false },
  { "s3_first", ZL_SOURCE_S3_FIRST, true },
  { "remote_only", ZL_SOURCE_REMOTE_ONLY, true },
  { "local_only", ZL_SOURCE_LOCAL_ONLY, true },
  { 0 },
};

static const struct zl_field image_fields[] = {
  ZL_FIELD(zl_image_spec, name, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_image,
           .doc = "A registry name such as busybox or ghcr.io/a/b:1@sha256:…, or oci:DIR[:TAG], "
                  "oci-archive:FILE[:TAG], docker-archive:FILE[:REFERENCE]."),
  ZL_FIELD(zl_image_spec, pull_policy, ZL_KIND_ENUM, .options = pull_policies,
           .fallback = "if_not_present", .doc = "When the registry is asked."),
  ZL_FIELD(zl_image_spec, source_policy, ZL_KIND_ENUM, .options = source_policies,
           .fallback = "local_first", .doc = "Where an image is looked for."),
};

/* A name that is not a reference is reported by the check of the field. */
static void finish_image(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object)
{
  struct zl_image_spec *image = object;
  zl_auto_image_ref ref = { 0 };

  (void)at;
  if (image->name == NULL)
    return;
  if (zl_image_ref_parse(image->name, &ref, NULL) == -ZL_E_NO_MEMORY)
    ctx->no_memory = true;
  free(image->canonical);
  image->canonical = zl_steal_ptr(&ref.canonical);
}

/* Programs set both by zl_service_set_image. */
static void check_canonical(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_image_spec *image = object;
  struct zl_at name = zl_at_key(at, "name", NULL);

  if (!ctx->from_file && image->name != NULL && image->canonical == NULL)
    zl_report(ctx, &name, ZL_E_INVALID, "set the image with zl_service_set_image");
}

const struct zl_type zl_type_image = { .name = "image",
                                       .size = sizeof(struct zl_image_spec),
                                       .finish = finish_image,
                                       .check = check_canonical,
                                       ZL_FIELDS(image_fields) };

/* ---- command ---- */

static const struct zl_field command_fields[] = {
  ZL_FIELD(zl_command, entrypoint, ZL_KIND_LIST,
           .doc =
               "Replaces the image's entrypoint and discards its command. No shell is involved."),
  ZL_FIELD(zl_command, args, ZL_KIND_LIST,
           .doc = "Replaces the image's command; appended to the entrypoint."),
  ZL_FIELD(zl_command, workdir, ZL_KIND_TEXT, .check = zl_check_absolute,
           .doc = "Replaces the image's working directory; made when missing."),
};

const struct zl_type zl_type_command = { .name = "command",
                                         .size = sizeof(struct zl_command),
                                         ZL_FIELDS(command_fields) };

/* ---- resources ---- */

static const struct zl_option gpu_scheduling[] = {
  { "best-effort", ZL_GPU_BEST_EFFORT, false },
  { "gang", ZL_GPU_GANG, false },
  { "spread", ZL_GPU_SPREAD, false },
  { 0 },
};

static const struct zl_option gpu_sharing[] = {
  { "exclusive", ZL_GPU_EXCLUSIVE, false },
  { "mps", ZL_GPU_MPS, false },
  { "time-slice", ZL_GPU_TIME_SLICE, false },
  { 0 },
};

static const struct zl_field gpu_distributed_fields[] = {
  ZL_FIELD(zl_gpu_distributed, backend, ZL_KIND_TEXT, .fallback = "nccl",
           .doc = "Library of collective operations."),
  ZL_FIELD(zl_gpu_distributed, master_port, ZL_KIND_INT, .min = 1, .max = 65535,
           .fallback = "29500", .doc = "Port of the first replica."),
};

static const struct zl_type gpu_distributed = { .name = "gpu.distributed",
                                                .size = sizeof(struct zl_gpu_distributed),
                                                ZL_FIELDS(gpu_distributed_fields) };

static const struct zl_field gpu_fields[] = {
  ZL_FIELD(zl_gpu, count, ZL_KIND_INT, .min = 1, .max = 1024, .fallback = "1", .doc = "How many."),
  ZL_FIELD(zl_gpu, vendor, ZL_KIND_TEXT, .fallback = "nvidia", .doc = "Whose."),
  ZL_FIELD(zl_gpu, mode, ZL_KIND_TEXT, .doc = "How it is handed in."),
  ZL_FIELD(zl_gpu, model, ZL_KIND_TEXT, .doc = "Which model."),
  ZL_FIELD(zl_gpu, scheduling, ZL_KIND_ENUM, .options = gpu_scheduling,
           .doc = "How replicas are placed."),
  ZL_FIELD(zl_gpu, distributed, ZL_KIND_OPTIONAL, .type = &gpu_distributed,
           .doc = "Set-up of collective operations."),
  ZL_FIELD(zl_gpu, sharing, ZL_KIND_ENUM, .options = gpu_sharing, .doc = "How it is shared."),
  ZL_FIELD(zl_gpu, mps_pipe_dir, ZL_KIND_TEXT, .doc = "Pipe directory of the MPS daemon."),
  ZL_FIELD(zl_gpu, mps_log_dir, ZL_KIND_TEXT, .doc = "Log directory of the MPS daemon."),
  ZL_OPTIONAL_FIELD(zl_gpu, time_slice_index, ZL_KIND_INT, .max = 1024, .doc = "Which slice."),
  ZL_FIELD(zl_gpu, time_slicing_config_path, ZL_KIND_TEXT, .doc = "File of the time slicing."),
};

static const struct zl_type gpu = { .name = "gpu",
                                    .size = sizeof(struct zl_gpu),
                                    ZL_FIELDS(gpu_fields) };

static const struct zl_field resources_fields[] = {
  ZL_FIELD(zl_resources, cpu, ZL_KIND_NUMBER, .check = zl_check_cpu,
           .doc = "CPUs, from 0.01: a quota over 100 ms."),
  ZL_FIELD(zl_resources, memory, ZL_KIND_BYTES, .doc = "Limit of memory."),
  ZL_FIELD(zl_resources, memory_swap, ZL_KIND_BYTES, .flags = ZL_MINUS_ONE,
           .doc = "Limit of memory and swap together; -1: no limit of swap. Needs memory."),
  ZL_FIELD(zl_resources, memory_reservation, ZL_KIND_BYTES,
           .doc = "What is left alone while other containers are reclaimed."),
  ZL_OPTIONAL_FIELD(zl_resources, memory_swappiness, ZL_KIND_INT, .max = 100,
                    .doc = "0 to 100. Only with cgroup v1; refused on a v2 node."),
  ZL_FIELD(zl_resources, pids_limit, ZL_KIND_INT, .min = -1, .max = 4194304,
           .doc = "Most processes and threads; -1: no limit, absent or 0: the node's default."),
  ZL_FIELD(zl_resources, cpuset, ZL_KIND_TEXT, .check = zl_check_cpuset,
           .doc = "CPUs it may run on, such as 0-3,7."),
  ZL_FIELD(zl_resources, cpu_shares, ZL_KIND_INT, .min = 2, .max = 262144,
           .doc = "Weight when CPUs are short; 1024 is normal."),
  ZL_FIELD(zl_resources, blkio_weight, ZL_KIND_INT, .min = 10, .max = 1000,
           .doc = "Weight when disks are short; 500 is normal."),
  ZL_OPTIONAL_FIELD(zl_resources, oom_score_adj, ZL_KIND_INT, .min = -1000, .max = 1000,
                    .doc = "How early the kernel kills it when memory runs out."),
  ZL_FIELD(zl_resources, oom_kill_disable, ZL_KIND_BOOL, .fallback = "false",
           .doc = "Stall instead of being killed at the memory limit. Only with cgroup v1; refused "
                  "on a v2 node."),
  ZL_FIELD(zl_resources, gpu, ZL_KIND_OPTIONAL, .type = &gpu, .planned = ZL_ALWAYS,
           .hint = "hand a GPU in with devices", .doc = "GPUs."),
};

const struct zl_type zl_type_resources = { .name = "resources",
                                           .size = sizeof(struct zl_resources),
                                           .check = zl_check_resources,
                                           ZL_FIELDS(resources_fields) };

/* ---- platform ---- */

static const struct zl_option systems[] = {
  { "linux", ZL_OS_LINUX, false },
  { "windows", ZL_OS_WINDOWS, false },
  { "macos", ZL_OS_MACOS, false },
  { 0 },
};

static const struct zl_option architectures[] = {
  { "amd64", ZL_ARCH_AMD64, false },
  { "arm64", ZL_ARCH_ARM64, false },
  { 0 },
};

static const struct zl_field platform_fields[] = {
  ZL_FIELD(zl_platform, os, ZL_KIND_ENUM, .flags = ZL_REQUIRED | ZL_ELSEWHERE, .options = systems,
           .doc = "Of the image. Refused at create when the node cannot run it."),
  ZL_FIELD(zl_platform, arch, ZL_KIND_ENUM, .flags = ZL_ELSEWHERE, .options = architectures,
           .doc = "Of the image; absent: the node's."),
  ZL_KEYED(zl_platform, os_version, "osVersion", ZL_KIND_TEXT, .check = zl_check_not_empty,
           .flags = ZL_ELSEWHERE, .doc = "Of a Windows image, such as 10.0.20348."),
};

const struct zl_type zl_type_platform = { .name = "platform",
                                          .size = sizeof(struct zl_platform),
                                          ZL_FIELDS(platform_fields) };

/* ---- devices and limits ---- */

static const struct zl_field device_fields[] = {
  ZL_FIELD(zl_device, path, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_target,
           .doc = "On the node and in the container, such as /dev/fuse."),
  ZL_FIELD(zl_device, read, ZL_KIND_BOOL, .fallback = "true", .doc = "May be read."),
  ZL_FIELD(zl_device, write, ZL_KIND_BOOL, .fallback = "true", .doc = "May be written."),
  ZL_FIELD(zl_device, mknod, ZL_KIND_BOOL, .fallback = "false", .doc = "May be made anew."),
};

static void check_device(struct zl_spec_ctx *ctx, const struct zl_at *at, const void *object)
{
  const struct zl_device *device = object;

  if (!device->read && !device->write && !device->mknod)
    zl_report(ctx, at, ZL_E_INVALID, "allows nothing: set read, write or mknod");
}

const struct zl_type zl_type_device = { .name = "device",
                                        .size = sizeof(struct zl_device),
                                        .check = check_device,
                                        ZL_FIELDS(device_fields) };

/* -1 is how a file says "no limit"; it becomes ZL_UNLIMITED by being a whole word of ones. */
static const struct zl_field ulimit_fields[] = {
  ZL_FIELD(zl_ulimit, soft, ZL_KIND_INT, .flags = ZL_SHOWN, .min = -1, .max = INT64_MAX,
           .doc = "What holds at first; absent: hard. -1: no limit."),
  ZL_FIELD(zl_ulimit, hard, ZL_KIND_INT, .flags = ZL_SHOWN, .min = -1, .max = INT64_MAX,
           .doc = "What it can be raised to; absent: soft. -1: no limit."),
};

static void finish_ulimit(struct zl_spec_ctx *ctx, const struct zl_at *at, void *object)
{
  struct zl_ulimit *limit = object;
  bool soft = zl_at_key(at, "soft", NULL).node != NULL;
  bool hard = zl_at_key(at, "hard", NULL).node != NULL;

  if (!soft && !hard)
    zl_report(ctx, at, ZL_E_INVALID, "give soft, hard or both");
  else if (!soft)
    limit->soft = limit->hard;
  else if (!hard)
    limit->hard = limit->soft;
}

const struct zl_type zl_type_ulimit = { .name = "ulimit",
                                        .size = sizeof(struct zl_ulimit),
                                        .named = true,
                                        .finish = finish_ulimit,
                                        .check_name = zl_check_ulimit_name,
                                        ZL_FIELDS(ulimit_fields) };

/* ---- storage ---- */

static const struct zl_option storage_types[] = {
  { "bind", ZL_STORAGE_BIND, false },
  { "named", ZL_STORAGE_NAMED, false },
  { "anonymous", ZL_STORAGE_ANONYMOUS, false },
  { "tmpfs", ZL_STORAGE_TMPFS, false },
  { "s3", ZL_STORAGE_S3, true },
  { 0 },
};

static const struct zl_option tiers[] = {
  { "local", ZL_TIER_LOCAL, false },
  { "cached", ZL_TIER_CACHED, true },
  { "network", ZL_TIER_NETWORK, true },
  { 0 },
};

#define BIND      ZL_CASE(ZL_STORAGE_BIND)
#define NAMED     ZL_CASE(ZL_STORAGE_NAMED)
#define ANONYMOUS ZL_CASE(ZL_STORAGE_ANONYMOUS)
#define TMPFS     ZL_CASE(ZL_STORAGE_TMPFS)
#define S3        ZL_CASE(ZL_STORAGE_S3)

static const struct zl_field storage_fields[] = {
  ZL_FIELD(zl_storage, type, ZL_KIND_ENUM, .flags = ZL_REQUIRED | ZL_TAG, .options = storage_types,
           .also = "kind driver", .doc = "What is mounted."),
  ZL_FIELD(zl_storage, source, ZL_KIND_TEXT, .only = BIND, .need = BIND,
           .check = zl_check_mount_path, .doc = "Directory or file of the node; must exist."),
  ZL_FIELD(zl_storage, name, ZL_KIND_TEXT, .only = NAMED, .need = NAMED,
           .check = zl_check_volume_name, .doc = "Volume of the node, made at first use and kept."),
  ZL_FIELD(zl_storage, bucket, ZL_KIND_TEXT, .only = S3, .need = S3, .check = zl_check_not_empty,
           .doc = "Bucket."),
  ZL_FIELD(zl_storage, prefix, ZL_KIND_TEXT, .only = S3, .doc = "Prefix in the bucket."),
  ZL_FIELD(zl_storage, target, ZL_KIND_TEXT, .flags = ZL_REQUIRED, .check = zl_check_target,
           .also = "path destination dest mount",
           .doc = "Where in the container; made when missing."),
  ZL_FIELD(zl_storage, readonly, ZL_KIND_BOOL, .only = BIND | NAMED | S3, .fallback = "false",
           .also = "read_only ro", .doc = "Cannot be written."),
  ZL_FIELD(zl_storage, tier, ZL_KIND_ENUM, .only = NAMED | ANONYMOUS, .options = tiers,
           .fallback = "local", .doc = "Kind of disk."),
  ZL_FIELD(zl_storage, size, ZL_KIND_BYTES, .only = NAMED | TMPFS, .planned = NAMED,
           .hint = "volumes have no quota",
           .doc = "Most it can hold. Of a tmpfs; of a named volume "
                  "not supported yet."),
  ZL_OPTIONAL_FIELD(zl_storage, mode, ZL_KIND_INT, .only = TMPFS, .max = 07777,
                    .doc = "Permission bits of its root, such as 0o1777."),
  ZL_FIELD(zl_storage, endpoint, ZL_KIND_TEXT, .only = S3, .doc = "URL of the server."),
  ZL_FIELD(zl_storage, credentials, ZL_KIND_TEXT, .only = S3, .doc = "Whose access."),
};

const struct zl_type zl_type_storage = { .name = "storage",
                                         .size = sizeof(struct zl_storage),
                                         ZL_FIELDS(storage_fields) };

/* ---- logs, lifecycle ---- */

static const struct zl_option log_destinations[] = {
  { "disk", ZL_LOGS_DISK, false },
  { "memory", ZL_LOGS_MEMORY, true },
  { 0 },
};

static const struct zl_field logs_fields[] = {
  ZL_FIELD(zl_log_config, destination, ZL_KIND_ENUM, .options = log_destinations,
           .fallback = "disk", .doc = "Where output is kept."),
  ZL_FIELD(zl_log_config, max_size_bytes, ZL_KIND_INT, .min = 65536, .max = INT64_MAX,
           .fallback = "104857600", .doc = "Most that is kept of one container; the oldest goes."),
  ZL_FIELD(zl_log_config, retention_secs, ZL_KIND_INT, .max = INT64_MAX, .fallback = "604800",
           .planned = ZL_ALWAYS, .hint = "logs are kept until the container is removed",
           .doc = "How long logs are kept."),
};

const struct zl_type zl_type_logs = { .name = "logs",
                                      .size = sizeof(struct zl_log_config),
                                      ZL_FIELDS(logs_fields) };

static const struct zl_field lifecycle_fields[] = {
  ZL_FIELD(zl_lifecycle, delete_on_exit, ZL_KIND_BOOL, .fallback = "false",
           .doc = "The container is removed once it has ended."),
};

const struct zl_type zl_type_lifecycle = { .name = "lifecycle",
                                           .size = sizeof(struct zl_lifecycle),
                                           ZL_FIELDS(lifecycle_fields) };

static const struct zl_option restart_kinds[] = {
  { "no", ZL_RESTART_NO, false },
  { "always", ZL_RESTART_ALWAYS, true },
  { "unless_stopped", ZL_RESTART_UNLESS_STOPPED, true },
  { "on_failure", ZL_RESTART_ON_FAILURE, true },
  { 0 },
};

static const struct zl_field restart_fields[] = {
  ZL_FIELD(zl_restart_policy, kind, ZL_KIND_ENUM, .options = restart_kinds, .fallback = "no",
           .doc = "When a container that has ended is started again."),
  ZL_FIELD(zl_restart_policy, max_attempts, ZL_KIND_INT, .max = UINT32_MAX, .planned = ZL_ALWAYS,
           .doc = "Most restarts."),
  ZL_FIELD(zl_restart_policy, delay, ZL_KIND_DURATION, .planned = ZL_ALWAYS,
           .doc = "Pause before a restart."),
};

const struct zl_type zl_type_restart_policy = { .name = "restart_policy",
                                                .size = sizeof(struct zl_restart_policy),
                                                ZL_FIELDS(restart_fields) };
