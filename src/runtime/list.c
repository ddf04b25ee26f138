/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/limits.h"
#include "runtime/plan.h"

static void info_done(struct zl_container_info *info)
{
  char *texts[] = {
    info->id,      info->name,    info->deployment, info->service, info->image,
    info->command, info->address, info->ports,      info->backend, info->isolation
  };

  for (size_t i = 0; i < ZL_COUNT(texts); i++)
    free(texts[i]);
  *info = (struct zl_container_info){ 0 };
}

void zl_containers_free(struct zl_container_info *containers, size_t count)
{
  for (size_t i = 0; i < count; i++)
    info_done(&containers[i]);
  free(containers);
}

/* For display: arguments with blanks are quoted so that their borders can be seen. */
static int join_command(char *const *argv, char **ret, struct zl_error *err)
{
  zl_autobuf text = ZL_BUF_INIT(ZL_MAX_JSON);
  int r = 0;

  for (size_t i = 0; r == 0 && argv != NULL && argv[i] != NULL; i++) {
    bool quote = *argv[i] == '\0' || strpbrk(argv[i], " \t\n\"") != NULL;

    r = zl_buf_printf(&text, err, quote ? "%s\"%s\"" : "%s%s", i > 0 ? " " : "", argv[i]);
  }
  if (r < 0)
    return r;
  *ret = zl_buf_steal(&text);
  return *ret != NULL ? 0 : zl_fail_nomem(err, "container list");
}

/* Moves the texts out of row and description: both are dropped afterwards. */
static int fill(struct zl_record *record, const struct zl_observation *seen,
                struct zl_container_info *info, struct zl_error *err)
{
  zl_autodescription d = { 0 };
  int r = zl_description_parse(record->config, &d, err);

  if (r == 0)
    r = join_command(d.command, &info->command, err);
  if (r < 0)
    return zl_context(r, err, "container '%s'", record->id);
  info->id = zl_steal_ptr(&record->id);
  info->name = zl_steal_ptr(&record->name);
  info->deployment = zl_steal_ptr(&record->deployment);
  info->service = zl_steal_ptr(&record->service);
  info->image = zl_steal_ptr(&record->image);
  info->address = zl_steal_ptr(&d.address);
  info->ports = zl_steal_ptr(&d.ports);
  info->backend = zl_steal_ptr(&record->backend);
  info->isolation = zl_steal_ptr(&record->isolation);
  info->created_at_ns = record->created_at_ns;
  info->started_at_ns = seen->started_at_ns;
  info->state = seen->state;
  return 0;
}

/* > 0: it is listed. */
static int list_one(struct zl_runtime *rt, struct zl_record *record, struct zl_container_info *info,
                    struct zl_error *err)
{
  struct zl_observation seen;
  int r = zl_observe(rt, record, &seen, err);

  if (r < 0)
    return zl_context(r, err, "container '%s'", record->id);
  if (record->auto_remove && zl_has_ended(&seen)) {
    zl_remove_if_due(rt, record, &seen);
    return 0;
  }
  r = fill(record, &seen, info, err);
  return r < 0 ? r : 1;
}

int zl_list(struct zl_runtime *rt, struct zl_container_info **ret, size_t *ret_count,
            struct zl_error *err)
{
  struct zl_record *records = NULL;
  struct zl_container_info *infos;
  size_t n_records = 0, n = 0;
  int r = zl_record_list(rt, &records, &n_records, err);

  if (r < 0)
    return r;
  infos = calloc(n_records + 1, sizeof(*infos));
  if (infos == NULL) {
    zl_records_free(records, n_records);
    return zl_fail_nomem(err, "container list");
  }
  for (size_t i = 0; r >= 0 && i < n_records; i++) {
    r = list_one(rt, &records[i], &infos[n], err);
    n += r > 0 ? 1 : 0;
  }
  zl_records_free(records, n_records);
  if (r < 0) {
    zl_containers_free(infos, n);
    return r;
  }
  *ret = infos;
  *ret_count = n;
  return 0;
}
