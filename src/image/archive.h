/* SPDX-License-Identifier: Apache-2.0
 *
 * The members of an uncompressed tar archive by name, without reading their content.
 */
#ifndef ZL_IMAGE_ARCHIVE_H
#define ZL_IMAGE_ARCHIVE_H

#include <stdint.h>
#include <zlayer/error.h>

struct zl_archive;

/* Reads the headers of the `size` bytes of `fd`, which is not kept. At most ZL_MAX_ARCHIVE_MEMBERS.
 * ZL_E_UNSUPPORTED: compressed. ZL_E_CORRUPT: malformed, cut off, or a file is there twice.
 * ZL_E_LIMIT. */
int zl_archive_open(int fd, uint64_t size, struct zl_archive **ret, struct zl_error *err);
void zl_archive_free(struct zl_archive *archive); /* NULL is fine */

/* Where the content of a regular file is; links are followed within the archive.
 * ZL_E_NOT_FOUND; ZL_E_CORRUPT: not a file, or its links go in circles or out of the archive. */
int zl_archive_find(const struct zl_archive *archive, const char *name, uint64_t *ret_offset,
                    uint64_t *ret_size, struct zl_error *err);

/* `link` as seen from the directory of `from` (from == NULL: from the top), with "." and ".."
 * resolved on the text: "a/b", "../c" gives "c". A new string; NULL when it leaves the top or
 * memory is out. */
char *zl_archive_resolve(const char *from, const char *link);

#endif
