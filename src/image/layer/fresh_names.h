/* SPDX-License-Identifier: Apache-2.0
 *
 * Which names are certain to be free: those of a directory that this archive has made, except the
 * ones put there since. A file under a free name can be made by another thread: nothing has to be
 * replaced, and no order is lost. Bounded: it forgets, and then simply nothing is certain.
 */
#ifndef ZL_IMAGE_LAYER_FRESH_NAMES_H
#define ZL_IMAGE_LAYER_FRESH_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum zl_name_state {
  ZL_NAME_FREE,
  ZL_NAME_TAKEN, /* or looks so */
  ZL_NAME_UNKNOWN
};

struct zl_fresh_names {
  uint64_t *slots; /* 0: free; NULL: no memory, or nothing yet */
  size_t used;
  uint64_t seed; /* whoever makes an image does not know it */
};

void zl_fresh_names_init(struct zl_fresh_names *names);
void zl_fresh_names_done(struct zl_fresh_names *names);

/* No room for one more: forget before the next call. */
bool zl_fresh_names_is_full(const struct zl_fresh_names *names);
void zl_fresh_names_forget(struct zl_fresh_names *names);

/* The directory with this inode number was made just now, and is empty. */
void zl_fresh_names_add_dir(struct zl_fresh_names *names, uint64_t dir);
/* What `name` was until now; from now on it is taken. */
enum zl_name_state zl_fresh_names_take(struct zl_fresh_names *names, uint64_t dir,
                                       const char *name);

#endif
