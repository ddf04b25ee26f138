/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files behind oci/machine.h. ROOT/ID/machine is the directory of the machine's shim
 * (docs/shim.md), as zlayer's own containers have one each.
 */
#ifndef ZL_OCI_VM_VM_H
#define ZL_OCI_VM_VM_H

#include "net/linux/link.h"
#include "oci/machine.h"

#define OCI_VM_DIR        "machine"
#define OCI_VM_SHARE      "share"             /* below it: where what the machine sees is mounted */
#define OCI_VM_ROOTFS     "rootfs"            /* below that: the bundle's root directory */
#define OCI_VM_ROOTFS_KEY "org.zlayer.rootfs" /* an annotation */
#define OCI_VM_NO_LINK    "no-link" /* is there when the machine was made without a link */

enum {
  OCI_VM_MAX_SHARES = 256 /* bind mounts; each costs a mount */
};

/* ---- Annotations of pods (pod.c) ---- */

/* The process that only holds a pod's namespaces. */
bool oci_vm_is_sandbox(const json_t *doc);
/* Whether the container writes to a disk of its machine's, instead of the bundle's root directory:
 * so say the annotation OCI_VM_ROOTFS_KEY, "scratch" or "bundle", or else that it is of a pod.
 * ZL_E_INVALID: the annotation has another value. */
int oci_vm_uses_scratch(const json_t *doc, bool *ret, struct zl_error *err);
/* A container of a pod, which has one machine: what it shares with the pod's other containers it
 * shares with nobody. */
bool oci_vm_is_of_pod(const json_t *doc);

/* ---- What no machine can have (check.c) ---- */

int oci_vm_check(const struct oci_machine_spec *spec, struct zl_error *err);
/* Of the process of an exec. */
int oci_vm_check_process(const struct zl_process *process, struct zl_error *err);

/* ---- What the machine sees of the host (share.c) ---- */

/* One bind mount of the bundle. */
struct oci_vm_share {
  const struct zl_mount *mount; /* borrowed */
  int tree_fd;                  /* a detached copy of its source; owned */
  bool is_directory;
};

struct oci_vm_shares {
  struct oci_vm_share items[OCI_VM_MAX_SHARES];
  size_t n;
  int root_fd;  /* of the root directory; owned */
  bool scratch; /* which is only read then */
};

/* Takes hold of root and sources, in the caller's mount namespace. ZL_E_UNSUPPORTED names a mount
 * that cannot be shared. */
int oci_vm_shares_open(struct oci_vm_shares *shares, const struct oci_machine_spec *spec,
                       bool scratch, struct zl_error *err);
void oci_vm_shares_done(struct oci_vm_shares *shares);
/* Puts all of it below the directory `path`, in a mount namespace of the caller's own. */
int oci_vm_shares_attach(struct oci_vm_shares *shares, const char *path, struct zl_error *err);

/* ---- What the shim is told (bundle.c, shape.c) ---- */

/* config.json of the guest. `pod`: the link whose place the machine takes; NULL: it has none. */
int oci_vm_bundle_render(const struct oci_machine_spec *spec, const struct oci_vm_shares *shares,
                         const struct zl_link_pod *pod, char **ret, struct zl_error *err);
/* Puts the size of its terminal, which may be the caller's, into the process object. */
int oci_vm_set_size(json_t *object, const struct zl_process *process, struct zl_error *err);
/* machine.json. `share` is the path of the shared directory; `scratch`: with a disk to write to. */
int oci_vm_shape_render(const struct oci_container *c, const struct zl_resources *resources,
                        const char *share, bool scratch, char **ret, struct zl_error *err);
/* Path of the shim's program. The caller frees it. */
int oci_vm_shim_path(char **ret, struct zl_error *err);

/* ---- Streams (terminal.c, stand.c) ---- */

struct oci_vm_terminal {
  int master, slave; /* -1: none */
};
/* A terminal of this host that passes everything through: the real one is in the machine. */
int oci_vm_terminal_open(const struct zl_process *process, struct oci_vm_terminal *ret,
                         struct zl_error *err);

/* The process of the guest that the caller stands for. */
struct oci_vm_stand {
  int dir_fd;       /* of the shim */
  int control_fd;   /* attached to it, or its exec */
  int in, out, err; /* our ends of its streams; -1: none */
  bool terminal;
  bool is_exec;
  int signal_fd;
};
#define OCI_VM_STAND_INIT                                                           \
  {                                                                                 \
    .dir_fd = -1, .control_fd = -1, .in = -1, .out = -1, .err = -1, .signal_fd = -1 \
  }

/* First steps of a process that will stand for another: descriptors but `keep` closed, its terminal
 * (-1: none) as its streams, signals held for oci_vm_stand. Dies with its parent until
 * oci_vm_stand_free. */
int oci_vm_stand_begin(int *keep, size_t n, int terminal, struct oci_vm_stand *stand,
                       struct zl_error *err);
int oci_vm_stand_free(struct zl_error *err);
/* Relays until the end and ends in the same way. */
__attribute__((noreturn)) void oci_vm_stand(struct oci_vm_stand *stand);

/* ---- Between a command and its child that will stand (report.c) ---- */

int oci_vm_report_open(int pair[2], struct zl_error *err);
/* NULL: a step has succeeded. */
void oci_vm_report(int fd, const struct zl_error *failure);
/* Waits for one report. */
int oci_vm_report_await(int fd, struct zl_error *err);
/* The other way: the command lets the child go on. */
int oci_vm_report_go(int fd, struct zl_error *err);

#endif
