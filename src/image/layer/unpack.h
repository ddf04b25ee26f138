/* SPDX-License-Identifier: Apache-2.0
 *
 * From the bytes of a layer blob to a directory, or an EROFS file, that overlayfs can use as a
 * lower layer. The bytes are decoded and written by a sandboxed child (src/unpack), one per layer:
 * a flaw in a decoder can reach nothing but the staging directory of the very layer that carries
 * the attack.
 *
 * The caller hashes the compressed bytes itself, gives every layer its own empty staging directory
 * (mode 0700 parent), compares the diff id and publishes by rename (layer_store.h). After any
 * failure the staging directory holds rubbish and has to be removed.
 *
 * overlayfs shows the attributes of "/" of the topmost directory only, so whoever makes the
 * writable directory of a container copies them from the topmost layer with `root_entry`.
 */
#ifndef ZL_IMAGE_LAYER_UNPACK_H
#define ZL_IMAGE_LAYER_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "image/layer/compression.h"

struct zl_unpack_options {
  const char *helper;              /* host path of the program zlayer-unpack */
  int staging_fd;                  /* directory, O_RDONLY | O_DIRECTORY, not kept; empty, unless
                                    * the layer becomes an image: then nothing is made in it */
  bool image;                      /* make an EROFS image in image_fd */
  bool plain;                      /* with `image`: only decompress, into image_fd */
  int image_fd;                    /* an empty file open for writing; not kept */
  enum zl_compression compression; /* other bytes than promised are ZL_E_CORRUPT */
  enum zl_digest_alg diff_alg;     /* algorithm of the diff id */
  uint64_t max_bytes;              /* uncompressed, also per file; 0: ZL_MAX_LAYER_BYTES */
  uint64_t max_entries;            /* 0: ZL_MAX_LAYER_ENTRIES */
  uint64_t reserve_bytes;          /* disk space that must stay free; 0: ZL_LAYER_RESERVE */
  bool devices;                    /* make device nodes; otherwise they are left out and counted */
};

struct zl_unpack_result {
  char diff_id[ZL_DIGEST_TEXT]; /* of the whole uncompressed stream */
  uint64_t stream_bytes;        /* its length */
  uint64_t bytes;               /* content of files, holes included */
  uint64_t entries;             /* members of the archive */
  uint64_t skipped;             /* device nodes left out */
  size_t n_implicit;            /* directories the archive uses but does not contain */
  size_t n_deferred;            /* hard links to files of lower layers */
  bool root_entry;              /* the archive sets the attributes of "/" (else 0755, 0:0) */
  char *fixup;                  /* for zl_layer_fixup, or for zl_unpack_fix when it becomes an
                                 * image; NULL: the layer depends on no other, and is complete */
};

struct zl_unpack;

/* Starts the child. Does not block beyond exec. Every started handle ends in zl_unpack_free.
 * ZL_E_NO_COMMAND: there is no helper at that path. */
int zl_unpack_start(const struct zl_unpack_options *options, struct zl_unpack **ret,
                    struct zl_error *err);

/* Hands over the next bytes of the blob; blocks while the child is behind. When the child has
 * failed this returns the child's own error (ZL_E_CORRUPT, ZL_E_LIMIT, ZL_E_SYSTEM, ...). After an
 * error only zl_unpack_free may follow. One thread at a time per handle; any thread. */
int zl_unpack_write(struct zl_unpack *unpack, const void *data, size_t len, struct zl_error *err);

/* Ends the stream, waits for the child (unless it waits for zl_unpack_fix), marks opaque
 * directories and writes *ret, to be released with zl_unpack_result_done. Call once. Errors as of
 * zl_unpack_write. */
int zl_unpack_finish(struct zl_unpack *unpack, struct zl_unpack_result *ret, struct zl_error *err);

/* Completes an image whose result has a fixup, with the help of the layers below it, nearest first
 * (O_PATH or O_RDONLY descriptors of their trees, each complete). Blocks for the copying of linked
 * files. Call once. ZL_E_CORRUPT: the target of a hard link is in no layer, or cannot be linked. */
int zl_unpack_fix(struct zl_unpack *unpack, const int *lower_fds, size_t n_lower, const char *fixup,
                  struct zl_error *err);

/* Kills and reaps the child if it still runs; frees the handle. Accepts NULL. */
void zl_unpack_free(struct zl_unpack *unpack);
ZL_DEFINE_CLEANUP(struct zl_unpack, zl_unpack_free)

void zl_unpack_result_done(struct zl_unpack_result *result);

#endif
