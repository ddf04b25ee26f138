/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/group.h"

#include <string.h>

#include "base/log.h"
#include "bridge/guest.h"

static int make(struct group *group, const char *path, const struct zl_resources *res,
                struct zl_error *err)
{
  int r = zl_cgroup_root_open(&group->root, err);

  if (r == 0)
    r = zl_cgroup_create(&group->root, path, res, &group->cgroup, err);
  group->exists = r == 0;
  return r;
}

int group_prepare(struct group *group, struct zl_error *err)
{
  const struct zl_resources none = { .devices = NULL };
  int r = make(group, ZL_GUEST_CGROUP, &none, err);

  if (r == 0)
    r = zl_cgroup_set_devices(&group->cgroup, NULL, 0, err);
  group->is_prepared = r == 0;
  return r;
}

int group_make(struct group *group, const char *path, const struct zl_resources *res,
               struct zl_error *err)
{
  bool has_rules = false;
  int r = 0;

  if (path != NULL && group->is_prepared && strcmp(path, ZL_GUEST_CGROUP) == 0) {
    has_rules = res->n_devices == 0;
    group->is_prepared = false;
  } else {
    group_remove(group);
    if (path == NULL)
      return 0;
    r = make(group, path, res, err);
  }
  if (r == 0)
    r = zl_cgroup_apply(&group->cgroup, res, err);
  if (r < 0 || has_rules)
    return r;
  return zl_cgroup_set_devices(&group->cgroup, res->devices, res->n_devices, err);
}

bool group_had_oom(const struct group *group)
{
  uint64_t kills = 0;

  return group->exists && zl_cgroup_oom_kills(&group->cgroup, &kills, NULL) == 0 && kills > 0;
}

void group_remove(struct group *group)
{
  struct zl_error err = { 0 };

  if (group->exists && zl_cgroup_remove(&group->cgroup, &err) < 0)
    zl_warning("%s", err.msg);
  zl_cgroup_close(&group->cgroup);
  zl_cgroup_root_close(&group->root);
  *group = (struct group)GROUP_INIT;
}
