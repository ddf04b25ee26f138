/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading /etc/passwd and /etc/group of a root that is not trusted.
 */
#ifndef ZL_ENGINE_USERS_FILE_H
#define ZL_ENGINE_USERS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/buf.h"

enum zl_users_file {
  ZL_FILE_PASSWD, /* name:password:uid:gid:comment:home:shell */
  ZL_FILE_GROUP   /* name:password:gid:members */
};

enum {
  ZL_USERS_FIELDS = 7
};

/* One well-formed line. `id` is the third field, below UINT32_MAX. Fields not there are "". */
struct zl_users_line {
  char *fields[ZL_USERS_FIELDS];
  uint32_t id;
};

/* Non-zero ends the walk and is its result. */
typedef int (*zl_users_fn)(void *payload, const struct zl_users_line *line, struct zl_error *err);

/* Walks the lines of the file below root_fd; malformed ones are skipped, as the C library does. A
 * missing file has no lines. ZL_E_INVALID: something else than a regular file; ZL_E_LIMIT: larger
 * than ZL_MAX_PASSWD. Never blocks on what the file may be. */
int zl_users_walk(int root_fd, enum zl_users_file file, zl_users_fn fn, void *payload,
                  struct zl_error *err);

/* A decimal id below UINT32_MAX without sign, blank or leading zero. */
bool zl_users_parse_id(const char *text, uint32_t *ret);

#endif
