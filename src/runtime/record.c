/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of containers: find, list, insert, delete.
 */
#include <string.h>

#include "base/limits.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/node.h"

#define COLUMNS                                                                        \
  "id, name, deployment, service, role, replica, node_id, backend, isolation, image, " \
  "image_digest, config, boot_id, auto_remove, created_at, creator_pid, creator_start"

enum {
  MIN_PREFIX = 4 /* of a display id, zlayer/runtime.h */
};

void zl_record_done(struct zl_record *record)
{
  char *texts[] = { record->id,           record->name,    record->deployment, record->service,
                    record->role,         record->backend, record->isolation,  record->image,
                    record->image_digest, record->config,  record->boot_id };

  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    free(texts[i]);
  *record = (struct zl_record){ 0 };
}

void zl_records_free(struct zl_record *records, size_t count)
{
  for (size_t i = 0; i < count; i++)
    zl_record_done(&records[i]);
  free(records);
}

static int copy_text(const struct zl_row *row, int column, char **ret, struct zl_error *err)
{
  const char *text = zl_row_text(row, column);

  *ret = text != NULL ? strdup(text) : NULL;
  return text != NULL && *ret == NULL ? zl_fail_nomem(err, "container row") : 0;
}

static int read_row(const struct zl_row *row, struct zl_record *ret, struct zl_error *err)
{
  zl_autorecord rec = { 0 };
  const struct {
    char **to;
    int column;
  } texts[] = { { &rec.id, 0 },        { &rec.name, 1 },    { &rec.deployment, 2 },
                { &rec.service, 3 },   { &rec.role, 4 },    { &rec.backend, 7 },
                { &rec.isolation, 8 }, { &rec.image, 9 },   { &rec.image_digest, 10 },
                { &rec.config, 11 },   { &rec.boot_id, 12 } };

  for (size_t i = 0; i < ZL_COUNT(texts); i++) {
    int r = copy_text(row, texts[i].column, texts[i].to, err);

    if (r < 0)
      return r;
  }
  rec.replica = (uint32_t)zl_row_int(row, 5);
  rec.node_id = zl_row_u64(row, 6);
  rec.auto_remove = zl_row_int(row, 13) != 0;
  rec.created_at_ns = zl_row_u64(row, 14);
  rec.creator_pid = (int32_t)zl_row_int(row, 15);
  rec.creator_start = zl_row_u64(row, 16);
  *ret = rec;
  rec = (struct zl_record){ 0 };
  return 0;
}

struct rows {
  struct zl_record *items;
  size_t count, max;
};

static void rows_done(struct rows *rows)
{
  zl_records_free(rows->items, rows->count);
}

static int add_row(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  struct rows *rows = ctx;
  struct zl_record *grown;
  int r;

  if (rows->max > 0 && rows->count == rows->max)
    return 1;
  grown = realloc(rows->items, (rows->count + 1) * sizeof(*grown));
  if (grown == NULL)
    return zl_fail_nomem(err, "container rows");
  rows->items = grown;
  r = read_row(row, &grown[rows->count], err);
  if (r == 0)
    rows->count++;
  return r;
}

static int take_one(struct rows *rows, struct zl_record *ret)
{
  *ret = rows->items[0];
  rows->items[0] = (struct zl_record){ 0 };
  return 0;
}

static int not_found(const char *text, struct zl_error *err)
{
  return zl_fail(err, ZL_E_NOT_FOUND, 0, "no container '%.128s'", text);
}

int zl_record_load(struct zl_runtime *rt, const char *id, struct zl_record *ret,
                   struct zl_error *err)
{
  ZL_CLEANUP(rows_done) struct rows rows = { .max = 1 };
  struct zl_store *store = NULL;
  int r = zl_node_store(rt, &store, err);

  if (r == 0)
    r = zl_store_query(store, add_row, &rows, err,
                       "SELECT " COLUMNS " FROM containers WHERE id = ?", "s", id);
  if (r < 0)
    return r;
  return rows.count == 1 ? take_one(&rows, ret) : not_found(id, err);
}

static int find_by_name(struct zl_store *store, const char *text, struct zl_record *ret,
                        struct zl_error *err)
{
  ZL_CLEANUP(rows_done) struct rows rows = { .max = 1 };
  int r = zl_store_query(store, add_row, &rows, err,
                         "SELECT " COLUMNS " FROM containers WHERE id = ?1 OR name = ?1"
                         " ORDER BY id <> ?1",
                         "s", text);

  if (r < 0)
    return r;
  return rows.count == 1 ? take_one(&rows, ret) : not_found(text, err);
}

static int find_by_prefix(struct zl_store *store, const char *text, struct zl_record *ret,
                          struct zl_error *err)
{
  ZL_CLEANUP(rows_done) struct rows rows = { .max = 2 };
  int r;

  if (strlen(text) < MIN_PREFIX)
    return not_found(text, err);
  r = zl_store_query(store, add_row, &rows, err,
                     "SELECT " COLUMNS " FROM containers WHERE substr(id, 1, ?2) = ?1 LIMIT 2",
                     "si", text, (int64_t)strlen(text));
  if (r < 0)
    return r;
  if (rows.count == 0)
    return not_found(text, err);
  if (rows.count == 2)
    return zl_fail(err, ZL_E_NOT_FOUND, 0, "'%s' begins several ids, such as '%s' and '%s'", text,
                   rows.items[0].id, rows.items[1].id);
  return take_one(&rows, ret);
}

/* The database may have been lost while the container ran on. */
static bool try_adopt(struct zl_runtime *rt, const char *id)
{
  zl_autofd dir = -1;

  if (zl_node_container_dir(rt, id, &dir, NULL) < 0)
    return false;
  return zl_adopt(rt, id, NULL) == 0;
}

int zl_record_find(struct zl_runtime *rt, const char *text, struct zl_record *ret,
                   struct zl_error *err)
{
  struct zl_store *store = NULL;
  int r;

  if (text == NULL || !zl_path_is_name(text, ZL_MAX_ID))
    return not_found(text != NULL ? text : "", err);
  r = zl_node_store(rt, &store, err);
  if (r == 0)
    r = find_by_name(store, text, ret, err);
  if (r == -ZL_E_NOT_FOUND)
    r = find_by_prefix(store, text, ret, err);
  if (r == -ZL_E_NOT_FOUND && try_adopt(rt, text))
    r = zl_record_load(rt, text, ret, err);
  return r;
}

int zl_record_list(struct zl_runtime *rt, struct zl_record **ret, size_t *ret_count,
                   struct zl_error *err)
{
  struct rows rows = { 0 };
  struct zl_store *store = NULL;
  int r = zl_node_store(rt, &store, err);

  if (r == 0)
    r = zl_store_query(store, add_row, &rows, err,
                       "SELECT " COLUMNS " FROM containers ORDER BY created_at, id", "");
  if (r < 0) {
    rows_done(&rows);
    return r;
  }
  *ret = rows.items;
  *ret_count = rows.count;
  return 0;
}

static int is_taken(void *ctx, const struct zl_row *row, struct zl_error *err)
{
  const struct zl_record *record = ctx;
  const char *id = zl_row_text(row, 0);

  if (strcmp(id, record->id) == 0)
    return zl_fail(err, ZL_E_CONFLICT, 0, "container '%s' exists", id);
  return zl_fail(err, ZL_E_CONFLICT, 0, "the name '%s' is taken by container '%s'",
                 record->name != NULL ? record->name : record->id, id);
}

int zl_record_insert(struct zl_store *store, const struct zl_record *rec, struct zl_error *err)
{
  const char *name = rec->name != NULL ? rec->name : rec->id;
  int r = zl_store_query(store, is_taken, (void *)(uintptr_t)rec, err,
                         "SELECT id FROM containers WHERE id IN (?1, ?2) OR name IN (?1, ?2)", "ss",
                         rec->id, name);

  if (r < 0)
    return r;
  return zl_store_run(store, err,
                      "INSERT INTO containers (" COLUMNS ")"
                      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "sssssiussssssiuiu", rec->id, rec->name, rec->deployment, rec->service,
                      rec->role, (int64_t)rec->replica, rec->node_id, rec->backend, rec->isolation,
                      rec->image, rec->image_digest, rec->config, rec->boot_id,
                      (int64_t)rec->auto_remove, rec->created_at_ns, (int64_t)rec->creator_pid,
                      rec->creator_start);
}

int zl_record_journal(struct zl_store *store, const struct zl_record *record, const char *kind,
                      const char *name, struct zl_error *err)
{
  return zl_store_run(store, err, "INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?)", "ssss",
                      record->id, kind, name, record->boot_id);
}

int zl_record_delete(struct zl_runtime *rt, const char *id, struct zl_error *err)
{
  static const char *const statements[] = {
    "DELETE FROM journal WHERE container = ?", "DELETE FROM ports WHERE container = ?",
    "DELETE FROM leases WHERE container = ?",  "DELETE FROM volume_users WHERE container = ?",
    "DELETE FROM containers WHERE id = ?",
  };
  struct zl_store *store = NULL;
  int r = zl_node_store(rt, &store, err);

  if (r == 0)
    r = zl_store_begin(store, err);
  if (r < 0)
    return r;
  for (size_t i = 0; r == 0 && i < ZL_COUNT(statements); i++)
    r = zl_store_run(store, err, statements[i], "s", id);
  if (r == 0)
    return zl_store_commit(store, err);
  zl_store_rollback(store);
  return r;
}
