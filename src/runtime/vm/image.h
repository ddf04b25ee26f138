/* SPDX-License-Identifier: Apache-2.0
 *
 * Images as files: ROOT/vm/images/<key>.erofs is the merged tree of an image's layers. It is made
 * once under the lock `lock-<key>`, as `tmp-<key>`, and renamed.
 */
#ifndef ZL_RUNTIME_VM_IMAGE_H
#define ZL_RUNTIME_VM_IMAGE_H

#include "runtime/node.h"

enum {
  ZL_VM_IMAGE_KEY = 65
};

/* The key of these layers' keys, top first. */
int zl_vm_image_key(const char *const *layer_keys, char key[ZL_VM_IMAGE_KEY], struct zl_error *err);
/* The same from the layers of a plan, ROOT/layers/<key>/FILE. */
int zl_vm_image_key_of_trees(const char *const *trees, char key[ZL_VM_IMAGE_KEY],
                             struct zl_error *err);

/* Writes the merged tree of the layers (directories or EROFS images, top first) to `out_fd` as
 * EROFS; the mounts for it are seen by one thread only and gone with it. `scratch` is an empty
 * directory that is mounted over there. Blocks as long as copying takes. */
int zl_vm_image_write(const char *const *trees, const char *scratch, int out_fd,
                      struct zl_error *err);

/* Makes sure that images_fd (at `dir`) has the image of these trees; waits for whoever makes it. */
int zl_vm_image_ensure(int images_fd, const char *dir, const char *const *trees,
                       char key[ZL_VM_IMAGE_KEY], struct zl_error *err);

/* Removes images that neither a stored image nor a container needs, and what dead makers left.
 * Counts only, with `dry_run`. */
int zl_vm_image_collect(struct zl_runtime *rt, int images_fd, bool dry_run, size_t *ret_count,
                        uint64_t *ret_bytes, struct zl_error *err);

#endif
