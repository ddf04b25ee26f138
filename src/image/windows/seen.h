/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that a layer has used so far, as Windows tells them apart.
 */
#ifndef ZL_IMAGE_WINDOWS_SEEN_H
#define ZL_IMAGE_WINDOWS_SEEN_H

#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

enum zl_win_kind {
  ZL_WIN_IS_FILE,
  ZL_WIN_IS_LINK, /* symbolic link to a file */
  ZL_WIN_IS_DIRECTORY,
  ZL_WIN_IS_DIRECTORY_LINK, /* symbolic link to a directory, or junction */
  ZL_WIN_IS_GONE            /* hidden by a whiteout */
};

struct zl_win_name {
  char *path; /* as the layer writes it */
  enum zl_win_kind kind;
};

struct zl_win_seen {
  struct zl_win_name *names; /* in the order of arrival; their numbers stay */
  size_t n, cap;
  size_t *slots; /* number + 1; 0: free */
  size_t n_slots;
  uint64_t seed;
  size_t text; /* bytes of all paths */
};

enum {
  ZL_WIN_UNSEEN = -1
};

/* Of names chosen by an attacker none may fall together: the seed is random. */
int zl_win_seen_init(struct zl_win_seen *seen, struct zl_error *err);
void zl_win_seen_done(struct zl_win_seen *seen);
/* The number of the first `len` bytes of `path`, or ZL_WIN_UNSEEN. */
int64_t zl_win_seen_find(const struct zl_win_seen *seen, const char *path, size_t len);
/* Adds a path that is not in there; *ret_number may be NULL. ZL_E_LIMIT. */
int zl_win_seen_add(struct zl_win_seen *seen, const char *path, enum zl_win_kind kind,
                    size_t *ret_number, struct zl_error *err);

#endif
