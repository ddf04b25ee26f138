/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "engine/config_private.h"

static int read_console(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_process *p)
{
  char at[ZL_CONFIG_PATH];
  int64_t rows, cols;
  json_t *size;
  int r = zl_json_get_bool(object, path, "terminal", false, &p->terminal, rd->err);

  if (r == 0)
    r = zl_json_get_object(object, path, "consoleSize", &size, rd->err);
  if (r != 0)
    return r;
  (void)zl_config_path(at, path, "consoleSize", -1);
  r = zl_json_get_int(size, at, "height", 0, UINT16_MAX, 0, &rows, rd->err);
  if (r == 0)
    r = zl_json_get_int(size, at, "width", 0, UINT16_MAX, 0, &cols, rd->err);
  if (r < 0)
    return r;
  p->console_rows = (uint16_t)rows;
  p->console_cols = (uint16_t)cols;
  return 0;
}

static int read_gids(struct zl_config_reader *rd, const json_t *user, const char *path,
                     struct zl_process *p)
{
  char at[ZL_CONFIG_PATH];
  json_t *array;
  uint32_t *gids;
  int r = zl_json_get_array(user, path, "additionalGids", ZL_MAX_GROUPS, &array, rd->err);

  if (r < 0 || array == NULL)
    return r;
  gids = zl_arena_alloc(rd->arena, (json_array_size(array) + 1) * sizeof(*gids));
  if (gids == NULL)
    return zl_fail_nomem(rd->err, "configuration");
  for (size_t i = 0; i < json_array_size(array); i++) {
    const json_t *item = json_array_get(array, i);
    json_int_t gid = json_integer_value(item);

    if (!json_is_integer(item) || gid < 0 || gid >= UINT32_MAX)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: expected a group id",
                     zl_config_path(at, path, "additionalGids", (int)i));
    gids[i] = (uint32_t)gid;
  }
  p->gids = gids;
  p->n_gids = json_array_size(array);
  return 0;
}

static int read_user(struct zl_config_reader *rd, const json_t *object, const char *path,
                     struct zl_process *p)
{
  char at[ZL_CONFIG_PATH];
  int64_t uid, gid, umask;
  const char *name; /* for Windows */
  json_t *user;
  int r = zl_json_get_object(object, path, "user", &user, rd->err);

  if (r < 0)
    return r;
  (void)zl_config_path(at, path, "user", -1);
  /* UINT32_MAX is the kernel's "no change" and so nobody's id. */
  r = zl_json_get_int(user, at, "uid", 0, UINT32_MAX - 1, 0, &uid, rd->err);
  if (r == 0)
    r = zl_json_get_int(user, at, "gid", 0, UINT32_MAX - 1, 0, &gid, rd->err);
  if (r == 0)
    r = zl_json_get_int(user, at, "umask", 0, 0777, -1, &umask, rd->err);
  if (r == 0)
    r = zl_json_get_string(user, at, "username", &name, rd->err);
  if (r < 0)
    return r;
  p->uid = (uint32_t)uid;
  p->gid = (uint32_t)gid;
  p->has_umask = umask >= 0;
  p->umask = p->has_umask ? (mode_t)umask : 0;
  return read_gids(rd, user, at, p);
}

static int read_cap_set(struct zl_config_reader *rd, const json_t *caps, const char *path,
                        const char *key, uint64_t *ret)
{
  char at[ZL_CONFIG_PATH];
  uint64_t mask = 0;
  json_t *array;
  int r = zl_json_get_array(caps, path, key, ZL_MAX_LIST, &array, rd->err);

  for (size_t i = 0; r == 0 && array != NULL && i < json_array_size(array); i++) {
    const char *name = json_string_value(json_array_get(array, i));
    int cap;

    (void)zl_config_path(at, path, key, (int)i);
    if (name == NULL)
      return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: expected a string", at);
    cap = zl_cap_parse(name);
    /* The specification wants a warning, so that newer documents work on older runtimes. */
    if (cap < 0)
      zl_warning("%s: capability '%.40s' is not known and left out", at, name);
    else
      mask |= UINT64_C(1) << cap;
  }
  if (r == 0)
    *ret = mask;
  return r;
}

static int read_caps(struct zl_config_reader *rd, const json_t *object, const char *path,
                     struct zl_process *p)
{
  const struct {
    const char *key;
    uint64_t *mask;
  } sets[] = {
    { "bounding", &p->caps.bounding },       { "effective", &p->caps.effective },
    { "inheritable", &p->caps.inheritable }, { "permitted", &p->caps.permitted },
    { "ambient", &p->caps.ambient },
  };
  char at[ZL_CONFIG_PATH];
  json_t *caps;
  int r = zl_json_get_object(object, path, "capabilities", &caps, rd->err);

  if (r < 0 || caps == NULL)
    return r;
  (void)zl_config_path(at, path, "capabilities", -1);
  p->has_caps = true;
  for (size_t i = 0; r == 0 && i < ZL_COUNT(sets); i++)
    r = read_cap_set(rd, caps, at, sets[i].key, sets[i].mask);
  return r;
}

static int read_rlimit(struct zl_config_reader *rd, const json_t *item, const char *path, void *out)
{
  struct zl_rlimit *limit = out;
  const char *type;
  int64_t soft, hard;
  int r = zl_json_get_string(item, path, "type", &type, rd->err);

  /* -1 is 2^64-1, unlimited, both as we write it and after fold_unlimited. */
  if (r == 0)
    r = zl_json_get_int(item, path, "soft", -1, INT64_MAX, ZL_UNSET, &soft, rd->err);
  if (r == 0)
    r = zl_json_get_int(item, path, "hard", -1, INT64_MAX, ZL_UNSET, &hard, rd->err);
  if (r < 0)
    return r;
  limit->resource = type != NULL ? zl_rlimit_parse(type) : -1;
  if (limit->resource < 0)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.type: '%.40s' is not a resource limit", path,
                   type != NULL ? type : "");
  if (soft == ZL_UNSET || hard == ZL_UNSET)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s: soft and hard must be given", path);
  limit->soft = (uint64_t)soft;
  limit->hard = (uint64_t)hard;
  if (limit->soft > limit->hard)
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.soft: higher than hard", path);
  return 0;
}

static int read_rlimits(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_process *p)
{
  void *items;
  int r = zl_config_items(rd, object, path, "rlimits", ZL_MAX_RLIMITS, sizeof(struct zl_rlimit),
                          read_rlimit, &items, &p->n_rlimits);

  if (r < 0)
    return r;
  p->rlimits = items;
  for (size_t i = 0; i < p->n_rlimits; i++)
    for (size_t j = 0; j < i; j++)
      if (p->rlimits[i].resource == p->rlimits[j].resource)
        return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.rlimits[%zu].type: given twice", path, i);
  return 0;
}

static int read_command(struct zl_config_reader *rd, const json_t *object, const char *path,
                        struct zl_process *p)
{
  const char *line = NULL;
  int r = zl_config_strv(rd, object, path, "args", ZL_MAX_LIST, &p->args);

  if (r == 0)
    r = zl_config_strv(rd, object, path, "env", ZL_MAX_LIST, &p->env);
  if (r == 0)
    r = zl_config_required(rd, object, path, "cwd", &p->cwd);
  if (r == 0)
    r = zl_json_get_string(object, path, "commandLine", &line, rd->err);
  if (r < 0)
    return r;
  if (line != NULL)
    return zl_fail(rd->err, ZL_E_UNSUPPORTED, 0,
                   "%s.commandLine: is for Windows; Linux programs have args", path);
  if (p->args[0] == NULL || p->args[0][0] == '\0')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.args: a command must be given", path);
  if (p->cwd[0] != '/')
    return zl_fail(rd->err, ZL_E_INVALID, 0, "%s.cwd: '%.100s' is not absolute", path, p->cwd);
  return 0;
}

static int read_attributes(struct zl_config_reader *rd, const json_t *object, const char *path,
                           struct zl_process *p)
{
  int64_t oom;
  int r = zl_json_get_bool(object, path, "noNewPrivileges", false, &p->no_new_privileges, rd->err);

  if (r == 0)
    r = zl_json_get_int(object, path, "oomScoreAdj", -1000, 1000, ZL_UNSET, &oom, rd->err);
  if (r == 0)
    r = zl_config_string(rd, object, path, "apparmorProfile", &p->apparmor_profile);
  if (r == 0)
    r = zl_config_string(rd, object, path, "selinuxLabel", &p->selinux_label);
  if (r < 0)
    return r;
  if (p->selinux_label != NULL && *p->selinux_label == '\0')
    p->selinux_label = NULL;
  if (p->apparmor_profile != NULL &&
      (*p->apparmor_profile == '\0' || strcmp(p->apparmor_profile, "unconfined") == 0))
    p->apparmor_profile = NULL;
  p->has_oom_score_adj = oom != ZL_UNSET;
  p->oom_score_adj = p->has_oom_score_adj ? (int)oom : 0;
  return 0;
}

int zl_config_process(struct zl_config_reader *rd, const json_t *object, const char *path,
                      struct zl_process *process)
{
  static const struct {
    int (*read)(struct zl_config_reader *, const json_t *, const char *, struct zl_process *);
  } parts[] = { { read_command }, { read_console },    { read_user },         { read_caps },
                { read_rlimits }, { read_attributes }, { zl_config_schedule } };
  int r = zl_config_strv(rd, NULL, path, "", 0, &process->extra_groups);
  for (size_t i = 0; r == 0 && i < ZL_COUNT(parts); i++)
    r = parts[i].read(rd, object, path, process);
  return r;
}
