/* SPDX-License-Identifier: Apache-2.0
 *
 * Small readers of configuration, YAML or TOML alike: each reports at the value what is wrong with
 * it.
 */
#ifndef ZL_IMAGE_CONFIG_READ_H
#define ZL_IMAGE_CONFIG_READ_H

#include <stdbool.h>

#include "spec/report.h"

/* The entry of a mapping, as a place. */
struct zl_at zl_read_child(const struct zl_at *up, const struct zl_entry *entry);
/* "expected WHAT, not …" */
void zl_read_wrong_kind(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *what);
/* "unknown key 'x': it has KNOWN" */
void zl_read_unknown_key(struct zl_spec_ctx *ctx, const struct zl_at *up,
                         const struct zl_entry *entry, const char *known);
/* The node when it is of that kind, else NULL after a report. */
const struct zl_node *zl_read_kind(struct zl_spec_ctx *ctx, const struct zl_at *at,
                                   enum zl_node_kind kind, const char *what);
/* false after a report. */
bool zl_read_bool(struct zl_spec_ctx *ctx, const struct zl_at *at);
/* The text of a scalar that is text, borrowed; NULL after a report. */
const char *zl_read_text(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *what);
/* Replaces *ret by a copy of such a text; left as it was after a report. */
void zl_read_copy(struct zl_spec_ctx *ctx, const struct zl_at *at, const char *what, char **ret);
/* The same for an absolute path. */
void zl_read_path(struct zl_spec_ctx *ctx, const struct zl_at *at, char **ret);

#endif
