/* SPDX-License-Identifier: Apache-2.0
 *
 * Images: pulling, listing, removing. All functions take an open runtime (zlayer/runtime.h), are
 * thread-safe, block until done, and work on the node's state below the runtime's root directory.
 */
#ifndef ZLAYER_IMAGE_H
#define ZLAYER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

struct zl_runtime;

/* When a pull goes to the source: never if the store has it, only if it is missing, always, or when
 * the tag's digest at the source differs from the stored one (when the source cannot be reached
 * then, the stored one is used, with a warning). Texts as in a deployment file. */
enum zl_pull_policy {
  ZL_PULL_IF_NOT_PRESENT, /* "if_not_present" */
  ZL_PULL_ALWAYS,         /* "always" */
  ZL_PULL_NEWER,          /* "newer" */
  ZL_PULL_NEVER           /* "never" */
};

enum zl_pull_phase {
  ZL_PULL_RESOLVING,   /* manifest being fetched; digest, index and total are 0 */
  ZL_PULL_DOWNLOADING, /* one layer: done/total bytes of the compressed blob, also while none come
                        */
  ZL_PULL_EXISTS,      /* one layer: already in the store */
  ZL_PULL_LAYER_DONE,  /* one layer: verified and published */
  ZL_PULL_DONE         /* the image is stored */
};

struct zl_pull_progress {
  enum zl_pull_phase phase;
  const char *digest; /* of the layer blob, or of the manifest with ZL_PULL_DONE; borrowed */
  size_t index;       /* of the layer, base first, 0-based */
  size_t layers;      /* how many there are */
  uint64_t done;
  uint64_t total;
  uint64_t resumed; /* of `done`: bytes that an earlier pull, which was interrupted, had left */
};

/* Called from any thread of the pull, one call at a time. Non-zero cancels: ZL_E_CANCELLED. */
typedef int (*zl_pull_fn)(void *payload, const struct zl_pull_progress *progress);

struct zl_pull_options {
  enum zl_pull_policy policy;
  const char *username; /* with password: used instead of stored credentials; NULL: look them up */
  const char *password;
  zl_pull_fn progress; /* may be NULL */
  void *payload;
};

/* Makes sure that `reference` is stored. A reference is a registry name
 * ("docker.io/library/busybox:1.36", "127.0.0.1:5000/a/b@sha256:…", "busybox"), "oci:DIR[:TAG]",
 * "oci-archive:FILE[:TAG]" or "docker-archive:FILE[:REF]". ret_digest (may be NULL) receives a new
 * string, the manifest's digest; the caller frees it. Idempotent.
 * ZL_E_INVALID: bad reference. ZL_E_NOT_FOUND: not at the source, or policy never and not stored.
 * ZL_E_AUTH, ZL_E_REMOTE, ZL_E_TIMEOUT: the registry. ZL_E_AUTH also when the node's configuration
 * wants a signature (docs/registries.md) and there is no valid one; with policy never, a stored
 * image that was not verified so is ZL_E_NOT_FOUND. ZL_E_PERMISSION: podman's registries.conf
 * blocks it. ZL_E_INVALID also names what is wrong in a configuration file. ZL_E_WRONG_PLATFORM:
 * names both platforms. ZL_E_CORRUPT: digest, size or layer format wrong. ZL_E_LIMIT: over a
 * documented limit. ZL_E_UNSUPPORTED: docker's schema 1, an artifact that is no image, a compressed
 * archive. ZL_E_CANCELLED: by the progress function.
 * Nothing is half-made after an error: finished layers stay for the next try, and so does what came
 * of the others when the network failed or the pull was cancelled; the rest is removed.
 */
ZL_PUBLIC int zl_pull_image(struct zl_runtime *rt, const char *reference,
                            const struct zl_pull_options *options, char **ret_digest,
                            struct zl_error *err);

struct zl_image_info {
  char *reference;       /* canonical: "docker.io/library/busybox:1.36" */
  char *digest;          /* of the manifest */
  char *os, *arch;       /* "linux", "amd64" */
  uint64_t size;         /* bytes of its unpacked layers on disk, shared ones included */
  uint64_t pulled_at_ns; /* CLOCK_REALTIME */
  size_t layers;
  size_t containers; /* containers made from it */
};

/* All stored images, by reference. The caller frees the array with zl_images_free. */
ZL_PUBLIC int zl_images(struct zl_runtime *rt, struct zl_image_info **ret, size_t *ret_count,
                        struct zl_error *err);
ZL_PUBLIC void zl_images_free(struct zl_image_info *images, size_t count);

/* Removes a reference, and the layers nobody else needs. ZL_E_NOT_FOUND; ZL_E_CONFLICT while a
 * container uses it (force: the reference goes, layers in use stay). `image` is a reference or a
 * digest ("sha256:…") prefix of at least 6 digits that is unambiguous. */
ZL_PUBLIC int zl_remove_image(struct zl_runtime *rt, const char *image, bool force,
                              struct zl_error *err);

/* The image's stored config and manifest as one JSON object (a new string, the caller frees it). */
ZL_PUBLIC int zl_inspect_image(struct zl_runtime *rt, const char *image, char **ret_json,
                               struct zl_error *err);

#endif
