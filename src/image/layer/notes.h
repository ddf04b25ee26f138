/* SPDX-License-Identifier: Apache-2.0
 *
 * What remains to be done about a layer after its archive was read, as text: one line per note, a
 * letter and one or two paths with every byte that is not plain text written as %XX.
 *   d PATH         directory that the archive uses without containing it
 *   l PATH TARGET  hard link to a file that is not in the archive
 *   o PATH         directory that hides those below it; the root is "."
 */
#ifndef ZL_IMAGE_LAYER_NOTES_H
#define ZL_IMAGE_LAYER_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <zlayer/error.h>

#include "base/buf.h"
#include "image/layer/layer_path.h"

/* A set of paths that remembers the order of arrival. Zero-initialised is empty. */
struct zl_path_set {
  char **paths;
  bool *dropped;
  size_t n, cap;
  size_t *slots; /* index + 1 into paths; 0: free */
  size_t n_slots;
};

/* Adds a copy (again, when it was dropped). ZL_E_LIMIT past ZL_MAX_LAYER_NOTES. */
int zl_path_set_add(struct zl_path_set *set, const char *path, struct zl_error *err);
/* Success also when it is not in there. */
void zl_path_set_drop(struct zl_path_set *set, const char *path);
void zl_path_set_done(struct zl_path_set *set);
bool zl_path_set_has(const struct zl_path_set *set, const char *path);
/* Without the dropped ones. */
size_t zl_path_set_count(const struct zl_path_set *set);

/* Hard links that wait for their targets. Zero-initialised is empty. */
struct zl_link {
  char *path;
  char *target;
};
struct zl_link_list {
  struct zl_link *items;
  size_t n;
};
/* Copies both. ZL_E_LIMIT past ZL_MAX_LAYER_NOTES. */
int zl_link_list_add(struct zl_link_list *list, const char *path, const char *target,
                     struct zl_error *err);
/* Calls `fn` with each link in the order of their arrival and forgets those that need not wait any
 * more: `fn` returns 1 while one still waits, 0 when it does not, or an error, which ends it all.
 */
typedef int (*zl_link_fn)(void *ctx, const struct zl_link *link, struct zl_error *err);
int zl_link_list_retry(struct zl_link_list *list, zl_link_fn fn, void *ctx, struct zl_error *err);
void zl_link_list_done(struct zl_link_list *list);

/* Appends a line; `target` is NULL but for 'l'. */
int zl_note_write(struct zl_buf *text, char kind, const char *path, const char *target,
                  struct zl_error *err);

/* Appends all of a layer. */
int zl_notes_write_all(struct zl_buf *text, const struct zl_path_set *implicit,
                       const struct zl_link_list *links, const struct zl_path_set *opaque,
                       struct zl_error *err);

struct zl_note {
  char kind;
  char path[ZL_LAYER_PATH];
  char target[ZL_LAYER_PATH]; /* "" but for 'l' */
};

/* Reads the line at *text and moves behind it: 1, or 0 at the end. Paths are clean ones (no "..",
 * relative, "" for the root). ZL_E_CORRUPT otherwise: the text came out of the sandbox. */
int zl_note_read(const char **text, struct zl_note *ret, struct zl_error *err);

#endif
