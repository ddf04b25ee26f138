/* SPDX-License-Identifier: Apache-2.0
 *
 * record.json in a container's directory: the container's row, so that a lost database can be
 * rebuilt from the host.
 */
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/path.h"
#include "runtime/node.h"

#define FILE_NAME "record.json"

int zl_record_save(int dir_fd, const struct zl_record *rec, struct zl_error *err)
{
  zl_autofree char *text = NULL;
  zl_autojson *json = json_pack(
      "{s:s, s:s*, s:s*, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}", "id",
      rec->id, "name", rec->name, "deployment", rec->deployment, "service", rec->service, "role",
      rec->role, "replica", (json_int_t)rec->replica, "node_id", (json_int_t)rec->node_id,
      "backend", rec->backend, "isolation", rec->isolation, "image", rec->image, "image_digest",
      rec->image_digest, "config", rec->config, "boot_id", rec->boot_id, "auto_remove",
      (int)rec->auto_remove, "created_at_ns", (json_int_t)rec->created_at_ns);
  int r;

  if (json == NULL)
    return zl_fail_nomem(err, "container record");
  r = zl_json_render(json, &text, err);
  if (r < 0)
    return r;
  return zl_file_replace(dir_fd, FILE_NAME, text, strlen(text), 0600, false, err);
}

static int copy_member(const json_t *json, const char *key, bool optional, char **ret,
                       struct zl_error *err)
{
  const char *text = NULL;
  int r = zl_json_get_string(json, FILE_NAME, key, &text, err);

  if (r < 0)
    return r;
  if (text == NULL)
    return optional ? 0 : zl_fail(err, ZL_E_CORRUPT, 0, FILE_NAME ": '%s' is missing", key);
  *ret = strdup(text);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "container record");
}

static int read_numbers(const json_t *json, struct zl_record *rec, struct zl_error *err)
{
  int64_t replica = 0, node = 0, created = 0;
  int r = zl_json_get_int(json, FILE_NAME, "replica", 0, UINT32_MAX, 0, &replica, err);

  if (r == 0)
    r = zl_json_get_int(json, FILE_NAME, "node_id", INT64_MIN, INT64_MAX, 0, &node, err);
  if (r == 0)
    r = zl_json_get_int(json, FILE_NAME, "created_at_ns", 0, INT64_MAX, 0, &created, err);
  if (r == 0)
    r = zl_json_get_bool(json, FILE_NAME, "auto_remove", false, &rec->auto_remove, err);
  rec->replica = (uint32_t)replica;
  rec->node_id = (uint64_t)node;
  rec->created_at_ns = (uint64_t)created;
  return r;
}

int zl_record_restore(int dir_fd, struct zl_record *ret, struct zl_error *err)
{
  zl_autobuf buf = ZL_BUF_INIT(ZL_MAX_JSON);
  zl_autojson *json = NULL;
  zl_autorecord rec = { 0 };
  const struct {
    const char *key;
    char **to;
    bool optional;
  } texts[] = {
    { "id", &rec.id, false },           { "name", &rec.name, true },
    { "service", &rec.service, false }, { "deployment", &rec.deployment, true },
    { "role", &rec.role, false },       { "backend", &rec.backend, false },
    { "image", &rec.image, false },     { "isolation", &rec.isolation, false },
    { "config", &rec.config, false },   { "image_digest", &rec.image_digest, false },
    { "boot_id", &rec.boot_id, false },
  };
  int r = zl_file_read(dir_fd, FILE_NAME, &buf, err);

  if (r == 0)
    r = zl_json_parse(buf.data, buf.len, FILE_NAME, &json, err);
  for (size_t i = 0; r == 0 && i < ZL_COUNT(texts); i++)
    r = copy_member(json, texts[i].key, texts[i].optional, texts[i].to, err);
  if (r == 0)
    r = read_numbers(json, &rec, err);
  if (r < 0)
    return r;
  *ret = rec;
  rec = (struct zl_record){ 0 };
  return 0;
}

static bool has_store(struct zl_runtime *rt)
{
  bool open;

  (void)pthread_mutex_lock(&rt->lock);
  open = rt->store != NULL;
  (void)pthread_mutex_unlock(&rt->lock);
  return open;
}

static bool is_called(const struct zl_record *record, const char *text)
{
  return strcmp(record->id, text) == 0 || (record->name != NULL && strcmp(record->name, text) == 0);
}

static int restore_live(struct zl_runtime *rt, const char *id, struct zl_record *ret)
{
  zl_autorecord record = { 0 };
  zl_autofd dir = -1;
  int r = zl_node_container_dir(rt, id, &dir, NULL);

  if (r == 0)
    r = zl_record_restore(dir, &record, NULL);
  if (r < 0)
    return r;
  if (strcmp(record.id, id) != 0 || strcmp(record.boot_id, rt->boot_id) != 0)
    return -ZL_E_NOT_FOUND;
  *ret = record;
  record = (struct zl_record){ 0 };
  return 0;
}

/* The row is committed before the directory is made and deleted after it was renamed, and no id and
 * no name is given twice: so a directory says what the row says. Not across a power failure, which
 * may lose rows: the record must be of this boot. */
int zl_record_find_quick(struct zl_runtime *rt, const char *text, struct zl_record *ret)
{
  zl_autorecord record = { 0 };
  char id[ZL_ID_TEXT];
  int r;

  if (text == NULL || !zl_path_is_name(text, ZL_MAX_ID) || has_store(rt))
    return -ZL_E_NOT_FOUND;
  r = restore_live(rt, text, &record);
  if (r < 0 && snprintf(id, sizeof(id), "%s-rep-1", text) < (int)sizeof(id))
    r = restore_live(rt, id, &record);
  if (r < 0 || !is_called(&record, text))
    return -ZL_E_NOT_FOUND;
  *ret = record;
  record = (struct zl_record){ 0 };
  return 0;
}
