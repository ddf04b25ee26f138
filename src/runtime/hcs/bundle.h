/* SPDX-License-Identifier: Apache-2.0
 *
 * The file config.json of a container on Windows: all that its shim makes it of. Of the service it
 * has what Windows acts on; everything else was refused before (refuse.h).
 */
#ifndef ZL_RUNTIME_HCS_BUNDLE_H
#define ZL_RUNTIME_HCS_BUNDLE_H

#include <jansson.h>

#include "image/image.h"
#include "runtime/hcs/instance.h"
#include "runtime/runtime.h"

struct zl_hcs_bundle {
  const char *network; /* zl_hcs_node's, and so: */
  uint32_t cpus;
  struct zl_service service;
  struct zl_image_config image;
  enum zl_isolation isolation;
  char **layers, **volumes;
  bool has_link;
  struct zl_hcs_link link;
  uint64_t scratch_bytes;
  bool keep_on_failure;
  int stop_signal; /* as shims are told */
  uint64_t log_max_bytes;
  unsigned log_files;

  json_t *document; /* most texts above are its own */
  struct zl_hcn_port *ports;
};

struct zl_hcs_bundle_options {
  const char *network;
  const char *slice; /* "10.220.99.16/28" */
  uint64_t scratch_bytes;
  uint32_t cpus; /* of the host */
  bool keep_on_failure;
};

/* The caller frees *ret. */
int zl_hcs_bundle_render(const struct zl_container_plan *plan,
                         const struct zl_hcs_bundle_options *options, char **ret,
                         struct zl_error *err);
/* ZL_E_CORRUPT and others name the member. Free with zl_hcs_bundle_done. */
int zl_hcs_bundle_parse(const char *text, size_t len, struct zl_hcs_bundle *ret,
                        struct zl_error *err);
void zl_hcs_bundle_done(struct zl_hcs_bundle *bundle);
#define zl_autohcsbundle ZL_CLEANUP(zl_hcs_bundle_done) struct zl_hcs_bundle

#endif
