/* SPDX-License-Identifier: Apache-2.0
 *
 * From a service and what was made for its container to all documents that create it.
 */
#ifndef ZL_RUNTIME_HCS_ASSEMBLE_H
#define ZL_RUNTIME_HCS_ASSEMBLE_H

#include "runtime/hcs/command.h"
#include "runtime/hcs/doc.h"
#include "runtime/hcs/modify.h"

struct zl_image_config;

enum {
  ZL_HCS_DISK = 1 /* of a machine: place and mount number of its container's disk */
};

struct zl_hcs_input {
  const char *id, *owner;
  const struct zl_service *service;
  const struct zl_image_config *image;
  enum zl_isolation isolation; /* as chosen: process or hyperv */
  uint32_t host_cpus;
  const struct zl_hcs_layer *layers; /* top first, paths on the host */
  size_t n_layers;
  const char *scratch; /* process: the prepared layer's volume; hyperv: the container's disk */
  const char *network; /* GUID of its HCN namespace; NULL only if it is to have no network */
  const char *const *dns_search;
  char *const *volumes; /* as zl_container_plan's */

  /* hyperv only */
  const char *boot_files, *machine_scratch; /* zl_hcs_machine's */
};

struct zl_hcs_documents {
  json_t *system;  /* HcsCreateComputeSystem: of the container, of its machine with hyperv */
  json_t *process; /* HcsCreateProcess of the workload; with hyperv zl_rpc_windows_execute is told
                    * `command` instead */
  struct zl_hcs_command command;

  /* With hyperv: what a machine that runs is changed by, in order, before its container is created
   * in it: a share of each layer, one of each mounted directory, the container's disk, its file
   * system. The network's changes, which depend on answers of HCN, come after these. */
  struct zl_hcs_modify *changes;
  size_t n_changes;
  json_t *hosted; /* zl_rpc_windows_create */
};

/* Refuses what Windows cannot do, with the field's path: the codes of refuse.h, mounts.h,
 * command.h, resources.h and doc.h. On failure *ret is not touched. Free with
 * zl_hcs_documents_done. */
int zl_hcs_documents_of(const struct zl_hcs_input *input, struct zl_hcs_documents *ret,
                        struct zl_error *err);
void zl_hcs_documents_done(struct zl_hcs_documents *documents);
#define zl_autohcsdocuments ZL_CLEANUP(zl_hcs_documents_done) struct zl_hcs_documents

#endif
