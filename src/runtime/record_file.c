/* SPDX-License-Identifier: Apache-2.0
 *
 * record.json in a container's directory: the container's row, so that a lost database can be
 * rebuilt from the host.
 */
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
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
