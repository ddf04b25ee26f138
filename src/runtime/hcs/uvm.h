/* SPDX-License-Identifier: Apache-2.0
 *
 * The utility VM of a container with isolation hyperv: its files on the host and its compute
 * system.
 */
#ifndef ZL_RUNTIME_HCS_UVM_H
#define ZL_RUNTIME_HCS_UVM_H

#include "runtime/hcs/system.h"
#include "runtime/hcs/wclayer.h"

struct zl_hcs_uvm {
  const struct zl_hcs_api *api;
  char *id;         /* of the compute system: a GUID in text */
  char *dir, *disk; /* its directory, and in it its own disk */
  char *boot_files; /* UtilityVM\Files of the image */
  char *template_disk;
  char **granted; /* files that it may open */
  struct zl_hcs_system *system;
  struct zl_guid runtime_id; /* its address on the host's sockets; once `system` is there */
};

/* What a machine boots from is a part of the image: the first layer from the base up that has it.
 * Nothing is made on the host. `id` and `dir` are copied. ZL_E_UNSUPPORTED: the image has none. */
int zl_hcs_uvm_init(const struct zl_hcs_api *api, const char *id, const char *dir,
                    const struct zl_wclayer_chain *chain, struct zl_hcs_uvm *ret,
                    struct zl_error *err);
/* Where in a layer that has them a machine's boot files are; the caller frees. NULL: no memory. */
char *zl_hcs_uvm_boot_files(const char *layer);
/* Frees the memory only. */
void zl_hcs_uvm_done(struct zl_hcs_uvm *uvm);
/* Whether an image of these layers has it. */
bool zl_hcs_uvm_is_in(const struct zl_hcs_api *api, char *const *layers, size_t count);

/* The directory with a fresh copy of the template disk; one that is there is replaced: each start
 * of a machine has a new one. */
int zl_hcs_uvm_make_files(struct zl_hcs_uvm *uvm, struct zl_error *err);
int zl_hcs_uvm_remove_files(struct zl_hcs_uvm *uvm, struct zl_error *err);

/* Lets the machine open a file or all of a directory. Without it the machine's devices cannot be
 * powered on (0x80070005). */
int zl_hcs_uvm_grant(struct zl_hcs_uvm *uvm, const char *path, struct zl_error *err);
/* Takes all of that back: layers are shared, and their descriptors would grow with each container.
 * Each is attempted. */
int zl_hcs_uvm_revoke(struct zl_hcs_uvm *uvm, struct zl_error *err);

/* `document` is zl_hcs_doc_machine's. */
int zl_hcs_uvm_create(struct zl_hcs_uvm *uvm, const json_t *document, struct zl_error *err);
/* Ends it by force, and lets go of it. */
int zl_hcs_uvm_end(struct zl_hcs_uvm *uvm, struct zl_error *err);

#endif
