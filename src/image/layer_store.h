/* SPDX-License-Identifier: Apache-2.0
 *
 * ROOT/layers: the published layers, the staging of those being made, and the locks. On Linux a
 * layer is a directory `fs` or an EROFS image `layer.erofs`; a store may hold both kinds, an image
 * too. On Windows it is what Windows makes of it, with Files and Hives.
 *
 * A layer is made under the exclusive lock of its keys, so that concurrent pulls, in threads and
 * processes, download it once. Whoever relies on a published layer that the database does not name
 * yet holds its lock shared: the garbage collector takes it exclusively, and leaves it alone when
 * it cannot. All of these are locks of files, which die with their holder.
 *
 * What is made gets its place in one step, which each system has in its way: linux/staging.c
 * renames a directory. Windows renames none in which anybody has anything open, be it a virus
 * scanner, so win32/staging.c fills the directory where it is to be, under the lock of its key: it
 * counts from the moment that its metadata is there, which come last and go first.
 */
#ifndef ZL_IMAGE_LAYER_STORE_H
#define ZL_IMAGE_LAYER_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "image/layer_meta.h"

enum {
  ZL_LAYER_KEY = 8 + 128 + 1,
  ZL_LAYER_NAME = ZL_LAYER_KEY + 8 /* with a prefix such as "lock-" */
};

/* ---- Keys ------------------------------------------------------------------------------------ */

/* The key of a layer that is a function of its diff id alone, and of one that took something from
 * the layers below it and so belongs to that chain only. */
void zl_layer_diff_key(const char *diff_id, char key[ZL_LAYER_KEY]);
void zl_layer_chain_key(const char *chain_id, char key[ZL_LAYER_KEY]);
/* The chain id as image-spec defines it; `parent` is the chain id below, NULL for the base. */
int zl_layer_chain_id(const char *parent, const char *diff_id, char ret[ZL_DIGEST_TEXT],
                      struct zl_error *err);

/* ---- Published layers ------------------------------------------------------------------------ */

enum zl_layer_kind {
  ZL_LAYER_KIND_DIRECTORY,
  ZL_LAYER_KIND_EROFS,
  ZL_LAYER_KIND_WINDOWS /* on Windows nodes, and the only one there */
};
/* What a layer's users get, below the absolute path of ROOT. NULL: no memory. */
char *zl_layer_path(const char *root, const char *key, enum zl_layer_kind kind);

/* There, and it counts (layer_meta.h). */
bool zl_layer_is_published(int layers_fd, const char *key);
/* Published, and not on the disk as far as is known. */
bool zl_layer_is_pending(int layers_fd, const char *key);
/* *ret_pending (may be NULL) as of zl_layer_is_pending. ZL_E_NOT_FOUND: not published. */
int zl_layer_find_kind(int layers_fd, const char *key, enum zl_layer_kind *ret, bool *ret_pending,
                       struct zl_error *err);
/* The layer's tree: a directory, or a detached mount of the image. */
int zl_layer_open(int layers_fd, const char *key, int *ret_fd, struct zl_error *err);

/* ---- Locks ----------------------------------------------------------------------------------- */

/* What a pull holds of one layer. Each descriptor is a lock; -1: not held. */
struct zl_claim {
  /* Set by the caller; diff_key "": the layer belongs to its chain in any case. */
  char diff_key[ZL_LAYER_KEY], chain_key[ZL_LAYER_KEY];
  const char *key; /* the one that is published, held shared; NULL: it has to be made */
  int shared_fd;
  int diff_fd, chain_fd; /* exclusive, both held when it has to be made */
};
#define ZL_CLAIM_INIT                              \
  {                                                \
    .shared_fd = -1, .diff_fd = -1, .chain_fd = -1 \
  }

/* Waits until the layer is published by somebody or may be made by us. The order of the two locks,
 * chain before diff id, and that nobody waits for anything else while he holds the latter, make
 * this free of deadlocks. ZL_E_CANCELLED when cancel_fd becomes readable. */
int zl_claim_take(int layers_fd, struct zl_claim *claim, int cancel_fd, struct zl_error *err);
/* The layer turned out to belong to its chain: others may make it for theirs. */
void zl_claim_drop_diff(struct zl_claim *claim);
/* After publishing under `key` (one of the two): from exclusive to shared. ZL_E_CONFLICT: the
 * collector was faster, claim again. */
int zl_claim_share(int layers_fd, struct zl_claim *claim, const char *key, struct zl_error *err);
void zl_claim_release(int layers_fd, struct zl_claim *claim);

/* Holds a published layer against collection until the descriptor is closed. ZL_E_NOT_FOUND. */
int zl_layer_hold(int layers_fd, const char *key, int *ret_fd, struct zl_error *err);
/* The lock of a key, exclusively and without waiting: 1 got it, 0 busy, or -errno. */
int zl_layer_try_lock(int layers_fd, const char *key, int *ret_fd);
/* Removes the lock's file; the lock must be held exclusively. */
void zl_layer_unlink_lock(int layers_fd, const char *key);

/* ---- Staging --------------------------------------------------------------------------------- */

struct zl_staging {
  char name[ZL_LAYER_NAME];  /* "" none */
  char place[ZL_LAYER_NAME]; /* Windows: the directory of a layer that is being filled there */
  int lock_fd;               /* Windows: as dir_fd on Linux */
  int dir_fd;                /* on Linux it holds the lock that says that somebody lives here */
  int tree_fd;               /* the future layer, empty at first: a directory or a file */
  enum zl_layer_kind kind;
};
#define ZL_STAGING_INIT                        \
  {                                            \
    .lock_fd = -1, .dir_fd = -1, .tree_fd = -1 \
  }

/* With ZL_LAYER_KIND_EROFS a file on every system, for whatever it is good. A Windows layer gets
 * its tree when its place is known (win32/staging.h). */
int zl_staging_make(int layers_fd, enum zl_layer_kind kind, struct zl_staging *ret,
                    struct zl_error *err);
/* Writes the metadata and puts the layer in place. On Linux the flush is somebody else's
 * (layer_flush.h), on Windows it comes before. The staging is empty afterwards. The key must be
 * held exclusively. */
int zl_staging_publish(int layers_fd, struct zl_staging *staging, const char *key,
                       const struct zl_layer_meta *meta, struct zl_error *err);
/* Removes what was staged. Idempotent. */
void zl_staging_remove(int layers_fd, struct zl_staging *staging);
/* Whether the entry of ROOT/layers is staging, or what was left of a layer. */
bool zl_staging_is_one(int layers_fd, const char *name);
/* Removes the staging `name` if its maker is dead: 1 removed, 0 somebody lives there. */
int zl_staging_sweep(int layers_fd, const char *name, struct zl_error *err);
/* The same for all of them; failures are left to the collector. */
void zl_staging_sweep_dead(int layers_fd);
/* Whether the above would remove it. */
bool zl_staging_is_left(int layers_fd, const char *name);
/* Linux: a layer that another one has taken the place of is named this, a random text, "-" and its
 * key. The key, or NULL. */
#define ZL_LAYER_ASIDE "void-"
const char *zl_layer_aside_key(const char *name);
/* Makes staging of a published layer, to be removed, and lets its lock's file go with it. The lock
 * is held exclusively, until the staging is removed. */
int zl_layer_retire(int layers_fd, const char *key, struct zl_staging *ret, struct zl_error *err);

/* ---- For the files of both systems ------------------------------------------------------------
 */

/* "tmp-" and random digits. */
int zl__staging_name(char name[ZL_LAYER_NAME], struct zl_error *err);

#endif
