/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of running systems. A change of a machine has up to two halves: what the host does
 * (HcsModifyComputeSystem, the schema's ModifySettingRequest) and what its guest does (the bridge's
 * ModifySettings, the schema's GuestModifySettingRequest, never wrapped in the host's). When
 * something is added the host comes first and is taken back if the guest fails; when something is
 * removed the guest comes first.
 */
#ifndef ZL_RUNTIME_HCS_MODIFY_H
#define ZL_RUNTIME_HCS_MODIFY_H

#include "runtime/hcs/doc.h"

struct zl_hcs_modify {
  json_t *host; /* a whole document; NULL: the host has nothing to do */

  /* What zl_rpc_modify takes; `resource` NULL: the guest has nothing to do. Static texts. */
  const char *request, *resource; /* "Add", "MappedVirtualDisk" */
  json_t *settings;
};
void zl_hcs_modify_done(struct zl_hcs_modify *modify);
#define zl_autohcsmodify ZL_CLEANUP(zl_hcs_modify_done) struct zl_hcs_modify

/* ---- Disks ----------------------------------------------------------------------------------- */

/* The GUID of a machine's SCSI controller; NULL past ZL_HCS_CONTROLLERS. The service makes it of
 * the controller's number, and wants it in every path. Static. */
const char *zl_hcs_scsi_controller(unsigned controller);
/* "c:\mounts\scsi\m1": where a guest mounts a disk. Returns `text`. */
const char *zl_hcs_disk_path(unsigned number, char text[ZL_HCS_GUEST_PATH]);

struct zl_hcs_disk {
  unsigned controller, lun; /* lun: 1..63 */
  const char *path;         /* of the .vhdx on the host, which the machine was granted */
  const char *guest_path;   /* where it is mounted; NULL: the guest is not told of it */
  bool readonly;
};
/* VirtualMachine/Devices/Scsi/…/Attachments/… and the guest's MappedVirtualDisk. */
int zl_hcs_modify_disk(const struct zl_hcs_disk *disk, bool add, struct zl_hcs_modify *ret,
                       struct zl_error *err);

/* ---- Shares ---------------------------------------------------------------------------------- */

/* The schema's VirtualSmbShareOptions, in its order. */
enum {
  ZL_HCS_SHARE_READ_ONLY = 1 << 0,
  ZL_HCS_SHARE_READ = 1 << 1,
  ZL_HCS_SHARE_CACHE_IO = 1 << 2,
  ZL_HCS_SHARE_BACKUP_PRIVILEGE = 1 << 3,
  ZL_HCS_SHARE_NO_DIRECT_MAP = 1 << 4,
  ZL_HCS_SHARE_RESTRICT_FILES = 1 << 5,
  ZL_HCS_SHARE_PSEUDO_OPLOCKS = 1 << 6,
  ZL_HCS_SHARE_SINGLE_FILE = 1 << 7,
  /* A layer, or the boot files. */
  ZL_HCS_SHARE_LAYER = ZL_HCS_SHARE_READ_ONLY | ZL_HCS_SHARE_READ | ZL_HCS_SHARE_CACHE_IO |
                       ZL_HCS_SHARE_BACKUP_PRIVILEGE | ZL_HCS_SHARE_PSEUDO_OPLOCKS
};

struct zl_hcs_share {
  const char *name;         /* zl_hcs_share_name */
  const char *path;         /* of a directory on the host */
  unsigned options;         /* ZL_HCS_SHARE_* */
  const char *const *files; /* with ZL_HCS_SHARE_RESTRICT_FILES: whole paths of what is seen */
};
enum {
  ZL_HCS_SHARE_NAME = 12 /* "s" and eight digits */
};
/* "s1", "sa": a share of a machine is never called as an earlier one. Returns `text`. */
const char *zl_hcs_share_name(unsigned number, char text[ZL_HCS_SHARE_NAME]);
/* Where the guest sees it. Returns `text`. */
const char *zl_hcs_share_path(const char *name, char text[ZL_HCS_GUEST_PATH]);

/* VirtualMachine/Devices/VirtualSmb/Shares. One that is mapped directly (without
 * ZL_HCS_SHARE_NO_DIRECT_MAP) stays until its machine ends: what the guest has open would break, so
 * that its removal is ZL_E_CONFLICT. */
int zl_hcs_modify_share_add(const struct zl_hcs_share *share, struct zl_hcs_modify *ret,
                            struct zl_error *err);
/* More files of a share with ZL_HCS_SHARE_RESTRICT_FILES. */
int zl_hcs_modify_share_update(const struct zl_hcs_share *share, struct zl_hcs_modify *ret,
                               struct zl_error *err);
int zl_hcs_modify_share_remove(const struct zl_hcs_share *share, struct zl_hcs_modify *ret,
                               struct zl_error *err);

/* The guest's CombinedLayers: the disk at `root` becomes a container's file system. `layers` as in
 * zl_hcs_container. */
int zl_hcs_modify_layers_add(const char *root, const struct zl_hcs_layer *layers, size_t count,
                             struct zl_hcs_modify *ret, struct zl_error *err);
int zl_hcs_modify_layers_remove(const char *root, struct zl_hcs_modify *ret, struct zl_error *err);

/* ---- Networks -------------------------------------------------------------------------------- */

/* The guest's NetworkNamespace; `properties` is what HcnQueryNamespaceProperties gave. */
int zl_hcs_modify_namespace(const json_t *properties, bool add, struct zl_hcs_modify *ret,
                            struct zl_error *err);

struct zl_hcs_nic {
  const char *id;       /* GUID, ours */
  const char *endpoint; /* GUID of the HCN endpoint */
  const char *mac;      /* "00-15-5d-52-c0-10" */
};
/* Before the adapter is added its guest learns what the endpoint is; `properties` is what
 * HcnQueryEndpointProperties gave. */
int zl_hcs_modify_nic_announce(const struct zl_hcs_nic *nic, const json_t *properties,
                               struct zl_hcs_modify *ret, struct zl_error *err);
/* VirtualMachine/Devices/NetworkAdapters/… and the guest's Network. */
int zl_hcs_modify_nic(const struct zl_hcs_nic *nic, bool add, struct zl_hcs_modify *ret,
                      struct zl_error *err);

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* Of a machine: …/ComputeTopology/Memory/SizeInMB and …/Processor/Limits (from build 19042 on; the
 * number of processors stays). */
int zl_hcs_modify_machine_memory(uint64_t mib, struct zl_hcs_modify *ret, struct zl_error *err);
int zl_hcs_modify_machine_processors(const struct zl_hcs_machine_size *size,
                                     struct zl_hcs_modify *ret, struct zl_error *err);
/* …/ComputeTopology/Processor/CpuGroup. */
int zl_hcs_modify_machine_cpu_group(const char *group, struct zl_hcs_modify *ret,
                                    struct zl_error *err);
/* Of a container on the host's kernel: Container/Memory/SizeInMB, and Container/Processor from
 * build 19042 on. */
int zl_hcs_modify_container_memory(uint64_t mib, struct zl_hcs_modify *ret, struct zl_error *err);
int zl_hcs_modify_container_processors(const struct zl_hcs_limits *limits,
                                       struct zl_hcs_modify *ret, struct zl_error *err);

/* ---- Directories, pipes, sockets ------------------------------------------------------------- */

/* Of a container on the host's kernel: Container/MappedDirectories and Container/MappedPipes. */
int zl_hcs_modify_directory(const struct zl_hcs_mount *mount, bool add, struct zl_hcs_modify *ret,
                            struct zl_error *err);
int zl_hcs_modify_container_pipe(const struct zl_hcs_mount *mount, bool add,
                                 struct zl_hcs_modify *ret, struct zl_error *err);
/* Of a machine: VirtualMachine/Devices/MappedPipes/…; `pipe` is "\\.\pipe\NAME". */
int zl_hcs_modify_machine_pipe(const char *pipe, bool add, struct zl_hcs_modify *ret,
                               struct zl_error *err);
int zl_hcs_check_pipe(const char *pipe, const char *field, struct zl_error *err);

/* The schema's HvSocketServiceConfig. */
struct zl_hcs_service {
  const char *bind, *connect; /* security descriptors (SDDL), or NULL: the defaults */
  bool wildcard;              /* processes that bind to every machine's service get it, too */
};
/* VirtualMachine/Devices/HvSocket/HvSocketConfig/ServiceTable/…; `service` NULL removes it. */
int zl_hcs_modify_service(const char *guid, const struct zl_hcs_service *service,
                          struct zl_hcs_modify *ret, struct zl_error *err);

/* Parts of documents; NULL: out of memory. */
json_t *zl_hcs_share_json(const struct zl_hcs_share *share);
json_t *zl_hcs_service_json(const struct zl_hcs_service *service);

#endif
