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

/* Everything known about an image as one JSON object (a new string, the caller frees it):
 * "reference", "digest", "references", "platform", "layers" (paths, top first) with "layerBytes",
 * and "manifest" and "config" as they were pulled. */
ZL_PUBLIC int zl_inspect_image(struct zl_runtime *rt, const char *image, char **ret_json,
                               struct zl_error *err);

/* Another name for a stored image: the next zl_images lists both. `image` as for zl_remove_image;
 * `name` is a registry name without a digest, and is taken from the image that had it. ret_name
 * (may be NULL) receives its canonical form, a new string. ZL_E_NOT_FOUND; ZL_E_INVALID. */
ZL_PUBLIC int zl_tag_image(struct zl_runtime *rt, const char *image, const char *name,
                           char **ret_name, struct zl_error *err);

/* ---- Images for others --------------------------------------------------------------------- */

/* The store keeps layers unpacked, so a layer that leaves this node is written anew: the same tree,
 * the same bytes each time, but not the bytes that were pulled. Such an image has another digest.
 */

enum zl_image_compression {
  ZL_IMAGE_GZIP,
  ZL_IMAGE_ZSTD,
  ZL_IMAGE_PLAIN /* none: archives for tools that know neither */
};

enum zl_push_phase {
  ZL_PUSH_CHECKING,   /* the target is asked what it has; digest, index and total are 0 */
  ZL_PUSH_PACKING,    /* one layer is written: `done` bytes of its content so far, total 0 */
  ZL_PUSH_UPLOADING,  /* one layer: done/total bytes of its blob */
  ZL_PUSH_EXISTS,     /* one layer: the target has it */
  ZL_PUSH_LAYER_DONE, /* one layer: sent, or in the archive */
  ZL_PUSH_DONE        /* digest is the manifest's */
};

struct zl_push_progress {
  enum zl_push_phase phase;
  const char *digest; /* of the layer's blob where it is known, or of the manifest; borrowed */
  size_t index;       /* of the layer, base first, 0-based */
  size_t layers;      /* how many there are */
  uint64_t done;
  uint64_t total;
};

/* Non-zero cancels: ZL_E_CANCELLED. */
typedef int (*zl_push_fn)(void *payload, const struct zl_push_progress *progress);

struct zl_push_options {
  enum zl_image_compression compression; /* of layers that are written anew */
  const char *username; /* with password: used instead of stored credentials; NULL: look them up */
  const char *password;
  zl_push_fn progress; /* may be NULL */
  void *payload;
};

struct zl_push_result {
  char digest[136];          /* of the manifest at the target */
  bool unchanged;            /* the manifest as it was pulled */
  size_t existing, uploaded; /* layers that the target had, mounted ones included; that were sent */
  uint64_t uploaded_bytes;   /* of those */
};

/* Sends a stored image to a registry. `target` is a registry name with a tag (NULL: the image's own
 * name). Blobs that the target has, or can mount from a repository of the same registry from which
 * the image was pulled, are not sent; when that is all of them the manifest goes out as it was
 * pulled. Other layers are written anew, one after the other, in a file below the runtime's root.
 * ZL_E_NOT_FOUND: not stored. ZL_E_INVALID: target. ZL_E_AUTH, ZL_E_REMOTE, ZL_E_TIMEOUT: the
 * registry. ZL_E_UNSUPPORTED: a layer that may not be redistributed. ZL_E_CANCELLED. Nothing is
 * left on this node after an error; blobs that were sent stay at the registry, which collects them.
 */
ZL_PUBLIC int zl_push_image(struct zl_runtime *rt, const char *image, const char *target,
                            const struct zl_push_options *options, struct zl_push_result *ret,
                            struct zl_error *err);

struct zl_save_options {
  enum zl_image_compression compression;
  zl_push_fn progress; /* may be NULL */
  void *payload;
};

/* Writes stored images (NULL-terminated, as for zl_remove_image) to `fd` as one tar archive: an OCI
 * image layout with the `manifest.json` of docker in it. Names of registries go along. The same
 * images give the same bytes. ZL_E_NOT_FOUND, ZL_E_UNSUPPORTED, ZL_E_CANCELLED, ZL_E_SYSTEM: after
 * an error what was written is rubbish. */
ZL_PUBLIC int zl_save_images(struct zl_runtime *rt, const char *const *images, int fd,
                             const struct zl_save_options *options, struct zl_error *err);

struct zl_loaded_image {
  const char *name;   /* canonical; NULL: the archive has none for it, it is stored by its digest */
  const char *digest; /* of the manifest */
};
typedef int (*zl_loaded_fn)(void *payload, const struct zl_loaded_image *image);

struct zl_load_options {
  zl_pull_fn progress; /* may be NULL */
  zl_loaded_fn loaded; /* once per image; non-zero cancels; may be NULL */
  void *payload;       /* of both */
};

/* Stores every image of an archive that is read from `fd` (a file or a pipe, from where it stands):
 * an OCI image layout or what `docker save` and `podman save` write, plain or compressed with gzip
 * or zstd. Names are the archive's own; those of another platform are passed over unless none is
 * left. ZL_E_CORRUPT, ZL_E_LIMIT, ZL_E_UNSUPPORTED, ZL_E_WRONG_PLATFORM, ZL_E_CANCELLED. Images
 * that were reported as loaded stay after an error, nothing of the others does. */
ZL_PUBLIC int zl_load_images(struct zl_runtime *rt, int fd, const struct zl_load_options *options,
                             struct zl_error *err);

#endif
