/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/adopt.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/strv.h"

void oci_adopted_done(struct oci_adopted *adopted)
{
  free(adopted->gids);
  zl_strv_free(adopted->env);
  free(adopted->mounts);
  free(adopted->notify_source);
}

int oci_adopted_add_env(struct oci_adopted *adopted, struct zl_engine_config *config,
                        const char *variable, struct zl_error *err)
{
  const bool first = adopted->env == NULL;
  int r = 0;

  for (char **one = config->process.env; first && r == 0 && one != NULL && *one != NULL; one++)
    r = zl_strv_push(&adopted->env, *one, err);
  if (r == 0)
    r = zl_strv_push(&adopted->env, variable, err);
  if (r == 0)
    config->process.env = adopted->env;
  return r;
}

int oci_adopt_listeners(int64_t *ret, struct zl_error *err)
{
  const char *text = getenv("LISTEN_FDS");
  uint64_t n = 0;

  if (text != NULL && *text != '\0' && !zl_parse_u64(text, ZL_MAX_PRESERVED_FDS, &n))
    return zl_fail(err, ZL_E_INVALID, 0, "LISTEN_FDS: '%.40s' is no number up to %d", text,
                   ZL_MAX_PRESERVED_FDS);
  *ret = (int64_t)n;
  return 0;
}

static void map_root(struct zl_engine_config *config, struct oci_adopted *adopted)
{
  const struct zl_namespace *user = &config->namespaces[ZL_NS_USER];

  if (!user->present || user->path != NULL)
    return;
  adopted->map = (struct zl_idmap){ .size = 1 }; /* the caller is root: oci/main.c */
  if (config->n_uid_maps == 0) {
    config->uid_maps = &adopted->map;
    config->n_uid_maps = 1;
  }
  if (config->n_gid_maps == 0) {
    config->gid_maps = &adopted->map;
    config->n_gid_maps = 1;
  }
}

static int tell_listeners(struct zl_engine_config *config, int64_t n, struct oci_adopted *adopted,
                          struct zl_error *err)
{
  char count[32];
  int r;

  if (n == 0)
    return 0;
  (void)snprintf(count, sizeof(count), "LISTEN_FDS=%d", (int)n);
  r = oci_adopted_add_env(adopted, config, count, err);
  return r == 0 ? oci_adopted_add_env(adopted, config, "LISTEN_PID=1", err) : r;
}

static int keep_groups(struct zl_engine_config *config, const json_t *doc,
                       struct oci_adopted *adopted, struct zl_error *err)
{
  static const char name[] = "run.oci.keep_original_groups";
  const char *value = json_string_value(json_object_get(json_object_get(doc, "annotations"), name));
  int n;

  if (value == NULL || strcmp(value, "1") != 0)
    return 0;
  if (config->namespaces[ZL_NS_USER].present)
    return zl_fail(err, ZL_E_UNSUPPORTED, 0, "annotations.%s: not with a user namespace", name);
  n = getgroups(0, NULL);
  adopted->gids = calloc((size_t)(n > 0 ? n : 0) + 1, sizeof(*adopted->gids));
  if (adopted->gids == NULL)
    return zl_fail_nomem(err, "groups");
  n = getgroups(n > 0 ? n : 0, adopted->gids);
  if (n < 0)
    return zl_fail_errno(err, "annotations.%s", name);
  config->process.gids = adopted->gids;
  config->process.n_gids = (size_t)n;
  return 0;
}

int oci_adopt(struct zl_engine_config *config, const json_t *doc, int64_t listeners,
              struct oci_adopted *adopted, struct zl_error *err)
{
  int r = keep_groups(config, doc, adopted, err);

  map_root(config, adopted);
  return r == 0 ? tell_listeners(config, listeners, adopted, err) : r;
}
