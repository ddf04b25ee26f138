/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/time.h"
#include "store/schema.h"

#define DB_NAME "zlayer.db"

enum {
  BUSY_TIMEOUT_MS = 30000,
  LOG_PAGES = 128,
  MAX_CACHED = 64
};

struct zl_store {
  sqlite3 *db;
  pthread_mutex_t lock; /* recursive; held through a transaction */
  bool in_transaction;
  struct {
    const char *sql; /* a literal: compared by address first */
    sqlite3_stmt *stmt;
    bool busy;
  } cache[MAX_CACHED];
  size_t n_cached;
};

struct zl_row {
  sqlite3_stmt *stmt;
};

static int fail_db(struct zl_store *store, struct zl_error *err, const char *doing)
{
  return zl_fail(err, ZL_E_STORE, 0, "%s: %s", doing, sqlite3_errmsg(store->db));
}

static int exec(struct zl_store *store, const char *sql, const char *doing, struct zl_error *err)
{
  return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                     : fail_db(store, err, doing);
}

static int read_version(struct zl_store *store, int *ret, struct zl_error *err)
{
  sqlite3_stmt *stmt = NULL;
  int r = 0;

  if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL) != SQLITE_OK ||
      sqlite3_step(stmt) != SQLITE_ROW)
    r = fail_db(store, err, "reading the schema version");
  else
    *ret = sqlite3_column_int(stmt, 0);
  (void)sqlite3_finalize(stmt);
  return r;
}

/* Brings the schema up to date. Many processes may arrive here at once, and the switch to WAL mode
 * does not wait for the busy timeout: our own lock makes them one after the other. */
static int migrate(struct zl_store *store, int root_fd, struct zl_error *err)
{
  const int newest = (int)ZL_COUNT(zl_store_schema);
  zl_autofd lock = -1;
  int version = 0, r = read_version(store, &version, err);

  if (r < 0 || version == newest)
    return r;
  r = zl_lock_acquire(root_fd, DB_NAME "-schema.lock", BUSY_TIMEOUT_MS * ZL_NS_PER_MS, &lock, err);
  if (r == 0)
    r = read_version(store, &version, err);
  if (r < 0 || version == newest)
    return r;
  if (version > newest)
    return zl_fail(err, ZL_E_STORE, 0,
                   "the database has schema version %d, this zlayer knows %d: use a newer zlayer",
                   version, newest);
  r = exec(store, "PRAGMA journal_mode=WAL", "switching to WAL mode", err);
  if (r == 0)
    r = exec(store, "BEGIN IMMEDIATE", "locking the database", err);
  if (r < 0)
    return r;
  r = read_version(store, &version, err);
  for (; r == 0 && version < newest; version++) {
    char step[48];

    r = exec(store, zl_store_schema[version], "making the schema", err);
    (void)snprintf(step, sizeof(step), "PRAGMA user_version=%d", version + 1);
    if (r == 0)
      r = exec(store, step, "making the schema", err);
  }
  if (r == 0)
    return exec(store, "COMMIT", "making the schema", err);
  (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
  return r;
}

static int connect_db(struct zl_store *store, int root_fd, const char *path, struct zl_error *err)
{
  int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  int r;

  if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
    return zl_fail(err, ZL_E_STORE, 0, "opening '%s': %s", path, sqlite3_errmsg(store->db));
  (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
  /* The last one to close would copy the log back and fsync: every short command would pay. */
  (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  /* The first one to open reads the whole log again (3 us a page), so it is kept short: a
   * checkpoint each dozen containers. */
  (void)sqlite3_wal_autocheckpoint(store->db, LOG_PAGES);
  r = exec(store, "PRAGMA synchronous=NORMAL", "opening the database", err);
  return r < 0 ? r : migrate(store, root_fd, err);
}

static bool is_damaged(struct zl_store *store)
{
  int code = store->db != NULL ? sqlite3_errcode(store->db) : SQLITE_OK;

  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static void disconnect_db(struct zl_store *store)
{
  for (size_t i = 0; i < store->n_cached; i++)
    (void)sqlite3_finalize(store->cache[i].stmt);
  store->n_cached = 0;
  (void)sqlite3_close(store->db);
  store->db = NULL;
}

/* The damaged file keeps its content for inspection; its log belongs to it and goes with it. */
static int set_aside(int root_fd, struct zl_error *err)
{
  static const char *const suffixes[] = { "", "-wal", "-shm" };
  uint64_t now = zl_time_wall() / ZL_NS_PER_S;

  for (size_t i = 0; i < ZL_COUNT(suffixes); i++) {
    char from[32], to[64];

    (void)snprintf(from, sizeof(from), DB_NAME "%s", suffixes[i]);
    (void)snprintf(to, sizeof(to), DB_NAME ".damaged-%llu%s", (unsigned long long)now, suffixes[i]);
    if (renameat(root_fd, from, root_fd, to) < 0 && errno != ENOENT)
      return zl_fail_errno(err, "setting the damaged database aside as '%s'", to);
  }
  zl_warning("the database was damaged and is set aside as " DB_NAME ".damaged-%llu",
             (unsigned long long)now);
  return 0;
}

int zl_store_open(int root_fd, const char *root, struct zl_store **ret, struct zl_error *err)
{
  ZL_CLEANUP(zl_store_closep) struct zl_store *store = calloc(1, sizeof(*store));
  zl_autofree char *path = zl_asprintf("%s/" DB_NAME, root);
  pthread_mutexattr_t attr;
  int r;

  if (store == NULL || path == NULL)
    return zl_fail_nomem(err, "opening the database");
  (void)pthread_mutexattr_init(&attr);
  (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  (void)pthread_mutex_init(&store->lock, &attr);
  (void)pthread_mutexattr_destroy(&attr);
  r = connect_db(store, root_fd, path, err);
  if (r < 0 && is_damaged(store)) {
    disconnect_db(store);
    r = set_aside(root_fd, err);
    if (r == 0)
      r = connect_db(store, root_fd, path, err);
  }
  if (r < 0)
    return zl_wrap(err, "state database '%s'", path);
  *ret = zl_steal_ptr(&store);
  return 0;
}

void zl_store_close(struct zl_store *store)
{
  if (store == NULL)
    return;
  disconnect_db(store);
  (void)pthread_mutex_destroy(&store->lock);
  free(store);
}

int zl_store_begin(struct zl_store *store, struct zl_error *err)
{
  int r;

  (void)pthread_mutex_lock(&store->lock);
  if (store->in_transaction)
    r = zl_fail(err, ZL_E_INTERNAL, 0, "a transaction is already open");
  else
    r = exec(store, "BEGIN IMMEDIATE", "locking the database", err);
  if (r < 0)
    (void)pthread_mutex_unlock(&store->lock);
  else
    store->in_transaction = true;
  return r;
}

int zl_store_commit(struct zl_store *store, struct zl_error *err)
{
  int r = exec(store, "COMMIT", "writing the database", err);

  if (r < 0) {
    zl_store_rollback(store);
    return r;
  }
  store->in_transaction = false;
  (void)pthread_mutex_unlock(&store->lock);
  return 0;
}

void zl_store_rollback(struct zl_store *store)
{
  (void)pthread_mutex_lock(&store->lock);
  if (store->in_transaction) {
    (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    store->in_transaction = false;
    (void)pthread_mutex_unlock(&store->lock); /* the one taken by begin */
  }
  (void)pthread_mutex_unlock(&store->lock);
}

/* A cached statement that is not in use, or a fresh one. *ret_slot is -1 for the latter. */
static int prepare(struct zl_store *store, const char *sql, sqlite3_stmt **ret, int *ret_slot,
                   struct zl_error *err)
{
  for (size_t i = 0; i < store->n_cached; i++) {
    if (store->cache[i].busy || strcmp(store->cache[i].sql, sql) != 0)
      continue;
    store->cache[i].busy = true;
    *ret = store->cache[i].stmt;
    *ret_slot = (int)i;
    return 0;
  }
  if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) != SQLITE_OK)
    return fail_db(store, err, sql);
  *ret_slot = -1;
  if (store->n_cached < MAX_CACHED) {
    *ret_slot = (int)store->n_cached;
    store->cache[store->n_cached].sql = sql;
    store->cache[store->n_cached].stmt = *ret;
    store->cache[store->n_cached].busy = true;
    store->n_cached++;
  }
  return 0;
}

static void release(struct zl_store *store, sqlite3_stmt *stmt, int slot)
{
  if (slot < 0) {
    (void)sqlite3_finalize(stmt);
    return;
  }
  (void)sqlite3_reset(stmt);
  (void)sqlite3_clear_bindings(stmt);
  store->cache[slot].busy = false;
}

static int bind(struct zl_store *store, sqlite3_stmt *stmt, const char *types, va_list ap,
                struct zl_error *err)
{
  int rc = SQLITE_OK;

  for (int i = 1; *types != '\0' && rc == SQLITE_OK; i++, types++) {
    switch (*types) {
    case 's':
      rc = sqlite3_bind_text(stmt, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT); // NOLINT
      break;
    case 'i':
      rc = sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
      break;
    case 'u':
      rc = sqlite3_bind_int64(stmt, i, (int64_t)va_arg(ap, uint64_t));
      break;
    case 'b': {
      const void *data = va_arg(ap, const void *);
      size_t len = va_arg(ap, size_t);

      rc = sqlite3_bind_blob64(stmt, i, data, len, SQLITE_TRANSIENT); // NOLINT
      break;
    }
    default:
      return zl_fail(err, ZL_E_INTERNAL, 0, "unknown bind type '%c'", *types);
    }
  }
  return rc == SQLITE_OK ? 0 : fail_db(store, err, "binding a value");
}

static int step_rows(struct zl_store *store, sqlite3_stmt *stmt, zl_row_fn fn, void *ctx,
                     const char *sql, struct zl_error *err)
{
  struct zl_row row = { stmt };

  for (;;) {
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_DONE)
      return 0;
    if (rc != SQLITE_ROW)
      return fail_db(store, err, sql);
    if (fn != NULL) {
      int r = fn(ctx, &row, err);

      if (r != 0)
        return r < 0 ? r : 0;
    }
  }
}

static int vquery(struct zl_store *store, zl_row_fn fn, void *ctx, struct zl_error *err,
                  const char *sql, const char *types, va_list ap)
{
  sqlite3_stmt *stmt = NULL;
  int slot = -1, r;

  (void)pthread_mutex_lock(&store->lock);
  r = prepare(store, sql, &stmt, &slot, err);
  if (r == 0) {
    r = bind(store, stmt, types, ap, err);
    if (r == 0)
      r = step_rows(store, stmt, fn, ctx, sql, err);
    release(store, stmt, slot);
  }
  (void)pthread_mutex_unlock(&store->lock);
  return r;
}

int zl_store_run(struct zl_store *store, struct zl_error *err, const char *sql, const char *types,
                 ...)
{
  va_list ap;
  int r;

  va_start(ap, types);
  r = vquery(store, NULL, NULL, err, sql, types, ap);
  va_end(ap);
  return r;
}

int zl_store_query(struct zl_store *store, zl_row_fn fn, void *ctx, struct zl_error *err,
                   const char *sql, const char *types, ...)
{
  va_list ap;
  int r;

  va_start(ap, types);
  r = vquery(store, fn, ctx, err, sql, types, ap);
  va_end(ap);
  return r;
}

int64_t zl_store_changes(struct zl_store *store)
{
  return sqlite3_changes64(store->db);
}

const char *zl_row_text(const struct zl_row *row, int column)
{
  return (const char *)sqlite3_column_text(row->stmt, column);
}

int64_t zl_row_int(const struct zl_row *row, int column)
{
  return sqlite3_column_int64(row->stmt, column);
}

int zl_row_keep_int(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  (void)err;
  *(int64_t *)ctx = zl_row_int(row, 0);
  return 0;
}

uint64_t zl_row_u64(const struct zl_row *row, int column)
{
  return (uint64_t)sqlite3_column_int64(row->stmt, column);
}

const void *zl_row_blob(const struct zl_row *row, int column, size_t *ret_len)
{
  const void *data = sqlite3_column_blob(row->stmt, column);

  *ret_len = (size_t)sqlite3_column_bytes(row->stmt, column);
  return data;
}
