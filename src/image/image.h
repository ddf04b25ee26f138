/* SPDX-License-Identifier: Apache-2.0
 *
 * The image store: from a reference to verified layers that images share. One per open runtime.
 *
 * On disk below ROOT: layers/<key>/fs, or layers/<key>/layer.erofs, is one unpacked layer, on
 * Windows layers/<key> with its meta.json; published in one step, only after the digests of its
 * blob and of its content matched; layers/tmp-* is staging, locked by the pull that fills it;
 * layers/void-* had a layer's place and may be run on still;
 * layers/lock-<key> serialises the makers of one layer, between threads and processes. The database
 * says which image needs which layers; layers that exist on disk without a row are found again by
 * the next pull of an image that needs them. partial/ holds what has come of blobs that are not
 * layers yet (image/partial.h).
 *
 * All functions are thread-safe and safe against other processes on the same ROOT.
 */
#ifndef ZL_IMAGE_IMAGE_H
#define ZL_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>
#include <zlayer/image.h>

#include "base/cleanup.h"

struct zl_store;
struct zl_win_services;

/* ---- The store ----------------------------------------------------------------------------- */

struct zl_image_store; /* opaque */

struct zl_image_store_options {
  int root_fd;            /* the open ROOT; borrowed until close */
  const char *root;       /* its absolute path, used in the layer paths given out; copied */
  struct zl_store *store; /* the node's database; borrowed until close */
  const char *helper_dir; /* Linux: where zlayer-unpack is; copied */
  /* Windows: image/windows/services.h, borrowed until close; NULL: nothing can be pulled. */
  const struct zl_win_services *services;
};

/* Makes ROOT/layers (0700) if needed. Reads no configuration and opens no connection: the first
 * pull does. Does not block on other users. */
int zl_image_store_open(const struct zl_image_store_options *options, struct zl_image_store **ret,
                        struct zl_error *err);
/* NULL is fine. No pull of this store may still run. */
void zl_image_store_close(struct zl_image_store *store);
ZL_DEFINE_CLEANUP(struct zl_image_store, zl_image_store_close)

/* ---- Pull ---------------------------------------------------------------------------------- */

/* zl_pull_image of zlayer/image.h: same arguments, results and errors. Blocks until done;
 * idempotent. `options` may be NULL (if_not_present, stored credentials). */
int zl_image_pull(struct zl_image_store *store, const char *reference,
                  const struct zl_pull_options *options, char **ret_digest, struct zl_error *err);

/* ---- Use ----------------------------------------------------------------------------------- */

/* What the image's author set; absent texts are NULL, absent lists NULL (the empty vector). */
struct zl_image_config {
  char **entrypoint;
  char **cmd;
  bool args_escaped; /* Windows: the first word of these is a command line, not one word of it */
  char **env;        /* "KEY=value" */
  char *working_dir;
  char *user;           /* "user[:group]" as written */
  char *stop_signal;    /* as written: "SIGTERM", "15" */
  char **exposed_ports; /* "80/tcp" */
  char **volumes;       /* container paths, as written: resolve them inside the root only */
  char **labels;        /* "key=value" */
};

struct zl_image {
  char *reference;  /* canonical; for a look-up by digest one of its references, or the digest */
  char *digest;     /* of the manifest */
  char *os, *arch;  /* "linux", "amd64" */
  char *variant;    /* "v8", or NULL */
  char *os_version; /* Windows: "10.0.20348.2966", or NULL */
  struct zl_image_config config;
  char **layers; /* absolute paths of the layers, TOP FIRST (as overlayfs and HCS want them): each a
                  * directory or an EROFS image */
};

/* Finds a stored image by reference (normalised first), or by digest: the whole "sha256:…" or an
 * unambiguous prefix of it of at least 6 hex digits, with or without "sha256:". Does not block on
 * the network. Each layer is checked to be on disk. Free with zl_image_done.
 * ZL_E_NOT_FOUND: not stored, or a layer was lost (pull it again). ZL_E_INVALID: bad text.
 * ZL_E_CONFLICT: the prefix is ambiguous.
 *
 * To keep the image from being removed meanwhile, call this by full digest inside the write
 * transaction (zl_store_begin) that inserts the container's row with that `image_digest`: from then
 * on the row holds the image and its layers. */
int zl_image_resolve(struct zl_image_store *store, const char *image, struct zl_image *ret,
                     struct zl_error *err);
void zl_image_done(struct zl_image *image);
#define zl_autoimage ZL_CLEANUP(zl_image_done) struct zl_image

/* ---- Keep ---------------------------------------------------------------------------------- */

/* zl_images, zl_remove_image and zl_inspect_image of zlayer/image.h. Users are the rows of table
 * `containers` with the image's digest. Free the list with zl_image_list_free. */
int zl_image_list(struct zl_image_store *store, struct zl_image_info **ret, size_t *ret_count,
                  struct zl_error *err);
void zl_image_list_free(struct zl_image_info *images, size_t count);
int zl_image_remove(struct zl_image_store *store, const char *image, bool force,
                    struct zl_error *err);
int zl_image_inspect(struct zl_image_store *store, const char *image, char **ret_json,
                     struct zl_error *err);

/* zl_tag_image, zl_push_image, zl_save_images and zl_load_images of zlayer/image.h. */
int zl_image_tag(struct zl_image_store *store, const char *image, const char *name, char **ret_name,
                 struct zl_error *err);
int zl_image_push(struct zl_image_store *store, const char *image, const char *target,
                  const struct zl_push_options *options, struct zl_push_result *ret,
                  struct zl_error *err);
int zl_image_save(struct zl_image_store *store, const char *const *images, int fd,
                  const struct zl_save_options *options, struct zl_error *err);
int zl_image_load(struct zl_image_store *store, int fd, const struct zl_load_options *options,
                  struct zl_error *err);

struct zl_image_gc_options {
  bool images;   /* also forget references that no container uses */
  bool partials; /* also remove interrupted downloads that a pull could go on with */
  bool dry_run;  /* count only */
  /* A layer that something on this host uses although no row says so (a container that is not
   * adopted yet). May be NULL. Called without locks held. */
  bool (*is_used)(void *ctx, const char *key);
  void *ctx;
};

struct zl_image_gc_result {
  size_t images;          /* references forgotten */
  size_t layers;          /* layers removed */
  size_t staging;         /* left-overs of dead pulls removed */
  uint64_t bytes;         /* freed of layers, as recorded at unpack time */
  uint64_t staging_bytes; /* of those left-overs, interrupted downloads included */
};

/* Removes layers that no stored image and no container needs, and what dead pulls left behind.
 * Layers that a live pull has found or made, and its staging, are kept. Idempotent; may be called
 * at any time. Every step is attempted; the first error is returned. `options` may be NULL. */
int zl_image_gc(struct zl_image_store *store, const struct zl_image_gc_options *options,
                struct zl_image_gc_result *ret, struct zl_error *err);

/* Waits until every layer is on the disk and counts from then on, whatever becomes of the machine.
 * Usually a helper has done that a moment after the pull. ZL_E_SYSTEM: the disk failed. */
int zl_image_flush(struct zl_image_store *store, struct zl_error *err);

struct zl_image_usage {
  size_t images, layers;
  uint64_t bytes;             /* of all layers, each counted once, and interrupted downloads */
  uint64_t shared_bytes;      /* of layers that several images have */
  uint64_t partial_bytes;     /* of interrupted downloads */
  uint64_t reclaimable_bytes; /* of layers that no container needs, and of those downloads */
};

/* From the database and one small directory: cheap. */
int zl_image_usage(struct zl_image_store *store, struct zl_image_usage *ret, struct zl_error *err);

#endif
