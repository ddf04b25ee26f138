/* SPDX-License-Identifier: Apache-2.0
 *
 * Image references: the strict grammar of registry names, and the names of images in local files.
 */
#ifndef ZL_SPEC_IMAGEREF_H
#define ZL_SPEC_IMAGEREF_H

#include <zlayer/error.h>

#include "base/cleanup.h"

enum zl_image_ref_kind {
  ZL_IMAGE_REF_REGISTRY,      /* "busybox", "127.0.0.1:5000/a/b:1@sha256:…" */
  ZL_IMAGE_REF_OCI_DIR,       /* "oci:DIR[:TAG]", an image layout */
  ZL_IMAGE_REF_OCI_ARCHIVE,   /* "oci-archive:FILE[:TAG]", a tar of one */
  ZL_IMAGE_REF_DOCKER_ARCHIVE /* "docker-archive:FILE[:REFERENCE]", from `docker save` */
};

struct zl_image_ref {
  enum zl_image_ref_kind kind;
  char *registry;   /* "docker.io", "[::1]:5000"; NULL for local files */
  char *repository; /* "library/busybox"; NULL for local files */
  char *path;       /* local files: absolute; NULL for a registry */
  char *tag;       /* "latest" unless a digest is given; local files: as given, or NULL. Of a docker
                      archive: a whole canonical reference */
  char *digest;    /* "sha256:…", or NULL */
  char *canonical; /* never NULL: equal texts name the same image */
};

/* Parses the whole text. "busybox" becomes docker.io/library/busybox:latest. A relative path of a
 * local file is meant from the current directory. Release with zl_image_ref_done, which also takes
 * an all-zero object. Pure but for the current directory. ZL_E_INVALID says which part is wrong. */
int zl_image_ref_parse(const char *text, struct zl_image_ref *ret, struct zl_error *err);
void zl_image_ref_done(struct zl_image_ref *ref);
#define zl_auto_image_ref ZL_CLEANUP(zl_image_ref_done) struct zl_image_ref

#endif
