/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's database: ROOT/zlayer.db, SQLite in WAL mode. It holds intent; the host holds fact.
 *
 * synchronous=NORMAL: a commit survives the death of any process. A power loss may lose the last
 * commits, and then the host objects they speak of are gone too (rows carry the boot id).
 * A file that is no database, or is damaged, is set aside as zlayer.db.damaged-<time> and a new one
 * is made; recovery then rebuilds it from the host's facts (zl_adopt).
 *
 * Thread-safe: one connection behind a recursive lock. Between begin and commit/rollback the
 * calling thread holds that lock. Processes wait for each other up to 30 s, then ZL_E_STORE.
 */
#ifndef ZL_STORE_STORE_H
#define ZL_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlayer/error.h>

#include "base/cleanup.h"

struct zl_store;

/* `root_fd` is the open root directory, `root` its path (SQLite wants one). */
int zl_store_open(int root_fd, const char *root, struct zl_store **ret, struct zl_error *err);
void zl_store_close(struct zl_store *store); /* NULL is fine */
ZL_DEFINE_CLEANUP(struct zl_store, zl_store_close)

/* A write transaction (BEGIN IMMEDIATE). Does not nest. */
int zl_store_begin(struct zl_store *store, struct zl_error *err);
int zl_store_commit(struct zl_store *store, struct zl_error *err);
void zl_store_rollback(struct zl_store *store); /* no-op when no transaction is open */

/* Statements. `types` has one letter for each ?: s text (const char *, NULL is SQL NULL), i integer
 * (int64_t), u unsigned (uint64_t, stored bit for bit), b blob (const void *, size_t).
 * Statements are prepared once per connection and kept. */
int zl_store_run(struct zl_store *store, struct zl_error *err, const char *sql, const char *types,
                 ...);
/* Rows changed by the last zl_store_run of this thread's transaction. */
int64_t zl_store_changes(struct zl_store *store);

struct zl_row; /* one result row, valid inside the callback */
const char *zl_row_text(const struct zl_row *row, int column); /* NULL for SQL NULL; borrowed */
int64_t zl_row_int(const struct zl_row *row, int column);
uint64_t zl_row_u64(const struct zl_row *row, int column);
const void *zl_row_blob(const struct zl_row *row, int column, size_t *ret_len);

/* Calls fn for each row. fn returns 0 to go on, > 0 to stop with success, < 0 to stop with that
 * code (and *err filled by it). fn must not use the store. */
typedef int (*zl_row_fn)(void *ctx, const struct zl_row *row, struct zl_error *err);
int zl_store_query(struct zl_store *store, zl_row_fn fn, void *ctx, struct zl_error *err,
                   const char *sql, const char *types, ...);
/* A zl_row_fn: *ctx, an int64_t, becomes the number in the first column. Of "SELECT count(*) …". */
int zl_row_keep_int(void *ctx, const struct zl_row *row, struct zl_error *err);

#endif
